//! How each client encodes and signs awkward values, written anew from `contract/clients.md` 0.1, 0.2 and 1 to 9, and what
//! the gateway says to it. Nothing here uses the gateway's own encoders; only the HMAC is shared.

use stackmotion::auth::dialect::{Dialect, verify};
use stackmotion::auth::signature::{sign, string_to_sign};
use stackmotion::http::parse_pairs;
use stackmotion::model::Timestamp;

use super::sessions::login;
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::World;

/// How a text is encoded: what stays, and what a blank becomes.
#[derive(Clone, Copy)]
struct Encoding {
    bare: &'static str,
    blank: &'static str,
}

impl Encoding {
    fn of(self, text: &str) -> String {
        let encoded = |byte: u8| match byte {
            b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(byte).to_string(),
            b' ' => self.blank.to_owned(),
            _ if self.bare.bytes().any(|bare| bare == byte) => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        };
        text.bytes().map(encoded).collect()
    }
}

/// Python 2's `quote_plus`, which knew no bare tilde.
const PYTHON_2: Encoding = Encoding { bare: "_.-", blank: "+" };
/// Python 3's `quote_plus`.
const PYTHON_3: Encoding = Encoding { bare: "_.-~", blank: "+" };
/// What Python clients sign: `quote` with `*` kept.
const PYTHON_3_SIGNED: Encoding = Encoding { bare: "_.-~*", blank: "%20" };
/// What Go clients sign, and cmk sends.
const GO_SIGNED: Encoding = Encoding { bare: "_.-~*", blank: "%20" };
/// A form of Go's `url.Values`.
const GO_FORM: Encoding = Encoding { bare: "_.-~", blank: "+" };
/// What libcloud signs.
const LIBCLOUD_SIGNED: Encoding = Encoding { bare: "_.-~*[]", blank: "%20" };
/// Java's `URLEncoder` with `%20`.
const JAVA: Encoding = Encoding { bare: "_.-*", blank: "%20" };

/// Where the parameters travel.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Get,
    Form,
    /// POST with everything in the query and no body.
    EmptyPost,
}

/// How a client signs and sends.
struct Client {
    name: &'static str,
    signed: Encoding,
    sent: Encoding,
    /// Whether names lose their capitals before they are sorted.
    lower_first: bool,
    way: Way,
    /// The names and the zone of the time limit.
    expires: Option<(&'static str, &'static str)>,
}

const CLIENTS: &[Client] = &[
    Client {
        name: "legacy cloudmonkey",
        signed: Encoding { bare: "_.-*", blank: "%20" },
        sent: PYTHON_2,
        lower_first: true,
        way: Way::Get,
        expires: Some(("signatureversion", "+0000")),
    },
    Client { name: "cmk", signed: GO_SIGNED, sent: GO_SIGNED, lower_first: false, way: Way::Get, expires: None },
    Client {
        name: "cloudstack-go, GET",
        signed: GO_SIGNED,
        sent: GO_SIGNED,
        lower_first: false,
        way: Way::Get,
        expires: Some(("signatureversion", "Z")),
    },
    Client {
        name: "cloudstack-go, POST",
        signed: GO_SIGNED,
        sent: GO_FORM,
        lower_first: false,
        way: Way::Form,
        expires: Some(("signatureversion", "Z")),
    },
    Client { name: "Marvin", signed: PYTHON_3_SIGNED, sent: PYTHON_3, lower_first: true, way: Way::Get, expires: None },
    Client {
        name: "cs",
        signed: PYTHON_3_SIGNED,
        sent: PYTHON_3,
        lower_first: false,
        way: Way::Get,
        expires: Some(("signatureVersion", "+0000")),
    },
    Client {
        name: "cs, POST",
        signed: PYTHON_3_SIGNED,
        sent: PYTHON_3,
        lower_first: false,
        way: Way::Form,
        expires: Some(("signatureVersion", "+0000")),
    },
    Client {
        name: "libcloud",
        signed: LIBCLOUD_SIGNED,
        sent: PYTHON_3,
        lower_first: false,
        way: Way::Get,
        expires: None,
    },
    Client {
        name: "libcloud, POST",
        signed: LIBCLOUD_SIGNED,
        sent: PYTHON_3,
        lower_first: false,
        way: Way::EmptyPost,
        expires: None,
    },
    Client {
        name: "Java",
        signed: JAVA,
        sent: JAVA,
        lower_first: false,
        way: Way::Get,
        expires: Some(("signatureVersion", "+0000")),
    },
];

/// Values, and the dialects in which they are signed by those who leave `~` bare and by libcloud.
const VALUES: &[(&str, Dialect, Dialect)] = &[
    ("web 01", Dialect::CloudStack, Dialect::CloudStack),
    ("a+b", Dialect::CloudStack, Dialect::CloudStack),
    ("a*b", Dialect::CloudStack, Dialect::CloudStack),
    ("/:@,;'()!$\"<>", Dialect::CloudStack, Dialect::CloudStack),
    ("a&b=c%d", Dialect::CloudStack, Dialect::CloudStack),
    ("Gr\u{f6}\u{df}e \u{65e5}\u{672c} \u{1f600} \u{c9}", Dialect::CloudStack, Dialect::CloudStack),
    ("", Dialect::CloudStack, Dialect::CloudStack),
    ("a~b", Dialect::TildeBare, Dialect::TildeBare),
    ("[x]", Dialect::CloudStack, Dialect::TildeAndBracketsBare),
    ("~[ +*\u{e9}]~", Dialect::TildeBare, Dialect::TildeAndBracketsBare),
];

impl Client {
    fn request(&self, value: &str) -> RawRequest {
        let mut pairs = vec![
            ("command".to_owned(), "listZones".to_owned()),
            ("note".to_owned(), value.to_owned()),
            ("apiKey".to_owned(), "key-admin".to_owned()),
            ("response".to_owned(), "json".to_owned()),
        ];
        if let Some((version, zone)) = self.expires {
            let until = Timestamp::from_unix(Timestamp::now().unix() + 600).unwrap().wire();
            pairs.push((version.to_owned(), "3".to_owned()));
            pairs.push(("expires".to_owned(), until.replace("+0000", zone)));
        }
        let mut sorted = pairs.clone();
        sorted.sort_by_key(|(name, _)| if self.lower_first { name.to_lowercase() } else { name.clone() });
        let items: Vec<_> = sorted.iter().map(|(name, value)| format!("{name}={}", self.signed.of(value))).collect();
        pairs.push(("signature".to_owned(), sign("secret-admin", &items.join("&").to_lowercase())));
        let items: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={}", self.sent.of(value))).collect();
        let text = items.join("&");
        match self.way {
            Way::Get => RawRequest::get(format!("/client/api?{text}")),
            Way::Form => RawRequest::form("/client/api", text),
            Way::EmptyPost => {
                RawRequest { method: "POST".to_owned(), ..RawRequest::get(format!("/client/api?{text}")) }
            }
        }
    }
}

/// What the gateway reads of a request.
fn read(request: &RawRequest) -> Vec<(String, String)> {
    match request.target.split_once('?') {
        Some((_, query)) => parse_pairs(query.as_bytes()).unwrap(),
        None => parse_pairs(&request.body).unwrap(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_client_may_send_every_value() {
    let world = World::start().await;
    for client in CLIENTS {
        for (value, tilde, libcloud) in VALUES {
            let expected = match client.name {
                "Java" | "legacy cloudmonkey" => Dialect::CloudStack,
                name if name.starts_with("libcloud") => *libcloud,
                _ => *tilde,
            };
            let request = client.request(value);
            let pairs = read(&request);
            let borrowed = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let find = |wanted: &str| pairs.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
            assert_eq!(find("note"), Some(*value), "{}", client.name);
            let found = verify("secret-admin", borrowed, find("signature").unwrap());
            assert_eq!(found, Some(expected), "{}: {value}", client.name);
            let answer = request.send(world.address).await;
            assert_eq!(answer.status, 200, "{}: {value}: {}", client.name, answer.body);

            // Another value under the same signature is another request, whatever it has in common with the first.
            for other in ["x", "a%7eb", "a~~b", "[x", "%5bx%5d"] {
                let others = pairs.iter().map(|(name, value)| {
                    let value = if name == "note" { other } else { value };
                    (name.clone(), value.to_owned())
                });
                let others: Vec<_> = others.collect();
                let answer = RawRequest::form("/client/api", escape_pairs(&others)).send(world.address).await;
                assert_eq!(answer.status, 401, "{}: {value} sent as {other}", client.name);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_web_ui_signs_nothing_and_may_send_every_value() {
    let world = World::start().await;
    let session = login(&world, "admin").await;
    // As axios writes it: `: , [ ] ~ * ' ( )` stay bare in a query.
    let axios = Encoding { bare: "_.-:,[]~*'()$@!", blank: "+" };
    for (value, _, _) in VALUES {
        for is_form in [false, true] {
            let text = format!(
                "command=listZones&response=json&note={}&a%26b%3D=1&sessionkey={}",
                axios.of(value),
                PYTHON_3.of(&session.key)
            );
            let mut request = match is_form {
                false => RawRequest::get(format!("/client/api/?{text}")),
                true => RawRequest::form("/client/api/", text),
            };
            request.headers.push(session.cookies());
            let answer = request.send(world.address).await;
            assert_eq!(answer.status, 200, "{value}: {}", answer.body);
        }
    }
}

/// The sentence that every refused signature gets, whatever the reason.
fn is_plain_refusal(answer: &RawResponse, command: &str) -> bool {
    let text = format!(
        r#"{{"{command}response":{{"uuidList":[],"errorcode":401,"errortext":"unable to verify user credentials and/or request signature"}}}}"#
    );
    answer.status == 401 && answer.body == text && answer.header("x-description").is_none()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_parameters_cannot_be_sent_as_one() {
    let world = World::start().await;
    let text = "apikey=key-admin&command=listzones&id=1746ef10-8fa6-40c1-9c82-c3956bf75db8&response=json";
    let signature = PYTHON_3.of(&sign("secret-admin", text));
    let send = async |query: &str| {
        RawRequest::get(format!("/client/api?{query}&signature={signature}")).send(world.address).await
    };
    let id = "1746ef10-8fa6-40c1-9c82-c3956bf75db8";
    let honest = send(&format!("command=listZones&response=json&apiKey=key-admin&id={id}")).await;
    assert!(!is_plain_refusal(&honest, "listzones"), "the signature is right: {}", honest.body);
    // The same signed text, but the list would not be narrowed to one zone any more.
    let merged = format!("apiKey=key-admin&command=listZones&id%3D{id}%26response=json");
    let pairs = parse_pairs(merged.as_bytes()).unwrap();
    assert_eq!(string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))), text);
    assert_eq!(send(&merged).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_make_a_text_ambiguous_are_refused_even_when_signed() {
    let world = World::start().await;
    for name in ["a&b", "a=b", "&", "=", "\u{212a}eyword"] {
        let answer = world.get("admin", &[("command", "listZones"), ("response", "json"), (name, "1")]).await;
        assert!(is_plain_refusal(&answer, "listzones"), "{name}: {}", answer.body);
    }
    for name in ["", "a%26b", "a[0].b", "\u{e9}"] {
        let answer = world.get("admin", &[("command", "listZones"), ("response", "json"), (name, "1")]).await;
        assert_ne!(answer.status, 401, "{name}: {}", answer.body);
    }
}
