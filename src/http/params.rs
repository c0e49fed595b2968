//! Parameters out of a query string and a form body (`contract/api-protocol.md 1.3`).

use std::collections::HashMap;

/// The most names a form body may have.
pub const MAX_FORM_NAMES: usize = 5000;

/// A `%` that is not followed by two hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a percent sign is not followed by two hexadecimal digits")]
pub struct MalformedEncoding;

/// Why the parameters of a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// The encoding is broken.
    #[error(transparent)]
    Encoding(#[from] MalformedEncoding),
    /// The body has too many names.
    #[error("the form has more than {MAX_FORM_NAMES} names")]
    TooMany,
}

/// Name and value of each item of `a=1&b=2`, decoded, in order. Bytes that are not UTF-8 become U+FFFD.
///
/// # Errors
/// When a percent sign is not followed by two digits.
pub fn parse_pairs(text: &[u8]) -> Result<Vec<(String, String)>, MalformedEncoding> {
    let mut pairs = Vec::new();
    for item in text.split(|byte| *byte == b'&').filter(|item| !item.is_empty()) {
        let (name, value) = match item.iter().position(|byte| *byte == b'=') {
            Some(at) => (&item[..at], &item[at + 1..]),
            None => (item, &b""[..]),
        };
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

/// All parameters of a request, each name once: the query beats the body, the last of a name wins in the query and the
/// first in the body.
///
/// # Errors
/// When an encoding is broken or the body has too many names.
pub fn merge(query: &[u8], body: &[u8]) -> Result<Vec<(String, String)>, MergeError> {
    let mut merged: Vec<(String, String)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (name, value) in parse_pairs(query)? {
        match places.get(&name) {
            Some(place) => merged[*place].1 = value,
            None => {
                places.insert(name.clone(), merged.len());
                merged.push((name, value));
            }
        }
    }
    let form = parse_pairs(body)?;
    let names_before = merged.len();
    for (name, value) in form {
        if places.contains_key(&name) {
            continue;
        }
        if merged.len() - names_before >= MAX_FORM_NAMES {
            return Err(MergeError::TooMany);
        }
        places.insert(name.clone(), merged.len());
        merged.push((name, value));
    }
    Ok(merged)
}

/// A path with its escapes resolved; none when an escape is broken or the bytes are not UTF-8. A `+` stays one.
pub(super) fn decode_path(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes().iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => hex(rest.next()).ok()? << 4 | hex(rest.next()).ok()?,
            other => *other,
        });
    }
    String::from_utf8(bytes).ok()
}

/// Whether a form with this content type reads the same as UTF-8 as it does in the charset that it names.
///
/// What is read here in another way than a management server behind the gateway reads it would let a request be one thing here and
/// another there. Clients that name a relative of ASCII send ASCII, which is the same in all three.
pub(super) fn reads_as_utf8(content_type: &str, form: &[u8]) -> bool {
    content_type.split(';').skip(1).map(str::to_ascii_lowercase).filter(|part| part.contains("charset")).all(|part| {
        let named = part.split_once('=').filter(|(name, _)| name.trim() == "charset");
        match named.map(|(_, charset)| charset.trim().trim_matches('"')) {
            Some("utf-8" | "utf8") => true,
            Some("us-ascii" | "iso-8859-1") => is_ascii(form),
            _ => false,
        }
    })
}

/// Whether a form has nothing beyond ASCII, as it is or escaped.
fn is_ascii(form: &[u8]) -> bool {
    let is_beyond = |pair: &[u8]| pair[0] == b'%' && matches!(pair[1], b'8' | b'9' | b'a'..=b'f' | b'A'..=b'F');
    form.is_ascii() && !form.windows(2).any(is_beyond)
}

fn decode(text: &[u8]) -> Result<String, MalformedEncoding> {
    if !text.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(String::from_utf8_lossy(text).into_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next())? << 4 | hex(rest.next())?,
            other => *other,
        });
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
    })
}

fn hex(digit: Option<&u8>) -> Result<u8, MalformedEncoding> {
    let value = digit.and_then(|digit| char::from(*digit).to_digit(16)).ok_or(MalformedEncoding)?;
    u8::try_from(value).map_err(|_| MalformedEncoding)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse_pairs(text.as_bytes()).unwrap()
    }

    fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn items() {
        assert_eq!(
            pairs("a=b=c&name&=value&x=%5B0%5d+%2B&&y="),
            owned(&[("a", "b=c"), ("name", ""), ("", "value"), ("x", "[0] +"), ("y", "")])
        );
        assert_eq!(pairs(""), []);
        assert_eq!(pairs("a=%ff%C3%BC"), owned(&[("a", "\u{fffd}ü")]));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for broken in ["a=%zz", "a=%", "a=%4", "%g0=1", "a=%+1"] {
            assert_eq!(parse_pairs(broken.as_bytes()), Err(MalformedEncoding), "{broken}");
        }
    }

    #[test]
    fn query_beats_body_and_repeats_have_a_winner() {
        assert_eq!(merge(b"a=1&b=2&a=3", b"b=9&c=4&c=5").unwrap(), owned(&[("a", "3"), ("b", "2"), ("c", "4")]));
    }

    #[test]
    fn a_form_has_at_most_5000_names() {
        let form = |names: usize| (0..names).map(|at| format!("n{at}=x")).collect::<Vec<_>>().join("&");
        assert_eq!(merge(b"command=x", form(5000).as_bytes()).unwrap().len(), 5001);
        assert_eq!(merge(b"command=x", form(5001).as_bytes()), Err(MergeError::TooMany));
    }

    #[test]
    fn charsets_of_forms() {
        let form = "application/x-www-form-urlencoded";
        for good in ["", ";", "; charset=UTF-8", ";charset=\"utf-8\"; x=y", "; Charset = utf8", "; charset=ISO-8859-1"]
        {
            assert!(reads_as_utf8(&format!("{form}{good}"), b"a=%7e&b=~"), "{good}");
        }
        for bad in [
            "; charset=utf-16",
            "; charset=\"UTF-16LE\"",
            "; charset = utf-16",
            "; charset=utf-8; charset=utf-16",
            "; x=\"y;charset=utf-16\"",
            "; charset=ibm037",
            "; charset=",
            "; charset",
        ] {
            assert!(!reads_as_utf8(&format!("{form}{bad}"), b"a=b"), "{bad}");
        }
        for beyond in ["a=\u{e9}", "a=%e9", "%C3%A9=b", "a=%8f"] {
            assert!(!reads_as_utf8("x; charset=iso-8859-1", beyond.as_bytes()), "{beyond}");
            assert!(reads_as_utf8("x; charset=utf-8", beyond.as_bytes()), "{beyond}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = merge(&bytes, &bytes);
        }

        #[test]
        fn what_was_encoded_comes_back(name in "\\PC{1,10}", value in "\\PC{0,20}") {
            let text = serde_urlencoded::to_string([(&name, &value)]).unwrap();
            prop_assert_eq!(pairs(&text), vec![(name, value)]);
        }
    }
}
