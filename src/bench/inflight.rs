//! Thousands of migrations on their way at once, and as many polls as their clients would send.
//!
//! The hosts are simulated ones in processes of their own, whose copies only say that they go on (`feign` in
//! docs/simulated-agent.md): disks and threads of the hosts are not what is measured. The polls come at their times whatever the
//! answers do (`offered.rs`). In the end all copies are let go, and each job has to end well.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::line::Line;
use super::load::Signer;
use super::offered::{Offer, offer};
use super::process::Process;
use super::report::{Finding, Target};
use super::scene::{database_url, fill, temporary_folder};
use super::{BenchError, Depth};
use crate::agent::WorldSpec;
use crate::demo::{DiskPlan, Estate, Plan, VmPlan};

const MIB: f64 = 1_048_576.0;
/// Each with a host.
const CLUSTERS: u8 = 20;
/// Processes that the hosts are in: each connection is two files there.
const WORLDS: usize = 2;
/// Polls in each second, and how they come.
const POLLS_A_SECOND: u32 = 10_000;
const CONNECTIONS: u32 = 64;
/// Submissions, and questions whether jobs have ended, at the same time.
const AT_ONCE: usize = 16;
/// What a copy says that it has to do, and does in a second: it lasts as long as is measured.
const FEIGNED_BYTES: u64 = 1 << 40;
const FEIGNED_A_SECOND: u64 = 64 << 20;
/// How long it may take until all are on their way, and until all have ended.
const LONGEST: Duration = Duration::from_secs(1200);
const MOST_LATE_MS: f64 = 20.0;
const MOST_MEMORY_MIB: f64 = 200.0;

/// An estate whose hosts are in processes of their own, and a gateway on it.
struct Fleet {
    folder: TempDir,
    worlds: Vec<(Process, Vec<String>)>,
    gateway: Process,
    signer: Signer,
    estate: Estate,
}

/// Begins all migrations, offers polls, and lets the migrations end.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let count = match depth {
        Depth::Quick => 1_000,
        Depth::Full => 10_000,
    };
    allow_files();
    let fleet = Fleet::start(count).await?;
    let begun = Instant::now();
    let jobs = fleet.begin().await?;
    fleet.until_sent(count).await?;
    let sent_s = begun.elapsed().as_secs_f64();
    let poll = |job: &String| fleet.signer.path("queryAsyncJobResult", &[("jobid", job)]);
    let polls: Arc<[String]> = jobs.iter().map(poll).collect();
    let what = format!("{count} migrations in flight, {POLLS_A_SECOND} polls a second offered");
    let mut late = Finding::new(
        "in-flight-lateness",
        format!("{what}: 99th percentile of the polls' lateness / 20 ms"),
        Target::AtMost(1.0),
    );
    let mut memory =
        Finding::new("in-flight-memory", format!("{what}: MiB in use by the gateway / 200"), Target::AtMost(1.0));
    let (mut offered, mut answered) = (0, 0);
    for _ in 0..depth.rounds().min(3) {
        let manner = Offer { rate: POLLS_A_SECOND, connections: CONNECTIONS, length: depth.slice() * 3 };
        let taken = offer(&fleet.gateway.address, &polls, manner).await?;
        late.rounds.push(taken.late_ms(0.99) / MOST_LATE_MS);
        late.figures = format!(
            "median {:.2} ms, p99 {:.2} ms, slowest {:.0} ms, counted from the time at which each poll was due",
            taken.late_ms(0.5),
            taken.late_ms(0.99),
            taken.late_ms(1.0)
        );
        let used = fleet.gateway.memory_bytes() as f64 / MIB;
        memory.rounds.push(used / MOST_MEMORY_MIB);
        memory.figures = format!("{used:.0} MiB, {} open files", fleet.gateway.open_files());
        offered += taken.offered;
        answered += taken.answered;
    }
    let ended = fleet.end_all(jobs).await?;
    let mut kept = Finding::new(
        "in-flight-kept",
        format!("{what}: migrations that ended well and polls that were answered / all of them"),
        Target::AtLeast(1.0),
    );
    kept.rounds.push((ended + answered) as f64 / (count as u64 + offered) as f64);
    kept.figures = format!(
        "{ended} of {count} migrations, {answered} of {offered} polls; all were at their hosts after {sent_s:.0} s"
    );
    fleet.stop().await;
    Ok(vec![kept, late, memory])
}

/// As many open files as the system lets a process have: each migration is a connection. It holds for what is started here too.
fn allow_files() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What is not enough is said by those who lack it.
    let _ = setrlimit(Resource::Nofile, limit);
}

impl Fleet {
    async fn start(count: usize) -> Result<Self, BenchError> {
        let folder = temporary_folder()?;
        let estate = Estate::new(&plan(count))?;
        let mut worlds: Vec<(Process, Vec<String>)> = Vec::new();
        let mut port = 0;
        for number in 0..WORLDS {
            let spec = part(estate.world_spec(), number);
            let ips = spec.hosts.iter().map(|host| host.ip.clone()).collect();
            let file = folder.path().join(format!("world-{number}.json"));
            super::write(&file, serde_json::to_string(&spec).unwrap_or_default())?;
            let hosts = Process::hosts(&file, &folder.path().join(format!("hosts-{number}")), port).await?;
            if port == 0 {
                let seen = world(&hosts).await?["port"].as_u64();
                port = seen.and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
            }
            worlds.push((hosts, ips));
        }
        let database = database_url(folder.path());
        let signer = fill(&database, &estate, port).await?;
        let workers = format!("jobs.workers={}", count + 16);
        // Ten seconds between two questions about a motion, as is recommended for so many.
        let set = [workers.as_str(), "motion.poll_ms=10000"];
        let gateway = Process::gateway(&folder.path().display().to_string(), &database, &set).await?;
        for (hosts, ips) in &worlds {
            for ip in ips {
                let fault = json!({"kind": "feign", "bytes": FEIGNED_BYTES, "bytesPerSecond": FEIGNED_A_SECOND});
                let rule = json!({"host": ip, "command": "MigrateVolumeCommand", "fault": fault});
                told(hosts, "/sim/faults", &rule).await?;
            }
        }
        Ok(Self { folder, worlds, gateway, signer, estate })
    }

    /// Submits all migrations and gives their jobs.
    async fn begin(&self) -> Result<Vec<String>, BenchError> {
        let target = |disk: &crate::demo::EstateDisk| {
            let cluster = disk.plan.name.split('-').nth(1).unwrap_or_default();
            self.estate.pool(&format!("{cluster}-p2")).map(|pool| pool.uuid.clone())
        };
        let mut paths = Vec::with_capacity(self.estate.disks.len());
        for disk in &self.estate.disks {
            let pool = target(disk)?;
            let params = [("volumeid", disk.uuid.as_str()), ("storageid", &pool), ("livemigrate", "true")];
            paths.push(self.signer.path("migrateVolume", &params));
        }
        let answers = self.ask_all(&paths).await?;
        answers.iter().map(|answer| super::scene::job_of(&answer["migratevolumeresponse"])).collect()
    }

    /// Waits until all hosts together have had so many commands.
    async fn until_sent(&self, count: usize) -> Result<(), BenchError> {
        let until = Instant::now() + LONGEST;
        loop {
            let mut received = 0;
            for (hosts, _) in &self.worlds {
                let seen = world(hosts).await?;
                let counts = seen["hosts"].as_array().into_iter().flatten().filter_map(|host| {
                    let requests = host["requests"].as_object()?.iter();
                    Some(requests.filter(|(class, _)| class.ends_with("MigrateVolumeCommand")).map(|(_, count)| count))
                });
                received += counts.flatten().filter_map(Value::as_u64).sum::<u64>();
            }
            if received >= count as u64 {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(BenchError::Unexpected(format!("{received} of {count} migrations came to their hosts")));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Lets the copies go, host by host, and gives the number of jobs that end well.
    async fn end_all(&self, jobs: Vec<String>) -> Result<u64, BenchError> {
        for (hosts, ips) in &self.worlds {
            // Rules count from 1, one for each host.
            for (id, _) in (1..).zip(ips) {
                told(hosts, "/sim/release", &json!({"id": id})).await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let until = Instant::now() + LONGEST;
        let (mut open, mut well) = (jobs, 0);
        while !open.is_empty() && Instant::now() < until {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let polls: Vec<String> =
                open.iter().map(|job| self.signer.path("queryAsyncJobResult", &[("jobid", job)])).collect();
            let answers = self.ask_all(&polls).await?;
            let status = |answer: &Value| answer["queryasyncjobresultresponse"]["jobstatus"].as_i64();
            well += answers.iter().filter(|answer| status(answer) == Some(1)).count() as u64;
            let left = open.into_iter().zip(&answers).filter(|(_, answer)| status(answer) == Some(0));
            open = left.map(|(job, _)| job).collect();
        }
        Ok(well)
    }

    /// Asks for all paths, some at the same time, and gives the answers in their order.
    async fn ask_all(&self, paths: &[String]) -> Result<Vec<Value>, BenchError> {
        let walkers = (0..AT_ONCE).map(|first| async move {
            let mut line = Line::open(&self.gateway.address).await?;
            let mut answers = Vec::new();
            for at in (first..paths.len()).step_by(AT_ONCE) {
                let (status, body) = line.get(&paths[at]).await?;
                let answer = serde_json::from_slice(body).ok().filter(|_| status == 200);
                let answer: Value = answer
                    .ok_or_else(|| BenchError::Unexpected(format!("{status}: {}", String::from_utf8_lossy(body))))?;
                answers.push((at, answer));
            }
            Ok::<_, BenchError>(answers)
        });
        let answered = futures_util::future::try_join_all(walkers).await?;
        let mut by_place: HashMap<usize, Value> = answered.into_iter().flatten().collect();
        Ok((0..paths.len()).filter_map(|at| by_place.remove(&at)).collect())
    }

    async fn stop(self) {
        self.gateway.end().await;
        for (hosts, _) in self.worlds {
            hosts.end().await;
        }
        drop(self.folder);
    }
}

/// A host and two pools in each cluster, and machines with a small disk each.
fn plan(count: usize) -> Plan {
    let vm = |number: usize| {
        let cluster = format!("c{}", number % usize::from(CLUSTERS) + 1);
        let disk = DiskPlan::shared(&format!("ROOT-{cluster}-{number}"), &format!("{cluster}-p1"), 16 << 20, 64 << 10);
        VmPlan::new(&format!("vm-{number}"), &format!("{cluster}-h1")).disk(disk.vhd())
    };
    (0..count).map(vm).fold(Plan::regular(97, CLUSTERS, 1, 2), Plan::vm)
}

/// The hosts of every second cluster, with their machines.
fn part(mut spec: WorldSpec, number: usize) -> WorldSpec {
    spec.is_volatile = true;
    let mut at = 0;
    spec.hosts.retain(|_| {
        at += 1;
        at % WORLDS == number
    });
    spec.vms.retain(|vm| spec.hosts.iter().any(|host| host.ip == vm.host));
    spec
}

/// What the control listener of simulated hosts shows.
async fn world(hosts: &Process) -> Result<Value, BenchError> {
    let mut line = Line::open(&hosts.address).await?;
    let (_, body) = line.get("/sim/world").await?;
    serde_json::from_slice(body).map_err(|cause| BenchError::Unexpected(cause.to_string()))
}

/// Tells that listener something.
async fn told(hosts: &Process, path: &str, body: &Value) -> Result<(), BenchError> {
    let mut line = Line::open(&hosts.address).await?;
    match line.post(path, body).await? {
        (200, _) => Ok(()),
        (status, said) => Err(BenchError::Unexpected(format!("{path}: {status} {}", String::from_utf8_lossy(said)))),
    }
}
