//! Hosts and pools that are to be worked on: they are emptied, no guest is stopped, and what cannot be moved runs on.

mod crash;
mod host;
mod pool;
mod refused;

use std::path::Path;
use std::time::Duration;

use serde_json::Value as Json;
use stackmotion::args;
use stackmotion::client::{ClientError, Pace};
use stackmotion::demo::{DiskPlan, Plan, VmPlan};

use crate::motion::bench::{Bench, MIB, wait_for};
use crate::support::gateway::{Ambush, Gateway};

const PACE: Pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(200) };
const SETTINGS: [&str; 4] =
    ["motion.poll_ms=20", "motion.late_answer_ms=200", "maintenance.again_s=1", "maintenance.attempts=2"];

/// A cluster of two hosts with two shares. On the first host: a machine on a share that is written to all the time, one on the
/// host's own disk, and one with a disk on each. A machine that is stopped has its disk on the first share.
fn plan(net: u8) -> Plan {
    let web = VmPlan::new("web", "c1-h1").disk(DiskPlan::shared("ROOT-web", "c1-p1", 16 * MIB, MIB)).with_guest();
    let own = VmPlan::new("own", "c1-h1").disk(DiskPlan::local("ROOT-own", 8 * MIB, MIB)).with_guest();
    let both = VmPlan::new("both", "c1-h1")
        .disk(DiskPlan::shared("ROOT-both", "c1-p1", 8 * MIB, MIB))
        .disk(DiskPlan::local("DATA-both", 8 * MIB, MIB));
    let cold = VmPlan::new("cold", "c1-h1").disk(DiskPlan::shared("ROOT-cold", "c1-p1", 8 * MIB, MIB)).stopped();
    Plan::regular(net, 1, 2, 2).vm(web).vm(own).vm(both).vm(cold)
}

async fn gateway(bench: &Bench, folder: &Path, url: &str) -> Gateway {
    Gateway::start(bench, folder, url, &SETTINGS, Ambush::None).await
}

/// Does something by a job; its result, or what it is refused with.
async fn done(gateway: &Gateway, command: &str, id: &str) -> Result<Json, (i64, String)> {
    let job = gateway.client.call(command, &[("id", id)]).await.expect("a job");
    let job = job["jobid"].as_str().expect("an id").to_owned();
    match gateway.client.wait(&job, PACE, |_| {}).await {
        Ok(result) => Ok(result),
        Err(ClientError::Api { code, text, .. }) => Err((code, text)),
        Err(error) => panic!("{command}: {error}"),
    }
}

/// A host as the list shows it.
async fn host_state(gateway: &Gateway, id: &str) -> String {
    let listed = gateway.client.call("listHosts", &[("id", id)]).await.expect("a list");
    listed["host"][0]["resourcestate"].as_str().expect("a state").to_owned()
}

async fn wait_for_host(gateway: &Gateway, id: &str, state: &str) {
    wait_for(&format!("the host to be {state}"), async || host_state(gateway, id).await == state).await;
}

/// A pool as the list shows it.
async fn pool_state(gateway: &Gateway, id: &str) -> String {
    let listed = gateway.client.call("listStoragePools", &[("id", id)]).await.expect("a list");
    listed["storagepool"][0]["state"].as_str().expect("a state").to_owned()
}

/// How many alerts and events there are that begin or go on like this.
async fn count(gateway: &Gateway, list: &str, word: &str) -> i64 {
    let listed = gateway.client.call(list, &[("keyword", word), ("listall", "true")]).await.expect("a list");
    listed["count"].as_i64().unwrap_or_default()
}

async fn number(bench: &Bench, sql: &str) -> i64 {
    let row = bench.store.db().row(sql, args![]).await.expect("the database").expect("a row");
    row.at(0).expect("a number")
}

/// Waits until something is on its way.
async fn is_moving(bench: &Bench) {
    let sent = "SELECT COUNT(*) FROM motion_migration WHERE phase = 'sent'";
    wait_for("a move", async || number(bench, sent).await > 0).await;
}

/// Waits until no job goes on.
async fn jobs_end(bench: &Bench) {
    let open = "SELECT COUNT(*) FROM async_job WHERE job_status = 0";
    wait_for("all jobs to end", async || number(bench, open).await == 0).await;
}
