//! Hosts: the filters of `listHosts` (`contract/entities.md 1.4`) and the wide rows.

use std::collections::HashMap;

use super::extras::grouped;
use super::{Condition, Window};
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// What `listHosts` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct HostFilter {
    /// Only this one, also when it was removed.
    pub id: Option<i64>,
    /// A word in name, state, type or version.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of this type.
    pub kind: Option<String>,
    /// In this resource state.
    pub resource_state: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In this pod.
    pub pod_id: Option<i64>,
    /// In this cluster.
    pub cluster_id: Option<i64>,
    /// With this hypervisor.
    pub hypervisor: Option<String>,
    /// Talked to by the server with this internal id.
    pub server_id: Option<i64>,
    /// With processors of this kind.
    pub arch: Option<String>,
    /// Managed by software of this version.
    pub version: Option<String>,
    /// With this access group.
    pub storage_access_group: Option<String>,
    /// With this tag, or without it.
    pub tag: Option<(String, bool)>,
    /// True to find nothing: something is asked for that no host here has.
    pub nothing: bool,
}

impl HostFilter {
    fn condition(&self) -> Condition {
        let mut condition = match self.id {
            Some(id) => {
                let mut condition = Condition::default();
                condition.equal("t.id", Some(id));
                condition
            }
            None => Condition::living(),
        };
        // A zone or a state has many hosts: the sign keeps their indexes out of the way of those that find fewer.
        let is_narrower = self.id.is_some() || self.name.is_some() || self.cluster_id.is_some();
        condition.contains(&["t.name", "t.status", "t.type", "t.version"], self.keyword.as_deref());
        for (column, text) in [
            ("t.name", &self.name),
            (if is_narrower { "+t.status" } else { "t.status" }, &self.state),
            ("t.type", &self.kind),
            ("t.resource_state", &self.resource_state),
            ("t.hypervisor_type", &self.hypervisor),
            ("t.arch", &self.arch),
            ("t.version", &self.version),
        ] {
            condition.equal(column, text.as_ref());
        }
        condition.equal(if is_narrower { "+t.data_center_id" } else { "t.data_center_id" }, self.zone_id);
        condition.equal("t.pod_id", self.pod_id);
        condition.equal("t.cluster_id", self.cluster_id);
        if let Some(id) = self.server_id {
            condition.and("t.mgmt_server_id = (SELECT msid FROM mshost WHERE id = ?)", [id.into()]);
        }
        if let Some(group) = &self.storage_access_group {
            let text = "(t.storage_access_groups = ? OR t.storage_access_groups LIKE ? OR t.storage_access_groups LIKE ? \
                OR t.storage_access_groups LIKE ?)";
            let patterns = [group.clone(), format!("{group},%"), format!("%,{group},%"), format!("%,{group}")];
            condition.and(text, patterns.map(Into::into));
        }
        if let Some((tag, wanted)) = &self.tag {
            let not = if *wanted { "" } else { "NOT " };
            condition.and(&format!("t.id {not}IN (SELECT host_id FROM host_tags WHERE tag = ?)"), [tag.into()]);
        }
        if self.nothing {
            condition.and("1 = 0", []);
        }
        condition
    }
}

const WIDE: &str = "SELECT h.id, h.uuid, h.name, h.status, h.disconnected, h.type, h.private_ip_address, h.version, \
    h.hypervisor_type, h.cpu_sockets, h.cpus, h.speed, h.ram, h.capabilities, h.last_ping, h.mgmt_server_id, h.created, \
    h.removed, h.resource_state, h.hypervisor_version, h.arch, h.storage_access_groups, z.uuid AS zone_uuid, \
    z.name AS zone_name, z.storage_access_groups AS zone_groups, b.uuid AS pod_uuid, b.name AS pod_name, \
    b.storage_access_groups AS pod_groups, c.uuid AS cluster_uuid, c.name AS cluster_name, c.cluster_type, \
    c.storage_access_groups AS cluster_groups, m.uuid AS server_uuid, m.name AS server_name, \
    (SELECT e.value FROM cluster_details e WHERE e.cluster_id = h.cluster_id AND e.name = 'cpuOvercommitRatio') AS cpu_ratio, \
    (SELECT e.value FROM cluster_details e WHERE e.cluster_id = h.cluster_id AND e.name = 'memoryOvercommitRatio') \
    AS memory_ratio, (SELECT SUM(o.used_capacity + o.reserved_capacity) FROM op_host_capacity o WHERE o.host_id = h.id \
    AND o.capacity_type = 0) AS memory_allocated, (SELECT SUM(o.used_capacity + o.reserved_capacity) FROM op_host_capacity o \
    WHERE o.host_id = h.id AND o.capacity_type = 1) AS cpu_allocated, (SELECT MIN(v.uuid) FROM vm_instance v \
    WHERE h.type <> 'Routing' AND v.name = h.name AND v.removed IS NULL) AS vm_uuid, \
    (SELECT COUNT(*) FROM storage_pool_host_ref r JOIN storage_pool p ON p.id = r.pool_id WHERE r.host_id = h.id \
    AND p.pool_type IN ('LVM', 'EXT') AND p.removed IS NULL) AS local_pools \
    FROM host h LEFT JOIN data_center z ON z.id = h.data_center_id LEFT JOIN host_pod_ref b ON b.id = h.pod_id \
    LEFT JOIN cluster c ON c.id = h.cluster_id LEFT JOIN mshost m ON m.msid = h.mgmt_server_id WHERE h.id IN ({ids})";

impl Store {
    /// The ids of a page of hosts, oldest first, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn hosts_page(&self, filter: &HostFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("host t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a host needs from its own row, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::hosts_page`].
    pub async fn host_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The tags of hosts, by the host's internal id: `tag`, `is_implicit`, `is_tag_a_rule`.
    ///
    /// # Errors
    /// See [`Store::hosts_page`].
    pub async fn host_tags_of(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT host_id, tag, is_implicit, is_tag_a_rule FROM host_tags WHERE host_id IN ({ids}) ORDER BY id";
        grouped(self.rows_of(sql, ids, &[]).await?, "host_id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pages_and_counts_come_from_an_index() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let filter = HostFilter::default;
        let zone = Some(1);
        for (filter, page, count) in [
            (filter(), "SCAN t", "COVERING INDEX i_host__"),
            (HostFilter { kind: Some("Routing".into()), ..filter() }, "SCAN t", "COVERING INDEX i_host__"),
            (
                HostFilter { zone_id: zone, ..filter() },
                "COVERING INDEX i_host__zone_page",
                "COVERING INDEX i_host__zone_page",
            ),
            (
                HostFilter { state: Some("Down".into()), ..filter() },
                "COVERING INDEX i_host__state_page",
                "COVERING INDEX i_host__state_page",
            ),
            (
                HostFilter { cluster_id: Some(1), zone_id: zone, ..filter() },
                "INDEX i_host__cluster_id",
                "INDEX i_host__cluster_id",
            ),
            (
                HostFilter { name: Some("a".into()), zone_id: zone, state: Some("Up".into()), ..filter() },
                "INDEX i_host__name",
                "INDEX i_host__name",
            ),
        ] {
            let condition = filter.condition();
            for (what, order, index) in [("t.id", "ORDER BY t.id LIMIT 20", page), ("COUNT(*)", "", count)] {
                let sql = format!("SELECT {what} FROM host t WHERE {} {order}", condition.shown());
                let plan = store.plan(&sql, condition.args.clone()).await;
                assert!(plan.contains(index), "{what} {filter:?}: {plan}");
                assert!(!plan.contains("TEMP B-TREE"), "{what} {filter:?}: {plan}");
            }
        }
    }
}
