//! Volumes: the filters of `listVolumes` (`contract/entities.md 1.7`) and the wide rows.

use super::{Condition, Owners, ResourceKind, TagFilter, Window};
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// What `listVolumes` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct VolumeFilter {
    /// Whose.
    pub owners: Owners,
    /// Only these.
    pub ids: Option<Vec<i64>>,
    /// A word in name, type or state.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// Whose type contains this.
    pub kind: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In a pool of this pod.
    pub pod_id: Option<i64>,
    /// In a pool of this cluster.
    pub cluster_id: Option<i64>,
    /// In this pool.
    pub pool_id: Option<i64>,
    /// Attached to this machine.
    pub vm_id: Option<i64>,
    /// With this disk offering.
    pub disk_offering_id: Option<i64>,
    /// With the disk offering of this service offering.
    pub service_offering_id: Option<i64>,
    /// Shown to ordinary users, or not.
    pub displayed: Option<bool>,
    /// Encrypted, or not.
    pub encrypted: Option<bool>,
    /// True to show the disks of system machines as well.
    pub with_system: bool,
    /// True to leave out what is gone.
    pub hide_expunged: bool,
    /// With one of these tags.
    pub tags: Vec<TagFilter>,
}

impl VolumeFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        if self.ids.is_some() || self.name.is_some() || self.vm_id.is_some() || self.cluster_id.is_some() {
            condition.rare();
        }
        self.owners.narrow(&mut condition);
        condition.one_of("t.id", self.ids.as_deref());
        condition.contains(&["t.name", "t.volume_type", "t.state"], self.keyword.as_deref());
        condition.equal("t.name", self.name.as_ref());
        condition.contains(&["t.volume_type"], self.kind.as_deref());
        condition.equal("t.state", self.state.as_ref());
        condition.equal("t.data_center_id", self.zone_id);
        condition.equal("t.pool_id", self.pool_id);
        condition.equal("t.instance_id", self.vm_id);
        condition.equal("t.disk_offering_id", self.disk_offering_id);
        condition.equal("t.display_volume", self.displayed);
        for (column, id) in [("pod_id", self.pod_id), ("cluster_id", self.cluster_id)] {
            if let Some(id) = id {
                let text = format!("t.pool_id IN (SELECT id FROM storage_pool WHERE {column} = ?)");
                condition.and(&text, [id.into()]);
            }
        }
        if let (Some(id), None) = (self.service_offering_id, self.disk_offering_id) {
            let text = "t.disk_offering_id = (SELECT disk_offering_id FROM service_offering WHERE id = ?)";
            condition.and(text, [id.into()]);
        }
        match self.encrypted {
            Some(true) => condition.and("(t.passphrase_id IS NOT NULL OR t.kms_key_id IS NOT NULL)", []),
            Some(false) => condition.and("t.passphrase_id IS NULL AND t.kms_key_id IS NULL", []),
            None => {}
        }
        if !self.with_system {
            condition.hide(
                "(t.instance_id IS NULL OR t.instance_id NOT IN (SELECT id FROM vm_instance WHERE removed IS NULL AND \
                 type IN ('ConsoleProxy', 'SecondaryStorageVm', 'DomainRouter', 'InternalLoadBalancerVm', 'ElasticLoadBalancerVm')))",
                "t.instance_id IN (SELECT id FROM vm_instance WHERE removed IS NULL AND \
                 type IN ('ConsoleProxy', 'SecondaryStorageVm', 'DomainRouter', 'InternalLoadBalancerVm', 'ElasticLoadBalancerVm'))",
            );
        }
        // What a cold move has left behind gave its public id to the copy: it is listed as a leftover and not as a disk.
        condition.hide(
            "t.id NOT IN (SELECT id FROM volumes WHERE state = 'Expunging' AND removed IS NULL AND uuid IS NULL)",
            "t.id IN (SELECT id FROM volumes WHERE state = 'Expunging' AND removed IS NULL AND uuid IS NULL)",
        );
        if self.hide_expunged && self.state.is_none() {
            condition.and("t.state <> 'Expunged'", []);
        }
        condition.tagged(ResourceKind::Volume, &self.tags);
        condition
    }
}

const WIDE: &str = "SELECT v.id, v.uuid, v.name, v.volume_type, v.device_id, v.provisioning_type, v.size, v.min_iops, \
    v.max_iops, v.created, v.state, v.attached, v.display_volume, v.path, v.chain_info, v.delete_protection, v.external_uuid, \
    v.encrypt_format, v.format, z.uuid AS zone_uuid, z.name AS zone_name, i.uuid AS vm_uuid, i.name AS vm_name, \
    i.display_name AS vm_display_name, i.state AS vm_state, i.type AS vm_type, i.hypervisor_type AS vm_hypervisor, \
    t.uuid AS template_uuid, t.name AS template_name, t.display_text AS template_text, t.extractable, t.type AS template_type, \
    a.account_name, a.type AS account_type, j.uuid AS project_uuid, j.name AS project_name, d.uuid AS domain_uuid, \
    d.name AS domain_name, d.path AS domain_path, o.uuid AS disk_offering_uuid, o.name AS disk_offering_name, \
    o.display_text AS disk_offering_text, o.compute_only, o.use_local_storage, o.bytes_read_rate, o.iops_write_rate, \
    s.id AS service_offering_id, s.name AS service_offering_name, s.display_text AS service_offering_text, \
    p.uuid AS pool_uuid, p.name AS pool_name, p.scope AS pool_scope, p.hypervisor AS pool_hypervisor, c.uuid AS cluster_uuid, \
    c.name AS cluster_name, c.hypervisor_type AS cluster_hypervisor, b.uuid AS pod_uuid, b.name AS pod_name \
    FROM volumes v LEFT JOIN data_center z ON z.id = v.data_center_id LEFT JOIN vm_instance i ON i.id = v.instance_id \
    LEFT JOIN vm_template t ON t.id = v.template_id LEFT JOIN account a ON a.id = v.account_id \
    LEFT JOIN projects j ON j.project_account_id = v.account_id LEFT JOIN domain d ON d.id = v.domain_id \
    LEFT JOIN disk_offering o ON o.id = v.disk_offering_id LEFT JOIN service_offering s ON o.compute_only = 1 \
    AND s.id = COALESCE((SELECT x.id FROM service_offering x WHERE x.id = i.service_offering_id \
    AND x.disk_offering_id = v.disk_offering_id), (SELECT MIN(y.id) FROM service_offering y \
    WHERE y.disk_offering_id = v.disk_offering_id)) \
    LEFT JOIN storage_pool p ON p.id = v.pool_id LEFT JOIN cluster c ON c.id = p.cluster_id \
    LEFT JOIN host_pod_ref b ON b.id = p.pod_id WHERE v.id IN ({ids})";

impl Store {
    /// The ids of a page of volumes, and how many match in all. The page holds the newest; inside it the oldest is first.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn volumes_page(&self, filter: &VolumeFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        let (count, mut ids) = self.page("volumes t", &filter.condition(), "t.created DESC, t.id DESC", window).await?;
        ids.sort_unstable();
        Ok((count, ids))
    }

    /// Everything the view of a volume needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::volumes_page`].
    pub async fn volume_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The public ids of zones with XenServer: there a VHD file does not tell Hyper-V.
    ///
    /// # Errors
    /// See [`Store::volumes_page`].
    pub async fn zones_with_xenserver(&self) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT DISTINCT z.uuid FROM cluster c JOIN data_center z ON z.id = c.data_center_id \
            WHERE c.removed IS NULL AND c.hypervisor_type = 'XenServer' AND z.uuid IS NOT NULL";
        self.db().rows(sql, Vec::new()).await?.iter().map(|row| row.at(0)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn plan(store: &Store, filter: &VolumeFilter) -> String {
        filter.condition().plan(store, "volumes").await
    }

    #[tokio::test]
    async fn pages_come_from_an_index_in_their_order() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let owned = Owners { accounts: Some(vec![3]), ..Owners::default() };
        for (filter, index) in [
            (VolumeFilter::default(), "COVERING INDEX i_volumes__page"),
            (VolumeFilter { zone_id: Some(1), ..VolumeFilter::default() }, "COVERING INDEX i_volumes__page"),
            (VolumeFilter { owners: owned, ..VolumeFilter::default() }, "COVERING INDEX i_volumes__account_page"),
            (VolumeFilter { pool_id: Some(1), ..VolumeFilter::default() }, "COVERING INDEX i_volumes__pool_page"),
            (
                VolumeFilter { state: Some("Ready".into()), ..VolumeFilter::default() },
                "COVERING INDEX i_volumes__state_page",
            ),
        ] {
            let plan = plan(&store, &filter).await;
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
        }
        for (filter, index) in [
            (VolumeFilter { name: Some("a".into()), ..VolumeFilter::default() }, "i_volumes__name"),
            (VolumeFilter { vm_id: Some(1), ..VolumeFilter::default() }, "i_volumes__instance_id"),
            (VolumeFilter { cluster_id: Some(1), ..VolumeFilter::default() }, "i_volumes__pool_page (pool_id=?"),
            (VolumeFilter { ids: Some(vec![1, 2]), ..VolumeFilter::default() }, "INTEGER PRIMARY KEY"),
        ] {
            let plan = plan(&store, &filter).await;
            assert!(plan.lines().any(|line| line.contains("t USING") && line.contains(index)), "{filter:?}: {plan}");
        }
    }
}
