//! What was moved and is being moved: the filters of `listMigrations`, and the wide rows.

use std::collections::HashMap;

use super::{Condition, Window};
use crate::model::Timestamp;
use crate::store::{Row, Store, StoreError};

/// What `listMigrations` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct MotionFilter {
    /// Only the one with this public id.
    pub id: Option<String>,
    /// Only those of the job with this public id, which may be forgotten.
    pub job: Option<String>,
    /// Only those of this machine, alone or with its disks.
    pub vm_id: Option<i64>,
    /// Only those of this disk.
    pub volume_id: Option<i64>,
    /// Only those from or to this host.
    pub host_id: Option<i64>,
    /// Only those from or to this pool.
    pub pool_id: Option<i64>,
    /// Only those of this kind: see `motion::Kind`.
    pub kind: Option<String>,
    /// `done`, `not-done`, `partly` or `unknown`.
    pub outcome: Option<String>,
    /// True for those that are over, false for those that are not.
    pub is_over: Option<bool>,
    /// Not begun before.
    pub from: Option<Timestamp>,
    /// Not begun after.
    pub until: Option<Timestamp>,
    /// A word in the name of the machine, or in the reason.
    pub keyword: Option<String>,
}

impl MotionFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::default();
        condition.equal("t.uuid", self.id.as_ref());
        condition.equal("t.job_uuid", self.job.as_ref());
        condition.equal("t.vm_id", self.vm_id);
        let disks = "t.id IN (SELECT migration_id FROM motion_disk WHERE";
        if let Some(id) = self.volume_id {
            condition.and(&format!("{disks} volume_id = ? OR copy_volume_id = ?)"), [id.into(), id.into()]);
        }
        if let Some(id) = self.pool_id {
            condition.and(&format!("{disks} source_pool_id = ? OR target_pool_id = ?)"), [id.into(), id.into()]);
        }
        if let Some(id) = self.host_id {
            condition.and("(t.source_host_id = ? OR t.target_host_id = ?)", [id.into(), id.into()]);
        }
        condition.equal("t.kind", self.kind.as_ref());
        condition.equal("t.outcome", self.outcome.as_ref());
        match self.is_over {
            Some(true) => condition.and("t.phase = 'settled'", []),
            // Not <>: these few come from the index on the phase.
            Some(false) => condition.and("t.phase IN ('marked', 'sent')", []),
            None => {}
        }
        condition.between("t.created", self.from, self.until);
        condition.contains(&["t.vm_name", "t.reason"], self.keyword.as_deref());
        condition
    }
}

impl Store {
    /// How many motions there are, and the ids of a page: the one that began last comes first.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn motions_page(&self, filter: &MotionFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("motion_migration t", &filter.condition(), "t.id DESC", window).await
    }

    /// The ids of the next motions below `before` in the same order, at most `limit`: a long list in parts, none of which costs
    /// more than the one before it.
    ///
    /// # Errors
    /// See [`Store::motions_page`].
    pub async fn motions_before(
        &self,
        filter: &MotionFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<i64>, StoreError> {
        let mut condition = filter.condition();
        if let Some(id) = before {
            condition.and("t.id < ?", [id.into()]);
        }
        let sql = format!("SELECT t.id FROM motion_migration t WHERE {} ORDER BY t.id DESC LIMIT ?", condition.shown());
        condition.args.push(limit.into());
        self.db().rows(&sql, condition.args).await?.iter().map(|row| row.at(0)).collect()
    }

    /// Motions with the public ids and names of what they are about.
    ///
    /// # Errors
    /// See [`Store::motions_page`].
    pub async fn motion_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT t.id, t.uuid, t.job_id, t.kind, t.strategy, t.phase, t.outcome, t.vm_id, t.source_host_id, \
            t.target_host_id, t.bytes_total, t.bytes_done, t.host_phase, t.bytes_per_second, t.progress_source, t.changed_at, \
            t.stall_s, t.stall_origin, t.unreachable_s, t.unreachable_origin, t.reconciling, t.reason, t.verified, t.created, t.sent_at, t.updated, t.ended, \
            k.state AS cancel_state, k.answer AS cancel_answer, t.vm_name AS instance_name, t.job_uuid, v.uuid AS vm_uuid, v.name AS vm_name, \
            s.uuid AS source_host_uuid, s.name AS source_host_name, h.uuid AS target_host_uuid, h.name AS target_host_name \
            FROM motion_migration t LEFT JOIN motion_cancel k ON k.job_id = t.job_id LEFT JOIN vm_instance v ON v.id = t.vm_id \
            LEFT JOIN host s ON s.id = t.source_host_id LEFT JOIN host h ON h.id = t.target_host_id WHERE t.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }

    /// The disks of motions, by the internal id of the motion. A copy that took its original's place has its public id.
    ///
    /// # Errors
    /// See [`Store::motions_page`].
    pub async fn motion_disk_rows(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT d.migration_id, d.stem, COALESCE(v.uuid, c.uuid) AS volume_uuid, v.name AS volume_name, v.size, \
            s.uuid AS source_pool_uuid, s.name AS source_pool_name, t.uuid AS target_pool_uuid, t.name AS target_pool_name, \
            f.uuid AS found_pool_uuid, f.name AS found_pool_name FROM motion_disk d \
            LEFT JOIN volumes v ON v.id = d.volume_id LEFT JOIN volumes c ON c.id = d.copy_volume_id \
            LEFT JOIN storage_pool s ON s.id = d.source_pool_id LEFT JOIN storage_pool t ON t.id = d.target_pool_id \
            LEFT JOIN storage_pool f ON f.id = d.found_pool_id WHERE d.migration_id IN ({ids}) ORDER BY d.id";
        let mut disks: HashMap<i64, Vec<Row>> = HashMap::new();
        for row in self.rows_of(sql, ids, &[]).await? {
            disks.entry(row.get("migration_id")?).or_default().push(row);
        }
        Ok(disks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_runs_and_what_is_about_something_comes_from_an_index() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        for (filter, index) in [
            (MotionFilter { is_over: Some(false), ..MotionFilter::default() }, "i_motion_migration__phase"),
            (MotionFilter { job: Some("7".into()), ..MotionFilter::default() }, "i_motion_migration__job_uuid"),
            (MotionFilter { vm_id: Some(7), ..MotionFilter::default() }, "i_motion_migration__vm_id"),
        ] {
            let plan = filter.condition().plan(&store, "motion_migration").await;
            assert!(plan.contains(index), "{filter:?}: {plan}");
        }
    }
}
