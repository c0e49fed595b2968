//! From the submission to the moment at which the agent has the command, on a gateway with nothing else to do.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::Uuid;

use super::report::{Finding, Target};
use super::scene::{Scene, fill};
use super::{BenchError, Depth, submits};
use crate::args;
use crate::demo::{DiskPlan, Plan, VmPlan};
use crate::model::Timestamp;
use crate::store::{DiskFacts, FileRole, MotionDisk, NewMotion, NewMotionFile, Server, Store, StoreError, transact};

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
    let database = beside(&scene).await?;
    let each = match depth {
        Depth::Quick => 20,
        Depth::Full => 100,
    };
    let mut moves = (0_usize..).map(|at| if at % 2 == 0 { "c1-p2" } else { "c1-p1" });
    // The first one meets the agent for the first time.
    scene.migrate(&client, "ROOT-small", moves.next().unwrap_or_default()).await?;
    for _ in 0..3 {
        let mut taken = Vec::with_capacity(each);
        let started = Instant::now();
        for to in moves.by_ref().take(each) {
            let begun = now_ms();
            scene.migrate(&client, "ROOT-small", to).await?;
            taken.push(receipt_ms(&scene)? - begun);
        }
        // As idle in between as the gateway is: a machine that has slept for a moment is slower to write, too.
        let pause = started.elapsed().mul_f64(1.0 / each as f64);
        let on_the_way = median(&mut writes_ms(&database, each, pause).await?);
        let (middle, slowest) = (median(&mut taken), taken[taken.len() * 99 / 100]);
        beyond_median.rounds.push((middle - on_the_way) / MEDIAN_LIMIT_MS);
        beyond_slowest.rounds.push((slowest - on_the_way) / SLOWEST_LIMIT_MS);
        beyond_median.figures = format!("{middle:.2} ms, beside {on_the_way:.2} ms for the five durable writes alone");
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

/// A database with the same estate in the same folder.
async fn beside(scene: &Scene) -> Result<String, BenchError> {
    let database = format!("sqlite://{}/beside.db", scene.path().display());
    fill(&database, &scene.estate, 0).await?;
    Ok(database)
}

/// What has to be on the disk before the agent may have the command, written every `pause`: the five transactions of a move, with
/// the rows that it writes. Milliseconds for all five.
async fn writes_ms(database: &str, count: usize, pause: Duration) -> Result<Vec<f64>, BenchError> {
    let store = Store::open(database).await?;
    let server = submits::gateway_of(&store).await?;
    let mut taken = Vec::with_capacity(count);
    for _ in 0..count {
        let begun = Instant::now();
        write_all(&store, &server).await?;
        let elapsed = begun.elapsed();
        taken.push(elapsed.as_secs_f64() * 1000.0);
        tokio::time::sleep(pause.saturating_sub(elapsed)).await;
    }
    store.db().close().await;
    Ok(taken)
}

async fn write_all(store: &Store, server: &Server) -> Result<(), BenchError> {
    let (_, claim) = submits::write(store, server).await?;
    let (store, job_id) = (store.under(claim), claim.job_id);
    let start_id = store.job_queued(job_id).await?.map(|job| job.start_event_id).unwrap_or_default();
    transact!(store, StoreError, |tx| {
        tx.job_begin(job_id).await?;
        tx.event_begin(start_id, 2, "attempting to migrate a volume").await
    })?;
    store.turn_take(&format!("vm:{job_id}"), Some(job_id), Some(1), job_id).await?;
    let motion_id = transact!(store, StoreError, |tx| {
        let sql = "UPDATE volumes SET update_count = update_count + 1, updated = ? WHERE id = 1";
        tx.run(sql, args![Timestamp::now()]).await?;
        let motion_id = tx.motion_insert(&motion(job_id)).await?;
        for role in [FileRole::Source, FileRole::Target] {
            let file = NewMotionFile { volume_id: 1, role, host_id: 1, pool_id: 1, stem: "ROOT-small".to_owned() };
            tx.motion_file_insert(motion_id, &file).await?;
        }
        Ok(motion_id)
    })?;
    let facts = DiskFacts { identity: Some(Uuid::new_v4().to_string()), size_bytes: 64 << 20 };
    store.motion_sent(motion_id, &[(1, facts)]).await?;
    Ok(())
}

fn motion(job_id: i64) -> NewMotion {
    NewMotion {
        uuid: Uuid::new_v4().to_string(),
        job_id,
        kind: "live-volume".to_owned(),
        strategy: "HypervStorageMotion".to_owned(),
        vm: Some((1, "i-2-1-VM".to_owned())),
        source_host_id: 1,
        target_host_id: None,
        bytes_total: 1 << 20,
        stall_s: 600,
        stall_origin: "default".to_owned(),
        unreachable_s: 300,
        unreachable_origin: "default".to_owned(),
        disks: vec![MotionDisk {
            volume_id: 1,
            copy_volume_id: None,
            stem: "ROOT-small".to_owned(),
            source_pool_id: 1,
            target_pool_id: 2,
            disk_offering_id: Some(1),
            before: None,
        }],
    }
}

/// The middle one; all are sorted then.
fn median(all: &mut [f64]) -> f64 {
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
