//! What was tried, how often, and what came of it.
//!
//! This is remembered by the gateway that looks after the hosts, for as long as a host or pool is being emptied, and by nobody else:
//! one that takes over tries again from the beginning, which costs attempts and nothing else.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use super::{Evacuation, Manner, Move};
use crate::motion::Refusal;
use crate::store::{JobRow, StoreError};

/// Something by CloudStack's type name and internal id: what is moved away, or what is being emptied.
pub(super) type Thing = (&'static str, i64);

/// A host.
pub(super) const HOST: &str = "Host";
/// A pool.
pub(super) const POOL: &str = "StoragePool";

/// A machine.
pub(super) const VM: &str = "VirtualMachine";
/// A disk.
pub(super) const DISK: &str = "Volume";
/// The state of a machine or disk that lets nobody move it.
pub(super) const STATE: &str = "State";

/// What was tried, by what is being emptied and what is moved away.
#[derive(Debug, Default)]
pub(super) struct Tries(Mutex<BTreeMap<(Thing, Thing), Tried>>);

#[derive(Clone, Debug)]
struct Tried {
    times: u32,
    /// When it may be tried again.
    again: Instant,
    /// What came of the last attempt; none while that is not known.
    reason: Option<String>,
}

/// How it stands with something that is to be moved away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It moves, or waits until others have moved.
    UnderWay,
    /// It could not be moved, for this reason, and is tried again.
    Failed(String),
    /// It could not be moved, for this reason, and is not tried again.
    GivenUp(String),
}

impl Standing {
    /// Why it is not moved.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::UnderWay => None,
            Self::Failed(reason) | Self::GivenUp(reason) => Some(reason),
        }
    }
}

impl Tries {
    fn get(&self, key: (Thing, Thing)) -> Option<Tried> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn put(&self, key: (Thing, Thing), tried: Tried) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, tried);
    }

    /// Forgets what was tried where nothing is being emptied any more.
    pub fn keep(&self, emptied: &[Thing]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(from, _), _| emptied.contains(from));
    }
}

impl Evacuation {
    /// Moves something on that is to leave `from`, if it is due: sees what came of the last attempt, and hands the next one in.
    /// `busy` counts what moves already.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub(super) async fn advance(
        &self,
        (from, thing): (Thing, Thing),
        busy: &mut usize,
        plan: impl Future<Output = Result<Move, Refusal>> + Send,
    ) -> Result<Standing, StoreError> {
        let newest = self.store.job_of_instance(thing.0, thing.1).await?;
        if newest.as_ref().is_some_and(|job| job.status == 0) {
            *busy += 1;
            return Ok(Standing::UnderWay);
        }
        let key = (from, thing);
        let mut tried = self.tries.get(key);
        if let Some(tried) = tried.as_mut().filter(|tried| tried.reason.is_none()) {
            // It was handed in, has ended, and the thing is still here.
            tried.reason = Some(newest.as_ref().map_or_else(String::new, reason_of));
            self.tries.put(key, tried.clone());
        }
        let times = tried.as_ref().map_or(0, |tried| tried.times);
        if let Some(Tried { again, reason: Some(reason), .. }) = &tried {
            if times >= self.manner.attempts {
                return Ok(Standing::GivenUp(reason.clone()));
            }
            if Instant::now() < *again {
                return Ok(Standing::Failed(reason.clone()));
            }
        }
        if *busy >= self.manner.at_once {
            return Ok(Standing::UnderWay);
        }
        let handed_in = match plan.await {
            Ok(what) => self.moves.hand_in(what).await,
            Err(Refusal { cause: Some(cause), .. }) => return Err(cause),
            Err(refusal) => Err(refusal.text),
        };
        let reason = handed_in.err();
        let again = Instant::now() + self.manner.again_after;
        self.tries.put(key, Tried { times: times + 1, again, reason: reason.clone() });
        Ok(match reason {
            None => {
                *busy += 1;
                Standing::UnderWay
            }
            Some(reason) if times + 1 >= self.manner.attempts => Standing::GivenUp(reason),
            Some(reason) => Standing::Failed(reason),
        })
    }
}

impl Evacuation {
    /// How it stands with something that nobody can move in the state that it is in: others change that, or nobody does. It is waited
    /// for as long as for another attempt before anything is said, and given up like what was attempted in vain.
    pub(super) fn wait_for(&self, from: Thing, id: i64, reason: String) -> Standing {
        let (key, now) = ((from, (STATE, id)), Instant::now());
        let Manner { again_after, attempts, .. } = self.manner;
        // One that was not looked at for long was in another state meanwhile.
        let known = self.tries.get(key).filter(|tried| now < tried.again + 10 * again_after);
        let mut tried = known.unwrap_or(Tried { times: 0, again: now + again_after, reason: None });
        if now >= tried.again {
            tried = Tried { times: tried.times + 1, again: now + again_after, reason: None };
        }
        let times = tried.times;
        self.tries.put(key, tried);
        match times {
            0 => Standing::UnderWay,
            _ if times >= attempts => Standing::GivenUp(reason),
            _ => Standing::Failed(reason),
        }
    }
}

/// What a job says of its end.
fn reason_of(job: &JobRow) -> String {
    let result = job.result.as_deref().unwrap_or_default();
    let error = result.find('{').and_then(|at| serde_json::from_str::<serde_json::Value>(&result[at..]).ok());
    let text = error.as_ref().and_then(|error| error["errortext"].as_str());
    text.map_or_else(|| format!("the job {} ended, and it is still there", job.uuid), str::to_owned)
}
