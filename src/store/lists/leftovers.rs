//! Files that motions left behind, or may have: the filters of `listMigrationLeftovers`, and the wide rows.

use super::{Condition, Window};
use crate::store::{FileState, Row, Store, StoreError};

/// What `listMigrationLeftovers` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct LeftoverFilter {
    /// Only this one, by its internal id.
    pub id: Option<i64>,
    /// Only files in this state; without it those that are there, and those that a motion that failed may have left.
    pub state: Option<FileState>,
    /// Only those in this pool.
    pub pool_id: Option<i64>,
    /// Only those that were to be this disk, or were it.
    pub volume_id: Option<i64>,
    /// Only those of the motion with this public id.
    pub migration: Option<String>,
    /// A word in the file's name.
    pub keyword: Option<String>,
}

impl LeftoverFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::default();
        condition.equal("t.id", self.id);
        match self.state {
            Some(state) => condition.equal("t.state", Some(state.word())),
            None if self.id.is_some() => {}
            None => condition.and("t.state IN ('left', 'possible')", []),
        }
        condition.equal("t.pool_id", self.pool_id);
        if let Some(id) = self.volume_id {
            let disks = "(t.volume_id = ? OR t.migration_id IN (SELECT d.migration_id FROM motion_disk d WHERE d.copy_volume_id = ?))";
            condition.and(disks, [id.into(), id.into()]);
        }
        if let Some(uuid) = &self.migration {
            condition.and("t.migration_id IN (SELECT m.id FROM motion_migration m WHERE m.uuid = ?)", [uuid.into()]);
        }
        condition.contains(&["t.stem"], self.keyword.as_deref());
        condition
    }
}

impl Store {
    /// How many such files there are, and the ids of a page: the one that was written down first comes first.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn leftovers_page(&self, filter: &LeftoverFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("motion_file t", &filter.condition(), "t.id", window).await
    }

    /// Files of the ledger with the public ids and names of what they are about, and with what speaks against removing them.
    ///
    /// # Errors
    /// See [`Store::leftovers_page`].
    pub async fn leftover_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT t.id, t.uuid, t.role, t.stem, t.state, t.bytes, t.note, t.created, t.updated, m.uuid AS migration_uuid, \
            m.outcome, COALESCE(v.uuid, c.uuid) AS volume_uuid, v.name AS volume_name, p.uuid AS pool_uuid, p.name AS pool_name, \
            p.pool_type, p.host_address, p.path AS pool_path, h.uuid AS host_uuid, h.name AS host_name, \
            (SELECT MIN(COALESCE(u.uuid, u.name)) FROM volumes u WHERE u.pool_id = t.pool_id AND u.path = t.stem \
            AND u.removed IS NULL AND u.state NOT IN ('Expunging', 'Expunged', 'Destroy')) AS used_by, \
            (SELECT MIN(a.uuid) FROM motion_migration a JOIN motion_disk b ON b.migration_id = a.id \
            WHERE b.volume_id = t.volume_id AND a.phase <> 'settled') AS under_way, \
            (SELECT MIN(a.uuid) FROM motion_migration a JOIN motion_disk b ON b.migration_id = a.id \
            WHERE b.volume_id = t.volume_id AND a.phase = 'settled' AND a.outcome = 'unknown') AS in_doubt FROM motion_file t \
            LEFT JOIN motion_migration m ON m.id = t.migration_id LEFT JOIN volumes v ON v.id = t.volume_id \
            LEFT JOIN motion_disk d ON d.migration_id = t.migration_id AND d.volume_id = t.volume_id \
            LEFT JOIN volumes c ON c.id = d.copy_volume_id LEFT JOIN storage_pool p ON p.id = t.pool_id \
            LEFT JOIN host h ON h.id = t.host_id WHERE t.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_left_comes_from_an_index() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        for (filter, index) in [
            (LeftoverFilter::default(), "i_motion_file__state"),
            (LeftoverFilter { id: Some(7), ..LeftoverFilter::default() }, "PRIMARY KEY"),
        ] {
            let plan = filter.condition().plan(&store, "motion_file").await;
            assert!(plan.contains(index), "{filter:?}: {plan}");
        }
    }
}
