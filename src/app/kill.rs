//! Builds for developers only: the gateway kills its own process, or halts what it does, where the environment says, for
//! tests of what follows.
//!
//! A place is a step of a motion with `before` or `after` (`Send:before`), or a moment of a job (`Over`). The process dies by
//! SIGKILL when it comes to the place `KILL_STACKMOTION_AT` for the first time; `commit:3:before` is the third commit of a job
//! since the process began. What comes to a place of which there is a file
//! in the folder `HALT_STACKMOTION_IN` renames it to `reached` and goes on when that is gone; everything else in the process
//! goes on meanwhile. A release build has nothing of this file in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Signal, getpid, kill_process};

use crate::jobs::Jobs;
use crate::motion::Motion;
use crate::store::commit::at_commits_of_jobs;

const KILL: &str = "KILL_STACKMOTION_AT";
const HALT: &str = "HALT_STACKMOTION_IN";
/// Between two looks whether who is halted may go on.
const LOOK: Duration = Duration::from_millis(5);

#[derive(Debug)]
struct Ambush {
    kill_at: Option<String>,
    halt_in: Option<PathBuf>,
}

/// Puts kills and halts in their places, if there are any.
pub(super) fn arm(motion: Motion, jobs: Jobs) -> (Motion, Jobs) {
    let ambush = Ambush { kill_at: std::env::var(KILL).ok(), halt_in: std::env::var_os(HALT).map(PathBuf::from) };
    if ambush.kill_at.is_none() && ambush.halt_in.is_none() {
        return (motion, jobs);
    }
    let ambush = Arc::new(ambush);
    let (of_commits, number) = (Arc::clone(&ambush), AtomicU32::new(0));
    at_commits_of_jobs(Box::new(move |before| {
        let number = number.fetch_add(u32::from(before), Ordering::SeqCst) + u32::from(before);
        of_commits.die_at(&format!("commit:{number}:{}", if before { "before" } else { "after" }));
    }));
    let of_motion = Arc::clone(&ambush);
    let motion = motion.with_probe(Arc::new(move |step, before| {
        let side = if before { "before" } else { "after" };
        let (ambush, here) = (Arc::clone(&of_motion), format!("{step:?}:{side}"));
        Box::pin(async move { ambush.pass(&here).await })
    }));
    let of_job = move |moment| -> futures_util::future::BoxFuture<'static, ()> {
        let (ambush, here) = (Arc::clone(&ambush), format!("{moment:?}"));
        Box::pin(async move { ambush.pass(&here).await })
    };
    (motion, jobs.with_probe(Arc::new(of_job)))
}

impl Ambush {
    fn die_at(&self, here: &str) {
        if self.kill_at.as_deref() == Some(here) {
            // Nobody is left to be told of a failure; standing still is what a test would see then.
            let _ = kill_process(getpid(), Signal::KILL);
            loop {
                std::thread::park();
            }
        }
    }

    async fn pass(&self, here: &str) {
        self.die_at(here);
        if let Some(folder) = &self.halt_in {
            halt(folder, here).await;
        }
    }
}

async fn halt(folder: &Path, here: &str) {
    let reached = folder.join("reached");
    if std::fs::rename(folder.join(here), &reached).is_ok() {
        while reached.exists() {
            tokio::time::sleep(LOOK).await;
        }
    }
}
