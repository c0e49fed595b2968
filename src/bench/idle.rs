//! A gateway that nobody asks anything: how soon it answers after its start, and how much memory it has.

use std::time::{Duration, Instant};

use super::report::{Finding, Target};
use super::scene::Scene;
use super::{BenchError, Depth};
use crate::demo::{DiskPlan, Plan, VmPlan};

const MIB: f64 = 1_048_576.0;
/// How long it is left alone before it is looked at.
const REST: Duration = Duration::from_secs(3);
const MOST_MEMORY_MIB: f64 = 30.0;
const LONGEST_START_MS: f64 = 100.0;

/// Starts gateways one after the other on an estate that is known already.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let disk = DiskPlan::shared("ROOT-only", "c1-p1", 64 << 20, 1 << 20);
    let scene = Scene::set(&Plan::regular(92, 1, 2, 2).vm(VmPlan::new("only", "c1-h1").disk(disk))).await?;
    let mut start = Finding::new(
        "start-to-first-answer",
        "milliseconds from the start of the process to the first signed answer / 100",
        Target::AtMost(1.0),
    );
    let mut memory = Finding::new("idle-memory", "MiB in use by an idle gateway / 30", Target::AtMost(1.0));
    // The first one seals the secrets of a new installation, which is done once.
    scene.gateway(&[]).await?.end().await;
    for _ in 0..depth.rounds() {
        let begun = Instant::now();
        let gateway = scene.gateway(&[]).await?;
        scene.client(&gateway)?.call("listCapabilities", &[]).await?;
        let until_answer = begun.elapsed().as_secs_f64() * 1000.0;
        start.rounds.push(until_answer / LONGEST_START_MS);
        tokio::time::sleep(REST).await;
        let used = gateway.memory_bytes() as f64 / MIB;
        memory.rounds.push(used / MOST_MEMORY_MIB);
        let until_ready = gateway.until_ready.as_secs_f64() * 1000.0;
        start.figures = format!("{until_answer:.0} ms, of which {until_ready:.0} ms until it listens");
        memory.figures = format!("{used:.1} MiB");
        gateway.end().await;
    }
    scene.end().await;
    Ok(vec![start, memory])
}
