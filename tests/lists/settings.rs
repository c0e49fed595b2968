//! Settings: which are kept, for whom they are, and that secrets stay secret. Servers: which are known.

use std::time::Duration;

use super::support::{call, golden_json, reset, seed};
use crate::support::database;
use serde_json::{Value as Json, json};
use stackmotion::store::Store;

async fn entries(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> Vec<Json> {
    let mut args: Vec<_> = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    args.push(("response".to_owned(), "json".to_owned()));
    let answer = call(store, user, command, &args).await;
    assert_eq!(answer.status, 200, "{command} {args:?}: {}", answer.body);
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    let inside = body.as_object().expect("an envelope").values().next().expect("its inside");
    inside.as_object().expect("an object").values().find_map(Json::as_array).cloned().unwrap_or_default()
}

#[tokio::test]
async fn settings_are_shown_and_secrets_are_not() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let before = "SELECT COUNT(*) FROM configuration WHERE value IS NULL";
        let kept: i64 = store.db().row(before, vec![]).await.unwrap().unwrap().at(0).unwrap();
        assert!(kept >= 26, "{kind}: the settings that the gateway goes by are in a fresh database: {kept}");
        let mut rows = golden_json("lists/rows.json");
        let own = rows.as_object_mut().unwrap().remove("configuration").unwrap();
        reset(store, &rows).await;
        seed(store, &json!({"configuration": own})).await;
        let factor = "storage.overprovisioning.factor";
        seed(store, &json!({
            "configuration": [
                {"category": "Secure", "instance": "DEFAULT", "name": "a.key", "value": "cipher", "default_value": "x"},
                {"category": "Advanced", "instance": "DEFAULT", "name": "b.password", "value": "clear"},
                {"category": "Hidden", "instance": "DEFAULT", "name": "c.hidden", "value": "never"},
                {"category": "Advanced", "instance": "DEFAULT", "name": "d.passwd", "value": "all", "scope": 128},
                {"category": "Advanced", "instance": "DEFAULT", "name": "e.plain", "value": "all", "scope": 128},
            ],
            "account_details": [
                {"id": 900, "account_id": 4, "name": "d.passwd", "value": "clear"},
                {"id": 901, "account_id": 4, "name": "e.plain", "value": "alice's"},
            ],
            "storage_pool_details": [{"id": 900, "pool_id": 1, "name": factor, "value": "3", "display": 0}],
        })).await;
        let named =
            |name: &'static str| async move { entries(store, "admin", "listConfigurations", &[("name", name)]).await };
        for name in ["a.key", "b.password"] {
            let secret = &named(name).await[0];
            assert!(secret.get("value").is_none() && secret.get("defaultvalue").is_none(), "{kind}: {secret}");
        }
        assert!(named("c.hidden").await.is_empty(), "{kind}");
        let migrations = &named("concurrent.migrations").await[0];
        assert_eq!((&migrations["value"], &migrations["type"]), (&json!("0"), &json!("Number")), "{kind}");
        let pool: String =
            store.db().row("SELECT uuid FROM storage_pool WHERE id = 1", vec![]).await.unwrap().unwrap().at(0).unwrap();
        let scoped = entries(store, "admin", "listConfigurations", &[("storageid", &pool), ("name", factor)]).await;
        assert_eq!((&scoped[0]["value"], &scoped[0]["scope"]), (&json!("3"), &json!("storagepool")), "{kind}");
        let sql = "SELECT uuid FROM account WHERE account_name = 'alice'";
        let alice: String = store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap();
        let own = [("accountid", alice.as_str()), ("name", "d.passwd"), ("keyword", "d.passwd")];
        let secret = &entries(store, "admin", "listConfigurations", &own).await[0];
        assert!(secret["scope"] == "account" && secret.get("value").is_none(), "{kind}: {secret}");
        let own = [("accountid", alice.as_str()), ("name", "e.plain")];
        assert_eq!(entries(store, "admin", "listConfigurations", &own).await[0]["value"], "alice's", "{kind}");
        let both = [("accountid".to_owned(), alice.clone()), ("storageid".to_owned(), pool.clone())];
        assert_eq!(call(store, "admin", "listConfigurations", &both).await.status, 431, "{kind}");
        assert!(
            entries(store, "bob", "listConfigurations", &[]).await.is_empty(),
            "{kind}: only root admins see settings"
        );
    }
}

/// The status, and what `listCapabilities` tells a user, for a domain when one is named.
async fn capabilities(store: &Store, user: &str, domain: Option<&str>) -> (u16, Json) {
    let mut args = vec![("response".to_owned(), "json".to_owned())];
    args.extend(domain.map(|id| ("domainid".to_owned(), id.to_owned())));
    let answer = call(store, user, "listCapabilities", &args).await;
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    (answer.status, body["listcapabilitiesresponse"].clone())
}

#[tokio::test]
async fn administrators_may_what_settings_keep_from_others() {
    const SETTINGS: [(&str, &str); 4] = [
        ("allow.user.view.destroyed.vm", "allowuserviewdestroyedvm"),
        ("allow.user.expunge.recover.vm", "allowuserexpungerecovervm"),
        ("allow.user.expunge.recover.volume", "allowuserexpungerecovervolume"),
        ("allow.user.force.stop.vm", "allowuserforcestopvm"),
    ];
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        for (value, is_on) in [("false", false), (" True ", true)] {
            let row = |name: &str| json!({"category": "Advanced", "instance": "DEFAULT", "name": name, "value": value});
            let rows: Vec<Json> = SETTINGS.iter().map(|(name, _)| row(name)).collect();
            seed(store, &json!({ "configuration": rows })).await;
            for (user, is_admin) in [("admin", true), ("bob", true), ("alice", false)] {
                let (status, told) = capabilities(store, user, None).await;
                assert_eq!(status, 200, "{kind} {user}: {told}");
                for (name, field) in SETTINGS {
                    assert_eq!(told["capability"][field], is_admin || is_on, "{kind} {user} {name}={value:?}");
                }
            }
        }
    }
}

#[tokio::test]
async fn capabilities_are_those_of_a_domain() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let sql = "INSERT INTO domain_details (domain_id, name, value) \
            SELECT id, 'allow.user.view.all.domain.accounts', 'true' FROM domain WHERE path = '/eng/'";
        store.db().run(sql, vec![]).await.unwrap();
        let domains = store.db().rows("SELECT uuid FROM domain WHERE path IN ('/', '/eng/') ORDER BY id", vec![]).await;
        let domains: Vec<String> = domains.unwrap().iter().map(|row| row.at(0).unwrap()).collect();
        let (root, eng) = (domains[0].as_str(), domains[1].as_str());
        for (user, domain, expected) in [
            ("admin", None, Some(false)),
            ("admin", Some(root), Some(false)),
            ("admin", Some(eng), Some(true)),
            ("bob", None, Some(true)),
            ("bob", Some(eng), Some(true)),
            ("bob", Some(root), None),
            ("alice", None, Some(false)),
            ("alice", Some(root), Some(false)),
            ("alice", Some(eng), None),
        ] {
            let (status, told) = capabilities(store, user, domain).await;
            let Some(expected) = expected else {
                let text = told["errortext"].as_str().unwrap_or_default();
                assert_eq!(status, 531, "{kind} {user} {domain:?}: {told}");
                assert!(
                    text.contains("does not have permission to operate within domain id="),
                    "{kind} {user}: {text}"
                );
                continue;
            };
            let shown = &told["capability"]["allowuserviewalldomainaccounts"];
            assert_eq!((status, shown), (200, &json!(expected)), "{kind} {user} {domain:?}: {told}");
        }
    }
}

#[tokio::test]
async fn a_fresh_database_has_settings_as_they_were_recorded() {
    // The case `hv-setting-hypervisor-list` of a server to which nothing had been added.
    let names = "KVM,VMware,XenServer,Hyperv,BareMetal,Ovm,LXC,Ovm3,External";
    let recorded = json!({
        "category": "Advanced", "group": "Hypervisor", "subgroup": "Hypervisor", "name": "hypervisor.list",
        "value": names, "defaultvalue": names, "isdynamic": false, "component": "management-server",
        "displaytext": "Hypervisor list", "type": "CSV",
    });
    for (kind, database) in database::each().await {
        let store = &database.store;
        store.bootstrap().await.unwrap();
        let mut found = entries(store, "admin", "listConfigurations", &[("name", "hypervisor.list")]).await;
        assert_eq!(found.len(), 1, "{kind}: {found:?}");
        // Descriptions are in our words.
        let description = found[0].as_object_mut().unwrap().remove("description");
        assert!(description.is_some_and(|text| text.as_str().is_some_and(|text| !text.is_empty())), "{kind}");
        assert_eq!(found[0], recorded, "{kind}");
    }
}

#[tokio::test]
async fn a_gateway_says_whether_it_can_be_stopped_where_it_is_no_server() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let gateway = store.server_register("one", "4.23", "127.0.0.1", Duration::from_secs(60)).await.unwrap();
        let ask = async |id: &str| {
            let args = [("managementserverid", id), ("response", "json")];
            let args = args.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let answer = call(store, "admin", "readyForShutdown", &args).await;
            let body: Json = serde_json::from_str(&answer.body).expect("JSON");
            let told = &body["readyforshutdownresponse"]["readyforshutdown"];
            (answer.status, told["managementserverid"].clone(), told["state"].clone(), told["readyforshutdown"].clone())
        };
        let told = |id: &str, state: &str| (200_u16, json!(id), json!(state), json!(true));
        let own = gateway.uuid.as_str();
        assert_eq!(ask(own).await, told(own, "Up"), "{kind}: with a row among the servers");
        // As in a database that CloudStack keeps.
        store.db().run("DELETE FROM mshost WHERE msid = ?", vec![gateway.id.into()]).await.unwrap();
        assert_eq!(ask(own).await, told(own, "Up"), "{kind}");
        store.server_leave(&gateway).await.unwrap();
        assert_eq!(ask(own).await, told(own, "Down"), "{kind}");
        let sql = "SELECT uuid FROM mshost";
        let server: String = store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap();
        assert_eq!(ask(server.as_str()).await, told(server.as_str(), "Up"), "{kind}: CloudStack's own");
        let (status, ..) = ask("11111111-2222-4333-8444-555555555555").await;
        assert_eq!(status, 431, "{kind}: nobody's");
    }
}
