//! The XML of an answer (`contract/api-protocol.md 4.3`).
//!
//! Two habits of CloudStack are not copied because they make documents that no parser reads or that carry somebody
//! else's markup: texts inside lists are escaped here, and characters that XML forbids become U+FFFD.

use super::node::{Node, java_double, write_int};

/// What every document begins with.
pub const HEADER: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

/// Appends `<name>...</name>` for a value. Lists repeat the element for each member; an empty list prints nothing.
pub fn write_element(name: &str, node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::List(items) => {
            for item in items {
                write_element(name, item, out);
            }
        }
        Node::Json(text) => {
            let parsed = serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
            write_element(name, &Node::from_json(&parsed), out);
        }
        _ => {
            open(name, out);
            write_inside(node, out);
            close(name, out);
        }
    }
}

/// Appends what stands between the tags: the escaped text of a scalar, the fields of an object.
pub fn write_inside(node: &Node, out: &mut Vec<u8>) {
    match node {
        Node::Text(text) => write_text(text, out),
        Node::Int(number) => write_int(*number, out),
        Node::Float(number) => out.extend_from_slice(java_double(*number).as_bytes()),
        Node::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        Node::Object(fields) => {
            for (name, value) in fields {
                write_element(name, value, out);
            }
        }
        Node::Map(fields) => {
            out.push(b'{');
            for (at, (name, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.extend_from_slice(b", ");
                }
                write_text(name, out);
                out.push(b'=');
                write_inside(value, out);
            }
            out.push(b'}');
        }
        Node::List(items) => {
            for item in items {
                write_inside(item, out);
            }
        }
        Node::Json(text) => {
            let parsed = serde_json::from_str(text).unwrap_or(serde_json::Value::Null);
            write_inside(&Node::from_json(&parsed), out);
        }
        Node::Written(text) => out.extend_from_slice(text.as_bytes()),
    }
}

/// Appends the opening tag.
pub fn open(name: &str, out: &mut Vec<u8>) {
    out.push(b'<');
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

/// Appends the closing tag.
pub fn close(name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"</");
    out.extend_from_slice(name.as_bytes());
    out.push(b'>');
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    for letter in text.chars() {
        let replacement = match letter {
            '"' => "&quot;",
            '\'' => "&apos;",
            '<' => "&lt;",
            '>' => "&gt;",
            '&' => "&amp;",
            '\t' | '\n' | '\r' => letter.encode_utf8(&mut buffer),
            '\0'..' ' | '\u{fffe}' | '\u{ffff}' => "\u{fffd}",
            _ => letter.encode_utf8(&mut buffer),
        };
        out.extend_from_slice(replacement.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn xml(name: &str, node: &Node) -> String {
        let mut out = Vec::new();
        write_element(name, node, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn scalars_are_escaped_and_lists_repeat_their_element() {
        let tree = Node::Object(vec![
            ("a".into(), Node::from("<\"'&>ö\u{1}".to_owned())),
            ("tags".into(), Node::List(vec!["x&".into(), "y".into()])),
            ("none".into(), Node::List(vec![])),
            ("m".into(), Node::Map(vec![("k".into(), "v".into()), ("l".into(), Node::Int(2))])),
        ]);
        assert_eq!(
            xml("o", &tree),
            "<o><a>&lt;&quot;&apos;&amp;&gt;ö\u{fffd}</a><tags>x&amp;</tags><tags>y</tags><m>{k=v, l=2}</m></o>"
        );
    }

    #[test]
    fn stored_json_becomes_elements() {
        let tree = Node::Json(r#"{"volume":{"id":"1","n":2,"tags":[]}}"#.into());
        assert_eq!(xml("jobresult", &tree), "<jobresult><volume><id>1</id><n>2</n></volume></jobresult>");
    }
}
