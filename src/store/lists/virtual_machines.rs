//! Machines of users: the filters of `listVirtualMachines` (`contract/entities.md 1.6`) and the wide rows.

use std::collections::HashMap;

use super::extras::grouped;
use super::{Condition, Owners, ResourceKind, TagFilter, Window};
use crate::store::value::{Row, Value};
use crate::store::{Store, StoreError};

/// What `listVirtualMachines` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct VirtualMachineFilter {
    /// Whose.
    pub owners: Owners,
    /// Only these.
    pub ids: Option<Vec<i64>>,
    /// A word in its names or addresses, or exactly its state.
    pub keyword: Option<String>,
    /// True to search for the word in the name that the hypervisor knows as well.
    pub keyword_in_instance_name: bool,
    /// With exactly this name.
    pub name: Option<String>,
    /// In this state; `Present` means neither destroyed nor being expunged.
    pub state: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In this pod. Leaves out destroyed ones unless a state is asked for, as in CloudStack.
    pub pod_id: Option<i64>,
    /// On a host of this cluster.
    pub cluster_id: Option<i64>,
    /// On this host.
    pub host_id: Option<i64>,
    /// With a disk in this pool.
    pub pool_id: Option<i64>,
    /// With a card in this network.
    pub network_id: Option<i64>,
    /// With this hypervisor.
    pub hypervisor: Option<String>,
    /// Made from this template.
    pub template_id: Option<i64>,
    /// With this image in its drive.
    pub iso_id: Option<i64>,
    /// With this service offering.
    pub service_offering_id: Option<i64>,
    /// In this affinity group.
    pub affinity_group_id: Option<i64>,
    /// Made by this user.
    pub user_id: Option<i64>,
    /// Shown to ordinary users, or not.
    pub displayed: Option<bool>,
    /// Started again after failures, or not.
    pub ha_enabled: Option<bool>,
    /// For processors of this kind.
    pub arch: Option<String>,
    /// True to leave out destroyed ones, whatever state is asked for.
    pub hide_destroyed: bool,
    /// True to show appliances only, false to leave them out.
    pub appliances: Option<bool>,
    /// True to find nothing: something is asked for that no machine here has.
    pub nothing: bool,
    /// With one of these tags.
    pub tags: Vec<TagFilter>,
}

impl VirtualMachineFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("t.type = 'User'", []);
        if self.ids.is_some() || self.name.is_some() || self.cluster_id.is_some() {
            condition.rare();
        }
        self.owners.narrow(&mut condition);
        condition.one_of("t.id", self.ids.as_deref());
        self.search(&mut condition);
        condition.equal("t.name", self.name.as_ref());
        self.state(&mut condition);
        condition.equal("t.data_center_id", self.zone_id);
        condition.equal("t.pod_id", self.pod_id);
        condition.equal("t.host_id", self.host_id);
        condition.equal("t.hypervisor_type", self.hypervisor.as_ref());
        condition.equal("t.vm_template_id", self.template_id);
        condition.equal("t.service_offering_id", self.service_offering_id);
        condition.equal("t.user_id", self.user_id);
        condition.equal("t.display_vm", self.displayed);
        condition.equal("t.ha_enabled", self.ha_enabled);
        self.related(&mut condition);
        condition.tagged(ResourceKind::VirtualMachine, &self.tags);
        condition
    }

    fn search(&self, condition: &mut Condition) {
        let Some(word) = &self.keyword else { return };
        let pattern = Value::from(format!("%{word}%"));
        let mut text =
            "(t.display_name LIKE ? OR t.name LIKE ? OR t.state = ? OR t.id IN (SELECT instance_id FROM nics \
            WHERE removed IS NULL AND (ip4_address LIKE ? OR ip6_address LIKE ?))"
                .to_owned();
        let mut args = vec![pattern.clone(), pattern.clone(), word.into(), pattern.clone(), pattern.clone()];
        if self.keyword_in_instance_name {
            text.push_str(" OR t.instance_name LIKE ?");
            args.push(pattern);
        }
        text.push(')');
        condition.and(&text, args);
    }

    fn state(&self, condition: &mut Condition) {
        const PRESENT: &str = "t.state NOT IN ('Destroyed', 'Expunging')";
        match self.state.as_deref() {
            Some(word) if word.eq_ignore_ascii_case("Present") => condition.and(PRESENT, []),
            Some(state) => condition.equal("t.state", Some(state)),
            None if self.pod_id.is_some() => condition.and("t.state <> 'Destroyed'", []),
            None => {}
        }
        if self.hide_destroyed {
            condition.and(PRESENT, []);
        }
    }

    fn related(&self, condition: &mut Condition) {
        condition.placed(self.cluster_id, self.pool_id, self.network_id);
        condition.inside("t.id IN (SELECT id FROM user_vm WHERE iso_id = ?)", self.iso_id);
        let group = "t.id IN (SELECT instance_id FROM affinity_group_vm_map WHERE affinity_group_id = ?)";
        condition.inside(group, self.affinity_group_id);
        if self.nothing {
            condition.and("1 = 0", []);
        }
        if let Some(arch) = &self.arch {
            condition.and("t.vm_template_id IN (SELECT id FROM vm_template WHERE arch = ?)", [arch.into()]);
        }
        match self.appliances {
            Some(true) => condition.and("t.vm_template_id IN (SELECT id FROM vm_template WHERE type = 'VNF')", []),
            Some(false) => condition.and(
                "(t.vm_template_id IS NULL OR t.vm_template_id NOT IN (SELECT id FROM vm_template WHERE type = 'VNF'))",
                [],
            ),
            None => {}
        }
    }
}

const WIDE: &str = "SELECT v.id, v.uuid, v.name, v.display_name, v.instance_name, v.state, v.created, v.update_time, \
    v.ha_enabled, v.hypervisor_type, v.display_vm, v.dynamically_scalable, v.delete_protection, a.account_name, \
    a.type AS account_type, j.uuid AS project_uuid, j.name AS project_name, u.uuid AS user_uuid, u.username, \
    d.uuid AS domain_uuid, d.name AS domain_name, d.path AS domain_path, z.uuid AS zone_uuid, z.name AS zone_name, \
    h.uuid AS host_uuid, h.name AS host_name, h.status AS host_status, h.resource_state AS host_resource_state, \
    t.uuid AS template_uuid, t.name AS template_name, t.type AS template_type, t.format AS template_format, \
    t.display_text AS template_text, t.enable_password, t.arch, i.uuid AS iso_uuid, i.name AS iso_name, \
    i.display_text AS iso_text, i.bootable AS iso_bootable, s.uuid AS service_offering_uuid, s.name AS service_offering_name, \
    s.cpu, s.speed, s.ram_size, g.uuid AS guest_os_uuid, g.display_name AS guest_os_name, m.user_data, m.user_data_details, \
    m.user_vm_type FROM vm_instance v LEFT JOIN account a ON a.id = v.account_id \
    LEFT JOIN projects j ON j.project_account_id = v.account_id LEFT JOIN user u ON u.id = v.user_id \
    LEFT JOIN domain d ON d.id = v.domain_id LEFT JOIN data_center z ON z.id = v.data_center_id \
    LEFT JOIN host h ON h.id = v.host_id LEFT JOIN vm_template t ON t.id = v.vm_template_id \
    LEFT JOIN user_vm m ON m.id = v.id LEFT JOIN vm_template i ON i.id = m.iso_id \
    LEFT JOIN service_offering s ON s.id = v.service_offering_id LEFT JOIN guest_os g ON g.id = v.guest_os_id \
    WHERE v.id IN ({ids})";

impl Store {
    /// The ids of a page of machines, oldest first, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn virtual_machines_page(
        &self,
        filter: &VirtualMachineFilter,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("vm_instance t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a machine needs from its own row, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::virtual_machines_page`].
    pub async fn virtual_machine_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The living network cards of machines, by the machine's internal id, by device.
    ///
    /// # Errors
    /// See [`Store::virtual_machines_page`].
    pub async fn nics_of(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT n.instance_id, n.uuid, n.netmask, n.gateway, n.ip4_address, n.isolation_uri, n.broadcast_uri, \
            n.default_nic, n.mac_address, n.ip6_gateway, n.ip6_cidr, n.ip6_address, n.device_id, n.enabled, \
            w.uuid AS network_uuid, w.name AS network_name, w.traffic_type, w.guest_type \
            FROM nics n LEFT JOIN networks w ON w.id = n.network_id WHERE n.removed IS NULL AND n.instance_id IN ({ids}) \
            ORDER BY n.device_id, n.id";
        grouped(self.rows_of(sql, ids, &[]).await?, "instance_id")
    }

    /// The living disks of machines, by the machine's internal id, oldest first: what the view of a machine says of them.
    ///
    /// # Errors
    /// See [`Store::virtual_machines_page`].
    pub async fn disks_of(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        // The sign keeps the index on `removed` out of the way, as in `Condition::joined`.
        let sql = "SELECT v.instance_id, v.volume_type, v.device_id, p.pool_type, o.uuid AS disk_offering_uuid, \
            o.name AS disk_offering_name, o.compute_only FROM volumes v LEFT JOIN storage_pool p ON p.id = v.pool_id \
            LEFT JOIN disk_offering o ON o.id = v.disk_offering_id WHERE +v.removed IS NULL AND v.instance_id IN ({ids}) \
            ORDER BY v.id";
        grouped(self.rows_of(sql, ids, &[]).await?, "instance_id")
    }

    /// The affinity groups of machines, by the machine's internal id.
    ///
    /// # Errors
    /// See [`Store::virtual_machines_page`].
    pub async fn affinity_groups_of(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT m.instance_id, g.uuid, g.name, g.description, g.type, a.account_name, d.uuid AS domain_uuid, \
            d.name AS domain_name FROM affinity_group_vm_map m JOIN affinity_group g ON g.id = m.affinity_group_id \
            LEFT JOIN account a ON a.id = g.account_id LEFT JOIN domain d ON d.id = g.domain_id \
            WHERE m.instance_id IN ({ids}) ORDER BY g.id";
        grouped(self.rows_of(sql, ids, &[]).await?, "instance_id")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Projects;

    #[tokio::test]
    async fn pages_come_from_an_index_in_their_order() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let without_projects = Owners { projects: Projects::Skipped, ..Owners::default() };
        let owned = Owners { accounts: Some(vec![3]), ..Owners::default() };
        let filter = VirtualMachineFilter::default;
        for (filter, index) in [
            (filter(), "COVERING INDEX i_vm_instance__page"),
            (VirtualMachineFilter { owners: without_projects, ..filter() }, "i_account__type"),
            (VirtualMachineFilter { owners: owned, ..filter() }, "COVERING INDEX i_vm_instance__account_page"),
            (VirtualMachineFilter { host_id: Some(1), ..filter() }, "COVERING INDEX i_vm_instance__host_page"),
            (
                VirtualMachineFilter { state: Some("Stopped".into()), ..filter() },
                "COVERING INDEX i_vm_instance__state_page",
            ),
            (VirtualMachineFilter { name: Some("a".into()), ..filter() }, "i_vm_instance__name"),
            (
                VirtualMachineFilter { cluster_id: Some(1), ..filter() },
                "COVERING INDEX i_vm_instance__host_page (host_id=?",
            ),
            (VirtualMachineFilter { zone_id: Some(1), ..filter() }, "COVERING INDEX i_vm_instance__page"),
            (VirtualMachineFilter { pool_id: Some(1), ..filter() }, "COVERING INDEX i_volumes__pool_page (pool_id=?"),
        ] {
            let condition = filter.condition();
            let sql = format!("SELECT t.id FROM vm_instance t WHERE {} ORDER BY t.id LIMIT 20", condition.shown());
            let plan = store.plan(&sql, condition.args.clone()).await;
            assert!(plan.contains(index), "{filter:?}: {plan}");
            assert!(!plan.contains("SCAN"), "{filter:?}: {plan}");
        }
    }
}
