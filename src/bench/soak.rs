//! A long run at about half of what is possible: does anything grow?

use std::time::{Duration, Instant};

use super::BenchError;
use super::load::{Manner, walk};
use super::process::Process;
use super::report::{Finding, Target};
use super::scene::Scene;
use crate::args;
use crate::demo::{DiskPlan, Plan, VmPlan};
use crate::store::Store;

const MIB: f64 = 1_048_576.0;
/// How long the load comes before memory and files are looked at again.
const STRETCH: Duration = Duration::from_secs(30);
/// Connections, and how long each waits before a request: a few thousand requests a second.
const CONNECTIONS: usize = 32;
const PAUSE: Duration = Duration::from_millis(4);

/// How long the connections of the load may take to be gone once it is over.
const TO_REST: Duration = Duration::from_secs(5);

/// The open files of a gateway when the connections of the load are gone: a busy machine takes a while to close them.
async fn files_at_rest(gateway: &Process) -> usize {
    let until = Instant::now() + TO_REST;
    let mut fewest = gateway.open_files();
    while Instant::now() < until {
        tokio::time::sleep(TO_REST / 20).await;
        fewest = fewest.min(gateway.open_files());
    }
    fewest
}

/// Polls, lists and motions for so many minutes.
pub(super) async fn measure(minutes: u64) -> Result<Vec<Finding>, BenchError> {
    let disk = DiskPlan::shared("ROOT-busy", "c1-p1", 64 << 20, 1 << 20);
    let scene = Scene::set(&Plan::regular(96, 1, 2, 2).vm(VmPlan::new("busy", "c1-h1").disk(disk))).await?;
    let gateway = scene.gateway(&["motion.poll_ms=100"]).await?;
    let client = scene.client(&gateway)?;
    let (mut seen, mut requests, mut motions) = (Vec::new(), 0, 0_usize);
    let mut rows = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(minutes * 60) {
        let to = if motions % 2 == 0 { "c1-p2" } else { "c1-p1" };
        let job = scene.migrate(&client, "ROOT-busy", to).await?;
        motions += 1;
        let paths = [
            scene.signer.path("queryAsyncJobResult", &[("jobid", &job)]),
            scene.signer.path("listVirtualMachines", &[("listall", "true")]),
            scene.signer.path("listAsyncJobs", &[("listall", "true")]),
        ];
        let manner = Manner { connections: CONNECTIONS, length: STRETCH, pause: PAUSE };
        requests += walk(scene.path(), &gateway.address, &paths, manner).await?.requests;
        seen.push((gateway.memory_bytes() as f64 / MIB, files_at_rest(&gateway).await));
        rows.push(rows_beside_history(&scene).await?);
    }
    // What is only made once, such as caches, is there after the first stretches.
    let settled = seen.len() / 4;
    let ((first, files), (last, files_now)) = (seen[settled], seen[seen.len() - 1]);
    let mut memory =
        Finding::new("soak-memory", "memory at the end / after a quarter of the time", Target::AtMost(1.1));
    memory.rounds.push(last / first);
    memory.figures =
        format!("{first:.1} MiB, then {last:.1} MiB; {requests} requests, {motions} motions, {minutes} minutes");
    let mut open =
        Finding::new("soak-files", "open files at the end / after a quarter of the time", Target::AtMost(1.1));
    open.rounds.push(files_now as f64 / files as f64);
    open.figures = format!("{files}, then {files_now}");
    let (rows_first, rows_last) = (rows[settled], rows[rows.len() - 1]);
    let mut tables = Finding::new("soak-rows", "rows beside jobs, events and history, end / then", Target::AtMost(1.0));
    tables.rounds.push(rows_last as f64 / rows_first as f64);
    tables.figures = format!("{rows_first}, then {rows_last}");
    gateway.end().await;
    scene.end().await;
    Ok(vec![memory, open, tables])
}

/// Tables that tell what has happened, and so become longer.
const HISTORY: [&str; 10] = [
    "async_job",
    "event",
    "alert",
    "motion_job",
    "motion_migration",
    "motion_disk",
    "motion_file",
    "motion_submission",
    "motion_commit",
    "motion_cancel",
];

/// The rows of all other tables.
async fn rows_beside_history(scene: &Scene) -> Result<i64, BenchError> {
    let store = Store::open(&scene.database).await?;
    let names = store
        .db()
        .rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'", args![])
        .await?;
    let mut all = 0;
    for name in names {
        let name: String = name.at(0)?;
        if !HISTORY.contains(&name.as_str()) {
            let row = store.db().row(&format!("SELECT COUNT(*) FROM `{name}`"), args![]).await?;
            all += row.map_or(Ok(0), |row| row.at::<i64>(0))?;
        }
    }
    store.db().close().await;
    Ok(all)
}
