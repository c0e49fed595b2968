//! What a real management server answered when an estate was made with real agents, and what it wrote: each call is made to
//! the whole gateway, whose agents are simulated at the recorded addresses.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;
use stackmotion::agent::spec::{HostSpec, WorldSpec};

use super::bench::Bench;
use crate::lists::support::seed;
use crate::support::database;

/// One call.
#[derive(Debug, Deserialize)]
struct Case {
    name: String,
    pairs: Vec<(String, String)>,
    status: u16,
    body: Json,
    events: Vec<BTreeMap<String, Option<String>>>,
    after: BTreeMap<String, Vec<Change>>,
}

/// A row that was written, or columns that were changed: before and after.
#[derive(Debug, Deserialize)]
struct Change {
    change: String,
    #[serde(default)]
    row: BTreeMap<String, Json>,
    #[serde(default)]
    columns: BTreeMap<String, [Json; 2]>,
}

fn cases() -> Vec<Case> {
    serde_json::from_str(&crate::support::golden::text("estate.json")).expect("cases")
}

/// The names of all cases.
pub fn names() -> Vec<String> {
    cases().into_iter().map(|case| case.name).collect()
}

/// Columns that no two servers write alike: numbers, times, sizes of real disks.
const OWN: [&str; 20] = [
    "id",
    "uuid",
    "created",
    "update_time",
    "last_ping",
    "mgmt_server_id",
    "host_id",
    "pool_id",
    "pod_id",
    "cluster_id",
    "private_mac_address",
    "storage_mac_address",
    "used_bytes",
    "capacity_bytes",
    "used_capacity",
    "total_capacity",
    "value",
    "guid",
    "removed",
    "version",
];

/// What is different on purpose (`docs/api-compat.md`, Zones to pools): table and column.
const DIFFERENT: [(&str, &str); 6] = [
    ("data_center", "mac_address"),
    ("host", "dom0_memory"),
    ("storage_pool", "path"),
    ("storage_pool", "user_info"),
    ("storage_pool_host_ref", "local_path"),
    ("op_host", "sequence"),
];

/// Fields whose values no two servers have alike.
const OWN_FIELDS: [&str; 9] = [
    "created",
    "lastpinged",
    "managementserverid",
    "managementservername",
    "capacitybytes",
    "disksizetotal",
    "disksizeused",
    "version",
    "details",
];

/// Recorded ids and ours.
#[derive(Default)]
struct Ids(BTreeMap<String, String>);

impl Ids {
    fn ours(&self, text: &str) -> String {
        self.0.get(text).cloned().unwrap_or_else(|| text.to_owned())
    }

    /// Compares two answers; ids that are met for the first time are learnt.
    fn compare(&mut self, path: &str, recorded: &Json, ours: &Json) {
        match (recorded, ours) {
            (Json::Object(recorded), Json::Object(ours)) => {
                for (name, value) in recorded {
                    let inside = format!("{path}.{name}");
                    let own = ours.get(name).unwrap_or_else(|| panic!("{inside} is missing: {ours:?}"));
                    if !OWN_FIELDS.contains(&name.as_str()) {
                        self.compare(&inside, value, own);
                    }
                }
                for name in ours.keys() {
                    assert!(recorded.contains_key(name), "{path}.{name} was not recorded: {ours:?}");
                }
            }
            (Json::Array(recorded), Json::Array(ours)) => {
                assert_eq!(recorded.len(), ours.len(), "{path}");
                for (one, other) in recorded.iter().zip(ours) {
                    self.compare(path, one, other);
                }
            }
            (Json::String(recorded), Json::String(ours)) if uuid::Uuid::try_parse(recorded).is_ok() => {
                let known = self.0.entry(recorded.clone()).or_insert_with(|| ours.clone());
                assert_eq!(known, ours, "{path}");
            }
            _ => assert_eq!(ours, recorded, "{path}"),
        }
    }
}

/// The world of the recording: hosts on this machine, and the shares of one server.
fn world() -> WorldSpec {
    let mut spec = WorldSpec::new().share("\\\\10.1.1.10\\primary1").share("\\\\10.1.1.10\\primary3");
    for ip in ["127.0.0.2", "127.0.0.3", "127.0.0.4"] {
        spec.hosts.push(HostSpec {
            ip: ip.to_owned(),
            name: ip.to_owned(),
            memory_bytes: 34_359_738_368,
            cpus: 8,
            cpu_sockets: 1,
            speed_mhz: 2400,
            ..HostSpec::default()
        });
    }
    spec
}

/// The rows that were there: the zone, its first pod, and an empty cluster.
async fn before(bench: &Bench) {
    let rows: Json = serde_json::from_str(&crate::support::golden::text("rows.json")).expect("rows");
    let zone = rows["data_center"].clone();
    let pod = rows["host_pod_ref"].clone();
    let cluster = serde_json::json!([{
        "id": 3, "name": "hvx", "uuid": "3622c53e-9fb7-4a6e-82aa-24f78b8070c4", "pod_id": 1, "data_center_id": 1,
        "hypervisor_type": "Hyperv",
    }]);
    let tables = serde_json::json!({ "data_center": zone, "host_pod_ref": pod, "cluster": cluster });
    seed(&bench.store, &tables).await;
}

/// Hosts and a cluster that were made between two recorded calls.
async fn meanwhile(bench: &Bench, ids: &mut Ids, next: &str) {
    let zone = ids.ours("3f956645-b73c-4a27-aa22-12d6343486ce");
    let pod = ids.ours("598e1034-1daa-49b4-acc0-2c91fddf9b71");
    if next == "hv-add-host-4" {
        let place = [zone, pod, ids.ours("1cc2fb14-739d-4a10-9a8a-81f3c7b9b8a9")];
        bench.host(&place, "127.0.0.2").await.expect("a host");
    } else if next == "hv-create-pool-hv-smb3" {
        let cluster = bench.cluster(&zone, &pod, "hv1").await;
        ids.0.insert("360755ac-c876-4a45-bb7b-e8e45c6b261f".to_owned(), cluster.clone());
        bench.host(&[zone, pod, cluster], "127.0.0.3").await.expect("a host");
    }
}

async fn newest(bench: &Bench, table: &str, count: usize) -> Vec<BTreeMap<String, Option<String>>> {
    let columns = bench.store.db().rows(&format!("SELECT * FROM {table} ORDER BY id DESC LIMIT {count}"), vec![]).await;
    let names = crate::estate::recorded::columns_of(table);
    let read = |row: &stackmotion::store::Row| {
        names.iter().map(|name| (name.clone(), row.get::<Option<String>>(name).unwrap_or_default())).collect()
    };
    columns.expect("rows").iter().map(read).collect()
}

/// The columns of a table, from the file that makes it.
fn columns_of(table: &str) -> Vec<String> {
    let tables = include_str!("../../migrations/0001_cloudstack_tables.sql");
    let start = tables.find(&format!("CREATE TABLE `{table}` (")).unwrap_or_else(|| panic!("no table {table}"));
    let body = &tables[start..];
    let body = &body[..body.find("\n);").expect("an end")];
    body.lines().skip(1).filter_map(|line| Some(line.trim().strip_prefix('`')?.split('`').next()?.to_owned())).collect()
}

fn text(value: &Json) -> Option<String> {
    match value {
        Json::Null => None,
        Json::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Compares the rows that a call wrote with those that were recorded.
async fn compare_rows(bench: &Bench, case: &Case, kind: &str) {
    for (table, changes) in &case.after {
        if table == "op_host" {
            continue;
        }
        let new: Vec<_> = changes.iter().filter(|change| change.change == "new").collect();
        let ours = newest(bench, table, new.len()).await;
        // A password stands in one column here, so there is one row of details less.
        let expected = new.iter().filter(|change| table != "storage_pool_details" || change.row["name"] != "password");
        for change in expected {
            let fits = |row: &BTreeMap<String, Option<String>>| {
                change.row.iter().all(|(column, value)| {
                    let skipped = OWN.contains(&column.as_str())
                        || DIFFERENT.contains(&(table.as_str(), column.as_str()))
                        || !row.contains_key(column);
                    skipped || row[column] == text(value)
                })
            };
            assert!(ours.iter().any(fits), "{kind} {}: {table} {:#?} is not among {ours:#?}", case.name, change.row);
        }
    }
    let refused = case.status != 200;
    for change in case.after.get("cluster").into_iter().flatten() {
        if refused && change.columns.contains_key("guid") {
            // CloudStack leaves the guid of a cluster whose host was refused; nothing is left here.
            assert_eq!(bench.count("SELECT COUNT(*) FROM cluster WHERE guid IS NOT NULL").await, 0, "{kind}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estate_is_made_as_it_was_recorded() {
    for (kind, database) in database::each().await {
        let bench = Bench::start_with(database, &world(), &["agent.ping_interval_s=3600"]).await;
        before(&bench).await;
        let mut ids = Ids::default();
        for case in cases() {
            meanwhile(&bench, &mut ids, &case.name).await;
            bench.run("DELETE FROM event").await;
            let pairs: Vec<_> = case.pairs.iter().map(|(name, value)| (name.as_str(), ids.ours(value))).collect();
            let command = pairs.iter().find(|(name, _)| *name == "command").expect("a command").1.clone();
            let params: Vec<_> = pairs
                .iter()
                .filter(|(name, _)| !["command", "response"].contains(name))
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            let recorded = case.body.as_object().and_then(|body| body.values().next()).expect("an envelope");
            match bench.call(&command, &params).await {
                Ok(answer) => {
                    assert_eq!(case.status, 200, "{kind} {}: {answer}", case.name);
                    ids.compare(&format!("{kind} {}", case.name), recorded, &answer);
                }
                Err(refused) => {
                    assert_eq!(Some(refused.code), recorded["errorcode"].as_i64(), "{kind} {}: {refused:?}", case.name);
                    assert_eq!(Some(refused.text.as_str()), recorded["errortext"].as_str(), "{kind} {}", case.name);
                }
            }
            let rows = bench
                .store
                .db()
                .rows("SELECT type, state, level, description, resource_type FROM event ORDER BY id", vec![]);
            let rows = rows.await.expect("events");
            let told: Vec<Vec<Option<String>>> =
                rows.iter().map(|row| (0..5).map(|at| row.at(at).expect("a text")).collect()).collect();
            let wanted: Vec<Vec<Option<String>>> = case
                .events
                .iter()
                .map(|event| {
                    ["type", "state", "level", "description", "resourcetype"]
                        .iter()
                        .map(|name| event.get(*name).cloned().flatten())
                        .collect()
                })
                .collect();
            assert_eq!(told, wanted, "{kind} {}", case.name);
            compare_rows(&bench, &case, kind).await;
        }
        bench.stop().await;
    }
}
