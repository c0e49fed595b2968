//! The recorded cases: reading them, sending them, comparing answers (`tests/golden/README.md`).

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use stackmotion::auth::signature;
use stackmotion::http::merge;
use stackmotion::model::Timestamp;

use super::raw_http::{RawRequest, RawResponse, escape_pairs};

type Pair = (String, String);

#[derive(Debug, Deserialize, Serialize)]
pub struct Case {
    pub name: String,
    #[serde(default)]
    pub container_sensitive: bool,
    pub exchanges: Vec<Exchange>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Exchange {
    pub request: Request,
    pub response: Expected,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub actor: Option<String>,
    #[serde(default)]
    pub auth: String,
    pub query: Option<Vec<Pair>>,
    pub body: Option<Vec<Pair>>,
    pub raw_query: Option<String>,
    pub raw_body: Option<String>,
    #[serde(default)]
    pub headers: Vec<Pair>,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Expected {
    pub status: u16,
    /// The words behind the status, where they were recorded.
    pub reason: Option<String>,
    pub headers: Vec<Pair>,
    pub body: Option<String>,
}

/// The text of a file below `tests/golden`.
pub fn text(file: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The cases of one area, such as `auth`.
pub fn cases(area: &str) -> Vec<Case> {
    serde_json::from_str(&text(&format!("{area}.json"))).unwrap()
}

impl Request {
    /// The command it names, wherever it stands.
    pub fn command(&self) -> Option<String> {
        let query = self.query.iter().chain(&self.body).flatten().find(|(name, _)| name == "command");
        let raw = || {
            let text = self.raw_query.as_deref().or(self.raw_body.as_deref())?;
            let pairs = merge(text.as_bytes(), b"").ok()?;
            pairs.into_iter().find(|(name, _)| name == "command").map(|(_, value)| value)
        };
        query.map(|(_, value)| value.clone()).or_else(raw)
    }

    /// Whether nothing of it comes from a longer story, such as a job of another case.
    pub fn stands_alone(&self) -> bool {
        let text = format!("{:?}{:?}{:?}{:?}", self.query, self.body, self.raw_query, self.raw_body);
        !text.contains("{{job") && !text.contains("{{new-volume")
    }

    /// The request as it goes over the wire; `None` when it speaks of something that only a longer story makes.
    pub fn ready(&self) -> Option<RawRequest> {
        let mut query = filled(self.query.as_deref().unwrap_or_default());
        let mut body = filled(self.body.as_deref().unwrap_or_default());
        let mut raw_query = self.raw_query.as_deref().map(fill).unwrap_or_default();
        let mut raw_body = self.raw_body.as_deref().map(fill).unwrap_or_default();
        let everything = format!("{query:?}{body:?}{raw_query}{raw_body}{:?}", self.headers);
        if ["{{job", "{{session", "{{jsession", "{{new-volume"].iter().any(|word| everything.contains(word)) {
            return None;
        }
        let user = self.actor.as_deref().unwrap_or("admin");
        for pair in query.iter_mut().chain(&mut body) {
            if let Some(kind) = signature_kind(&pair.1) {
                pair.1 = self.signature(user, &kind);
            }
        }
        for text in [&mut raw_query, &mut raw_body] {
            if let Some(kind) = signature_kind(text) {
                let start = text.find("{{signature").unwrap();
                let end = start + text[start..].find("}}").unwrap() + 2;
                let made = super::raw_http::escape(&self.signature(user, &kind));
                text.replace_range(start..end, &made);
            }
        }
        let mut target = self.path.clone();
        let items: Vec<_> = [escape_pairs(&query), raw_query].into_iter().filter(|text| !text.is_empty()).collect();
        if !items.is_empty() {
            target = format!("{target}?{}", items.join("&"));
        }
        let mut headers = self.headers.clone();
        let form = if raw_body.is_empty() { escape_pairs(&body) } else { raw_body };
        if !form.is_empty() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            headers.push(("Content-Type".into(), "application/x-www-form-urlencoded".into()));
        }
        Some(RawRequest { method: self.method.clone(), target, headers, body: form.into_bytes() })
    }

    /// The signature of this request, or one that is wrong in the way that `kind` names.
    fn signature(&self, user: &str, kind: &str) -> String {
        let all_pairs = || {
            let raw = |text: &Option<String>| {
                stackmotion::http::parse_pairs(fill(text.as_deref().unwrap_or("")).as_bytes()).unwrap()
            };
            let mut pairs = filled(self.query.as_deref().unwrap_or_default());
            pairs.extend(raw(&self.raw_query));
            pairs.extend(filled(self.body.as_deref().unwrap_or_default()));
            pairs.extend(raw(&self.raw_body));
            pairs
        };
        let mut pairs: Vec<Pair> = Vec::new();
        for pair in all_pairs() {
            match pairs.iter_mut().find(|(name, _)| *name == pair.0) {
                Some(known) if kind == "signed-with-last-value" => known.1 = pair.1,
                Some(_) => {}
                None => pairs.push(pair),
            }
        }
        match kind {
            "value-lower-cased-before-encoding" => pairs.iter_mut().for_each(|pair| pair.1 = pair.1.to_lowercase()),
            "names-lower-cased-before-sorting" => pairs.iter_mut().for_each(|pair| pair.0 = pair.0.to_lowercase()),
            _ => {}
        }
        let text = signature::string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let text = match kind {
            "tilde-left-unescaped" => text.replace("%7e", "~"),
            "star-as-%2a" => text.replace('*', "%2a"),
            "space-as-plus" => text.replace("%20", "+"),
            _ => text,
        };
        let secret = if kind == "other-secret" { "other".to_owned() } else { format!("secret-{user}") };
        let right = signature::sign(&secret, &text);
        match kind {
            "any" => "any".to_owned(),
            "correct-with-first-character-changed" => {
                let first = if right.starts_with('A') { "B" } else { "A" };
                format!("{first}{}", &right[1..])
            }
            ""
            | "signed-with-first-value"
            | "signed-with-last-value"
            | "other-secret"
            | "tilde-left-unescaped"
            | "star-as-%2a"
            | "space-as-plus"
            | "value-lower-cased-before-encoding"
            | "names-lower-cased-before-sorting" => right,
            other => panic!("unknown kind of signature: {other}"),
        }
    }
}

fn filled(pairs: &[Pair]) -> Vec<Pair> {
    pairs.iter().map(|(name, value)| (fill(name), fill(value))).collect()
}

/// Replaces keys and times. Signatures stay until all else is known.
fn fill(text: &str) -> String {
    let mut text = text.to_owned();
    for (word, made) in [("{{apikey:", "key-"), ("{{secretkey:", "secret-"), ("{{password:", "password-")] {
        while let Some(start) = text.find(word) {
            let end = start + text[start..].find("}}").unwrap();
            let user = text[start + word.len()..end].to_owned();
            text.replace_range(start..end + 2, &format!("{made}{user}"));
        }
    }
    let soon = Timestamp::from_unix(Timestamp::now().unix() + 3600).unwrap();
    text.replace("{{now+3600s as yyyy-MM-ddTHH:mm:ss+0000}}", &soon.wire())
}

fn signature_kind(text: &str) -> Option<String> {
    let start = text.find("{{signature")?;
    let rest = &text[start + "{{signature".len()..];
    Some(rest[..rest.find("}}")?].trim_start_matches(':').to_owned())
}

/// Fields whose values say nothing about the gateway: times, generated ids, texts of our own.
const VOLATILE: &[&str] = &[
    "created",
    "completed",
    "updated",
    "lastupdated",
    "lastpinged",
    "disksizeallocated",
    "disconnected",
    "collectiontime",
    "description",
    "related",
    // Printed in the order of a hash table.
    "resourcedetails",
    // Counted anew again and again while the recorded server moved disks.
    "volumetotal",
    "volumeavailable",
    "primarystoragetotal",
    "primarystorageavailable",
    "secondarystoragetotal",
];

/// Fields that are not here: statistics, which no recorded row holds, and security groups, which Hyper-V does not have.
const STATISTICS: &[&str] = &[
    "securitygroup",
    "cpuused",
    "cpuloadaverage",
    "networkkbsread",
    "networkkbswrite",
    "networkread",
    "networkwrite",
    "diskkbsread",
    "diskkbswrite",
    "diskioread",
    "diskiowrite",
    "memorykbs",
    "memoryintfreekbs",
    "memorytargetkbs",
    "memoryused",
    "disksizeused",
    "usediops",
    "physicalsize",
    "virtualsize",
    "utilization",
];

/// What differs between the recorded answer and ours, in words. Nothing when they are the same to a client.
pub fn differences(expected: &Expected, actual: &RawResponse) -> Vec<String> {
    let mut found = Vec::new();
    if expected.status != actual.status {
        found.push(format!("status {} instead of {}", actual.status, expected.status));
    }
    if expected.reason.as_ref().is_some_and(|words| *words != actual.reason) {
        found.push(format!("reason {} instead of {:?}", actual.reason, expected.reason));
    }
    for name in ["Content-Type", "X-Description", "X-Content-Type-Options", "X-XSS-Protection"] {
        let wanted = expected
            .headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        if wanted != actual.header(name) {
            found.push(format!("{name} {:?} instead of {wanted:?}", actual.header(name)));
        }
    }
    let wanted: Vec<_> = expected
        .headers
        .iter()
        .filter(|(name, _)| name == "content-security-policy")
        .map(|(_, value)| value.as_str())
        .collect();
    if wanted != actual.all("content-security-policy") {
        found.push(format!("content-security-policy {:?}", actual.all("content-security-policy")));
    }
    let body = fill(expected.body.as_deref().unwrap_or_default());
    let body = body.replace("{{other-key}}", "key-baremetal-system-account");
    let body = body.as_str();
    match (serde_json::from_str::<Json>(body), serde_json::from_str::<Json>(&actual.body)) {
        (Ok(wanted), Ok(ours)) => compare("", &wanted, &ours, &mut found),
        (Ok(_), Err(_)) => found.push(format!("no JSON: {}", actual.body)),
        (Err(_), _) if steady(body) != steady(&actual.body) => {
            found.push(format!("body {} instead of {body}", actual.body))
        }
        (Err(_), _) => {}
    }
    found
}

fn compare(path: &str, wanted: &Json, ours: &Json, found: &mut Vec<String>) {
    match (wanted, ours) {
        (Json::Object(wanted), Json::Object(ours)) => {
            let is_statistics = |name: &&String| STATISTICS.contains(&name.as_str());
            let names = |object: &serde_json::Map<String, Json>| {
                object.keys().filter(|name| !is_statistics(name)).cloned().collect::<Vec<_>>()
            };
            if names(wanted) != names(ours) {
                let missing: Vec<_> = wanted.keys().filter(|name| !ours.contains_key(*name)).collect();
                let added: Vec<_> = ours.keys().filter(|name| !wanted.contains_key(*name)).collect();
                found.push(format!("{path}: missing {missing:?}, added {added:?}, or in another order"));
            }
            for (name, value) in wanted {
                if let Some(other) =
                    ours.get(name).filter(|_| !VOLATILE.contains(&name.as_str()) && !is_statistics(&name))
                {
                    compare(&format!("{path}/{name}"), value, other, found);
                }
            }
        }
        (Json::Array(wanted), Json::Array(ours)) => {
            if wanted.len() != ours.len() {
                found.push(format!("{path}: {} entries instead of {}", ours.len(), wanted.len()));
            }
            for (at, (value, other)) in wanted.iter().zip(ours).enumerate() {
                compare(&format!("{path}/{at}"), value, other, found);
            }
        }
        _ if wanted != ours => found.push(format!("{path}: {ours} instead of {wanted}")),
        _ => {}
    }
}

/// An XML text without the contents of volatile elements and without statistics.
fn steady(xml: &str) -> String {
    let mut text = xml.to_owned();
    for name in STATISTICS {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        while let Some(start) = text.find(&open) {
            let Some(end) = text[start..].find(&close) else { break };
            text.replace_range(start..start + end + close.len(), "");
        }
    }
    for name in VOLATILE {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let mut from = 0;
        while let Some(start) = text[from..].find(&open).map(|at| from + at + open.len()) {
            let Some(end) = text[start..].find(&close).map(|at| start + at) else { break };
            text.replace_range(start..end, "");
            from = start;
        }
    }
    text
}
