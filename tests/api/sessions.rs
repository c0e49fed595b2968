//! Logging in and out: the recorded cases, and stories about what a session may and may not do.

use std::collections::HashMap;
use std::time::Duration;

use crate::support::golden::{Case, cases, differences};
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::World;
use stackmotion::args;
use stackmotion::commands::{Policy, SessionPolicy};
use stackmotion::model::Timestamp;

/// What a client keeps of a login.
#[derive(Clone, Debug)]
pub struct Login {
    pub id: String,
    pub key: String,
}

impl Login {
    /// What an answer to a login left behind; a refused one leaves an id only.
    pub fn of(answer: &RawResponse) -> Self {
        let cookies = answer.all("set-cookie");
        let value = |name: &str| {
            let found = cookies.iter().find_map(|cookie| cookie.strip_prefix(name)?.strip_prefix('='));
            found.and_then(|rest| rest.split(';').next()).unwrap_or_default().to_owned()
        };
        Self { id: value("JSESSIONID"), key: value("sessionkey") }
    }

    /// The header that carries both cookies.
    pub fn cookies(&self) -> (String, String) {
        ("Cookie".to_owned(), format!("JSESSIONID={}; sessionkey={}", self.id, self.key))
    }
}

pub async fn post(world: &World, pairs: &[(&str, &str)]) -> RawResponse {
    let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    RawRequest::form("/client/api", escape_pairs(&pairs)).send(world.address).await
}

pub async fn try_login(world: &World, user: &str, password: &str) -> RawResponse {
    let domain = if user == "bob" { "eng" } else { "/" };
    let pairs =
        [("command", "login"), ("username", user), ("password", password), ("domain", domain), ("response", "json")];
    post(world, &pairs).await
}

/// Logs in with the right password.
pub async fn login(world: &World, user: &str) -> Login {
    let answer = try_login(world, user, &format!("password-{user}")).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    Login::of(&answer)
}

/// A call inside a session.
pub async fn call(world: &World, login: &Login, pairs: &[(&str, &str)]) -> RawResponse {
    let mut pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    pairs.push(("sessionkey".to_owned(), login.key.clone()));
    pairs.push(("response".to_owned(), "json".to_owned()));
    let mut request = RawRequest::get(format!("/client/api/?{}", escape_pairs(&pairs)));
    request.headers.push(login.cookies());
    request.send(world.address).await
}

/// The case with the words for sessions replaced by what the logins made for it left.
pub async fn with_sessions(world: &World, case: &Case) -> (Case, HashMap<String, Login>) {
    let mut text = serde_json::to_string(case).unwrap();
    let mut logins = HashMap::new();
    for user in ["admin", "alice", "bob"] {
        if text.contains(&format!("sessionkey:{user}}}}}")) || text.contains(&format!("jsessionid:{user}}}}}")) {
            logins.insert(user.to_owned(), login(world, user).await);
        }
    }
    if text.contains("{{jsessionid:failed-login}}") {
        let refused = try_login(world, "admin", "wrong").await;
        assert_eq!(refused.status, 531);
        logins.insert("failed-login".to_owned(), Login::of(&refused));
    }
    for (user, login) in &logins {
        text = text.replace(&format!("{{{{sessionkey:{user}}}}}"), &login.key);
        text = text.replace(&format!("{{{{jsessionid:{user}}}}}"), &login.id);
    }
    (serde_json::from_str(&text).unwrap(), logins)
}

/// The answer with what a fresh login made replaced by the words for it.
fn without_fresh(mut answer: RawResponse) -> RawResponse {
    let fresh = Login::of(&answer);
    if !answer.body.contains("loginresponse") && !answer.body.contains("HTTP POST") && answer.status == 200 {
        return answer;
    }
    let generalize = |text: &str| {
        let text =
            if fresh.key.is_empty() { text.to_owned() } else { text.replace(&fresh.key, "{{sessionkey:fresh}}") };
        if fresh.id.is_empty() { text } else { text.replace(&fresh.id, "{{jsessionid:fresh}}") }
    };
    answer.body = generalize(&answer.body);
    answer.headers.iter_mut().for_each(|(_, value)| *value = generalize(value));
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn recorded_sessions() {
    let world = World::start().await;
    let mut failed = Vec::new();
    let mut sent = 0;
    for case in cases("session") {
        let (case, _) = with_sessions(&world, &case).await;
        for exchange in &case.exchanges {
            let request = exchange.request.ready().unwrap_or_else(|| panic!("{}: a word is not replaced", case.name));
            let answer = without_fresh(request.send(world.address).await);
            sent += 1;
            let mut found = differences(&exchange.response, &answer);
            for name in ["set-cookie", "expires"] {
                let wanted: Vec<_> = exchange
                    .response
                    .headers
                    .iter()
                    .filter(|(known, _)| known.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.as_str())
                    .collect();
                if wanted != answer.all(name) {
                    found.push(format!("{name} {:?} instead of {wanted:?}", answer.all(name)));
                }
            }
            if !found.is_empty() {
                failed.push(format!("{}: {}", case.name, found.join("; ")));
            }
        }
    }
    assert!(failed.is_empty(), "{} of {sent} differ:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(sent, 38);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_by_idleness_by_logout_and_with_its_user() {
    let world = World::start().await;
    let zones = [("command", "listZones")];
    let login_of_alice = login(&world, "alice").await;
    assert_eq!(call(&world, &login_of_alice, &zones).await.status, 200);
    // Idle for longer than allowed: as if it had never been.
    let long_ago = "UPDATE motion_session SET last_used = '2020-01-01 00:00:00'";
    world.store.db().run(long_ago, vec![]).await.unwrap();
    let late = call(&world, &login_of_alice, &zones).await;
    assert_eq!(late.status, 401);
    assert!(late.body.contains("and/or request signature"), "{}", late.body);
    // Forgotten with the next login.
    let again = login(&world, "alice").await;
    assert_eq!(sessions(&world).await, 1);
    // A user who is disabled is out at once, and the session with it.
    world.store.db().run("UPDATE user SET state = 'disabled' WHERE username = 'alice'", vec![]).await.unwrap();
    let refused = call(&world, &again, &zones).await;
    assert_eq!((refused.status, refused.header("x-description")), (401, None));
    assert!(refused.body.ends_with("\"unable to verify user credentials\"}}"), "{}", refused.body);
    assert_eq!(sessions(&world).await, 0);
}

/// Cookies go to all programs under one host name, whatever they are made of.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_of_another_program_ends_no_session() {
    let world = World::start().await;
    let login = login(&world, "admin").await;
    let pairs = [("command", "listZones"), ("response", "json"), ("sessionkey", login.key.as_str())];
    let (name, cookies) = login.cookies();
    for line in [format!("theme=grün; {cookies}"), format!("{cookies}; 名=x")] {
        let mut request = RawRequest::get(format!("/client/api/?{}", escape_pairs(&pairs)));
        request.headers.push((name.clone(), line.clone()));
        let answer = request.send(world.address).await;
        assert_eq!(answer.status, 200, "{line}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_use_of_a_session_is_noted_in_time() {
    // Sessions end after this many seconds; the use that was noted lies so long back; whether a call notes another one.
    for (timeout, age, is_noted) in
        [(1800, 50, false), (1800, 61, true), (60, 5, false), (60, 16, true), (60, 50, true)]
    {
        let session = SessionPolicy { idle_timeout: Duration::from_secs(timeout), ..SessionPolicy::default() };
        let world = World::with(Policy { session, ..Policy::default() }).await;
        let alice = login(&world, "alice").await;
        let noted = Timestamp::from_unix(Timestamp::now().unix() - age).unwrap();
        world.store.db().run("UPDATE motion_session SET last_used = ?", args![noted]).await.unwrap();
        assert_eq!(call(&world, &alice, &[("command", "listZones")]).await.status, 200, "{timeout} {age}");
        let row = world.store.db().row("SELECT last_used FROM motion_session", vec![]).await.unwrap().unwrap();
        let now = row.at::<Timestamp>(0).unwrap().unix();
        assert_eq!(now > noted.unix(), is_noted, "{timeout} {age}");
    }
}

async fn sessions(world: &World) -> i64 {
    world.store.db().row("SELECT COUNT(*) FROM motion_session", vec![]).await.unwrap().unwrap().at(0).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_session_is_told_about_commands() {
    let world = World::start().await;
    let (admin, alice) = (login(&world, "admin").await, login(&world, "alice").await);
    let unknown = [("command", "noSuchThing")];
    let answer = call(&world, &admin, &unknown).await;
    assert_eq!(answer.status, 432);
    assert!(answer.body.contains(r#"{"errorresponse":{"uuidList":[],"errorcode":432,"cserrorcode":9999,"errortext":"Unknown API command: noSuchThing"}}"#));
    let answer = call(&world, &alice, &unknown).await;
    assert!(answer.body.contains("The API [noSuchThing] does not exist or is not available for the account alice."));
    let answer = call(&world, &alice, &[("command", "listHosts")]).await;
    assert_eq!(answer.status, 432);
    let answer = call(&world, &alice, &[]).await;
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("no command specified"));
    // None of it ended a session.
    assert_eq!(call(&world, &alice, &[("command", "listZones")]).await.status, 200);
    assert_eq!(sessions(&world).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_without_a_role_is_refused_and_lives() {
    let world = World::start().await;
    let alice = login(&world, "alice").await;
    let role = "WHERE id = (SELECT role_id FROM account WHERE account_name = 'alice')";
    let run = async |sql: &str| world.store.db().run(sql, vec![]).await.unwrap();
    run(&format!("UPDATE roles SET removed = '2026-11-23 18:00:00' {role}")).await;
    for (command, envelope) in [("listZones", "listzonesresponse"), ("noSuchThing", "errorresponse")] {
        let refused = call(&world, &alice, &[("command", command)]).await;
        let text = format!("The given command '{command}' either does not exist, is not available for user.");
        assert_eq!((refused.status, refused.header("x-description")), (401, Some(text.as_str())), "{}", refused.body);
        assert!(refused.body.starts_with(&format!("{{\"{envelope}\":")), "{}", refused.body);
    }
    assert_eq!(sessions(&world).await, 1);
    run(&format!("UPDATE roles SET removed = NULL {role}")).await;
    assert_eq!(call(&world, &alice, &[("command", "listZones")]).await.status, 200);
}

/// The names in the answer to `listApis`.
fn commands_of(answer: &RawResponse) -> Vec<String> {
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let list = body["listapisresponse"]["api"].as_array().cloned().unwrap_or_default();
    assert_eq!(body["listapisresponse"]["count"], list.len(), "{}", answer.body);
    list.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_to_change_the_password_is_told_and_shown_how() {
    let world = World::start().await;
    let new = [
        ("command", "createUser"),
        ("account", "alice"),
        ("username", "newcomer"),
        ("email", "newcomer@example.test"),
        ("firstname", "New"),
        ("lastname", "Comer"),
        ("password", "password-newcomer"),
        ("passwordchangerequired", "true"),
        ("response", "json"),
    ];
    let made = world.get("admin", &new).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let made: serde_json::Value = serde_json::from_str(&made.body).unwrap();
    let id = made["createuserresponse"]["user"]["id"].as_str().unwrap();

    let told = |answer: &RawResponse| {
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        body["loginresponse"].get("passwordchangerequired").cloned()
    };
    let first = try_login(&world, "newcomer", "password-newcomer").await;
    assert_eq!(told(&first), Some(true.into()), "{}", first.body);
    assert!(first.body.ends_with(r#""passwordchangerequired":true}}"#), "the last of all: {}", first.body);
    let newcomer = Login::of(&first);
    let few = ["listApis", "login", "logout", "updateUser"];
    for named in [None, Some("listZones")] {
        let mut pairs = vec![("command", "listApis")];
        pairs.extend(named.map(|name| ("name", name)));
        let mut shown = commands_of(&call(&world, &newcomer, &pairs).await);
        shown.sort();
        assert_eq!(shown, few, "{named:?}");
    }
    // The list is all there is to it: other calls are answered as ever.
    assert_eq!(call(&world, &newcomer, &[("command", "listZones")]).await.status, 200);

    let change = [
        ("command", "updateUser"),
        ("id", id),
        ("currentpassword", "password-newcomer"),
        ("password", "another-password"),
    ];
    let changed = call(&world, &newcomer, &change).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let all = commands_of(&call(&world, &newcomer, &[("command", "listApis")]).await);
    assert!(all.len() > few.len() && all.iter().any(|name| name == "listZones"), "{all:?}");
    assert_eq!(told(&try_login(&world, "newcomer", "another-password").await), None);

    // Keys are no matter of passwords.
    let sql = "INSERT INTO user_details (user_id, name, value) \
        SELECT id, 'PasswordChangeRequired', 'true' FROM user WHERE username = 'alice'";
    world.store.db().run(sql, vec![]).await.unwrap();
    let alice = login(&world, "alice").await;
    assert_eq!(commands_of(&call(&world, &alice, &[("command", "listApis")]).await).len(), few.len());
    let signed = world.get("alice", &[("command", "listApis"), ("response", "json")]).await;
    assert_eq!(commands_of(&signed).len(), all.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_for_a_caller_is_not_shown_in_a_session() {
    let world = World::start().await;
    let named = |name: &'static str| [("command", "listApis"), ("name", name), ("response", "json")];
    let parameters = |answer: &RawResponse| {
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        let listed =
            body["listapisresponse"]["api"][0]["params"].as_array().unwrap_or_else(|| panic!("{}", answer.body));
        listed.iter().map(|one| one["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (alice, admin) = (login(&world, "alice").await, login(&world, "admin").await);
    for hidden in ["storageid", "clusterid", "displayvolume", "listsystemvms", "isencrypted"] {
        let has = |answer: &RawResponse| parameters(answer).iter().any(|name| name == hidden);
        assert!(!has(&call(&world, &alice, &named("listVolumes")[..2]).await), "{hidden}");
        assert!(has(&call(&world, &admin, &named("listVolumes")[..2]).await), "{hidden}: root admins see it");
        assert!(has(&world.get("alice", &named("listVolumes")).await), "{hidden}: keys see it");
    }
    for name in ["migrateVolume", "noSuchCommand", ""] {
        let refused = call(&world, &alice, &named(name)[..2]).await;
        assert_eq!(refused.status, 530, "{name}: {}", refused.body);
        assert!(
            refused.body.contains("Api Discovery plugin was unable to find an api by that name"),
            "{}",
            refused.body
        );
    }
    let all = commands_of(&world.get("alice", &[("command", "listApis"), ("response", "json")]).await);
    assert_eq!(commands_of(&world.get("alice", &named("migrateVolume")).await), all, "keys are told of everything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_id_nor_key_is_in_the_database() {
    let world = World::start().await;
    let login = login(&world, "admin").await;
    let rows = world.store.db().rows("SELECT id_hash, key_hash, secret FROM motion_session", vec![]).await.unwrap();
    let text = format!("{rows:?}");
    let bare = login.id.split('.').next().unwrap();
    assert!(!text.contains(bare) && !text.contains(&login.key), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_guesses_disable_a_user_but_no_root_admin() {
    let policy =
        Policy { session: SessionPolicy { failed_logins_allowed: 3, ..SessionPolicy::default() }, ..Policy::default() };
    let world = World::with(policy).await;
    for user in ["alice", "admin"] {
        for _ in 0..3 {
            assert_eq!(try_login(&world, user, "wrong").await.status, 531);
        }
    }
    let refused = try_login(&world, "alice", "password-alice").await;
    assert_eq!(refused.status, 531);
    assert!(refused.body.contains("is disabled/locked. Please contact the administrator."), "{}", refused.body);
    assert_eq!(try_login(&world, "admin", "password-admin").await.status, 200);
    let attempts = "SELECT incorrect_login_attempts FROM user WHERE username = 'admin'";
    assert_eq!(world.store.db().row(attempts, vec![]).await.unwrap().unwrap().at::<i64>(0).unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_admins_password_cannot_be_guessed_at_speed() {
    let world = World::start().await;
    let mut refused = None;
    for _ in 0..40 {
        let answer = try_login(&world, "admin", "wrong").await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 531);
    }
    let refused = refused.expect("guessing goes on for ever");
    assert!(refused.body.contains("Too many logins have failed"), "{}", refused.body);
    // Not even the right password is looked at meanwhile, so that a guess that fits is not told from one that does not.
    assert_eq!(try_login(&world, "admin", "password-admin").await.status, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_factor_is_demanded() {
    let world = World::start().await;
    let on = "UPDATE user SET is_user_2fa_enabled = 1, user_2fa_provider = 'staticpin', key_for_2fa = '4711' \
        WHERE username = 'alice'";
    world.store.db().run(on, vec![]).await.unwrap();
    let zones = [("command", "listZones")];
    let code = |code: &'static str| [("command", "validateUserTwoFactorAuthenticationCode"), ("codefor2fa", code)];

    let answer = try_login(&world, "alice", "password-alice").await;
    assert!(answer.body.contains(r#""is2faenabled":"true","is2faverified":"false","providerfor2fa":"staticpin""#));
    let alice = Login::of(&answer);
    assert_eq!(call(&world, &alice, &[("command", "listApis"), ("name", "listZones")]).await.status, 200);
    let refused = call(&world, &alice, &zones).await;
    assert_eq!((refused.status, refused.header("x-description")), (511, None));
    assert_eq!(call(&world, &alice, &code("4711")).await.status, 401, "the session has ended");

    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &code("4712")).await.status, 511);
    assert_eq!(call(&world, &alice, &code("4711")).await.status, 401, "one guess a login");

    let alice = login(&world, "alice").await;
    let shown = call(&world, &alice, &code("4711")).await;
    assert_eq!(shown.body, r#"{"validateusertwofactorauthenticationcoderesponse":{"success":true}}"#);
    assert_eq!(call(&world, &alice, &zones).await.status, 200);
    // Keys need no second factor.
    assert_eq!(world.get("alice", &zones).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_must_have_a_second_factor_does_nothing_without() {
    let world = World::start().await;
    let run = async |sql: &str| world.store.db().run(sql, vec![]).await.unwrap();
    let set = async |name: &str, value: &str| {
        run(&format!("DELETE FROM configuration WHERE name = '{name}'")).await;
        run(&format!("INSERT INTO configuration (instance, name, value) VALUES ('DEFAULT', '{name}', '{value}')")).await
    };
    let zones = [("command", "listZones")];
    set("mandate.user.2fa", "true").await;
    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &zones).await.status, 200, "both settings have to be on");
    set("enable.user.2fa", "true").await;
    assert_eq!(call(&world, &alice, &zones).await.status, 200, "asked when somebody logs in");

    let answer = try_login(&world, "alice", "password-alice").await;
    assert!(answer.body.contains(r#""is2faenabled":"true","is2faverified":"false","issuerfor2fa""#), "{}", answer.body);
    let alice = Login::of(&answer);
    assert_eq!(call(&world, &alice, &[("command", "listApis"), ("name", "listZones")]).await.status, 200);
    let refused = call(&world, &alice, &zones).await;
    assert_eq!((refused.status, refused.header("x-description")), (511, None));
    let text = "Two factor authentication is mandated by admin, user needs to setup 2FA using setupUserTwoFactorAuthentication";
    assert!(refused.body.starts_with(r#"{"listzonesresponse":"#) && refused.body.contains(text), "{}", refused.body);
    assert_eq!(call(&world, &alice, &zones).await.status, 401, "the session has ended");
    let users = world
        .get("admin", &[("command", "listUsers"), ("listall", "true"), ("username", "alice"), ("response", "json")])
        .await;
    assert!(users.body.contains(r#""is2famandated":true"#), "{}", users.body);
    assert_eq!(world.get("alice", &zones).await.status, 200, "keys need no second factor");

    // A code opens nothing for who has no factor, and the session for who was given one meanwhile.
    let code = [("command", "validateUserTwoFactorAuthenticationCode"), ("codefor2fa", "4711")];
    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &code).await.status, 511);
    let alice = login(&world, "alice").await;
    run("UPDATE user SET is_user_2fa_enabled = 1, user_2fa_provider = 'staticpin', key_for_2fa = '4711' \
         WHERE username = 'alice'")
    .await;
    assert_eq!(call(&world, &alice, &code).await.status, 200);
    assert_eq!(call(&world, &alice, &zones).await.status, 200);

    // What a domain says comes before what all are told.
    let bob = login(&world, "bob").await;
    assert_eq!(call(&world, &bob, &zones).await.status, 511);
    run("INSERT INTO domain_details (domain_id, name, value) \
         SELECT id, 'mandate.user.2fa', 'false' FROM domain WHERE name = 'eng'")
    .await;
    let bob = login(&world, "bob").await;
    assert_eq!(call(&world, &bob, &zones).await.status, 200);
}

#[tokio::test]
async fn domains_inherit_settings_where_that_is_said() {
    let world = World::start().await;
    let run = async |sql: &str| world.store.db().run(sql, vec![]).await.unwrap();
    let eng = "SELECT id FROM domain WHERE name = 'eng'";
    let eng: i64 = world.store.db().row(eng, vec![]).await.unwrap().unwrap().at(0).unwrap();
    let below = eng + 100;
    run(&format!(
        "INSERT INTO domain (id, parent, name, owner, path) VALUES ({below}, {eng}, 'below', 2, '/eng/below/')"
    ))
    .await;
    for name in ["enable.user.2fa", "mandate.user.2fa"] {
        run(&format!("INSERT INTO domain_details (domain_id, name, value) VALUES ({eng}, '{name}', 'true')")).await;
    }
    let mandated = async |domain| world.store.second_factor_mandated(domain).await.unwrap();
    assert_eq!((mandated(1).await, mandated(eng).await, mandated(below).await), (false, true, false));
    run("INSERT INTO configuration (instance, name, value) \
         VALUES ('DEFAULT', 'enable.domain.settings.for.child.domain', 'true')")
    .await;
    assert_eq!((mandated(1).await, mandated(eng).await, mandated(below).await), (false, true, true));
    run(&format!("INSERT INTO domain_details (domain_id, name, value) VALUES ({below}, 'mandate.user.2fa', 'false')"))
        .await;
    assert_eq!((mandated(eng).await, mandated(below).await), (true, false));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logins_and_logouts_are_events() {
    let world = World::start().await;
    let alice = login(&world, "alice").await;
    assert_eq!(call(&world, &alice, &[("command", "logout")]).await.status, 200);
    let rows = world.store.db().rows("SELECT type, state, level, description FROM event ORDER BY id", vec![]).await;
    let text = format!("{:?}", rows.unwrap());
    assert!(text.contains("USER.LOGIN") && text.contains("user has logged in from IP Address /127.0.0.1"), "{text}");
    assert!(text.contains("USER.LOGOUT") && text.contains("user has logged out"), "{text}");
    assert!(!text.contains("password-alice"));
}
