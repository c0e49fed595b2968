//! A disk that is moved, beside `cp` of the same image.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::Command;

use super::report::{Finding, Target};
use super::scene::Scene;
use super::{BenchError, Depth};
use crate::client::{Client, Pace};
use crate::demo::{DiskPlan, Plan, VmPlan};

const GIB: u64 = 1 << 30;
/// Size of the disk.
const DISK: u64 = 10 * GIB;

/// Moves a sparse disk to and fro between two pools, and copies the same file with `cp --sparse=always` in between.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let data = match depth {
        Depth::Quick => GIB / 2,
        Depth::Full => 2 * GIB,
    };
    let disk = DiskPlan::shared("ROOT-large", "c1-p1", DISK, data);
    let scene = Scene::set(&Plan::regular(93, 1, 2, 2).vm(VmPlan::new("large", "c1-h1").disk(disk))).await?;
    let gateway = scene.gateway(&["motion.poll_ms=100"]).await?;
    let client = scene.client(&gateway)?;
    let mut speed = Finding::new(
        "motion-speed",
        "speed of moving a sparse 10 GiB disk, from the submission to the result / `cp --sparse=always`",
        Target::AtLeast(0.9),
    );
    let mut holes = Finding::new("motion-holes", "allocated bytes after the motion / before", Target::AtMost(1.05));
    let file = |pool: &str| {
        let found = scene.estate.disk("ROOT-large")?;
        Ok::<_, BenchError>(scene.path().join("hosts/pools").join(format!("fs1-{pool}")).join(found.file_name()))
    };
    let (home, away, aside) = (file("pool1")?, file("pool2")?, scene.path().join("copy"));
    // What comes second finds other memory given back a moment ago than what comes first, and the quickest memory is that: each is
    // first in turn, and two rounds count as one.
    for _ in 0..depth.rounds().min(5) {
        let before = allocated(&home)?;
        let mut copied = copy(&home, &aside).await?;
        let mut moved = move_to(&scene, &client, "c1-p2").await?;
        holes.rounds.push(allocated(&away)? as f64 / before as f64);
        moved += move_to(&scene, &client, "c1-p1").await?;
        copied += copy(&home, &aside).await?;
        speed.rounds.push(copied / moved);
        speed.figures = format!(
            "{:.2} s for {:.2} GiB of data in {} GiB, cp takes {:.2} s",
            moved / 2.0,
            before as f64 / GIB as f64,
            DISK / GIB,
            copied / 2.0
        );
        holes.figures = format!("{:.2} GiB of {} GiB are allocated", before as f64 / GIB as f64, DISK / GIB);
    }
    gateway.end().await;
    scene.end().await;
    Ok(vec![speed, holes])
}

/// Copies a file and gives the seconds that it took. What was written is on the disk then, as it is after a motion.
async fn copy(source: &Path, target: &Path) -> Result<f64, BenchError> {
    let begun = Instant::now();
    let status = Command::new("cp").arg("--sparse=always").arg(source).arg(target).stdin(Stdio::null()).status().await;
    let io = |cause| BenchError::io("cp")(cause);
    if !status.map_err(io)?.success() {
        return Err(BenchError::Unexpected("cp did not copy the disk".to_owned()));
    }
    let synced = std::fs::File::open(target).and_then(|file| file.sync_all());
    let seconds = begun.elapsed().as_secs_f64();
    synced.and_then(|()| std::fs::remove_file(target)).map_err(io)?;
    Ok(seconds)
}

/// Moves the disk to a pool and gives the seconds that it took.
async fn move_to(scene: &Scene, client: &Client, pool: &str) -> Result<f64, BenchError> {
    let begun = Instant::now();
    let job = scene.begin(client, "ROOT-large", pool).await?;
    let pace = Pace { first: Duration::from_millis(20), longest: Duration::from_millis(20) };
    client.wait(&job, pace, |_| ()).await?;
    Ok(begun.elapsed().as_secs_f64())
}

fn allocated(file: &Path) -> Result<u64, BenchError> {
    let found = std::fs::metadata(file).map_err(BenchError::io(file.display().to_string()))?;
    Ok(found.blocks() * 512)
}
