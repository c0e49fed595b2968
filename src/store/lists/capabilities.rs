//! The rows of `hypervisor_capabilities` (`contract/migration.md 6`).

use super::{Condition, Window};
use crate::args;
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// What is to be changed in a row; `None` leaves the value as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilityChange {
    /// The most running machines of a host.
    pub max_guests: Option<i64>,
    /// Whether security groups work.
    pub security_groups: Option<bool>,
    /// The most data disks of a machine.
    pub max_data_volumes: Option<i64>,
    /// Whether running machines can move together with their disks.
    pub storage_motion: Option<bool>,
    /// The most hosts of a cluster.
    pub max_hosts_per_cluster: Option<i64>,
    /// Whether machines can be snapshotted.
    pub vm_snapshot: Option<bool>,
}

const WIDE: &str = "SELECT id, uuid, hypervisor_type, hypervisor_version, max_guests_limit, security_group_enabled, \
    max_data_volumes_limit, max_hosts_per_cluster, storage_motion_supported, vm_snapshot_enabled \
    FROM hypervisor_capabilities WHERE id IN ({ids})";

impl Store {
    /// The ids of a page of rows, and how many match in all: one row, a hypervisor's, those with a word in the hypervisor.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn capabilities_page(
        &self,
        id: Option<i64>,
        hypervisor: Option<&str>,
        keyword: Option<&str>,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        let mut condition = Condition::default();
        condition.equal("t.id", id);
        condition.equal("t.hypervisor_type", hypervisor);
        condition.contains(&["t.hypervisor_type"], keyword);
        self.page("hypervisor_capabilities t", &condition, "t.id", window).await
    }

    /// The rows with these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::capabilities_page`].
    pub async fn capability_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The row of a hypervisor and a version.
    ///
    /// # Errors
    /// See [`Store::capabilities_page`].
    pub async fn capability_of(&self, hypervisor: &str, version: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM hypervisor_capabilities WHERE hypervisor_type = ? AND hypervisor_version = ?";
        self.db().row(sql, args![hypervisor, version]).await?.map(|row| row.at(0)).transpose()
    }

    /// Copies a row for another version of the same hypervisor, and gives the copy's id.
    ///
    /// # Errors
    /// See [`Store::capabilities_page`]; a version that has a row is a database error.
    pub async fn capability_copy(&self, id: i64, version: &str) -> Result<i64, StoreError> {
        let sql = "INSERT INTO hypervisor_capabilities (uuid, hypervisor_type, hypervisor_version, max_guests_limit, \
            security_group_enabled, max_data_volumes_limit, max_hosts_per_cluster, storage_motion_supported, \
            vm_snapshot_enabled) SELECT ?, hypervisor_type, ?, max_guests_limit, security_group_enabled, \
            max_data_volumes_limit, max_hosts_per_cluster, storage_motion_supported, vm_snapshot_enabled \
            FROM hypervisor_capabilities WHERE id = ?";
        Ok(self.db().run(sql, args![uuid::Uuid::new_v4().to_string(), version, id]).await?.id)
    }

    /// Changes a row; false when there is no such row.
    ///
    /// # Errors
    /// See [`Store::capabilities_page`].
    pub async fn capability_change(&self, id: i64, change: &CapabilityChange) -> Result<bool, StoreError> {
        let sql = "UPDATE hypervisor_capabilities SET max_guests_limit = COALESCE(?, max_guests_limit), \
            security_group_enabled = COALESCE(?, security_group_enabled), \
            max_data_volumes_limit = COALESCE(?, max_data_volumes_limit), \
            storage_motion_supported = COALESCE(?, storage_motion_supported), \
            max_hosts_per_cluster = COALESCE(?, max_hosts_per_cluster), \
            vm_snapshot_enabled = COALESCE(?, vm_snapshot_enabled) WHERE id = ?";
        let args = args![
            change.max_guests,
            change.security_groups,
            change.max_data_volumes,
            change.storage_motion,
            change.max_hosts_per_cluster,
            change.vm_snapshot,
            id
        ];
        Ok(self.db().run(sql, args).await?.rows == 1)
    }
}
