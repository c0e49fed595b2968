//! A place in the news: what `Last-Event-ID` carries.

use std::fmt;

/// A place in the news. Everything before it has been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// All events up to this internal number.
    pub event_id: i64,
    /// All jobs that ended before this second after 1970.
    pub at: i64,
}

impl Cursor {
    /// Reads `17-1764150000`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (event_id, at) = text.trim().split_once('-')?;
        let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 0);
        Some(Self { event_id: number(event_id)?, at: number(at)? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.event_id, self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_back_and_nothing_else_is() {
        let cursor = Cursor { event_id: 17, at: 1_764_150_000 };
        assert_eq!(Cursor::parse(&cursor.to_string()), Some(cursor));
        for wrong in ["", "17", "-1-2", "1--2", "a-1", "1-", "1-2-3", "99999999999999999999-1"] {
            assert_eq!(Cursor::parse(wrong), None, "{wrong}");
        }
    }
}
