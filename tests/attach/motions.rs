//! What motions leave behind in CloudStack's tables: what `contract/migration.md` 3.4 to 3.8 says that CloudStack leaves, and
//! nothing else. All recorded motions are replayed too.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use stackmotion::motion::hypervisor::Answer;
use stackmotion::store::Store;

use super::cloud::{Cloud, Snapshot, differences, new_rows};
use super::recorded::{hyperv_rows, rows};
use crate::motion_golden::agent::refusal;
use crate::motion_golden::cases;
use crate::motion_golden::replay::Gateway;
use crate::motion_golden::{Differences, documented, estate, replay};

/// A disk of a running machine, from one pool of its cluster to another.
pub const MOVE: &[(&str, &str)] = &[
    ("command", "migrateVolume"),
    ("volumeid", "f448670d-90bd-4b89-bf09-448604ff8ed3"),
    ("storageid", "cd4f936d-dc6c-3f36-b597-1341e5a41f2b"),
    ("livemigrate", "true"),
];

/// Calls a command as the administrator and gives its job.
pub async fn submit(gateway: &Gateway, call: &[(&str, &str)]) -> String {
    let mut pairs: Vec<_> = call.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.push(("response".to_owned(), "json".to_owned()));
    let answer = gateway.send("GET", "admin", &pairs).await;
    let body: Json = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{}", answer.body));
    let job = body.as_object().and_then(|body| body.values().next()?.get("jobid")?.as_str());
    job.unwrap_or_else(|| panic!("{}", answer.body)).to_owned()
}

/// A time is only known to be one.
fn timeless(change: &str) -> String {
    let is_time = |text: &str| {
        text.len() == 19
            && text.as_bytes().iter().enumerate().all(|(at, letter)| match at {
                4 | 7 => *letter == b'-',
                10 => *letter == b' ',
                13 | 16 => *letter == b':',
                _ => letter.is_ascii_digit(),
            })
    };
    match change.rsplit_once(" -> ") {
        Some((rest, value)) if is_time(value) => {
            format!("{} -> time", rest.rsplit_once(": ").map_or(rest, |(rest, _)| rest))
        }
        _ => change.to_owned(),
    }
}

/// Moves something and gives the rows before and after.
async fn moved(tables: &Map<String, Json>, call: &[(&str, &str)], answer: Answer<()>) -> (Snapshot, Snapshot) {
    let cloud = Cloud::with(tables, true).await;
    let made = cloud.tables().await;
    let gateway = Gateway::attached(&cloud.0.url(), tables.clone(), &[]).await;
    let before = cloud.snapshot().await;
    gateway.answer(answer);
    let job = submit(&gateway, call).await;
    gateway.wait_for_job(&job).await;
    let after = cloud.snapshot().await;
    gateway.stop().await;
    // No table of CloudStack's looks different, and those that came are ours.
    let mut now = cloud.tables().await;
    now.retain(|table, _| !table.starts_with("motion_"));
    assert_eq!(now, made);
    (before, after)
}

/// Fails unless exactly this was changed. Rows of the job and its events are expected of every motion.
fn changed(rows: &(Snapshot, Snapshot), expected: &[&str]) {
    changed_with(rows, expected, &["Scheduled", "Started", "Completed"]);
}

/// The same with events of these states.
fn changed_with((before, after): &(Snapshot, Snapshot), expected: &[&str], events: &[&str]) {
    let found: BTreeSet<String> = differences(before, after).iter().map(|change| timeless(change)).collect();
    let expected: BTreeSet<String> =
        expected.iter().chain(&["async_job: new", "event: new"]).map(|change| (*change).to_owned()).collect();
    let surplus: Vec<_> = found.difference(&expected).collect();
    let lacking: Vec<_> = expected.difference(&found).collect();
    assert!(surplus.is_empty() && lacking.is_empty(), "besides: {surplus:#?}\nlacking: {lacking:#?}");
    let states: Vec<&str> = new_rows(before, after, "event").iter().map(|event| event["state"].as_str()).collect();
    assert_eq!(states, events);
    assert_eq!(new_rows(before, after, "async_job").len(), 1);
}

/// Fails unless the new row is the copy that took the place of an old one, and both were told to the bookkeeping (3.5, 3.7).
fn copied((before, after): &(Snapshot, Snapshot), old_id: &str, told: &[(&str, &str)]) {
    let old = &before["volumes"][old_id];
    let [new] = new_rows(before, after, "volumes")[..] else { panic!("one copy") };
    let all = [
        ("state", "Ready"),
        ("pool_id", "2"),
        ("last_pool_id", old["pool_id"].as_str()),
        ("last_id", old_id),
        ("folder", "/export/ps1"),
        ("update_count", "2"),
        ("removed", "NULL"),
        ("chain_info", "NULL"),
        ("host_ip", "NULL"),
    ];
    let mut expected = old.clone();
    expected.extend(all.iter().chain(told).map(|(column, value)| ((*column).to_owned(), (*value).to_owned())));
    for made in ["id", "path", "created", "updated"] {
        assert_ne!(new[made], "NULL");
        expected.insert(made.to_owned(), new[made].clone());
    }
    assert_eq!(new, &expected);
    assert!(new["path"].len() == 36 && new["path"] != old["path"], "{new:?}");
    let usage: Vec<_> = new_rows(before, after, "usage_event")
        .iter()
        .map(|row| {
            let columns = ["type", "resource_id", "size", "offering_id", "zone_id", "account_id", "processed"];
            columns.map(|column| row[column].as_str())
        })
        .collect();
    let (account, offering) = (old["account_id"].as_str(), old["disk_offering_id"].as_str());
    let expected = [
        ["VOLUME.CREATE", &new["id"], &old["size"], offering, "1", account, "0"],
        ["VOLUME.DELETE", old_id, "NULL", "NULL", "1", account, "0"],
    ];
    assert_eq!(usage, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_of_a_running_machine() {
    let rows = moved(&rows(), MOVE, Ok(())).await;
    changed(
        &rows,
        &[
            "volumes 166 pool_id: 1 -> 5",
            "volumes 166 last_pool_id: 3 -> 1",
            "volumes 166 folder: /export/ps0 -> /export/ps2",
            "volumes 166 update_count: 8 -> 10",
            "volumes 166 updated -> time",
            // What CloudStack's next recount of the pools gives (3.7).
            "op_host_capacity 7 used_capacity: 17179869284 -> 11811160164",
            "op_host_capacity 7 update_time -> time",
            "op_host_capacity 19 used_capacity: 0 -> 5368709120",
            "op_host_capacity 19 update_time -> time",
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_nobody_uses() {
    let call = [
        ("command", "migrateVolume"),
        ("volumeid", "74589b0c-4110-4528-9b34-60b46e8be525"),
        ("storageid", "8f855ff1-bc9b-3ce1-944b-e85882e7b75b"),
    ];
    let rows = moved(&rows(), &call, Ok(())).await;
    changed(
        &rows,
        &[
            "volumes: new",
            "volumes 168 uuid: 74589b0c-4110-4528-9b34-60b46e8be525 -> NULL",
            "volumes 168 state: Ready -> Expunged",
            "volumes 168 removed -> time",
            "volumes 168 update_count: 2 -> 7",
            "volumes 168 updated -> time",
            "usage_event: new",
            "op_host_capacity 7 used_capacity: 17179869284 -> 11811160164",
            "op_host_capacity 7 update_time -> time",
            "op_host_capacity 8 used_capacity: 20401094856 -> 25769803976",
            "op_host_capacity 8 update_time -> time",
        ],
    );
    copied(
        &rows,
        "168",
        &[("uuid", "74589b0c-4110-4528-9b34-60b46e8be525"), ("instance_id", "NULL"), ("device_id", "NULL")],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_machine() {
    let call = [
        ("command", "migrateVirtualMachine"),
        ("virtualmachineid", "de1fe04e-f4e8-41c2-aee1-b986e4ef102e"),
        ("hostid", "2772e184-59d0-42c2-a9b1-66a6d9d84406"),
    ];
    let gone = moved(&rows(), &call, Ok(())).await;
    changed(
        &gone,
        &[
            "vm_instance 6 host_id: 1 -> 2",
            "vm_instance 6 last_host_id: 2 -> 1",
            "vm_instance 6 update_count: 242 -> 244",
            "vm_instance 6 update_time -> time",
            "op_host_capacity 26 used_capacity: 1 -> 0",
            "op_host_capacity 26 update_time -> time",
            "op_host_capacity 27 used_capacity: 536870912 -> 0",
            "op_host_capacity 27 update_time -> time",
            "op_host_capacity 28 used_capacity: 500 -> 0",
            "op_host_capacity 28 update_time -> time",
            "op_host_capacity 4 used_capacity: 2 -> 3",
            "op_host_capacity 4 update_time -> time",
            "op_host_capacity 5 used_capacity: 1073741824 -> 1610612736",
            "op_host_capacity 5 update_time -> time",
            "op_host_capacity 6 used_capacity: 1000 -> 1500",
            "op_host_capacity 6 update_time -> time",
        ],
    );
    let stayed = moved(&rows(), &call, refusal("no")).await;
    // The host before is lost, and the target's room is given back (3.6).
    changed(
        &stayed,
        &[
            "vm_instance 6 last_host_id: 2 -> 1",
            "vm_instance 6 update_count: 242 -> 244",
            "vm_instance 6 update_time -> time",
            "op_host_capacity 4 update_time -> time",
            "op_host_capacity 5 update_time -> time",
            "op_host_capacity 6 update_time -> time",
            "alert: new",
        ],
    );
    let alerts = new_rows(&stayed.0, &stayed.1, "alert");
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    assert_eq!((alert["type"].as_str(), alert["name"].as_str()), ("17", "ALERT.USERVM.MIGRATE"));
    assert_eq!(
        (alert["data_center_id"].as_str(), alert["pod_id"].as_str(), alert["archived"].as_str()),
        ("1", "1", "0")
    );
    assert!(alert["subject"].starts_with("Unable to migrate vm i-"), "{alert:?}");
    let (zone, pod) = place_of(&alert["subject"]);
    assert_ne!(zone, pod);
}

/// Where an alert says that a move has failed: zone and pod.
fn place_of(subject: &str) -> (&str, &str) {
    let place = subject.split_once(" in zone ").expect("a place").1;
    place.split_once(" and pod ").expect("a zone and a pod")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_machine_with_its_disks() {
    let call = [
        ("command", "migrateVirtualMachineWithVolume"),
        ("virtualmachineid", "de1fe04e-f4e8-41c2-aee1-b986e4ef102e"),
        ("hostid", "842fefc9-008f-48f5-bc67-53b60f148e1c"),
        ("migrateto[0].volume", "ad73e51b-a49e-42ed-83d7-85845b55f57b"),
        ("migrateto[0].pool", "42fe8163-9b62-33bc-8fba-022ce7967d6d"),
        ("migrateto[1].volume", "f448670d-90bd-4b89-bf09-448604ff8ed3"),
        ("migrateto[1].pool", "27eabb32-85eb-37d2-8d3c-7c5f3567fb01"),
    ];
    let rows = moved(&hyperv_rows(), &call, Ok(())).await;
    changed(
        &rows,
        &[
            "vm_instance 6 host_id: 1 -> 3",
            "vm_instance 6 last_host_id: 2 -> 1",
            "vm_instance 6 update_count: 242 -> 244",
            "vm_instance 6 update_time -> time",
            "volumes 165 pool_id: 2 -> 3",
            "volumes 165 last_pool_id: 4 -> 2",
            "volumes 165 folder: /export/ps1 -> /export/ps0",
            "volumes 165 update_count: 8 -> 10",
            "volumes 165 updated -> time",
            "volumes 166 pool_id: 1 -> 4",
            "volumes 166 last_pool_id: 3 -> 1",
            "volumes 166 folder: /export/ps0 -> /export/ps1",
            "volumes 166 update_count: 8 -> 10",
            "volumes 166 updated -> time",
            "op_host_capacity 26 used_capacity: 1 -> 0",
            "op_host_capacity 26 update_time -> time",
            "op_host_capacity 27 used_capacity: 536870912 -> 0",
            "op_host_capacity 27 update_time -> time",
            "op_host_capacity 28 used_capacity: 500 -> 0",
            "op_host_capacity 28 update_time -> time",
            "op_host_capacity 9 used_capacity: 2 -> 3",
            "op_host_capacity 9 update_time -> time",
            "op_host_capacity 10 used_capacity: 1073741824 -> 1610612736",
            "op_host_capacity 10 update_time -> time",
            "op_host_capacity 11 used_capacity: 1000 -> 1500",
            "op_host_capacity 11 update_time -> time",
            "op_host_capacity 7 used_capacity: 17179869284 -> 11811160164",
            "op_host_capacity 7 update_time -> time",
            "op_host_capacity 8 used_capacity: 20401094856 -> 18253611208",
            "op_host_capacity 8 update_time -> time",
            "op_host_capacity 15 used_capacity: 22548578504 -> 24696062152",
            "op_host_capacity 15 update_time -> time",
            "op_host_capacity 16 used_capacity: 15032385736 -> 20401094856",
            "op_host_capacity 16 update_time -> time",
        ],
    );
    // With disks the zone stands in the pod's place (`contract/migration.md` 3.8).
    let stayed = moved(&hyperv_rows(), &call, refusal("no")).await;
    let alerts = new_rows(&stayed.0, &stayed.1, "alert");
    let [alert] = &alerts[..] else { panic!("{alerts:?}") };
    let (zone, pod) = place_of(&alert["subject"]);
    assert_eq!((zone, pod), ("lab", "lab"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_says_in_letters_that_the_tables_do_not_hold() {
    let call = [
        ("command", "migrateVirtualMachine"),
        ("virtualmachineid", "de1fe04e-f4e8-41c2-aee1-b986e4ef102e"),
        ("hostid", "2772e184-59d0-42c2-a9b1-66a6d9d84406"),
    ];
    let (before, after) = moved(&rows(), &call, refusal("no room \u{1F4BE} in \u{20AC}")).await;
    for (table, column) in [("async_job", "job_result"), ("alert", "content")] {
        let [row] = &new_rows(&before, &after, table)[..] else { panic!("one row in {table}") };
        assert!(row[column].contains("no room \u{FFFD} in \u{20AC}"), "{row:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_machine() {
    let call = [
        ("command", "migrateVirtualMachine"),
        ("virtualmachineid", "8a9c07de-7f0d-41c8-a52e-6bf0b538cc41"),
        ("storageid", "8f855ff1-bc9b-3ce1-944b-e85882e7b75b"),
    ];
    let rows = moved(&rows(), &call, Ok(())).await;
    // CloudStack tells of a stopped machine's move only that it was asked for (1.4).
    changed_with(
        &rows,
        &[
            "vm_instance 9 update_count: 31 -> 33",
            "vm_instance 9 update_time -> time",
            "volumes: new",
            "volumes 161 uuid: 9cd89e65-b12c-49c7-bbb2-f45b46e756a8 -> NULL",
            "volumes 161 state: Ready -> Expunged",
            "volumes 161 removed -> time",
            "volumes 161 volume_type: ROOT -> DATADISK",
            "volumes 161 instance_id: 9 -> NULL",
            "volumes 161 device_id: 0 -> NULL",
            "volumes 161 update_count: 2 -> 7",
            "volumes 161 updated -> time",
            "usage_event: new",
            "op_host_capacity 7 used_capacity: 17179869284 -> 15032385636",
            "op_host_capacity 7 update_time -> time",
            "op_host_capacity 8 used_capacity: 20401094856 -> 22548578504",
            "op_host_capacity 8 update_time -> time",
        ],
        &["Scheduled"],
    );
    copied(&rows, "161", &[("uuid", "9cd89e65-b12c-49c7-bbb2-f45b46e756a8"), ("instance_id", "9"), ("device_id", "0")]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_recorded_motions() {
    // Between cases rows are deleted in any order.
    let mut base = rows();
    base["hypervisor_capabilities"].as_array_mut().expect("rows").pop();
    let cloud = Cloud::with(&base, false).await;
    let (store, _) = Store::attach(&cloud.0.url(), Duration::from_secs(5)).await.expect("attached");
    estate::take_over(&store).await;
    store.db().close().await;
    let gateway = Gateway::attached(&cloud.0.url(), base, &[]).await;
    let mut found = Differences::new();
    replay(&gateway, &cases::all(), &mut found).await;
    gateway.stop().await;
    let untold = documented::untold(&found);
    assert!(untold.is_empty(), "{}", untold.join("\n"));
}

/// Servers that do not mind keep dates without a month; what such a row is shown as must not make a move that was done a failed one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_with_a_date_that_is_none() {
    let tables = rows();
    let cloud = Cloud::with(&tables, true).await;
    cloud.0.sql("SET sql_mode = ''; UPDATE volumes SET created = '2016-00-10 00:00:00' WHERE id = 166;").await;
    let gateway = Gateway::attached(&cloud.0.url(), tables, &[]).await;
    gateway.answer(Ok(()));
    let job = submit(&gateway, MOVE).await;
    gateway.wait_for_job(&job).await;
    let shown = cloud.0.sql(&format!("SELECT job_status, job_result FROM async_job WHERE uuid = '{job}'")).await;
    let ended = shown.lines().nth(1).expect("a job");
    assert!(ended.starts_with("1\t") && !ended.contains("2016"), "{ended}");
    let kept = cloud.0.sql("SELECT created FROM volumes WHERE id = 166").await;
    assert!(kept.contains("2016-00-10"), "{kept}");
    gateway.stop().await;
}
