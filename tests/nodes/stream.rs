//! `streamEvents` over HTTP: a job is seen from its submission through another gateway to its end, nothing is lost between two
//! streams, nobody is told what is another's, there are limits, and a gateway that stops ends its streams.

use std::collections::BTreeSet;
use std::path::Path;

use stackmotion::app::App;
use stackmotion::client::Client;
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};

use super::submit::colleague;
use crate::motion::bench::{Bench, plan};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};
use crate::support::listener::{Listener, Told};

/// Slow enough to be seen under way.
const WALK: u64 = 2 << 20;

async fn start(bench: &Bench, folder: &Path, url: &str, name: &str, more: &[&str]) -> Gateway {
    let name_is = format!("node.name={name}");
    let settings = [&[name_is.as_str(), "motion.poll_ms=20"], more].concat();
    Gateway::start(bench, &folder.join(name), url, &settings, Ambush::None).await
}

async fn move_the_disk(bench: &Bench, client: &Client, pool: &str) -> String {
    let pool = bench.estate.pool(pool).expect("a pool").uuid.clone();
    let volume = bench.disk("DATA-shared").uuid.clone();
    let params = [("volumeid", volume.as_str()), ("storageid", &pool), ("livemigrate", "true")];
    let job = client.call("migrateVolume", &params).await.expect("a job");
    job["jobid"].as_str().expect("an id").to_owned()
}

fn ends(job: &str) -> impl Fn(&Told) -> bool {
    move |told| told.kind == "job" && told.data["jobid"] == job && told.data["jobstatus"] != 0
}

fn is_moving(told: &Told) -> bool {
    told.kind == "job" && told.data["jobprocstatus"].as_i64().is_some_and(|percent| percent > 0)
}

/// The states of the events of a migration.
fn states(told: &[Told]) -> BTreeSet<String> {
    let of_motion = told.iter().filter(|told| told.kind == "event" && told.data["type"] == "VOLUME.MIGRATE");
    of_motion.map(|told| told.data["state"].as_str().expect("a state").to_owned()).collect()
}

fn all_states() -> BTreeSet<String> {
    ["Scheduled", "Started", "Completed"].map(str::to_owned).into()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_seen_from_its_submission_to_its_end_by_whom_it_concerns() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(93), database).await;
        let first = start(&bench, folder.path(), &url, "first", &[]).await;
        let second = start(&bench, folder.path(), &url, "second", &[]).await;
        let (key, secret) = colleague(&first.client).await;
        let mut own = Listener::open(&first.url, bench.keys(), &[], None).await;
        let mut other = Listener::open(&first.url, (&key, &secret), &[], None).await;
        assert_eq!((own.status, other.status), (200, 200), "{kind}");
        assert!(own.head.contains("content-type: text/event-stream"), "{kind}: {}", own.head);
        bench.world.world().set_throttle(WALK);

        let job = move_the_disk(&bench, &second.client, "c1-p2").await;
        let told = own.until(ends(&job)).await;
        let jobs: Vec<_> =
            told.iter().filter(|told| told.kind == "job" && told.data["jobid"] == job.as_str()).collect();
        let percents: Vec<i64> =
            jobs.iter().map(|told| told.data["jobprocstatus"].as_i64().expect("percent")).collect();
        assert!(
            percents.is_sorted() && percents.iter().any(|percent| (1..100).contains(percent)),
            "{kind}: {percents:?}"
        );
        let last = &jobs.last().expect("its end").data;
        assert!(last["jobstatus"] == 1 && last["jobresult"]["volume"]["storage"] == "c1-p2", "{kind}: {last}");
        assert_eq!(last["migration"]["outcome"], "done", "{kind}: {last}");
        let mut events = told.clone();
        while states(&events) != all_states() {
            events.push(own.next().await.expect("news"));
        }

        // What concerns the other comes after all that, and is the first that the other is told.
        let mine = Client::new(second.url.clone(), &key, &secret).expect("a client");
        let job = move_the_disk(&bench, &mine, "c1-p1").await;
        let told = other.until(ends(&job)).await;
        assert!(told.iter().all(|told| told.data["account"] == "other"), "{kind}: {told:#?}");
        // The job's owner is told of the job; of the volume's owner is the event that announces it.
        assert!(told.iter().filter(|told| told.kind == "job").all(|told| told.data["jobid"] == job.as_str()), "{kind}");

        // One job alone, also when it has ended.
        let mut one = Listener::open(&second.url, bench.keys(), &[("jobid", &job)], None).await;
        let told = one.until(ends(&job)).await;
        assert_eq!(told.len(), 1, "{kind}: {told:#?}");
        drop((first, second));
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_has_missed_nothing() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(94), database).await;
        let first = start(&bench, folder.path(), &url, "first", &[]).await;
        let second = start(&bench, folder.path(), &url, "second", &[]).await;
        // A place is known before anything has happened.
        let quiet = Listener::open(&first.url, bench.keys(), &[], None).await;
        let begin = quiet.last_id.clone().expect("a place");
        drop(quiet);
        bench.world.world().set_throttle(WALK);
        let mut listener = Listener::open(&first.url, bench.keys(), &[], None).await;
        let job = move_the_disk(&bench, &second.client, "c1-p2").await;
        let mut told = listener.until(is_moving).await;
        let place = listener.last_id.clone().expect("a place");
        drop(listener);
        bench.world.world().set_throttle(0);
        let end = second.client.wait(&job, PACE, |_| {}).await;
        end.unwrap_or_else(|error| panic!("{kind}: {error}"));

        // Through the gateway that did not tell the first part.
        let mut again = Listener::open(&second.url, bench.keys(), &[], Some(&place)).await;
        told.extend(again.until(ends(&job)).await);
        while states(&told) != all_states() {
            told.push(again.next().await.expect("news"));
        }
        let mut from_the_beginning = Listener::open(&second.url, bench.keys(), &[], Some(&begin)).await;
        let mut told = from_the_beginning.until(ends(&job)).await;
        while states(&told) != all_states() {
            told.push(from_the_beginning.next().await.expect("news"));
        }
        let stranger = Listener::open(&first.url, (bench.keys().0, "wrong"), &[], Some(&begin)).await;
        assert_eq!(stranger.status, 401, "{kind}");
        let wrong = Listener::open(&first.url, bench.keys(), &[("lasteventid", "yesterday")], None).await;
        assert_eq!(wrong.status, 431, "{kind}");
        drop((first, second));
        bench.world.stop().await;
    }
}

const PACE: stackmotion::client::Pace = stackmotion::client::Pace {
    first: std::time::Duration::from_millis(20),
    longest: std::time::Duration::from_millis(100),
};

#[tokio::test(flavor = "multi_thread")]
async fn no_more_listen_than_may() {
    let database = database::sqlite().await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(95), database).await;
    let limits = ["http.streams=2", "http.streams_per_account=1"];
    let gateway = start(&bench, folder.path(), &url, "one", &limits).await;
    let (key, secret) = colleague(&gateway.client).await;
    let first = Listener::open(&gateway.url, bench.keys(), &[], None).await;
    assert_eq!(first.status, 200);
    assert_eq!(Listener::open(&gateway.url, bench.keys(), &[], None).await.status, 429, "one for each account");
    let second = Listener::open(&gateway.url, (&key, &secret), &[], None).await;
    assert_eq!(second.status, 200);
    assert_eq!(Listener::open(&gateway.url, (&key, &secret), &[], None).await.status, 503, "two in all");
    // A place is free as soon as its client is known to be gone.
    drop(first);
    let deadline = std::time::Instant::now() + crate::motion::bench::LONG;
    loop {
        let again = Listener::open(&gateway.url, bench.keys(), &[], None).await;
        if again.status == 200 {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the place of who is gone is not given away");
        tokio::time::sleep(PACE.longest).await;
    }
    gateway.client.call("listZones", &[]).await.expect("everything else is served");
    drop((second, gateway));
    bench.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_stops_ends_its_streams() {
    let database = database::sqlite().await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(96), database).await;
    let flags = SettingsArgs {
        data_dir: Some(folder.path().display().to_string()),
        port: Some("0".to_owned()),
        database_url: Some(url),
        // Longer than any test waits.
        set: vec!["http.drain_s=3600".to_owned()],
        ..SettingsArgs::default()
    };
    let effective = Effective::load(&Sources { env: Vec::new(), flags }).expect("settings");
    let app = App::start(&Settings::from_effective(&effective).expect("settings")).await.expect("a gateway");
    let url = format!("http://{}/client/api", app.address);
    let mut listener = Listener::open(&url, bench.keys(), &[], None).await;
    assert_eq!(listener.status, 200);
    let stopping = tokio::spawn(app.stop());
    while listener.next().await.is_some() {}
    assert!(listener.has_ended, "it is ended, not cut");
    tokio::time::timeout(crate::motion::bench::LONG, stopping).await.expect("a stop").expect("no panic");
    bench.world.stop().await;
}
