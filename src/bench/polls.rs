//! Polls of jobs, beside a bare handler that only verifies.

use std::time::Duration;

use super::load::{Load, Manner, walk};
use super::process::Process;
use super::report::{Finding, Target};
use super::scene::Scene;
use super::{BenchError, Depth};
use crate::demo::{DiskPlan, Plan, VmPlan};

const MIB: u64 = 1 << 20;
/// How fast the motion goes that is to last longer than the measurement, bytes a second.
const SLOW: u64 = 128 << 10;

/// Polls of a job that has ended, and of one that runs, at the gateway that runs it and at another one.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let disk = |name: &str, data| DiskPlan::shared(name, "c1-p1", 256 * MIB, data);
    let plan = Plan::regular(91, 1, 2, 2)
        .vm(VmPlan::new("done", "c1-h1").disk(disk("ROOT-done", MIB)))
        .vm(VmPlan::new("slow", "c1-h2").disk(disk("ROOT-slow", 128 * MIB)));
    let scene = Scene::set(&plan).await?;
    let first = scene.gateway(&["motion.poll_ms=100", "node.name=first"]).await?;
    let client = scene.client(&first)?;
    let done = scene.migrate(&client, "ROOT-done", "c1-p2").await?;
    scene.world.world().set_throttle(SLOW);
    let slow = scene.begin(&client, "ROOT-slow", "c1-p2").await?;
    let second = scene.gateway(&["motion.poll_ms=100", "node.name=second"]).await?;
    let poll = |job: &str| scene.signer.path("queryAsyncJobResult", &[("jobid", job)]);
    let mut findings = Vec::new();
    for (name, what, gateway, job, target) in [
        ("poll-finished", "poll of a finished job / verifying handler", &first, &done, 0.85),
        ("poll-running-here", "poll of a running job where it runs / verifying handler", &first, &slow, 0.6),
        ("poll-running-elsewhere", "poll of a running job at another gateway / verifying handler", &second, &slow, 0.6),
    ] {
        let finding = Finding::new(name, what, Target::AtLeast(target));
        findings.push(beside_ceiling(&scene, gateway, poll(job), finding, depth).await?);
    }
    second.end().await;
    first.end().await;
    scene.end().await;
    Ok(findings)
}

async fn beside_ceiling(
    scene: &Scene,
    gateway: &Process,
    path: String,
    mut finding: Finding,
    depth: Depth,
) -> Result<Finding, BenchError> {
    let manner = |length| Manner { connections: 32, length, pause: Duration::ZERO };
    let paths = [path];
    // Its first answers tell how long they are.
    let warm = walk(scene.path(), &gateway.address, &paths, manner(Duration::from_secs(1))).await?;
    let ceiling = ceiling(scene, usize::try_from(warm.bytes / warm.requests).unwrap_or(2048)).await?;
    let mut last: Option<(Load, Load)> = None;
    for _ in 0..depth.rounds() {
        let polls = walk(scene.path(), &gateway.address, &paths, manner(depth.slice())).await?;
        let most = walk(scene.path(), &ceiling.address, &paths, manner(depth.slice())).await?;
        finding.rounds.push(polls.rate() / most.rate());
        last = Some((polls, most));
    }
    if let Some((polls, most)) = last {
        finding.figures = format!("{:.0}/s of {:.0}/s, {}", polls.rate(), most.rate(), polls.times());
    }
    ceiling.end().await;
    Ok(finding)
}

async fn ceiling(scene: &Scene, bytes: usize) -> Result<Process, BenchError> {
    // What the gateway's answers have beside their bodies, the ceiling's have in theirs.
    let args = ["bench".to_owned(), "--ceiling".to_owned(), bytes.saturating_sub(150).to_string()];
    let keys =
        [("BENCH_API_KEY", scene.signer.api_key.as_str()), ("BENCH_SECRET_KEY", scene.signer.secret_key.as_str())];
    Process::start(&args, &keys).await
}
