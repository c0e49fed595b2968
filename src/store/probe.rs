//! Builds for developers only: somebody stands before and after every commit of a job. See `app/kill.rs`.

use std::sync::OnceLock;

/// Called before (`true`) and after (`false`) a commit.
pub type CommitProbe = Box<dyn Fn(bool) + Send + Sync>;

static PROBE: OnceLock<CommitProbe> = OnceLock::new();

/// Puts somebody there, for the whole process and once.
pub fn at_commits_of_jobs(probe: CommitProbe) {
    // A second one would be a mistake of a test, which sees that nothing happens.
    let _ = PROBE.set(probe);
}

pub(super) fn pass(before: bool) {
    if let Some(probe) = PROBE.get() {
        probe(before);
    }
}
