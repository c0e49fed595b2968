//! The objects `hypervisorCapabilities` and `hypervisorcapabilities` (`contract/migration.md 1.5`): the same fields under
//! two names, as in CloudStack.

use super::row::{flag, number, text};
use crate::store::{Row, Store, StoreError};

macro_rules! capabilities_view {
    ($(#[doc = $doc:literal])* $name:ident as $object:literal) => {
        crate::response! {
            $(#[doc = $doc])*
            pub struct $name as $object, Default {
                /// Its id.
                id: Option<String>,
                /// The version of the hypervisor, or `default`.
                hypervisor_version "hypervisorversion": Option<String>,
                /// The hypervisor.
                hypervisor: Option<String>,
                /// The most running machines of a host.
                max_guests_limit "maxguestslimit": Option<i64>,
                /// Whether security groups work.
                security_group_enabled "securitygroupenabled": bool,
                /// The most data disks of a machine.
                max_data_volumes_limit "maxdatavolumeslimit": Option<i64>,
                /// The most hosts of a cluster.
                max_hosts_per_cluster "maxhostspercluster": Option<i64>,
                /// Whether running machines can move together with their disks.
                storage_motion_enabled "storagemotionenabled": bool,
                /// Whether machines can be snapshotted.
                vm_snapshot_enabled "vmsnapshotenabled": bool,
            }
        }

        impl $name {
            fn read(row: &Row) -> Result<Self, StoreError> {
                Ok(Self {
                    id: text(row, "uuid")?,
                    hypervisor_version: text(row, "hypervisor_version")?,
                    hypervisor: text(row, "hypervisor_type")?,
                    max_guests_limit: number(row, "max_guests_limit")?,
                    security_group_enabled: flag(row, "security_group_enabled")?,
                    max_data_volumes_limit: number(row, "max_data_volumes_limit")?,
                    max_hosts_per_cluster: number(row, "max_hosts_per_cluster")?,
                    storage_motion_enabled: flag(row, "storage_motion_supported")?,
                    vm_snapshot_enabled: flag(row, "vm_snapshot_enabled")?,
                })
            }
        }
    };
}

capabilities_view! {
    /// What a version of a hypervisor can do.
    CapabilitiesView as "hypervisorCapabilities"
}

capabilities_view! {
    /// What a version of a hypervisor can do, after a change.
    CapabilitiesChangedView as "hypervisorcapabilities"
}

/// The rows with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn capabilities(store: &Store, ids: &[i64]) -> Result<Vec<CapabilitiesView>, StoreError> {
    store.capability_rows(ids).await?.iter().map(CapabilitiesView::read).collect()
}

/// One row, as the answer to its change; `None` when it is gone.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn capabilities_changed(store: &Store, id: i64) -> Result<Option<CapabilitiesChangedView>, StoreError> {
    store.capability_rows(&[id]).await?.first().map(CapabilitiesChangedView::read).transpose()
}
