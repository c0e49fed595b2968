//! Hosts that a machine could move to, and what hosts told of their work: it is shown, what nobody told is not.

use super::support::{call, golden_json, reset};
use crate::support::database;
use serde_json::{Value as Json, json};
use stackmotion::store::{Absence, HostLoadRow, Store};

async fn entries(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> Vec<Json> {
    let mut args: Vec<_> = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    args.push(("response".to_owned(), "json".to_owned()));
    let answer = call(store, user, command, &args).await;
    assert_eq!(answer.status, 200, "{command} {args:?}: {}", answer.body);
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    let inside = body.as_object().expect("an envelope").values().next().expect("its inside");
    inside.as_object().expect("an object").values().find_map(Json::as_array).cloned().unwrap_or_default()
}

/// Half of a host's memory and a quarter of its processors in use.
const LOAD: HostLoadRow = HostLoadRow {
    cpu_percent: 25.0,
    memory_bytes: 8 << 30,
    free_memory_bytes: 4 << 30,
    received_bytes: 3 << 30,
    sent_bytes: 1 << 29,
};

#[tokio::test]
async fn the_load_that_a_host_told_is_shown_while_it_is_up() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        store.host_load_write(1, &LOAD).await.unwrap();
        let uuid: String =
            store.db().row("SELECT uuid FROM host WHERE id = 1", vec![]).await.unwrap().unwrap().at(0).unwrap();
        let host = &entries(store, "admin", "listHostsMetrics", &[("id", &uuid)]).await[0];
        assert_eq!(host["cpuused"], "25%", "{kind}");
        assert_eq!(host["memoryused"], 4_i64 << 30);
        assert_eq!(host["networkkbsread"], 3 << 20);
        assert_eq!(host["cpuusedghz"], "8.00 Ghz");
        assert_eq!(host["memoryusedgb"], "4.00 GB");
        assert_eq!((&host["networkread"], &host["networkwrite"]), (&json!("3.00 GB"), &json!("0.50 GB")));
        assert_eq!((&host["cputhreshold"], &host["memorythreshold"]), (&json!(false), &json!(false)));
        let plain = &entries(store, "admin", "listHosts", &[("id", &uuid), ("details", "stats")]).await[0];
        assert_eq!(plain["cpuused"], "25%");
        let bare = &entries(store, "admin", "listHosts", &[("id", &uuid), ("details", "min")]).await[0];
        assert!(bare.get("cpuused").is_none(), "{kind}: {bare}");
        let zone = &entries(store, "admin", "listZonesMetrics", &[]).await[0];
        assert_eq!((&zone["cpuused"], &zone["memoryused"]), (&json!("25.00%"), &json!("50.00%")), "{kind}");
        let clusters = entries(store, "admin", "listClustersMetrics", &[]).await;
        let told: Vec<_> = clusters.iter().map(|cluster| cluster.get("cpuused").is_some()).collect();
        assert_eq!(told, [true, false], "{kind}: {clusters:?}");
        assert_eq!(clusters[0]["hosts"], "2 / 2");
        assert_eq!((&zone["cputhreshold"], &zone["memorydisablethreshold"]), (&json!(false), &json!(false)), "{kind}");
        store.host_away(1, Absence::Silent, "it is silent").await.unwrap();
        let away = &entries(store, "admin", "listHostsMetrics", &[("id", &uuid)]).await[0];
        assert!(away.get("cpuused").is_none() && away.get("cpuusedghz").is_none(), "{kind}: {away}");
        let zone = &entries(store, "admin", "listZonesMetrics", &[]).await[0];
        assert!(zone.get("cpuused").is_none() && zone.get("memorythreshold").is_none(), "{kind}: {zone}");
    }
}

#[tokio::test]
async fn hosts_of_a_machine_are_those_it_could_move_to() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let sql =
            "SELECT uuid FROM vm_instance WHERE type = 'User' AND state = 'Running' AND account_id = 2 ORDER BY id";
        let vm: String = store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap();
        let shown = |hosts: Vec<Json>| {
            let told = |host: &Json| (host["id"].clone(), host["suitableformigration"].clone());
            hosts.iter().map(told).collect::<Vec<_>>()
        };
        let found = entries(store, "admin", "findHostsForMigration", &[("virtualmachineid", &vm)]).await;
        let args = [("virtualmachineid", vm.as_str()), ("type", "Storage"), ("name", "nobody")];
        let listed = entries(store, "admin", "listHosts", &args).await;
        assert!(!found.is_empty(), "{kind}: the machine could move");
        assert!(listed.iter().all(|host| host.get("requiresStorageMotion").is_none()), "{kind}");
        assert_eq!(shown(listed), shown(found), "{kind}");
        let args = [("virtualmachineid".to_owned(), vm.clone())];
        assert_eq!(call(store, "bob", "listHosts", &args).await.status, 531, "{kind}: only root admins move machines");
    }
}
