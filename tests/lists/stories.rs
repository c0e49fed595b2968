//! What recorded calls do not show of the lists: owners in domains and projects, tags, secrets, running jobs, pages.

use super::support::{Answer, call, caller, golden_json, reset, seed};
use crate::support::database;
use serde_json::{Value as Json, json};
use stackmotion::store::Store;
use stackmotion::views;

async fn list(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> Answer {
    let mut args: Vec<_> = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    args.push(("response".to_owned(), "json".to_owned()));
    call(store, user, command, &args).await
}

/// The count and the entries of a list.
async fn entries(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> (i64, Vec<Json>) {
    let answer = list(store, user, command, args).await;
    assert_eq!(answer.status, 200, "{command} {args:?}: {}", answer.body);
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    let inside = body.as_object().expect("an envelope").values().next().expect("its inside");
    let items = inside.as_object().expect("an object").values().find_map(Json::as_array);
    (inside["count"].as_i64().unwrap_or_default(), items.cloned().unwrap_or_default())
}

async fn names(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> Vec<String> {
    let (count, items) = entries(store, user, command, args).await;
    assert_eq!(count, i64::try_from(items.len()).expect("few"), "{command} {args:?}: the count is that of the page");
    items.iter().map(|item| item["name"].as_str().expect("a name").to_owned()).collect()
}

fn vm(id: i64, name: &str, account_id: i64, domain_id: i64) -> Json {
    json!({
        "id": id, "name": name, "uuid": format!("00000000-0000-4000-8000-{id:012}"), "instance_name": format!("i-{id}-VM"),
        "state": "Running", "guest_os_id": 142, "data_center_id": 1, "host_id": 1, "vnc_password": "-",
        "created": "2026-11-23 18:00:00", "type": "User", "vm_type": "User", "account_id": account_id,
        "domain_id": domain_id, "service_offering_id": 1, "hypervisor_type": "Hyperv",
    })
}

const BOB: &str = "bob";

/// The seeded rows, a machine of the domain admin, one of another account of that domain, and one of a project.
async fn prepared(store: &Store) {
    reset(store, &golden_json("lists/rows.json")).await;
    let bob = caller(store, BOB).await;
    assert_eq!(bob.domain_path, "/eng/", "the domain admin of the recorded server");
    let uuid = |number: i64| format!("00000000-0000-4000-9000-{number:012}");
    let rows = json!({
        "account": [
            {"id": 500, "account_name": "carl", "uuid": uuid(500), "type": 0, "role_id": 4, "domain_id": bob.domain_id,
             "state": "enabled"},
            {"id": 501, "account_name": "PrjAcct-p", "uuid": uuid(501), "type": 5, "domain_id": bob.domain_id,
             "state": "enabled"},
        ],
        "projects": [{"id": 1, "name": "p", "uuid": uuid(1), "project_account_id": 501, "domain_id": bob.domain_id,
                      "state": "Active"}],
        "vm_instance": [
            vm(100, "bobs", bob.account_id, bob.domain_id),
            vm(101, "carls", 500, bob.domain_id),
            vm(102, "projects", 501, bob.domain_id),
        ],
    });
    seed(store, &rows).await;
}

#[tokio::test]
async fn admins_of_a_domain_see_their_tree_and_others_their_own() {
    for (_, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let vms = "listVirtualMachines";
        assert_eq!(names(store, BOB, vms, &[]).await, ["bobs"]);
        assert_eq!(names(store, BOB, vms, &[("listall", "true")]).await, ["bobs", "carls"]);
        assert_eq!(names(store, BOB, vms, &[("account", "carl")]).await, ["carls"]);
        assert_eq!(names(store, "alice", vms, &[("listall", "true")]).await, ["alice0"]);
        let all = names(store, "admin", vms, &[("listall", "true")]).await;
        assert!(all.contains(&"carls".to_owned()) && all.contains(&"alice0".to_owned()), "{all:?}");
        let eng = store.db().row("SELECT uuid FROM domain WHERE path = '/eng/'", vec![]).await.unwrap().unwrap();
        let eng: String = eng.at(0).unwrap();
        assert_eq!(names(store, "admin", vms, &[("domainid", &eng)]).await, ["bobs", "carls"]);
        let foreign = list(store, "alice", vms, &[("domainid", &eng)]).await;
        assert_eq!(foreign.status, 531);
        assert!(foreign.body.contains(&format!("operate within domain id={eng}")), "{}", foreign.body);
        let other = list(store, "alice", vms, &[("account", "admin")]).await;
        assert_eq!(other.status, 531, "{}", other.body);
    }
}

#[tokio::test]
async fn destroyed_machines_are_hidden_from_who_is_no_administrator() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let run = async |sql: &str| store.db().run(sql, vec![]).await.unwrap();
        let vms = "listVirtualMachines";
        for state in ["Destroyed", "Expunging"] {
            run(&format!("UPDATE vm_instance SET state = '{state}' WHERE name IN ('bobs', 'alice0')")).await;
            for (value, is_shown) in [("false", false), (" True ", true), ("yes", false)] {
                let set =
                    format!("UPDATE configuration SET value = '{value}' WHERE name = 'allow.user.view.destroyed.vm'");
                run(&set).await;
                let seen = names(store, "alice", vms, &[]).await;
                assert_eq!(seen, ["alice0"][..usize::from(is_shown)], "{kind} {state} {value:?}");
                assert_eq!(names(store, BOB, vms, &[]).await, ["bobs"], "{kind} {state} {value:?}: of a domain");
                let all = names(store, "admin", vms, &[("listall", "true"), ("state", state)]).await;
                assert_eq!(all.len(), 2, "{kind} {state} {value:?}: {all:?}");
            }
        }
    }
}

#[tokio::test]
async fn things_of_projects_are_shown_when_asked_for() {
    for (_, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let vms = "listVirtualMachines";
        let project = "00000000-0000-4000-9000-000000000001";
        assert!(!names(store, "admin", vms, &[("listall", "true")]).await.contains(&"projects".to_owned()));
        assert_eq!(names(store, "admin", vms, &[("projectid", "-1")]).await, ["projects"]);
        assert_eq!(names(store, "admin", vms, &[("projectid", project)]).await, ["projects"]);
        assert_eq!(names(store, BOB, vms, &[("projectid", project)]).await, ["projects"]);
        assert_eq!(list(store, "alice", vms, &[("projectid", project)]).await.status, 531);
        let with = names(store, "admin", vms, &[("projectid", "-1"), ("listall", "true")]).await;
        assert!(with.contains(&"projects".to_owned()) && with.contains(&"web0".to_owned()));
        let (_, items) = entries(store, "admin", vms, &[("projectid", project)]).await;
        assert_eq!((items[0]["project"].as_str(), items[0]["projectid"].as_str()), (Some("p"), Some(project)));
        assert!(items[0].get("account").is_none());
        let alice = caller(store, "alice").await;
        let member = json!({"id": 1, "account_id": alice.account_id, "account_role": "Regular",
                            "project_account_id": 501, "project_id": 1});
        seed(store, &json!({ "project_account": [member] })).await;
        assert_eq!(names(store, "alice", vms, &[("projectid", project)]).await, ["projects"], "a member");
        assert_eq!(names(store, "alice", vms, &[("projectid", "-1")]).await, ["projects"]);
        let own = names(store, "alice", vms, &[("projectid", "-1"), ("listall", "true")]).await;
        assert_eq!(own.len(), 2, "{own:?}");
        let (_, shown) = entries(store, "alice", "listProjects", &[]).await;
        assert_eq!((shown[0]["name"].as_str(), shown[0]["vmrunning"].as_i64()), (Some("p"), Some(1)));
        assert!(entries(store, "admin", "listProjects", &[]).await.1.is_empty(), "not a member");
        assert_eq!(names(store, BOB, "listProjects", &[("listall", "true")]).await, ["p"]);
        let both = list(store, "admin", vms, &[("projectid", project), ("account", "alice")]).await;
        assert!(both.body.contains("Account and projectId can't be specified together"), "{}", both.body);
    }
}

#[tokio::test]
async fn one_of_several_tags_is_enough() {
    for (_, database) in database::each().await {
        let store = &database.store;
        reset(store, &golden_json("lists/rows.json")).await;
        let tag = |id: i64, key: &str, value: &str, resource: i64| {
            json!({"id": id, "uuid": format!("t{id}"), "key": key, "value": value, "resource_id": resource,
                   "resource_uuid": "r", "resource_type": "UserVm", "domain_id": 1, "account_id": 2})
        };
        let rows = [tag(1, "role", "web", 3), tag(2, "role", "db", 5), tag(3, "tier", "gold", 6)];
        seed(store, &json!({ "resource_tags": rows })).await;
        let asked =
            [("tags[0].key", "role"), ("tags[0].value", "web"), ("tags[1].key", "tier"), ("tags[1].value", "gold")];
        assert_eq!(names(store, "admin", "listVirtualMachines", &asked).await, ["web0", "web2"]);
        assert_eq!(names(store, "admin", "listVirtualMachines", &asked[..1]).await, ["web0", "web1"]);
        let (_, items) = entries(store, "admin", "listVirtualMachines", &asked[..2]).await;
        let shown = &items[0]["tags"][0];
        assert_eq!((shown["key"].as_str(), shown["value"].as_str()), (Some("role"), Some("web")));
        assert_eq!(shown["account"].as_str(), Some("admin"));
    }
}

#[tokio::test]
async fn templates_show_their_tags() {
    let database = database::sqlite().await;
    let store = &database.store;
    reset(store, &golden_json("lists/rows.json")).await;
    let (_, before) = entries(store, "admin", "listTemplates", &[("templatefilter", "all")]).await;
    let id = before[0]["id"].as_str().expect("an id");
    assert_eq!(before[0]["tags"], json!([]));
    let row = store.db().row("SELECT id FROM vm_template WHERE uuid = ?", vec![id.into()]).await.expect("templates");
    let number: i64 = row.expect("the template").at(0).expect("a number");
    let tag = json!({"id": 1, "uuid": "t1", "key": "os", "value": "old", "resource_id": number, "resource_uuid": id,
                     "resource_type": "Template", "domain_id": 1, "account_id": 2});
    seed(store, &json!({ "resource_tags": [tag] })).await;
    let (_, after) = entries(store, "admin", "listTemplates", &[("templatefilter", "all"), ("id", id)]).await;
    assert_eq!((after[0]["tags"][0]["key"].as_str(), after[0]["tags"][0]["value"].as_str()), (Some("os"), Some("old")));
    let (_, listed) = entries(store, "admin", "listTags", &[("resourcetype", "Template")]).await;
    assert_eq!((listed.len(), listed[0]["resourceid"].as_str()), (1, Some(id)));
}

#[tokio::test]
async fn passwords_of_pools_are_never_shown() {
    let database = database::sqlite().await;
    let store = &database.store;
    reset(store, &golden_json("lists/rows.json")).await;
    let rows = json!({
        "storage_pool": [{
            "id": 50, "name": "share", "uuid": "00000000-0000-4000-8000-000000000050", "pool_type": "SMB", "port": 445,
            "data_center_id": 1, "pod_id": 1, "cluster_id": 1, "host_address": "files",
            "path": "/share?user=u&password=s3cr3t/+==&domain=d", "status": "Up", "scope": "CLUSTER",
        }],
        "storage_pool_details": [
            {"id": 1, "pool_id": 50, "name": "user", "value": "u", "display": 1},
            {"id": 2, "pool_id": 50, "name": "password", "value": "s3cr3t/+==", "display": 1},
        ],
    });
    seed(store, &rows).await;
    let answer = list(store, "admin", "listStoragePools", &[("name", "share")]).await;
    assert!(!answer.body.contains("s3cr3t"), "{}", answer.body);
    assert!(answer.body.contains(r#""path":"/share?user=u&domain=d""#), "{}", answer.body);
    assert!(answer.body.contains(r#""details":{"user":"u"}"#), "{}", answer.body);
}

fn running(id: i64, kind: &str, instance: i64) -> Json {
    json!({"id": id, "user_id": 2, "account_id": 2, "instance_type": kind, "instance_id": instance, "job_cmd": "a.B",
           "job_status": 0, "job_process_status": 0, "job_result_code": 0, "created": "2026-11-23 18:00:00",
           "uuid": format!("00000000-0000-4000-a000-{id:012}"), "related": "", "job_dispatcher": "ApiAsyncJobDispatcher"})
}

#[tokio::test]
async fn running_jobs_are_shown_on_what_they_are_about() {
    let database = database::sqlite().await;
    let store = &database.store;
    reset(store, &golden_json("lists/rows.json")).await;
    let jobs = [running(1, "Host", 1), running(2, "Host", 1), running(3, "StoragePool", 1)];
    seed(store, &json!({ "async_job": jobs })).await;
    let (_, hosts) = entries(store, "admin", "listHosts", &[]).await;
    assert_eq!(hosts[0]["jobid"], "00000000-0000-4000-a000-000000000002", "the newest");
    assert_eq!(hosts[0]["jobstatus"], 0);
    assert!(hosts[1].get("jobid").is_none() && hosts[1].get("jobstatus").is_none());
    let (_, pools) = entries(store, "admin", "listStoragePools", &[]).await;
    assert!(pools.iter().all(|pool| pool.get("jobid").is_none() && pool.get("jobstatus").is_none()));
    let pools = views::storage_pools(store, &caller(store, "admin").await, &[1]).await.unwrap();
    assert_eq!(pools[0].job_id.as_deref(), Some("00000000-0000-4000-a000-000000000003"));
}

#[tokio::test]
async fn jobs_tell_how_far_their_motion_is() {
    let database = database::sqlite().await;
    let store = &database.store;
    reset(store, &golden_json("lists/rows.json")).await;
    let motion = json!({"id": 1, "uuid": "m", "job_id": 1, "kind": "volume", "strategy": "live", "phase": "sent",
        "source_host_id": 1, "bytes_total": 200, "bytes_done": 50, "created": "2026-11-23 18:00:00",
        "updated": "2026-11-23 18:00:09"});
    seed(store, &json!({"async_job": [running(1, "Volume", 102)], "motion_migration": [motion]})).await;
    let job = "00000000-0000-4000-a000-000000000001";
    let answer = list(store, "admin", "queryAsyncJobResult", &[("jobid", job)]).await;
    let end = format!(
        r#""migration":{{"id":"m","phase":"sent","strategy":"live","bytestotal":200,"bytesdone":50,"percent":25,"updated":"2026-11-23T18:00:09+0000"}},"jobid":"{job}","jobstatus":0}}}}"#
    );
    assert!(answer.body.ends_with(&end), "{}", answer.body);
    let (_, jobs) = entries(store, "admin", "listAsyncJobs", &[]).await;
    assert_eq!(jobs[0]["migration"]["percent"], 25);
}

#[tokio::test]
async fn a_job_of_a_server_that_died_has_no_result() {
    let database = database::sqlite().await;
    let store = &database.store;
    reset(store, &golden_json("lists/rows.json")).await;
    let mut job = running(1, "Volume", 102);
    job["job_status"] = 2.into();
    job["job_result_code"] = 530.into();
    job["job_result"] = "job cancelled because of management server restart or shutdown".into();
    seed(store, &json!({ "async_job": [job] })).await;
    let args = [("jobid", "00000000-0000-4000-a000-000000000001")];
    let answer = list(store, "admin", "queryAsyncJobResult", &args).await;
    let body: Json = serde_json::from_str(&answer.body).unwrap();
    let job = &body["queryasyncjobresultresponse"];
    assert_eq!((job["jobstatus"].as_i64(), job["jobresultcode"].as_i64()), (Some(2), Some(530)));
    assert!(job.get("jobresult").is_none() && job.get("jobresulttype").is_none());
}

#[tokio::test]
async fn pages_of_any_size_make_the_whole() {
    let database = database::sqlite().await;
    let store = &database.store;
    prepared(store).await;
    for command in ["listVirtualMachines", "listVolumes", "listHosts"] {
        let ids = |items: &[Json]| items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let (count, all) = entries(store, "admin", command, &[("listall", "true")]).await;
        let mut whole = ids(&all);
        whole.sort();
        for size in 1..=count {
            let mut seen = Vec::new();
            for page in 1..=count / size + 1 {
                let args = [("listall", "true"), ("page", &*page.to_string()), ("pagesize", &*size.to_string())];
                let (total, items) = entries(store, "admin", command, &args).await;
                assert_eq!(total, count, "{command} {args:?}");
                seen.extend(ids(&items));
            }
            seen.sort();
            assert_eq!(seen, whole, "{command} in pages of {size}");
        }
    }
}
