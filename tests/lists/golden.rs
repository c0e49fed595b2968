//! Every recorded list and job query is answered as CloudStack answered it, except for what `docs/api-compat.md` tells.

use std::collections::{BTreeMap, BTreeSet};

use super::differences::differences;
use super::support::{call, golden_json, reset, seed};
use super::xml;
use crate::support::world::{seed as seed_world, seed_events};
use crate::support::{database, golden};
use serde::Deserialize;
use serde_json::Value as Json;
use stackmotion::store::Store;

/// One recorded call.
#[derive(Deserialize)]
pub struct Case {
    pub name: String,
    /// What was going on: nothing, or jobs that ran, had ended or had failed.
    pub phase: String,
    pub actor: String,
    pub command: String,
    pub args: Vec<(String, String)>,
    pub status: u16,
    pub body: String,
}

/// All of them.
pub fn recorded() -> Vec<Case> {
    serde_json::from_value(golden_json("lists/cases.json")).expect("cases")
}

/// An answer in either format.
pub fn tree(body: &str) -> Json {
    if body.starts_with('{') { serde_json::from_str(body).expect("JSON") } else { xml::tree(body) }
}

/// The table of differences in lists.
pub fn documented() -> BTreeSet<String> {
    documented_in("## Differences in lists")
}

/// A table in the document, by its title: `object.field word`, or `case NAME` for an answer that is different as a whole.
pub fn documented_in(title: &str) -> BTreeSet<String> {
    let document = include_str!("../../docs/api-compat.md");
    let section = document.split(title).nth(1).expect("the section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    let mut found = BTreeSet::new();
    for row in rows {
        let mut cells = row.split('|');
        let names = cells.next().expect("names");
        let word = cells.next().expect("a word").trim();
        for name in names.split('`').map(str::trim).filter(|name| !name.is_empty() && *name != ",") {
            let line = if name.starts_with("case ") { name.to_owned() } else { format!("{name} {word}") };
            assert!(found.insert(line), "{name} stands in the table twice");
        }
    }
    found
}

/// The lists that are replayed on the rows of the whole installation.
const FURTHER: &[&str] = &[
    "listAlerts",
    "listCapabilities",
    "listConfigurations",
    "listEvents",
    "listManagementServers",
    "listManagementServersMetrics",
    "listRouters",
    "listStorageProviders",
    "listSystemVms",
    "listTags",
    "listTemplates",
];

/// The recorded calls of these lists. Whether they may be called is none of their business here.
fn further() -> Vec<Case> {
    let recorded = ["lists", "params", "auth", "jobs"].into_iter().flat_map(golden::cases);
    let cases: Vec<Case> = recorded
        .filter(|case| case.exchanges.iter().all(|exchange| ![401, 432].contains(&exchange.response.status)))
        // The first of all settings are others where only those are kept that somebody goes by.
        .filter(|case| !case.name.starts_with("listConfigurations-page"))
        .flat_map(|case| case.exchanges.into_iter().map(move |exchange| (case.name.clone(), exchange)))
        .filter_map(|(name, exchange)| {
            let command = exchange.request.command().filter(|command| FURTHER.contains(&command.as_str()))?;
            let given = exchange.request.query.unwrap_or_default();
            let args =
                given.into_iter().filter(|(name, _)| !["command", "apiKey", "signature"].contains(&name.as_str()));
            Some(Case {
                phase: if name.starts_with("pending-") { "pending" } else { "whole" }.to_owned(),
                name,
                actor: exchange.request.actor.unwrap_or_else(|| "admin".to_owned()),
                command,
                args: args.collect(),
                status: exchange.response.status,
                body: exchange.response.body.unwrap_or_default(),
            })
        })
        .collect();
    let missing: Vec<_> = FURTHER.iter().filter(|name| !cases.iter().any(|case| case.command == **name)).collect();
    assert!(missing.is_empty(), "nothing was recorded of {missing:?}");
    cases
}

/// The names of everything that is replayed here.
pub fn replayed() -> BTreeSet<String> {
    // What was one of several calls of a case has the case's name and its own.
    let name = |case: Case| case.name.split('/').next().unwrap_or_default().to_owned();
    recorded().into_iter().chain(further()).map(name).collect()
}

async fn replay(store: &Store, phase: &str, cases: &[Case], found: &mut BTreeMap<String, Vec<String>>) {
    for case in cases.iter().filter(|case| case.phase == phase) {
        let answer = call(store, &case.actor, &case.command, &case.args).await;
        if answer.status != case.status {
            found
                .entry(format!("case {}", case.name))
                .or_default()
                .push(format!("{} instead of {}: {}", answer.status, case.status, answer.body));
            continue;
        }
        for difference in differences(&tree(&case.body), &tree(&answer.body)) {
            found.entry(difference).or_default().push(case.name.clone());
        }
    }
}

#[tokio::test]
async fn lists_and_job_queries_are_answered_as_recorded() {
    let cases = recorded();
    let mut whole = database::each().await.into_iter().map(|(_, database)| database);
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        seed_events(store).await;
        let mut found = BTreeMap::new();
        replay(store, "quiet", &cases, &mut found).await;
        let before = serde_json::json!({ "volumes": [spare(&golden_json("lists/rows.json"))] });
        seed(store, &golden_json("lists/jobs_pending.json")).await;
        replay(store, "pending", &cases, &mut found).await;
        replay(store, "pending", &further(), &mut found).await;
        seed(store, &before).await;
        seed(store, &golden_json("lists/jobs_done.json")).await;
        replay(store, "done", &cases, &mut found).await;
        seed(store, &golden_json("lists/jobs_failed.json")).await;
        replay(store, "failed", &cases, &mut found).await;
        let whole = whole.next().expect("as many databases");
        seed_world(&whole.store).await;
        seed_events(&whole.store).await;
        replay(&whole.store, "whole", &further(), &mut found).await;
        let documented = documented();
        let new: Vec<_> = found.iter().filter(|(difference, _)| !documented.contains(*difference)).collect();
        assert!(new.is_empty(), "{kind}: differences that docs/api-compat.md does not tell: {new:#?}");
        let gone: Vec<_> = documented.iter().filter(|difference| !found.contains_key(*difference)).collect();
        assert!(gone.is_empty(), "{kind}: docs/api-compat.md tells differences that are none: {gone:#?}");
    }
}

/// The volume that moves while jobs are pending, as it is before.
fn spare(rows: &Json) -> &Json {
    let volumes = rows["volumes"].as_array().expect("volumes");
    volumes.iter().find(|row| row["id"] == 102).expect("the volume")
}
