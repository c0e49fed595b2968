//! Migrations that cannot be stopped any more, or never could be: `cancelMigration` is refused and says why, the job shows it,
//! and the migration comes to its end.

use std::path::Path;

use serde_json::Value as Json;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::client::Pace;

use crate::motion::bench::{Bench, LONG, plan, wait_for};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};

const PACE: Pace = Pace { first: std::time::Duration::from_millis(20), longest: std::time::Duration::from_millis(100) };

async fn gateway(bench: &Bench, folder: &Path, url: &str) -> Gateway {
    Gateway::start(bench, folder, url, &["motion.poll_ms=20"], Ambush::None).await
}

type Params = Vec<(&'static str, String)>;

/// The call of each kind of migration, with the class of the command that carries it out.
fn moves(bench: &Bench) -> [(&'static str, &'static str, Params); 4] {
    let volume = bench.disk("DATA-shared").uuid.clone();
    let pool = |name: &str| bench.estate.pool(name).expect("a pool").uuid.clone();
    let host = |name: &str| bench.estate.host(name).expect("a host").uuid.clone();
    let vm = || bench.estate.vm("shared").expect("a VM").uuid.clone();
    let alone = vec![("volumeid", volume.clone()), ("storageid", pool("c1-p2")), ("livemigrate", "true".to_owned())];
    let cold = vec![("volumeid", bench.disk("ROOT-off").uuid.clone()), ("storageid", pool("c1-p2"))];
    let plain = vec![("virtualmachineid", vm()), ("hostid", host("c1-h2"))];
    let with_disks = vec![
        ("virtualmachineid", vm()),
        ("hostid", host("c2-h1")),
        ("migrateto[0].volume", bench.disk("ROOT-shared").uuid.clone()),
        ("migrateto[0].pool", pool("c2-p1")),
        ("migrateto[1].volume", volume),
        ("migrateto[1].pool", pool("c2-p1")),
    ];
    [
        ("migrateVolume", "MigrateVolumeCommand", alone),
        ("migrateVolume", "CopyCommand", cold),
        ("migrateVirtualMachine", "MigrateCommand", plain),
        ("migrateVirtualMachineWithVolume", "MigrateWithStorageCommand", with_disks),
    ]
}

/// Submits a migration. Gives the id of its job.
async fn submit(gateway: &Gateway, command: &str, params: &[(&'static str, String)]) -> String {
    let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let job = gateway.client.call(command, &params).await.expect("a job");
    job["jobid"].as_str().expect("an id").to_owned()
}

async fn seen(gateway: &Gateway, job: &str) -> Json {
    gateway.client.call("queryAsyncJobResult", &[("jobid", job)]).await.expect("the job")
}

/// Whether a host is at work on something that can no more be taken back.
fn is_past_the_switch(bench: &Bench) -> bool {
    bench.world.hosts().flat_map(|host| host.process().motions()).any(|motion| motion.phase == "clean")
}

/// Wishes that a job stop, which is refused for this reason: the caller hears it, and whoever looks at the job.
async fn refused(gateway: &Gateway, job: &str, why: &str, case: &str) {
    let error = gateway.client.call("cancelMigration", &[("jobid", job)]).await.expect_err(case).to_string();
    let wanted = format!("The migration of job {job} goes on: {why}. Its result will say where everything is");
    assert!(error.contains("(530") && error.contains(&wanted), "{case}: {error}");
    let shown = seen(gateway, job).await;
    assert_eq!(shown["jobstatus"], 0, "{case}: it goes on: {shown}");
    assert_eq!(shown["migration"]["cancelstate"], "refused", "{case}: {shown}");
    assert_eq!(shown["migration"]["cancelanswer"], why, "{case}: {shown}");
    println!("{case}: {error}");
}

/// It ends well, and what was wished has no part in it.
async fn ends_well(gateway: &Gateway, job: &str, case: &str) {
    let end = tokio::time::timeout(LONG, gateway.client.wait(job, PACE, |_| {})).await.expect("an end");
    end.unwrap_or_else(|error| panic!("{case}: {error}"));
    let shown = seen(gateway, job).await;
    assert_eq!((&shown["jobstatus"], &shown["migration"]["outcome"]), (&1.into(), &"done".into()), "{case}: {shown}");
    assert_eq!(shown["migration"]["cancelstate"], "refused", "{case}: {shown}");
    assert!(shown["migration"].get("reason").is_none(), "{case}: {shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_agent_cannot_be_told_to_stop() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let mut plan = plan(202);
        for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
            host.plain = true;
        }
        let bench = Bench::start(&plan, database).await;
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
        let [(command, _, params), ..] = moves(&bench);
        let job = submit(&gateway, command, &params).await;
        bench.struck(id).await;
        let case = format!("{kind}: stock agent");
        let why = "the agent of host c1-h1 cannot be told to stop a motion";
        refused(&gateway, &job, why, &case).await;
        // Whoever asks a second time hears the same.
        refused(&gateway, &job, why, &case).await;
        bench.world.world().faults.release(Some(id));
        ends_well(&gateway, &job, &case).await;
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2", "{case}");
        bench.check(&case).await;
        drop(gateway);
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_past_its_point_of_no_return_comes_to_its_end() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(203), database).await;
        let gateway = gateway(&bench, folder.path(), &url).await;
        for (command, class, params) in moves(&bench) {
            let case = format!("{kind}: {command} ({class})");
            let id = bench.fault(FaultRule::on(class, Fault::StallAfterSwitch));
            let job = submit(&gateway, command, &params).await;
            wait_for("the switch", async || is_past_the_switch(&bench)).await;
            refused(&gateway, &job, "the motion has ended or is past its point of no return", &case).await;
            bench.world.world().faults.remove(Some(id));
            ends_well(&gateway, &job, &case).await;
            bench.check(&case).await;
            if command == "migrateVirtualMachine" {
                // Back, so that the last one begins where the others did.
                let home = vec![
                    ("virtualmachineid", bench.estate.vm("shared").expect("a VM").uuid.clone()),
                    ("hostid", bench.estate.host("c1-h1").expect("a host").uuid.clone()),
                ];
                let job = submit(&gateway, command, &home).await;
                let end = tokio::time::timeout(LONG, gateway.client.wait(&job, PACE, |_| {})).await.expect("an end");
                end.unwrap_or_else(|error| panic!("{case}: back: {error}"));
            }
        }
        assert_eq!((bench.host_of("shared").await, bench.pool_of("ROOT-shared").await), {
            ("c2-h1".to_owned(), "c2-p1".to_owned())
        });
        drop(gateway);
        bench.world.stop().await;
    }
}
