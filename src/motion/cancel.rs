//! Cancel: a job that is not to go on.
//!
//! The wish is a row, which reaches whichever gateway runs the job. That gateway tells the host once, and goes on waiting for
//! the end: only the host knows on which side of its point of no return the motion was, and the verdict is found as always.
//! Before anything is sent, the job just ends.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::refusal::Refusal;
use super::saga::Motion;
use super::verdict::{Outcome, Verdict, sentence};
use crate::store::{CancelRow, CancelState, StoreError};

/// The jobs that are to stop, as far as this gateway has heard.
#[derive(Debug, Default)]
pub(super) struct Wishes(Mutex<BTreeSet<i64>>);

impl Wishes {
    fn set(&self, jobs: Vec<i64>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = jobs.into_iter().collect();
    }

    /// True when this job is to stop.
    pub fn name(&self, job_id: i64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&job_id)
    }
}

impl Motion {
    /// Reads which jobs are to stop. Called again and again by every gateway: the wish may have been made at another one.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn hear_wishes(&self) -> Result<(), StoreError> {
        self.wishes.set(self.store.cancels_open().await?);
        Ok(())
    }

    /// Waits for what becomes of the wish that a job stop, which has been written down. It is still open when the host has been
    /// told and the motion has not ended yet, or when its turn has not come; `None` when there is no such wish.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn wish_heard(&self, job_id: i64) -> Result<Option<CancelRow>, StoreError> {
        self.hear_wishes().await?;
        let until = self.clock.now() + self.patience.cancel_answer;
        loop {
            let wish = self.store.cancel_of(job_id).await?;
            let waits = wish.as_ref().is_some_and(|wish| wish.state.is_open());
            if !waits || self.clock.now() >= until {
                return Ok(wish);
            }
            self.clock.sleep(self.patience.poll).await;
        }
    }

    /// The refusal of a job that was cancelled before anything was begun, if it was.
    pub(super) async fn unwanted(&self, job_id: i64) -> Result<Option<Refusal>, Refusal> {
        if !self.wishes.name(job_id) {
            return Ok(None);
        }
        let wish = self.store.cancel_of(job_id).await?.filter(|wish| wish.state.is_open());
        Ok(wish.map(|wish| Refusal::failed(format!("{} Nothing more was moved.", wish.reason))))
    }

    /// The verdict with the reason why it was stopped, where it was.
    pub(super) async fn explained(&self, job_id: i64, verdict: Verdict) -> Result<Verdict, StoreError> {
        if verdict.outcome == Outcome::Done {
            return Ok(verdict);
        }
        let wish = self.store.cancel_of(job_id).await?;
        // One that was refused had no part in how it ended.
        let Some(wish) = wish.filter(|wish| wish.state != CancelState::Refused) else { return Ok(verdict) };
        let reason = match verdict.reason.as_deref() {
            Some(reason) if !reason.contains(&wish.reason) => format!("{} {}", wish.reason, sentence(reason)),
            Some(reason) => reason.to_owned(),
            None => wish.reason,
        };
        Ok(Verdict { reason: Some(reason.trim().to_owned()), ..verdict })
    }
}
