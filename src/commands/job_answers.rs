//! Answers about jobs that were printed for a caller and are right for the next poll too.

use std::sync::Arc;
use std::time::Duration;

use crate::api::{Reply, Shared};
use crate::auth::Caller;
use crate::store::{JobSight, Kept, Look};
use crate::views;

/// How many answers are remembered.
const MOST: usize = 4_096;
/// For how long. They are right for as long as their job's sight is the same one.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The last answer about each job.
#[derive(Debug)]
pub struct JobAnswers(Kept<i64, Arc<Answered>>);

/// What was answered, to whom, about which sight of the job.
#[derive(Debug)]
struct Answered {
    sight: Arc<JobSight>,
    caller: Arc<Caller>,
    shared: Arc<Shared>,
}

impl Default for JobAnswers {
    fn default() -> Self {
        Self(Kept::new(MOST))
    }
}

impl JobAnswers {
    /// What is answered about a job, as this caller may see it.
    pub fn reply(&self, sight: Arc<JobSight>, caller: &Arc<Caller>) -> Reply {
        let is_same = |known: &Answered| {
            Arc::ptr_eq(&known.sight, &sight) && (Arc::ptr_eq(&known.caller, caller) || known.caller == *caller)
        };
        let reading = match self.0.look(&sight.job.id, 0) {
            Look::Known(known) if is_same(&known) => return Reply::Shared(Arc::clone(&known.shared)),
            Look::Known(_) => None,
            Look::Read(reading) => Some(reading),
        };
        let view = {
            let (sight, caller) = (Arc::clone(&sight), Arc::clone(caller));
            move || views::job(sight.job.clone(), sight.motion.as_ref(), &caller)
        };
        let shared = Arc::new(Shared::bare(view));
        let job_id = sight.job.id;
        let answered = Arc::new(Answered { sight, caller: Arc::clone(caller), shared: Arc::clone(&shared) });
        match reading {
            Some(reading) => reading.keep(answered, REMEMBERED),
            None => self.0.change(&job_id, |known| *known = answered),
        }
        Reply::Shared(shared)
    }
}
