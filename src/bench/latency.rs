//! From the submission to the moment at which the agent has the command, on a gateway with nothing else to do.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::report::{Finding, Target};
use super::scene::Scene;
use super::{BenchError, Depth};
use crate::args;
use crate::demo::{DiskPlan, Plan, VmPlan};
use crate::store::Store;

/// Transactions that have to be on the disk before the agent may have the command: the job is accepted; claimed; its event says
/// that it has begun; it has its turn; rows and files are marked; the command is announced.
const WRITES: u32 = 6;
/// The command whose receipt counts.
const COMMAND: &str = "MigrateVolumeCommand";
const MEDIAN_LIMIT_MS: f64 = 2.0;
const SLOWEST_LIMIT_MS: f64 = 10.0;

/// Moves a small disk to and fro.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let disk = DiskPlan::shared("ROOT-small", "c1-p1", 64 << 20, 1 << 20);
    let scene = Scene::set(&Plan::regular(95, 1, 2, 2).vm(VmPlan::new("small", "c1-h1").disk(disk))).await?;
    let gateway = scene.gateway(&["motion.poll_ms=100"]).await?;
    let client = scene.client(&gateway)?;
    let mut beyond_median = Finding::new(
        "receipt-median",
        "submission to the agent's receipt, beyond the durable writes on the way: median / 2 ms",
        Target::AtMost(1.0),
    );
    let mut beyond_slowest = Finding::new(
        "receipt-slowest",
        "submission to the agent's receipt, beyond the durable writes on the way: 99th percentile / 10 ms",
        Target::AtMost(1.0),
    );
    let each = match depth {
        Depth::Quick => 20,
        Depth::Full => 100,
    };
    let mut moves = (0_usize..).map(|at| if at % 2 == 0 { "c1-p2" } else { "c1-p1" });
    // The first one meets the agent for the first time.
    scene.migrate(&client, "ROOT-small", moves.next().unwrap_or_default()).await?;
    for _ in 0..3 {
        let mut taken = Vec::with_capacity(each);
        for to in moves.by_ref().take(each) {
            let begun = now_ms();
            scene.migrate(&client, "ROOT-small", to).await?;
            taken.push(receipt_ms(&scene)? - begun);
        }
        let write = median(&mut commit_ms(&scene, each).await?);
        let on_the_way = write * f64::from(WRITES);
        let (middle, slowest) = (median(&mut taken), taken[taken.len() * 99 / 100]);
        beyond_median.rounds.push((middle - on_the_way) / MEDIAN_LIMIT_MS);
        beyond_slowest.rounds.push((slowest - on_the_way) / SLOWEST_LIMIT_MS);
        beyond_median.figures = format!("{middle:.2} ms, of which {WRITES} durable writes of {write:.2} ms beside it");
        beyond_slowest.figures = format!("{slowest:.2} ms");
    }
    gateway.end().await;
    scene.end().await;
    Ok(vec![beyond_median, beyond_slowest])
}

fn now_ms() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

/// When the agent had the latest command.
fn receipt_ms(scene: &Scene) -> Result<f64, BenchError> {
    let requests = scene.world.world().hosts().flat_map(|host| host.requests());
    let received = requests.filter(|request| request.class.ends_with(COMMAND)).map(|request| request.at * 1000.0);
    received.reduce(f64::max).ok_or_else(|| BenchError::Unexpected(format!("no agent has had a {COMMAND}")))
}

/// How long small transactions take on a database of the same kind in the same folder.
async fn commit_ms(scene: &Scene, count: usize) -> Result<Vec<f64>, BenchError> {
    let store = Store::open(&format!("sqlite://{}/beside.db", scene.path().display())).await?;
    store.bootstrap().await?;
    let mut taken = Vec::with_capacity(count);
    for at in 0..count {
        let begun = Instant::now();
        store.db().run("UPDATE user SET firstname = ? WHERE id = 2", args![at.to_string()]).await?;
        taken.push(begun.elapsed().as_secs_f64() * 1000.0);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    store.db().close().await;
    Ok(taken)
}

/// The middle one; all are sorted then.
fn median(all: &mut [f64]) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
