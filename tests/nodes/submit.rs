//! A submission that is repeated gives the job that it gave before: by its key, by its id, and while the same motion runs; through
//! whichever gateway, after the job's end and after a restart.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use stackmotion::args;
use stackmotion::client::{Client, ClientError, Pace};
use stackmotion::model::JobStatus;
use stackmotion::store::{Earlier, NewJob, Store, StoreError, Submission};

use super::leases::server;
use crate::motion::bench::{Bench, LONG, plan, wait_for};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};

const PACE: Pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(100) };
/// Slow enough for everything that is asked meanwhile.
const CRAWL: u64 = 64 << 10;

async fn start(bench: &Bench, folder: &Path, url: &str, name: &str) -> Gateway {
    let setting = format!("node.name={name}");
    Gateway::start(bench, &folder.join(name), url, &[&setting, "motion.poll_ms=20"], Ambush::None).await
}

type Call = Vec<(&'static str, String)>;

/// Moves a disk of the VM `shared` to a pool.
fn move_to(bench: &Bench, pool: &str) -> Call {
    let pool = bench.estate.pool(pool).expect("a pool").uuid.clone();
    vec![("volumeid", bench.disk("DATA-shared").uuid.clone()), ("storageid", pool), ("livemigrate", "true".to_owned())]
}

fn with(call: &Call, name: &'static str, value: &str) -> Call {
    let mut call = call.clone();
    // Their order means nothing.
    call.insert(0, (name, value.to_owned()));
    call
}

async fn submit(client: &Client, call: &Call) -> Result<String, ClientError> {
    let params: Vec<_> = call.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = client.call("migrateVolume", &params).await?;
    Ok(answer["jobid"].as_str().expect("a job").to_owned())
}

fn refusal(ended: Result<String, ClientError>) -> (i64, String) {
    match ended {
        Err(ClientError::Api { code, text, .. }) => (code, text),
        other => panic!("{other:?}"),
    }
}

async fn count(store: &Store, sql: &str) -> i64 {
    store.db().row(sql, vec![]).await.expect("the database").expect("a row").at(0).expect("a number")
}

/// The key pair of a second root admin, in an account of its own.
pub async fn colleague(client: &Client) -> (String, String) {
    let fields = [
        ("username", "other"),
        ("password", "Long-enough-1"),
        ("email", "o@example.test"),
        ("firstname", "O"),
        ("lastname", "T"),
        ("accounttype", "1"),
    ];
    let made = client.call("createAccount", &fields).await.expect("an account");
    let user = made["account"]["user"][0]["id"].as_str().expect("a user").to_owned();
    let job = client.call("registerUserKeys", &[("id", &user)]).await.expect("a job");
    let job = job["jobid"].as_str().expect("an id").to_owned();
    let keys: Json = client.wait(&job, PACE, |_| {}).await.expect("keys");
    let half = |name: &str| keys["userkeys"][name].as_str().unwrap_or_else(|| panic!("{keys}")).to_owned();
    (half("apikey"), half("secretkey"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_submission_gives_the_job_that_it_gave_before() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(91), database).await;
        let first = start(&bench, folder.path(), &url, "first").await;
        let second = start(&bench, folder.path(), &url, "second").await;
        let (key, secret) = colleague(&first.client).await;
        let other = Client::new(first.url.clone(), &key, &secret).expect("a client");
        bench.world.world().set_throttle(CRAWL);
        let (there, elsewhere) = (move_to(&bench, "c1-p2"), move_to(&bench, "c2-p2"));

        let job = submit(&first.client, &with(&there, "idempotencykey", "one")).await.expect("a job");
        let again = async |gateway: &Gateway, call: &Call| submit(&gateway.client, call).await.expect("a job");
        assert_eq!(again(&second, &with(&there, "idempotencyKey", "one")).await, job, "{kind}: the same key");
        assert_eq!(again(&second, &there).await, job, "{kind}: no key, and it runs");
        assert_eq!(again(&second, &with(&there, "idempotencykey", "two")).await, job, "{kind}: a new key, and it runs");

        let (code, text) = refusal(submit(&second.client, &with(&elsewhere, "idempotencykey", "one")).await);
        assert!(code == 431 && text.contains(&job), "{kind}: {code} {text}");
        let foreign = submit(&other, &with(&elsewhere, "idempotencykey", "one")).await.expect("a job");
        assert_ne!(foreign, job, "{kind}: another account's key is another key");
        let own = "0000000a-0000-4000-8000-00000000000c";
        assert_eq!(again(&second, &with(&there, "customjobid", own)).await, own, "{kind}: a job of its own");

        bench.world.world().set_throttle(0);
        let end = tokio::time::timeout(LONG, first.client.wait(&job, PACE, |_| {})).await.expect("an end");
        end.unwrap_or_else(|error| panic!("{kind}: {error}"));
        for job in [&foreign, &own.to_owned()] {
            // Whether these can still be done does not matter here.
            let _ = tokio::time::timeout(LONG, other.wait(job, PACE, |_| {})).await.expect("an end");
        }
        for key in ["one", "two"] {
            assert_eq!(again(&second, &with(&there, "idempotencykey", key)).await, job, "{kind}: {key}, after its end");
        }
        let (code, text) = refusal(submit(&second.client, &with(&elsewhere, "idempotencykey", "two")).await);
        assert!(code == 431 && text.contains(&job), "{kind}: {code} {text}");
        assert_eq!(again(&first, &with(&there, "customjobid", own)).await, own, "{kind}: the same id");
        let (code, text) = refusal(submit(&first.client, &with(&elsewhere, "customjobid", own)).await);
        assert_eq!((code, text.trim()), (530, "Entity already exists"), "{kind}");
        let (code, _) = refusal(submit(&other, &with(&there, "customjobid", own)).await);
        assert_eq!(code, 530, "{kind}: another account's job");
        let fresh = again(&first, &there).await;
        assert!(![&job, &foreign].contains(&&fresh) && fresh != own, "{kind}: what has ended is not joined");
        let _ = first.client.wait(&fresh, PACE, |_| {}).await;

        drop((first, second));
        let third = start(&bench, folder.path(), &url, "third").await;
        assert_eq!(again(&third, &with(&there, "idempotencykey", "one")).await, job, "{kind}: after a restart");
        bench.check(kind).await;
        drop(third);
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_job_comes_out() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(92), database).await;
        let gateways =
            [start(&bench, folder.path(), &url, "first").await, start(&bench, folder.path(), &url, "second").await];
        let clients = gateways.each_ref().map(|gateway| Arc::new(bench.client(&gateway.url)));
        bench.world.world().set_throttle(CRAWL);
        let call = move_to(&bench, "c1-p2");
        let mut running = tokio::task::JoinSet::new();
        for number in 0..60 {
            let client = Arc::clone(&clients[number % 2]);
            // A third has no key, a third the same one, and a third one each.
            let call = match number % 3 {
                0 => call.clone(),
                1 => with(&call, "idempotencykey", "same"),
                _ => with(&call, "idempotencykey", &format!("own-{number}")),
            };
            running.spawn(async move { submit(&client, &call).await.expect("a job") });
        }
        let jobs: HashSet<String> = running.join_all().await.into_iter().collect();
        assert_eq!(jobs.len(), 1, "{kind}: {jobs:?}");
        assert_eq!(count(&bench.store, "SELECT COUNT(*) FROM async_job").await, 1, "{kind}");
        let scheduled = "SELECT COUNT(*) FROM event WHERE type = 'VOLUME.MIGRATE' AND state = 'Scheduled'";
        assert_eq!(count(&bench.store, scheduled).await, 1, "{kind}: nobody announces what is not begun");
        bench.world.world().set_throttle(0);
        wait_for("the end", async || {
            count(&bench.store, "SELECT COUNT(*) FROM async_job WHERE job_status = 1").await == 1
        })
        .await;
        assert_eq!(count(&bench.store, "SELECT COUNT(*) FROM motion_migration").await, 1, "{kind}");
        bench.check(kind).await;
        drop(gateways);
        bench.world.stop().await;
    }
}

/// A job of account 2 with this submission.
fn new_job(submission: Submission) -> NewJob {
    NewJob {
        uuid: submission.custom_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        command: "migrateVolume".to_owned(),
        class: "x.MigrateVolumeCmd".to_owned(),
        parameters: "{}".to_owned(),
        user_id: 2,
        account_id: 2,
        instance: None,
        request_id: "req".to_owned(),
        submission,
    }
}

/// Such a job, written as a gateway writes it.
async fn write(store: &Store, submission: Submission) -> (i64, String) {
    let server = server(store, "one").await;
    let new = new_job(submission);
    let mut tx = store.begin().await.expect("a transaction");
    let id = tx.job_insert(&new, 1, &server).await.expect("a job").job_id;
    tx.commit().await.expect("a commit");
    (id, new.uuid)
}

async fn look(store: &Store, submission: &Submission) -> Option<Earlier> {
    let mut tx = store.begin().await.expect("a transaction");
    let found = tx.submission_earlier(2, submission).await.expect("a look");
    tx.commit().await.expect("a commit");
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_ended_or_deleted_holds_nothing_back() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let submission =
            Submission { digest: "d".repeat(64), key: Some("k".repeat(64)), custom_id: None, joins_equal: true };
        let keyless = Submission { key: None, ..submission.clone() };
        let (id, uuid) = write(store, submission.clone()).await;
        assert_eq!(look(store, &keyless).await, Some(Earlier::Job(uuid.clone())), "{kind}");

        // A management server ends jobs without knowing of our table.
        store.db().run("UPDATE async_job SET job_status = 2 WHERE id = ?", args![id]).await.expect("an end");
        assert_eq!(look(store, &keyless).await, None, "{kind}: what has ended is not joined");
        let (next, _) = write(store, keyless.clone()).await;
        assert_eq!(look(store, &submission).await, Some(Earlier::Job(uuid)), "{kind}: the key still finds it");

        // And it deletes them.
        store.db().run("DELETE FROM async_job WHERE id = ?", args![id]).await.expect("no job");
        store.db().run("DELETE FROM async_job WHERE id = ?", args![next]).await.expect("no job");
        assert_eq!(look(store, &submission).await, None, "{kind}: a job that is gone has no key");
        let (_, uuid) = write(store, submission.clone()).await;
        assert_eq!(look(store, &submission).await, Some(Earlier::Job(uuid)), "{kind}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_place_that_others_collide_with_goes_to_the_next_that_runs() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let nameless = Submission { digest: "d".repeat(64), joins_equal: true, ..Submission::default() };
        let (first, _) = write(store, nameless.clone()).await;
        let own = Some("0000000a-0000-4000-8000-00000000000d".to_owned());
        let (second, uuid) = write(store, Submission { custom_id: own, ..nameless.clone() }).await;
        let end = async |job_id| {
            let mut tx = store.begin().await.expect("a transaction");
            assert!(tx.job_finish(job_id, JobStatus::Succeeded, 0, "").await.expect("an end"), "{kind}");
            tx.commit().await.expect("a commit");
        };
        let collides = async || {
            let mut tx = store.begin().await.expect("a transaction");
            let job_id = 4711;
            let sql = "INSERT INTO motion_submission (job_id, account_id, digest, running) VALUES (?, 2, ?, ?)";
            let tried = tx.run(sql, args![job_id, &nameless.digest, &nameless.digest]).await;
            tx.roll_back().await;
            tried.is_err_and(|error| error.is_duplicate())
        };
        assert!(collides().await, "{kind}: the first has it");
        end(first).await;
        assert!(collides().await, "{kind}: the second has it now");
        assert_eq!(look(store, &nameless).await, Some(Earlier::Job(uuid)), "{kind}");
        end(second).await;
        assert!(!collides().await, "{kind}: nobody has it any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_while_the_place_is_given_up_gets_it() {
    for (kind, database) in database::each().await {
        let store = &database.store;
        let server = server(store, "one").await;
        for round in 0..40_u32 {
            let nameless = Submission { digest: format!("{round:064}"), joins_equal: true, ..Submission::default() };
            let (first, _) = write(store, nameless.clone()).await;
            let custom_id = Some(format!("0000000a-0000-4000-8000-{round:012}"));
            let own = new_job(Submission { custom_id, ..nameless.clone() });
            let end = until_it_has_an_effect(async || {
                let mut tx = store.begin().await?;
                tx.job_finish(first, JobStatus::Succeeded, 0, "").await?;
                tx.commit().await
            });
            let come = until_it_has_an_effect(async || {
                let mut tx = store.begin().await?;
                tx.job_insert(&own, 1, &server).await?;
                tx.commit().await
            });
            tokio::join!(end, come);
            let sql = "SELECT COUNT(*) FROM motion_submission s JOIN async_job j ON j.id = s.job_id AND j.job_status = 0 \
                WHERE s.running = ?";
            let row = store.db().row(sql, args![&nameless.digest]).await.expect("the database").expect("a row");
            assert_eq!(row.at::<i64>(0).expect("a number"), 1, "{kind}: round {round}");
        }
    }
}

/// Runs a transaction again for as long as the database says that it had no effect.
async fn until_it_has_an_effect(run: impl AsyncFn() -> Result<(), StoreError>) {
    while let Err(error) = run().await {
        assert!(error.had_no_effect(), "{error:?}");
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_copies_disks_is_not_ready_to_be_stopped() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(149), database).await;
        let gateway = start(&bench, folder.path(), &url, "only").await;
        let is_ready = async || {
            let answer = gateway.client.call("readyForShutdown", &[]).await.expect("an answer");
            let told = &answer["readyforshutdown"];
            (told["readyforshutdown"].as_bool().expect("a word"), told["pendingjobscount"].as_i64().expect("a number"))
        };
        assert_eq!(is_ready().await, (true, 0), "{kind}");
        bench.world.world().set_throttle(CRAWL);
        let vm = bench.estate.vm("stopped").expect("a VM").uuid.clone();
        let pool = bench.estate.pool("c1-p2").expect("a pool").uuid.clone();
        // No event says that this one has begun.
        let call = [("virtualmachineid", vm.as_str()), ("storageid", pool.as_str())];
        let job = gateway.client.call("migrateVirtualMachine", &call).await.expect("a job");
        let job = job["jobid"].as_str().expect("an id").to_owned();
        wait_for("the copy", async || {
            count(&bench.store, "SELECT COUNT(*) FROM motion_migration WHERE phase = 'sent'").await == 1
        })
        .await;
        assert_eq!(is_ready().await, (false, 1), "{kind}");
        bench.world.world().set_throttle(0);
        tokio::time::timeout(LONG, gateway.client.wait(&job, PACE, |_| {})).await.expect("an end").expect("it moves");
        assert_eq!(is_ready().await, (true, 0), "{kind}");
        drop(gateway);
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_speaks_of_itself_unless_it_is_asked_about_another() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(137), database).await;
        let first = start(&bench, folder.path(), &url, "first").await;
        let second = start(&bench, folder.path(), &url, "second").await;
        let rows = bench.store.db().rows("SELECT uuid FROM motion_node ORDER BY name", vec![]).await.expect("gateways");
        let ids: Vec<String> = rows.iter().map(|row| row.at(0).expect("an id")).collect();
        for (gateway, own, other) in [(&first, &ids[0], &ids[1]), (&second, &ids[1], &ids[0])] {
            for (params, expected) in [(vec![], own), (vec![("managementserverid", other.as_str())], other)] {
                let answer = gateway.client.call("readyForShutdown", &params).await.expect("an answer");
                assert_eq!(answer["readyforshutdown"]["managementserverid"], expected.as_str(), "{kind} {params:?}");
                assert_eq!(answer["readyforshutdown"]["state"], "Up", "{kind} {params:?}");
            }
        }
        drop((first, second));
        bench.world.stop().await;
    }
}
