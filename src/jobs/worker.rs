//! The workers: take up, run, write the end down.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, join};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;
use tracing::Instrument;

use super::{Jobs, Moment, Place, Woken};
use crate::model::JobStatus;
use crate::store::{Claim, QueuedJob, StoreError, transact};

/// Between two attempts to write the end of a job into a database that does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// The end of a job that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What is stored as its result: `<class>/<object name>/<JSON>` (`contract/entities.md` 3.23).
    pub result: String,
}

/// Why a job has not gone well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It has failed.
    Final {
        /// The code, such as 431 or 530.
        code: i64,
        /// What is stored as its result: `<class>/<JSON>`.
        result: String,
    },
    /// The database was away in the middle of it: it is run again, and finds out by itself how far it had come.
    Interrupted,
}

/// Runs what a job says. It must find out by itself whether an earlier process has begun the job.
pub trait Runner: Send + Sync {
    /// Runs the job to its end, writing only what is written under this claim. It has this place, and may give it away while it
    /// waits for other jobs.
    fn run<'a>(&'a self, job: &'a QueuedJob, claim: Claim, place: &'a Place) -> BoxFuture<'a, Result<Ended, Failure>>;
}

/// Runs jobs as they come, at most `workers` at a time, until the sender is gone; those that wait for others are not counted. What
/// runs ends with this future.
pub async fn work(jobs: Arc<Jobs>, mut all: UnboundedReceiver<Woken>, runner: Arc<dyn Runner>, workers: usize) {
    let places = Arc::new(Semaphore::new(workers.max(1)));
    let mut running = JoinSet::new();
    while let Some(woken) = all.recv().await {
        while running.try_join_next().is_some() {}
        let place = Place::of(&places).await;
        let (jobs, runner) = (Arc::clone(&jobs), Arc::clone(&runner));
        running.spawn(async move {
            let _here = Here { jobs: &jobs, job_id: woken.job_id };
            // A job that was accepted is run, however long the database is away.
            while let Err(error) = run_one(&jobs, runner.as_ref(), woken, &place).await {
                tracing::error!(job = woken.job_id, cause = %crate::telemetry::chain(&error), "a job could not be begun; trying again");
                tokio::time::sleep(RETRY).await;
            }
            place.give();
        });
    }
    while running.join_next().await.is_some() {}
}

/// A job is run here for as long as this lives. It goes also when a job breaks off in the middle, and the job is found again then.
struct Here<'a> {
    jobs: &'a Jobs,
    job_id: i64,
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.jobs.here().remove(&self.job_id);
    }
}

/// The job and the claim under which it is run here; none when it has ended, or is another gateway's.
async fn take(jobs: &Jobs, woken: Woken) -> Result<Option<(Claim, QueuedJob)>, StoreError> {
    let Woken { job_id, accepted } = woken;
    let queued = jobs.store.job_queued(job_id);
    let (claim, job) = match accepted {
        // One that waits for long may have been taken over meanwhile, and a gateway that is not alive has claimed nothing.
        Some(claim) => (Ok(Some(claim)), queued.await.map(|job| job.filter(|job| job.epoch == claim.epoch))),
        None => join(jobs.store.job_claim(job_id, &jobs.server), queued).await,
    };
    Ok(claim?.zip(job?))
}

async fn run_one(jobs: &Jobs, runner: &dyn Runner, woken: Woken, place: &Place) -> Result<(), StoreError> {
    // What is over before the job runs, or comes after it, should not take room as long as it runs.
    let Some((claim, job)) = Box::pin(take(jobs, woken)).await? else { return Ok(()) };
    let span = tracing::info_span!("job", id = %job.uuid, command = %job.command, request = %job.request_id);
    async {
        jobs.probe(Moment::Taken).await;
        let end = loop {
            // It may have given its place away before it was interrupted.
            place.take().await;
            match runner.run(&job, claim, place).await {
                Ok(ended) => {
                    tracing::info!("the job succeeded");
                    break Ok(ended);
                }
                Err(Failure::Final { code, result }) => {
                    tracing::warn!(code, %result, "the job failed");
                    break Err((code, result));
                }
                Err(Failure::Interrupted) => {
                    tracing::warn!("the database was away or held; the job is run again");
                    tokio::time::sleep(RETRY).await;
                }
            }
        };
        jobs.probe(Moment::Over).await;
        // The work is done and settled; only its end is missing. It is written as soon as the database lets it be.
        while let Err(error) = Box::pin(finish(jobs, &job, claim, &end)).await {
            if matches!(error, StoreError::Superseded { .. }) {
                tracing::warn!("another gateway has taken the job over; it writes the end");
                return;
            }
            tracing::error!(cause = %crate::telemetry::chain(&error), "the end of the job could not be written; trying again");
            tokio::time::sleep(RETRY).await;
        }
        jobs.probe(Moment::Ended).await;
    }
    .instrument(span)
    .await;
    Ok(())
}

async fn finish(
    jobs: &Jobs,
    job: &QueuedJob,
    claim: Claim,
    end: &Result<Ended, (i64, String)>,
) -> Result<(), StoreError> {
    let store = jobs.store.under(claim);
    transact!(store, StoreError, |tx| {
        let ended = match end {
            Ok(ended) => tx.job_finish(job.id, JobStatus::Succeeded, 0, &ended.result).await?,
            Err((code, result)) => tx.job_finish(job.id, JobStatus::Failed, *code, result).await?,
        };
        if ended {
            tx.event_complete(job.start_event_id, job.account_id, end.is_ok()).await?;
        }
        Ok(())
    })
}
