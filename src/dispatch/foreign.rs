//! What the management server has written, as far as the gateway has to understand it.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::{Format, Node};

/// Who has logged in, from the answer to `login` (`contract/api-protocol.md 3.2`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ForeignLogin {
    /// The public id of the user.
    pub(super) user_uuid: String,
    /// Whether a second factor has to be shown yet.
    pub(super) awaits_factor: bool,
}

/// Reads the answer to a login, JSON or XML.
pub(super) fn login_of(body: &[u8]) -> Option<ForeignLogin> {
    let text = std::str::from_utf8(body).ok()?;
    let (user, verified) = if text.starts_with('{') {
        let document: serde_json::Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| Some(document.get("loginresponse")?.get(name)?.as_str()?.to_owned());
        (field("userid"), field("is2faverified"))
    } else {
        let field = |name: &str| element(text, name).map(|(inside, _)| inside.to_owned());
        (field("userid"), field("is2faverified"))
    };
    // Before it knew second factors (4.18), CloudStack said nothing about them.
    Some(ForeignLogin { user_uuid: user?, awaits_factor: verified.as_deref() == Some("false") })
}

/// The envelope of the answer to a second factor.
const OF_THE_FACTOR: &str = "validateusertwofactorauthenticationcoderesponse";

/// Whether an answer says that a second factor was right, JSON or XML (`contract/api-protocol.md 3.7`). Nothing else does: CloudStack
/// answers `200` with an empty body to what it has not understood.
pub(super) fn says_factor_was_right(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    if text.starts_with('{') {
        let document: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
        let success = document.get(OF_THE_FACTOR).and_then(|inside| inside.get("success"));
        return success.is_some_and(|said| said.as_bool() == Some(true) || said.as_str() == Some("true"));
    }
    let root = text.split_once("?>").map_or(text, |(_, root)| root).trim_start();
    let inside = root.strip_prefix('<').and_then(|root| root.strip_prefix(OF_THE_FACTOR));
    // What may follow the name are the attributes of the element.
    let inside = inside.filter(|rest| rest.starts_with(['>', ' '])).and_then(|rest| rest.split_once('>'));
    inside.is_some_and(|(_, inside)| inside.starts_with("<success>true</success>"))
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow, rename = "listapisresponse")]
    inside: Entries<'a>,
}

#[derive(Deserialize)]
struct Entries<'a> {
    #[serde(borrow, default)]
    api: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// The entries of an answer to `listApis`, as they were written, but for those whose name is `known`
/// (`contract/api-protocol.md 8.1`). `None` when the answer cannot be read.
pub(super) fn commands_of(body: &[u8], format: Format, known: impl Fn(&str) -> bool) -> Option<Vec<Node>> {
    match format {
        Format::Json => {
            // CloudStack prints control characters as they are (`contract/api-protocol.md 4.2`), which no JSON may have.
            let clean: Vec<u8> = body.iter().map(|byte| if *byte < b' ' { b' ' } else { *byte }).collect();
            let listing: Listing<'_> = serde_json::from_slice(&clean).ok()?;
            let mut nodes = Vec::with_capacity(listing.inside.api.len());
            for entry in listing.inside.api {
                let named: Named<'_> = serde_json::from_str(entry.get()).ok()?;
                if !known(&named.name) {
                    nodes.push(Node::Written(entry.get().into()));
                }
            }
            Some(nodes)
        }
        Format::Xml => {
            let text = std::str::from_utf8(body).ok()?;
            let (_, mut rest) = text.split_once("<listapisresponse")?;
            let mut nodes = Vec::new();
            while let Some((entry, behind)) = element(rest, "api") {
                rest = behind;
                let (name, _) = element(entry, "name")?;
                if !known(name) {
                    nodes.push(Node::Written(entry.into()));
                }
            }
            Some(nodes)
        }
    }
}

/// What stands in the first element of this name, and what follows it. The name must not occur within itself, as none does
/// that is asked for here.
fn element<'a>(text: &'a str, name: &str) -> Option<(&'a str, &'a str)> {
    let (_, inside) = text.split_once(&format!("<{name}>"))?;
    inside.split_once(&format!("</{name}>"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logins() {
        let json =
            br#"{"loginresponse":{"username":"a","userid":"u-1","is2faenabled":"true","is2faverified":"false"}}"#;
        let xml = b"<?xml version=\"1.0\"?><loginresponse><username>a</username><userid>u-1</userid></loginresponse>";
        let login = |awaits_factor| ForeignLogin { user_uuid: "u-1".to_owned(), awaits_factor };
        assert_eq!(login_of(json), Some(login(true)));
        assert_eq!(login_of(xml), Some(login(false)));
        assert_eq!(login_of(b"{\"loginresponse\":{}}"), None);
        assert_eq!(login_of(b"<h1>Bad</h1>"), None);
    }

    #[test]
    fn second_factors() {
        let envelope = OF_THE_FACTOR;
        for right in [
            format!(r#"{{"{envelope}":{{"success":true}}}}"#),
            format!(r#"{{"{envelope}":{{"success":"true"}}}}"#),
            format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{envelope}><success>true</success></{envelope}>"),
            format!("<{envelope} cloud-stack-version=\"4\"><success>true</success></{envelope}>"),
        ] {
            assert!(says_factor_was_right(right.as_bytes()), "{right}");
        }
        for other in [
            String::new(),
            "{}".to_owned(),
            "{".to_owned(),
            r#"{"errorresponse":{"success":true}}"#.to_owned(),
            format!(r#"{{"{envelope}":{{"success":false}}}}"#),
            format!(r#"{{"{envelope}":{{"errorcode":511}}}}"#),
            "<errorresponse><success>true</success></errorresponse>".to_owned(),
            format!("<{envelope}s><success>true</success></{envelope}s>"),
            format!("<{envelope}><errortext><success>true</success></errortext></{envelope}>"),
            format!("<{envelope}><success>false</success></{envelope}>"),
        ] {
            assert!(!says_factor_was_right(other.as_bytes()), "{other}");
        }
    }

    fn texts(nodes: &[Node]) -> Vec<String> {
        let text = |node: &Node| match node {
            Node::Written(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        nodes.iter().map(text).collect()
    }

    #[test]
    fn entries_stay_as_they_were_written() {
        let json = b"{\"listapisresponse\":{\"count\":2,\"api\":[{\"name\":\"mine\"},{\"name\":\"b\",\"description\":\"x\x01y\",\"response\":[{},{}]}]}}";
        let nodes = commands_of(json, Format::Json, |name| name == "mine").unwrap();
        assert_eq!(texts(&nodes), ["{\"name\":\"b\",\"description\":\"x y\",\"response\":[{},{}]}"]);
        let xml = b"<?xml version=\"1.0\"?><listapisresponse cloud-stack-version=\"4\"><count>2</count><api><name>mine</name></api><api><name>b</name><params><name>c</name></params></api></listapisresponse>";
        let nodes = commands_of(xml, Format::Xml, |name| name == "mine").unwrap();
        assert_eq!(texts(&nodes), ["<name>b</name><params><name>c</name></params>"]);
    }

    #[test]
    fn an_empty_list_is_one_and_a_page_is_none() {
        let nobody = |_: &str| false;
        assert_eq!(commands_of(b"{\"listapisresponse\":{}}", Format::Json, nobody), Some(Vec::new()));
        assert_eq!(commands_of(b"{\"listapisresponse\":{\"api\":[{}]}}", Format::Json, nobody), None);
        assert_eq!(commands_of(b"<h1>Bad</h1>", Format::Json, nobody), None);
        assert_eq!(commands_of(b"<h1>Bad</h1>", Format::Xml, nobody), None);
    }
}
