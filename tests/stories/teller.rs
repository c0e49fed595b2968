//! Makes calls and writes down what was answered, without what is new every time: ids, times, keys.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};
use stackmotion::motion::hypervisor::Answer;

use crate::motion_golden::replay::Gateway;
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{signed, signed_with};

/// Fields whose values are made of random bytes, or of the time that something took.
const RANDOM: [&str; 5] = ["apikey", "secretkey", "sessionkey", "lastupdated", "duration"];

/// A gateway, and what it has answered so far.
pub struct Teller {
    pub gateway: Gateway,
    known: BTreeSet<String>,
    told: Vec<String>,
}

impl Teller {
    pub fn new(gateway: Gateway, rows: &Map<String, Json>) -> Self {
        let text = Json::Object(rows.clone()).to_string();
        Self { gateway, known: ids(&text).into_iter().map(str::to_owned).collect(), told: Vec::new() }
    }

    pub async fn end(self) -> Vec<String> {
        self.gateway.stop().await;
        self.told
    }

    /// Calls a command as a user and gives what stands in the envelope.
    pub async fn ask(&mut self, user: &str, call: &[(&str, &str)]) -> Json {
        let pairs = signed(user, &[call, &[("response", "json")]].concat());
        self.send(user, &pairs).await
    }

    /// The same with a key pair of which the rows knew nothing.
    pub async fn ask_with(&mut self, keys: (&str, &str), call: &[(&str, &str)]) -> Json {
        let pairs = signed_with(keys, &[call, &[("response", "json")]].concat());
        self.send("new keys", &pairs).await
    }

    async fn send(&mut self, who: &str, pairs: &[(String, String)]) -> Json {
        let answer = RawRequest::get(format!("/client/api?{}", escape_pairs(pairs))).send(self.gateway.address()).await;
        let command = pairs.iter().find(|(name, _)| name == "command").map_or("", |(_, value)| value);
        self.write(&format!("{who} {command}"), &answer)
    }

    /// Writes an answer down and gives what stands in its envelope.
    pub fn write(&mut self, label: &str, answer: &RawResponse) -> Json {
        let body: Json = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{label}: {}", answer.body));
        let inside = body.as_object().and_then(|body| body.values().next()).cloned().unwrap_or_default();
        let mut shown = body;
        self.make_plain(&mut shown);
        self.told.push(format!("{label}: {} {shown}", answer.status));
        inside
    }

    /// Submits a job whose hosts answer like this, waits for its end and gives what `queryAsyncJobResult` says.
    pub async fn job(&mut self, user: &str, call: &[(&str, &str)], answer: Answer<()>) -> Json {
        self.gateway.answer(answer);
        let submitted = self.ask(user, call).await;
        let job = submitted["jobid"].as_str().unwrap_or_else(|| panic!("{call:?}: {submitted}")).to_owned();
        self.gateway.wait_for_job(&job).await;
        self.ask(user, &[("command", "queryAsyncJobResult"), ("jobid", &job)]).await
    }

    fn make_plain(&self, value: &mut Json) {
        match value {
            Json::Object(fields) => {
                // There is none of what took less than a second.
                fields.shift_remove("bytespersecond");
                for (name, field) in fields {
                    if RANDOM.contains(&name.as_str()) {
                        *field = Json::from("random");
                    }
                    self.make_plain(field);
                }
            }
            Json::Array(elements) => elements.iter_mut().for_each(|element| self.make_plain(element)),
            Json::String(text) => *text = self.plain(text),
            _ => {}
        }
    }

    fn plain(&self, text: &str) -> String {
        if is_time(text) {
            return "time".to_owned();
        }
        let mut plain = text.to_owned();
        for id in ids(text).into_iter().filter(|id| !self.known.contains(*id)) {
            plain = plain.replace(id, "new-id");
        }
        plain
    }
}

/// `2026-11-23T10:00:00+0000`.
fn is_time(text: &str) -> bool {
    text.len() == 24 && text.as_bytes()[10] == b'T' && text.ends_with("+0000")
}

/// The public ids that a text names.
fn ids(text: &str) -> Vec<&str> {
    let is_id = |part: &str| {
        part.bytes().enumerate().all(|(at, letter)| match at {
            8 | 13 | 18 | 23 => letter == b'-',
            _ => letter.is_ascii_hexdigit(),
        })
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        match text.get(at..at + 36).filter(|part| is_id(part)) {
            Some(id) => {
                found.push(id);
                at += 36;
            }
            None => at += 1,
        }
    }
    found
}
