//! What `listApis` says of the commands that are served here is what the real server says of them: whether they make a job, since
//! when they are there, and kind, length and age of every parameter and field. `docs/api-compat.md` tells the differences, and
//! `tests/golden/apis-left-out.tsv` names what is not understood and not answered here.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::lists::golden::documented_in;
use crate::support::golden;
use crate::support::world::World;

/// With it set, the list of what is left out is written anew.
const UPDATE: &str = "UPDATE_GOLDEN";
const LEFT_OUT: &str = "apis-left-out.tsv";

/// A command as the real server describes it, without sentences.
#[derive(Debug, Deserialize)]
struct Recorded {
    name: String,
    since: Option<String>,
    isasync: bool,
    /// Whether it says which commands answer alike.
    related: bool,
    httprequesttype: String,
    params: Vec<Parameter>,
    /// Names of fields by the kind of their values.
    response: BTreeMap<String, Vec<String>>,
}

/// Name, kind, longest value, whether it has to be there, since when, and whether it says which commands give such ids.
type Parameter = (String, String, u64, bool, Option<String>, bool);

/// Keys of a command and of a parameter, in the order in which they are printed where they are.
const KEYS: [&str; 8] = ["name", "description", "since", "isasync", "related", "params", "response", "httprequesttype"];
const PARAMETER_KEYS: [&str; 7] = ["name", "description", "type", "length", "required", "since", "related"];
const FIELD_KEYS: [&str; 4] = ["name", "description", "type", "response"];

/// What a kind of value is to a client: CloudStack names the type of its own language, with five for numbers.
fn class(kind: &str) -> &str {
    match kind {
        "int" | "integer" | "long" | "short" => "number",
        "float" | "double" => "decimal",
        "list" | "set" => "list",
        "boolean" | "date" | "map" => kind,
        object if object.ends_with("response") || object == "responseobject" => "object",
        _ => "text",
    }
}

/// The entries of a list by their names. The two empty ones at the end of fields have none.
fn by_name(list: &Json) -> BTreeMap<&str, &Json> {
    let entries = list.as_array().expect("a list").iter();
    entries.filter_map(|entry| Some((entry.get("name")?.as_str()?, entry))).collect()
}

fn in_order(entry: &Json, order: &[&str]) -> bool {
    let places: Option<Vec<_>> =
        entry.as_object().expect("an object").keys().map(|key| order.iter().position(|known| known == key)).collect();
    places.is_some_and(|places| places.is_sorted())
}

#[derive(Default)]
struct Found {
    differences: BTreeMap<String, BTreeSet<String>>,
    left_out: Vec<String>,
}

impl Found {
    fn note(&mut self, difference: String, command: &str) {
        self.differences.entry(difference).or_default().insert(command.to_owned());
    }

    fn compare(&mut self, recorded: &Recorded, ours: &Json) {
        let command = &recorded.name;
        for (name, wanted) in [
            ("since", recorded.since.clone().map(Json::from)),
            ("isasync", Some(recorded.isasync.into())),
            ("httprequesttype", Some(recorded.httprequesttype.clone().into())),
        ] {
            if ours.get(name) != wanted.as_ref() {
                self.note(format!("{command}.{name} value"), command);
            }
        }
        if ours.get("related").is_some() != recorded.related {
            self.note(format!("{command}.related value"), command);
        }
        self.parameters(recorded, ours);
        self.fields(recorded, ours);
    }

    fn parameters(&mut self, recorded: &Recorded, ours: &Json) {
        let command = &recorded.name;
        let known: BTreeSet<_> = recorded.params.iter().map(|(name, ..)| name.as_str()).collect();
        let ours = by_name(&ours["params"]);
        for (name, kind, length, required, since, related) in &recorded.params {
            let Some(mine) = ours.get(name.as_str()) else { continue };
            for (word, is_same) in [
                ("kind", mine["type"] == kind.as_str()),
                ("length", mine["length"] == *length),
                ("required", mine["required"] == *required),
                ("since", mine.get("since").and_then(Json::as_str) == since.as_deref()),
                ("related", mine.get("related").is_some() == *related),
                ("order", in_order(mine, &PARAMETER_KEYS)),
            ] {
                if !is_same {
                    self.note(format!("parameter.{name} {word}"), command);
                }
            }
        }
        ours.keys()
            .filter(|name| !known.contains(*name))
            .for_each(|name| self.note(format!("parameter.{name} added"), command));
        self.leave_out(command, "parameters", known.iter().copied().filter(|name| !ours.contains_key(name)).collect());
    }

    fn fields(&mut self, recorded: &Recorded, ours: &Json) {
        let command = &recorded.name;
        let known: BTreeMap<_, _> = recorded
            .response
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| (name.as_str(), class(kind))))
            .collect();
        let response = &ours["response"];
        let ours = by_name(response);
        for (name, mine) in &ours {
            let kind = class(mine["type"].as_str().expect("a kind"));
            match known.get(name) {
                None => self.note(format!("field.{name} added"), command),
                Some(wanted) if *wanted != kind => self.note(format!("field.{name} kind"), command),
                Some(_) if !in_order(mine, &FIELD_KEYS) => self.note(format!("field.{name} order"), command),
                Some(_) => {}
            }
        }
        let nameless = response.as_array().expect("fields").len() - ours.len();
        if nameless != 2 {
            self.note(format!("{command}.response value"), command);
        }
        self.leave_out(command, "fields", known.into_keys().filter(|name| !ours.contains_key(name)).collect());
    }

    fn leave_out(&mut self, command: &str, what: &str, names: Vec<&str>) {
        if !names.is_empty() {
            self.left_out.push(format!("{command}\t{what}\t{}\n", names.join(" ")));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_described_as_recorded() {
    let recorded: Vec<Recorded> = serde_json::from_str(&golden::text("apis.json")).unwrap();
    let world = World::start().await;
    let answer = world.get("admin", &[("command", "listApis"), ("response", "json")]).await;
    let body: Json = serde_json::from_str(&answer.body).unwrap();
    let served = by_name(&body["listapisresponse"]["api"]);
    assert_eq!(body["listapisresponse"]["count"], served.len());
    let mut found = Found::default();
    for one in &recorded {
        let ours = served.get(one.name.as_str()).unwrap_or_else(|| panic!("{} is not served any more", one.name));
        found.compare(one, ours);
    }
    let known: BTreeSet<_> = recorded.iter().map(|one| one.name.as_str()).collect();
    for (name, entry) in &served {
        assert!(in_order(entry, &KEYS), "{name}: {:?}", entry.as_object().unwrap().keys());
        if !known.contains(name) {
            found.note(format!("{name} added"), name);
        }
    }
    let told = documented_in("## Differences in `listApis`");
    let new: Vec<_> = found.differences.iter().filter(|(difference, _)| !told.contains(*difference)).collect();
    assert!(new.is_empty(), "differences that docs/api-compat.md does not tell: {new:#?}");
    let gone: Vec<_> = told.iter().filter(|difference| !found.differences.contains_key(*difference)).collect();
    assert!(gone.is_empty(), "docs/api-compat.md tells differences that are none: {gone:#?}");
    let left_out = found.left_out.concat();
    if env::var_os(UPDATE).is_some() {
        fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/apis-left-out.tsv"), &left_out).unwrap();
    }
    assert_eq!(left_out, golden::text(LEFT_OUT), "with {UPDATE}=1 the list is written anew");
}
