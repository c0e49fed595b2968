//! Events and alerts: filters, owners, chains, and putting them away.

use super::support::{call, caller, golden_json, reset, seed};
use crate::support::database;
use serde_json::{Value as Json, json};
use stackmotion::store::Store;

/// The status, and the text of the refusal or the texts of the entries.
async fn ask(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> (u16, Vec<String>) {
    let mut args: Vec<_> = args.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    args.push(("response".to_owned(), "json".to_owned()));
    let answer = call(store, user, command, &args).await;
    let body: Json = serde_json::from_str(&answer.body).expect("JSON");
    let inside = body.as_object().expect("an envelope").values().next().expect("its inside");
    if let Some(text) = inside["errortext"].as_str() {
        return (answer.status, vec![text.to_owned()]);
    }
    let items = inside.as_object().expect("an object").values().find_map(Json::as_array).cloned().unwrap_or_default();
    assert_eq!(inside["count"].as_u64().unwrap_or_default(), items.len() as u64, "{command} {args:?}");
    (answer.status, items.iter().map(|item| item["description"].as_str().expect("a text").to_owned()).collect())
}

async fn texts(store: &Store, user: &str, command: &str, args: &[(&str, &str)]) -> Vec<String> {
    let (status, texts) = ask(store, user, command, args).await;
    assert_eq!(status, 200, "{command} {args:?}: {texts:?}");
    texts
}

fn uuid(id: i64) -> String {
    format!("00000000-0000-4000-8000-{id:012}")
}

/// An event of `account_id` about the volume 5 of the recorded rows, `minute` minutes after six.
fn event(id: i64, account_id: i64, domain_id: i64, minute: i64, what: (&str, &str, &str), text: &str) -> Json {
    let (kind, state, level) = what;
    json!({
        "id": id, "uuid": uuid(id), "type": kind, "state": state, "level": level, "description": text, "user_id": 2,
        "account_id": account_id, "domain_id": domain_id, "created": format!("2026-11-24 18:{minute:02}:00"),
        "start_id": 0, "archived": 0, "display": 1,
    })
}

const MOVED: (&str, &str, &str) = ("VOLUME.MIGRATE", "Completed", "INFO");

async fn prepared(store: &Store) {
    reset(store, &golden_json("lists/rows.json")).await;
    let (admin, alice, bob) = (caller(store, "admin").await, caller(store, "alice").await, caller(store, "bob").await);
    let mut begun = event(1, admin.account_id, 1, 1, ("VOLUME.MIGRATE", "Scheduled", "INFO"), "asked");
    let mut going = event(2, admin.account_id, 1, 2, ("VOLUME.MIGRATE", "Started", "INFO"), "began");
    let mut ended = event(3, admin.account_id, 1, 3, ("VOLUME.MIGRATE", "Completed", "ERROR"), "failed");
    for (at, event) in [&mut begun, &mut going, &mut ended].into_iter().enumerate() {
        event["resource_type"] = json!("Volume");
        event["resource_id"] = json!(5);
        event["start_id"] = json!(i64::from(at > 0));
    }
    let mut hidden = event(6, alice.account_id, 1, 6, MOVED, "inside");
    hidden["display"] = json!(0);
    let mut old = event(7, admin.account_id, 1, 7, MOVED, "put away");
    old["archived"] = json!(1);
    let alert = |id: i64, kind: i64, name: &str, text: &str, archived: i64| {
        json!({"id": id, "uuid": uuid(id), "type": kind, "name": name, "subject": text, "data_center_id": 1,
               "sent_count": 1, "last_sent": format!("2026-11-24 18:{:02}:00", id % 60), "archived": archived})
    };
    let rows = json!({
        "event": [
            begun, going, ended,
            event(4, alice.account_id, 1, 4, ("USER.LOGIN", "Completed", "INFO"), "alice came"),
            event(5, bob.account_id, bob.domain_id, 5, MOVED, "bob moved"),
            hidden, old,
        ],
        "alert": [
            alert(1, 17, "ALERT.USERVM.MIGRATE", "a machine stayed", 0),
            alert(2, 12, "ALERT.STORAGE.MISC", "a disk stayed", 0),
            alert(3, 7, "ALERT.COMPUTE.HOST", "long ago", 1),
        ],
    });
    seed(store, &rows).await;
}

#[tokio::test]
async fn events_are_narrowed() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let volume: String =
            store.db().row("SELECT uuid FROM volumes WHERE id = 5", vec![]).await.unwrap().unwrap().at(0).unwrap();
        let all = &["asked", "began", "failed", "alice came", "bob moved", "inside"][..];
        let (first, unknown) = (uuid(1), uuid(99));
        for (args, wanted) in [
            (&[][..], all),
            (&[("type", "volume.migrate")], &["asked", "began", "failed", "bob moved", "inside"]),
            (&[("level", "ERROR")], &["failed"]),
            (&[("state", "Started")], &["began"]),
            (&[("id", &first)], &["asked"]),
            (&[("startid", &first)], &["asked", "began", "failed"]),
            (&[("keyword", "LOGIN")], &["alice came"]),
            (&[("keyword", "moved")], &["bob moved"]),
            (&[("startdate", "2026-11-24 18:04:30")], &["bob moved", "inside"]),
            (&[("enddate", "2026-11-24 18:02:00")], &["asked", "began"]),
            (&[("startdate", "2026-11-24"), ("enddate", "2026-11-24")], all),
            (&[("enddate", "2026-11-23")], &[]),
            (&[("resourcetype", "volume"), ("resourceid", &volume)], &["asked", "began", "failed"]),
            (&[("resourcetype", "Volume")], &["asked", "began", "failed"]),
            (&[("resourcetype", "Host")], &[]),
            (&[("archived", "true")], &["put away"]),
            (&[("type", "NOPE")], &[]),
            (&[("entrytime", "5"), ("duration", "1")], all),
        ] {
            let mut args = args.to_vec();
            args.push(("listall", "true"));
            assert_eq!(texts(store, "admin", "listEvents", &args).await, wanted, "{kind} {args:?}");
        }
        for (args, status, part) in [
            (
                &[("resourceid", volume.as_str())][..],
                431,
                "resourceid parameter must be used with resourcetype parameter",
            ),
            (&[("resourceid", &volume), ("resourcetype", "Ship")], 431, "Invalid resourcetype"),
            (&[("resourceid", &unknown), ("resourcetype", "Volume")], 431, "Invalid resourceid"),
            (&[("id", &unknown)], 431, "entity does not exist"),
            (&[("startdate", "soon")], 431, "Unable to parse date"),
        ] {
            let (found, text) = ask(store, "admin", "listEvents", args).await;
            assert!(found == status && text[0].contains(part), "{kind} {args:?}: {found} {text:?}");
        }
    }
}

/// Jobs and events of another control plane on the database may be about things that have no table here.
#[tokio::test]
async fn kinds_of_things_that_are_not_kept_here_are_known() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let sql = "UPDATE event SET resource_type = 'Vpc', resource_id = 5 WHERE description = 'bob moved'";
        store.db().run(sql, vec![]).await.unwrap();
        let job = json!({"id": 1, "user_id": 2, "account_id": 2, "instance_type": "Vpc", "instance_id": 5, "job_cmd": "a.B",
                         "job_status": 0, "job_process_status": 0, "job_result_code": 0, "created": "2026-11-24 18:00:00",
                         "uuid": uuid(1), "related": "", "job_dispatcher": "ApiAsyncJobDispatcher"});
        seed(store, &json!({ "async_job": [job] })).await;
        let (events, jobs) = ("listEvents", "listAsyncJobs");
        for command in [events, jobs] {
            let args = [("resourcetype", "vpc"), ("listall", "true"), ("response", "json")];
            let args = args.map(|(name, value)| (name.to_owned(), value.to_owned()));
            let answer = call(store, "admin", command, &args).await;
            let body: Json = serde_json::from_str(&answer.body).unwrap();
            let (list, name, word, id) = if command == events {
                ("listeventsresponse", "event", "resourcetype", "resourceid")
            } else {
                ("listasyncjobsresponse", "asyncjobs", "jobinstancetype", "jobinstanceid")
            };
            let found = body[list][name].as_array().unwrap_or_else(|| panic!("{kind} {command}: {}", answer.body));
            assert_eq!((found.len(), &found[0][word]), (1, &json!("Vpc")), "{kind} {command}");
            assert!(found[0].get(id).is_none(), "{kind} {command}: nobody here knows its id");
        }
        // The volume with the same internal number is another thing.
        let volume = store.db().row("SELECT uuid FROM volumes WHERE id = 5", vec![]).await.unwrap().unwrap();
        for id in [volume.at::<String>(0).unwrap(), uuid(99)] {
            let args = [("resourcetype", "Vpc"), ("resourceid", id.as_str()), ("listall", "true")];
            for command in [events, jobs] {
                assert_eq!(texts(store, "admin", command, &args).await, Vec::<String>::new(), "{kind} {command}");
            }
            let refused = ask(store, "admin", "queryAsyncJobResult", &args[..2]).await;
            assert_eq!(refused, (431, vec!["Invalid resourceid".to_owned()]), "{kind}");
        }
        for word in [
            "None",
            "SecurityGroup",
            "backup",
            "AffinityGroup",
            "FirewallRule",
            "IpAddress",
            "AutoScaleVmGroup",
            "ImageStore",
            "ConsoleProxy",
            "GuestOs",
            "VmSnapshot",
            "KubernetesCluster",
            "SharedFS",
            "KmsKey",
        ] {
            for command in [events, jobs] {
                let args = [("resourcetype", word), ("listall", "true")];
                assert_eq!(
                    texts(store, "admin", command, &args).await,
                    Vec::<String>::new(),
                    "{kind} {command} {word}"
                );
            }
        }
        for word in ["AffinityGroup", "GuestOs", "GuestOsCategory", "InternalLbVm"] {
            let unknown = ask(store, "admin", events, &[("resourcetype", word), ("resourceid", &uuid(99))]).await;
            assert_eq!(
                unknown,
                (431, vec!["Invalid resourceid".to_owned()]),
                "{kind} {word}: there is a table of them"
            );
        }
    }
}

/// As in the recorded pages: by who caused them, and those of one user in their order.
#[tokio::test]
async fn events_of_a_page_stand_by_who_caused_them() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        store.db().run("UPDATE event SET user_id = 1 WHERE id = 3", vec![]).await.unwrap();
        let wanted = ["failed", "asked", "began", "alice came", "bob moved", "inside"];
        assert_eq!(texts(store, "admin", "listEvents", &[("listall", "true")]).await, wanted, "{kind}");
    }
}

#[tokio::test]
async fn events_are_shown_to_their_owners() {
    for (_, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let list = "listEvents";
        assert_eq!(texts(store, "admin", list, &[]).await, ["asked", "began", "failed"]);
        assert_eq!(texts(store, "alice", list, &[("listall", "true")]).await, ["alice came"]);
        assert_eq!(texts(store, "bob", list, &[("listall", "true")]).await, ["bob moved"]);
        assert_eq!(texts(store, "alice", list, &[("id", &uuid(5))]).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_chain_hangs_together() {
    for (_, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let args = [("startid".to_owned(), uuid(1)), ("response".to_owned(), "json".to_owned())];
        let answer = call(store, "admin", "listEvents", &args).await;
        let body: Json = serde_json::from_str(&answer.body).unwrap();
        let events = body["listeventsresponse"]["event"].as_array().unwrap();
        let states: Vec<_> = events.iter().map(|event| event["state"].as_str().unwrap()).collect();
        assert_eq!(states, ["Scheduled", "Started", "Completed"]);
        assert!(events[0].get("parentid").is_none() && events[0].get("archived").is_none());
        for event in &events[1..] {
            assert_eq!(event["parentid"], json!(uuid(1)));
        }
        for event in events {
            assert_eq!(event["resourcetype"], "Volume");
            assert!(event["resourceid"].is_string() && event["resourcename"].is_string(), "{event}");
        }
    }
}

#[tokio::test]
async fn alerts_are_narrowed() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let (first, old) = (uuid(1), uuid(3));
        for (args, wanted) in [
            (&[][..], &["a disk stayed", "a machine stayed"][..]),
            (&[("type", "17")], &["a machine stayed"]),
            (&[("name", "ALERT.STORAGE.MISC")], &["a disk stayed"]),
            (&[("keyword", "MACHINE")], &["a machine stayed"]),
            (&[("id", &first)], &["a machine stayed"]),
            (&[("id", &old)], &[]),
        ] {
            assert_eq!(texts(store, "admin", "listAlerts", args).await, wanted, "{kind} {args:?}");
        }
        for command in ["listAlerts", "archiveAlerts", "deleteAlerts"] {
            let (status, text) = ask(store, "admin", command, &[("type", "x")]).await;
            assert!(status == 431 && text[0].contains("not x"), "{kind} {command}: {status} {text:?}");
        }
    }
}

#[tokio::test]
async fn what_is_put_away_is_not_listed() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        prepared(store).await;
        let refused = ask(store, "alice", "archiveEvents", &[("ids", &uuid(5))]).await;
        assert_eq!(refused.0, 431, "{kind}: bob's events are none of alice's");
        let both = format!("{},{}", uuid(4), uuid(5));
        assert_eq!(ask(store, "alice", "deleteEvents", &[("ids", &both)]).await.0, 431, "{kind}: all of them or none");
        assert_eq!(ask(store, "alice", "archiveEvents", &[("type", "USER.LOGIN")]).await.0, 200);
        assert_eq!(ask(store, "bob", "deleteEvents", &[("ids", &uuid(5))]).await.0, 200);
        let left = texts(store, "admin", "listEvents", &[("listall", "true")]).await;
        assert_eq!(left, ["asked", "began", "failed", "inside"], "{kind}");
        let nothing = ask(store, "admin", "archiveEvents", &[]).await;
        assert_eq!(nothing, (431, vec!["either ids, type or enddate must be specified".to_owned()]));
        let half = ask(store, "admin", "deleteAlerts", &[("type", "7"), ("startdate", "2026-11-24")]).await;
        assert_eq!(half.0, 431);
        assert_eq!(ask(store, "admin", "archiveAlerts", &[("ids", &uuid(1))]).await.0, 200);
        assert_eq!(ask(store, "admin", "deleteAlerts", &[("enddate", "2026-11-25")]).await.0, 200);
        assert_eq!(texts(store, "admin", "listAlerts", &[]).await, Vec::<String>::new(), "{kind}");
        let count = store.db().row("SELECT COUNT(*) FROM alert", vec![]).await.unwrap().unwrap();
        assert_eq!(count.at::<i64>(0).unwrap(), 2, "{kind}: what was put away before stays");
    }
}
