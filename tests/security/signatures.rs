//! Replayed, stripped, downgraded and smuggled: what a signature covers and what it does not.

use stackmotion::auth::signature;
use stackmotion::commands::Policy;
use stackmotion::model::Timestamp;

use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::{World, signed};

type Pairs = Vec<(String, String)>;

const CALL: [(&str, &str); 2] = [("command", "listApis"), ("response", "json")];

fn expires(seconds: i64) -> String {
    Timestamp::from_unix(Timestamp::now().unix() + seconds).unwrap().wire()
}

fn version_3(user: &str, seconds: i64) -> Pairs {
    signed(user, &[CALL[0], CALL[1], ("signatureVersion", "3"), ("expires", &expires(seconds))])
}

async fn get(world: &World, pairs: &Pairs) -> RawResponse {
    RawRequest::get(format!("/client/api?{}", escape_pairs(pairs))).send(world.address).await
}

async fn post(world: &World, pairs: &Pairs) -> RawResponse {
    RawRequest::form("/client/api", escape_pairs(pairs)).send(world.address).await
}

fn without(pairs: &Pairs, name: &str) -> Pairs {
    pairs.iter().filter(|(known, _)| known != name).cloned().collect()
}

fn changed(pairs: &Pairs, name: &str, value: &str) -> Pairs {
    let mut pairs = pairs.clone();
    pairs.iter_mut().filter(|(known, _)| known == name).for_each(|(_, old)| value.clone_into(old));
    pairs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recorded_call_is_good_until_it_expires_and_no_longer() {
    let world = World::start().await;
    let call = version_3("admin", 600);
    assert_eq!(get(&world, &call).await.status, 200);
    assert_eq!(get(&world, &call).await.status, 200, "CloudStack keeps no list of seen signatures; neither do we");
    assert_eq!(get(&world, &version_3("admin", -1)).await.status, 401);
    // Making it live longer breaks the signature.
    assert_eq!(get(&world, &changed(&call, "expires", &expires(6000))).await.status, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_enforced_posts_no_recorded_call_lives_longer_than_a_quarter_of_an_hour() {
    let world = World::with(Policy { enforce_post: true, ..Policy::default() }).await;
    assert_eq!(get(&world, &version_3("admin", 840)).await.status, 200);
    assert_eq!(get(&world, &version_3("admin", 960)).await.status, 401, "too far ahead");
    assert_eq!(get(&world, &signed("admin", &CALL)).await.status, 401, "without a time limit");
    let changing = signed(
        "admin",
        &[("command", "migrateVolume"), CALL[1], ("signatureVersion", "3"), ("expires", expires(600).as_str())],
    );
    assert_eq!(get(&world, &changing).await.status, 400, "what changes something needs POST");
    assert_eq!(post(&world, &changing).await.status, 431, "it was let in, and lacks parameters");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_cannot_be_stripped_or_lowered() {
    let world = World::start().await;
    let call = version_3("admin", 600);
    let old = version_3("admin", -600);
    for (what, pairs) in [
        ("no signature", without(&call, "signature")),
        ("an empty signature", changed(&call, "signature", "")),
        ("no key", without(&call, "apiKey")),
        ("no version", without(&old, "signatureVersion")),
        ("version 2", changed(&old, "signatureVersion", "2")),
        ("version in words", changed(&old, "signatureVersion", "three")),
        ("no expiry", without(&call, "expires")),
        ("another command", changed(&call, "command", "listZones")),
        ("another key", changed(&call, "apiKey", "key-alice")),
        ("an unheard-of parameter more", [call.clone(), vec![("listall".into(), "true".into())]].concat()),
    ] {
        let answer = get(&world, &pairs).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.body);
        assert!(answer.body.contains("unable to verify user credentials and/or request signature"), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_parameter_that_is_authenticated_is_the_one_that_is_used() {
    let world = World::start().await;
    // One call, honestly signed; then every way to put another value beside the signed one.
    let honest = signed("alice", &[("command", "listApis"), ("response", "json"), ("name", "listZones")]);
    assert!(get(&world, &honest).await.body.contains(r#""name":"listZones""#));
    for name in ["name", "NAME", "Name", "nAmE"] {
        for first in [true, false] {
            let other = (name.to_owned(), "listVolumes".to_owned());
            let pairs =
                if first { [vec![other], honest.clone()].concat() } else { [honest.clone(), vec![other]].concat() };
            for answer in [get(&world, &pairs).await, post(&world, &pairs).await] {
                assert!(!answer.body.contains(r#""name":"listVolumes""#), "{name} first={first}: {}", answer.body);
            }
        }
    }
    // Signed with both spellings, either may be meant; only what was signed is there.
    let both =
        signed("alice", &[("command", "listApis"), ("response", "json"), ("name", "listZones"), ("NAME", "listPods")]);
    let answer = get(&world, &both).await;
    assert!(answer.status != 200 || answer.body.contains("listZones") || answer.body.contains("listPods"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_key_does_not_borrow_the_first_ones_signature() {
    let world = World::start().await;
    // Signed by alice, with the administrator's key beside hers in another spelling, at either end.
    for place in [0, 2] {
        let mut pairs: Pairs = CALL.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        pairs.insert(place, ("apikey".to_owned(), "key-admin".to_owned()));
        pairs.insert(1, ("apiKey".to_owned(), "key-alice".to_owned()));
        let text = signature::string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        pairs.push(("signature".to_owned(), signature::sign("secret-alice", &text)));
        pairs.push(("name".to_owned(), "x".to_owned()));
        let answer = get(&world, &pairs).await;
        assert_eq!(answer.status, 401, "{}", answer.body);
        pairs.pop();
        let answer = get(&world, &pairs).await;
        let listed = answer.body.contains("updateHypervisorCapabilities");
        assert!(!listed, "alice is shown what only the administrator may call: {}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled_between_query_and_body() {
    let world = World::start().await;
    let query = escape_pairs(&signed("alice", &[("command", "listApis"), ("response", "json"), ("name", "listZones")]));
    // The same names in the body lose; names that only the body has are part of what has to be signed.
    for (body, status) in [
        ("name=listVolumes&command=listVolumes&apiKey=key-admin", 200),
        ("listall=true", 401),
        ("NAME=listVolumes", 401),
        ("signature=x", 200),
    ] {
        let answer = RawRequest::form(format!("/client/api?{query}"), body).send(world.address).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
        assert!(!answer.body.contains(r#""name":"listVolumes""#), "{body}");
    }
    // A command that the path names does not stand against one that was signed.
    let answer = RawRequest::get(format!("/client/api/listVolumes?{query}")).send(world.address).await;
    assert!(answer.body.starts_with(r#"{"listapisresponse""#), "{}", answer.body);
}
