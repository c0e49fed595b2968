//! `listMigrationHistory`: what is over, as a list and as a table, also when the job is forgotten.

use std::collections::HashMap;

use futures_util::TryStreamExt as _;
use serde_json::{Value as Json, json};
use stackmotion::args;
use stackmotion::store::Store;

use super::support::{call, golden_json, reset};
use crate::support::database;
use crate::support::raw_http::{RawRequest, escape_pairs};
use crate::support::world::{World, signed};

const JOB: &str = "00000000-0000-4000-8000-0000000000a1";

fn uuid(id: i64) -> String {
    format!("00000000-0000-4000-9000-{id:012}")
}

/// Motions 1 to 4: done, not done with a reason that is a formula, going on, and done by a job that is forgotten.
fn motions() -> Json {
    let motion = |id: i64, phase: &str, outcome: Json, reason: Json| {
        json!({
            "id": id, "uuid": uuid(id), "job_id": 900 + id, "job_uuid": if id == 4 { json!(JOB) } else { json!(null) },
            "kind": "live-volume", "strategy": "S", "phase": phase, "outcome": outcome, "vm_id": 6, "vm_name": "i-2-6-VM",
            "source_host_id": 1, "bytes_total": 4096, "bytes_done": 2048, "reason": reason, "verified": "seen, \"twice\"",
            "created": "2026-11-24 18:00:00", "sent_at": "2026-11-24 18:00:01", "updated": "2026-11-24 18:00:05",
            "ended": if phase == "settled" { json!("2026-11-24 18:00:05") } else { json!(null) },
        })
    };
    json!({
        "motion_migration": [
            motion(1, "settled", json!("done"), json!(null)),
            motion(2, "settled", json!("not-done"), json!("=HYPERLINK(\"http://x\"),\nfull")),
            motion(3, "sent", json!(null), json!(null)),
            motion(4, "settled", json!("done"), json!(null)),
        ],
        "motion_disk": [
            {"id": 1, "migration_id": 2, "volume_id": 5, "stem": "a", "source_pool_id": 1, "target_pool_id": 2},
            {"id": 2, "migration_id": 2, "volume_id": 6, "stem": "b", "source_pool_id": 1, "target_pool_id": 2},
        ],
    })
}

async fn prepared(store: &Store) {
    reset(store, &golden_json("lists/rows.json")).await;
    reset(store, &motions()).await;
}

async fn ids(store: &Store, more: &[(&str, &str)]) -> Vec<String> {
    let mut args: Vec<_> = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    args.push(("response".to_owned(), "json".to_owned()));
    let answer = call(store, "admin", "listMigrationHistory", &args).await;
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    let inside = &body["listmigrationhistoryresponse"];
    assert_eq!(answer.status, 200, "{body}");
    let empty = Vec::new();
    let items = inside["migration"].as_array().unwrap_or(&empty);
    items.iter().map(|item| item["id"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn what_is_over_is_listed_with_the_filters_of_the_other_list() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let all = [uuid(4), uuid(2), uuid(1)];
        assert_eq!(ids(store, &[]).await, all, "{kind}");
        assert_eq!(ids(store, &[("outcome", "not-done")]).await, [uuid(2)], "{kind}");
        assert_eq!(ids(store, &[("jobid", JOB)]).await, [uuid(4)], "{kind}: its job is not known any more");
        assert_eq!(ids(store, &[("keyword", "HYPERLINK")]).await, [uuid(2)], "{kind}");
        assert_eq!(ids(store, &[("page", "2"), ("pagesize", "2")]).await, [uuid(1)], "{kind}");
        assert_eq!(ids(store, &[("isover", "false")]).await, all, "{kind}: no parameter of this list");
        assert_eq!(ids(store, &[("startdate", "2026-11-25")]).await, [""; 0], "{kind}");
        let args = [("format".to_owned(), "xlsx".to_owned())];
        let refused = call(store, "admin", "listMigrationHistory", &args).await;
        assert!(refused.status == 431 && refused.body.contains("xlsx is no format"), "{kind}: {}", refused.body);
    }
}

/// The lines of a table, each by the names in the first one.
fn table(text: &str) -> Vec<HashMap<String, String>> {
    let mut lines: Vec<Vec<String>> = vec![vec![String::new()]];
    let mut is_quoted = false;
    for letter in text.replace("\r\n", "\r").chars() {
        let line = lines.last_mut().expect("a line");
        match letter {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => line.push(String::new()),
            '\r' if !is_quoted => lines.push(vec![String::new()]),
            other => line.last_mut().expect("a cell").push(other),
        }
    }
    assert_eq!(lines.pop(), Some(vec![String::new()]), "the last line has an end");
    let names = lines.remove(0);
    assert!(lines.iter().all(|line| line.len() == names.len()), "{lines:?}");
    lines.into_iter().map(|line| names.iter().cloned().zip(line).collect()).collect()
}

/// Motions 11 to 14, a day after each other: a machine, a machine with its disks, a cold copy, and one that goes on.
fn varied() -> Json {
    let motion = |id: i64, kind: &str, vm: Option<i64>, hosts: (i64, Option<i64>), outcome: Option<&str>| {
        let day = format!("2026-11-{id} 12:00:00");
        json!({
            "id": id, "uuid": uuid(id), "job_id": 900 + id, "kind": kind, "strategy": "S", "vm_id": vm,
            "phase": if outcome.is_some() { "settled" } else { "sent" }, "outcome": outcome,
            "source_host_id": hosts.0, "target_host_id": hosts.1, "bytes_total": 1, "bytes_done": 1,
            "created": &day, "sent_at": &day, "updated": &day, "ended": outcome.map(|_| &day),
        })
    };
    let disk = |id: i64, motion: i64, volume: i64, copy: Option<i64>, pools: (i64, i64)| {
        json!({
            "id": id, "migration_id": motion, "volume_id": volume, "copy_volume_id": copy, "stem": "s",
            "source_pool_id": pools.0, "target_pool_id": pools.1,
        })
    };
    json!({
        "motion_migration": [
            motion(11, "live-vm", Some(3), (3, Some(4)), Some("done")),
            motion(12, "live-vm-with-storage", Some(5), (4, Some(3)), Some("partly")),
            motion(13, "cold-volume", None, (1, None), Some("unknown")),
            motion(14, "live-volume", Some(3), (3, None), None),
        ],
        "motion_disk": [
            disk(1, 12, 6, None, (3, 4)), disk(2, 12, 7, None, (3, 5)), disk(3, 13, 102, Some(106), (1, 2)),
            disk(4, 14, 4, None, (4, 3)),
        ],
    })
}

/// Every filter, on the list and on the table.
#[tokio::test]
async fn every_filter_narrows_the_list_and_the_table() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        reset(store, &varied()).await;
        let id_of = async |table: &str, id: i64| -> String {
            let sql = format!("SELECT uuid FROM {table} WHERE id = ?");
            store.db().row(&sql, args![id]).await.expect("the database").expect("a row").at(0).expect("an id")
        };
        let (host, pool) = (id_of("host", 3).await, id_of("storage_pool", 4).await);
        let of_14 = id_of("volumes", 4).await;
        for (filters, wanted) in [
            (vec![], vec![13, 12, 11]),
            (vec![("id", uuid(12))], vec![12]),
            (vec![("id", uuid(14))], vec![]),
            (vec![("hostid", host.clone())], vec![12, 11]),
            (vec![("hostid", id_of("host", 1).await)], vec![13]),
            (vec![("hostid", id_of("host", 2).await)], vec![]),
            (vec![("storageid", pool.clone())], vec![12]),
            (vec![("storageid", id_of("storage_pool", 5).await)], vec![12]),
            (vec![("storageid", id_of("storage_pool", 2).await)], vec![13]),
            (vec![("volumeid", id_of("volumes", 7).await)], vec![12]),
            (vec![("volumeid", id_of("volumes", 102).await)], vec![13]),
            (vec![("volumeid", id_of("volumes", 106).await)], vec![13]),
            (vec![("volumeid", of_14)], vec![]),
            (vec![("virtualmachineid", id_of("vm_instance", 3).await)], vec![11]),
            (vec![("virtualmachineid", id_of("vm_instance", 5).await)], vec![12]),
            (vec![("virtualmachineid", id_of("vm_instance", 6).await)], vec![]),
            (vec![("kind", "live-vm".to_owned())], vec![11]),
            (vec![("kind", "cold-volume".to_owned())], vec![13]),
            (vec![("kind", "live-volume".to_owned())], vec![]),
            (vec![("outcome", "partly".to_owned())], vec![12]),
            (vec![("enddate", "2026-11-12".to_owned())], vec![12, 11]),
            (vec![("enddate", "2026-11-12 11:59:59".to_owned())], vec![11]),
            (vec![("enddate", "2026-11-12 12:00:00".to_owned())], vec![12, 11]),
            (vec![("startdate", "2026-11-12".to_owned()), ("enddate", "2026-11-12".to_owned())], vec![12]),
            (vec![("hostid", host), ("kind", "live-vm".to_owned())], vec![11]),
            (vec![("storageid", pool), ("outcome", "done".to_owned())], vec![]),
        ] {
            let filters: Vec<_> = filters.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let wanted: Vec<_> = wanted.into_iter().map(uuid).collect();
            assert_eq!(ids(store, &filters).await, wanted, "{kind}: {filters:?}");
            let asked = [filters.as_slice(), &[("format", "csv")]].concat();
            let reply = super::support::reply(store, "admin", "listMigrationHistory", &asked).await;
            let stackmotion::api::Reply::Flow(flow) = reply else { panic!("{reply:?}") };
            let pieces: Vec<_> = flow.pieces.try_collect().await.expect("pieces");
            let lines = table(&String::from_utf8(pieces.concat()).expect("text"));
            let told: Vec<_> = lines.iter().map(|line| line["id"].clone()).collect();
            assert_eq!(told, wanted, "{kind}, as a table: {filters:?}");
        }
        let nothing = [("kind", "teleport"), ("hostid", "nowhere"), ("volumeid", "nothing"), ("storageid", "nowhere")];
        for (name, value) in nothing.into_iter().chain([("virtualmachineid", "nobody"), ("enddate", "soon")]) {
            let args = [(name.to_owned(), value.to_owned())];
            let refused = call(store, "admin", "listMigrationHistory", &args).await;
            assert_eq!(refused.status, 431, "{kind}: {name}={value}: {}", refused.body);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_table_over_http() {
    let world = World::start().await;
    prepared(&world.store).await;
    let ask = async |more: &[(&str, &str)]| {
        let call = [&[("command", "listMigrationHistory"), ("format", "csv")], more].concat();
        let pairs = signed("admin", &call);
        RawRequest::get(format!("/client/api?{}", escape_pairs(&pairs))).send(world.address).await
    };
    let answer = ask(&[]).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("text/csv; charset=utf-8")), "{answer:?}");
    assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"migrations.csv\""));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert!(answer.header("x-request-id").is_some());
    let rows = table(&answer.whole_body());
    let of = |name: &str| rows.iter().map(|row| row[name].as_str()).collect::<Vec<_>>();
    assert_eq!(of("id"), [uuid(4), uuid(2), uuid(1)]);
    assert_eq!(of("jobid"), [JOB, "", ""]);
    assert_eq!(of("started"), ["2026-11-24T18:00:01Z"; 3]);
    assert_eq!(of("duration_seconds"), ["4"; 3]);
    assert_eq!(of("bytes_per_second"), ["512", "", "512"]);
    assert!(of("reason")[1].starts_with("'=HYPERLINK(") && of("reason")[1].contains('\n'), "{rows:?}");
    assert!(of("volumeids")[1].contains("; ") && of("volumeids")[0].is_empty(), "{rows:?}");

    let page = ask(&[("page", "2"), ("pagesize", "2"), ("response", "json")]).await;
    assert_eq!(table(&page.whole_body()).iter().map(|row| row["id"].clone()).collect::<Vec<_>>(), [uuid(1)]);
    assert_eq!(table(&ask(&[("outcome", "unknown")]).await.whole_body()).len(), 0, "only the names");
    let refused = ask(&[("outcome", "lost"), ("response", "json")]).await;
    assert!(refused.status == 431 && refused.body.starts_with("{\"listmigrationhistoryresponse\""), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_table_comes_in_parts_and_has_every_line_once() {
    const MANY: i64 = 2_000;
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let mut tx = store.begin().await.expect("a transaction");
        let sql = "INSERT INTO motion_migration (id, uuid, job_id, kind, strategy, phase, outcome, source_host_id, created, \
            updated, ended) SELECT ?, ?, job_id, kind, strategy, phase, outcome, source_host_id, created, updated, ended \
            FROM motion_migration WHERE id = 1";
        for id in 5..=MANY {
            tx.run(sql, args![id, uuid(id)]).await.expect("a motion");
        }
        tx.commit().await.expect("motions");
        let filter = stackmotion::store::MotionFilter { is_over: Some(true), ..Default::default() };
        let (all, _) = store.motions_page(&filter, Default::default()).await.expect("a count");
        assert_eq!(all, MANY - 1, "{kind}: one goes on");
        let reply = super::support::reply(store, "admin", "listMigrationHistory", &[("format", "csv")]).await;
        let stackmotion::api::Reply::Flow(flow) = reply else { panic!("{reply:?}") };
        let pieces: Vec<_> = flow.pieces.try_collect().await.expect("pieces");
        assert!(pieces.len() as i64 >= all / 500, "{kind}: {} pieces", pieces.len());
        let text = String::from_utf8(pieces.concat()).expect("text");
        let mut found: Vec<_> = table(&text).into_iter().map(|row| row["id"].clone()).collect();
        assert_eq!(found.len() as i64, all, "{kind}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len() as i64, all, "{kind}: none twice");
    }
}
