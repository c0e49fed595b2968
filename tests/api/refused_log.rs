//! What the log says about refused signatures, and what it never says.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use serde_json::Value as Json;
use stackmotion::auth::signature::{sign, string_to_sign};
use stackmotion::commands::Policy;
use stackmotion::dispatch::{Answer, Gateway, RawRequest, Verb};
use stackmotion::model::Timestamp;
use stackmotion::motion::{Motion, Patience};
use stackmotion::store::Store;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::world::{NotedJobs, seed, signed};

type Pairs = Vec<(String, String)>;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().unwrap())).unwrap()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A gateway without a listener: it answers on the thread whose log is kept.
struct Logged {
    gateway: Gateway,
    store: Store,
}

impl Logged {
    async fn start(policy: Policy) -> Self {
        let store = Store::open("sqlite::memory:").await.unwrap();
        seed(&store).await;
        let motion = Arc::new(Motion::new(store.clone(), Patience::default()));
        Self { gateway: Gateway::new(motion, Arc::new(NotedJobs::default()), policy), store }
    }

    async fn sql(&self, sql: &str) {
        self.store.db().run(sql, vec![]).await.unwrap();
    }

    /// Answers; gives the lines that were logged as well, as the text format writes them and as JSON.
    async fn answer(&self, pairs: Pairs) -> (Answer, String, Vec<Json>) {
        let request = RawRequest {
            pairs,
            cookies: vec![],
            session_in_path: None,
            verb: Verb::Get,
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
            is_encrypted: false,
            is_cross_site: false,
            resume_after: None,
            original: None,
            request_id: "req-1".into(),
        };
        let kept = Kept::default();
        // The filter that many operators use: spans that carry the id are not written under it.
        let lines = || tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_writer(kept.clone());
        let guard = tracing::subscriber::set_default(lines().with_ansi(false).finish());
        let answer = self.gateway.answer(request.clone()).await.own().unwrap();
        drop(guard);
        let text = kept.take();
        let guard = tracing::subscriber::set_default(lines().json().flatten_event(true).finish());
        assert_eq!(self.gateway.answer(request).await.own().unwrap(), answer);
        drop(guard);
        let json = kept.take().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (answer, text, json)
    }
}

fn owned(pairs: &[(&str, &str)]) -> Pairs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Pairs with the key of `user`, signed with `secret` over the text that `spelled` makes of the right one.
fn signed_as(user: &str, secret: &str, pairs: &[(&str, &str)], spelled: impl Fn(&str) -> String) -> Pairs {
    let mut all = owned(pairs);
    all.push(("apiKey".to_owned(), format!("key-{user}")));
    let text = string_to_sign(all.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    all.push(("signature".to_owned(), sign(secret, &spelled(&text))));
    all
}

const LIST: [(&str, &str); 3] = [("command", "listZones"), ("response", "json"), ("note", "a b*")];

#[tokio::test]
async fn each_reason_is_told_to_the_log_and_none_to_the_client() {
    let logged = Logged::start(Policy::default()).await;
    logged.sql("UPDATE user SET state = 'disabled' WHERE username = 'alice'").await;
    logged.sql("UPDATE api_keypair SET end_date = '2020-01-02 03:04:05' WHERE api_key = 'key-bob'").await;
    let past = Timestamp::from_unix(Timestamp::now().unix() - 100).unwrap().wire();
    let limited = |expires: &str| signed("admin", &[LIST[0], LIST[1], ("signatureVersion", "3"), ("expires", expires)]);
    let as_is = |text: &str| text.to_owned();
    let no_limit = signed("admin", &[LIST[0], LIST[1], ("signatureVersion", "3")]);
    let mut padded = signed("admin", &LIST);
    padded[3].1 = " key-admin".to_owned();
    let mut added = signed("admin", &LIST);
    added.push(("_".to_owned(), "1".to_owned()));
    let only = |left_out: &str| signed("admin", &LIST).into_iter().filter(|pair| pair.0 != left_out).collect::<Pairs>();
    let expired = ["expired 10", "s ago", past.as_str(), "the clock here"];
    let cases: Vec<(Pairs, &[&str], Option<&str>)> = vec![
        (signed_as("admin", "other", &LIST, as_is), &["another secret", "changed on its way"], Some("none")),
        (
            signed_as("admin", "secret-admin", &LIST, |text| text.replace('*', "%2a")),
            &["secret is right", "%2a"],
            Some("star-encoded"),
        ),
        (
            signed_as("admin", "secret-admin", &LIST, |text| text.replace("%20", "+")),
            &["secret is right", "%20"],
            Some("blank-as-plus"),
        ),
        (signed("admin", &[LIST[0], LIST[1], ("a&b", "1")]), &["ambiguous", "a&b"], Some("none")),
        (added, &["without the parameter _,"], Some("none")),
        (limited(&past), &expired, None),
        (limited("tomorrow"), &["accepted forms", "tomorrow"], None),
        (no_limit, &["expires is missing"], None),
        (signed("nobody", &LIST), &["nobody has this API key: key-... of 10 characters"], None),
        (padded, &["nobody has this API key", "blanks or line ends around it"], None),
        (signed("alice", &LIST), &["disabled or locked"], None),
        (signed("bob", &LIST), &["was valid until 2020-01-02T03:04:05+0000"], None),
        (only("signature"), &["an apiKey but no signature"], None),
        (only("apiKey"), &["a signature but no apiKey"], None),
    ];
    for (pairs, words, dialect) in cases {
        let (answer, text, json) = logged.answer(pairs).await;
        assert_eq!(answer.status, 401, "{words:?}");
        assert_eq!(answer.description, None, "{words:?}");
        let body = String::from_utf8(answer.body.into()).unwrap();
        let plain = r#"{"listzonesresponse":{"uuidList":[],"errorcode":401,"errortext":"unable to verify user credentials and/or request signature"}}"#;
        assert_eq!(body, plain, "{words:?}");
        assert_eq!((text.lines().count(), json.len()), (1, 1), "one line: {text}");
        let line = &json[0];
        assert_eq!((line["level"].as_str(), line["request_id"].as_str()), (Some("WARN"), Some("req-1")), "{line}");
        assert_eq!((line["command"].as_str(), line["peer"].as_str()), (Some("listZones"), Some("127.0.0.1")), "{line}");
        let reason = line["reason"].as_str().unwrap();
        for word in words {
            assert!(reason.contains(word), "{word}: {reason}");
        }
        assert_eq!(line["dialect"].as_str(), dialect, "{line}");
        assert_eq!(line["canonical"].is_string(), dialect.is_some(), "{line}");
        for word in ["secret-", "signature\":", "signature="] {
            assert!(!text.contains(word) && !line.to_string().contains(word), "{word}: {text}");
        }
    }
    let (_, _, json) = logged.answer(signed_as("admin", "other", &LIST, as_is)).await;
    assert_eq!(json[0]["key_owner"], "admin of account admin in /");
    assert_eq!(json[0]["canonical"], "apikey=key-admin&command=listzones&note=a%20b*&response=json");
    let (_, _, json) = logged.answer(limited(&past)).await;
    assert_eq!(json[0]["key_owner"], "admin of account admin in /", "also where the key was not asked for");
    let (_, _, json) = logged.answer(signed_as("alice", "other", &LIST, as_is)).await;
    assert!(json[0]["key_owner"].as_str().unwrap().starts_with("alice of account "), "{}", json[0]);
}

#[tokio::test]
async fn keys_that_may_not_be_used_are_told_apart() {
    let logged = Logged::start(Policy::default()).await;
    for (change, back, words) in [
        (
            "UPDATE user SET api_key_access = 0 WHERE username = 'admin'",
            "UPDATE user SET api_key_access = NULL WHERE username = 'admin'",
            "switched off",
        ),
        (
            "UPDATE api_keypair SET secret_key = '' WHERE api_key = 'key-admin'",
            "UPDATE api_keypair SET secret_key = 'secret-admin' WHERE api_key = 'key-admin'",
            "no secret",
        ),
        (
            "UPDATE api_keypair SET start_date = '2200-01-02 03:04:05' WHERE api_key = 'key-admin'",
            "UPDATE api_keypair SET start_date = NULL WHERE api_key = 'key-admin'",
            "valid from 2200-01-02T03:04:05+0000 on",
        ),
    ] {
        assert_eq!(logged.answer(signed("admin", &LIST)).await.0.status, 200, "{words}");
        logged.sql(change).await;
        let (answer, _, json) = logged.answer(signed("admin", &LIST)).await;
        assert_eq!(answer.status, 401, "{words}");
        assert!(json[0]["reason"].as_str().unwrap().contains(words), "{}", json[0]);
        assert!(json[0]["key_owner"].as_str().unwrap().starts_with("admin of"), "{}", json[0]);
        logged.sql(back).await;
    }
}

#[tokio::test]
async fn enforced_limits_are_explained() {
    let logged = Logged::start(Policy { enforce_post: true, ..Policy::default() }).await;
    let (answer, _, json) = logged.answer(signed("admin", &LIST)).await;
    assert_eq!(answer.status, 401);
    assert!(json[0]["reason"].as_str().unwrap().contains("signatureVersion=3 with expires is needed"), "{}", json[0]);
    let far = Timestamp::from_unix(Timestamp::now().unix() + 2000).unwrap().wire();
    let pairs = [LIST[0], LIST[1], ("signatureVersion", "3"), ("expires", far.as_str())];
    let (answer, _, json) = logged.answer(signed("admin", &pairs)).await;
    assert_eq!(answer.status, 401);
    assert!(json[0]["reason"].as_str().unwrap().contains("s beyond the 15 minutes"), "{}", json[0]);
}

#[tokio::test]
async fn commands_that_are_not_here_are_named() {
    let logged = Logged::start(Policy::default()).await;
    let (answer, text, json) =
        logged.answer(signed("admin", &[("command", "listzones\nx"), ("response", "json")])).await;
    assert_eq!(answer.status, 401);
    assert_eq!(text.lines().count(), 1, "{text}");
    assert_eq!(json[0]["command"], "listzones\\nx");
    assert!(json[0]["reason"].as_str().unwrap().contains("no such command"), "{}", json[0]);
    let (answer, _, json) = logged.answer(signed("admin", &[("Command", "listZones")])).await;
    assert_eq!(answer.status, 401);
    assert!(json[0]["reason"].as_str().unwrap().contains("in lower case"), "{}", json[0]);
}

#[tokio::test]
async fn what_is_not_refused_and_what_is_not_signed_is_not_warned_of() {
    let logged = Logged::start(Policy::default()).await;
    for (pairs, status) in [
        (signed("admin", &LIST), 200),
        (signed_as("admin", "secret-admin", &[LIST[0], LIST[1], ("note", "~")], |text| text.replace("%7e", "~")), 200),
        (owned(&LIST), 401),
    ] {
        let (answer, text, _) = logged.answer(pairs).await;
        assert_eq!((answer.status, text.as_str()), (status, ""));
    }
}

#[tokio::test]
async fn no_secret_and_no_signature_is_written_down() {
    let logged = Logged::start(Policy::default()).await;
    let url = "cifs://host/share?user=u&password=hunter2";
    let pairs = [
        ("command", "listZones"),
        ("response", "json"),
        ("password", "hunter2"),
        ("currentPassword", "hunter2"),
        ("sessionkey", "hunter2"),
        ("details[0].key", "secretkey"),
        ("details[0].value", "hunter2"),
        ("userdata", "hunter2"),
        ("codefor2fa", "hunter2"),
        ("url", url),
        ("note", "secret-admin"),
        ("Secret-Admin", "1"),
        ("kept", "kept-value"),
    ];
    let right = signed("admin", &pairs).pop().unwrap().1;
    let encoded_twice = right.replace('=', "%3D");
    let star = sign("secret-admin", "nothing");
    for given in [encoded_twice.as_str(), star.as_str(), &format!("{right} ")] {
        let mut all = owned(&pairs);
        all.push(("apiKey".to_owned(), "key-admin".to_owned()));
        all.push(("signature".to_owned(), given.to_owned()));
        let (answer, text, json) = logged.answer(all).await;
        assert_eq!(answer.status, 401);
        let whole = format!("{text}{json:?}").to_lowercase();
        let digits = right.trim_end_matches('=').to_lowercase();
        for word in ["hunter2", "secret-admin", digits.as_str(), given.trim().to_lowercase().as_str()] {
            assert!(!whole.contains(word), "{word}: {whole}");
        }
        let canonical = json[0]["canonical"].as_str().unwrap();
        for item in [
            "password=__hidden__",
            "details[0].value=__hidden__",
            "url=__hidden__",
            "note=__hidden__",
            "__hidden__=__hidden__",
            "kept=kept-value",
        ] {
            assert!(canonical.split('&').any(|other| other == item), "{item}: {canonical}");
        }
    }
}

#[tokio::test]
async fn nothing_from_outside_begins_a_line_or_makes_it_endless() {
    let logged = Logged::start(Policy::default()).await;
    let forged = "x\n2026-01-01T00:00:00Z  WARN forged: all is well\r\u{1b}[2J\u{202e}\u{2028}";
    for pairs in [
        vec![("command", "listZones"), ("response", "json"), (forged, "1")],
        vec![("command", "listZones"), ("response", "json"), ("note", forged)],
        vec![("command", "listZones"), ("response", "json"), ("a=b", "1"), (forged, "2")],
        vec![("command", "listZones"), ("response", "json"), ("signatureVersion", "3"), ("expires", forged)],
    ] {
        let (_, text, json) = logged.answer(signed_as("admin", "other", &pairs, str::to_owned)).await;
        assert_eq!((text.lines().count(), json.len()), (1, 1), "{text}");
        assert!(text.trim_end_matches('\n').chars().all(|letter| (' '..='~').contains(&letter)), "{text:?}");
        assert!(!json[0].to_string().contains('\u{202e}'), "{}", json[0]);
    }
    let (_, text, _) = logged.answer(signed(forged, &LIST)).await;
    assert_eq!(text.lines().count(), 1, "{text}");

    let long = "v".repeat(200_000);
    let mut many: Pairs = (0..4000).map(|number| (format!("n{number}"), "v".to_owned())).collect();
    many.extend(owned(&LIST));
    let many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    for pairs in [vec![LIST[0], LIST[1], ("note", long.as_str())], vec![LIST[0], (long.as_str(), "1")], many] {
        let (_, text, json) = logged.answer(signed_as("admin", "other", &pairs, str::to_owned)).await;
        assert!(text.len() < 6000, "{} bytes", text.len());
        assert!(json[0]["reason"].as_str().unwrap().contains("too large"), "{}", json[0]["reason"]);
    }
}

#[tokio::test]
async fn a_role_inside_a_project_is_told_from_wrong_credentials() {
    const PROJECT: &str = "00000000-0000-4000-9000-000000000001";
    let logged = Logged::start(Policy::default()).await;
    let rows = serde_json::json!({
        "projects": [{"id": 1, "name": "p", "uuid": PROJECT, "project_account_id": 501, "domain_id": 1, "state": "Active"}],
        "project_role": [{"id": 1, "uuid": "00000000-0000-4000-9000-000000000002", "name": "r", "project_id": 1}],
        "project_role_permissions": [{"project_id": 1, "project_role_id": 1, "rule": "*", "permission": "DENY"}],
    });
    crate::lists::support::seed(&logged.store, &rows).await;
    let member = "INSERT INTO project_account (account_id, account_role, project_account_id, project_id, project_role_id) \
        SELECT account_id, 'Regular', 501, 1, 1 FROM user WHERE username = 'alice'";
    logged.sql(member).await;
    let pairs = [("command", "listVolumes"), ("response", "json"), ("projectid", PROJECT)];
    let (answer, text, json) = logged.answer(signed("alice", &pairs)).await;
    assert_eq!((answer.status, text.lines().count(), json.len()), (401, 1, 1), "{text}");
    let line = &json[0];
    assert_eq!((line["level"].as_str(), line["request_id"].as_str()), (Some("WARN"), Some("req-1")), "{line}");
    assert_eq!((line["command"].as_str(), line["project"].as_str()), (Some("listVolumes"), Some(PROJECT)), "{line}");
    assert!(line["user"].as_str().unwrap().starts_with("alice of account "), "{line}");
    assert_eq!(line["message"], "the user's role inside the project denies the command", "{line}");
}
