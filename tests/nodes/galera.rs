//! Three gateways on a Galera cluster of three servers, under load, while gateways and servers are killed in turn: every job
//! that was submitted ends exactly once, no agent gets a motion twice, and every disk is in one place. And before that, what no
//! gateway may keep: the rest of a transaction that another server undid.
//!
//! `GALERA_ROUNDS` sets the number of kills.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value as Json;
use stackmotion::args;
use stackmotion::bench::galera::{Cluster, SERVERS};
use stackmotion::client::{Client, ClientError};
use stackmotion::demo::{DiskPlan, Plan, VmPlan};
use stackmotion::store::{Db, StoreError};

use crate::motion::bench::{Bench, MIB};
use crate::support::database::Database;
use crate::support::gateway::{Ambush, Gateway};

const VMS: usize = 6;
/// Transactions that another server is to undo.
const UNDONE: i32 = 120;
/// Kills when the environment does not say.
const ROUNDS: usize = 2;
/// Between two kills.
const CALM: Duration = Duration::from_secs(3);
/// How long all jobs together may take to end once nothing is killed any more.
const LAST: Duration = Duration::from_secs(180);

fn rounds() -> usize {
    std::env::var("GALERA_ROUNDS").map_or(ROUNDS, |text| text.parse().expect("GALERA_ROUNDS is a number"))
}

fn crowd() -> Plan {
    let mut plan = Plan::regular(81, 2, 2, 2);
    for number in 0..VMS {
        let disk = DiskPlan::shared(&format!("ROOT-{number}"), "c1-p1", 8 * MIB, MIB);
        plan = plan.vm(VmPlan::new(&format!("vm{number}"), "c1-h1").disk(disk).with_guest());
    }
    plan
}

async fn start(bench: &Bench, folder: &Path, url: &str, number: usize) -> Gateway {
    let name = format!("node.name=gateway{number}");
    let settings = [&name, "node.lease_s=4", "motion.poll_ms=50", "motion.late_answer_ms=500"];
    Gateway::start(bench, &folder.join(number.to_string()), url, &settings, Ambush::None).await
}

/// The clients of the gateways, as they are now.
type Clients = Arc<Mutex<Vec<Arc<Client>>>>;

/// Whether the gateway is away, or the database for longer than it waits: then it says so.
fn is_away(error: &ClientError) -> bool {
    match error {
        ClientError::Transport { .. } => true,
        ClientError::Api { text, .. } => text.contains("ry again"),
        _ => false,
    }
}

/// Submits jobs one after the other, each with an id of its own, at one gateway or, where that does not answer, the next.
async fn submit(
    clients: Clients,
    number: usize,
    calls: [Vec<(&'static str, String)>; 2],
    jobs: Arc<Mutex<Vec<String>>>,
) {
    for turn in 0.. {
        let id = uuid::Uuid::new_v4().to_string();
        let mut params = calls[turn % 2].clone();
        params.push(("customjobid", id.clone()));
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        for attempt in 0.. {
            let client = {
                let clients = clients.lock().expect("no panic");
                Arc::clone(&clients[(number + attempt) % clients.len()])
            };
            match client.call("migrateVolume", &params).await {
                Ok(answer) => {
                    assert_eq!(answer["jobid"], id.as_str());
                    break;
                }
                // An answer that was lost: the job is there.
                Err(ClientError::Api { text, .. }) if attempt > 0 && text.contains("already exists") => break,
                // Nothing was begun.
                Err(error) if is_away(&error) => {}
                Err(other) => panic!("{other}"),
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        jobs.lock().expect("no panic").push(id);
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// A change that another server has committed undoes a transaction that is in its way. Its server says so to the next statement of
/// it, but not when it prepares one at that moment.
async fn nothing_is_kept_of_a_transaction_that_another_server_undid(cluster: &Cluster) {
    let (here, there) = (Db::open(&cluster.url(0)).await.expect("a database"), Db::open(&cluster.url(1)).await);
    let there = there.expect("a database");
    for sql in [
        "CREATE TABLE one (id INT PRIMARY KEY, n INT NOT NULL, m INT NOT NULL)",
        "CREATE TABLE many (id INT PRIMARY KEY)",
    ] {
        there.run(sql, args![]).await.expect("a table");
    }
    there.run("INSERT INTO one (id, n, m) VALUES (1, 0, 0)", args![]).await.expect("a row");
    let mut undone = 0;
    for round in 0..UNDONE {
        let tried = async {
            let mut tx = here.begin().await?;
            tx.run("UPDATE one SET n = n + 1 WHERE id = 1", args![]).await?;
            let other = there.clone();
            let change = async move { other.run("UPDATE one SET m = m + 1 WHERE id = 1", args![]).await };
            let change = tokio::spawn(change);
            for word in 0..8 {
                // No connection has prepared it before.
                tx.row(&format!("SELECT n + {round}, m + {word} FROM one WHERE id = ?"), args![1]).await?;
            }
            tx.run("INSERT INTO many (id) VALUES (?)", args![round]).await?;
            change.await.expect("no panic")?;
            tx.commit().await
        };
        undone += usize::from(tried.await.is_err_and(|error: StoreError| error.had_no_effect()));
    }
    assert!(undone > 0, "none was in the way of another");
    let sql = "SELECT n, (SELECT COUNT(*) FROM many) FROM one";
    let row = there.row(sql, args![]).await.expect("the database").expect("a row");
    let (changed, kept): (i64, i64) = (row.at(0).expect("a number"), row.at(1).expect("a number"));
    assert_eq!(changed, kept, "{undone} of {UNDONE} transactions were undone, and all of them as a whole");
    here.close().await;
    there.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn gateways_and_servers_are_killed_in_turn() {
    let mut cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("no panic").expect("a cluster");
    nothing_is_kept_of_a_transaction_that_another_server_undid(&cluster).await;
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::start(&crowd(), Database::at(&cluster.url(0)).await).await;
    let mut gateways = Vec::new();
    for number in 0..SERVERS {
        gateways.push(Some(start(&bench, folder.path(), &cluster.url(number), number).await));
    }
    let client = |gateway: &Gateway| Arc::new(gateway.client.clone());
    let clients: Clients = Arc::new(Mutex::new(gateways.iter().flatten().map(client).collect()));
    let jobs = Arc::new(Mutex::new(Vec::new()));
    let mut submitting = tokio::task::JoinSet::new();
    for number in 0..VMS {
        let volume = bench.disk(&format!("ROOT-{number}")).uuid.clone();
        let calls = ["c1-p2", "c1-p1"].map(|pool| {
            let pool = bench.estate.pool(pool).expect("a pool").uuid.clone();
            vec![("volumeid", volume.clone()), ("storageid", pool), ("livemigrate", "true".to_owned())]
        });
        submitting.spawn(submit(Arc::clone(&clients), number, calls, Arc::clone(&jobs)));
    }

    for round in 0..rounds() {
        tokio::time::sleep(CALM).await;
        let victim = round / 2 % SERVERS;
        if round % 2 == 0 {
            gateways[victim] = None;
            tokio::time::sleep(CALM).await;
            let gateway = start(&bench, folder.path(), &cluster.url(victim), victim).await;
            clients.lock().expect("no panic")[victim] = client(&gateway);
            gateways[victim] = Some(gateway);
        } else {
            cluster.kill(victim);
            tokio::time::sleep(CALM).await;
            cluster = tokio::task::spawn_blocking(move || {
                cluster.revive(victim).expect("the server joins");
                cluster
            })
            .await
            .expect("no panic");
        }
    }
    while let Some(ended) = submitting.try_join_next() {
        ended.expect("whoever submits does so to the end");
    }
    submitting.shutdown().await;
    let jobs = jobs.lock().expect("no panic").clone();
    assert!(jobs.len() >= VMS, "{} jobs were submitted", jobs.len());

    let all = clients.lock().expect("no panic").clone();
    let ended = tokio::time::timeout(LAST, async {
        let mut ended = BTreeMap::new();
        for job in &jobs {
            loop {
                match all[ended.len() % all.len()].call("queryAsyncJobResult", &[("jobid", job)]).await {
                    Ok(seen) if seen["jobstatus"] == 0 => tokio::time::sleep(Duration::from_millis(100)).await,
                    Ok(seen) => {
                        ended.insert(job.clone(), seen);
                        break;
                    }
                    Err(error) if is_away(&error) => tokio::time::sleep(Duration::from_millis(100)).await,
                    Err(other) => panic!("{job}: {other}"),
                }
            }
        }
        ended
    })
    .await
    .expect("every job ends");
    every_gateway_says_the_same(&all, &ended).await;
    every_server_has_the_same(&cluster);
    nothing_is_left_and_nothing_happened_twice(&bench, jobs.len()).await;
    let done = ended.values().filter(|job| job["jobstatus"] == 1).count();
    println!("{} jobs, {done} of them done, {} kills", jobs.len(), rounds());
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for text in ended.values().filter_map(|job| job["jobresult"]["errortext"].as_str()) {
        *reasons.entry(text.chars().take(160).collect()).or_default() += 1;
    }
    println!("{reasons:#?}");
    assert!(done > 0, "not one job was done");
    drop(gateways);
    bench.check("after the kills").await;
    bench.world.stop().await;
}

async fn every_gateway_says_the_same(clients: &[Arc<Client>], ended: &BTreeMap<String, Json>) {
    for (job, first) in ended {
        for client in clients {
            let seen = client.call("queryAsyncJobResult", &[("jobid", job)]).await.expect("an answer");
            assert_eq!(seen, *first, "{job}");
        }
    }
}

/// What the gateways write is in the tables of every server, whoever was killed and given a copy meanwhile.
fn every_server_has_the_same(cluster: &Cluster) {
    for table in ["async_job", "event", "motion_migration", "motion_disk", "motion_job", "volumes"] {
        let sql = format!("SET wsrep_sync_wait = 7; SELECT COUNT(*) FROM cloud.{table}; CHECKSUM TABLE cloud.{table}");
        let told: Vec<_> =
            (0..SERVERS).map(|number| cluster.ask(number, &sql).expect("the client").expect("rows")).collect();
        assert!(told.iter().all(|one| *one == told[0]), "{table} is not the same everywhere: {told:?}");
    }
}

async fn nothing_is_left_and_nothing_happened_twice(bench: &Bench, jobs: usize) {
    let db = bench.store.db();
    let count = async |sql: &str| {
        let row = db.row(sql, args![]).await.expect("the database").expect("a row");
        row.at::<i64>(0).expect("a number")
    };
    assert!(count("SELECT COUNT(*) FROM async_job").await >= i64::try_from(jobs).expect("few jobs"));
    assert_eq!(count("SELECT COUNT(*) FROM async_job WHERE job_status = 0").await, 0, "every job has ended");
    assert_eq!(count("SELECT COUNT(*) FROM motion_lock").await, 0, "every lock is free");
    let sql = "SELECT j.start_event_id FROM motion_job j JOIN event e ON e.start_id = j.start_event_id \
        WHERE e.state = 'Completed' GROUP BY j.start_event_id HAVING COUNT(*) <> 1";
    let rows = db.rows(sql, args![]).await.expect("the database");
    let twice: Vec<i64> = rows.iter().map(|row| row.at(0).expect("a number")).collect();
    assert!(twice.is_empty(), "every end is told once, but not those of what began with the events {twice:?}");
    let mut sent: HashMap<String, usize> = HashMap::new();
    for host in bench.world.world().hosts() {
        for request in host.requests().iter().filter(|request| request.class.contains("Migrate")) {
            let body: Json = serde_json::from_str(&request.body).expect("JSON");
            let motion = body.pointer("/contextMap/motion").and_then(Json::as_str).expect("a motion").to_owned();
            *sent.entry(motion).or_default() += 1;
        }
    }
    let twice: Vec<_> = sent.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty() && !sent.is_empty(), "motions that an agent was sent twice: {twice:?}");
}
