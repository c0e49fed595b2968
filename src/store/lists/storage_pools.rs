//! Pools: the filters of `listStoragePools` (`contract/entities.md 1.5`) and the wide rows.

use std::collections::HashMap;

use super::extras::grouped;
use super::{Condition, Window};
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// What `listStoragePools` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct StoragePoolFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// A word in name or type.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// On this server.
    pub address: Option<String>,
    /// At exactly this place on its server.
    pub path: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In this pod, or in none.
    pub pod_id: Option<i64>,
    /// In this cluster, or in none.
    pub cluster_id: Option<i64>,
    /// `HOST`, `CLUSTER` or `ZONE`.
    pub scope: Option<String>,
    /// In this state.
    pub status: Option<String>,
    /// Connected to this host.
    pub host_id: Option<i64>,
    /// With this access group. No pool here has one.
    pub storage_access_group: Option<String>,
}

impl StoragePoolFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("t.parent = 0", []);
        condition.equal("t.id", self.id);
        condition.contains(&["t.name", "t.pool_type"], self.keyword.as_deref());
        for (column, text) in [
            ("t.name", &self.name),
            ("t.host_address", &self.address),
            ("t.path", &self.path),
            ("t.scope", &self.scope),
            ("t.status", &self.status),
        ] {
            condition.equal(column, text.as_ref());
        }
        condition.equal("t.data_center_id", self.zone_id);
        for (column, id) in [("t.pod_id", self.pod_id), ("t.cluster_id", self.cluster_id)] {
            if let Some(id) = id {
                condition.and(&format!("({column} = ? OR {column} IS NULL)"), [id.into()]);
            }
        }
        if let Some(id) = self.host_id {
            condition.and("t.id IN (SELECT pool_id FROM storage_pool_host_ref WHERE host_id = ?)", [id.into()]);
        }
        if self.storage_access_group.is_some() {
            condition.and("1 = 0", []);
        }
        condition
    }
}

const WIDE: &str = "SELECT p.id, p.uuid, p.name, p.host_address, p.path, p.created, p.pool_type, p.capacity_bytes, \
    p.used_bytes, p.capacity_iops, p.used_iops, p.status, p.scope, p.hypervisor, p.storage_provider_name, p.managed, \
    z.uuid AS zone_uuid, z.name AS zone_name, b.uuid AS pod_uuid, b.name AS pod_name, c.uuid AS cluster_uuid, \
    c.name AS cluster_name, (SELECT SUM(o.used_capacity + o.reserved_capacity) FROM op_host_capacity o \
    WHERE o.capacity_type = 3 AND o.host_id = p.id) AS allocated \
    FROM storage_pool p LEFT JOIN data_center z ON z.id = p.data_center_id LEFT JOIN host_pod_ref b ON b.id = p.pod_id \
    LEFT JOIN cluster c ON c.id = p.cluster_id WHERE p.id IN ({ids})";

impl Store {
    /// The ids of a page of pools, oldest first, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn storage_pools_page(
        &self,
        filter: &StoragePoolFilter,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("storage_pool t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a pool needs from its own row, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::storage_pools_page`].
    pub async fn storage_pool_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The tags of pools, by the pool's internal id: `tag`, `is_tag_a_rule`.
    ///
    /// # Errors
    /// See [`Store::storage_pools_page`].
    pub async fn storage_pool_tags_of(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT pool_id, tag, is_tag_a_rule FROM storage_pool_tags WHERE pool_id IN ({ids}) ORDER BY id";
        grouped(self.rows_of(sql, ids, &[]).await?, "pool_id")
    }
}
