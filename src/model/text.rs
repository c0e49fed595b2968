//! Objects as text: the JSON-like form in which CloudStack prints rows inside error texts.
//!
//! Clients and operators search logs for these texts, so the form is kept: a word, a blank, an object whose members are
//! in alphabetical order, `null` for what is missing, `/` escaped (`contract/migration.md` 0.4, `corrections.md` 30).

use std::borrow::Cow;

/// Builds one such text, member by member; the caller adds them in alphabetical order.
#[derive(Debug)]
pub struct Dump {
    text: String,
    empty: bool,
}

impl Dump {
    /// Begins `Word {`.
    #[must_use]
    pub fn new(word: &str) -> Self {
        Self { text: format!("{word} {{"), empty: true }
    }

    /// Begins `{`, without a word before it.
    #[must_use]
    pub fn bare() -> Self {
        Self { text: "{".to_owned(), empty: true }
    }

    fn member(mut self, name: &str, value: &str) -> Self {
        if !self.empty {
            self.text.push(',');
        }
        self.empty = false;
        self.text.push_str(&format!("\"{name}\":{value}"));
        self
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: &str, value: Option<i64>) -> Self {
        let text = value.map_or_else(|| "null".to_owned(), |value| value.to_string());
        self.member(name, &text)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &str, value: Option<&str>) -> Self {
        let text = value.map_or_else(|| "null".to_owned(), quoted);
        self.member(name, &text)
    }

    /// Ends the object.
    #[must_use]
    pub fn end(mut self) -> String {
        self.text.push('}');
        self.text
    }
}

/// A JSON string, with `/` escaped as well.
#[must_use]
pub fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('/', "\\/")
}

/// The text, or as much of it as so many characters hold with an ellipsis at its end.
#[must_use]
pub fn shortened(text: &str, characters: usize) -> Cow<'_, str> {
    if text.char_indices().nth(characters).is_none() {
        return text.into();
    }
    let kept: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{kept}\u{2026}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_order_and_nothing_is_null() {
        let text = Dump::new("Volume").number("id", Some(5)).number("instanceId", None).text("name", Some("a/b")).end();
        assert_eq!(text, r#"Volume {"id":5,"instanceId":null,"name":"a\/b"}"#);
    }

    #[test]
    fn what_is_too_long_says_that_it_goes_on() {
        for (text, shown) in [("", ""), ("abc", "abc"), ("äöü", "äöü"), ("abcd", "ab\u{2026}"), ("äöüß", "äö\u{2026}")]
        {
            assert_eq!(shortened(text, 3), shown);
        }
    }
}
