//! Wishes to stop: which jobs are not to go on, who said so, and what the host answered.
//!
//! A wish is a row, so that it reaches the gateway that runs the job whichever it is, and is still there after a crash.

use super::changes::clipped;
use super::value::Row;
use super::{Store, StoreError, Tx, transact};
use crate::args;
use crate::model::Timestamp;

/// How far a wish to stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelState {
    /// Written down; the host has not been told.
    Wanted,
    /// The host has been told, or is about to be.
    Asked,
    /// The host said no: the motion goes on.
    Refused,
    /// The job has ended. How, its result says.
    Ended,
}

impl CancelState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Wanted, Self::Asked, Self::Refused, Self::Ended];

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Wanted => "wanted",
            Self::Asked => "asked",
            Self::Refused => "refused",
            Self::Ended => "ended",
        }
    }

    /// Reads the word of the table.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// True while the wish is to be heard.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Wanted | Self::Asked)
    }
}

/// A wish that a job stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelRow {
    /// The job.
    pub job_id: i64,
    /// How far it has come.
    pub state: CancelState,
    /// Who wished it and why: a sentence for the job's result.
    pub reason: String,
    /// What the host said to it.
    pub answer: Option<String>,
    /// When it was written down.
    pub requested: Timestamp,
}

const CANCEL: &str = "SELECT job_id, state, reason, answer, requested FROM motion_cancel";

impl CancelRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let word: String = row.get("state")?;
        Ok(Self {
            job_id: row.get("job_id")?,
            // A word of a newer version is none that this one is to act on.
            state: CancelState::parse(&word).unwrap_or(CancelState::Ended),
            reason: row.get("reason")?,
            answer: row.get("answer")?,
            requested: row.get("requested")?,
        })
    }
}

impl Tx {
    /// Writes down that a job is to stop; false when that is written down already, or the job has ended. A wish that was refused
    /// may be made again. `user_id` is none when the gateway itself wishes it.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn cancel_wish(&mut self, job_id: i64, user_id: Option<i64>, reason: &str) -> Result<bool, StoreError> {
        let reason = clipped(reason, 1024);
        if self.row("SELECT id FROM async_job WHERE id = ? AND job_status = 0", args![job_id]).await?.is_none() {
            return Ok(false);
        }
        self.is_about_job(job_id);
        let now = Timestamp::now();
        let known = self.row(&format!("{CANCEL} WHERE job_id = ?"), args![job_id]).await?;
        match known.as_ref().map(CancelRow::read).transpose()? {
            Some(wish) if wish.state.is_open() => return Ok(false),
            Some(_) => {
                let sql = "UPDATE motion_cancel SET user_id = ?, state = 'wanted', reason = ?, answer = NULL, requested = ?, \
                    updated = ? WHERE job_id = ?";
                self.run(sql, args![user_id, &reason, now, now, job_id]).await?;
            }
            None => {
                let sql = "INSERT INTO motion_cancel (job_id, user_id, state, reason, requested, updated) \
                    VALUES (?, ?, 'wanted', ?, ?, ?)";
                self.run(sql, args![job_id, user_id, &reason, now, now]).await?;
            }
        }
        Ok(true)
    }
}

impl Store {
    /// Notes what became of a wish that is open.
    ///
    /// # Errors
    /// See [`Tx::cancel_wish`].
    pub async fn cancel_note(&self, job_id: i64, state: CancelState, answer: Option<&str>) -> Result<(), StoreError> {
        let answer = answer.map(|text| clipped(text, 1024));
        let sql = "UPDATE motion_cancel SET state = ?, answer = ?, updated = ? WHERE job_id = ? AND state IN ('wanted', 'asked')";
        transact!(self, StoreError, |tx| {
            tx.is_about_job(job_id);
            tx.run(sql, args![state.word(), answer.clone(), Timestamp::now(), job_id]).await?;
            Ok(())
        })
    }

    /// The wish about a job.
    ///
    /// # Errors
    /// See [`Tx::cancel_wish`].
    pub async fn cancel_of(&self, job_id: i64) -> Result<Option<CancelRow>, StoreError> {
        let row = self.db().row(&format!("{CANCEL} WHERE job_id = ?"), args![job_id]).await?;
        row.as_ref().map(CancelRow::read).transpose()
    }

    /// The jobs that are to stop and have not yet.
    ///
    /// # Errors
    /// See [`Tx::cancel_wish`].
    pub async fn cancels_open(&self) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT job_id FROM motion_cancel WHERE state IN ('wanted', 'asked')";
        self.db().rows(sql, vec![]).await?.iter().map(|row| row.at(0)).collect()
    }
}
