//! Commands that are not served here go to the management server as they came, and its answers come back as they are.

use std::net::SocketAddr;

use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::recorder::{Recorder, Seen, answer, json};
use crate::support::world::{World, signed, upstream_at};
use serde_json::Value as Json;
use stackmotion::app::App;
use stackmotion::auth::dialect;
use stackmotion::commands::Policy;
use stackmotion::http::{TlsFiles, merge};
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};
use stackmotion::upstream::{HttpUpstream, UpstreamSettings};

const USERS: &str = r#"{"listvlaniprangesresponse":{"count":1,"user":[{"id":"u"}]}}"#;

/// A gateway before a recorder that gives this answer to everything.
async fn before(bytes: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> (World, Recorder) {
    let recorder = Recorder::start(bytes).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    (world, recorder)
}

fn error_of(answer: &RawResponse) -> (i64, String) {
    let document: Json = serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"));
    let error = &document["errorresponse"];
    (error["errorcode"].as_i64().unwrap(), error["errortext"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_query_goes_up_byte_for_byte() {
    let (world, recorder) = before(|_| json(USERS)).await;
    let query = "command=listVlanIpRanges&&a=%7e&A=~&b[0].c='{}|^`\\&b%5B1%5D=%2b+&x=%c3%b6&x=%C3%96&=&y&sig=%2F%3d==";
    let answer = RawRequest::get(format!("/client/api?{query}")).send(world.address).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, USERS));
    let seen = recorder.only();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("GET", format!("/client/api?{query}").as_str()));
    assert!(seen.body.is_empty() && seen.all("content-length").is_empty(), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_goes_up_byte_for_byte() {
    let (world, recorder) = before(|_| json(USERS)).await;
    let form = "command=deployVirtualMachine&userdata=%7e~'\"{}[]\u{f6}&a=1&a=2&%20=";
    RawRequest::form("/client/api/?from=query", form).send(world.address).await;
    // What is no form means nothing to the gateway, so here the query names the command.
    let mut bytes = RawRequest::form("/client/api?command=uploadThing", vec![0, 255, b'%', b'\n', 13, 200]);
    bytes.headers = vec![("Content-Type".to_owned(), "application/octet-stream".to_owned())];
    bytes.send(world.address).await;
    let seen = recorder.seen();
    assert_eq!((seen[0].method.as_str(), seen[0].target.as_str()), ("POST", "/client/api?from=query"));
    assert_eq!(seen[0].body, form.as_bytes());
    assert_eq!(seen[0].all("content-type"), ["application/x-www-form-urlencoded"]);
    assert_eq!(seen[1].body, [0, 255, b'%', b'\n', 13, 200]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_stays_valid() {
    let (world, recorder) = before(|_| json(USERS)).await;
    let pairs =
        [("command", "createTags"), ("tags[0].key", "a b~*'"), ("tags[0].value", "größe+[]"), ("response", "json")];
    let signed = escape_pairs(&signed("alice", &pairs));
    RawRequest::get(format!("/client/api?{signed}")).send(world.address).await;
    RawRequest::form("/client/api", signed).send(world.address).await;
    for seen in recorder.seen() {
        let all = merge(seen.query().as_bytes(), &seen.body).unwrap();
        let shown = all.iter().find(|(name, _)| name == "signature").unwrap();
        let pairs = all.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert!(dialect::verify("secret-alice", pairs, &shown.1).is_some(), "{seen:?}");
    }
    assert_eq!(recorder.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_of_requests() {
    let (world, recorder) = before(|_| json(USERS)).await;
    let mut request =
        RawRequest::get("/client/api;jsessionid=node0x.node0/deeper/../../console?command=listVlanIpRanges");
    for (name, value) in [
        ("Cookie", "JSESSIONID=node0a.node0; sessionkey=k"),
        ("User-Agent", "CloudStack UI"),
        ("Cookie", "other=1"),
        ("Accept-Encoding", "gzip"),
        ("Keep-Alive", "timeout=5"),
        ("TE", "trailers"),
        ("Proxy-Authorization", "Basic eA=="),
        ("X-Forwarded-For", "10.1.1.1"),
        ("HTTP_CLIENT_IP", "10.1.1.1"),
        ("Via", "1.1 front"),
    ] {
        request.headers.push((name.to_owned(), value.to_owned()));
    }
    request.send(world.address).await;
    let seen = recorder.only();
    // Of the path only the session: what else stands there would lead out of the API.
    assert_eq!(seen.target, "/client/api;jsessionid=node0x.node0?command=listVlanIpRanges");
    assert_eq!(seen.all("cookie"), ["JSESSIONID=node0a.node0; sessionkey=k", "other=1"]);
    assert_eq!((seen.all("user-agent"), seen.all("accept-encoding")), (vec!["CloudStack UI"], vec!["gzip"]));
    assert_eq!(seen.all("host"), [recorder.address.to_string()]);
    assert_eq!(seen.all("x-forwarded-for"), ["127.0.0.1"], "what a client claims is not believed");
    for gone in ["keep-alive", "te", "proxy-authorization", "http_client_ip", "connection"] {
        assert_eq!(seen.all(gone), [""; 0], "{gone}");
    }
    let via = seen.all("via");
    assert!(via.len() == 2 && via[0] == "1.1 front" && via[1].starts_with("1.1 stackmotion-"), "{via:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_come_back_as_they_are() {
    let (world, _recorder) = before(|seen| {
        let status = seen.query().split("status=").nth(1).unwrap().replace('+', " ");
        let headers = [
            ("Set-Cookie", "JSESSIONID=node0b.node0; Path=/client"),
            ("X-Description", "gr\u{f6}\u{df}er"),
            ("Content-Type", "text/odd; charset=x"),
            ("Set-Cookie", "sessionkey=k;HttpOnly;SameSite=Lax"),
            ("Location", "http://127.0.0.1:1/elsewhere"),
            ("Content-Encoding", "br"),
            ("Vary", "Accept-Encoding, User-Agent"),
            ("Connection", "close, X-Hop"),
            ("X-Hop", "1"),
        ];
        answer(&status, &headers, "any { body \u{1}")
    })
    .await;
    for status in ["200 OK", "302 Found", "401 Unauthorized", "431 No", "432 432", "503 Busy", "530 530", "599 599"] {
        let target = format!("/client/api?command=listVlanIpRanges&status={}", status.replace(' ', "+"));
        let answer = RawRequest::get(target.clone()).send(world.address).await;
        assert_eq!((answer.status.to_string().as_str(), answer.body.as_str()), (&status[..3], "any { body \u{1}"));
        let cookies = ["JSESSIONID=node0b.node0; Path=/client", "sessionkey=k;HttpOnly;SameSite=Lax"];
        assert_eq!(answer.all("set-cookie"), cookies);
        // Read as Latin-1: the two bytes of each letter.
        assert_eq!(answer.all("x-description"), ["gr\u{c3}\u{b6}\u{c3}\u{9f}er"]);
        assert_eq!(answer.all("content-type"), ["text/odd; charset=x"]);
        assert_eq!(answer.all("location"), ["http://127.0.0.1:1/elsewhere"]);
        assert_eq!(answer.all("content-encoding"), ["br"]);
        assert_eq!(answer.all("content-length"), ["12"]);
        for ours in ["x-hop", "x-request-id", "x-xss-protection", "content-security-policy"] {
            assert_eq!(answer.all(ours), [""; 0], "{ours}");
        }
        let head = RawRequest { method: "HEAD".to_owned(), ..RawRequest::get(target) }.send(world.address).await;
        assert_eq!((head.status, head.body.as_str()), (answer.status, ""));
        assert_eq!(head.all("content-length"), ["12"]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_not_served_goes_up() {
    let (world, recorder) = before(|_| json(USERS)).await;
    let zones = world.get("admin", &[("command", "listZones"), ("response", "json")]).await;
    assert!(zones.body.starts_with(r#"{"listzonesresponse""#), "{}", zones.body);
    assert_eq!(RawRequest::get("/client/api?command=listZones").send(world.address).await.status, 401);
    assert!(recorder.seen().is_empty());
    // Names of commands are told apart by letter case, and no name is nobody's.
    for query in ["command=listzones", "command=", "Command=listZones", "a=b"] {
        assert_eq!(RawRequest::get(format!("/client/api?{query}")).send(world.address).await.body, USERS, "{query}");
    }
    assert_eq!(RawRequest::get("/client/api").send(world.address).await.body, USERS);
    let targets: Vec<_> = recorder.seen().into_iter().map(|seen| seen.target).collect();
    assert_eq!(targets[4], "/client/api");
    assert_eq!(targets.len(), 5);
    // Requests that are none do not get there.
    for (target, status) in [("/client/api?command=x&a=%zz", 400), ("/client/console?command=x", 404)] {
        assert_eq!(RawRequest::get(target).send(world.address).await.status, status);
    }
    let fat = RawRequest::form("/client/api", vec![b'a'; 1_048_577]).send(world.address).await;
    assert_eq!(fat.status, 400);
    assert_eq!(recorder.seen().len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_that_is_down_or_breaks_off() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let world = World::behind(|_| upstream_at(address)).await;
    let call = "/client/api?command=listVlanIpRanges&response=json";
    let down = RawRequest::get(call).send(world.address).await;
    let (code, text) = error_of(&down);
    assert_eq!((down.status, code), (503, 503));
    assert!(text.contains("upstream.url") && text.contains("Nothing was done"), "{text}");
    assert!(!text.contains(&address.to_string()), "strangers are not told where it is");
    let xml = RawRequest::get("/client/api?command=listVlanIpRanges").send(world.address).await;
    assert!(xml.body.contains("<errorresponse><errorcode>503</errorcode>"), "{}", xml.body);

    let (world, recorder) = before(|_| Vec::new()).await;
    let lost = RawRequest::get(call).send(world.address).await;
    let (code, text) = error_of(&lost);
    assert_eq!((lost.status, code), (530, 530));
    assert!(text.contains("not known whether"), "{text}");
    assert_eq!(recorder.seen().len(), 1, "nothing is sent twice");

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let hasty = |address: SocketAddr| UpstreamSettings {
        idle_timeout: std::time::Duration::from_millis(100),
        ..upstream_at(address)
    };
    let world = World::behind(|_| hasty(silent.local_addr().unwrap())).await;
    let answer = RawRequest::get(call).send(world.address).await;
    assert!(answer.status == 530 && error_of(&answer).1.contains("not known whether"), "{answer:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_its_own_upstream_says_so() {
    let world = World::behind(upstream_at).await;
    for query in ["command=listVlanIpRanges&response=json", "command=login&username=admin&response=json"] {
        let answer = RawRequest::form("/client/api", query).send(world.address).await;
        let (code, text) = error_of(&answer);
        assert_eq!((answer.status, code), (530, 530));
        assert!(text.contains("leads back to the gateway itself"), "{text}");
    }
    let own = world.get("admin", &[("command", "listApis"), ("response", "json")]).await;
    let document: Json = serde_json::from_str(&own.body).unwrap();
    let list = &document["listapisresponse"];
    assert_eq!(list["count"].as_u64().unwrap() as usize, list["api"].as_array().unwrap().len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setting_makes_it_so() {
    let recorder = Recorder::start(|_| json(USERS)).await;
    let folder = tempfile::tempdir().unwrap();
    let flags = SettingsArgs {
        data_dir: Some(folder.path().display().to_string()),
        port: Some("0".to_owned()),
        set: vec![format!("upstream.url=http://{}/client/api/", recorder.address), "http.drain_s=1".to_owned()],
        ..SettingsArgs::default()
    };
    let effective = Effective::load(&Sources { env: Vec::new(), flags }).unwrap();
    let app = App::start(&Settings::from_effective(&effective).unwrap()).await.unwrap();
    assert_eq!(RawRequest::get("/client/api?command=listVlanIpRanges").send(app.address).await.body, USERS);
    assert_eq!(recorder.only().target, "/client/api?command=listVlanIpRanges");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upstream_with_https() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let upstream = World::with_tls(Policy::default(), Some(&files)).await;
    let target = format!("https://{}/client/api", upstream.address).parse().unwrap();
    let settings = UpstreamSettings { target, ca: Some(files.certificate.clone()), ..upstream_at(upstream.address) };
    let call = "/client/api?command=listVlanIpRanges&response=json";
    let other = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let wrong = folder.path().join("other.pem");
    std::fs::write(&wrong, other.cert.pem()).unwrap();
    let wary = UpstreamSettings { ca: Some(wrong), ..settings.clone() };
    let useless = UpstreamSettings { ca: Some(files.key), ..settings.clone() };
    let world = World::behind(|_| settings).await;
    assert_eq!(RawRequest::get(call).send(world.address).await.status, 401, "the upstream's own refusal");
    let world = World::behind(|_| wary).await;
    assert_eq!(RawRequest::get(call).send(world.address).await.status, 503, "a stranger's certificate");
    let error = HttpUpstream::new(useless).unwrap_err().to_string();
    assert!(error.contains("upstream.ca") && error.contains("key.pem"), "{error}");
}
