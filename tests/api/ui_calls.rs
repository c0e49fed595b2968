//! The calls of the stock web interface, screen by screen, in the order in which it made them against a real server: each is
//! answered with the same status and envelope and with every field that the real server answered with, of the same kind, but for what
//! `docs/api-compat.md` tells.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value as Json, json};
use stackmotion::store::Store;

use super::sessions::Login;
use crate::lists::golden::{documented, documented_in};
use crate::lists::support::seed;
use crate::support::golden;
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{World, seed_events};

/// The recording: what kinds of answers there were, and the calls.
#[derive(Debug, Deserialize)]
struct Recording {
    answers: Vec<Fields>,
    calls: Vec<Call>,
}

/// One call, without what only says how the recording was made.
#[derive(Debug, Deserialize)]
struct Call {
    screen: String,
    step: String,
    method: String,
    params: Vec<(String, String)>,
    status: u16,
    envelope: String,
    /// Which of the answers it got.
    answer: usize,
}

impl Call {
    fn command(&self) -> &str {
        self.params.iter().find(|(name, _)| name == "command").map_or("", |(_, value)| value)
    }

    fn told(&self) -> String {
        let params: Vec<_> =
            self.params.iter().filter(|(name, _)| name != "response" && name != "sessionkey").collect();
        format!("{} / {}: {params:?}", self.screen, self.step)
    }
}

/// Polls of jobs: what they are answered with is shown by jobs that run (`tests/motion_golden`).
const POLL: &str = "queryAsyncJobResult";
struct Browser {
    login: Option<Login>,
}

impl Browser {
    /// Makes a call as the interface does: GET for what reads, a form for the rest, the key of the session as a parameter.
    async fn call(&mut self, world: &World, call: &Call) -> RawResponse {
        let value = |name: &str, text: &str| match (name, &self.login) {
            ("sessionkey", Some(login)) => login.key.clone(),
            // What was wrong in the recording stays wrong.
            ("password", _) if call.status == 200 => "password-admin".to_owned(),
            _ => text.to_owned(),
        };
        let pairs: Vec<_> = call.params.iter().map(|(name, text)| (name.clone(), value(name, text))).collect();
        let mut request = match call.method.as_str() {
            "GET" => RawRequest::get(format!("/client/api/?{}", escape_pairs(&pairs))),
            _ => RawRequest::form("/client/api/", escape_pairs(&pairs)),
        };
        if let Some(login) = &self.login {
            request.headers.push(login.cookies());
        }
        let answer = request.send(world.address).await;
        match call.command() {
            "login" if answer.status == 200 => self.login = Some(Login::of(&answer)),
            "logout" if answer.status == 200 => self.login = None,
            _ => {}
        }
        answer
    }
}

/// The fields of an answer: those of each object by its name, each with the kinds of its values. A name that ends with `?` is
/// not in every object.
type Fields = BTreeMap<String, BTreeMap<String, String>>;

/// The fields of one answer of ours, as the recording has those of the real server.
fn fields(envelope: &str, inside: &Json) -> Fields {
    let mut seen = BTreeMap::new();
    look(envelope, inside, &mut seen);
    let told = |(name, (count, kinds)): (String, (usize, BTreeSet<&str>)), all: usize| {
        let mark = if count < all { "?" } else { "" };
        (format!("{name}{mark}"), kinds.into_iter().collect::<Vec<_>>().join("|"))
    };
    seen.into_iter()
        .map(|(place, (all, fields))| (place, fields.into_iter().map(|one| told(one, all)).collect()))
        .collect()
}

/// How many objects of a name there were, and how often each field was in one.
type Seen = BTreeMap<String, (usize, BTreeMap<String, (usize, BTreeSet<&'static str>)>)>;

fn look(place: &str, value: &Json, seen: &mut Seen) {
    match value {
        Json::Object(object) => {
            let (count, fields) = seen.entry(place.to_owned()).or_default();
            *count += 1;
            for (name, value) in object {
                let (count, kinds) = fields.entry(name.clone()).or_default();
                *count += 1;
                kinds.insert(kind(value));
            }
            object.iter().for_each(|(name, value)| look(name, value, seen));
        }
        Json::Array(list) => list.iter().for_each(|value| look(place, value, seen)),
        _ => {}
    }
}

fn kind(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(number) if number.is_f64() => "decimal",
        Json::Number(_) => "number",
        Json::Array(_) => "list",
        Json::Object(_) => "object",
        Json::String(text)
            if is_like(text.trim_end_matches("-HypervResource"), "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx") =>
        {
            "id"
        }
        Json::String(text) if is_like(text, "0000-00-00T00:00:00+0000") => "time",
        Json::String(text) if text.strip_suffix('%').is_some_and(|number| number.parse::<f64>().is_ok()) => "percent",
        Json::String(text) if text == "true" || text == "false" => "switch",
        Json::String(_) => "text",
    }
}

/// Whether a text has a form: `x` stands for a hexadecimal digit, `0` for a decimal one.
fn is_like(text: &str, form: &str) -> bool {
    text.len() == form.len()
        && text.bytes().zip(form.bytes()).all(|(letter, wanted)| match wanted {
            b'x' => letter.is_ascii_hexdigit(),
            b'0' => letter.is_ascii_digit(),
            other => letter == other,
        })
}

/// What differs, in words; nothing when no screen can tell.
fn differences(call: &Call, recorded: &Fields, answer: &RawResponse) -> Vec<String> {
    if answer.status != call.status {
        return vec![format!(
            "case {}: status {} instead of {}: {:.200}",
            call.command(),
            answer.status,
            call.status,
            answer.body
        )];
    }
    let Ok(body) = serde_json::from_str::<Json>(&answer.body) else { return vec!["no JSON".to_owned()] };
    let (envelope, inside) = body.as_object().and_then(|members| members.iter().next()).expect("an envelope");
    if call.envelope != *envelope {
        return vec![format!("envelope {envelope}")];
    }
    let ours = fields(envelope, inside);
    let mut found = Vec::new();
    for (place, recorded) in recorded {
        // What holds the objects is without them.
        let Some(ours) = ours.get(place) else { continue };
        for (name, kinds) in recorded {
            let bare = name.trim_end_matches('?');
            let word = match (ours.get(bare), ours.get(&format!("{bare}?"))) {
                (None, None) => "absent",
                (None, Some(_)) if bare == name => "sometimes",
                (Some(seen), _) | (_, Some(seen)) => {
                    let fits = seen.split('|').all(|kind| kinds.split('|').any(|known| known == kind));
                    if fits { continue } else { "kind" }
                }
            };
            found.push(format!("{place}.{bare} {word}"));
        }
        let known = |name: &str| recorded.contains_key(name) || recorded.contains_key(&format!("{name}?"));
        let added = ours.keys().map(|name| name.trim_end_matches('?')).filter(|name| !known(name));
        found.extend(added.map(|name| format!("{place}.{name} added")));
    }
    // An empty list; where there is not even that, it has been told above.
    let is_named =
        |place: &str| ours.values().any(|fields| fields.keys().any(|name| name.trim_end_matches('?') == place));
    let empty = recorded.keys().filter(|place| !ours.contains_key(*place) && is_named(place));
    found.extend(empty.map(|place| format!("{place} none")));
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_is_served() {
    let Recording { answers, calls } = serde_json::from_str(&golden::text("ui.json")).unwrap();
    let world = World::start().await;
    seed_events(&world.store).await;
    seed_moment(&world.store).await;
    let mut browser = Browser { login: None };
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for call in calls.iter().filter(|call| call.command() != POLL) {
        let answer = browser.call(&world, call).await;
        for difference in differences(call, &answers[call.answer], &answer) {
            found.entry(difference).or_default().insert(call.told());
        }
    }
    let told = documented_in("## Differences in the calls of the web interface");
    let told_of_lists = documented();
    let new: Vec<_> = found
        .iter()
        .filter(|(difference, _)| !told.contains(*difference) && !told_of_lists.contains(*difference))
        .map(|(difference, calls)| (difference, calls.len(), calls.first()))
        .collect();
    assert!(new.is_empty(), "differences that docs/api-compat.md does not tell: {new:#?}");
    let gone: Vec<_> = told.iter().filter(|difference| !found.contains_key(*difference)).collect();
    assert!(gone.is_empty(), "docs/api-compat.md tells differences that are none: {gone:#?}");
}

/// The pages of zones, pods and clusters ask whether these are kept for somebody, which the recording does not have.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_kept_for_one_owner() {
    let world = World::start().await;
    for (command, name) in [
        ("listDedicatedZones", "zoneid"),
        ("listDedicatedPods", "podid"),
        ("listDedicatedClusters", "clusterid"),
        ("listDedicatedHosts", "hostid"),
    ] {
        let pairs = [("command", command), (name, "11111111-2222-4333-8444-555555555555"), ("response", "json")];
        let answer = world.get("admin", &pairs).await;
        let empty = format!(r#"{{"{}response":{{}}}}"#, command.to_lowercase());
        assert_eq!((answer.status, answer.body), (200, empty), "{command}");
        assert_eq!(world.get("alice", &pairs).await.status, 432, "{command} is for root admins");
    }
}

/// Brings the rows to the moment at which the interface was recorded.
async fn seed_moment(store: &Store) {
    // There were Hyper-V hosts as well by then.
    let more: Json = serde_json::from_str(&golden::text("hyperv.json")).unwrap();
    seed(store, &more["rows"]).await;
    // The server had been started again, machines had run, and a move of a disk was on the first page of events.
    let event = |id: i64, state: &str, start_id: i64| {
        json!({
            "id": id, "uuid": format!("00000000-0000-4000-8000-{id:012}"), "type": "VOLUME.MIGRATE", "state": state,
            "description": "", "user_id": 2, "account_id": 2, "domain_id": 1, "resource_id": 102, "resource_type": "Volume",
            "created": "2026-11-23 18:17:00", "level": "INFO", "start_id": start_id, "archived": 0, "display": 1,
        })
    };
    let rows = json!({
        "vm_instance_details": [
            { "id": 90, "vm_id": 3, "name": "Message.ReservedCapacityFreed.Flag", "value": "false", "display": 1 },
        ],
        "event": [event(90_000, "Scheduled", 0), event(90_001, "Completed", 90_000)],
    });
    seed(store, &rows).await;
    for sql in [
        "UPDATE host SET disconnected = '2026-11-23 17:53:55'",
        // Older ones than those on the first page of disks.
        "DELETE FROM volumes WHERE state = 'Allocated'",
        // Disks that have been moved later have other names there.
        "UPDATE volumes SET path = uuid WHERE path IS NOT NULL",
    ] {
        store.db().run(sql, vec![]).await.unwrap();
    }
}
