//! What differs between database and hosts: the filters of `listDrift`, and the wide rows.

use super::{Condition, Window};
use crate::store::{Row, Store, StoreError};

/// What `listDrift` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct DriftFilter {
    /// Only the one with this public id.
    pub id: Option<String>,
    /// Only those of this kind: see `drift::Kind`.
    pub kind: Option<String>,
    /// Only those of this machine and its disks.
    pub vm_id: Option<i64>,
    /// Only those of this disk.
    pub volume_id: Option<i64>,
    /// Only those that speak of this host.
    pub host_id: Option<i64>,
    /// True for those that are resolved, false for those that are open.
    pub resolved: Option<bool>,
    /// A word in the name of the machine at the hypervisor, or in what was said.
    pub keyword: Option<String>,
}

impl DriftFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::default();
        condition.equal("t.uuid", self.id.as_ref());
        condition.equal("t.kind", self.kind.as_ref());
        condition.equal("t.vm_id", self.vm_id);
        condition.equal("t.volume_id", self.volume_id);
        if let Some(id) = self.host_id {
            condition.and("(t.host_id = ? OR t.found_host_id = ?)", [id.into(), id.into()]);
        }
        match self.resolved {
            Some(true) => condition.and("t.resolved_at IS NOT NULL", []),
            Some(false) => condition.and("t.resolved_at IS NULL", []),
            None => {}
        }
        condition.contains(&["t.database_says", "t.host_says", "t.note"], self.keyword.as_deref());
        condition
    }
}

impl Store {
    /// How many findings there are, and the ids of a page: the newest first.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn drift_page(&self, filter: &DriftFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("motion_drift t", &filter.condition(), "t.id DESC", window).await
    }

    /// Findings with the public ids and names of what they are about.
    ///
    /// # Errors
    /// See [`Store::drift_page`].
    pub async fn drift_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT t.id, t.uuid, t.kind, t.database_says, t.host_says, t.first_seen, t.last_seen, t.resolved_at, \
            t.resolution, t.note, v.uuid AS vm_uuid, v.name AS vm_name, v.instance_name, d.uuid AS volume_uuid, \
            d.name AS volume_name, h.uuid AS host_uuid, h.name AS host_name, f.uuid AS found_host_uuid, \
            f.name AS found_host_name, p.uuid AS pool_uuid, p.name AS pool_name, q.uuid AS found_pool_uuid, \
            q.name AS found_pool_name, u.username FROM motion_drift t LEFT JOIN vm_instance v ON v.id = t.vm_id \
            LEFT JOIN volumes d ON d.id = t.volume_id LEFT JOIN host h ON h.id = t.host_id \
            LEFT JOIN host f ON f.id = t.found_host_id LEFT JOIN storage_pool p ON p.id = t.pool_id \
            LEFT JOIN storage_pool q ON q.id = t.found_pool_id LEFT JOIN user u ON u.id = t.resolved_by \
            WHERE t.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }
}
