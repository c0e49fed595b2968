//! Jobs: submitted in one transaction, run by a bounded pool, ended once.
//!
//! A job is a row before anything else happens, so nothing that a client was promised is lost with the process. A job that
//! is found unfinished at start is run again: what it runs has to find out by itself how far it had come.

mod worker;

pub use worker::{Ended, Failure, Runner, work};

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::store::{NewEvent, NewJob, Server, Store, StoreError};

/// Accepts jobs and wakes the workers.
#[derive(Debug)]
pub struct Jobs {
    store: Store,
    server: Server,
    wake: UnboundedSender<i64>,
    closed: AtomicBool,
}

/// A job was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The server is going down.
    #[error("Maintenance or Shutdown has been initiated on this management server. Can not accept new jobs")]
    Closed,
    /// The id that the client chose is in use.
    #[error("Entity already exists ")]
    Exists,
    /// The database failed.
    #[error("the job could not be written down; nothing was begun")]
    Store(#[from] StoreError),
}

impl Jobs {
    /// Accepts jobs for this server. The receiver is for [`work`].
    #[must_use]
    pub fn new(store: Store, server: Server) -> (Self, UnboundedReceiver<i64>) {
        let (wake, woken) = unbounded_channel();
        (Self { store, server, wake, closed: AtomicBool::new(false) }, woken)
    }

    /// The server that the jobs belong to.
    #[must_use]
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// Takes no further jobs; those that were accepted go on.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Writes the job and its event down, in one transaction, and wakes a worker. Gives the job's public id.
    ///
    /// # Errors
    /// See [`SubmitError`]; nothing is written then.
    pub async fn submit(&self, mut job: NewJob, event: &NewEvent) -> Result<String, SubmitError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(SubmitError::Closed);
        }
        let mut tx = self.store.begin().await?;
        if tx.job_exists(&job.uuid).await? {
            return Err(SubmitError::Exists);
        }
        job.start_event_id = tx.event_insert(event).await?;
        let job_id = tx.job_insert(&job, self.server.id).await?;
        tx.commit().await?;
        // A receiver that is gone means that the process ends: the row will be found at the next start.
        let _ = self.wake.send(job_id);
        Ok(job.uuid)
    }

    /// Wakes the workers for all jobs that an earlier process left unfinished.
    ///
    /// # Errors
    /// See [`Store::jobs_unfinished`].
    pub async fn wake_unfinished(&self) -> Result<usize, StoreError> {
        let unfinished = self.store.jobs_unfinished().await?;
        for &job_id in &unfinished {
            let _ = self.wake.send(job_id);
        }
        Ok(unfinished.len())
    }
}
