//! More gateways on one MariaDB, and on a Galera cluster with a server for each: what one, two and three of them reach together.
//!
//! They share the processors with each other, the database and the load, so this does not show how far it grows. It shows that
//! gateways do not stand in each other's way.

use std::time::Duration;

use futures_util::future::try_join_all;

use super::galera::Cluster;
use super::load::{Manner, walk};
use super::mariadb::MariaDb;
use super::process::Process;
use super::report::{Finding, Target};
use super::scene::{Scene, temporary_folder};
use super::submits::{AT_ONCE, MOST_A_SECOND, SLOW, more_volumes};
use super::{BenchError, Depth};
use crate::demo::{DiskPlan, Plan, VmPlan};

const MIB: u64 = 1 << 20;
const MOST_GATEWAYS: usize = 3;

/// Submissions and polls at all gateways at once; nothing where MariaDB, or Galera, is not installed.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let folder = temporary_folder()?;
    let Some(server) = MariaDb::start(folder.path()).await? else {
        println!("     growth is not measured: MariaDB is not installed");
        return Ok(Vec::new());
    };
    let one = server.database("growth").await?;
    let mut findings = on("mariadb", "on one MariaDB", &[one.clone(), one.clone(), one], depth).await?;
    drop(server);
    if !Cluster::can_start() {
        println!("     growth on a cluster is not measured: galera-4 is not installed");
        return Ok(findings);
    }
    let cluster = tokio::task::spawn_blocking(Cluster::start).await;
    let cluster = cluster.map_err(|cause| BenchError::Unexpected(format!("the cluster does not start: {cause}")))??;
    let servers = [0, 1, 2].map(|first| cluster.url(first));
    findings.extend(on("galera", "on a Galera cluster, each with its own server,", &servers, depth).await?);
    Ok(findings)
}

/// The same, with the way that each gateway takes to the database.
async fn on(
    key: &str,
    where_it_is: &str,
    databases: &[String; MOST_GATEWAYS],
    depth: Depth,
) -> Result<Vec<Finding>, BenchError> {
    let disk = DiskPlan::shared("ROOT-slow", "c1-p1", 256 * MIB, 128 * MIB);
    let plan = Plan::regular(98, 1, 2, 2).vm(VmPlan::new("slow", "c1-h1").disk(disk));
    let scene = Scene::set_on(&plan, Some(databases[0].clone())).await?;
    let in_slice = usize::try_from(depth.slice().as_secs() * MOST_A_SECOND).unwrap_or(usize::MAX);
    let volumes = more_volumes(&scene, in_slice * MOST_GATEWAYS * depth.rounds()).await?;
    scene.world.world().set_throttle(SLOW);
    let mut gateways = Vec::new();
    let mut job = String::new();
    for (number, database) in databases.iter().enumerate() {
        let name = format!("node.name=gateway-{number}");
        let gateway = scene.gateway_at(database, &["jobs.workers=1", name.as_str()]).await?;
        if number == 0 {
            job = scene.begin(&scene.client(&gateway)?, "ROOT-slow", "c1-p2").await?;
        }
        gateways.push(gateway);
    }
    let pool = scene.estate.pool("c1-p2")?.uuid.clone();
    let submission = |volume: &String| {
        let params = [("volumeid", volume.as_str()), ("storageid", pool.as_str()), ("livemigrate", "true")];
        scene.signer.path("migrateVolume", &params)
    };
    let poll = vec![scene.signer.path("queryAsyncJobResult", &[("jobid", &job)])];
    let finding = |name: &str, what: &str| {
        let what = format!("{what} at three gateways {where_it_is} / at one, on the same processors");
        Finding::new(format!("growth-{key}-{name}"), what, Target::AtLeast(0.8))
    };
    let (mut submits, mut polls) = (finding("submits", "submissions"), finding("polls", "polls of a running job"));
    let mut volumes = volumes.chunks(in_slice);
    for _ in 0..depth.rounds() {
        let (mut submitted, mut polled) = (Vec::new(), Vec::new());
        for count in 1..=MOST_GATEWAYS {
            let fresh: Vec<String> = volumes.next().unwrap_or_default().iter().map(submission).collect();
            let parts: Vec<&[String]> = fresh.chunks(fresh.len().div_ceil(count).max(1)).collect();
            submitted.push(together(&scene, &gateways[..count], &parts, depth.slice()).await?);
            polled.push(together(&scene, &gateways[..count], &vec![poll.as_slice(); count], depth.slice()).await?);
        }
        for (finding, rates) in [(&mut submits, &submitted), (&mut polls, &polled)] {
            finding.rounds.push(rates[MOST_GATEWAYS - 1] / rates[0]);
            let each: Vec<String> = rates.iter().map(|rate| format!("{rate:.0}/s")).collect();
            finding.figures = format!("one, two and three gateways: {}", each.join(", "));
        }
    }
    for gateway in gateways {
        gateway.end().await;
    }
    scene.end().await;
    Ok(vec![submits, polls])
}

/// Answers in each second of all gateways, each with its own load.
async fn together(
    scene: &Scene,
    gateways: &[Process],
    paths: &[&[String]],
    length: Duration,
) -> Result<f64, BenchError> {
    let loads = gateways.iter().zip(paths).enumerate().map(|(number, (gateway, paths))| async move {
        let folder = scene.path().join(format!("load-{number}"));
        std::fs::create_dir_all(&folder).map_err(BenchError::io("a folder for the load"))?;
        let manner = Manner { connections: AT_ONCE / gateways.len(), length, pause: Duration::ZERO };
        walk(&folder, &gateway.address, paths, manner).await
    });
    Ok(try_join_all(loads).await?.iter().map(super::load::Load::rate).sum())
}
