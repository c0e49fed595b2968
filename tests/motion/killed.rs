//! The gateway's process, killed with SIGKILL before and after every step of the saga and at every moment of its job, for
//! every kind of motion, on every database. Another process on the same data ends the job that the client was promised,
//! and everything is where the database says. Places are the gateway's own lists, so that a new one cannot escape.
//!
//! `crash.rs` does the same inside the test, where more can be seen; here nothing is left but what was written down.

use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;

use serde_json::Value as Json;
use stackmotion::args;
use stackmotion::client::{ClientError, Pace};
use stackmotion::jobs::Moment;
use stackmotion::motion::Step;
use stackmotion::store::Value;

use super::bench::{Bench, LONG, plan, wait_for};
use super::crash::What;
use crate::support::database;
use crate::support::gateway::Gateway;

const JOB: &str = "00000000-0000-4000-8000-00000000dead";
const SIGKILL: i32 = 9;
const PACE: Pace = Pace { first: std::time::Duration::from_millis(20), longest: std::time::Duration::from_millis(100) };

/// Where the process dies.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Before(Step),
    After(Step),
    At(Moment),
}

impl Place {
    fn all() -> Vec<Self> {
        let steps = Step::ALL.into_iter().flat_map(|step| [Self::Before(step), Self::After(step)]);
        steps.chain(Moment::ALL.map(Self::At)).collect()
    }

    /// As the gateway is told.
    fn word(self) -> String {
        match self {
            Self::Before(step) => format!("{step:?}:before"),
            Self::After(step) => format!("{step:?}:after"),
            Self::At(moment) => format!("{moment:?}"),
        }
    }

    /// How far the journal is when the process has died there; none when nothing was begun.
    fn phase_left(self) -> Option<&'static str> {
        match self {
            Self::At(Moment::Accepted | Moment::Taken) | Self::Before(Step::Mark) => None,
            Self::After(Step::Mark) | Self::Before(Step::Announce) => Some("marked"),
            Self::After(Step::Settle) | Self::Before(Step::Clean) | Self::After(Step::Clean) | Self::At(_) => {
                Some("settled")
            }
            Self::After(_) | Self::Before(_) => Some("sent"),
        }
    }

    /// Why the next process must find that nothing was moved; none when the motion is to be ended.
    fn undone(self) -> Option<&'static str> {
        match self {
            Self::After(Step::Mark) | Self::Before(Step::Announce) => Some("before anything was sent"),
            Self::After(Step::Announce) | Self::Before(Step::Send) => Some("while the motion was under way"),
            _ => None,
        }
    }
}

async fn start(bench: &Bench, folder: &Path, url: &str, kill_at: Option<Place>) -> Gateway {
    Gateway::start(bench, folder, url, &["motion.poll_ms=20", "motion.late_answer_ms=200"], kill_at.map(Place::word))
        .await
}

/// Waits until it has died by the signal that cannot be caught.
async fn dies(mut gateway: Gateway, case: &str) {
    let mut end = None;
    wait_for(&format!("{case}: the gateway to die"), async || {
        end = gateway.end();
        end.is_some()
    })
    .await;
    assert_eq!(end.and_then(|end| end.signal()), Some(SIGKILL), "{case}");
}

/// The call that begins the motion.
fn call(bench: &Bench, what: What) -> (&'static str, Vec<(&'static str, String)>) {
    let pool = |name: &str| bench.estate.pool(name).expect("a pool").uuid.clone();
    let host = |name: &str| bench.estate.host(name).expect("a host").uuid.clone();
    let vm = |name: &str| bench.estate.vm(name).expect("a VM").uuid.clone();
    let disk = |name: &str| bench.disk(name).uuid.clone();
    let (command, mut params) = match what {
        What::Volume => {
            let to = [("volumeid", disk("DATA-shared")), ("storageid", pool("c1-p2"))];
            ("migrateVolume", [&to[..], &[("livemigrate", "true".to_owned())]].concat())
        }
        What::VmWithVolumes => (
            "migrateVirtualMachineWithVolume",
            vec![
                ("virtualmachineid", vm("shared")),
                ("hostid", host("c2-h1")),
                ("migrateto[0].volume", disk("ROOT-shared")),
                ("migrateto[0].pool", pool("c2-p1")),
                ("migrateto[1].volume", disk("DATA-shared")),
                ("migrateto[1].pool", pool("c2-p1")),
            ],
        ),
        What::Vm => ("migrateVirtualMachine", vec![("virtualmachineid", vm("shared")), ("hostid", host("c1-h2"))]),
        What::Cold => ("migrateVolume", vec![("volumeid", disk("ROOT-off")), ("storageid", pool("c1-p2"))]),
        What::Stopped => {
            ("migrateVirtualMachine", vec![("virtualmachineid", vm("stopped")), ("storageid", pool("c1-p2"))])
        }
    };
    // The client's own id for the job: it is known also when the answer is lost.
    params.push(("customjobid", JOB.to_owned()));
    (command, params)
}

/// Where everything is that the motion is about: pools of its disks and host of its VM.
async fn places(bench: &Bench, what: What) -> Vec<String> {
    match what {
        What::Volume => vec![bench.pool_of("DATA-shared").await],
        What::Cold | What::Stopped => vec![bench.pool_of("ROOT-off").await],
        What::Vm => vec![bench.host_of("shared").await],
        What::VmWithVolumes => {
            let disks = [bench.pool_of("ROOT-shared").await, bench.pool_of("DATA-shared").await];
            [&disks[..], &[bench.host_of("shared").await]].concat()
        }
    }
}

fn places_meant(what: What) -> &'static [&'static str] {
    match what {
        What::Volume | What::Cold | What::Stopped => &["c1-p2"],
        What::Vm => &["c1-h2"],
        What::VmWithVolumes => &["c2-p1", "c2-p1", "c2-h1"],
    }
}

/// What the finished job says about the place, in words of the API.
fn told(bench: &Bench, what: What, job: &Json) -> bool {
    let result = &job["jobresult"];
    let pool = |name: &str| bench.estate.pool(name).expect("a pool").uuid.clone();
    let host = |name: &str| bench.estate.host(name).expect("a host").uuid.clone();
    match what {
        What::Volume | What::Cold => result["volume"]["storageid"] == pool("c1-p2"),
        What::Vm => result["virtualmachine"]["hostid"] == host("c1-h2"),
        What::VmWithVolumes => result["virtualmachine"]["hostid"] == host("c2-h1"),
        What::Stopped => result["virtualmachine"]["state"] == "Stopped",
    }
}

async fn phases(bench: &Bench) -> Vec<String> {
    let rows = bench.store.db().rows("SELECT phase FROM motion_migration ORDER BY id", vec![]).await;
    rows.expect("the journal").iter().map(|row| row.at(0).expect("a phase")).collect()
}

async fn count(bench: &Bench, sql: &str, args: Vec<Value>) -> i64 {
    let row = bench.store.db().row(sql, args).await.expect("the database").expect("a row");
    row.at(0).expect("a number")
}

async fn killed_at(what: What, place: Place, net: u8, kind: &str, database: database::Database) {
    let case = format!("{kind}, {what:?} killed at {}", place.word());
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(net), database).await;
    let before = places(&bench, what).await;
    let first = start(&bench, folder.path(), &url, Some(place)).await;
    let (command, params) = call(&bench, what);
    let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    match first.client.call(command, &params).await {
        Ok(answer) => assert_eq!(answer["jobid"], JOB, "{case}"),
        // The process was faster to die than to answer.
        Err(ClientError::Transport { .. }) => {}
        Err(refused) => panic!("{case}: {refused}"),
    }
    dies(first, &case).await;
    assert_eq!(phases(&bench).await.first().map(String::as_str), place.phase_left(), "{case}: it died elsewhere");
    let ended = i64::from(place == Place::At(Moment::Ended));
    assert_eq!(count(&bench, "SELECT COUNT(*) FROM async_job WHERE job_status <> 0", vec![]).await, ended, "{case}");

    let second = start(&bench, folder.path(), &url, None).await;
    // How it ended is looked at below.
    let _ = tokio::time::timeout(LONG, second.client.wait(JOB, PACE, |_| {})).await.expect(&case);
    let job = second.client.call("queryAsyncJobResult", &[("jobid", JOB)]).await.expect(&case);
    // The disks of a stopped VM are moved one by one: a disk whose motion was undone is taken up once more.
    let undone = place.undone().filter(|_| what != What::Stopped);
    match undone {
        None => {
            assert_eq!((&job["jobstatus"], &job["jobresultcode"]), (&1.into(), &0.into()), "{case}: {job}");
            assert!(told(&bench, what, &job), "{case}: {job}");
            assert_eq!(places(&bench, what).await, places_meant(what), "{case}");
        }
        Some(words) => {
            assert_eq!((&job["jobstatus"], &job["jobresultcode"]), (&2.into(), &530.into()), "{case}: {job}");
            let text = job["jobresult"]["errortext"].as_str().unwrap_or_default();
            assert!(text.contains(words), "{case}: {job}");
            assert_eq!(places(&bench, what).await, before, "{case}");
        }
    }
    drop(second);
    let motions = if place.undone().is_some() && undone.is_none() { 2 } else { 1 };
    assert_eq!(phases(&bench).await, vec!["settled"; motions], "{case}");
    assert_eq!(count(&bench, "SELECT COUNT(*) FROM async_job", vec![]).await, 1, "{case}");
    // CloudStack tells nothing of a stopped VM's move but that it was asked for.
    let told = i64::from(what != What::Stopped);
    for state in ["Started", "Completed"] {
        let sql = "SELECT COUNT(*) FROM event e JOIN motion_job j ON e.start_id = j.start_event_id WHERE e.state = ?";
        assert_eq!(count(&bench, sql, args![state]).await, told, "{case}: {state} is told once");
    }
    bench.check(&case).await;
    bench.world.stop().await;
}

async fn kill_everywhere(what: What, net: u8) {
    for place in Place::all() {
        for (kind, database) in database::each().await {
            killed_at(what, place, net, kind, database).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_volume() {
    kill_everywhere(What::Volume, 72).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_with_its_volumes() {
    kill_everywhere(What::VmWithVolumes, 73).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_alone() {
    kill_everywhere(What::Vm, 74).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_volume() {
    kill_everywhere(What::Cold, 75).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_vm() {
    kill_everywhere(What::Stopped, 76).await;
}
