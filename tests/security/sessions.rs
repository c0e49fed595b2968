//! Sessions under attack: fixed, forged, borrowed by other sites.

use stackmotion::auth::session::SameSite;
use stackmotion::client::Client;
use stackmotion::commands::{Policy, SessionPolicy};
use stackmotion::http::TlsFiles;

use crate::api::sessions::{Login, call, login, try_login};
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::World;

const ZONES: [(&str, &str); 1] = [("command", "listZones")];
const LOGIN: &str = "command=login&username=alice&password=password-alice&domain=/&response=json";

async fn sessions(world: &World) -> i64 {
    world.store.db().row("SELECT COUNT(*) FROM motion_session", vec![]).await.unwrap().unwrap().at(0).unwrap()
}

async fn with_cookies(world: &World, cookies: &str, target: &str, site: Option<&str>) -> RawResponse {
    let mut request = RawRequest::get(target);
    request.headers.push(("Cookie".into(), cookies.into()));
    request.headers.extend(site.map(|site| ("Sec-Fetch-Site".to_owned(), site.to_owned())));
    request.send(world.address).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_that_somebody_else_chose_is_never_a_session() {
    let world = World::start().await;
    // The attacker has a session id of their own making, and one the server gave for a login that failed.
    let given = Login::of(&try_login(&world, "alice", "wrong").await).id;
    for planted in ["node0attacker.node0", &given, ""] {
        let mut request = RawRequest::form("/client/api", LOGIN);
        request.headers.push(("Cookie".into(), format!("JSESSIONID={planted}; sessionkey=planted")));
        let answer = request.send(world.address).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let login = Login::of(&answer);
        assert_ne!(login.id, planted);
        let stolen = Login { id: planted.to_owned(), key: login.key.clone() };
        assert_eq!(call(&world, &stolen, &ZONES).await.status, 401, "{planted}");
        assert_eq!(call(&world, &login, &ZONES).await.status, 200);
    }
    // In the path it is worth as little.
    let answer = RawRequest::form("/client/api;jsessionid=node0attacker", LOGIN).send(world.address).await;
    assert_ne!(Login::of(&answer).id, "node0attacker");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_ends_the_session_that_was_there() {
    let world = World::start().await;
    let first = login(&world, "alice").await;
    let mut request = RawRequest::form("/client/api", LOGIN);
    request.headers.push(first.cookies());
    assert_eq!(request.send(world.address).await.status, 200);
    assert_eq!(call(&world, &first, &ZONES).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_over_plain_http_are_cloudstacks() {
    let world = World::start().await;
    let answer = try_login(&world, "alice", "password-alice").await;
    let login = Login::of(&answer);
    let wanted =
        [format!("JSESSIONID={}; Path=/client", login.id), format!("sessionkey={};HttpOnly;SameSite=Lax", login.key)];
    assert_eq!(answer.all("set-cookie"), wanted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_behind_a_proxy_that_speaks_https_are_for_https_only() {
    let policy = SessionPolicy { secure_cookie: true, ..SessionPolicy::default() };
    let world = World::with(Policy { session: policy, ..Policy::default() }).await;
    let answer = try_login(&world, "alice", "password-alice").await;
    let cookies = answer.all("set-cookie");
    assert_eq!(cookies.len(), 2);
    assert!(cookies.iter().all(|cookie| cookie.contains("Secure") && cookie.contains("HttpOnly")), "{cookies:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_sessions_are_not_looked_at_for_ever_either() {
    let world = World::start().await;
    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &ZONES).await.status, 200);
    let mut statuses = Vec::new();
    for number in 0..1000 {
        let command = if number % 2 == 0 { "logout" } else { "listZones" };
        let target = format!("/client/api?command={command}&response=json&sessionkey=x");
        let answer = with_cookies(&world, &format!("JSESSIONID=node0dead{number}"), &target, None).await;
        statuses.push(answer.status);
        if answer.status == 429 {
            break;
        }
    }
    assert_eq!(statuses.last(), Some(&429), "{} dead sessions were looked at", statuses.len());
    assert_eq!(call(&world, &alice, &ZONES).await.status, 200, "a living one goes on");
    assert_eq!(login(&world, "alice").await.key.len(), 27, "and so do logins");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_over_https_are_for_https_only_and_hidden_from_scripts() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    let files = TlsFiles { certificate: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let world = World::with_tls(Policy::default(), Some(&files)).await;
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    // Whoever makes a client first chooses the cryptography for the process.
    let _ = Client::new(format!("https://{}", world.address), "k", "s");
    let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
    let request = client.post(format!("https://{}/client/api", world.address));
    let answer = request.header("Content-Type", "application/x-www-form-urlencoded").body(LOGIN).send().await.unwrap();
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(cookies.len(), 2);
    assert!(
        cookies[0].starts_with("JSESSIONID=") && cookies[0].ends_with(";Secure;HttpOnly;Path=/client"),
        "{cookies:?}"
    );
    assert!(cookies[1].ends_with(";HttpOnly;SameSite=Lax;Secure"), "{cookies:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cookies_alone_make_no_call() {
    let world = World::start().await;
    let alice = login(&world, "alice").await;
    let cookies = alice.cookies().1;
    let answer = with_cookies(&world, &cookies, "/client/api?command=listZones&response=json", None).await;
    assert_eq!(answer.status, 401, "{}", answer.body);
    assert_eq!(call(&world, &alice, &ZONES).await.status, 401, "and the session has ended, as in CloudStack");
    let alice = login(&world, "alice").await;
    let only_key = format!("sessionkey={}", alice.key);
    let target = format!("/client/api?command=listZones&response=json&sessionkey={}", alice.key);
    assert_eq!(with_cookies(&world, &only_key, &target, None).await.status, 401, "the key without the id");
    let only_id = format!("JSESSIONID={}", alice.id);
    assert_eq!(with_cookies(&world, &only_id, &target, None).await.status, 401, "the id without the key's cookie");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_cannot_use_or_end_a_session() {
    let world = World::start().await;
    let alice = login(&world, "alice").await;
    let cookies = alice.cookies().1;
    let target = format!("/client/api?command=listZones&response=json&sessionkey={}", alice.key);
    for target in
        [target.as_str(), "/client/api?command=listZones&response=json", "/client/api?command=logout&response=json"]
    {
        let answer = with_cookies(&world, &cookies, target, Some("cross-site")).await;
        assert!(matches!(answer.status, 401 | 431), "{target}: {}", answer.body);
    }
    // Over plain HTTP browsers do not say that, but where a form comes from.
    for origin in ["http://evil.example", "null"] {
        for form in ["command=listZones", "command=logout"] {
            let mut request = RawRequest::form("/client/api", format!("{form}&sessionkey={}", alice.key));
            request.headers.extend([alice.cookies(), ("Origin".to_owned(), origin.to_owned())]);
            let answer = request.send(world.address).await;
            assert!(matches!(answer.status, 401 | 431), "{origin}: {form}: {}", answer.body);
        }
    }
    assert_eq!(call(&world, &alice, &ZONES).await.status, 200, "the session lives on");
    for site in ["same-origin", "same-site", "none"] {
        assert_eq!(with_cookies(&world, &cookies, &target, Some(site)).await.status, 200, "{site}");
    }
    let policy = SessionPolicy { same_site: SameSite::NoneAndSecure, ..SessionPolicy::default() };
    let open = World::with(Policy { session: policy, ..Policy::default() }).await;
    let alice = login(&open, "alice").await;
    let target = format!("/client/api?command=listZones&response=json&sessionkey={}", alice.key);
    let answer = with_cookies(&open, &alice.cookies().1, &target, Some("cross-site")).await;
    assert_eq!(answer.status, 200, "the operator has allowed it: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_cannot_log_a_browser_in() {
    let world = World::start().await;
    let send = async |name: &str, value: &str| {
        let mut request = RawRequest::form("/client/api", LOGIN);
        request.headers.push((name.to_owned(), value.to_owned()));
        request.send(world.address).await
    };
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "http://evil.example"), ("Origin", "null")] {
        let answer = send(name, value).await;
        assert_eq!(answer.status, 531, "{name}: {value}: {}", answer.body);
        assert!(answer.all("set-cookie").is_empty());
    }
    assert_eq!(sessions(&world).await, 0);
    let own = send("Origin", &format!("http://{}", world.address)).await;
    assert_eq!(own.status, 200, "the server's own page: {}", own.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_of_another_site_may_read_an_answer() {
    let world = World::start().await;
    for method in ["GET", "OPTIONS"] {
        let mut request = RawRequest { method: method.into(), ..RawRequest::get("/client/api?command=listZones") };
        request.headers.push(("Origin".into(), "https://elsewhere.example".into()));
        let answer = request.send(world.address).await;
        let tells = answer.headers.iter().any(|(name, _)| name.to_lowercase().starts_with("access-control-"));
        assert!(!tells, "{:?}", answer.headers);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_calls_and_too_many_guesses_are_429() {
    let throttle =
        stackmotion::auth::limit::Throttle { enabled: true, interval: std::time::Duration::from_secs(3600), max: 10 };
    let world = World::with(Policy { throttle, ..Policy::default() }).await;
    let call = [("command", "listZones"), ("response", "json")];
    // A signed call counts twice.
    for number in 0..5 {
        assert_eq!(world.get("alice", &call).await.status, 200, "{number}");
    }
    let refused = world.get("alice", &call).await;
    assert_eq!(refused.status, 429);
    let text = refused.header("x-description").unwrap_or_default();
    assert!(text.starts_with("The given user has reached his/her account api limit, please retry after ["), "{text}");
    assert_eq!(world.get("admin", &call).await.status, 200, "root administrators are not counted");
    let body =
        escape_pairs(&[("command", "login"), ("username", "admin"), ("password", "wrong"), ("response", "json")]);
    // On a machine that is busy there is room for another guess before the last one is counted out.
    let mut statuses = Vec::new();
    while statuses.last() != Some(&429) && statuses.len() < 200 {
        statuses.push(RawRequest::form("/client/api", body.clone()).send(world.address).await.status);
    }
    assert_eq!(statuses.last(), Some(&429), "{statuses:?}");
    assert!(statuses.len() > 1, "the first guess is answered");
}
