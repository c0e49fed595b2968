//! The commit of a transaction, and in builds for developers somebody who stands before and after those of jobs (`app/kill.rs`).

#[cfg(debug_assertions)]
use std::sync::OnceLock;

use super::{StoreError, Tx};

/// Called before (`true`) and after (`false`) a commit.
#[cfg(debug_assertions)]
pub type CommitProbe = Box<dyn Fn(bool) + Send + Sync>;

#[cfg(debug_assertions)]
static PROBE: OnceLock<CommitProbe> = OnceLock::new();

/// Puts somebody there, for the whole process and once.
#[cfg(debug_assertions)]
pub fn at_commits_of_jobs(probe: CommitProbe) {
    // A second one would be a mistake of a test, which sees that nothing happens.
    let _ = PROBE.set(probe);
}

#[cfg(debug_assertions)]
fn pass(before: bool) {
    if let Some(probe) = PROBE.get() {
        probe(before);
    }
}

#[cfg(not(debug_assertions))]
fn pass(_: bool) {}

impl Tx {
    /// Makes the changes last. When the connection breaks while the database does so, it is asked afterwards, over another
    /// connection or another server, what became of it.
    ///
    /// # Errors
    /// As [`super::Db::rows`]: nothing was changed then. [`StoreError::InDoubt`] when the database did not come back to say.
    pub async fn commit(self) -> Result<(), StoreError> {
        if !self.is_of_one_job() {
            return self.commit_now().await;
        }
        pass(true);
        self.commit_now().await?;
        pass(false);
        Ok(())
    }
}
