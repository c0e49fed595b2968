//! What was met: counted over all seeds and printed.

use std::collections::BTreeMap;
use std::fmt;

/// Numbers by heading and kind.
#[derive(Clone, Debug, Default)]
pub struct Tally(BTreeMap<(&'static str, String), u64>);

impl Tally {
    pub fn count(&mut self, heading: &'static str, kind: impl Into<String>) {
        *self.0.entry((heading, kind.into())).or_default() += 1;
    }

    pub fn add(&mut self, other: Self) {
        for (key, number) in other.0 {
            *self.0.entry(key).or_default() += number;
        }
    }

    pub fn of(&self, heading: &str) -> u64 {
        self.0.iter().filter(|((of, _), _)| *of == heading).map(|(_, number)| number).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for ((heading, kind), number) in &self.0 {
            if *heading != last {
                write!(formatter, "{}{heading}: {} (", if last.is_empty() { "" } else { ")\n" }, self.of(heading))?;
                last = heading;
            } else {
                formatter.write_str(", ")?;
            }
            write!(formatter, "{kind} {number}")?;
        }
        if last.is_empty() { Ok(()) } else { formatter.write_str(")") }
    }
}
