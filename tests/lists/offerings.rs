//! Offerings: those that are kept for domains and zones, and those that fit pools, disks and machines.

use super::support::{call, golden_json, reset, seed};
use crate::support::database;
use serde_json::{Value as Json, json};
use stackmotion::store::Store;

async fn entries(store: &Store, user: &str, args: &[(&str, &str)]) -> Vec<Json> {
    let mut args: Vec<_> = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    args.push(("response".to_owned(), "json".to_owned()));
    let answer = call(store, user, "listDiskOfferings", &args).await;
    assert_eq!(answer.status, 200, "{user} {args:?}: {}", answer.body);
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    body["listdiskofferingsresponse"]["diskoffering"].as_array().cloned().unwrap_or_default()
}

async fn names(store: &Store, user: &str, args: &[(&str, &str)]) -> Vec<String> {
    let found = entries(store, user, args).await;
    found.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

async fn uuid(store: &Store, table: &str, id: i64) -> String {
    let sql = format!("SELECT uuid FROM {table} WHERE id = ?");
    store.db().row(&sql, vec![id.into()]).await.unwrap().unwrap().at(0).unwrap()
}

/// The offering with tags of the recorded rows.
const TAGGED: &str = "tagged";

#[tokio::test]
async fn an_offering_for_one_domain_is_not_shown_to_others() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let all = names(store, "alice", &[]).await;
        assert!(all.iter().any(|name| name == TAGGED), "{kind}: {all:?}");
        let kept = json!([{"id": 900, "offering_id": 17, "name": "domainid", "value": "2", "display": 0}]);
        seed(store, &json!({ "disk_offering_details": kept })).await;
        assert!(names(store, "admin", &[]).await.iter().any(|name| name == TAGGED), "{kind}");
        let alice = names(store, "alice", &[]).await;
        assert_eq!(alice.len() + 1, all.len(), "{kind}: {alice:?}");
        assert!(!alice.iter().any(|name| name == TAGGED), "{kind}: kept for another domain");
        let id = uuid(store, "disk_offering", 17).await;
        assert!(names(store, "alice", &[("id", &id)]).await.is_empty(), "{kind}");
        assert!(names(store, "bob", &[]).await.iter().any(|name| name == TAGGED), "{kind}: kept for bob's domain");
        let domain = uuid(store, "domain", 2).await;
        let own = entries(store, "admin", &[("domainid", &domain)]).await;
        assert_eq!(
            (own.len(), &own[0]["domainid"], &own[0]["domain"]),
            (1, &json!(domain), &json!("ROOT/eng")),
            "{kind}"
        );
        let foreign = [("domainid".to_owned(), domain)];
        assert_eq!(call(store, "alice", "listDiskOfferings", &foreign).await.status, 531, "{kind}");
    }
}

#[tokio::test]
async fn an_offering_for_one_zone_is_shown_for_it_only() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let zone = uuid(store, "data_center", 1).await;
        let all = names(store, "admin", &[("zoneid", &zone)]).await;
        assert_eq!(all, names(store, "admin", &[]).await, "{kind}: all are for all zones");
        for (value, shown) in [("1", all.len()), ("77", all.len() - 1)] {
            let kept = json!([{"id": 900, "offering_id": 17, "name": "zoneid", "value": value, "display": 0}]);
            seed(store, &json!({ "disk_offering_details": kept })).await;
            assert_eq!(names(store, "admin", &[("zoneid", &zone)]).await.len(), shown, "{kind} {value}");
        }
    }
}

#[tokio::test]
async fn offerings_fit_pools_disks_and_machines() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        seed(store, &json!({"storage_pool_tags": [{"id": 900, "pool_id": 1, "tag": "ssd"}]})).await;
        let all = names(store, "admin", &[]).await;
        let has = |found: &[String]| found.iter().any(|name| name == TAGGED);
        let (with, without) = (uuid(store, "storage_pool", 1).await, uuid(store, "storage_pool", 2).await);
        let fitting = names(store, "admin", &[("storageid", &with)]).await;
        assert!(has(&fitting) && fitting.len() == all.len(), "{kind}: {fitting:?}");
        let fitting = names(store, "admin", &[("storageid", &without)]).await;
        assert!(!has(&fitting) && fitting.len() + 1 == all.len(), "{kind}: {fitting:?}");
        let rest = names(store, "admin", &[("storageid", &with), ("page", "2"), ("pagesize", "5")]).await;
        assert_eq!(rest, all[5..], "{kind}: a page of what fits");
        assert_eq!(names(store, "admin", &[("storageid", "")]).await, all, "{kind}");

        store.db().run("UPDATE volumes SET pool_id = 2 WHERE id = 5", vec![]).await.unwrap();
        let volume = uuid(store, "volumes", 5).await;
        assert!(!has(&names(store, "admin", &[("volumeid", &volume)]).await), "{kind}: its pool lacks the tag");
        store.db().run("UPDATE volumes SET pool_id = 1, account_id = 2 WHERE id = 5", vec![]).await.unwrap();
        assert!(has(&names(store, "admin", &[("volumeid", &volume)]).await), "{kind}");
        let foreign = [("volumeid".to_owned(), volume)];
        assert_eq!(call(store, "alice", "listDiskOfferings", &foreign).await.status, 531, "{kind}: not alice's disk");

        let sql = "SELECT uuid, host_id, id FROM vm_instance WHERE state = 'Running' AND type = 'User' ORDER BY id";
        let row = store.db().row(sql, vec![]).await.unwrap().unwrap();
        let (vm, host): (String, i64) = (row.at(0).unwrap(), row.at(1).unwrap());
        for (connected, suits) in [(true, true), (false, false)] {
            let sql = "DELETE FROM storage_pool_host_ref WHERE pool_id = 1 AND host_id = ?";
            store.db().run(sql, vec![host.into()]).await.unwrap();
            if connected {
                let rows = json!([{"id": 900, "host_id": host, "pool_id": 1, "local_path": "", "created": "2026-11-23 18:00:00"}]);
                seed(store, &json!({ "storage_pool_host_ref": rows })).await;
            }
            let found = entries(store, "admin", &[("virtualmachineid", &vm)]).await;
            assert_eq!(found.len(), all.len(), "{kind}: suitable or not, all are shown");
            let tagged = found.iter().find(|one| one["name"] == TAGGED).unwrap();
            assert_eq!(tagged["suitableforvirtualmachine"], suits, "{kind}");
        }
        let plain = &entries(store, "admin", &[]).await[0];
        assert!(plain.get("suitableforvirtualmachine").is_none(), "{kind}");
    }
}

#[tokio::test]
async fn a_machine_may_change_to_some_service_offerings() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let row = |table: &str, id: i64, change: Json| {
            let rows = golden_json("lists/rows.json");
            let mut row = rows[table].as_array().unwrap().iter().find(|row| row["id"] == id).unwrap().clone();
            row.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            row
        };
        // Like Medium, each with one thing that is other.
        let service = |id: i64, change: Json| {
            let mut made = row("service_offering", 2, change);
            made["id"] = id.into();
            made["uuid"] = format!("00000000-0000-4000-8000-{id:012}").into();
            made["unique_name"] = format!("service-{id}").into();
            made
        };
        let disk = |id: i64, change: Json| {
            let mut made = row("disk_offering", 2, change);
            made["id"] = id.into();
            made["uuid"] = format!("00000000-0000-4000-9000-{id:012}").into();
            made["unique_name"] = format!("disk-{id}").into();
            made
        };
        let rows = json!({
            "disk_offering": [disk(900, json!({"use_local_storage": 1})), disk(901, json!({"tags": "fast, ssd"}))],
            "service_offering": [
                service(900, json!({"name": "local", "disk_offering_id": 900})),
                service(901, json!({"name": "tagged", "disk_offering_id": 901})),
                service(902, json!({"name": "slower", "speed": 499})),
                service(903, json!({"name": "less memory", "ram_size": 511})),
                service(904, json!({"name": "fixed", "dynamic_scaling_enabled": 0})),
                service(905, json!({"name": "strict", "disk_offering_strictness": 1})),
                service(906, json!({"name": "own numbers", "cpu": null, "speed": null, "ram_size": null, "customized": 1})),
                service(907, json!({"name": "no more", "state": "Inactive"})),
            ],
        });
        seed(store, &rows).await;
        let of = async |user: &str, vm: i64, more: &[(&str, &str)]| {
            let vm = uuid(store, "vm_instance", vm).await;
            let mut args = vec![("virtualmachineid".to_owned(), vm), ("response".to_owned(), "json".to_owned())];
            args.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
            let answer = call(store, user, "listServiceOfferings", &args).await;
            let body: Json = serde_json::from_str(&answer.body).expect("JSON");
            let inside = &body["listserviceofferingsresponse"];
            let list = inside["serviceoffering"].as_array().cloned().unwrap_or_default();
            let names: Vec<_> = list.iter().map(|one| one["name"].as_str().expect("a name").to_owned()).collect();
            (answer.status, inside["count"].as_i64(), names)
        };
        let change = async |sql: &str| _ = store.db().run(sql, vec![]).await.expect(sql);

        const RUNNING: [&str; 3] = ["Medium Instance", "tagged", "own numbers"];
        let listed =
            |names: &[&str]| (200, Some(names.len() as i64), names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(of("admin", 3, &[]).await, listed(&RUNNING), "{kind}: not its own, nothing smaller");
        let page = of("admin", 3, &[("page", "2"), ("pagesize", "2")]).await;
        assert_eq!(page, (200, Some(3), vec!["own numbers".to_owned()]), "{kind}");
        assert_eq!(of("admin", 3, &[("name", "slower")]).await.2.len(), 0, "{kind}");
        assert_eq!(of("admin", 8, &[]).await.2.len(), 6, "{kind}: one that is off may shrink, and be fixed");
        assert_eq!(of("alice", 10, &[]).await, listed(&RUNNING), "{kind}: her own machine");
        assert_eq!(of("alice", 3, &[]).await.0, 531, "{kind}: not alice's machine");

        change("UPDATE disk_offering SET tags = 'ssd' WHERE id = 1").await;
        assert_eq!(of("admin", 3, &[]).await, listed(&["tagged"]), "{kind}: no tag is lost");
        change("UPDATE disk_offering SET tags = NULL WHERE id = 1").await;
        change("UPDATE service_offering SET disk_offering_strictness = 1, disk_offering_id = 2 WHERE id = 1").await;
        assert_eq!(of("admin", 3, &[]).await, listed(&["strict"]), "{kind}: as strict, with the same disk offering");
        change("UPDATE service_offering SET disk_offering_strictness = 0 WHERE id = 1").await;
        change("UPDATE storage_pool SET scope = 'HOST' WHERE id = 4").await;
        assert_eq!(of("admin", 3, &[]).await, listed(&["local"]), "{kind}: its disk is on its host's own");
        change("UPDATE service_offering SET customized = 1, cpu = NULL WHERE id = 1").await;
        change("UPDATE storage_pool SET scope = 'CLUSTER' WHERE id = 4").await;
        let again = of("admin", 3, &[]).await.2;
        assert!(again.iter().any(|name| name == "Small Instance"), "{kind}: other numbers of the same: {again:?}");
        change("UPDATE vm_instance SET removed = '2026-11-23 18:00:00' WHERE id = 3").await;
        assert_eq!(of("admin", 3, &[]).await.0, 431, "{kind}");
    }
}
