//! Who may say where a request comes from: proxies that the operator has named, and nobody else.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use stackmotion::auth::proxies::Proxies;
use stackmotion::commands::Policy;
use stackmotion::store::Value;

use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::recorder::{Recorder, json};
use crate::support::world::{World, signed, upstream_at};

const HEADER: &str = "X-Forwarded-For";
const CALL: [(&str, &str); 2] = [("command", "listZones"), ("response", "json")];
/// Where alice may call from.
const HOME: &str = "203.0.113.7";
const ELSEWHERE: &str = "198.51.100.4";

/// Believes those in these networks, and alice only from [`HOME`].
async fn world(networks: &str) -> World {
    let world = World::behind_proxies(Policy::default(), Proxies::read(networks, HEADER).unwrap()).await;
    let sql = "INSERT INTO account_details (account_id, name, value) \
               SELECT id, 'api.allowed.source.cidr.list', ? FROM account WHERE account_name = 'alice'";
    world.store.db().run(sql, vec![Value::from(format!("{HOME}/32").as_str())]).await.unwrap();
    world
}

/// Sends a request with these lines of headers.
async fn send(world: &World, mut request: RawRequest, lines: &[(&str, &str)]) -> RawResponse {
    request.headers.extend(lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    request.send(world.address).await
}

/// The status of a call that alice has signed.
async fn call(world: &World, lines: &[(&str, &str)]) -> u16 {
    let request = RawRequest::get(format!("/client/api?{}", escape_pairs(&signed("alice", &CALL))));
    send(world, request, lines).await.status
}

async fn login(world: &World, user: &str, password: &str, from: &str) -> RawResponse {
    let pairs = [("command", "login"), ("username", user), ("password", password), ("response", "json")];
    let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
    send(world, RawRequest::form("/client/api", escape_pairs(&pairs)), &[(HEADER, from)]).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_cannot_say_where_it_comes_from() {
    // The connections of tests come from 127.0.0.1, which neither of them names.
    for networks in ["", "10.0.0.0/8,203.0.113.0/24,::/1"] {
        let world = world(networks).await;
        for lines in [
            &[(HEADER, HOME)][..],
            &[(HEADER, "10.0.0.1"), (HEADER, HOME)],
            &[("Forwarded", "for=203.0.113.7"), ("X-Real-IP", HOME), ("HTTP_CLIENT_IP", HOME), ("Client-IP", HOME)],
        ] {
            assert_eq!(call(&world, lines).await, 401, "{networks:?} {lines:?}");
        }
        let answer = login(&world, "alice", "password-alice", HOME).await;
        assert!(answer.status == 531 && answer.body.contains("from ip 127.0.0.1"), "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trusted_proxy_says_where_a_client_comes_from() {
    let world = world("127.0.0.1,10.0.0.0/8,2001:db8::/32").await;
    for (lines, status) in [
        (&[(HEADER, HOME)][..], 200),
        (&[(HEADER, "203.0.113.7:4711")], 200),
        (&[(HEADER, "::ffff:203.0.113.7")], 200),
        (&[(HEADER, "198.51.100.4, 203.0.113.7, 10.1.2.3")], 200),
        (&[(HEADER, "203.0.113.7, [2001:db8::7]:443")], 200),
        (&[(HEADER, HOME), (HEADER, "10.1.2.3")], 200),
        // What stands to the left of the client's own address is the client's invention.
        (&[(HEADER, "203.0.113.7, 198.51.100.4")], 401),
        (&[(HEADER, HOME), (HEADER, ELSEWHERE)], 401),
        (&[(HEADER, "203.0.113.7, 2001:db9::7")], 401),
        // So is what stands to the left of what is no address.
        (&[(HEADER, "203.0.113.7, unknown")], 401),
        (&[(HEADER, "203.0.113.7, \u{ff}, 10.1.2.3")], 401),
        (&[(HEADER, "203.0.113.7 10.1.2.3")], 401),
        (&[(HEADER, "203.0.113.7,")], 401),
        (&[], 401),
        (&[("X-Real-IP", HOME)], 401),
    ] {
        assert_eq!(call(&world, lines).await, status, "{lines:?}");
    }
    // A session is bound to the same addresses, and events tell of them.
    assert_eq!(login(&world, "alice", "password-alice", ELSEWHERE).await.status, 531);
    assert_eq!(login(&world, "alice", "password-alice", HOME).await.status, 200);
    let sql = "SELECT description FROM event WHERE type = 'USER.LOGIN' ORDER BY id DESC";
    let told: String = world.store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap();
    assert_eq!(told, format!("user has logged in from IP Address /{HOME}"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_behind_a_proxy_answer_for_themselves() {
    let world = world("127.0.0.1").await;
    let wrong = async |number: usize, from: &str| {
        let target = format!("/client/api?command=listZones&response=json&apikey=unknown-{number}&signature=x");
        send(&world, RawRequest::get(target), &[(HEADER, from)]).await.status
    };
    let mut number = 0;
    while wrong(number, ELSEWHERE).await == 401 {
        number += 1;
        assert!(number < 2000, "wrong keys are looked up for ever");
    }
    assert_eq!(wrong(number, HOME).await, 401, "another client of the same proxy is looked at");
    assert_eq!(wrong(number, "198.51.100.4, 192.0.2.1").await, 401, "and one that names the first");
    let mut guesses = 0;
    while login(&world, &format!("user{guesses}"), "wrong", ELSEWHERE).await.status == 531 {
        guesses += 1;
        assert!(guesses < 100, "passwords are guessed for ever");
    }
    assert_eq!(login(&world, "alice", "password-alice", HOME).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_logs_in_from_everywhere_is_turned_away_beyond_64() {
    let world = world("127.0.0.1").await;
    let attempts = (0..150).map(|number| {
        let world = &world;
        async move { login(world, &format!("nobody{number}"), "wrong", &format!("192.0.2.{number}")).await }
    });
    let mut answers: FuturesUnordered<_> = attempts.collect();
    let mut turned_away = 0;
    // More of them than this find no place, however slowly they come.
    while turned_away < 20 {
        let answer = answers.next().await.expect("64 of them wait, others are answered at once");
        if answer.status == 503 {
            assert!(answer.body.contains("Too many people are logging in"), "{}", answer.body);
            turned_away += 1;
        } else {
            assert_eq!(answer.status, 531, "{}", answer.body);
        }
    }
    // Neither those who show a key nor other calls stand in that line.
    assert_eq!(call(&world, &[(HEADER, HOME)]).await, 200);
    drop(answers);
    let mut answer = login(&world, "alice", "password-alice", HOME).await;
    while answer.status == 503 {
        answer = login(&world, "alice", "password-alice", HOME).await;
    }
    assert_eq!(answer.status, 200, "a place is free once others have gone: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_management_server_is_told_the_client_and_nothing_else() {
    let recorder = Recorder::start(|_| json("{}")).await;
    let proxies = Proxies::read("127.0.0.1", "X-Client-Address").unwrap();
    let world = World::between(proxies, |_| upstream_at(recorder.address)).await;
    let lines = [("X-Client-Address", "192.0.2.1, 203.0.113.7"), (HEADER, "192.0.2.2")];
    send(&world, RawRequest::get("/client/api?command=listVlanIpRanges"), &lines).await;
    let seen = recorder.only();
    assert_eq!(seen.all("x-forwarded-for"), [HOME]);
    assert_eq!(
        seen.all("x-client-address"),
        [""; 0],
        "nobody behind the gateway is to read what a client may have written"
    );
}
