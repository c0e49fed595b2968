//! What differs between what was recorded and what was found: answers, events, rows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;
use stackmotion::store::Store;

use super::cases::{Event, Order, Tables};
use crate::lists::differences::differences;
use crate::lists::golden::{documented, tree};

/// A difference in a few words, and both sides of it.
pub type Found = (String, String);

/// Compares two answers, status and body. What lists and motions have in common is told with the lists.
pub fn answers(expected: (u16, &str), actual: (u16, &str)) -> Vec<Found> {
    let detail = format!("{} {} instead of {} {}", actual.0, actual.1, expected.0, expected.1);
    if expected.0 != actual.0 {
        return vec![("status value".to_owned(), detail)];
    }
    let told = documented();
    let found = differences(&masked(tree(expected.1)), &masked(tree(actual.1)));
    found.into_iter().filter(|one| !told.contains(one)).map(|one| (one, detail.clone())).collect()
}

/// Takes out what is made anew each time: names of copies, and the name of the server.
fn masked(mut answer: Json) -> Json {
    match &mut answer {
        Json::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                let made = name == "path" && value.as_str().is_some_and(is_uuid);
                // How much of a host is promised drifts while the recorded server works.
                let drifts = ["cpuallocated", "memoryallocated"].iter().any(|word| name.starts_with(word));
                let known = made || drifts || name == "managementservername";
                *value = if known { Json::from("made") } else { masked(value.take()) };
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| *item = masked(item.take())),
        _ => {}
    }
    answer
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().filter(|letter| *letter == b'-').count() == 4
}

/// How many jobs are not over.
pub async fn jobs_running(store: &Store) -> i64 {
    let row = store.db().row("SELECT COUNT(*) FROM async_job WHERE job_status = 0", vec![]).await.expect("jobs");
    row.expect("a count").at(0).expect("a number")
}

/// How many jobs no worker has taken up.
pub async fn jobs_waiting(store: &Store) -> i64 {
    let sql = "SELECT COUNT(*) FROM async_job WHERE job_status = 0 AND job_executing_msid IS NULL";
    let row = store.db().row(sql, vec![]).await.expect("jobs");
    row.expect("a count").at(0).expect("a number")
}

/// Compares events with those that were written, in their order.
pub async fn events(store: &Store, expected: &[Event]) -> Vec<Found> {
    let sql = "SELECT type, state, level, description FROM event ORDER BY id";
    let rows = store.db().rows(sql, vec![]).await.expect("events");
    let text = |row: &stackmotion::store::Row, at| row.at::<Option<String>>(at).expect("a text").unwrap_or_default();
    let ours: Vec<Event> = rows
        .iter()
        .map(|row| Event { kind: text(row, 0), state: text(row, 1), level: text(row, 2), description: text(row, 3) })
        .collect();
    let detail = format!("{ours:#?} instead of {expected:#?}");
    let chain =
        |events: &[Event]| events.iter().map(|event| (event.kind.clone(), event.state.clone())).collect::<Vec<_>>();
    if chain(&ours) != chain(expected) {
        return vec![("event order".to_owned(), detail)];
    }
    let mut found = Vec::new();
    for (one, other) in ours.iter().zip(expected) {
        if one.level != other.level {
            found.push(("event.level value".to_owned(), detail.clone()));
        }
        if one.description != other.description {
            found.push(("event.description value".to_owned(), detail.clone()));
        }
    }
    found
}

/// Compares what hosts were sent. Motions that run at the same time may come in any order.
pub fn orders(ours: &[Order], recorded: &[Order]) -> Vec<Found> {
    let sorted = |orders: &[Order]| {
        let mut orders = orders.to_vec();
        orders.sort();
        orders
    };
    let detail = format!("{ours:?} instead of {recorded:?}");
    match (ours, recorded) {
        ([], [_, ..]) => vec![("sent absent".to_owned(), detail)],
        ([_, ..], []) => vec![("sent added".to_owned(), detail)],
        _ if sorted(ours) != sorted(recorded) => vec![("sent value".to_owned(), detail)],
        _ => Vec::new(),
    }
}

/// The columns of a table that are compared. Counters, times and what hosts report by themselves are left out.
const COLUMNS: [(&str, &[&str]); 2] = [
    (
        "volumes",
        &[
            "uuid",
            "name",
            "state",
            "volume_type",
            "pool_id",
            "last_pool_id",
            "pool_type",
            "pod_id",
            "folder",
            "path",
            "instance_id",
            "device_id",
            "disk_offering_id",
            "last_id",
            "chain_info",
            "format",
            "size",
            "display_volume",
        ],
    ),
    ("vm_instance", &["name", "state", "host_id", "last_host_id", "pod_id", "hypervisor_type", "service_offering_id"]),
];

/// Rows of the compared tables by id, as texts by column.
pub type Rows = BTreeMap<&'static str, BTreeMap<i64, BTreeMap<&'static str, Option<String>>>>;

/// Reads the compared tables.
pub async fn rows(store: &Store) -> Rows {
    let mut all = Rows::new();
    for (table, columns) in COLUMNS {
        let names: Vec<_> = columns.iter().map(|name| format!("`{name}`")).collect();
        let sql = format!("SELECT id, removed IS NOT NULL, {} FROM `{table}`", names.join(", "));
        for row in store.db().rows(&sql, vec![]).await.expect("rows") {
            let removed = row.at::<bool>(1).expect("a flag").to_string();
            let mut fields = BTreeMap::from([("removed", Some(removed))]);
            for (at, name) in columns.iter().enumerate() {
                fields.insert(name, row.at(at + 2).expect("a value"));
            }
            all.entry(table).or_default().insert(row.at(0).expect("an id"), fields);
        }
    }
    all
}

/// Compares what a case changed in the tables with what was recorded.
pub fn changes(before: &Rows, after: &Rows, recorded: &Tables) -> Vec<Found> {
    let mut found = Vec::new();
    for (table, ours) in after {
        let known = &before[table];
        let none = Vec::new();
        let wanted = recorded.get(*table).and_then(Json::as_array).unwrap_or(&none);
        let id = |row: &Json| row["id"].as_i64().expect("an id");
        for (row_id, old) in known {
            let change = wanted.iter().find(|row| id(row) == *row_id);
            let now = ours.get(row_id).expect("rows are never deleted");
            for (column, value) in now {
                let recorded = change.and_then(|row| row.get(*column)).map(text);
                let expected = recorded.unwrap_or_else(|| old[column].clone());
                if expected != *value {
                    let detail =
                        format!("{table} {row_id}: {value:?} instead of {expected:?}, before {:?}", old[column]);
                    found.push((format!("{table}.{column} value"), detail));
                }
            }
        }
        let new: Vec<_> = ours.iter().filter(|(row_id, _)| !known.contains_key(row_id)).collect();
        let wanted: Vec<_> = wanted.iter().filter(|row| !known.contains_key(&id(row))).collect();
        if new.len() != wanted.len() {
            found.push((format!("{table} rows"), format!("{new:?} instead of {wanted:?}")));
        }
        let uuids: BTreeSet<_> = known.values().filter_map(|row| row.get("uuid").cloned().flatten()).collect();
        for ((row_id, now), row) in new.iter().zip(wanted) {
            for (column, value) in *now {
                let expected = row.get(*column).map(text).unwrap_or_default();
                let made = |value: &Option<String>| {
                    value.as_ref().is_some_and(|value| is_uuid(value) && !uuids.contains(value))
                };
                if expected != *value && !(made(&expected) && made(value)) {
                    let detail = format!("{table} {row_id}, new: {value:?} instead of {expected:?}");
                    found.push((format!("{table}.{column} of the copy"), detail));
                }
            }
        }
    }
    found
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}
