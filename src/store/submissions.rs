//! Submissions of jobs: one that is repeated finds the job that it made before.
//!
//! A submission is known by the id or the key that its client chose, and by what it asks for. Everything here is read and
//! written in the transaction that writes the job; the table's unique indexes make two that come at once collide, and the
//! one that loses looks again.

use super::{StoreError, Tx};
use crate::args;

/// What a submission is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// The fingerprint of command and parameters, 64 letters.
    pub digest: String,
    /// The fingerprint of the client's idempotency key, 64 letters.
    pub key: Option<String>,
    /// The public id that the client chose for the job.
    pub custom_id: Option<String>,
    /// True when it joins an equal job that has not ended, where it names no id of its own.
    pub joins_equal: bool,
}

impl Submission {
    /// True when it can only repeat what equals it and has not ended. That has a place which two cannot have, so nobody has to
    /// look for it first.
    #[must_use]
    pub fn is_nameless(&self) -> bool {
        self.key.is_none() && self.custom_id.is_none()
    }
}

/// What an earlier submission left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// The job that this one asks for: its public id.
    Job(String),
    /// Its key was used for something else: the public id of the job that has it.
    KeyOf(String),
    /// The id that it chose is that of another job.
    IdTaken,
}

impl Tx {
    /// Looks for an earlier submission of the account that this one repeats or collides with. A new key of a repeated one is
    /// written down for the job that was found.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file. A duplicate key means that another submission
    /// was faster: look again.
    pub async fn submission_earlier(
        &mut self,
        account_id: i64,
        new: &Submission,
    ) -> Result<Option<Earlier>, StoreError> {
        if let Some(found) = self.by_key(account_id, new).await? {
            return Ok(Some(found));
        }
        let (job_id, uuid) = match &new.custom_id {
            Some(uuid) => match self.by_custom_id(account_id, uuid, &new.digest).await? {
                None => return Ok(None),
                Some(None) => return Ok(Some(Earlier::IdTaken)),
                Some(Some(job_id)) => (job_id, uuid.clone()),
            },
            None if new.joins_equal => match self.unfinished_like(account_id, &new.digest).await? {
                None => return Ok(None),
                Some(job) => job,
            },
            None => return Ok(None),
        };
        if new.key.is_some() {
            self.submission_row(job_id, account_id, new, false).await?;
        }
        Ok(Some(Earlier::Job(uuid)))
    }

    /// Writes down how a job was submitted.
    ///
    /// # Errors
    /// See [`Tx::submission_earlier`].
    pub(super) async fn submission_insert(
        &mut self,
        job_id: i64,
        account_id: i64,
        new: &Submission,
    ) -> Result<(), StoreError> {
        // A job with an id of its own may run beside an equal one: the first of them is what others join. One without collides with
        // whoever has the place.
        let holds = new.joins_equal && (new.custom_id.is_none() || self.place_is_free(account_id, &new.digest).await?);
        self.submission_row(job_id, account_id, new, holds).await
    }

    /// Lets an equal submission make a job of its own again, or join the next one: an equal job with an id of its own may still
    /// run. As long as any runs, one of them has the place, so that whoever comes collides with it.
    ///
    /// # Errors
    /// See [`Tx::submission_earlier`].
    pub(super) async fn submission_ended(&mut self, job_id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE motion_submission SET running = NULL WHERE job_id = ? AND running IS NOT NULL";
        if self.run(sql, args![job_id]).await?.rows == 0 {
            return Ok(());
        }
        let sql = "SELECT s.id FROM motion_submission e JOIN motion_submission s ON s.account_id = e.account_id \
            AND s.digest = e.digest JOIN async_job j ON j.id = s.job_id AND j.job_status = 0 \
            WHERE e.job_id = ? AND s.job_id <> e.job_id ORDER BY s.job_id LIMIT 1";
        if let Some(next) = self.row(sql, args![job_id]).await? {
            // It may be ending at this moment.
            let sql = "UPDATE motion_submission SET running = digest WHERE id = ? AND EXISTS \
                (SELECT 1 FROM async_job j WHERE j.id = motion_submission.job_id AND j.job_status = 0)";
            self.run(sql, args![next.at::<i64>(0)?]).await?;
        }
        Ok(())
    }

    async fn by_key(&mut self, account_id: i64, new: &Submission) -> Result<Option<Earlier>, StoreError> {
        let Some(key) = &new.key else { return Ok(None) };
        let sql = "SELECT s.id, s.digest, j.uuid FROM motion_submission s LEFT JOIN async_job j ON j.id = s.job_id \
            WHERE s.account_id = ? AND s.key_digest = ?";
        let Some(row) = self.row(sql, args![account_id, key]).await? else { return Ok(None) };
        let Some(uuid) = row.get::<Option<String>>("uuid")? else {
            // A management server forgets jobs without knowing of this table.
            self.run("DELETE FROM motion_submission WHERE id = ?", args![row.get::<i64>("id")?]).await?;
            return Ok(None);
        };
        let is_same = row.get::<String>("digest")? == new.digest && new.custom_id.as_ref().is_none_or(|id| *id == uuid);
        Ok(Some(if is_same { Earlier::Job(uuid) } else { Earlier::KeyOf(uuid) }))
    }

    /// Nothing when no job has the id, else the internal id of the job if it is the account's and asks for the same.
    async fn by_custom_id(
        &mut self,
        account_id: i64,
        uuid: &str,
        digest: &str,
    ) -> Result<Option<Option<i64>>, StoreError> {
        let sql = "SELECT j.id, s.id AS submission FROM async_job j LEFT JOIN motion_submission s ON s.job_id = j.id \
            AND s.account_id = ? AND s.digest = ? WHERE j.uuid = ?";
        let Some(row) = self.row(sql, args![account_id, digest, uuid]).await? else { return Ok(None) };
        let is_same = row.get::<Option<i64>>("submission")?.is_some();
        Ok(Some(if is_same { Some(row.get("id")?) } else { None }))
    }

    /// The oldest job like it that has not ended: internal and public id. If there is none, the place of the one that equal
    /// submissions join is free afterwards: whoever had it and has ended without saying so, as a management server does that
    /// ends a job, has it no more.
    async fn unfinished_like(&mut self, account_id: i64, digest: &str) -> Result<Option<(i64, String)>, StoreError> {
        let sql = "SELECT s.id, j.id AS job, j.uuid FROM motion_submission s LEFT JOIN async_job j ON j.id = s.job_id \
            AND j.job_status = 0 WHERE s.account_id = ? AND s.digest = ? AND (j.id IS NOT NULL OR s.running IS NOT NULL) \
            ORDER BY j.id";
        let mut holder = None;
        for row in self.rows(sql, args![account_id, digest]).await? {
            match row.get::<Option<i64>>("job")? {
                Some(job_id) => return Ok(Some((job_id, row.get("uuid")?))),
                None => holder = Some(row.get::<i64>("id")?),
            }
        }
        if let Some(id) = holder {
            self.run("UPDATE motion_submission SET running = NULL WHERE id = ?", args![id]).await?;
        }
        Ok(None)
    }

    /// Whether no job that has not ended is the one that equal submissions join. Else whoever asks is counted as one that may have
    /// the place next: the end of the job that has it then comes before this transaction or after it, and sees it.
    async fn place_is_free(&mut self, account_id: i64, digest: &str) -> Result<bool, StoreError> {
        self.unfinished_like(account_id, digest).await?;
        let sql = "UPDATE motion_submission SET followers = followers + 1 WHERE account_id = ? AND running = ?";
        Ok(self.run(sql, args![account_id, digest]).await?.rows == 0)
    }

    async fn submission_row(
        &mut self,
        job_id: i64,
        account_id: i64,
        new: &Submission,
        holds: bool,
    ) -> Result<(), StoreError> {
        let sql =
            "INSERT INTO motion_submission (job_id, account_id, digest, key_digest, running) VALUES (?, ?, ?, ?, ?)";
        let running = holds.then_some(&new.digest);
        let args = args![job_id, account_id, &new.digest, new.key.as_ref(), running];
        self.run(sql, args).await.map(|_| ())
    }
}
