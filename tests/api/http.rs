//! The way in over real sockets: paths, methods, precedence, limits, headers (`contract/api-protocol.md 0 to 2`).

use std::time::Duration;

use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{World, signed};
use stackmotion::auth::limit::Throttle;
use stackmotion::client::{Client, ClientError};
use stackmotion::commands::Policy;
use stackmotion::http::{HttpError, Listener, TlsFiles};
use stackmotion::model::Timestamp;
use stackmotion::store::Value;

const REFUSED: &str = r#"{"listcapabilitiesresponse":{"uuidList":[],"errorcode":401,"errortext":"unable to verify user credentials and/or request signature"}}"#;
const CALL: [(&str, &str); 2] = [("command", "listCapabilities"), ("response", "json")];

fn target(user: &str, pairs: &[(&str, &str)]) -> String {
    format!("/client/api?{}", escape_pairs(&signed(user, pairs)))
}

fn assert_is_page(answer: &RawResponse, status: u16) {
    assert_eq!(answer.status, status, "{answer:?}");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/html")), "{answer:?}");
    assert!(!answer.body.contains("errorcode"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paths_that_lead_to_the_api_and_paths_that_do_not() {
    let world = World::start().await;
    let query = escape_pairs(&signed("admin", &CALL));
    for path in [
        "/client/api",
        "/client/api/",
        "/client/api/deeper/still",
        "/client/api;jsessionid=x",
        "/client/api/listCapabilities",
    ] {
        let answer = RawRequest::get(format!("{path}?{query}")).send(world.address).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.starts_with(r#"{"listcapabilitiesresponse":{"capability":{"#), "{path}");
    }
    for path in ["/", "/client", "/client/apifoo", "/api", "/client/api2/"] {
        assert_is_page(&RawRequest::get(format!("{path}?{query}")).send(world.address).await, 404);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_path_may_name_the_command_and_the_signature_covers_it() {
    let world = World::start().await;
    let mut pairs = signed("admin", &CALL);
    pairs.retain(|(name, _)| name != "command");
    let query = escape_pairs(&pairs);
    let answer = RawRequest::get(format!("/client/api/listCapabilities?{query}")).send(world.address).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let other = RawRequest::get(format!("/client/api/listApis?{query}")).send(world.address).await;
    assert_eq!(other.status, 401, "a signature for one command must not serve another");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn methods() {
    let world = World::start().await;
    let send = async |method: &str| {
        let request = RawRequest { method: method.into(), ..RawRequest::get(target("admin", &CALL)) };
        request.send(world.address).await
    };
    let get = send("GET").await;
    assert_eq!((get.status, send("POST").await.body), (200, get.body.clone()));
    let head = send("HEAD").await;
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for (method, status) in [("PUT", 405), ("DELETE", 405), ("TRACE", 403), ("PATCH", 501), ("BREW", 501)] {
        let answer = send(method).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, ""), "{method}");
    }
    let options = send("OPTIONS").await;
    assert_eq!((options.status, options.header("allow")), (200, Some("GET, HEAD, POST, TRACE, OPTIONS")));
    assert_eq!(options.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_good_and_bad_answers() {
    let world = World::start().await;
    let good = world.get("admin", &CALL).await;
    assert_eq!(good.header("content-type"), Some("application/json;charset=utf-8"));
    assert_eq!(good.header("x-description"), None);
    assert_eq!(good.all("content-security-policy").len(), 6);
    assert_ne!(good.header("x-request-id"), world.get("admin", &CALL).await.header("x-request-id"));
    let bad = world.get("admin", &[CALL[0], CALL[1], ("x", "a\tb")]).await;
    let text = "Received value containing illegal ASCII non-printable characters for parameter x";
    assert_eq!((bad.status, bad.header("x-description")), (431, Some(text)));
    assert_eq!(
        bad.body,
        format!(
            r#"{{"listcapabilitiesresponse":{{"uuidList":[],"errorcode":431,"cserrorcode":9999,"errortext":"{text}"}}}}"#
        )
    );
    let xml = world.get("admin", &[CALL[0]]).await;
    assert_eq!(xml.header("content-type"), Some("text/xml;charset=utf-8"));
    assert!(
        xml.body.contains("<listcapabilitiesresponse cloud-stack-version=\"4.23.0.0-SNAPSHOT\"><capability>"),
        "{}",
        xml.body
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_calls_are_told_where_calls_are_counted() {
    let counted = Throttle { enabled: true, interval: Duration::from_secs(7), max: 300 };
    for throttle in [Throttle { enabled: false, ..counted }, counted] {
        let world = World::with(Policy { throttle, ..Policy::default() }).await;
        for user in ["admin", "alice"] {
            let answer = world.get(user, &CALL).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            if throttle.enabled {
                let interval = r#""regionsecondaryenabled":false,"apilimitinterval":7,"kvmsnapshotenabled":"#;
                let max = r#","apilimitmax":300,"allowuserviewdestroyedvm":"#;
                assert!(answer.body.contains(interval) && answer.body.contains(max), "{user}: {}", answer.body);
            } else {
                assert!(!answer.body.contains("apilimit"), "{user}: {}", answer.body);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_forms_are_read_and_the_query_wins() {
    let world = World::start().await;
    let pairs = escape_pairs(&signed("admin", &CALL));
    let plain = RawRequest {
        headers: vec![("Content-Type".into(), "text/plain".into())],
        ..RawRequest::form("/client/api", pairs.clone())
    };
    let ignored = plain.send(world.address).await;
    assert!(ignored.body.contains("<errorresponse><errorcode>401</errorcode>"), "{}", ignored.body);
    let with_charset = RawRequest {
        headers: vec![("Content-Type".into(), "application/x-www-form-urlencoded; charset=UTF-8".into())],
        ..RawRequest::form("/client/api", pairs.clone())
    };
    assert_eq!(with_charset.send(world.address).await.status, 200);
    let smuggled = RawRequest::form(format!("/client/api?{pairs}"), "command=listApis&apiKey=key-alice");
    assert_eq!(smuggled.send(world.address).await.status, 200, "the body must not replace what was signed");
    let get_with_body = RawRequest { method: "GET".into(), ..RawRequest::form("/client/api", pairs) };
    assert_eq!(get_with_body.send(world.address).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn limits_of_requests() {
    let world = World::start().await;
    let long = RawRequest::get(format!("/client/api?x={}", "x".repeat(9000))).send(world.address).await;
    assert_eq!((long.status, long.body.as_str()), (414, "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"));
    let headers = vec![("X-Long".to_owned(), "x".repeat(9000))];
    let fat = RawRequest { headers, ..RawRequest::get("/client/api") }.send(world.address).await;
    assert_is_page(&fat, 431);
    let form = |bytes: usize| format!("x={}", "x".repeat(bytes - 2));
    assert_is_page(&RawRequest::form("/client/api", form(1_048_577)).send(world.address).await, 400);
    assert_eq!(RawRequest::form("/client/api", form(1_048_576)).send(world.address).await.status, 401);
    let names = |count: usize| (0..count).map(|at| format!("n{at}=")).collect::<Vec<_>>().join("&");
    assert_is_page(&RawRequest::form("/client/api", names(10_000)).send(world.address).await, 400);
    assert_eq!(RawRequest::form("/client/api", names(5000)).send(world.address).await.status, 401);
    for broken in ["%zz", "a=%", "a=%4"] {
        assert_is_page(&RawRequest::get(format!("/client/api?{broken}")).send(world.address).await, 400);
    }
    let not_utf8 = RawRequest::get("/client/api?command=%ff%fe&response=json").send(world.address).await;
    assert_eq!(not_utf8.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_open_and_keys_that_do_not() {
    let world = World::start().await;
    let change = async |sql: &str| world.store.db().run(sql, vec![]).await.unwrap();
    assert_eq!(world.get("alice", &CALL).await.status, 200);
    assert_eq!(world.get("carol", &CALL).await.body, REFUSED, "a disabled user");
    assert_eq!(world.get("nobody", &CALL).await.body, REFUSED);
    for (spoil, heal) in [
        (
            "UPDATE account SET state = 'locked' WHERE account_name = 'alice'",
            "UPDATE account SET state = 'enabled' WHERE account_name = 'alice'",
        ),
        (
            "UPDATE api_keypair SET end_date = '2020-01-01 00:00:00' WHERE api_key = 'key-alice'",
            "UPDATE api_keypair SET end_date = NULL WHERE api_key = 'key-alice'",
        ),
        (
            "UPDATE api_keypair SET start_date = '2120-01-01 00:00:00' WHERE api_key = 'key-alice'",
            "UPDATE api_keypair SET start_date = NULL WHERE api_key = 'key-alice'",
        ),
        (
            "UPDATE user SET api_key_access = 0 WHERE username = 'alice'",
            "UPDATE user SET api_key_access = NULL WHERE username = 'alice'",
        ),
        (
            "UPDATE api_keypair SET removed = '2020-01-01 00:00:00' WHERE api_key = 'key-alice'",
            "UPDATE api_keypair SET removed = NULL WHERE api_key = 'key-alice'",
        ),
    ] {
        change(spoil).await;
        assert_eq!(world.get("alice", &CALL).await.body, REFUSED, "{spoil}");
        change(heal).await;
        assert_eq!(world.get("alice", &CALL).await.status, 200, "{heal}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_of_keys_and_roles() {
    let world = World::start().await;
    let sql = "INSERT INTO api_keypair_permissions (uuid, sort_order, rule, api_keypair_id, permission) \
               SELECT ?, 0, 'listApis', id, 'ALLOW' FROM api_keypair WHERE api_key = 'key-alice'";
    world.store.db().run(sql, vec![Value::Text("u".into())]).await.unwrap();
    assert_eq!(world.get("alice", &[("command", "listApis"), CALL[1]]).await.status, 200);
    let refused = world.get("alice", &CALL).await;
    let text = "The API [listCapabilities] does not exist or is not available for the account alice.";
    assert_eq!((refused.status, refused.header("x-description")), (432, Some(text)));
    assert!(refused.body.starts_with(r#"{"errorresponse":{"#), "{}", refused.body);
    let sql = "INSERT INTO role_permissions (uuid, role_id, rule, permission, sort_order) VALUES ('v', 4, 'listCap*', 'DENY', -1)";
    world.store.db().run(sql, vec![]).await.unwrap();
    let denied = RawRequest::get("/client/api?command=listCapabilities&response=json&apikey=key-alice&signature=x");
    assert_eq!(denied.send(world.address).await.status, 432, "rights are looked at before the signature");
    let allowed = RawRequest::get("/client/api?command=listApis&response=json&apikey=key-alice&signature=x");
    assert_eq!(allowed.send(world.address).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enforced_posts() {
    let world = World::with(Policy { enforce_post: true, ..Policy::default() }).await;
    let expires = |seconds: i64| Timestamp::from_unix(Timestamp::now().unix() + seconds).unwrap().wire();
    let call = async |seconds: i64| {
        world.get("admin", &[CALL[0], CALL[1], ("signatureVersion", "3"), ("expires", &expires(seconds))]).await.status
    };
    assert_eq!(world.get("admin", &CALL).await.status, 401, "without a time limit");
    assert_eq!(call(600).await, 200);
    assert_eq!(call(1000).await, 401, "more than 15 minutes ahead");
    let unknown = world.get("admin", &[("command", "migrateNothing"), CALL[1]]).await;
    assert_eq!(unknown.status, 400);
    assert_eq!(unknown.header("x-description"), None);
    assert!(unknown.body.contains("State changing command migrateNothing needs to be sent using POST request"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_own_client_is_understood() {
    let world = World::start().await;
    let client =
        |secret: &str| Client::new(format!("http://{}/client/api", world.address), "key-admin", secret).unwrap();
    let answer =
        client("secret-admin").call("listApis", &[("name", "listCapabilities"), ("x", "ä ~*+'")]).await.unwrap();
    assert_eq!((&answer["count"], &answer["api"][0]["name"]), (&1.into(), &"listCapabilities".into()));
    match client("wrong").call("listApis", &[]).await {
        Err(ClientError::Api { code: 401, cs_code: None, .. }) => {}
        other => panic!("{other:?}"),
    }
    match client("secret-admin").call("listApis", &[("name", "nope")]).await {
        Err(ClientError::Api { code: 530, cs_code: Some(9999), text, .. }) => {
            assert_eq!(text, "Api Discovery plugin was unable to find an api by that name or process any apis");
        }
        other => panic!("{other:?}"),
    }
    let nobody_there = Client::new("http://127.0.0.1:1/client/api", "k", "s").unwrap();
    assert!(matches!(nobody_there.call("listApis", &[]).await, Err(ClientError::Transport { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_is_that_of_the_database() {
    let world = World::start().await;
    assert_eq!(RawRequest::get("/healthz").send(world.address).await.status, 200);
    world.store.db().close().await;
    let answer = RawRequest::get("/healthz").send(world.address).await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "the database does not answer\n"));
    let refused = tokio::time::timeout(Duration::from_secs(30), world.get("admin", &CALL)).await.unwrap();
    assert_eq!(refused.status, 530);
    assert!(refused.body.contains("the database did not answer"), "{}", refused.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn https_with_a_certificate_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let world = World::with_tls(Policy::default(), Some(&files)).await;
    let url = format!("https://{}/client/api", world.address);
    let trusting = Client::trusting(made.cert.pem().as_bytes(), url.clone(), "key-admin", "secret-admin").unwrap();
    assert_eq!(trusting.call("listApis", &[("name", "listApis")]).await.unwrap()["count"], 1);
    let wary = Client::new(url, "key-admin", "secret-admin").unwrap();
    assert!(matches!(wary.call("listApis", &[]).await, Err(ClientError::Transport { .. })));
    let swapped = TlsFiles { certificate: files.key.clone(), key: files.certificate.clone() };
    assert!(matches!(Listener::bind("127.0.0.1:0".parse().unwrap(), Some(&swapped)), Err(HttpError::Tls { .. })));
    let missing = TlsFiles { certificate: folder.path().join("none.pem"), key: files.key };
    let error = Listener::bind("127.0.0.1:0".parse().unwrap(), Some(&missing)).unwrap_err().to_string();
    assert!(error.contains("none.pem"), "{error}");
}
