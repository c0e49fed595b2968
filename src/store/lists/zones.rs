//! Zones, pods and clusters: the filters of their lists (`contract/entities.md 1.1 to 1.3`) and the wide rows.

use super::{Condition, ResourceKind, TagFilter, Window};
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// What `listZones` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct ZoneFilter {
    /// Only these.
    pub ids: Option<Vec<i64>>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in name or description.
    pub keyword: Option<String>,
    /// `Basic` or `Advanced`.
    pub network_type: Option<String>,
    /// Public or dedicated to this domain or one above it: its path.
    pub visible_from: Option<String>,
    /// Public or dedicated to exactly this domain.
    pub domain_id: Option<i64>,
    /// True to leave out zones that are switched off.
    pub enabled_only: bool,
    /// Where this account has a router.
    pub router_of: Option<i64>,
    /// With this access group.
    pub storage_access_group: Option<String>,
    /// With one of these tags.
    pub tags: Vec<TagFilter>,
}

impl ZoneFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.one_of("t.id", self.ids.as_deref());
        condition.equal("t.name", self.name.as_ref());
        condition.contains(&["t.name", "t.description"], self.keyword.as_deref());
        condition.equal("t.networktype", self.network_type.as_ref());
        if let Some(path) = &self.visible_from {
            let above: Vec<String> = path
                .char_indices()
                .filter(|(_, letter)| *letter == '/')
                .map(|(at, _)| path[..=at].to_owned())
                .collect();
            let marks = vec!["?"; above.len()].join(", ");
            let text =
                format!("(t.domain_id IS NULL OR t.domain_id IN (SELECT id FROM domain WHERE path IN ({marks})))");
            condition.and(&text, above.into_iter().map(Into::into));
        }
        if let Some(id) = self.domain_id {
            condition.and("(t.domain_id IS NULL OR t.domain_id = ?)", [id.into()]);
        }
        if self.enabled_only {
            condition.and("t.allocation_state <> 'Disabled'", []);
        }
        if let Some(account_id) = self.router_of {
            let text = "t.id IN (SELECT data_center_id FROM vm_instance WHERE type = 'DomainRouter' AND account_id = ? \
                AND removed IS NULL)";
            condition.and(text, [account_id.into()]);
        }
        condition.contains(&["t.storage_access_groups"], self.storage_access_group.as_deref());
        condition.tagged(ResourceKind::Zone, &self.tags);
        condition
    }
}

/// What `listPods` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct PodFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in name or description.
    pub keyword: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// `Enabled` or `Disabled`.
    pub allocation_state: Option<String>,
    /// With this access group.
    pub storage_access_group: Option<String>,
}

impl PodFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.equal("t.id", self.id);
        condition.equal("t.name", self.name.as_ref());
        condition.contains(&["t.name", "t.description"], self.keyword.as_deref());
        condition.equal("t.data_center_id", self.zone_id);
        condition.equal("t.allocation_state", self.allocation_state.as_ref());
        condition.contains(&["t.storage_access_groups"], self.storage_access_group.as_deref());
        condition
    }
}

/// What `listClusters` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct ClusterFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in name or hypervisor.
    pub keyword: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In this pod.
    pub pod_id: Option<i64>,
    /// With this hypervisor.
    pub hypervisor: Option<String>,
    /// `CloudManaged` or `ExternalManaged`.
    pub kind: Option<String>,
    /// `Enabled` or `Disabled`.
    pub allocation_state: Option<String>,
    /// With processors of this kind.
    pub arch: Option<String>,
    /// With this access group.
    pub storage_access_group: Option<String>,
}

impl ClusterFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.equal("t.id", self.id);
        condition.contains(&["t.name", "t.hypervisor_type"], self.keyword.as_deref());
        condition.equal("t.data_center_id", self.zone_id);
        condition.equal("t.pod_id", self.pod_id);
        for (column, text) in [
            ("t.name", &self.name),
            ("t.hypervisor_type", &self.hypervisor),
            ("t.cluster_type", &self.kind),
            ("t.allocation_state", &self.allocation_state),
            ("t.arch", &self.arch),
        ] {
            condition.equal(column, text.as_ref());
        }
        condition.contains(&["t.storage_access_groups"], self.storage_access_group.as_deref());
        condition
    }
}

const ZONE: &str = "SELECT z.id, z.uuid, z.name, z.description, z.dns1, z.dns2, z.ip6_dns1, z.ip6_dns2, z.internal_dns1, \
    z.internal_dns2, z.guest_network_cidr, z.domain, z.networktype, z.is_security_group_enabled, z.allocation_state, \
    z.zone_token, z.dhcp_provider, z.is_local_storage_enabled, z.type, z.storage_access_groups, d.uuid AS domain_uuid, \
    d.name AS domain_name, (SELECT COUNT(DISTINCT c.arch) FROM cluster c WHERE c.data_center_id = z.id AND c.removed IS NULL) \
    AS arches FROM data_center z LEFT JOIN domain d ON d.id = z.domain_id WHERE z.id IN ({ids})";
const POD: &str = "SELECT b.id, b.uuid, b.name, b.gateway, b.cidr_address, b.cidr_size, b.description, b.allocation_state, \
    b.storage_access_groups, z.uuid AS zone_uuid, z.name AS zone_name, z.storage_access_groups AS zone_groups \
    FROM host_pod_ref b LEFT JOIN data_center z ON z.id = b.data_center_id WHERE b.id IN ({ids})";
const CLUSTER: &str = "SELECT c.id, c.uuid, c.name, c.hypervisor_type, c.cluster_type, c.allocation_state, c.managed_state, \
    c.arch, c.storage_access_groups, b.uuid AS pod_uuid, b.name AS pod_name, b.storage_access_groups AS pod_groups, \
    z.uuid AS zone_uuid, z.name AS zone_name, z.storage_access_groups AS zone_groups \
    FROM cluster c LEFT JOIN host_pod_ref b ON b.id = c.pod_id LEFT JOIN data_center z ON z.id = c.data_center_id \
    WHERE c.id IN ({ids})";

impl Store {
    /// The ids of a page of zones in their own order, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn zones_page(&self, filter: &ZoneFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("data_center t", &filter.condition(), "t.sort_key, t.id", window).await
    }

    /// Everything the view of a zone needs from its own row, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::zones_page`].
    pub async fn zone_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(ZONE, ids).await
    }

    /// The ids of a page of pods by zone, and how many match in all.
    ///
    /// # Errors
    /// See [`Store::zones_page`].
    pub async fn pods_page(&self, filter: &PodFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("host_pod_ref t", &filter.condition(), "t.data_center_id, t.id", window).await
    }

    /// Everything the view of a pod needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::zones_page`].
    pub async fn pod_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(POD, ids).await
    }

    /// The ids of a page of clusters, oldest first, and how many match in all.
    ///
    /// # Errors
    /// See [`Store::zones_page`].
    pub async fn clusters_page(&self, filter: &ClusterFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("cluster t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a cluster needs from its own row, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::zones_page`].
    pub async fn cluster_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(CLUSTER, ids).await
    }
}
