//! Locks that jobs hold until they end: gateways tell each other by them who moves what.

use super::{Store, StoreError, Tx, transact};
use crate::args;

impl Tx {
    /// Takes a lock for a job, unless another job that has not ended holds it. Who has ended does not hold it any more.
    async fn lock_take(&mut self, name: &str, job_id: i64) -> Result<bool, StoreError> {
        let sql = "DELETE FROM motion_lock WHERE name = ? AND (job_id = ? OR NOT EXISTS \
            (SELECT 1 FROM async_job j WHERE j.id = motion_lock.job_id AND j.job_status = 0))";
        self.run(sql, args![name, job_id]).await?;
        match self.run("INSERT INTO motion_lock (name, job_id) VALUES (?, ?)", args![name, job_id]).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_duplicate() => Ok(false),
            Err(error) => Err(error),
        }
    }
}

impl Store {
    /// Takes a lock for a job, unless another job that has not ended holds it.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn lock_take(&self, name: &str, job_id: i64) -> Result<bool, StoreError> {
        transact!(self, StoreError, |tx| { tx.lock_take(name, job_id).await })
    }

    /// Takes a lock for a job that is to move this VM or volume. True when nobody is in its way: another job that holds the lock, or
    /// a motion of the same thing that another job has begun and nobody has settled.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn turn_take(
        &self,
        name: &str,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
        job_id: i64,
    ) -> Result<bool, StoreError> {
        transact!(self, StoreError, |tx| {
            // Looked for under the lock: nobody else begins one from here on. Who waits for the end of one keeps the lock meanwhile.
            Ok(tx.lock_take(name, job_id).await? && !tx.has_unsettled_motion(vm_id, volume_id, job_id).await?)
        })
    }
}
