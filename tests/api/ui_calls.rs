//! The calls of the stock web interface, screen by screen, in the order in which it made them against a real server: each is
//! answered with the same status and envelope, and what a screen needs of an answer is there.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value as Json;

use super::sessions::Login;
use crate::support::golden;
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{World, seed_events};

/// One call, without what only says how the recording was made.
#[derive(Debug, Deserialize)]
struct Call {
    screen: String,
    step: String,
    method: String,
    params: Vec<(String, String)>,
    status: u16,
    envelope: Option<String>,
    /// The names inside the envelope, without the count.
    members: Vec<String>,
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

/// What a screen breaks without (`contract/entities.md 6.3`), by the name of the object.
const NEEDED: &[(&str, &[&str])] = &[
    ("user", &["id", "firstname", "lastname", "roletype", "rolename", "accountid", "domainid"]),
    ("zone", &["id", "name", "allocationstate", "networktype", "localstorageenabled"]),
    ("pod", &["id", "name", "zonename", "gateway", "netmask", "allocationstate"]),
    ("cluster", &["id", "name", "clustertype", "hypervisortype", "podname", "zonename", "allocationstate"]),
    ("host", &["id", "name", "state", "type", "ipaddress", "hypervisor", "clustername", "podname", "zonename"]),
    ("storagepool", &["id", "name", "state", "type", "scope", "path", "clustername", "zonename", "provider"]),
    ("virtualmachine", &["id", "name", "displayname", "state", "account", "zonename", "hypervisor", "instancename"]),
    ("volume", &["id", "name", "state", "type", "size", "zoneid", "storage", "storageid", "account", "path"]),
    ("diskoffering", &["id", "displaytext"]),
];

/// Polls of jobs: what they are answered with is shown by jobs that run (`tests/motion_golden`).
const POLL: &str = "queryAsyncJobResult";
/// Lists that are empty here and were not there, since the recorded server had image stores and keys.
const EMPTY_HERE: &[&str] = &[
    "listNetworkServiceProviders",
    "listHSMProfiles",
    // The recorded rows of the seed have another estate than the server had when the interface was recorded.
    "findHostsForMigration",
    "findStoragePoolsForMigration",
];

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

/// What differs, in words; nothing when a screen cannot tell.
fn differences(call: &Call, answer: &RawResponse) -> Vec<String> {
    let mut found = Vec::new();
    if answer.status == 431
        && call.status == 200
        && (answer.body.contains("entity does not exist")
            || answer.body.contains("Unable to find storage pool by uuid"))
    {
        // The thing is not in the seed.
        return found;
    }
    if answer.status != call.status {
        found.push(format!("status {} instead of {}: {:.200}", answer.status, call.status, answer.body));
        return found;
    }
    let Ok(body) = serde_json::from_str::<Json>(&answer.body) else { return vec!["no JSON".to_owned()] };
    let (envelope, inner) = body.as_object().and_then(|members| members.iter().next()).expect("an envelope");
    if call.envelope.as_ref().is_some_and(|wanted| wanted != envelope) {
        found.push(format!("envelope {envelope}"));
    }
    if answer.status != 200 || EMPTY_HERE.contains(&call.command()) {
        return found;
    }
    for member in &call.members {
        let Some(value) = inner.get(member) else {
            found.push(format!("no {member}: {:.200}", answer.body));
            continue;
        };
        let needed = NEEDED.iter().find(|(object, _)| object == member).map_or(&[][..], |(_, fields)| fields);
        for object in value.as_array().into_iter().flatten() {
            // `details=min` and the like leave fields out on purpose.
            let is_narrowed = call.params.iter().any(|(name, value)| name == "details" && value == "min");
            let missing: Vec<_> = needed.iter().filter(|field| object.get(**field).is_none()).collect();
            let is_bare =
                member == "volume" && object["state"] != "Ready" || member == "host" && object["type"] != "Routing";
            if !missing.is_empty() && !is_narrowed && !is_bare {
                found.push(format!("{member} without {missing:?}"));
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_screen_is_served() {
    let calls: Vec<Call> = serde_json::from_str(&golden::text("ui.json")).unwrap();
    let world = World::start().await;
    seed_events(&world.store).await;
    let mut browser = Browser { login: None };
    let mut failed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let (mut same, mut unknown) = (0, 0);
    for call in calls.iter().filter(|call| call.command() != POLL) {
        let answer = browser.call(&world, call).await;
        let found = differences(call, &answer);
        unknown += usize::from(found.is_empty() && answer.status != call.status);
        same += usize::from(found.is_empty() && answer.status == call.status);
        for difference in found {
            failed.entry(difference).or_default().insert(call.told());
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
    assert!(same >= 230 && unknown <= 60, "{same} alike, {unknown} about what the seed does not have");
}
