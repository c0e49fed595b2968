//! One login for the gateway and the management server behind it, the commands of both in one list, and jobs of either.

use super::sessions::{Login, call, login, post};
use crate::support::raw_http::RawRequest;
use crate::support::recorder::{Recorder, answer, json};
use crate::support::world::{World, upstream_at};
use serde_json::Value as Json;
use stackmotion::args;
use stackmotion::model::Timestamp;
use stackmotion::store::Value;

const ZONES: [(&str, &str); 1] = [("command", "listZones")];
/// Served by neither, and known to be so to a root admin only: 432 for a session that lives, 401 for one that does not.
const UNSERVED: [(&str, &str); 1] = [("command", "listUnicorns")];
const JOB: &str = "0d3f6f3e-0000-4000-8000-00000000f00d";

/// A gateway with another one, on a database of its own, as its management server.
async fn two() -> (World, World) {
    let upstream = World::start().await;
    let world = World::behind(|_| upstream_at(upstream.address)).await;
    (world, upstream)
}

async fn sessions(world: &World) -> i64 {
    let row = world.store.db().row("SELECT COUNT(*) FROM motion_session", vec![]).await.unwrap().unwrap();
    row.at(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_login_for_both() {
    let (world, upstream) = two().await;
    let admin = login(&world, "admin").await;
    assert_eq!((sessions(&world).await, sessions(&upstream).await), (1, 1));
    for server in [&world, &upstream] {
        assert_eq!(call(server, &admin, &ZONES).await.status, 200);
    }
    let unknown = call(&world, &admin, &UNSERVED).await;
    assert_eq!(unknown.status, 432, "the management server knows the session: {}", unknown.body);

    let out = call(&world, &admin, &[("command", "logout")]).await;
    assert_eq!((out.status, out.body.as_str()), (200, r#"{"logoutresponse":{"description":"success"}}"#));
    assert_eq!((sessions(&world).await, sessions(&upstream).await), (0, 0));
    assert_eq!(call(&world, &admin, &ZONES).await.status, 401);
    assert_eq!(call(&world, &admin, &[("command", "logout")]).await.status, 431);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_management_server_decides_who_logs_in() {
    let (world, upstream) = two().await;
    let pairs =
        [("command", "login"), ("username", "admin"), ("password", "wrong"), ("domain", "/"), ("response", "json")];
    assert_eq!(post(&world, &pairs).await.status, 531);
    assert_eq!(sessions(&world).await, 0);
    // XML, and a name in capitals, as CloudStack takes it.
    let pairs = [("command", "LOGIN"), ("username", "alice"), ("password", "password-alice"), ("domain", "/")];
    let answer = post(&world, &pairs).await;
    assert!(answer.status == 200 && answer.body.contains("<loginresponse>"), "{answer:?}");
    assert_eq!(call(&world, &Login::of(&answer), &ZONES).await.status, 200);
    // Passwords here are not asked for.
    world.store.db().run("UPDATE user SET password = 'x'", vec![]).await.unwrap();
    let bob = login(&world, "bob").await;
    // A new login ends the session that the client still shows, here and there.
    let mut again = RawRequest::form("/client/api", "command=login&username=x&password=y");
    again.headers.push(("Cookie".to_owned(), format!("JSESSIONID={}", bob.id)));
    assert_eq!(again.send(world.address).await.status, 531);
    assert_eq!(call(&world, &bob, &ZONES).await.status, 401);
    assert_eq!(call(&upstream, &bob, &ZONES).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_is_unknown_here_is_logged_in_there_all_the_same() {
    let (world, _upstream) = two().await;
    world.store.db().run("UPDATE user SET uuid = 'nobody' WHERE username = 'admin'", vec![]).await.unwrap();
    let admin = login(&world, "admin").await;
    assert_eq!(sessions(&world).await, 0);
    assert_eq!(call(&world, &admin, &ZONES).await.status, 401);
    assert_eq!(call(&world, &admin, &UNSERVED).await.status, 432, "the management server knows the session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_the_session_is_demanded_here_too() {
    let (world, _upstream) = two().await;
    let admin = login(&world, "admin").await;
    let forged = Login { key: "guessed".to_owned(), ..admin.clone() };
    assert_eq!(call(&world, &forged, &ZONES).await.status, 401);
    assert_eq!(call(&world, &admin, &ZONES).await.status, 401, "the session has ended, as everywhere");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down_before_it_gets_there() {
    let failed = r#"{"loginresponse":{"uuidList":[],"errorcode":531,"errortext":"no"}}"#;
    let recorder = Recorder::start(|_| answer("531 531", &[], failed)).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let guess = [("command", "login"), ("username", "admin"), ("password", "x"), ("response", "json")];
    for _ in 0..10 {
        assert_eq!(post(&world, &guess).await.body, failed);
    }
    let slowed = post(&world, &guess).await;
    assert!(slowed.status == 429 && slowed.body.contains("Too many logins have failed"), "{slowed:?}");
    assert_eq!(recorder.seen().len(), 10);
}

async fn last_used(world: &World) -> String {
    let row = world.store.db().row("SELECT last_used FROM motion_session", vec![]).await.unwrap().unwrap();
    row.at::<String>(0).unwrap()
}

/// As if nobody had used the session for ten minutes.
async fn leave_idle(world: &World) {
    let before = Timestamp::from_unix(Timestamp::now().unix() - 600).unwrap();
    world.store.db().run("UPDATE motion_session SET last_used = ?", args![before]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_is_in_use_also_by_what_is_passed_on() {
    let (world, upstream) = two().await;
    let admin = login(&world, "admin").await;
    leave_idle(&world).await;
    let old = last_used(&world).await;
    assert_eq!(call(&world, &admin, &UNSERVED).await.status, 432);
    assert_ne!(last_used(&world).await, old);
    // What the management server has forgotten is not kept alive by asking it; commands that are served here go on.
    upstream.store.db().run("DELETE FROM motion_session", vec![]).await.unwrap();
    leave_idle(&world).await;
    let old = last_used(&world).await;
    assert_eq!(call(&world, &admin, &UNSERVED).await.status, 401);
    assert_eq!(last_used(&world).await, old);
    assert_eq!(call(&world, &admin, &ZONES).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_is_shown_once_for_both() {
    let (world, upstream) = two().await;
    let on = "UPDATE user SET is_user_2fa_enabled = 1, user_2fa_provider = 'staticpin', key_for_2fa = '4711' \
        WHERE username = 'alice'";
    upstream.store.db().run(on, vec![]).await.unwrap();
    let code = |code: &'static str| [("command", "validateUserTwoFactorAuthenticationCode"), ("codefor2fa", code)];

    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &ZONES).await.status, 511, "not before the factor was shown");
    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &code("4712")).await.status, 511);
    assert_eq!(call(&world, &alice, &ZONES).await.status, 511);
    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &code("4711")).await.status, 200);
    assert_eq!(call(&world, &alice, &ZONES).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_of_another_session_counts_for_nothing() {
    let uuid: String = {
        let world = World::start().await;
        let row =
            world.store.db().row("SELECT uuid FROM user WHERE username = 'alice'", vec![]).await.unwrap().unwrap();
        row.at(0).unwrap()
    };
    // A management server that accepts the factor, of whatever session it takes the request for.
    let recorder = Recorder::start(move |seen| {
        if seen.body.starts_with(b"command=login") {
            let body = format!(r#"{{"loginresponse":{{"userid":"{uuid}","is2faverified":"false"}}}}"#);
            let cookies =
                [("Set-Cookie", "JSESSIONID=node0a.node0;Path=/client"), ("Set-Cookie", "sessionkey=k;HttpOnly")];
            answer("200 OK", &cookies, &body)
        } else {
            json(r#"{"validateusertwofactorauthenticationcoderesponse":{"success":true}}"#)
        }
    })
    .await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let validate = [("command", "validateUserTwoFactorAuthenticationCode"), ("codefor2fa", "1")];
    let of_another = Login { id: "node0a.node0".to_owned(), key: "key-of-another".to_owned() };
    post(&world, &[("command", "login")]).await;
    assert_eq!(call(&world, &of_another, &validate).await.status, 200);
    let own = Login { key: "k".to_owned(), ..of_another };
    assert_eq!(call(&world, &own, &ZONES).await.status, 511);
    post(&world, &[("command", "login")]).await;
    assert_eq!(call(&world, &own, &validate).await.status, 200);
    assert_eq!(call(&world, &own, &ZONES).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_list_of_commands() {
    let recorder = Recorder::start(|seen| {
        if seen.query().contains("response=json") {
            let padding = "x".repeat(3_600_000);
            json(&format!(
                r#"{{"listapisresponse":{{"count":3,"api":[{{"name":"listZones","description":"theirs"}},{{"name":"listVlanIpRanges","description":"{padding}","response":[{{}},{{}}]}},{{"name":"createTags","odd":[1.0,"<"]}}]}}}}"#
            ))
        } else {
            let body = "<?xml version=\"1.0\"?><listapisresponse cloud-stack-version=\"4\"><count>2</count><api><name>listZones</name><description>theirs</description></api><api><name>listVlanIpRanges</name><description>a&lt;b</description><params><name>id</name></params></api></listapisresponse>";
            answer("200 OK", &[("Content-Type", "text/xml")], body)
        }
    })
    .await;
    let alone = World::start().await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let list = |text: &str| {
        let document: Json = serde_json::from_str(text).unwrap();
        let list = document["listapisresponse"].clone();
        let names = list["api"].as_array().unwrap().iter().map(|api| api["name"].as_str().unwrap().to_owned());
        (list["count"].as_u64().unwrap() as usize, names.collect::<Vec<_>>(), list["api"].clone())
    };
    let in_json = [("command", "listApis"), ("response", "json")];
    let (_, mut own_names, _) = list(&alone.get("alice", &in_json).await.body);
    own_names.retain(|name| stackmotion::commands::find(name).is_some_and(|known| !known.entry.stands_in));
    let own_count = own_names.len();
    let both = world.get("alice", &in_json).await;
    assert_eq!(both.header("content-type"), Some("application/json;charset=utf-8"));
    let (count, names, apis) = list(&both.body);
    assert_eq!((count, names.len()), (own_count + 2, own_count + 2));
    assert_eq!(names[..own_count], own_names);
    assert_eq!(names[own_count..], ["listVlanIpRanges", "createTags"]);
    assert_eq!(apis[own_count + 1].to_string(), r#"{"name":"createTags","odd":[1.0,"<"]}"#);
    let asked = recorder.only();
    assert!(asked.query().contains("apiKey=key-alice") && asked.query().contains("signature="), "{}", asked.target);
    assert_eq!(asked.all("accept-encoding"), [""; 0], "an answer that is read here is not compressed");

    let xml = world.get("alice", &[("command", "listApis")]).await.body;
    assert!(xml.contains(&format!("<count>{}</count>", own_count + 1)), "{}", &xml[..200]);
    let theirs =
        "<api><name>listVlanIpRanges</name><description>a&lt;b</description><params><name>id</name></params></api>";
    assert!(xml.ends_with(&format!("{theirs}</listapisresponse>")) && !xml.contains("theirs"));

    // One that is served here is told of by this gateway, another one by the other.
    let before = recorder.seen().len();
    let one = world.get("alice", &[in_json[0], in_json[1], ("name", "listZones")]).await.body;
    assert_eq!((list(&one).0, recorder.seen().len()), (1, before));
    let other = world.get("alice", &[in_json[0], in_json[1], ("name", "listVlanIpRanges")]).await.body;
    assert!(other.contains("theirs"), "the whole answer of the other");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_list_of_commands_does_not_fail_with_the_management_server() {
    let mut sizes = Vec::new();
    for bytes in [
        Vec::new(),
        json("<h1>no JSON</h1>"),
        json(r#"{"listapisresponse":{}}"#),
        answer("401 Unauthorized", &[], r#"{"listapisresponse":{"errorcode":401}}"#),
    ] {
        let recorder = Recorder::start(move |_| bytes.clone()).await;
        let world = World::behind(|_| upstream_at(recorder.address)).await;
        let answer = world.get("admin", &[("command", "listApis"), ("response", "json")]).await;
        assert_eq!((answer.status, recorder.seen().len()), (200, 1));
        let document: Json = serde_json::from_str(&answer.body).unwrap();
        sizes.push(document["listapisresponse"]["api"].as_array().unwrap().len());
    }
    assert!(sizes.iter().all(|size| *size > 20 && *size == sizes[0]), "{sizes:?}");
    // Who is not known here is not let in by the other's list.
    let recorder = Recorder::start(|_| json(r#"{"listapisresponse":{}}"#)).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    assert_eq!(world.get("nobody", &[("command", "listApis")]).await.status, 401);
    assert!(recorder.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_of_the_management_server_is_asked_there() {
    const THEIRS: &str = r#"{"queryasyncjobresultresponse":{"jobstatus":1}}"#;
    let recorder = Recorder::start(|_| json(THEIRS)).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let poll = |id: &'static str| [("command", "queryAsyncJobResult"), ("jobid", id), ("response", "json")];
    let sql = "INSERT INTO async_job (user_id, account_id, job_cmd, job_status, job_result_code, uuid, related, created) \
        VALUES (2, 2, 'x', 0, 0, ?, '', '2026-11-23 00:00:00')";
    world.store.db().run(sql, vec![Value::Text(JOB.to_owned())]).await.unwrap();
    let own = world.get("admin", &poll(JOB)).await;
    assert!(own.body.contains(r#""jobstatus":0"#), "{}", own.body);
    assert_eq!(world.get("nobody", &poll(JOB)).await.status, 401, "a job that is here is nobody else's");
    assert!(recorder.seen().is_empty());
    for (user, id) in [("admin", "0d3f6f3e-0000-4000-8000-00000000beef"), ("nobody", "4711"), ("alice", "no uuid")] {
        assert_eq!(world.get(user, &poll(id)).await.body, THEIRS, "{user} {id}");
    }
    let without = world.get("admin", &[("command", "queryAsyncJobResult"), ("response", "json")]).await;
    assert_eq!((without.status, recorder.seen().len()), (431, 3));
}
