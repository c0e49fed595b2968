//! Machines that another control plane made for its own work: the filters of `listSystemVms` and `listRouters`, and the wide
//! rows.

use super::{Condition, Owners, Window};
use crate::store::{Row, Store, StoreError, Value};

/// What system machines can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct SystemMachineFilter {
    /// Types in the table: `ConsoleProxy`, `SecondaryStorageVm`, `DomainRouter`, `InternalLoadBalancerVm`.
    pub kinds: Vec<&'static str>,
    /// Only this one.
    pub id: Option<i64>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in name or state.
    pub keyword: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In this pod.
    pub pod_id: Option<i64>,
    /// On a host of this cluster.
    pub cluster_id: Option<i64>,
    /// On this host.
    pub host_id: Option<i64>,
    /// With a disk in this pool.
    pub pool_id: Option<i64>,
    /// With a card in this network.
    pub network_id: Option<i64>,
    /// Whose.
    pub owners: Owners,
}

const MACHINE: &str = "SELECT v.id, v.uuid, v.name, v.type, v.state, v.created, v.hypervisor_type, z.uuid AS zone_uuid, \
    z.name AS zone_name, z.dns1, b.uuid AS pod_uuid, b.name AS pod_name, h.uuid AS host_uuid, h.name AS host_name, \
    h.status AS host_status, h.resource_state AS host_resource_state, t.uuid AS template_uuid, t.name AS template_name, \
    t.arch, s.uuid AS offering_uuid, s.name AS offering_name, v.dynamically_scalable, a.account_name, \
    a.type AS account_type, j.uuid AS project_uuid, j.name AS project_name, d.uuid AS domain_uuid, d.name AS domain_name, \
    d.path AS domain_path FROM vm_instance v LEFT JOIN data_center z ON z.id = v.data_center_id \
    LEFT JOIN host_pod_ref b ON b.id = v.pod_id LEFT JOIN host h ON h.id = v.host_id \
    LEFT JOIN vm_template t ON t.id = v.vm_template_id LEFT JOIN service_offering s ON s.id = v.service_offering_id \
    LEFT JOIN account a ON a.id = v.account_id LEFT JOIN projects j ON j.project_account_id = v.account_id \
    LEFT JOIN domain d ON d.id = v.domain_id WHERE v.id IN ({ids})";

impl Store {
    /// The ids of a page of system machines, oldest first, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn system_machines_page(
        &self,
        filter: &SystemMachineFilter,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        let mut condition = Condition::living();
        let marks = vec!["?"; filter.kinds.len()].join(", ");
        condition.and(&format!("t.type IN ({marks})"), filter.kinds.iter().map(|kind| Value::from(*kind)));
        filter.owners.narrow(&mut condition);
        condition.equal("t.id", filter.id);
        condition.equal("t.name", filter.name.as_ref());
        condition.contains(&["t.name", "t.state"], filter.keyword.as_deref());
        condition.equal("t.state", filter.state.as_ref());
        condition.equal("t.data_center_id", filter.zone_id);
        condition.equal("t.pod_id", filter.pod_id);
        condition.equal("t.host_id", filter.host_id);
        condition.placed(filter.cluster_id, filter.pool_id, filter.network_id);
        self.page("vm_instance t", &condition, "t.id", window).await
    }

    /// Everything the views of system machines need, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::system_machines_page`].
    pub async fn system_machine_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(MACHINE, ids).await
    }
}
