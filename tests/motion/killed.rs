//! The gateway's process, killed with SIGKILL before and after every step of the saga and at every moment of its job, for
//! every kind of motion, on every database. Another process on the same data ends the job that the client was promised,
//! and everything is where the database says. Places are the gateway's own lists, so that a new one cannot escape.
//!
//! The same at every commit of the job, whatever is written there, until there is none left.
//!
//! `crash.rs` does the same inside the test, where more can be seen; here nothing is left but what was written down.

use std::os::unix::process::ExitStatusExt as _;

use stackmotion::args;
use stackmotion::client::ClientError;
use stackmotion::jobs::Moment;
use stackmotion::motion::Step;

use super::bench::{Bench, LONG, plan, wait_for};
use super::crash::What;
use super::places::{PACE, Place, Way, count, phases, start};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};

const JOB: &str = "00000000-0000-4000-8000-00000000dead";
const SIGKILL: i32 = 9;
/// The longest that a process may take from the end of a job to what follows it.
const AFTER_THE_END: std::time::Duration = std::time::Duration::from_millis(200);

impl Place {
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

/// Waits until it has died by the signal that cannot be caught.
pub async fn dies(mut gateway: Gateway, case: &str) {
    let mut end = None;
    wait_for(&format!("{case}: the gateway to die"), async || {
        end = gateway.end();
        end.is_some()
    })
    .await;
    assert_eq!(end.and_then(|end| end.signal()), Some(SIGKILL), "{case}");
}

async fn killed_at(what: What, place: Place, net: u8, kind: &str, database: database::Database) {
    let case = format!("{kind}, {what:?} killed at {}", place.word());
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(net), database).await;
    let way = Way::of(what);
    let first = start(&bench, folder.path(), &url, Ambush::KillAt(place.word())).await;
    let (command, params) = way.call(&bench, JOB);
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

    let second = start(&bench, folder.path(), &url, Ambush::None).await;
    // How it ended is looked at below.
    let _ = tokio::time::timeout(LONG, second.client.wait(JOB, PACE, |_| {})).await.expect(&case);
    let job = second.client.call("queryAsyncJobResult", &[("jobid", JOB)]).await.expect(&case);
    // The disks of a stopped VM are moved one by one: a disk whose motion was undone is taken up once more.
    let undone = place.undone().filter(|_| what != What::Stopped);
    match undone {
        None => {
            assert_eq!((&job["jobstatus"], &job["jobresultcode"]), (&1.into(), &0.into()), "{case}: {job}");
            assert!(way.is_told(&bench, &job), "{case}: {job}");
            assert_eq!(way.seen(&bench).await, way.to, "{case}");
        }
        Some(words) => {
            assert_eq!((&job["jobstatus"], &job["jobresultcode"]), (&2.into(), &530.into()), "{case}: {job}");
            let text = job["jobresult"]["errortext"].as_str().unwrap_or_default();
            assert!(text.contains(words), "{case}: {job}");
            assert_eq!(way.seen(&bench).await, way.from, "{case}");
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
            // The commits below lie between these places; what differs between databases is seen there.
            if kind == "sqlite" || matches!(what, What::Vm | What::Stopped) {
                killed_at(what, place, net, kind, database).await;
            }
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

/// Kills at a commit of the job, and lets another process end it. False when there was no such commit.
async fn killed_at_commit(way: Way, commit: &str, net: u8, (kind, database): (&str, database::Database)) -> bool {
    let case = format!("{kind}, {:?} killed at {commit}", way.what);
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(net), database).await;
    let mut first = start(&bench, folder.path(), &url, Ambush::KillAt(commit.to_owned())).await;
    let (command, params) = way.call(&bench, JOB);
    let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let _ = first.client.call(command, &params).await;
    let over = "SELECT COUNT(*) FROM async_job WHERE job_status <> 0";
    let mut has_died = false;
    wait_for(&format!("{case}: an end"), async || {
        has_died = first.has_ended();
        has_died || count(&bench, over, vec![]).await > 0
    })
    .await;
    // The last commit is the one that ends the job.
    tokio::time::sleep(AFTER_THE_END).await;
    has_died |= first.has_ended();
    drop(first);
    let second = start(&bench, folder.path(), &url, Ambush::None).await;
    if count(&bench, "SELECT COUNT(*) FROM async_job", vec![]).await == 0 {
        second.client.call(command, &params).await.expect("it was not accepted, and is now");
    }
    let _ = tokio::time::timeout(LONG, second.client.wait(JOB, PACE, |_| {})).await.expect(&case);
    let job = second.client.call("queryAsyncJobResult", &[("jobid", JOB)]).await.expect(&case);
    let has_moved = job["jobstatus"] == 1;
    let text = job["jobresult"]["errortext"].as_str().unwrap_or_default();
    assert!(has_moved || text.contains("The gateway was stopped "), "{case}: {job}");
    assert_eq!(has_moved, way.is_told(&bench, &job), "{case}: {job}");
    assert_eq!(way.seen(&bench).await, if has_moved { way.to } else { way.from }, "{case}: {job}");
    drop(second);
    assert_eq!(phases(&bench).await, ["settled"], "{case}");
    for state in ["Started", "Completed"] {
        let sql = "SELECT COUNT(*) FROM event e JOIN motion_job j ON e.start_id = j.start_event_id WHERE e.state = ?";
        assert_eq!(count(&bench, sql, args![state]).await, 1, "{case}: {state} is told once");
    }
    bench.check(&case).await;
    bench.world.stop().await;
    has_died
}

async fn kill_at_every_commit(what: What, net: u8) {
    let mut places = 0;
    for number in 1.. {
        let mut has_died = false;
        for side in ["before", "after"] {
            for database in database::each().await {
                has_died |= killed_at_commit(Way::of(what), &format!("commit:{number}:{side}"), net, database).await;
            }
        }
        if !has_died {
            break;
        }
        places += 1;
    }
    println!("{what:?}: killed before and after {places} commits");
    // It is accepted, claimed, begun, has its turn, is marked, sent, settled, its files are noted, and it ends.
    assert!(places >= 9, "{what:?}: only {places} commits were met");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_volume_at_every_commit() {
    kill_at_every_commit(What::Volume, 209).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_with_its_volumes_at_every_commit() {
    kill_at_every_commit(What::VmWithVolumes, 210).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_volume_at_every_commit() {
    kill_at_every_commit(What::Cold, 211).await;
}
