//! Volumes, VMs, hosts, pools and offerings, one at a time: what checks and plans read.

use std::collections::HashMap;

use futures_util::future::try_join;

use super::value::Row;
use super::{Store, StoreError};
use crate::args;
use crate::model::{DiskOffering, Host, Pool, Scope, ServiceOffering, Vm, VmState, Volume, VolumeState};

pub(super) const VOLUME: &str = "SELECT id, uuid, name, state, volume_type, pool_id, instance_id, device_id, path, format, size, \
    account_id, domain_id, data_center_id, disk_offering_id, passphrase_id, kms_key_id, update_count, removed FROM volumes";
pub(super) const VM: &str = "SELECT id, uuid, name, instance_name, state, type, host_id, last_host_id, pod_id, data_center_id, \
    hypervisor_type, service_offering_id, account_id, domain_id, update_count, removed FROM vm_instance";
/// The machines that are on a host, on their way to it or from it. Takes the host twice.
pub(super) const OF_HOST: &str = "WHERE removed IS NULL AND ((host_id = ? AND state IN ('Starting', 'Running', 'Stopping', \
    'Migrating', 'Error', 'Unknown')) OR (last_host_id = ? AND state = 'Migrating')) ORDER BY id";
pub(super) const HOST: &str = "SELECT id, uuid, name, type, status, resource_state, private_ip_address, guid, data_center_id, pod_id, \
    cluster_id, hypervisor_type, hypervisor_version, storage_access_groups, removed FROM host";
pub(super) const POOL: &str = "SELECT id, uuid, name, pool_type, host_address, port, path, status, scope, data_center_id, pod_id, \
    cluster_id, hypervisor, managed, capacity_bytes, used_bytes, removed FROM storage_pool";

/// Splits a comma separated column.
pub(super) fn words(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// What [`disk_offering`] reads, up to the table.
pub(super) const DISK_OFFERING: &str = "SELECT id, uuid, tags, use_local_storage, removed FROM disk_offering";

/// A row of [`DISK_OFFERING`].
pub(super) fn disk_offering(row: &Row) -> Result<DiskOffering, StoreError> {
    Ok(DiskOffering {
        id: row.get("id")?,
        uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
        tags: words(row.get("tags")?),
        local: row.get("use_local_storage")?,
        removed: removed(row)?,
    })
}

fn removed(row: &Row) -> Result<bool, StoreError> {
    Ok(row.get::<Option<String>>("removed")?.is_some())
}

pub(super) fn volume(row: &Row) -> Result<Volume, StoreError> {
    let state: Option<String> = row.get("state")?;
    Ok(Volume {
        id: row.get("id")?,
        uuid: row.get("uuid")?,
        name: row.get::<Option<String>>("name")?.unwrap_or_default(),
        state: state.as_deref().and_then(VolumeState::parse).unwrap_or(VolumeState::Allocated),
        kind: row.get("volume_type")?,
        pool_id: row.get("pool_id")?,
        vm_id: row.get("instance_id")?,
        device_id: row.get("device_id")?,
        path: row.get("path")?,
        format: row.get("format")?,
        size_bytes: row.get("size")?,
        account_id: row.get("account_id")?,
        domain_id: row.get("domain_id")?,
        zone_id: row.get("data_center_id")?,
        disk_offering_id: row.get("disk_offering_id")?,
        encrypted: row.get::<Option<i64>>("passphrase_id")?.is_some()
            || row.get::<Option<i64>>("kms_key_id")?.is_some(),
        update_count: row.get("update_count")?,
        removed: removed(row)?,
    })
}

pub(super) fn vm(row: &Row) -> Result<Vm, StoreError> {
    let state: String = row.get("state")?;
    Ok(Vm {
        id: row.get("id")?,
        uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
        name: row.get("name")?,
        instance_name: row.get("instance_name")?,
        state: VmState::parse(&state).unwrap_or(VmState::Unknown),
        kind: row.get("type")?,
        host_id: row.get("host_id")?,
        last_host_id: row.get("last_host_id")?,
        pod_id: row.get("pod_id")?,
        zone_id: row.get("data_center_id")?,
        hypervisor: row.get::<Option<String>>("hypervisor_type")?.unwrap_or_default(),
        service_offering_id: row.get("service_offering_id")?,
        account_id: row.get("account_id")?,
        domain_id: row.get("domain_id")?,
        update_count: row.get("update_count")?,
        removed: removed(row)?,
    })
}

pub(super) fn host(row: &Row) -> Result<Host, StoreError> {
    Ok(Host {
        id: row.get("id")?,
        uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
        name: row.get("name")?,
        kind: row.get("type")?,
        status: row.get("status")?,
        resource_state: row.get("resource_state")?,
        private_ip: row.get("private_ip_address")?,
        guid: row.get("guid")?,
        zone_id: row.get("data_center_id")?,
        pod_id: row.get("pod_id")?,
        cluster_id: row.get("cluster_id")?,
        hypervisor: row.get::<Option<String>>("hypervisor_type")?.unwrap_or_default(),
        hypervisor_version: row.get("hypervisor_version")?,
        storage_access_groups: words(row.get("storage_access_groups")?),
        removed: removed(row)?,
    })
}

/// Pools with their tags.
fn tagged(rows: &[Row], tags: &HashMap<i64, Vec<Row>>) -> Result<Vec<Pool>, StoreError> {
    let mut pools: Vec<Pool> = rows.iter().map(pool).collect::<Result<_, _>>()?;
    for pool in &mut pools {
        for row in tags.get(&pool.id).into_iter().flatten() {
            pool.tags.push(row.get("tag")?);
            pool.tag_is_rule |= row.get::<bool>("is_tag_a_rule")?;
        }
    }
    Ok(pools)
}

fn pool(row: &Row) -> Result<Pool, StoreError> {
    let scope: Option<String> = row.get("scope")?;
    Ok(Pool {
        id: row.get("id")?,
        uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
        name: row.get::<Option<String>>("name")?.unwrap_or_default(),
        kind: row.get("pool_type")?,
        host_address: row.get("host_address")?,
        port: row.get("port")?,
        path: row.get("path")?,
        status: row.get::<Option<String>>("status")?.unwrap_or_default(),
        scope: match scope.as_deref() {
            Some("HOST") => Scope::Host,
            Some("CLUSTER") => Scope::Cluster,
            Some("ZONE") => Scope::Zone,
            _ => Scope::Other,
        },
        zone_id: row.get("data_center_id")?,
        pod_id: row.get("pod_id")?,
        cluster_id: row.get("cluster_id")?,
        hypervisor: row.get("hypervisor")?,
        managed: row.get("managed")?,
        capacity_bytes: row.get::<Option<i64>>("capacity_bytes")?.unwrap_or_default(),
        used_bytes: row.get::<Option<i64>>("used_bytes")?.unwrap_or_default(),
        tags: Vec::new(),
        tag_is_rule: false,
        removed: removed(row)?,
    })
}

/// The pools that hosts of a cluster in a zone may reach.
const AROUND: &str = "WHERE (cluster_id = ? OR (cluster_id IS NULL AND data_center_id = ?)) AND removed IS NULL AND parent = 0 \
    ORDER BY id";
/// The pools that a host has connected.
const CONNECTED: &str = "WHERE id IN (SELECT pool_id FROM storage_pool_host_ref WHERE host_id = ?) AND removed IS NULL \
    AND parent = 0 ORDER BY id";

impl Store {
    /// The volume with the internal id, also when it has been removed.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; the same holds for all functions of this file.
    pub async fn volume_by_id(&self, id: i64) -> Result<Option<Volume>, StoreError> {
        self.db().row(&format!("{VOLUME} WHERE id = ?"), args![id]).await?.as_ref().map(volume).transpose()
    }

    /// The volume with the public id, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn volume_by_uuid(&self, uuid: &str) -> Result<Option<Volume>, StoreError> {
        self.db().row(&format!("{VOLUME} WHERE uuid = ?"), args![uuid]).await?.as_ref().map(volume).transpose()
    }

    /// The volumes of a VM that are not removed, ROOT first, then by position.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn volumes_of_vm(&self, vm_id: i64) -> Result<Vec<Volume>, StoreError> {
        let sql = format!("{VOLUME} WHERE instance_id = ? AND removed IS NULL ORDER BY device_id, id");
        self.db().rows(&sql, args![vm_id]).await?.iter().map(volume).collect()
    }

    /// The VM with the internal id, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn vm_by_id(&self, id: i64) -> Result<Option<Vm>, StoreError> {
        self.db().row(&format!("{VM} WHERE id = ?"), args![id]).await?.as_ref().map(vm).transpose()
    }

    /// The host with the internal id, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn host_by_id(&self, id: i64) -> Result<Option<Host>, StoreError> {
        self.db().row(&format!("{HOST} WHERE id = ?"), args![id]).await?.as_ref().map(host).transpose()
    }

    /// The host that a VM is on, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn host_of_vm(&self, vm_id: i64) -> Result<Option<Host>, StoreError> {
        let sql = format!("{HOST} WHERE id = (SELECT v.host_id FROM vm_instance v WHERE v.id = ?)");
        self.db().row(&sql, args![vm_id]).await?.as_ref().map(host).transpose()
    }

    /// The hypervisor hosts of a zone that are not removed, by id.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn hosts_of_zone(&self, zone_id: i64) -> Result<Vec<Host>, StoreError> {
        let sql = format!("{HOST} WHERE data_center_id = ? AND type = 'Routing' AND removed IS NULL ORDER BY id");
        self.db().rows(&sql, args![zone_id]).await?.iter().map(host).collect()
    }

    /// All hypervisor hosts of one hypervisor type that are not removed, by id.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn hosts_of_hypervisor(&self, hypervisor: &str) -> Result<Vec<Host>, StoreError> {
        let sql = format!("{HOST} WHERE hypervisor_type = ? AND type = 'Routing' AND removed IS NULL ORDER BY id");
        self.db().rows(&sql, args![hypervisor]).await?.iter().map(host).collect()
    }

    /// The pool with the internal id, with its tags, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pool_by_id(&self, id: i64) -> Result<Option<Pool>, StoreError> {
        self.pool_where("id = ?", args![id]).await
    }

    /// The pool with the public id, with its tags, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pool_by_uuid(&self, uuid: &str) -> Result<Option<Pool>, StoreError> {
        self.pool_where("uuid = ?", args![uuid]).await
    }

    async fn pool_where(&self, condition: &str, args: Vec<super::Value>) -> Result<Option<Pool>, StoreError> {
        let row = self.db().row(&format!("{POOL} WHERE {condition}"), args).await?;
        Ok(self.pools_with_tags(row.as_slice()).await?.pop())
    }

    pub(super) async fn pools_with_tags(&self, rows: &[Row]) -> Result<Vec<Pool>, StoreError> {
        let ids = rows.iter().map(|row| row.get("id")).collect::<Result<Vec<i64>, _>>()?;
        tagged(rows, &self.storage_pool_tags_of(&ids).await?)
    }

    /// The pools of a zone that are not removed, with their tags, by id.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pools_of_zone(&self, zone_id: i64) -> Result<Vec<Pool>, StoreError> {
        let sql = format!("{POOL} WHERE data_center_id = ? AND removed IS NULL AND parent = 0 ORDER BY id");
        self.pools_with_tags(&self.db().rows(&sql, args![zone_id]).await?).await
    }

    /// The pools of a zone that hosts of a cluster may reach, as [`Store::pools_of_zone`]: those of the whole zone, the cluster's
    /// and those of its hosts. A zone may have ten thousand others.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pools_around(&self, zone_id: i64, cluster_id: Option<i64>) -> Result<Vec<Pool>, StoreError> {
        let rows = self.db().rows(&format!("{POOL} {AROUND}"), args![cluster_id, zone_id]).await?;
        self.pools_with_tags(&rows).await
    }

    /// The pools with these internal ids, with their tags, also those that have been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pools_by_id(&self, ids: &[i64]) -> Result<Vec<Pool>, StoreError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let marks = vec!["?"; ids.len()].join(", ");
        let args = ids.iter().map(|id| (*id).into()).collect();
        let sql = format!("{POOL} WHERE id IN ({marks})");
        let (rows, tags) = try_join(self.db().rows(&sql, args), self.storage_pool_tags_of(ids)).await?;
        tagged(&rows, &tags)
    }

    /// The pools that a host has connected, as [`Store::pools_of_zone`].
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pools_connected(&self, host_id: i64) -> Result<Vec<Pool>, StoreError> {
        let rows = self.db().rows(&format!("{POOL} {CONNECTED}"), args![host_id]).await?;
        self.pools_with_tags(&rows).await
    }

    /// The ids of the pools that the host has connected (`storage_pool_host_ref`).
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pools_of_host(&self, host_id: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT pool_id FROM storage_pool_host_ref WHERE host_id = ? ORDER BY pool_id";
        self.db().rows(sql, args![host_id]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// The ids of the hosts that have the pool connected (`storage_pool_host_ref`), not removed ones only.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn hosts_of_pool(&self, pool_id: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT host_id FROM storage_pool_host_ref WHERE pool_id = ? ORDER BY host_id";
        self.db().rows(sql, args![pool_id]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// The service offering, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn service_offering_by_id(&self, id: i64) -> Result<Option<ServiceOffering>, StoreError> {
        let sql = "SELECT id, cpu, speed, ram_size, host_tag, disk_offering_strictness, \
            (SELECT COUNT(*) FROM service_offering_details d WHERE d.service_offering_id = o.id AND d.name = 'pciDevice') AS gpus \
            FROM service_offering o WHERE id = ?";
        let Some(row) = self.db().row(sql, args![id]).await? else { return Ok(None) };
        Ok(Some(ServiceOffering {
            id: row.get("id")?,
            cpus: row.get::<Option<i64>>("cpu")?.unwrap_or_default(),
            speed_mhz: row.get::<Option<i64>>("speed")?.unwrap_or_default(),
            memory_mib: row.get::<Option<i64>>("ram_size")?.unwrap_or_default(),
            host_tag: row.get("host_tag")?,
            disk_offering_strict: row.get("disk_offering_strictness")?,
            has_gpu: row.get("gpus")?,
        }))
    }

    /// The disk offering, also when it has been removed.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn disk_offering_by_id(&self, id: i64) -> Result<Option<DiskOffering>, StoreError> {
        let sql = format!("{DISK_OFFERING} WHERE id = ?");
        self.db().row(&sql, args![id]).await?.as_ref().map(disk_offering).transpose()
    }

    /// True when the VM has any VM snapshot, whatever its state.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn vm_has_snapshots(&self, vm_id: i64) -> Result<bool, StoreError> {
        self.exists("SELECT id FROM vm_snapshots WHERE vm_id = ? AND removed IS NULL LIMIT 1", vm_id).await
    }

    /// True while a snapshot of the volume is being made.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn volume_snapshot_in_progress(&self, volume_id: i64) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM snapshots WHERE volume_id = ? AND removed IS NULL \
            AND status IN ('Creating', 'CreatedOnPrimary', 'BackingUp') LIMIT 1";
        self.exists(sql, volume_id).await
    }

    async fn exists(&self, sql: &str, id: i64) -> Result<bool, StoreError> {
        Ok(self.db().row(sql, args![id]).await?.is_some())
    }

    /// Number of VMs that run on a host or are on their way to it.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn vms_on_host(&self, host_id: i64) -> Result<i64, StoreError> {
        let sql = "SELECT COUNT(*) FROM vm_instance WHERE host_id = ? AND removed IS NULL \
            AND state IN ('Starting', 'Running', 'Stopping', 'Migrating')";
        self.db().row(sql, args![host_id]).await?.map_or(Ok(0), |row| row.at(0))
    }

    /// The name of a zone.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn zone_name(&self, zone_id: i64) -> Result<String, StoreError> {
        let row = self.db().row("SELECT name FROM data_center WHERE id = ?", args![zone_id]).await?;
        row.map_or(Ok(String::new()), |row| Ok(row.get::<Option<String>>("name")?.unwrap_or_default()))
    }

    /// The tags of a host.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn host_tags(&self, host_id: i64) -> Result<Vec<String>, StoreError> {
        let rows = self.db().rows("SELECT tag FROM host_tags WHERE host_id = ? ORDER BY id", args![host_id]).await?;
        rows.iter().map(|row| row.at(0)).collect()
    }

    /// A detail of a host (`host_details`).
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn host_detail(&self, host_id: i64, name: &str) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM host_details WHERE host_id = ? AND name = ?";
        self.db().row(sql, args![host_id, name]).await?.map(|row| row.at(0)).transpose()
    }

    /// The clusters of a zone with their hypervisor types.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn cluster_hypervisors(&self, zone_id: i64) -> Result<Vec<(i64, String)>, StoreError> {
        let sql = "SELECT id, hypervisor_type FROM cluster WHERE data_center_id = ? AND removed IS NULL";
        let rows = self.db().rows(sql, args![zone_id]).await?;
        rows.iter().map(|row| Ok((row.at(0)?, row.at::<Option<String>>(1)?.unwrap_or_default()))).collect()
    }

    /// The name of a pod; nothing where there is none.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn pod_name(&self, pod_id: Option<i64>) -> Result<String, StoreError> {
        let row = self.db().row("SELECT name FROM host_pod_ref WHERE id = ?", args![pod_id]).await?;
        row.map_or(Ok(String::new()), |row| Ok(row.get::<Option<String>>("name")?.unwrap_or_default()))
    }
}

impl super::Tx {
    /// The VM with the internal id, as this transaction sees it.
    ///
    /// # Errors
    /// See [`Store::volume_by_id`].
    pub async fn vm_in(&mut self, id: i64) -> Result<Option<Vm>, StoreError> {
        self.row(&format!("{VM} WHERE id = ?"), args![id]).await?.as_ref().map(vm).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pools_of_a_zone_are_not_looked_through_for_those_of_a_host() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let around = store.plan(&format!("{POOL} {AROUND}"), args![1, 2]).await;
        assert!(around.contains("INDEX i_storage_pool__cluster_id"), "{around}");
        let connected = store.plan(&format!("{POOL} {CONNECTED}"), args![1]).await;
        assert!(connected.contains("INDEX i_storage_pool_host_ref__host_id"), "{connected}");
        for plan in [around, connected] {
            assert!(!plan.contains("SCAN"), "{plan}");
        }
    }
}
