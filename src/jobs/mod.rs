//! Jobs: submitted in one transaction, run by a bounded pool, ended once.
//!
//! A job is a row before anything else happens, so nothing that a client was promised is lost with the process. A job that
//! nobody runs any more, because its gateway has ended or does not show that it is alive, is claimed and run again by this or
//! another one: what it runs has to find out by itself how far it had come. Every claim has a higher epoch, and what runs under
//! an earlier one can write nothing any more ([`Store::under`]).

mod place;
mod worker;

pub use place::Place;
pub use worker::{Ended, Failure, Runner, work};

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::BoxFuture;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::store::{Claim, Earlier, NewEvent, NewJob, Server, Store, StoreCause, StoreError, Submission, transact};

/// The moments of a job between which something is promised and not yet kept, for those who want to stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The row is written; no worker knows of it, and the client has no answer yet.
    Accepted,
    /// A worker has taken it up and has not begun.
    Taken,
    /// What it says is done; its end is not written.
    Over,
    /// Its end is written.
    Ended,
}

impl Moment {
    /// All moments, in their order.
    pub const ALL: [Self; 4] = [Self::Accepted, Self::Taken, Self::Over, Self::Ended];
}

/// Called at every moment. A test that never returns from it has killed the gateway there.
pub type Probe = Arc<dyn Fn(Moment) -> BoxFuture<'static, ()> + Send + Sync>;

/// A job that is to be run here.
#[derive(Clone, Copy, Debug)]
pub struct Woken {
    job_id: i64,
    /// The claim that it was accepted with; none of a job that somebody else left.
    accepted: Option<Claim>,
}

/// Accepts jobs and wakes the workers.
pub struct Jobs {
    store: Store,
    server: Server,
    wake: UnboundedSender<Woken>,
    /// The jobs that wait here for a worker or have one.
    here: Mutex<HashSet<i64>>,
    closed: AtomicBool,
    probe: Option<Probe>,
}

impl std::fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Jobs").field("server", &self.server).finish_non_exhaustive()
    }
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
    /// The key that the client chose was used for something else.
    #[error(
        "The idempotency key was given before, to job {job}, with another command or other parameters; nothing was begun. Repeat \
         that call as it was, or choose a new key"
    )]
    KeyOf {
        /// The public id of that job.
        job: String,
    },
    /// The database failed.
    #[error("the job could not be written down; nothing was begun")]
    Store(#[from] StoreError),
}

impl StoreCause for SubmitError {
    fn store_cause(&self) -> Option<&StoreError> {
        match self {
            Self::Store(cause) => Some(cause),
            _ => None,
        }
    }
}

impl Jobs {
    /// Accepts jobs for this server. The receiver is for [`work`].
    #[must_use]
    pub fn new(store: Store, server: Server) -> (Self, UnboundedReceiver<Woken>) {
        let (wake, woken) = unbounded_channel();
        (Self { store, server, wake, here: Mutex::default(), closed: AtomicBool::new(false), probe: None }, woken)
    }

    /// Stands at the moments of jobs.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    async fn probe(&self, moment: Moment) {
        if let Some(probe) = &self.probe {
            probe(moment).await;
        }
    }

    fn here(&self) -> MutexGuard<'_, HashSet<i64>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands a job to the workers, once.
    fn hand_over(&self, woken: Woken) -> bool {
        let is_new = self.here().insert(woken.job_id);
        if is_new {
            // A receiver that is gone means that the process ends: the row will be found by the next one.
            let _ = self.wake.send(woken);
        }
        is_new
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

    /// The public id of the job that an earlier submission of the account made, if this one repeats it.
    ///
    /// # Errors
    /// When its id or key belongs to something else; see [`SubmitError`].
    pub async fn earlier(&self, account_id: i64, new: &Submission) -> Result<Option<String>, SubmitError> {
        let mut looks = Looks::default();
        loop {
            match transact!(self.store, SubmitError, |tx| { repeated(tx.submission_earlier(account_id, new).await?) }) {
                Err(error) if looks.again(&error) => {}
                looked => return looked,
            }
        }
    }

    /// Writes the job and its event down, in one transaction, and wakes a worker. Gives the job's public id, which is that of
    /// an earlier job when this submission repeats it: then nothing is written.
    ///
    /// # Errors
    /// See [`SubmitError`]; nothing is written then.
    pub async fn submit(&self, job: NewJob, event: &NewEvent) -> Result<String, SubmitError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(SubmitError::Closed);
        }
        let mut looks = Looks::default();
        let (uuid, claim) = loop {
            match self.write(&job, event, looks.is_due(&job.submission)).await {
                Err(error) if looks.again(&error) => {}
                written => break written?,
            }
        };
        if let Some(claim) = claim {
            self.probe(Moment::Accepted).await;
            self.hand_over(Woken { job_id: claim.job_id, accepted: Some(claim) });
        }
        Ok(uuid)
    }

    /// The public id of the job, and its claim if it is new.
    async fn write(
        &self,
        job: &NewJob,
        event: &NewEvent,
        looks_first: bool,
    ) -> Result<(String, Option<Claim>), SubmitError> {
        transact!(self.store, SubmitError, |tx| {
            if looks_first && let Some(uuid) = repeated(tx.submission_earlier(job.account_id, &job.submission).await?)?
            {
                return Ok((uuid, None));
            }
            let start_event_id = tx.event_insert(event).await?;
            Ok((job.uuid.clone(), Some(tx.job_insert(job, start_event_id, &self.server).await?)))
        })
    }

    /// Wakes the workers for all jobs that nobody runs: those that an earlier process left, and those of gateways that do not
    /// show that they are alive. Gives their number.
    ///
    /// # Errors
    /// See [`Store::jobs_unfinished`].
    pub async fn wake_unfinished(&self) -> Result<usize, StoreError> {
        let unfinished = self.store.jobs_unfinished(&self.server).await?;
        let left = unfinished.into_iter().map(|job_id| Woken { job_id, accepted: None });
        Ok(left.filter(|woken| self.hand_over(*woken)).count())
    }
}

/// How often a submission that collides looks again. What it collided with is there to be found the next time, unless it has
/// gone in between.
const MOST_LOOKS: usize = 8;

/// Counts how often a submission has looked.
#[derive(Debug, Default)]
struct Looks(usize);

impl Looks {
    /// Whether it has to be looked for an earlier submission. Most repeat nothing, and those without a name of their own find
    /// out by colliding.
    fn is_due(&self, submission: &Submission) -> bool {
        self.0 > 0 || !submission.is_nameless()
    }

    /// Whether another submission of the same thing, here or through another gateway, was faster and can be found now.
    fn again(&mut self, error: &SubmitError) -> bool {
        self.0 += 1;
        self.0 < MOST_LOOKS && error.store_cause().is_some_and(StoreError::is_duplicate)
    }
}

fn repeated(earlier: Option<Earlier>) -> Result<Option<String>, SubmitError> {
    match earlier {
        None => Ok(None),
        Some(Earlier::Job(uuid)) => Ok(Some(uuid)),
        Some(Earlier::KeyOf(job)) => Err(SubmitError::KeyOf { job }),
        Some(Earlier::IdTaken) => Err(SubmitError::Exists),
    }
}
