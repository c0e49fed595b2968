//! Hosts (`contract/entities.md 2.4, 3.5 to 3.7`).

use std::collections::BTreeMap;

use super::{Columns, columns};
use crate::args;
use crate::model::{CapacityKind, HostEvent, HostState, Secret, Timestamp};
use crate::store::guards::{accepting, unsure};
use crate::store::inventory::OF_HOST;
use crate::store::{StoreError, Tx, Value};

/// The Java class that drives a Hyper-V host, which its row names.
const RESOURCE: &str = "com.cloud.hypervisor.hyperv.resource.HypervDirectConnectResource";

/// A host to be written, with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct HostRows {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Address literal of its agent.
    pub ip: String,
    /// Netmask of that address.
    pub netmask: Option<String>,
    /// MAC of that address.
    pub mac: Option<String>,
    /// Zone, pod and cluster.
    pub place: (i64, i64, i64),
    /// Sockets.
    pub sockets: Option<i64>,
    /// Cores.
    pub cpus: i64,
    /// MHz of a core.
    pub speed_mhz: i64,
    /// Memory, bytes.
    pub memory_bytes: i64,
    /// Memory kept for the host itself, bytes.
    pub reserved_memory_bytes: i64,
    /// Hypervisor type.
    pub hypervisor: String,
    /// Hypervisor version.
    pub hypervisor_version: Option<String>,
    /// The CloudStack version that clients are told.
    pub version: String,
    /// What it can do.
    pub capabilities: Option<String>,
    /// Guid.
    pub guid: String,
    /// The cluster's guid, which the cluster's row gets if it has none.
    pub cluster_guid: String,
    /// CloudStack's number of the server that talks to it.
    pub server_id: Option<i64>,
    /// Whether it is to be given work.
    pub enabled: bool,
    /// What people say that it is for.
    pub tags: Vec<String>,
    /// Access groups of storage, separated by commas.
    pub access_groups: Option<String>,
    /// What else is kept about it (`host_details`), without the password.
    pub details: BTreeMap<String, String>,
    /// The password that its administrator gave.
    pub password: Secret,
}

/// What is changed of a host; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct HostChange {
    /// Name.
    pub name: Option<String>,
    /// The new resource state, and the one that it is expected to be in.
    pub resource_state: Option<(&'static str, String)>,
    /// Its tags, and whether they are a rule.
    pub tags: Option<(Vec<String>, bool)>,
    /// Rows of `host_details`; an empty value takes the row away.
    pub details: Vec<(&'static str, String)>,
}

impl Tx {
    /// Status and resource state of a host, as they stand now; `None` for one that is removed.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_status(&mut self, id: i64) -> Result<Option<(String, String)>, StoreError> {
        let row =
            self.row("SELECT status, resource_state FROM host WHERE id = ? AND removed IS NULL", args![id]).await?;
        row.map(|row| Ok((row.at(0)?, row.at(1)?))).transpose()
    }

    /// Whether a living host has this guid.
    ///
    /// # Errors
    /// See [`Tx::estate_hold`]; the same holds for all functions of this file.
    pub async fn host_guid_taken(&mut self, guid: &str) -> Result<bool, StoreError> {
        Ok(self.row("SELECT id FROM host WHERE guid = ? LIMIT 1", args![guid]).await?.is_some())
    }

    /// Writes a new host, `Connecting`, with its details, tags and rows of capacity, and gives its number.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_insert(&mut self, host: &HostRows) -> Result<i64, StoreError> {
        let (zone_id, pod_id, cluster_id) = host.place;
        let sql = "UPDATE cluster SET guid = ? WHERE id = ? AND guid IS NULL";
        self.run(sql, args![&host.cluster_guid, cluster_id]).await?;
        let id = self.row_add("host", host_columns(host)).await?;
        self.host_password_write(id, &host.password).await?;
        for (name, value) in &host.details {
            let row = columns! { "host_id": id, "name": name, "value": value };
            self.row_insert("host_details", row).await?;
        }
        self.host_tags_insert(id, &host.tags, false).await?;
        for (kind, total) in [
            (CapacityKind::CpuCore, host.cpus),
            (CapacityKind::Memory, host.memory_bytes - host.reserved_memory_bytes),
            (CapacityKind::Cpu, host.cpus * host.speed_mhz),
        ] {
            self.capacity_insert(kind, id, (zone_id, Some(pod_id), Some(cluster_id)), (0, total)).await?;
        }
        Ok(id)
    }

    async fn host_tags_insert(&mut self, host_id: i64, tags: &[String], rule: bool) -> Result<(), StoreError> {
        for tag in tags {
            let row = columns! { "host_id": host_id, "tag": tag, "is_tag_a_rule": rule };
            self.row_insert("host_tags", row).await?;
        }
        Ok(())
    }

    /// Notes that a host that was just written is connected.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_connected(&mut self, id: i64) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE host SET status = 'Up', setup = 1, last_ping = ?, update_count = update_count + 1 WHERE id = ? AND {}",
            accepting::<HostState>("status", HostEvent::Answers)
        );
        self.run(&sql, args![ping_now(), id]).await?;
        Ok(())
    }

    /// Takes back what [`Tx::host_insert`] wrote, and the host's pools: nothing was ever placed on it.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_forget(&mut self, id: i64) -> Result<(), StoreError> {
        for pool_id in self.local_pools_of(id).await? {
            self.pool_forget(pool_id).await?;
        }
        self.host_belongings_delete(id).await?;
        self.run("DELETE FROM host WHERE id = ?", args![id]).await?;
        Ok(())
    }

    /// Everything that hangs on a host but its pools.
    async fn host_belongings_delete(&mut self, id: i64) -> Result<(), StoreError> {
        for table in ["host_details", "host_tags", "storage_pool_host_ref", "motion_host_load"] {
            self.run(&format!("DELETE FROM {table} WHERE host_id = ?"), args![id]).await?;
        }
        // Rows of storage have a pool's number in this column.
        let sql = "DELETE FROM op_host_capacity WHERE host_id = ? AND capacity_type IN (0, 1, 90)";
        self.run(sql, args![id]).await?;
        Ok(())
    }

    /// Writes what is changed of a host.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its resource state is not the expected one any more.
    pub async fn host_change(&mut self, id: i64, change: &HostChange) -> Result<(), StoreError> {
        if let Some((to, from)) = &change.resource_state {
            let sql = "UPDATE host SET resource_state = ?, update_count = update_count + 1 WHERE id = ? AND resource_state = ?";
            self.exactly_one(sql, args![*to, id, from], || format!("host {id}")).await?;
        }
        if let Some(name) = &change.name {
            self.row_change("host", id, columns! { "name": name }).await?;
        }
        if let Some((tags, rule)) = &change.tags {
            self.run("DELETE FROM host_tags WHERE host_id = ? AND is_implicit = 0", args![id]).await?;
            self.host_tags_insert(id, tags, *rule).await?;
        }
        for (name, value) in &change.details {
            self.run("DELETE FROM host_details WHERE host_id = ? AND name = ?", args![id, *name]).await?;
            if !value.is_empty() {
                let row = columns! { "host_id": id, "name": *name, "value": value };
                self.row_insert("host_details", row).await?;
            }
        }
        Ok(())
    }

    /// The names of machines that are on a host, on their way to it or from it.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_machines(&mut self, id: i64) -> Result<Vec<String>, StoreError> {
        let sql = format!("SELECT instance_name FROM vm_instance {OF_HOST}");
        self.rows(&sql, args![id, id]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// Whether a motion that is not over comes from this host or goes to it.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_in_motion(&mut self, id: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT m.id FROM motion_migration m WHERE (m.source_host_id = ? OR m.target_host_id = ?) AND {} LIMIT 1",
            unsure()
        );
        self.motion_concerns(&sql, id).await
    }

    /// The pools that only this host reaches.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn local_pools_of(&mut self, host_id: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT p.id FROM storage_pool p JOIN storage_pool_host_ref r ON r.pool_id = p.id \
            WHERE r.host_id = ? AND p.scope = 'HOST' AND p.removed IS NULL ORDER BY p.id";
        self.rows(sql, args![host_id]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// Removes a host: it gives its guid and cluster away, its details, tags and capacity go, and the certificate that its
    /// address was known by is forgotten, so that the next host there is met anew.
    ///
    /// # Errors
    /// See [`Tx::host_guid_taken`].
    pub async fn host_remove(&mut self, id: i64, ip: &str) -> Result<(), StoreError> {
        self.host_belongings_delete(id).await?;
        let address = if ip.contains(':') { format!("[{ip}]:%") } else { format!("{ip}:%") };
        self.run("DELETE FROM motion_pin WHERE address LIKE ?", args![address]).await?;
        let sql = format!(
            "UPDATE host SET status = 'Removed', guid = NULL, cluster_id = NULL, mgmt_server_id = NULL, removed = ?, \
             update_count = update_count + 1 WHERE id = ? AND {}",
            accepting::<HostState>("status", HostEvent::Remove)
        );
        self.run(&sql, args![Timestamp::now(), id]).await?;
        // Machines that are switched off keep no thread to a host that is gone.
        self.run("UPDATE vm_instance SET last_host_id = NULL WHERE last_host_id = ? AND state = 'Stopped'", args![id])
            .await?;
        Ok(())
    }
}

/// The time of a greeting as CloudStack keeps it: milliseconds without their last ten bits.
fn ping_now() -> i64 {
    (Timestamp::now().unix() * 1000) >> 10
}

fn host_columns(host: &HostRows) -> Columns {
    let (zone_id, pod_id, cluster_id) = host.place;
    let mut row: Columns = columns! {
        "uuid": &host.uuid, "name": &host.name, "status": "Connecting", "type": "Routing", "cluster_id": cluster_id,
        "data_center_id": zone_id, "pod_id": pod_id, "cpu_sockets": host.sockets, "cpus": host.cpus,
        "speed": host.speed_mhz, "hypervisor_type": &host.hypervisor,
        "hypervisor_version": host.hypervisor_version.as_deref(), "ram": host.memory_bytes, "resource": RESOURCE,
        "version": &host.version, "capabilities": host.capabilities.as_deref(), "guid": &host.guid, "available": true,
        "setup": false, "dom0_memory": host.reserved_memory_bytes, "last_ping": ping_now(),
        "mgmt_server_id": host.server_id, "created": Timestamp::now(), "update_count": 1_i64,
        "resource_state": if host.enabled { "Enabled" } else { "Disabled" }, "arch": "x86_64",
        "storage_access_groups": host.access_groups.as_deref(),
    };
    for (ip, netmask, mac) in [
        ("private_ip_address", "private_netmask", "private_mac_address"),
        ("storage_ip_address", "storage_netmask", "storage_mac_address"),
    ] {
        row.push((ip, Value::from(&host.ip)));
        row.push((netmask, Value::from(host.netmask.as_deref())));
        row.push((mac, Value::from(host.mac.as_deref())));
    }
    row
}
