//! The recorded questions about jobs, asked over HTTP while a job of this gateway really waits, runs, has ended and has
//! failed. (`lists::golden` asks the same of rows that CloudStack wrote.)
//!
//! The administrator's jobs are submitted with the recorded public ids. The other user's job is one of another server on the
//! same database, for this gateway does not restart machines: its recorded row is written.

use serde_json::{Value as Json, json};
use stackmotion::store::Store;

use super::compare::{self, Found};
use super::replay::Gateway;
use crate::lists::golden::{Case, recorded};
use crate::lists::support::{golden_json, reset, seed};
use crate::motion::bench::wait_for;
use crate::support::database;

/// The least number of questions: a file that lost some must not go unnoticed.
const AT_LEAST: usize = 50;
/// The job that is watched from its submission to its end, and the number it had.
const WATCHED: (&str, i64) = ("698d5630-4ee2-4c88-9ba0-ede271915245", 786);
/// The job that moves the same volume to where it is already.
const REFUSED: &str = "1d138a75-63f5-4a43-89dc-90c307d0dbe9";
const VOLUME: &str = "74589b0c-4110-4528-9b34-60b46e8be525";
const POOL: &str = "8f855ff1-bc9b-3ce1-944b-e85882e7b75b";
/// The recorded number of the volume's new row, as it stands in texts.
const COPY: &str = ":168,";

/// Plays them all on a gateway whose database is then of no further use. Gives differences by case.
pub async fn replay(gateway: &Gateway) -> Vec<(String, Found)> {
    let store = gateway.store();
    prepare(store).await;
    let cases = recorded();
    let mut player = Player { gateway, cases: &cases, found: Vec::new(), asked: 0, copy: COPY.to_owned() };
    gateway.hold();
    player.submit(WATCHED.0, POOL).await;
    wait_for("the host to be told", async || gateway.is_reached()).await;
    let mut pending = golden_json("lists/jobs_pending.json");
    let jobs = pending["async_job"].as_array_mut().expect("jobs");
    jobs.retain(|row| row["uuid"] != WATCHED.0);
    pending.as_object_mut().expect("tables").remove("volumes");
    seed(store, &pending).await;
    player.ask("pending").await;

    gateway.release();
    gateway.wait_for_job(WATCHED.0).await;
    let mut done = golden_json("lists/jobs_done.json");
    // The job's own end stays, and the one that is refused below is submitted.
    let jobs = done["async_job"].as_array_mut().expect("jobs");
    jobs.retain(|row| row["uuid"] != WATCHED.0 && row["uuid"] != REFUSED);
    seed(store, &done).await;
    player.ask("done").await;

    // To where it is by now.
    player.submit(REFUSED, POOL).await;
    let row = store.db().row("SELECT id FROM volumes WHERE uuid = ?", vec![VOLUME.into()]).await.expect("volumes");
    player.copy = format!(":{},", row.expect("the volume").at::<i64>(0).expect("a number"));
    gateway.wait_for_job(REFUSED).await;
    player.ask("failed").await;
    assert!(player.asked >= AT_LEAST, "only {} questions", player.asked);
    player.found
}

/// The recorded rows, and a job before the one that is watched, whose number is asked for.
async fn prepare(store: &Store) {
    store.db().run("DELETE FROM async_job", vec![]).await.expect("no jobs");
    reset(store, &golden_json("lists/rows.json")).await;
    let mut last_job = job_row("jobs_done", WATCHED.0);
    last_job["id"] = json!(WATCHED.1 - 1);
    last_job["uuid"] = "00000000-0000-4000-8000-000000000785".into();
    last_job["removed"] = "2026-11-23 17:00:00".into();
    seed(store, &json!({ "async_job": [last_job] })).await;
}

/// A recorded row of a job.
fn job_row(file: &str, uuid: &str) -> Json {
    let tables = golden_json(&format!("lists/{file}.json"));
    tables["async_job"].as_array().expect("jobs").iter().find(|row| row["uuid"] == uuid).expect("the job").clone()
}

struct Player<'a> {
    gateway: &'a Gateway,
    cases: &'a [Case],
    found: Vec<(String, Found)>,
    asked: usize,
    /// The number of the volume's new row here.
    copy: String,
}

impl Player<'_> {
    async fn submit(&self, job: &str, pool: &str) {
        let pairs = [
            ("command", "migrateVolume"),
            ("volumeid", VOLUME),
            ("storageid", pool),
            ("customjobid", job),
            ("response", "json"),
        ];
        let answer = self.gateway.send("POST", "admin", &owned(&pairs)).await;
        let expected = format!(r#"{{"migratevolumeresponse":{{"jobid":"{job}"}}}}"#);
        assert_eq!((answer.status, answer.body), (200, expected));
    }

    async fn ask(&mut self, phase: &str) {
        for case in self.cases.iter().filter(|case| case.phase == phase) {
            let mut pairs = owned(&[("command", &case.command)]);
            pairs.extend(case.args.iter().cloned());
            let answer = self.gateway.send("GET", &case.actor, &pairs).await;
            self.asked += 1;
            let expected = case.body.replace(COPY, &self.copy);
            for found in compare::answers((case.status, &expected), (answer.status, &answer.body)) {
                self.found.push((case.name.clone(), found));
            }
        }
    }
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A job that no worker has taken up yet is told as one that runs, but for the server, which nobody is yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_waits_for_a_worker() {
    for (kind, database) in database::each().await {
        let gateway = Gateway::start_with(&database, &["jobs.workers=1"]).await;
        prepare(gateway.store()).await;
        let cases = recorded();
        let player = Player { gateway: &gateway, cases: &cases, found: Vec::new(), asked: 0, copy: COPY.to_owned() };
        gateway.hold();
        player.submit(WATCHED.0, POOL).await;
        wait_for("the host to be told", async || gateway.is_reached()).await;
        player.submit(REFUSED, POOL).await;

        let running = cases.iter().find(|case| case.name == "pending-admin/query").expect("the case");
        let mut expected: Json = serde_json::from_str(&running.body.replace(WATCHED.0, REFUSED)).expect("JSON");
        let fields = expected["queryasyncjobresultresponse"].as_object_mut().expect("fields");
        for name in ["managementserverid", "managementservername"] {
            assert!(fields.shift_remove(name).is_some(), "{kind}: {name} was recorded");
        }
        let query = owned(&[("command", "queryAsyncJobResult"), ("jobid", REFUSED), ("response", "json")]);
        let answer = gateway.send("GET", "admin", &query).await;
        let found = compare::answers((200, &expected.to_string()), (answer.status, &answer.body));
        assert!(found.is_empty(), "{kind}: {found:?}");

        let list = gateway.send("GET", "admin", &owned(&[("command", "listAsyncJobs"), ("response", "json")])).await;
        let list: Json = serde_json::from_str(&list.body).expect("JSON");
        let jobs = list["listasyncjobsresponse"]["asyncjobs"].as_array().expect("jobs");
        let ids: Vec<_> = jobs.iter().map(|job| job["jobid"].as_str().expect("an id")).collect();
        assert_eq!(ids, [WATCHED.0, REFUSED], "{kind}: both, the older one first");

        gateway.release();
        gateway.wait_for_job(REFUSED).await;
        gateway.stop().await;
    }
}
