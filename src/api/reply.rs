//! The envelope around an answer, in JSON and XML (`contract/api-protocol.md 4.1 and 4.5`).

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::error::ApiError;
use super::flow::{Flow, LongList};
use super::node::{Node, write_json_text};
use super::spec::{Response, Shape};
use super::xml;
use crate::model::signed;

crate::response! {
    /// Says that something was done.
    pub struct SuccessView as "success" {
        /// Always true: a failure is an error.
        success: bool,
        /// A word about it.
        display_text "displaytext": Option<String>,
    }
}

/// What a command answers with.
#[derive(Debug)]
pub enum Reply {
    /// One page of a list.
    List {
        /// The name of each object.
        object: &'static str,
        /// How many there are in all, not on this page. With 0 the answer is an empty object.
        count: i64,
        /// The page. When it is empty only the count is printed.
        items: Vec<Node>,
    },
    /// A list, complete from its first entry on, that is too long to be held. It is printed part by part.
    Long(LongList),
    /// One object under its name.
    One {
        /// The name of the object.
        object: &'static str,
        /// The object.
        node: Node,
    },
    /// The fields of this object directly under the envelope, as for a job or a plain success.
    Bare(Node),
    /// The same, printed once for all who ask.
    Shared(Arc<Shared>),
    /// An answer without an envelope, which is not printed by one either.
    Flow(Flow),
}

impl Reply {
    /// How the object stands in the envelope, if there is one.
    pub const fn shape(&self) -> Option<Shape> {
        match self {
            Self::List { .. } | Self::Long(_) => Some(Shape::List),
            Self::One { .. } => Some(Shape::One),
            Self::Bare(_) | Self::Shared(_) => Some(Shape::Bare),
            Self::Flow(_) => None,
        }
    }

    /// A list of views; `count` is the number of all matches.
    pub fn list<V: Response>(count: i64, views: impl IntoIterator<Item = V>) -> Self {
        Self::List { object: V::SPEC.object, count, items: views.into_iter().map(Response::into_node).collect() }
    }

    /// A list whose views are all that there are.
    pub fn all<V: Response>(views: impl IntoIterator<Item = V>) -> Self {
        let items: Vec<_> = views.into_iter().map(Response::into_node).collect();
        Self::List { object: V::SPEC.object, count: signed(items.len()), items }
    }

    /// One view under its object name.
    pub fn one<V: Response>(view: V) -> Self {
        Self::One { object: V::SPEC.object, node: view.into_node() }
    }

    /// The fields of a view without an object name.
    pub fn bare<V: Response>(view: V) -> Self {
        Self::Bare(view.into_node())
    }

    /// `{"success":true}`.
    pub fn success() -> Self {
        Self::bare(SuccessView { success: true, display_text: None })
    }

    /// `{"jobid":"..."}`.
    pub fn job(uuid: String) -> Self {
        Self::Bare(Node::wrap("jobid", uuid.into()))
    }
}

/// The fields of an object that is answered more than once by the same command to callers who are known: its body is printed
/// the first time it is asked for in a format. Thousands of them are held, so only what was printed is, without room to grow.
pub struct Shared {
    node: Box<dyn Fn() -> Node + Send + Sync>,
    json: OnceLock<Bytes>,
    xml: OnceLock<Bytes>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Shared").field("json", &self.json).field("xml", &self.xml).finish_non_exhaustive()
    }
}

impl Shared {
    /// The fields of a view without an object name. It is made for each format that is asked for.
    pub fn bare<V: Response>(view: impl Fn() -> V + Send + Sync + 'static) -> Self {
        Self { node: Box::new(move || view().into_node()), json: OnceLock::new(), xml: OnceLock::new() }
    }

    fn body(&self, envelope: &Envelope<'_>) -> Bytes {
        let body = match envelope.format {
            Format::Json => &self.json,
            Format::Xml => &self.xml,
        };
        let print = || {
            let printed = envelope.print(|format, out| self.write(format, out));
            printed.into_boxed_slice().into()
        };
        body.get_or_init(print).clone()
    }

    fn write(&self, format: Format, out: &mut Vec<u8>) {
        write_bare(&(self.node)(), format, out);
    }
}

/// JSON or XML.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `response=json` in any letter case.
    Json,
    /// Everything else.
    #[default]
    Xml,
}

impl Format {
    /// What the parameter `response` asks for.
    pub fn asked(response: Option<&str>) -> Self {
        match response {
            Some(word) if word.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Xml,
        }
    }

    /// Appends entries of a list. `are_first` says that no other entry stands before them.
    pub fn entries(self, object: &str, items: &[Node], are_first: bool, out: &mut Vec<u8>) {
        for (at, item) in items.iter().enumerate() {
            match self {
                Self::Json => {
                    if at > 0 || !are_first {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                Self::Xml => xml::write_element(object, item, out),
            }
        }
    }

    /// The content type on the wire.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

/// How an envelope is printed.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The name of the envelope, such as `listhostsresponse`.
    pub name: &'a str,
    /// JSON or XML.
    pub format: Format,
    /// The version shown in the root of an XML document; absent for callers that are not known.
    pub version: Option<&'a str>,
}

impl Envelope<'_> {
    /// The body of a successful answer.
    pub fn reply(&self, reply: &Reply) -> Bytes {
        if let Reply::Shared(shared) = reply {
            return shared.body(self);
        }
        let print = |format, out: &mut Vec<u8>| match format {
            Format::Json => write_json_reply(reply, out),
            Format::Xml => write_xml_reply(reply, out),
        };
        self.print(print).into()
    }

    /// What stands before the entries of a list that has some, and behind them.
    pub fn around(&self, object: &str, count: i64) -> (Vec<u8>, Vec<u8>) {
        let (mut before, mut behind) = (self.start(), Vec::new());
        match self.format {
            Format::Json => {
                open_json_list(object, count, &mut before);
                close_json_list(&mut behind);
            }
            Format::Xml => xml::write_element("count", &Node::Int(count), &mut before),
        }
        (before, self.end(behind))
    }

    /// The body of an error.
    pub fn error(&self, error: &ApiError) -> Bytes {
        let print = |format, out: &mut Vec<u8>| match format {
            Format::Json => json_error_node(error).write_json(out),
            Format::Xml => write_xml_error(error, out),
        };
        self.print(print).into()
    }

    fn print(&self, inside: impl FnOnce(Format, &mut Vec<u8>)) -> Vec<u8> {
        let mut out = self.start();
        inside(self.format, &mut out);
        self.end(out)
    }

    fn start(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        match self.format {
            Format::Json => {
                out.push(b'{');
                write_json_text(self.name, &mut out);
                out.push(b':');
            }
            Format::Xml => {
                out.extend_from_slice(xml::HEADER.as_bytes());
                out.push(b'<');
                out.extend_from_slice(self.name.as_bytes());
                if let Some(version) = self.version {
                    out.extend_from_slice(b" cloud-stack-version=\"");
                    out.extend_from_slice(version.as_bytes());
                    out.push(b'"');
                }
                out.push(b'>');
            }
        }
        out
    }

    fn end(&self, mut out: Vec<u8>) -> Vec<u8> {
        match self.format {
            Format::Json => out.push(b'}'),
            Format::Xml => xml::close(self.name, &mut out),
        }
        out
    }
}

fn write_json_reply(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::List { count: 0, .. } => out.extend_from_slice(b"{}"),
        Reply::List { count, items, .. } if items.is_empty() => {
            out.extend_from_slice(b"{\"count\":");
            super::node::write_int(*count, out);
            out.push(b'}');
        }
        Reply::List { object, count, items } => {
            open_json_list(object, *count, out);
            Format::Json.entries(object, items, true, out);
            close_json_list(out);
        }
        Reply::One { object, node } => {
            out.push(b'{');
            write_json_text(object, out);
            out.push(b':');
            node.write_json(out);
            out.push(b'}');
        }
        Reply::Bare(node) => write_bare(node, Format::Json, out),
        Reply::Shared(shared) => shared.write(Format::Json, out),
        Reply::Flow(_) | Reply::Long(_) => out.extend_from_slice(b"{}"),
    }
}

fn open_json_list(object: &str, count: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"count\":");
    super::node::write_int(count, out);
    out.push(b',');
    write_json_text(object, out);
    out.extend_from_slice(b":[");
}

fn close_json_list(out: &mut Vec<u8>) {
    out.extend_from_slice(b"]}");
}

fn write_xml_reply(reply: &Reply, out: &mut Vec<u8>) {
    match reply {
        Reply::List { count: 0, .. } => {}
        Reply::List { object, count, items } => {
            xml::write_element("count", &Node::Int(*count), out);
            Format::Xml.entries(object, items, true, out);
        }
        Reply::One { object, node } => xml::write_element(object, node, out),
        Reply::Bare(node) => write_bare(node, Format::Xml, out),
        Reply::Shared(shared) => shared.write(Format::Xml, out),
        Reply::Flow(_) | Reply::Long(_) => {}
    }
}

fn write_bare(node: &Node, format: Format, out: &mut Vec<u8>) {
    match format {
        Format::Json => node.write_json(out),
        Format::Xml => xml::write_inside(node, out),
    }
}

fn code_fields(error: &ApiError) -> Vec<(super::node::Name, Node)> {
    let mut fields = Vec::with_capacity(4);
    fields.push(("errorcode".into(), Node::Int(error.code.number().into())));
    if let Some(cs_code) = error.cs_code {
        fields.push(("cserrorcode".into(), Node::Int(cs_code.into())));
    }
    fields.push(("errortext".into(), error.text.clone().into()));
    fields
}

fn json_error_node(error: &ApiError) -> Node {
    let subjects = error
        .uuid_list
        .iter()
        .map(|subject| {
            Node::Object(vec![
                ("uuid".into(), subject.uuid.clone().into()),
                ("description".into(), subject.description.clone().into()),
            ])
        })
        .collect();
    let mut fields = vec![("uuidList".into(), Node::List(subjects))];
    fields.append(&mut code_fields(error));
    Node::Object(fields)
}

fn write_xml_error(error: &ApiError, out: &mut Vec<u8>) {
    if !error.uuid_list.is_empty() {
        xml::open("uuidList", out);
        for subject in &error.uuid_list {
            xml::write_element("uuid", &subject.uuid.clone().into(), out);
            xml::write_element("uuidProperty", &subject.description.clone().into(), out);
        }
        xml::close("uuidList", out);
    }
    xml::write_inside(&Node::Object(code_fields(error)), out);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(body: Bytes) -> String {
        String::from_utf8(body.into()).unwrap()
    }

    fn both(reply: &Reply) -> (String, String) {
        let print = |format| {
            let envelope = Envelope { name: "listhostsresponse", format, version: Some("4.23.0.0-SNAPSHOT") };
            text(envelope.reply(reply))
        };
        let xml = print(Format::Xml);
        let start =
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><listhostsresponse cloud-stack-version=\"4.23.0.0-SNAPSHOT\">";
        let inside = xml.strip_prefix(start).unwrap().strip_suffix("</listhostsresponse>").unwrap();
        (print(Format::Json), inside.to_owned())
    }

    fn host(name: &str) -> Node {
        Node::wrap("name", name.to_owned().into())
    }

    #[test]
    fn lists() {
        let full = Reply::List { object: "host", count: 7, items: vec![host("a"), host("b")] };
        assert_eq!(
            both(&full),
            (
                r#"{"listhostsresponse":{"count":7,"host":[{"name":"a"},{"name":"b"}]}}"#.to_owned(),
                "<count>7</count><host><name>a</name></host><host><name>b</name></host>".to_owned()
            )
        );
        let past_the_end = Reply::List { object: "host", count: 7, items: vec![] };
        assert_eq!(
            both(&past_the_end),
            (r#"{"listhostsresponse":{"count":7}}"#.to_owned(), "<count>7</count>".to_owned())
        );
        let empty = Reply::List { object: "host", count: 0, items: vec![] };
        assert_eq!(both(&empty), (r#"{"listhostsresponse":{}}"#.to_owned(), String::new()));
    }

    #[test]
    fn single_objects_and_bare_fields() {
        assert_eq!(
            both(&Reply::One { object: "host", node: host("a") }),
            (r#"{"listhostsresponse":{"host":{"name":"a"}}}"#.to_owned(), "<host><name>a</name></host>".to_owned())
        );
        assert_eq!(
            both(&Reply::success()),
            (r#"{"listhostsresponse":{"success":true}}"#.to_owned(), "<success>true</success>".to_owned())
        );
    }

    #[test]
    fn errors_have_their_fields_in_order() {
        let error = ApiError::invalid_parameter("a<b").about("u", "vmId");
        let print = |format| text(Envelope { name: "xresponse", format, version: None }.error(&error));
        assert_eq!(
            print(Format::Json),
            r#"{"xresponse":{"uuidList":[{"uuid":"u","description":"vmId"}],"errorcode":431,"cserrorcode":4350,"errortext":"a<b"}}"#
        );
        assert_eq!(
            print(Format::Xml),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><xresponse><uuidList><uuid>u</uuid><uuidProperty>vmId</uuidProperty></uuidList><errorcode>431</errorcode><cserrorcode>4350</cserrorcode><errortext>a&lt;b</errortext></xresponse>"
        );
    }

    #[test]
    fn refused_credentials_have_no_second_code() {
        let envelope = Envelope { name: "null", format: Format::Json, version: None };
        assert_eq!(
            text(envelope.error(&ApiError::bad_credentials())),
            r#"{"null":{"uuidList":[],"errorcode":401,"errortext":"unable to verify user credentials and/or request signature"}}"#
        );
    }
}
