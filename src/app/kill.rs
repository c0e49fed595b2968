//! Builds for developers only: the gateway kills its own process where the environment says, for tests of what follows.
//!
//! `KILL_STACKMOTION_AT` is a step of a motion with `before` or `after` (`Send:before`), or a moment of a job (`Over`). The
//! process dies by SIGKILL when it comes there for the first time. A release build has nothing of this file in it.

use std::sync::Arc;

use futures_util::future::{BoxFuture, pending, ready};
use rustix::process::{Signal, getpid, kill_process};

use crate::jobs::Jobs;
use crate::motion::Motion;

const VARIABLE: &str = "KILL_STACKMOTION_AT";

/// Puts the kill in its place, if there is one.
pub(super) fn arm(motion: Motion, jobs: Jobs) -> (Motion, Jobs) {
    let Ok(place) = std::env::var(VARIABLE) else { return (motion, jobs) };
    let place: Arc<str> = place.into();
    let of_motion = Arc::clone(&place);
    let motion = motion.with_probe(Arc::new(move |step, before| {
        let side = if before { "before" } else { "after" };
        die_at(&of_motion, &format!("{step:?}:{side}"))
    }));
    (motion, jobs.with_probe(Arc::new(move |moment| die_at(&place, &format!("{moment:?}")))))
}

fn die_at(place: &str, here: &str) -> BoxFuture<'static, ()> {
    if place != here {
        return Box::pin(ready(()));
    }
    // Nobody is left to be told of a failure; standing still is what a test would see then.
    let _ = kill_process(getpid(), Signal::KILL);
    Box::pin(pending())
}
