//! Just enough XML to compare answers: elements with text or with elements.

use serde_json::{Map, Value as Json};

/// The tree of a document: an element with elements is an object, one with text a string; elements of the same name next
/// to each other are an array.
pub fn tree(document: &str) -> Json {
    let start = document.find("?>").map_or(0, |at| at + 2);
    let mut rest = &document[start..];
    let (name, inside) = element(&mut rest);
    assert!(rest.trim().is_empty(), "text after the root: {rest}");
    let mut root = Map::new();
    root.insert(name, inside);
    Json::Object(root)
}

fn element(rest: &mut &str) -> (String, Json) {
    let open = rest.strip_prefix('<').unwrap_or_else(|| panic!("an element expected: {rest:.40}"));
    let (tag, after) = open.split_once('>').expect("a tag");
    *rest = after;
    if let Some(empty) = tag.strip_suffix('/') {
        return (empty.trim().to_owned(), Json::String(String::new()));
    }
    let name = tag.split(' ').next().unwrap_or_default().to_owned();
    let close = format!("</{name}>");
    if !rest.starts_with('<') || rest.starts_with(&close) {
        let (text, after) = rest.split_once(&close).expect("the end of the element");
        *rest = after;
        return (name, Json::String(unescape(text)));
    }
    let mut fields: Map<String, Json> = Map::new();
    while !rest.starts_with(&close) {
        let (child, inside) = element(rest);
        match fields.get_mut(&child) {
            None => {
                fields.insert(child, inside);
            }
            Some(Json::Array(items)) => items.push(inside),
            Some(one) => *one = Json::Array(vec![one.take(), inside]),
        }
    }
    *rest = &rest[close.len()..];
    (name, Json::Object(fields))
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&apos;", "'").replace("&amp;", "&")
}
