//! The tree that an answer is made of, and its JSON (`contract/api-protocol.md 4.2`).

use std::borrow::Cow;
use std::sync::Arc;

/// The name of a field. Nearly all are known when the program is built.
pub type Name = Cow<'static, str>;

/// A value in an answer. What is absent is simply not put into the tree: nothing is ever printed as `null`.
#[derive(Debug, Clone, PartialEq)]
pub enum Node {
    /// Text.
    Text(Cow<'static, str>),
    /// A whole number.
    Int(i64),
    /// A fraction, printed as Java prints a double.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// Values of one kind.
    List(Vec<Node>),
    /// Fields in the order they are printed.
    Object(Vec<(Name, Node)>),
    /// Free names with values. JSON prints it like an object, XML on one line.
    Map(Vec<(Name, Node)>),
    /// JSON that was written earlier, such as the stored result of a job.
    Json(Arc<str>),
    /// What another server has written in the format of this answer: an object in JSON, what stands between two tags in XML.
    /// It is printed as it is.
    Written(Arc<str>),
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<&'static str> for Node {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<i64> for Node {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl Node {
    /// An object with one field, as `{"volume":{...}}`.
    pub fn wrap(name: impl Into<Name>, inner: Node) -> Self {
        Self::Object(vec![(name.into(), inner)])
    }

    /// The value of a field of an object.
    pub fn field(&self, name: &str) -> Option<&Node> {
        match self {
            Self::Object(fields) | Self::Map(fields) => {
                fields.iter().find(|(known, _)| known == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// Appends the JSON of this tree to `out`, without any blank.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Text(text) => write_json_text(text, out),
            Self::Int(number) => write_int(*number, out),
            Self::Float(number) => out.extend_from_slice(java_double(*number).as_bytes()),
            Self::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Self::List(items) => write_json_list(items, out),
            Self::Object(fields) | Self::Map(fields) => {
                out.push(b'{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_json_name(name, out);
                    value.write_json(out);
                }
                out.push(b'}');
            }
            Self::Json(text) | Self::Written(text) => out.extend_from_slice(text.as_bytes()),
        }
    }

    /// The JSON of this tree as text.
    pub fn to_json(&self) -> String {
        let mut out = Vec::new();
        self.write_json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The tree of a JSON value. `null` has no place in an answer and becomes an empty text.
    pub fn from_json(value: &serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Text("".into()),
            serde_json::Value::Bool(value) => Self::Bool(*value),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Self::Int(number),
                None => Self::Float(number.as_f64().unwrap_or_default()),
            },
            serde_json::Value::String(text) => Self::Text(text.clone().into()),
            serde_json::Value::Array(items) => Self::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(fields) => {
                Self::Object(fields.iter().map(|(name, value)| (name.clone().into(), Self::from_json(value))).collect())
            }
        }
    }
}

/// Appends the name of a field and what stands behind it. Those that are known when the program is built need no look for letters
/// that would have to be escaped.
fn write_json_name(name: &Name, out: &mut Vec<u8>) {
    match name {
        Name::Borrowed(name) => {
            out.push(b'"');
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(b"\":");
        }
        Name::Owned(name) => {
            write_json_text(name, out);
            out.push(b':');
        }
    }
}

/// Appends digits without making a string first: lists print thousands of numbers.
pub(super) fn write_int(number: i64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut rest = number.unsigned_abs();
    loop {
        at -= 1;
        digits[at] = b'0' + u8::try_from(rest % 10).unwrap_or_default();
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a JSON array.
pub(super) fn write_json_list(items: &[Node], out: &mut Vec<u8>) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        item.write_json(out);
    }
    out.push(b']');
}

/// Appends a JSON string. `<`, `>`, `&`, `'`, `/` and everything beyond ASCII stay as they are.
///
/// CloudStack prints the remaining control characters raw, which no JSON parser accepts; here they are escaped.
pub fn write_json_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    // Nearly every text is written as it is, which is seen many letters at a time.
    if !bytes.iter().fold(false, |found, byte| found | (*byte < 0x20) | matches!(byte, b'"' | b'\\')) {
        out.extend_from_slice(bytes);
        out.push(b'"');
        return;
    }
    let mut clean_from = 0;
    for (at, byte) in bytes.iter().enumerate() {
        let short = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            0x08 => b'b',
            0x0c => b'f',
            0x00..0x20 => b'u',
            _ => continue,
        };
        out.extend_from_slice(&bytes[clean_from..at]);
        clean_from = at + 1;
        out.extend_from_slice(&[b'\\', short]);
        if short == b'u' {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            out.extend_from_slice(&[b'0', b'0', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    out.extend_from_slice(&bytes[clean_from..]);
    out.push(b'"');
}

/// A fraction as Java's `Double.toString` prints it: `1.0`, `0.1`, `1.0E20`, `1.0E-8`.
///
/// Numbers that JSON does not know (infinite, not a number) print as `0.0`.
pub fn java_double(number: f64) -> String {
    if !number.is_finite() {
        return "0.0".to_owned();
    }
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format!("{number:?}");
    }
    let text = format!("{number:e}");
    match text.split_once('e') {
        Some((mantissa, exponent)) if !mantissa.contains('.') => format!("{mantissa}.0E{exponent}"),
        Some((mantissa, exponent)) => format!("{mantissa}E{exponent}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_blanks_and_keeps_the_order() {
        let tree = Node::Object(vec![
            ("z".into(), Node::Int(-9_223_372_036_854_775_808)),
            ("a".into(), Node::List(vec![Node::Bool(true), Node::Float(0.5)])),
            ("m".into(), Node::Map(vec![("k".into(), "v".into())])),
            ("r".into(), Node::Json("{\"x\":1}".into())),
            ("e".into(), Node::List(vec![])),
        ]);
        assert_eq!(tree.to_json(), r#"{"z":-9223372036854775808,"a":[true,0.5],"m":{"k":"v"},"r":{"x":1},"e":[]}"#);
    }

    #[test]
    fn text_is_escaped_only_where_json_needs_it() {
        assert_eq!(Node::from("<b>&'=/ö😀".to_owned()).to_json(), "\"<b>&'=/ö😀\"");
        assert_eq!(
            Node::from("\"\\\t\r\n\u{8}\u{c}\u{1}\u{1f}".to_owned()).to_json(),
            r#""\"\\\t\r\n\b\f\u0001\u001f""#
        );
    }

    #[test]
    fn doubles_print_as_in_java() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e20, "1.0E20"),
            (1e-8, "1.0E-8"),
            (1.5e7, "1.5E7"),
            (123_456.75, "123456.75"),
            (0.0, "0.0"),
        ] {
            assert_eq!(java_double(number), text);
        }
    }
}
