//! With a management server behind the gateway: what it has not said is not believed, and what it has not been asked is not done.

use std::sync::{Arc, Mutex};

use crate::api::sessions::{Login, call, login, post};
use crate::support::raw_http::{RawRequest, RawResponse};
use crate::support::recorder::{Recorder, Seen, answer, json};
use crate::support::world::{World, upstream_at};

const VALIDATE: &str = "validateUserTwoFactorAuthenticationCode";
const ZONES: [(&str, &str); 1] = [("command", "listZones")];
const LOGIN: [(&str, &str); 3] = [("command", "login"), ("username", "alice"), ("password", "x")];
/// What the management server answers to a code that is wrong.
const WRONG: &str = r#"{"validateusertwofactorauthenticationcoderesponse":{"uuidList":[],"errorcode":511}}"#;

/// A management server that lets alice in, who has a second factor to show, and answers everything else as it is told.
struct Management {
    world: World,
    recorder: Recorder,
    /// Status line and body of everything else.
    other: Arc<Mutex<(String, String)>>,
}

impl Management {
    async fn start() -> Self {
        let uuid: String = {
            let sql = "SELECT uuid FROM user WHERE username = 'alice'";
            World::start().await.store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap()
        };
        let other = Arc::new(Mutex::new(("200 OK".to_owned(), String::new())));
        let kept = Arc::clone(&other);
        let recorder = Recorder::start(move |seen: &Seen| {
            if seen.body.starts_with(b"command=login") {
                let body = format!(r#"{{"loginresponse":{{"userid":"{uuid}","is2faverified":"false"}}}}"#);
                let cookies =
                    [("Set-Cookie", "JSESSIONID=node0a.node0;Path=/client"), ("Set-Cookie", "sessionkey=k;HttpOnly")];
                return answer("200 OK", &cookies, &body);
            }
            let (status, body) = kept.lock().unwrap().clone();
            answer(&status, &[("Content-Type", "text/xml;charset=utf-8")], &body)
        })
        .await;
        let world = World::behind(|_| upstream_at(recorder.address)).await;
        Self { world, recorder, other }
    }

    fn tell(&self, status: &str, body: &str) {
        *self.other.lock().unwrap() = (status.to_owned(), body.to_owned());
    }

    /// A new login. All that it lets in have the same id there, so what was here before goes.
    async fn login(&self) -> Login {
        self.world.store.db().run("DELETE FROM motion_session", vec![]).await.unwrap();
        let answer = post(&self.world, &LOGIN).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        Login::of(&answer)
    }

    async fn show(&self, login: &Login) -> RawResponse {
        call(&self.world, login, &[("command", VALIDATE), ("codefor2fa", "1")]).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_the_path_names_is_asked_of_the_management_server_too() {
    let management = Management::start().await;
    // CloudStack's answer to a live session and no command.
    let alice = management.login().await;
    let mut request = RawRequest::get(format!("/client/api/{VALIDATE}?sessionkey={}", alice.key));
    request.headers.push(alice.cookies());
    assert_eq!(request.send(management.world.address).await.status, 200);
    let asked = management.recorder.seen().pop().unwrap();
    assert_eq!(asked.target, format!("/client/api?sessionkey=k&command={VALIDATE}"));
    assert_eq!(call(&management.world, &alice, &ZONES).await.status, 511, "nobody has said that the factor was right");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_factor_is_right_where_the_answer_says_so() {
    const ENVELOPE: &str = "validateusertwofactorauthenticationcoderesponse";
    let management = Management::start().await;
    for (status, body) in [
        ("200 OK", String::new()),
        ("200 OK", "{}".to_owned()),
        ("200 OK", r#"{"null":{"success":true}}"#.to_owned()),
        ("200 OK", format!(r#"{{"{ENVELOPE}":{{"success":false}}}}"#)),
        ("202 Accepted", format!(r#"{{"{ENVELOPE}":{{"success":true}}}}"#)),
        ("511 No", WRONG.to_owned()),
    ] {
        management.tell(status, &body);
        let alice = management.login().await;
        assert_eq!(management.show(&alice).await.body, body);
        assert_eq!(call(&management.world, &alice, &ZONES).await.status, 511, "{status} {body}");
    }
    for body in [
        format!(r#"{{"{ENVELOPE}":{{"success":true}}}}"#),
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><{ENVELOPE} a=\"4\"><success>true</success></{ENVELOPE}>"),
    ] {
        management.tell("200 OK", &body);
        let alice = management.login().await;
        assert_eq!(management.show(&alice).await.body, body);
        assert_eq!(call(&management.world, &alice, &ZONES).await.status, 200, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_are_slowed_down_before_they_get_there() {
    let management = Management::start().await;
    management.tell("511 No", WRONG);
    let alice = management.login().await;
    for _ in 0..10 {
        assert_eq!(management.show(&alice).await.status, 511);
    }
    let before = management.recorder.seen().len();
    let slowed = management.show(&alice).await;
    assert!(slowed.status == 429 && slowed.body.contains("Too many logins have failed"), "{slowed:?}");
    // The right password of the same user is told to wait as well.
    assert_eq!(post(&management.world, &LOGIN).await.status, 429);
    assert_eq!(management.recorder.seen().len(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_says_nothing_excuses_no_guess() {
    // CloudStack answers so to a login with HEAD.
    let recorder = Recorder::start(|_| answer("200 OK", &[], "")).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    for _ in 0..10 {
        let target = "/client/api?command=login&username=admin&password=x";
        let head = RawRequest { method: "HEAD".to_owned(), ..RawRequest::get(target) };
        assert_eq!(head.send(world.address).await.status, 200);
    }
    let guess = [("command", "login"), ("username", "admin"), ("password", "x")];
    assert_eq!(post(&world, &guess).await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_in_another_charset_is_no_form() {
    let form = |charset: &str, body: Vec<u8>| {
        let mut request = RawRequest::form("/client/api?response=json&command=listZones", body);
        request.headers = vec![("Content-Type".to_owned(), format!("application/x-www-form-urlencoded{charset}"))];
        request
    };
    // `command=login`, as who reads the charset reads it.
    let wide: Vec<u8> = "command=login&username=a".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let recorder = Recorder::start(|_| json("{}")).await;
    let behind = World::behind(|_| upstream_at(recorder.address)).await;
    for world in [&World::start().await, &behind] {
        for charset in ["; charset=utf-16", "; charset=\"UTF-16BE\"", ";charset=utf-8;charset=utf-16", "; Charset = x"]
        {
            let refused = form(charset, wide.clone()).send(world.address).await;
            assert_eq!(refused.status, 400, "{charset}");
            assert!(
                refused.body.starts_with(r#"{"listzonesresponse":{"uuidList":[],"errorcode":400,"#)
                    && refused.body.contains("a charset other than UTF-8"),
                "{}",
                refused.body
            );
        }
        let beyond = form("; charset=ISO-8859-1", b"a=%E9".to_vec()).send(world.address).await;
        assert_eq!(beyond.status, 400, "{}", beyond.body);
        // What is the same in either is read: many clients name Latin-1 and send ASCII.
        for charset in ["; charset=UTF-8", "; charset=iso-8859-1", "; charset=us-ascii", ""] {
            assert_eq!(form(charset, b"a=b".to_vec()).send(world.address).await.status, 401, "{charset}");
        }
    }
    assert!(recorder.seen().is_empty());
    // Bytes that are no text hide no form: what the management server takes for a login is one here.
    let mut hidden = RawRequest::form("/client/api", "command=login&username=admin&password=x");
    hidden.headers = vec![
        ("Content-Type".to_owned(), "application/x-www-form-urlencoded; x=\u{e9}".to_owned()),
        ("Sec-Fetch-Site".to_owned(), "cross-site".to_owned()),
    ];
    assert_eq!(hidden.send(behind.address).await.status, 531);
    assert!(recorder.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_cannot_log_in_or_out_at_the_management_server() {
    let upstream = World::start().await;
    let world = World::behind(|_| upstream_at(upstream.address)).await;
    let alice = login(&world, "alice").await;
    let foreign = [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")];
    for (name, value) in foreign {
        let header = || (name.to_owned(), value.to_owned());
        let mut request = RawRequest::form(
            "/client/api",
            "command=login&username=bob&password=password-bob&domain=eng&response=json",
        );
        request.headers.extend([alice.cookies(), header()]);
        let refused = request.send(world.address).await;
        assert_eq!(refused.status, 531, "{name}: {value}: {}", refused.body);
        assert!(refused.body.starts_with(r#"{"loginresponse":"#), "{}", refused.body);
        assert!(refused.all("set-cookie").is_empty());
        let mut request = RawRequest::form("/client/api", "command=logout&response=json");
        request.headers.extend([alice.cookies(), header()]);
        let refused = request.send(world.address).await;
        assert_eq!(refused.status, 431, "{name}: {value}: {}", refused.body);
        let code = format!("command={VALIDATE}&codefor2fa=1&response=json&sessionkey={}", alice.key);
        let mut request = RawRequest::form("/client/api", code);
        request.headers.extend([alice.cookies(), header()]);
        assert_eq!(request.send(world.address).await.status, 401, "{name}: {value}");
    }
    for server in [&world, &upstream] {
        assert_eq!(call(server, &alice, &ZONES).await.status, 200, "the session lives on");
    }
    // The gateway's own page is none, although the host behind it is another.
    let form = "command=login&username=bob&password=password-bob&domain=eng&response=json";
    let mut own = RawRequest::form("/client/api", form);
    own.headers.push(("Origin".to_owned(), format!("http://{}", world.address)));
    assert_eq!(own.send(world.address).await.status, 200);
    assert_eq!(call(&world, &alice, &[("command", "logout")]).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_to_wait_is_not_passed_on_either() {
    let recorder = Recorder::start(|_| json("{}")).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let ask = async |command: &str, number: usize| {
        let target =
            format!("/client/api?command={command}&jobid=unknown&response=json&apikey=unknown-{number}&signature=x");
        RawRequest::get(target).send(world.address).await.status
    };
    let mut number = 0;
    while ask("listZones", number).await == 401 {
        number += 1;
        assert!(number < 2000, "wrong keys are looked up for ever");
    }
    // Some are looked at again as time passes; what is told to wait is told so here.
    let mut told = 0;
    for number in 0..20 {
        let before = recorder.seen().len();
        if ask("queryAsyncJobResult", number).await == 429 {
            told += 1;
            assert_eq!(recorder.seen().len(), before);
        }
    }
    assert!(told > 0, "nobody was told to wait");
}
