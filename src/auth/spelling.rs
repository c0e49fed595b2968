//! How a text that is signed is written: CloudStack's way (`contract/api-protocol.md 2.1`), and those of clients that
//! get it nearly right.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::signature::is_signed;

/// What becomes of the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// They stand as they are and decide the order as they are.
    AsTheyAre,
    /// They are lower-cased before they decide the order.
    LowerCased,
    /// They are percent-encoded.
    Encoded,
}

/// What becomes of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    /// They are percent-encoded.
    Encoded,
    /// They are lower-cased and then percent-encoded, which differs beyond ASCII.
    LowerCased,
    /// They stand as they are.
    AsTheyAre,
}

/// In which order the parameters stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// By name.
    Names,
    /// By name and value as one text, which differs where a name is the beginning of another.
    Items,
    /// As they were sent.
    AsSent,
}

/// How the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spelling {
    /// Signs of values that stay as they are, beside letters, digits and `.-_`.
    pub(super) bare: &'static [u8],
    /// What stands for a blank in a value.
    pub(super) blank: &'static str,
    pub(super) names: Names,
    pub(super) values: Values,
    pub(super) order: Order,
    /// Whether the whole text is lower-cased in the end.
    pub(super) is_lower_cased: bool,
}

impl Spelling {
    /// Java's form encoding with `%20` for a blank, sorted by name, lower-cased in the end.
    pub(super) const CLOUDSTACK: Self = Self {
        bare: b"*",
        blank: "%20",
        names: Names::AsTheyAre,
        values: Values::Encoded,
        order: Order::Names,
        is_lower_cased: true,
    };

    /// The text of these parameters, without the signature itself.
    pub(super) fn text<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        let mut sorted: Vec<_> = pairs
            .into_iter()
            .filter(|(name, _)| is_signed(name))
            .map(|(name, value)| (self.name(name), self.value(value)))
            .collect();
        match self.order {
            Order::Names => sorted.sort_by(|a, b| utf16_order(&a.0, &b.0)),
            Order::Items => sorted.sort_by_cached_key(|(name, value)| {
                let mut item = String::new();
                self.item(name, value, &mut item);
                item.to_lowercase()
            }),
            Order::AsSent => {}
        }
        let mut text = String::with_capacity(sorted.iter().map(|(name, value)| name.len() + value.len() + 8).sum());
        for (at, (name, value)) in sorted.iter().enumerate() {
            if at > 0 {
                text.push('&');
            }
            self.item(name, value, &mut text);
        }
        if !self.is_lower_cased {
            return text;
        }
        if text.is_ascii() {
            text.make_ascii_lowercase();
            text
        } else {
            text.to_lowercase()
        }
    }

    fn name(self, name: &str) -> Cow<'_, str> {
        match self.names {
            Names::AsTheyAre => Cow::Borrowed(name),
            Names::LowerCased => Cow::Owned(name.to_lowercase()),
            Names::Encoded => {
                let mut encoded = String::new();
                encode(name, b"", "%20", &mut encoded);
                Cow::Owned(encoded)
            }
        }
    }

    fn value(self, value: &str) -> Cow<'_, str> {
        match self.values {
            Values::LowerCased => Cow::Owned(value.to_lowercase()),
            Values::Encoded | Values::AsTheyAre => Cow::Borrowed(value),
        }
    }

    fn item(self, name: &str, value: &str, out: &mut String) {
        out.push_str(name);
        out.push('=');
        match self.values {
            Values::AsTheyAre => out.push_str(value),
            Values::Encoded | Values::LowerCased => encode(value, self.bare, self.blank, out),
        }
    }
}

/// Percent-encodes everything but letters, digits, `.-_` and what is bare. Capital digits, as Java writes them: they
/// only show where a text is not lower-cased afterwards.
fn encode(text: &str, bare: &[u8], blank: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => out.push(char::from(byte)),
            b' ' => out.push_str(blank),
            _ if bare.contains(&byte) => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

/// Java compares text by UTF-16 units, which differs from byte order only beyond the basic plane.
pub(super) fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}
