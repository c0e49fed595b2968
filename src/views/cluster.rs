//! The object `cluster` (`contract/entities.md 1.3`), in the order in which CloudStack prints its fields.

use std::collections::BTreeMap;

use super::row::text;
use crate::api::Node;
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// Hosts of one hypervisor between which machines move.
    pub struct ClusterView as "cluster", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// The pod it is in.
        pod_id "podid": Option<String>,
        /// The name of that pod.
        pod_name "podname": Option<String>,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// Its hypervisor.
        hypervisor_type "hypervisortype": Option<String>,
        /// `CloudManaged` or `ExternalManaged`.
        cluster_type "clustertype": Option<String>,
        /// `Enabled` or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// `Managed`, normally.
        managed_state "managedstate": Option<String>,
        /// How much is left. Not filled here.
        capacity: Option<Vec<Node>>,
        /// How many times its MHz may be given away.
        cpu_overcommit_ratio "cpuovercommitratio": Option<String>,
        /// How many times its memory may be given away.
        memory_overcommit_ratio "memoryovercommitratio": Option<String>,
        /// The address of an OVM3 cluster. Not filled here.
        ovm3_vip "ovm3vip": Option<String>,
        /// Settings of it, without secrets.
        resource_details "resourcedetails": Option<BTreeMap<String, String>>,
        /// The kind of its processors.
        arch: Option<String>,
        /// Its access groups.
        storage_access_groups "storageaccessgroups": Option<String>,
        /// Those of its pod.
        pod_storage_access_groups "podstorageaccessgroups": Option<String>,
        /// Those of its zone.
        zone_storage_access_groups "zonestorageaccessgroups": Option<String>,
        /// The extension that drives it. Not filled here.
        extension_id "extensionid": Option<String>,
        /// The name of that extension. Not filled here.
        extension_name "extensionname": Option<String>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
    }
}

/// The clusters with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn clusters(store: &Store, ids: &[i64]) -> Result<Vec<ClusterView>, StoreError> {
    let rows = store.cluster_rows(ids).await?;
    let mut details = store.details_of(ResourceKind::Cluster, ids).await?;
    rows.iter().map(|row| cluster(row, details.remove(&row.get("id")?).unwrap_or_default())).collect()
}

fn cluster(row: &Row, mut details: BTreeMap<String, String>) -> Result<ClusterView, StoreError> {
    let ratio = |name: &str| Some(details.get(name).map_or("1.0", String::as_str).to_owned());
    let (cpu, memory) = (ratio("cpuOvercommitRatio"), ratio("memoryOvercommitRatio"));
    details.retain(|name, _| !["username", "password"].contains(&name.to_ascii_lowercase().as_str()));
    Ok(ClusterView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?,
        pod_id: text(row, "pod_uuid")?,
        pod_name: text(row, "pod_name")?,
        zone_id: text(row, "zone_uuid")?,
        zone_name: text(row, "zone_name")?,
        hypervisor_type: text(row, "hypervisor_type")?,
        cluster_type: text(row, "cluster_type")?,
        allocation_state: text(row, "allocation_state")?,
        managed_state: text(row, "managed_state")?,
        cpu_overcommit_ratio: cpu,
        memory_overcommit_ratio: memory,
        resource_details: Some(details),
        arch: text(row, "arch")?,
        storage_access_groups: text(row, "storage_access_groups")?,
        pod_storage_access_groups: text(row, "pod_groups")?,
        zone_storage_access_groups: text(row, "zone_groups")?,
        has_annotations: Some(false),
        ..ClusterView::default()
    })
}
