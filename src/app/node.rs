//! This gateway among others on the same database: it shows that it is alive, and takes up what those leave that do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::jobs::Jobs;
use crate::store::{Standing, Store, StoreError};

/// How many times in each lease a gateway shows that it is alive.
const BEATS: u32 = 3;
/// A time that did not go well is followed by the next after this part of the lease.
const SOON: u32 = 15;
/// The least that showing it may take, however short the lease.
const LEAST: Duration = Duration::from_secs(2);

/// Whether this gateway is the one that does what only one is to do: watching hosts, asking about unknown outcomes.
///
/// It is what the last beat has found, so two may do it for a moment. Nothing of it goes wrong then.
#[derive(Clone, Debug, Default)]
pub(super) struct Lead(Arc<AtomicBool>);

impl Lead {
    pub fn is_mine(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    fn set(&self, mine: bool) {
        if self.0.swap(mine, Ordering::AcqRel) != mine {
            tracing::info!(mine, "who watches the hosts has changed");
        }
    }
}

/// Shows once that the gateway is alive; false when it has been replaced. A database that does not say anything is waited for
/// as long as `limit`, and then once more for each thing that a gateway that is alive looks after.
pub(super) async fn beat(
    store: &Store,
    jobs: &Jobs,
    lead: &Lead,
    lease: Duration,
    limit: Duration,
) -> Result<bool, StoreError> {
    let db = store.db();
    let shown = db.within(limit, store.server_beat(jobs.server(), lease)).await?;
    let Standing::Alive { leads } = shown else { return Ok(false) };
    lead.set(leads);
    let taken = db.within(limit, jobs.wake_unfinished()).await?;
    if taken > 0 {
        tracing::info!(jobs = taken, "taking up jobs that nobody runs");
    }
    if leads {
        db.within(limit, db.forget_commits()).await?;
    }
    Ok(true)
}

/// Between two looks for jobs that are to be forgotten.
const FORGETTING: Duration = Duration::from_secs(60);

/// How many of them are looked at, and forgotten, at once.
const FORGOTTEN_AT_ONCE: i64 = 1000;

/// Forgets jobs that have been over for long enough, one part of them after the other: some in between may run for days.
pub(super) async fn forget_jobs(store: Store, lead: Lead) {
    loop {
        tokio::time::sleep(FORGETTING).await;
        let mut next = Some(0);
        while let Some(after) = next.filter(|_| lead.is_mine()) {
            next = store.jobs_forget(after, FORGOTTEN_AT_ONCE).await.unwrap_or_else(|error| {
                tracing::warn!(cause = %crate::telemetry::chain(&error), "old jobs could not be deleted");
                None
            });
        }
    }
}

/// Shows that the gateway is alive until it has been replaced: another one has started under its name.
pub(super) async fn stay_alive(store: Store, jobs: Arc<Jobs>, lead: Lead, lease: Duration) {
    // A server that is gone without a word is given up early enough for another time, over another connection or at another
    // server, before the lease is over.
    let limit = (lease / BEATS).max(LEAST);
    let mut pause = lease / BEATS;
    loop {
        tokio::time::sleep(pause).await;
        pause = lease / BEATS;
        match beat(&store, &jobs, &lead, lease, limit).await {
            Ok(true) => {}
            Ok(false) => {
                lead.set(false);
                jobs.close();
                return;
            }
            Err(error) => {
                // The others may take it for dead meanwhile; what it writes then is refused, job by job.
                lead.set(false);
                pause = lease / SOON;
                tracing::error!(cause = %crate::telemetry::chain(&error), "the gateway could not show that it is alive");
            }
        }
    }
}
