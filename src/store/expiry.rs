//! Jobs that are forgotten: those that have been over for long, and what is left of those that somebody else has forgotten.

use super::guards::unsettled;
use super::{Store, StoreError, transact};
use crate::args;
use crate::model::{Timestamp, signed};

/// Of so many jobs behind one: their numbers, whether each can be forgotten, and whether it is too young for that. Takes twice the
/// time before which a job has to be over, the number of the one, and how many.
///
/// A job is written down in one transaction, so one without its row in `async_job` has lost that: a management server deletes the
/// rows of jobs by their age. While it has begun something that is not over, it is still known by whom that may be ended.
fn looked_at() -> String {
    format!(
        "SELECT m.job_id, CASE \
         WHEN j.id IS NOT NULL THEN CASE WHEN j.job_status <> 0 AND j.removed < ? THEN 1 ELSE 0 END \
         WHEN EXISTS (SELECT 1 FROM motion_migration g WHERE g.job_id = m.job_id AND {}) THEN 0 \
         WHEN EXISTS (SELECT 1 FROM motion_stopped_vm s WHERE s.job_id = m.job_id) THEN 0 \
         ELSE 1 END AS is_over, CASE WHEN j.created >= ? THEN 1 ELSE 0 END AS is_young \
         FROM (SELECT job_id FROM motion_job WHERE job_id > ? ORDER BY job_id LIMIT ?) m \
         LEFT JOIN async_job j ON j.id = m.job_id",
        unsettled()
    )
}

impl Store {
    /// Looks at so many jobs of gateways behind the one with this number, the oldest ones, and deletes those that have been over for
    /// `job.expire.minutes` (`contract/api-protocol.md` 7.7), with what is left of those that a management server has deleted. Its
    /// own jobs are left to it, and a job that is not over stays however old it is: a copy may take days. What was moved stays
    /// in the journal.
    ///
    /// Gives the number behind which to go on; none when those behind it are too young.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn jobs_forget(&self, after: i64, at_once: i64) -> Result<Option<i64>, StoreError> {
        let minutes = self.setting_number("job.expire.minutes", 1440.0).await?;
        let until = Timestamp::from_unix(Timestamp::now().unix() - (minutes * 60.0) as i64);
        let rows = self.db().rows(&looked_at(), args![until, until, after, at_once]).await?;
        let (mut over, mut last, mut any_old) = (Vec::new(), after, false);
        for row in &rows {
            let id: i64 = row.at(0)?;
            if row.at::<bool>(1)? {
                over.push(id.to_string());
            }
            any_old |= !row.at::<bool>(2)?;
            last = last.max(id);
        }
        self.forget(&over.join(", ")).await?;
        // Behind jobs that were all accepted lately are those that were accepted after them, and none has ended before that.
        Ok((any_old && signed(rows.len()) == at_once).then_some(last))
    }

    /// Deletes jobs by their numbers, which stand in a list.
    async fn forget(&self, list: &str) -> Result<(), StoreError> {
        if list.is_empty() {
            return Ok(());
        }
        transact!(self, StoreError, |tx| {
            tx.run(&format!("DELETE FROM async_job WHERE id IN ({list})"), vec![]).await?;
            tx.run(&format!("DELETE FROM motion_job WHERE job_id IN ({list})"), vec![]).await?;
            tx.run(&format!("DELETE FROM motion_submission WHERE job_id IN ({list})"), vec![]).await?;
            tx.run(&format!("DELETE FROM motion_cancel WHERE job_id IN ({list})"), vec![]).await?;
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn old_jobs_are_found_without_a_look_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/t.db", folder.path().display())).await.unwrap();
        let now = Timestamp::now();
        let plan = store.plan(&looked_at(), args![now, now, 7, 1000]).await;
        assert!(plan.contains("SEARCH motion_job") && plan.contains("(job_id>?)"), "{plan}");
        assert!(plan.contains("SEARCH j USING INTEGER PRIMARY KEY"), "{plan}");
        assert!(plan.contains("i_motion_migration__job_id"), "{plan}");
        assert!(!plan.contains("SCAN motion_job") && !plan.contains("SCAN j"), "{plan}");
    }
}
