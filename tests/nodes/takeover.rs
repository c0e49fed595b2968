//! Gateways in processes of their own on one database: every one answers for every job, and what one leaves when it is killed
//! the others end.

use std::path::Path;

use crate::motion::bench::{Bench, LONG, plan, wait_for};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::client::Pace;

const PACE: Pace = Pace { first: std::time::Duration::from_millis(20), longest: std::time::Duration::from_millis(100) };

async fn start(bench: &Bench, folder: &Path, url: &str, name: &str) -> Gateway {
    let name = format!("node.name={name}");
    Gateway::start(bench, folder, url, &[&name, "node.lease_s=3", "motion.poll_ms=20"], Ambush::None).await
}

fn move_the_disk(bench: &Bench) -> Vec<(&'static str, String)> {
    let pool = bench.estate.pool("c1-p2").expect("a pool").uuid.clone();
    let volume = bench.disk("DATA-shared").uuid.clone();
    vec![("volumeid", volume), ("storageid", pool), ("livemigrate", "true".to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_gateway_leaves_the_other_ends() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(78), database).await;
        let first = start(&bench, &folder.path().join("1"), &url, "first").await;
        let second = start(&bench, &folder.path().join("2"), &url, "second").await;
        // Slow enough to be killed under way.
        bench.world.world().set_throttle(2 << 20);
        let params = move_the_disk(&bench);
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let job = first.client.call("migrateVolume", &params).await.expect("a job");
        let job = job["jobid"].as_str().expect("an id").to_owned();
        wait_for("the motion to be under way, seen through the other gateway", async || {
            let seen = second.client.call("queryAsyncJobResult", &[("jobid", &job)]).await.expect("a job");
            assert_eq!(seen["jobstatus"], 0, "{kind}: {seen}");
            seen["jobprocstatus"].as_i64().is_some_and(|percent| percent > 0)
        })
        .await;
        drop(first);
        bench.world.world().set_throttle(0);
        let end = tokio::time::timeout(LONG, second.client.wait(&job, PACE, |_| {})).await.expect("an end");
        let end = end.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(end["volume"]["storage"], "c1-p2", "{kind}: {end}");
        let sql = "SELECT COUNT(*) FROM motion_migration";
        let motions = bench.store.db().row(sql, vec![]).await.unwrap().expect("a count").at::<i64>(0).unwrap();
        assert_eq!(motions, 1, "{kind}: it was not begun a second time");
        bench.check(kind).await;
        drop(second);
        bench.world.stop().await;
    }
}

/// A wish to stop that is made at another gateway than the one that runs the job, as clients see it.
#[tokio::test(flavor = "multi_thread")]
async fn a_migration_is_cancelled_through_the_other_gateway() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(117), database).await;
        let first = start(&bench, &folder.path().join("1"), &url, "first").await;
        let second = start(&bench, &folder.path().join("2"), &url, "second").await;
        let id = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
        let params = move_the_disk(&bench);
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let job = first.client.call("migrateVolume", &params).await.expect("a job");
        let job = job["jobid"].as_str().expect("an id").to_owned();
        bench.struck(id).await;
        let told = second.client.call("cancelMigration", &[("jobid", &job)]).await.expect("it is told to stop");
        assert_eq!(told["success"], true, "{kind}: {told}");
        assert!(["asked", "ended"].contains(&told["state"].as_str().unwrap_or_default()), "{kind}: {told}");
        let end = tokio::time::timeout(LONG, second.client.wait(&job, PACE, |_| {})).await.expect("an end");
        let text = end.expect_err(kind).to_string();
        assert!(text.contains("Cancelled at the request of admin.") && text.contains("cancelled"), "{kind}: {text}");
        let seen = first.client.call("queryAsyncJobResult", &[("jobid", &job)]).await.expect("the job");
        let motion = &seen["migration"];
        assert_eq!(
            (&motion["outcome"], &motion["cancelstate"]),
            (&"not-done".into(), &"ended".into()),
            "{kind}: {seen}"
        );
        assert_eq!(
            (&motion["stallseconds"], &motion["stallorigin"]),
            (&600.into(), &"default".into()),
            "{kind}: {seen}"
        );
        let events = first.client.call("listEvents", &[("type", "MIGRATION.CANCEL")]).await.expect("events");
        assert_eq!(events["count"], 1, "{kind}: {events}");
        let again =
            second.client.call("cancelMigration", &[("jobid", &job)]).await.expect_err("it is over").to_string();
        assert!(
            again.contains("(431") && again.contains("has ended: there is nothing left to cancel"),
            "{kind}: {again}"
        );
        let left = first.client.call("listMigrationLeftovers", &[]).await.expect("a list");
        assert_eq!(left["count"].as_i64().unwrap_or_default(), 0, "{kind}: {left}");
        bench.check(kind).await;
        drop((first, second));
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_do_not_move_one_vm_at_the_same_time() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(79), database).await;
        let first = start(&bench, &folder.path().join("1"), &url, "first").await;
        let second = start(&bench, &folder.path().join("2"), &url, "second").await;
        // Each takes seconds, which is what the journal's times can tell apart.
        bench.world.world().set_throttle(2 << 20);
        let pool = bench.estate.pool("c1-p2").expect("a pool").uuid.clone();
        let mut jobs = Vec::new();
        for (gateway, disk) in [(&first, "DATA-shared"), (&second, "ROOT-shared")] {
            let volume = &bench.disk(disk).uuid;
            let params = [("volumeid", volume.as_str()), ("storageid", &pool), ("livemigrate", "true")];
            let job = gateway.client.call("migrateVolume", &params).await.expect("a job");
            jobs.push(job["jobid"].as_str().expect("an id").to_owned());
        }
        for job in &jobs {
            let end = tokio::time::timeout(LONG, first.client.wait(job, PACE, |_| {})).await.expect("an end");
            end.unwrap_or_else(|error| panic!("{kind}: {error}"));
        }
        let sql = "SELECT COUNT(*) FROM motion_migration a JOIN motion_migration b ON b.id > a.id \
            WHERE b.created < a.ended AND a.created < b.ended";
        let overlaps = bench.store.db().row(sql, vec![]).await.unwrap().expect("a count").at::<i64>(0).unwrap();
        assert_eq!(overlaps, 0, "{kind}: two motions of one VM at the same time");
        let sql = "SELECT COUNT(*) FROM motion_lock";
        let held = bench.store.db().row(sql, vec![]).await.unwrap().expect("a count").at::<i64>(0).unwrap();
        assert_eq!(held, 0, "{kind}: locks end with their jobs");
        bench.check(kind).await;
        drop((first, second));
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_name_another_one_takes_ends() {
    let database = database::sqlite().await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(80), database).await;
    let mut first = start(&bench, &folder.path().join("1"), &url, "same").await;
    let second = start(&bench, &folder.path().join("2"), &url, "same").await;
    wait_for("the first to end", async || first.has_ended()).await;
    second.client.call("listZones", &[]).await.expect("the second serves");
    drop((first, second));
    bench.world.stop().await;
}
