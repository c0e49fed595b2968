//! What is not known of motions, and for how long it may be so.

use super::guards::unsettled;
use super::journal::{MOTION, MotionRow};
use super::{Store, StoreError, transact};
use crate::args;
use crate::model::Timestamp;

/// A condition on `motion_migration`: nobody works on the job of the motion.
const JOB_HAS_ENDED: &str =
    "NOT EXISTS (SELECT 1 FROM async_job j WHERE j.id = motion_migration.job_id AND j.job_status = 0)";

impl Store {
    /// Notes the limits that a motion goes by from now on: another gateway may have taken it over.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_limits(
        &self,
        motion_id: i64,
        (stall_s, stall_origin): (i64, &str),
        (unreachable_s, unreachable_origin): (i64, &str),
    ) -> Result<(), StoreError> {
        transact!(self, StoreError, |tx| {
            let sql = "UPDATE motion_migration SET stall_s = ?, stall_origin = ?, unreachable_s = ?, unreachable_origin = ?, reconciling = NULL \
                WHERE id = ? AND phase <> 'settled'";
            tx.run(sql, args![stall_s, stall_origin, unreachable_s, unreachable_origin, motion_id]).await?;
            Ok(())
        })
    }

    /// Notes that the hosts of a motion have to be asked what is true, or do not have to any more.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_reconciling(&self, motion_id: i64, is_asked: bool) -> Result<(), StoreError> {
        transact!(self, StoreError, |tx| {
            let now = Timestamp::now();
            let sql = "UPDATE motion_migration SET reconciling = ?, updated = ? WHERE id = ? AND phase <> 'settled'";
            tx.run(sql, args![is_asked.then_some(now), now, motion_id]).await?;
            Ok(())
        })
    }

    /// The motion with this public id.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_by_uuid(&self, uuid: &str) -> Result<Option<MotionRow>, StoreError> {
        let row = self.db().row(&format!("{MOTION} WHERE uuid = ?"), args![uuid]).await?;
        row.as_ref().map(MotionRow::read).transpose()
    }

    /// The motions that are not settled and whose job has ended or is gone, oldest first.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motions_orphaned(&self) -> Result<Vec<MotionRow>, StoreError> {
        let sql = format!("{MOTION} WHERE {} AND {JOB_HAS_ENDED} ORDER BY id", unsettled());
        self.db().rows(&sql, vec![]).await?.iter().map(MotionRow::read).collect()
    }

    /// The motions whose outcome is not known and whose job has ended, oldest first. A job that is about to say that nobody
    /// knows would be wrong if somebody found out in that moment.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motions_unknown(&self) -> Result<Vec<MotionRow>, StoreError> {
        let sql = format!("{MOTION} WHERE phase = 'settled' AND outcome = 'unknown' AND {JOB_HAS_ENDED} ORDER BY id");
        self.db().rows(&sql, vec![]).await?.iter().map(MotionRow::read).collect()
    }
}
