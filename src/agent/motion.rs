//! How far each move is, and the ways to interrupt it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use thiserror::Error;

use super::throttle::Throttle;
use crate::hypervisors::hyperv::wire::extension::MotionState;

/// Error code of a failed migration job (`contract/hyperv-wire.md` 2.17, 3.2).
pub const JOB_ERROR: u32 = 32784;

/// Why a move did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Interruption {
    /// The job failed; targets were removed, sources are whole.
    #[error("Hyper-V Job failed, Error Code:{code}, Description: {description}")]
    Job {
        /// Hyper-V's number.
        code: u32,
        /// Hyper-V's text.
        description: String,
    },
    /// Stopped by request; targets were removed, sources are whole.
    #[error(
        "Hyper-V Job failed, Error Code:{JOB_ERROR}, Description: Migration did not succeed. The operation was cancelled. (0x800704C7)."
    )]
    Cancelled,
    /// The agent died; half copies are left at the target, sources are whole.
    #[error("the agent died")]
    Killed,
}

impl Interruption {
    /// A job error whose description begins as Hyper-V's do.
    pub fn job(reason: &str) -> Self {
        Self::Job { code: JOB_ERROR, description: format!("Migration did not succeed. {reason}") }
    }
}

/// A move under way or ended.
#[derive(Debug)]
pub struct Motion {
    /// Id from the request's context, or one made up.
    pub id: String,
    /// Class of the command.
    pub class: String,
    /// Name of the VM; empty for a cold copy.
    pub vm: String,
    total: AtomicU64,
    done: AtomicU64,
    /// The wider scopes are the host and then the world.
    throttle: Throttle,
    cancelled: AtomicBool,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
struct Stage {
    state: MotionState,
    phase: &'static str,
    details: Option<String>,
}

/// A motion as the control listener and the status command show it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MotionView {
    /// Id.
    pub id: String,
    /// Class of the command.
    pub class: String,
    /// Name of the VM.
    pub vm: String,
    /// State.
    pub state: MotionState,
    /// `prepare`, `copy`, `switch`, `clean` or `end`.
    pub phase: String,
    /// Bytes to copy, holes not counted.
    pub bytes_total: u64,
    /// Bytes copied.
    pub bytes_done: u64,
    /// Why it failed.
    pub details: Option<String>,
}

impl Motion {
    /// A motion that begins.
    pub fn new(id: &str, class: &str, vm: &str) -> Self {
        Self {
            id: id.to_owned(),
            class: class.to_owned(),
            vm: vm.to_owned(),
            total: AtomicU64::new(0),
            done: AtomicU64::new(0),
            throttle: Throttle::default(),
            cancelled: AtomicBool::new(false),
            stage: Mutex::new(Stage { state: MotionState::Running, phase: "prepare", details: None }),
        }
    }

    /// Adds to what has to be copied.
    pub fn expect(&self, bytes: u64) {
        self.total.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Adds to what was copied. A guest may make a disk grow meanwhile; done never passes total.
    pub fn advance(&self, bytes: u64) {
        let done = self.done.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.total.fetch_max(done, Ordering::Relaxed);
    }

    /// Bytes to copy.
    pub fn total_bytes(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    /// Share that was copied, 0 to 1. All of it when the switch is due, also if there was nothing to
    /// copy.
    pub fn fraction(&self) -> f64 {
        if self.stage().phase == "switch" {
            return 1.0;
        }
        match self.total_bytes() {
            0 => 0.0,
            total => self.done.load(Ordering::Relaxed) as f64 / total as f64,
        }
    }

    /// Names what is being done.
    pub fn enter(&self, phase: &'static str) {
        self.stage().phase = phase;
    }

    /// Records the end.
    pub fn end(&self, outcome: &Result<(), Interruption>) {
        let mut stage = self.stage();
        stage.phase = "end";
        stage.state = match outcome {
            Ok(()) => MotionState::Done,
            Err(Interruption::Cancelled) => MotionState::Cancelled,
            Err(_) => MotionState::Failed,
        };
        stage.details = outcome.as_ref().err().map(ToString::to_string);
    }

    /// Asks the motion to stop. False when it has ended or is past the switch.
    pub fn cancel(&self) -> bool {
        let stage = self.stage();
        let possible = stage.state == MotionState::Running && stage.phase != "clean";
        if possible {
            self.cancelled.store(true, Ordering::SeqCst);
        }
        possible
    }

    /// Goes past the point of no return, unless the motion was cancelled.
    ///
    /// # Errors
    /// [`Interruption::Cancelled`].
    pub fn commit(&self) -> Result<(), Interruption> {
        // Under the same lock as `cancel`: one of the two wins.
        let mut stage = self.stage();
        if self.is_cancelled() {
            return Err(Interruption::Cancelled);
        }
        stage.phase = "clean";
        Ok(())
    }

    /// Whether it was asked to stop.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Sets its own limit in bytes per second; `None` for the host's or the world's.
    pub fn set_throttle(&self, bytes_per_second: Option<u64>) {
        self.throttle.set(bytes_per_second);
    }

    /// Its own limit.
    pub fn throttle(&self) -> Option<u64> {
        self.throttle.get()
    }

    /// What it looks like now.
    pub fn view(&self) -> MotionView {
        let stage = self.stage();
        MotionView {
            id: self.id.clone(),
            class: self.class.clone(),
            vm: self.vm.clone(),
            state: stage.state,
            phase: stage.phase.to_owned(),
            bytes_total: self.total_bytes(),
            bytes_done: self.done.load(Ordering::Relaxed),
            details: stage.details.clone(),
        }
    }

    fn stage(&self) -> std::sync::MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
