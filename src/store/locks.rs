//! Who goes first. Jobs hold locks until they end: gateways tell each other by them who moves what. Transactions hold rows until they
//! end: what they have looked up, a name that is free or room that is left, is still so when they write.

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

/// Takes a turn that was taken before.
const NEXT_TURN: &str = "UPDATE motion_turn SET taken = taken + 1 WHERE name = ?";

/// Turns of transactions. They are taken before anything is read: MySQL shows a transaction what was there at its first look. Who
/// takes several takes the estate's first, then those of hosts and those of pools, each by number.
impl Tx {
    /// Makes everybody wait who adds something to the estate or takes it away.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for the other turns.
    pub async fn estate_hold(&mut self) -> Result<(), StoreError> {
        self.turn("estate".to_owned()).await
    }

    /// Makes everybody wait who gives out names in a domain.
    ///
    /// # Errors
    /// See [`Tx::estate_hold`].
    pub async fn domain_hold(&mut self, id: i64) -> Result<(), StoreError> {
        self.turn(format!("domain:{id}")).await
    }

    /// Makes everybody wait who sends something to a host, calls it empty or takes it away.
    ///
    /// # Errors
    /// See [`Tx::estate_hold`].
    pub async fn host_hold(&mut self, id: i64) -> Result<(), StoreError> {
        self.turn(format!("host:{id}")).await
    }

    /// Makes everybody wait who sends something to a pool, calls it empty or takes it away.
    ///
    /// # Errors
    /// See [`Tx::estate_hold`].
    pub async fn pool_hold(&mut self, id: i64) -> Result<(), StoreError> {
        self.turn(format!("pool:{id}")).await
    }

    async fn turn(&mut self, name: String) -> Result<(), StoreError> {
        if self.run(NEXT_TURN, args![&name]).await?.rows > 0 {
            return Ok(());
        }
        match self.run("INSERT INTO motion_turn (name, taken) VALUES (?, 1)", args![&name]).await {
            Ok(_) => Ok(()),
            // Somebody else was the first ever, and was waited for.
            Err(error) if error.is_duplicate() => self.run(NEXT_TURN, args![&name]).await.map(drop),
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
