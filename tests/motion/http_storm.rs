//! 200 migrations of both kinds submitted over HTTP at once, most of them for VMs that are moving already, many of them equal:
//! equal ones share a job while it has not ended, every job ends exactly once, no VM is in two motions at a time, and everything
//! is where the database says. Half of them name an id of their own, so that no job is saved there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stackmotion::app::App;
use stackmotion::client::{Client, ClientError, Pace};
use stackmotion::demo::{DiskPlan, Plan, VmPlan};
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};

use super::bench::{Bench, MIB};
use crate::support::database;

const VMS: usize = 10;
const ROUNDS: usize = 20;
const PACE: Pace = Pace { first: Duration::from_millis(50), longest: Duration::from_millis(500) };

fn crowd(net: u8) -> Plan {
    let mut plan = Plan::regular(net, 2, 2, 2);
    for number in 0..VMS {
        let disk = DiskPlan::shared(&format!("ROOT-{number}"), "c1-p1", 8 * MIB, MIB);
        plan = plan.vm(VmPlan::new(&format!("vm{number}"), "c1-h1").disk(disk));
    }
    plan
}

/// The gateway itself on the database and hosts of the bench, and a client of its administrator.
async fn gateway(bench: &Bench, url: String, folder: &std::path::Path) -> (App, Client) {
    let flags = SettingsArgs {
        data_dir: Some(folder.display().to_string()),
        port: Some("0".to_owned()),
        database_url: Some(url),
        set: vec!["motion.poll_ms=30".to_owned(), "http.drain_s=1".to_owned()],
        ..SettingsArgs::default()
    };
    let effective = Effective::load(&Sources { env: Vec::new(), flags }).expect("settings");
    let app = App::start(&Settings::from_effective(&effective).expect("settings")).await.expect("a gateway");
    let client = bench.client(&format!("http://{}/client/api", app.address));
    (app, client)
}

/// The call of a round for a VM: a disk to the other pool, or the VM to the other cluster and back.
fn call(bench: &Bench, round: usize, number: usize) -> (&'static str, Vec<(&'static str, String)>) {
    let pool = |name: &str| bench.estate.pool(name).expect("a pool").uuid.clone();
    let host = |name: &str| bench.estate.host(name).expect("a host").uuid.clone();
    let disk = bench.disk(&format!("ROOT-{number}")).uuid.clone();
    let vm = bench.estate.vm(&format!("vm{number}")).expect("a VM").uuid.clone();
    let across = |to_host: &str, to_pool: &str| {
        let map = [("migrateto[0].volume", disk.clone()), ("migrateto[0].pool", pool(to_pool))];
        [("virtualmachineid", vm.clone()), ("hostid", host(to_host))].into_iter().chain(map).collect()
    };
    let within = |to_pool: &str| {
        vec![("volumeid", disk.clone()), ("storageid", pool(to_pool)), ("livemigrate", "true".to_owned())]
    };
    match (round + number) % 4 {
        0 => ("migrateVolume", within("c1-p2")),
        1 => ("migrateVirtualMachineWithVolume", across("c2-h1", "c2-p1")),
        2 => ("migrateVolume", within("c2-p2")),
        _ => ("migrateVirtualMachineWithVolume", across("c1-h2", "c1-p1")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_over_http() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&crowd(71), database).await;
        let (app, client) = gateway(&bench, url, folder.path()).await;
        let client = Arc::new(client);
        let mut running = tokio::task::JoinSet::new();
        for (round, number) in (0..ROUNDS).flat_map(|round| (0..VMS).map(move |number| (round, number))) {
            let (client, (command, mut params)) = (Arc::clone(&client), call(&bench, round, number));
            let what = format!("{command} {params:?}");
            let own = (round % 2 == 0).then(|| uuid::Uuid::new_v4().to_string());
            params.extend(own.iter().map(|id| ("customjobid", id.clone())));
            running.spawn(async move {
                let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let answer = client.call(command, &params).await.expect("the job is accepted");
                let job = answer["jobid"].as_str().expect("a job").to_owned();
                assert!(own.as_ref().is_none_or(|id| *id == job), "{own:?} {job}");
                let end = match client.wait(&job, PACE, |_| {}).await {
                    Ok(_) => true,
                    Err(ClientError::Api { .. }) => false,
                    Err(other) => panic!("{other}"),
                };
                (job, (what, end))
            });
        }
        let mut jobs = HashMap::new();
        while let Some(ended) = running.join_next().await {
            let (job, told) = ended.expect("no panic");
            let known = jobs.entry(job).or_insert_with(|| told.clone());
            assert_eq!(*known, told, "{kind}: who shares a job has asked for the same, and is told the same end");
        }
        let moved = jobs.values().filter(|(_, end)| *end).count() as i64;
        assert!(moved > 0, "{kind}: nothing moved");
        let own = VMS * ROUNDS / 2;
        assert!(jobs.len() > own && jobs.len() <= 2 * own, "{kind}: {} jobs", jobs.len());
        let count = async |sql: &str| -> i64 {
            bench.store.db().row(sql, vec![]).await.expect("the database").expect("a row").at(0).expect("a number")
        };
        assert_eq!(count("SELECT COUNT(*) FROM async_job").await, jobs.len() as i64, "{kind}");
        assert_eq!(count("SELECT COUNT(*) FROM async_job WHERE job_status = 1").await, moved, "{kind}");
        assert_eq!(count("SELECT COUNT(*) FROM async_job WHERE job_status = 0").await, 0, "{kind}");
        let overlaps = "SELECT COUNT(*) FROM motion_migration a JOIN motion_migration b ON a.vm_id = b.vm_id \
            AND a.id < b.id WHERE b.created < a.ended";
        assert_eq!(count(overlaps).await, 0, "{kind}: a VM was in two motions at once");
        app.stop().await;
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
