//! What is not alike in two answers, in words short enough for a table.

use std::collections::BTreeSet;

use serde_json::Value as Json;

/// Fields whose values are times: only their form is compared.
const TIMES: &[&str] = &["created", "completed", "lastupdated", "lastpinged", "updated", "sent", "lastserverstart"];
/// Fields whose values are statistics or drift while the recorded server works: only that they are there is compared.
const NUMBERS: &[&str] = &[
    "disksizeused",
    "disksizeallocated",
    "usediops",
    "cpuallocatedvalue",
    "memoryallocated",
    "memoryallocatedbytes",
    "volumetotal",
    "primarystoragetotal",
    "secondarystoragetotal",
    "volumeavailable",
    "primarystorageavailable",
];

/// Compares a recorded answer with ours. Each difference is `object.field word`: `absent` and `added` say which side lacks
/// the field, `order` that fields stand in another order, `value` that the values are not alike.
pub fn differences(recorded: &Json, ours: &Json) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    compare("answer", recorded, ours, &mut found);
    found
}

fn compare(path: &str, recorded: &Json, ours: &Json, found: &mut BTreeSet<String>) {
    match (recorded, ours) {
        (Json::Object(left), Json::Object(right)) => {
            let place = path.rsplit('.').next().unwrap_or(path);
            for (name, value) in left {
                match right.get(name) {
                    Some(other) => compare(&format!("{place}.{name}"), value, other, found),
                    None => _ = found.insert(format!("{place}.{name} absent")),
                }
            }
            for name in right.keys().filter(|name| !left.contains_key(*name)) {
                found.insert(format!("{place}.{name} added"));
            }
            let common = |one: &'_ serde_json::Map<String, Json>, other: &serde_json::Map<String, Json>| {
                one.keys().filter(|name| other.contains_key(*name)).cloned().collect::<Vec<_>>()
            };
            if common(left, right) != common(right, left) {
                found.insert(format!("{place} order"));
            }
        }
        (Json::Array(left), Json::Array(right)) if left.len() == right.len() => {
            for (one, other) in left.iter().zip(right) {
                compare(path, one, other, found);
            }
        }
        (one, other) => {
            let name = path.rsplit('.').next().unwrap_or(path);
            let alike = if TIMES.contains(&name) {
                is_time(one) && is_time(other)
            } else if NUMBERS.contains(&name) {
                std::mem::discriminant(one) == std::mem::discriminant(other)
            } else {
                one == other
            };
            if !alike {
                found.insert(format!("{path} value"));
            }
        }
    }
}

fn is_time(value: &Json) -> bool {
    let form = "0000-00-00T00:00:00+0000";
    value.as_str().is_some_and(|text| {
        text.len() == form.len()
            && text.bytes().zip(form.bytes()).all(|(letter, wanted)| match wanted {
                b'0' => letter.is_ascii_digit(),
                other => letter == other,
            })
    })
}

#[test]
fn differences_are_found() {
    let json = |text: &str| serde_json::from_str::<Json>(text).unwrap();
    let found = differences(
        &json(r#"{"host":[{"id":"1","name":"a","created":"2026-11-23T16:47:49+0000","tags":[]}]}"#),
        &json(r#"{"host":[{"name":"b","id":"1","created":"yesterday","tags":[1],"more":1}]}"#),
    );
    let words = ["host order", "host.created value", "host.more added", "host.name value", "host.tags value"];
    assert_eq!(found.into_iter().collect::<Vec<_>>(), words);
}
