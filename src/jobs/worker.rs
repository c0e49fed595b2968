//! The workers: claim, run, write the end down.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::Instrument;

use super::{Jobs, Moment};
use crate::model::JobStatus;
use crate::store::{QueuedJob, StoreError};

/// Between two attempts to write the end of a job into a database that does not answer.
const RETRY: Duration = Duration::from_secs(2);

/// The end of a job that went well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// What is stored as its result: `<class>/<object name>/<JSON>` (`contract/entities.md` 3.23).
    pub result: String,
}

/// The end of a job that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The code, such as 431 or 530.
    pub code: i64,
    /// What is stored as its result: `<class>/<JSON>`.
    pub result: String,
}

/// Runs what a job says. It must find out by itself whether an earlier process has begun the job.
pub trait Runner: Send + Sync {
    /// Runs the job to its end.
    fn run<'a>(&'a self, job: &'a QueuedJob) -> BoxFuture<'a, Result<Ended, Failure>>;
}

/// Runs jobs as they come, at most `workers` at a time, until the sender is gone.
pub async fn work(jobs: Arc<Jobs>, mut woken: UnboundedReceiver<i64>, runner: Arc<dyn Runner>, workers: usize) {
    let places = Arc::new(Semaphore::new(workers.max(1)));
    while let Some(job_id) = woken.recv().await {
        // A semaphore that is never closed always gives a place.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (jobs, runner) = (Arc::clone(&jobs), Arc::clone(&runner));
        tokio::spawn(async move {
            // A job that was accepted is run, however long the database is away.
            while let Err(error) = run_one(&jobs, runner.as_ref(), job_id).await {
                tracing::error!(job = job_id, cause = %crate::telemetry::chain(&error), "a job could not be begun; trying again");
                tokio::time::sleep(RETRY).await;
            }
            drop(place);
        });
    }
}

async fn run_one(jobs: &Jobs, runner: &dyn Runner, job_id: i64) -> Result<(), StoreError> {
    if !jobs.store.job_claim(job_id, jobs.server.id).await? {
        return Ok(());
    }
    let Some(job) = jobs.store.job_queued(job_id).await? else { return Ok(()) };
    let span = tracing::info_span!("job", id = %job.uuid, command = %job.command, request = %job.request_id);
    async {
        jobs.probe(Moment::Taken).await;
        let end = runner.run(&job).await;
        match &end {
            Ok(_) => tracing::info!("the job succeeded"),
            Err(failure) => tracing::warn!(code = failure.code, result = %failure.result, "the job failed"),
        }
        jobs.probe(Moment::Over).await;
        // The work is done and settled; only its end is missing. It is written as soon as the database lets it be.
        while let Err(error) = finish(jobs, &job, &end).await {
            tracing::error!(cause = %crate::telemetry::chain(&error), "the end of the job could not be written; trying again");
            tokio::time::sleep(RETRY).await;
        }
        jobs.probe(Moment::Ended).await;
    }
    .instrument(span)
    .await;
    Ok(())
}

async fn finish(jobs: &Jobs, job: &QueuedJob, end: &Result<Ended, Failure>) -> Result<(), StoreError> {
    let mut tx = jobs.store.begin().await?;
    let ended = match end {
        Ok(ended) => tx.job_finish(job.id, JobStatus::Succeeded, 0, &ended.result).await?,
        Err(failure) => tx.job_finish(job.id, JobStatus::Failed, failure.code, &failure.result).await?,
    };
    if ended {
        tx.event_complete(job.start_event_id, job.account_id, end.is_ok()).await?;
    }
    tx.commit().await
}
