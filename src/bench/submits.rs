//! Submissions that are written down before they are answered, beside bare transactions that write the same rows.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::load::{Manner, walk};
use super::mariadb::MariaDb;
use super::report::{Finding, Target};
use super::scene::{Scene, database_url, temporary_folder};
use super::{BenchError, Depth};
use crate::demo::{DiskPlan, Plan, VmPlan};
use crate::store::{Claim, NewEvent, NewJob, Server, Store, StoreError, Submission, transact};

const MIB: u64 = 1 << 20;
/// How many submit at the same time.
pub(super) const AT_ONCE: usize = 16;
/// So slow that the one worker is busy as long as is measured, bytes a second: what is submitted only waits.
pub(super) const SLOW: u64 = 64 << 10;
/// More than are submitted in a second: a submission that is repeated writes nothing.
pub(super) const MOST_A_SECOND: u64 = 10_000;

/// On the embedded database, and on MariaDB where it is installed.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let folder = temporary_folder()?;
    let bare = database_url(folder.path());
    let mut findings = vec![on("sqlite", None, &bare, depth).await?];
    match MariaDb::start(folder.path()).await? {
        Some(server) => {
            let (database, bare) = (server.database("gateway").await?, server.database("bare").await?);
            findings.push(on("mariadb", Some(database), &bare, depth).await?);
        }
        None => println!("     submits on MariaDB are not measured: it is not installed"),
    }
    Ok(findings)
}

async fn on(name: &str, database: Option<String>, bare: &str, depth: Depth) -> Result<Finding, BenchError> {
    let disk = DiskPlan::shared("ROOT-slow", "c1-p1", 256 * MIB, 128 * MIB);
    let plan = Plan::regular(94, 1, 2, 2).vm(VmPlan::new("slow", "c1-h1").disk(disk));
    let scene = Scene::set_on(&plan, database).await?;
    let in_round = usize::try_from(depth.slice().as_secs() * MOST_A_SECOND).unwrap_or(usize::MAX);
    let volumes = more_volumes(&scene, in_round * depth.rounds()).await?;
    scene.world.world().set_throttle(SLOW);
    let gateway = scene.gateway(&["jobs.workers=1"]).await?;
    scene.begin(&scene.client(&gateway)?, "ROOT-slow", "c1-p2").await?;
    let other = Store::open(bare).await?;
    other.bootstrap().await?;
    let server = gateway_of(&other).await?;
    let mut finding = Finding::new(
        format!("submits-{name}"),
        format!(
            "durable submissions of migrateVolume / bare transactions with the same rows, {name}, {AT_ONCE} at once"
        ),
        Target::AtLeast(0.5),
    );
    let pool = scene.estate.pool("c1-p2")?.uuid.clone();
    for round in volumes.chunks(in_round) {
        let path = |volume: &String| {
            let params = [("volumeid", volume.as_str()), ("storageid", pool.as_str()), ("livemigrate", "true")];
            scene.signer.path("migrateVolume", &params)
        };
        let paths: Vec<String> = round.iter().map(path).collect();
        let manner = Manner { connections: AT_ONCE, length: depth.slice(), pause: Duration::ZERO };
        let submitted = walk(scene.path(), &gateway.address, &paths, manner).await?;
        if submitted.requests >= in_round as u64 {
            return Err(BenchError::Unexpected(format!(
                "more than {MOST_A_SECOND} submissions a second; measure more"
            )));
        }
        let most = bare_rate(&other, &server, usize::try_from(submitted.requests).unwrap_or(1)).await?;
        finding.rounds.push(submitted.rate() / most);
        finding.figures = format!("{:.0}/s of {most:.0}/s, {}", submitted.rate(), submitted.times());
    }
    other.db().close().await;
    gateway.end().await;
    scene.end().await;
    Ok(finding)
}

/// Rows that are written by one statement. A transaction with all of them takes MariaDB a quarter of an hour.
const ROWS_AT_ONCE: usize = 200;

/// Rows of further disks of the same machine: an equal submission would only be told the job that there is.
pub(super) async fn more_volumes(scene: &Scene, count: usize) -> Result<Vec<String>, BenchError> {
    let store = scene.store().await?;
    let uuids: Vec<String> = (0..count).map(|_| uuid::Uuid::new_v4().to_string()).collect();
    let columns = "name, account_id, domain_id, pool_id, instance_id, device_id, size, folder, path, pod_id, data_center_id, \
        volume_type, pool_type, disk_offering_id, template_id, state, format, created, provisioning_type, update_count";
    for part in uuids.chunks(ROWS_AT_ONCE) {
        let fresh = vec!["SELECT ? AS uuid"; part.len()].join(" UNION ALL ");
        let sql = format!(
            "INSERT INTO volumes (uuid, {columns}) SELECT fresh.uuid, {columns} FROM volumes, ({fresh}) fresh WHERE volumes.id = 1"
        );
        store.db().run(&sql, part.iter().map(crate::store::Value::from).collect()).await?;
    }
    store.db().close().await;
    Ok(uuids)
}

/// Bare transactions in each second, as many at the same time as there are submissions.
async fn bare_rate(store: &Store, server: &Server, count: usize) -> Result<f64, BenchError> {
    let left = Arc::new(AtomicUsize::new(count));
    let begun = Instant::now();
    let writers = (0..AT_ONCE).map(|_| {
        let (store, server, left) = (store.clone(), server.clone(), Arc::clone(&left));
        tokio::spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                write(&store, &server).await?;
            }
            Ok::<_, StoreError>(())
        })
    });
    for writer in futures_util::future::join_all(writers).await {
        writer.map_err(|cause| BenchError::Unexpected(cause.to_string()))??;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// A gateway that is alive for as long as is measured, so that what is written for it is its.
pub(super) async fn gateway_of(store: &Store) -> Result<Server, StoreError> {
    store.server_register("bench", env!("CARGO_PKG_VERSION"), "127.0.0.1", Duration::from_secs(3600)).await
}

/// What a submission writes, and nothing else. Gives the public id of the job and its claim.
pub(super) async fn write(store: &Store, server: &Server) -> Result<(String, Claim), StoreError> {
    let random = || uuid::Uuid::new_v4().to_string();
    let event = NewEvent {
        kind: "VOLUME.MIGRATE".to_owned(),
        state: "Scheduled",
        level: "INFO",
        description: format!("Attempting to migrate volume Id: {} to storage pool Id: {}", random(), random()),
        user_id: 2,
        account_id: 2,
        domain_id: 1,
        resource: Some(("Volume".to_owned(), 1)),
        start_id: 0,
    };
    let job = NewJob {
        uuid: random(),
        command: "migrateVolume".to_owned(),
        class: "org.apache.cloudstack.api.command.admin.volume.MigrateVolumeCmdByAdmin".to_owned(),
        parameters: format!(
            "{{\"volumeid\":\"{}\",\"storageid\":\"{}\",\"livemigrate\":\"true\"}}",
            random(),
            random()
        ),
        user_id: 2,
        account_id: 2,
        instance: Some(("Volume".to_owned(), 1)),
        request_id: random(),
        submission: Submission { digest: random() + &random()[..28], key: None, custom_id: None, joins_equal: true },
    };
    transact!(store, StoreError, |tx| {
        let event_id = tx.event_insert(&event).await?;
        Ok((job.uuid.clone(), tx.job_insert(&job, event_id, server).await?))
    })
}
