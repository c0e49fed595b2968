//! Guesses at passwords and second factors: many at once, in turns with what is right, and with names that nobody has.

use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use stackmotion::args;
use stackmotion::commands::{Policy, SessionPolicy};
use stackmotion::model::Timestamp;
use stackmotion::store::{SecondFactor, SessionRow};

use crate::api::sessions::{Login, call, login, post, try_login};
use crate::support::database;
use crate::support::world::World;

const ZONES: [(&str, &str); 1] = [("command", "listZones")];
/// The key of an authenticator app and the same in Base32.
const KEY: &[u8] = b"12345678901234567890";
const KEY_TEXT: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

/// Gives a user a second factor.
async fn demand(world: &World, user: &str, provider: &str, key: &str) {
    let sql = "UPDATE user SET is_user_2fa_enabled = 1, user_2fa_provider = ?, key_for_2fa = ? WHERE username = ?";
    world.store.db().run(sql, args![provider, key, user]).await.unwrap();
}

async fn show(world: &World, login: &Login, code: &str) -> u16 {
    let pairs = [("command", "validateUserTwoFactorAuthenticationCode"), ("codefor2fa", code)];
    call(world, login, &pairs).await.status
}

async fn count(world: &World, sql: &str) -> i64 {
    world.store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap()
}

async fn failures_of(world: &World, user: &str) -> i64 {
    count(world, &format!("SELECT incorrect_login_attempts FROM user WHERE username = '{user}'")).await
}

/// The time step of this moment.
fn step() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() / 30
}

/// The code of a step, by the RFCs 4226 and 6238.
fn code_of(step: u64) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(KEY).unwrap();
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[19] & 0x0f);
    let word = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap());
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_has_one_guess_however_many_come_at_once() {
    let world = World::start().await;
    demand(&world, "alice", "staticpin", "4711").await;
    // A guess of this session is being looked at, here or by another gateway.
    let alice = login(&world, "alice").await;
    world.store.db().run("UPDATE motion_session SET second_factor = 'tried'", vec![]).await.unwrap();
    assert_eq!(show(&world, &alice, "4711").await, 511, "the right code comes too late");
    assert_eq!(count(&world, "SELECT COUNT(*) FROM motion_session").await, 0, "the session has ended");
    assert_eq!(failures_of(&world, "alice").await, 1);
    // Nor may such a session do anything.
    let alice = login(&world, "alice").await;
    world.store.db().run("UPDATE motion_session SET second_factor = 'tried'", vec![]).await.unwrap();
    assert_eq!(call(&world, &alice, &ZONES).await.status, 511);

    let alice = login(&world, "alice").await;
    let codes = ["4708", "4709", "4710", "4711", "4712", "4713"];
    let statuses = join_all(codes.map(|code| show(&world, &alice, code))).await;
    assert!(statuses.iter().filter(|status| **status == 200).count() <= 1, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guess_is_taken_once_on_every_database() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let row = |id: &str, second_factor| SessionRow {
            id_hash: id.to_owned(),
            key_hash: "k".to_owned(),
            secret: None,
            user_id: 2,
            second_factor,
            last_used: Timestamp::now(),
        };
        for before in [SecondFactor::Awaited, SecondFactor::Missing, SecondFactor::NotNeeded, SecondFactor::Shown] {
            let id = format!("{before:?}");
            store.session_create(&row(&id, before)).await.unwrap();
            let taken = join_all((0..8).map(|_| store.session_second_factor_try(&id))).await;
            let taken = taken.into_iter().filter(|taken| *taken.as_ref().unwrap()).count();
            assert_eq!(taken, 1, "{kind}: {before:?}");
            assert!(!store.session_second_factor_shown(&id, before).await.unwrap(), "{kind}: it is another by now");
            assert!(store.session_second_factor_shown(&id, SecondFactor::Tried).await.unwrap(), "{kind}");
        }
        assert!(!store.session_second_factor_try("nobody's").await.unwrap(), "{kind}");
        for (user, step, is_new) in [(2, 10, true), (2, 10, false), (2, 9, false), (3, 9, true), (2, 11, true)] {
            assert_eq!(store.second_factor_use(user, step).await.unwrap(), is_new, "{kind}: {user} {step}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_good_once() {
    let world = World::start().await;
    demand(&world, "alice", "totp", KEY_TEXT).await;
    let now = step();
    let first = login(&world, "alice").await;
    assert_eq!(show(&world, &first, &code_of(now)).await, 200);
    assert_eq!(call(&world, &first, &ZONES).await.status, 200);
    let again = login(&world, "alice").await;
    assert_eq!(show(&world, &again, &code_of(now)).await, 511, "somebody has looked over the user's shoulder");
    let next = login(&world, "alice").await;
    assert_eq!(show(&world, &next, &code_of(now + 1)).await, 200);
    assert_eq!(call(&world, &first, &ZONES).await.status, 200, "sessions that were there go on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_codes_count_as_wrong_passwords_do() {
    let session = SessionPolicy { failed_logins_allowed: 3, ..SessionPolicy::default() };
    let world = World::with(Policy { session, ..Policy::default() }).await;
    for user in ["alice", "admin"] {
        demand(&world, user, "staticpin", "4711").await;
    }
    // The right password before each of them excuses none.
    for wrong in 1..=2 {
        let alice = login(&world, "alice").await;
        assert_eq!(show(&world, &alice, "4712").await, 511);
        assert_eq!(failures_of(&world, "alice").await, wrong);
    }
    let alice = login(&world, "alice").await;
    assert_eq!(show(&world, &alice, "4711").await, 200);
    assert_eq!(failures_of(&world, "alice").await, 0, "the whole proof does");
    for _ in 0..3 {
        let alice = login(&world, "alice").await;
        assert_eq!(show(&world, &alice, "4712").await, 511);
    }
    let refused = try_login(&world, "alice", "password-alice").await;
    assert!(refused.status == 531 && refused.body.contains("is disabled/locked"), "{}", refused.body);
    // A root administrator has to wait.
    let mut guesses = 0;
    let slowed = loop {
        let answer = try_login(&world, "admin", "password-admin").await;
        if answer.status != 200 {
            break answer;
        }
        assert_eq!(show(&world, &Login::of(&answer), "4712").await, 511);
        guesses += 1;
        assert!(guesses < 20, "codes are guessed for ever");
    };
    assert_eq!((slowed.status, guesses), (429, 10), "{}", slowed.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_may_guess_has_to_wait_as_well() {
    let world = World::start().await;
    demand(&world, "admin", "staticpin", "4711").await;
    let mut sessions = Vec::new();
    for _ in 0..12 {
        sessions.push(login(&world, "admin").await);
    }
    let mut statuses = Vec::new();
    for session in &sessions {
        statuses.push(show(&world, session, "4712").await);
    }
    assert_eq!(statuses[..10], [511; 10]);
    assert!(statuses[10..].contains(&429), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_that_come_at_once_are_no_more_than_guesses_in_a_row() {
    let world = World::start().await;
    let answers = join_all((0..64).map(|_| try_login(&world, "admin", "wrong"))).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 531).count();
    // Ten, and those for whom a wait was over before they came.
    assert!((1..=32).contains(&looked_at), "{looked_at} were looked at");
    let waiting = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!(looked_at + waiting, answers.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_there_is_not_is_a_guess() {
    let world = World::start().await;
    let mut guesses = 0;
    let slowed = loop {
        let (name, value) = if guesses % 2 == 0 { ("domain", "nowhere") } else { ("domainid", "nowhere") };
        let pairs = [("command", "login"), ("username", "x"), ("password", "y"), (name, value), ("response", "json")];
        let answer = post(&world, &pairs).await;
        if !matches!(answer.status, 401 | 531) {
            break answer;
        }
        guesses += 1;
        assert!(guesses < 100, "domains are guessed for ever");
    };
    assert_eq!((slowed.status, guesses), (429, 30), "{}", slowed.body);
}
