//! Machines and disks that were there before their rows (`contract/entities.md 3.12 to 3.15`).

use super::columns;
use crate::args;
use crate::model::{HYPERV, Timestamp};
use crate::store::{Store, StoreError, Tx};

/// A machine that has a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownVm {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// State.
    pub state: String,
    /// Host.
    pub host_id: Option<i64>,
}

/// A machine to be given a row.
#[derive(Clone, Debug)]
pub struct AdoptedVm {
    /// Public id.
    pub uuid: String,
    /// Its name in Hyper-V, which is also the name that users see.
    pub name: String,
    /// Whether it runs.
    pub running: bool,
    /// Its host.
    pub host_id: i64,
    /// Zone and pod.
    pub place: (i64, i64),
    /// Owner: account, its domain, the user who adopts.
    pub owner: (i64, i64, i64),
    /// What it is offered.
    pub service_offering_id: i64,
    /// What runs inside it.
    pub guest_os_id: i64,
}

/// A disk to be given a row.
#[derive(Clone, Debug)]
pub struct AdoptedVolume {
    /// Pool, its type, and its path without credentials.
    pub pool: (i64, String, String),
    /// Pod of the pool.
    pub pod_id: Option<i64>,
    /// File name without folder and ending.
    pub stem: String,
    /// `VHDX` or `VHD`.
    pub format: &'static str,
    /// Bytes that the machine sees.
    pub size_bytes: i64,
    /// What it is offered.
    pub disk_offering_id: i64,
}

const VOLUME_OF_FILE: &str =
    "SELECT name FROM volumes WHERE pool_id = ? AND path = ? AND removed IS NULL AND state <> 'Expunged' LIMIT 1";

impl Store {
    /// The machine that has this name at the hypervisor and is not removed.
    ///
    /// # Errors
    /// See [`Store::setting_number`]; the same holds for all functions of this file.
    pub async fn vm_by_instance_name(&self, name: &str) -> Result<Option<KnownVm>, StoreError> {
        let sql =
            "SELECT id, uuid, state, host_id FROM vm_instance WHERE instance_name = ? AND removed IS NULL LIMIT 1";
        let Some(row) = self.db().row(sql, args![name]).await? else { return Ok(None) };
        Ok(Some(KnownVm {
            id: row.get("id")?,
            uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
            state: row.get("state")?,
            host_id: row.get("host_id")?,
        }))
    }

    /// The number of the disk offering that belongs to a living service offering.
    ///
    /// # Errors
    /// See [`Store::vm_by_instance_name`].
    pub async fn disk_offering_of_service(&self, id: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT disk_offering_id FROM service_offering WHERE id = ? AND removed IS NULL";
        Ok(self.db().row(sql, args![id]).await?.map(|row| row.at::<Option<i64>>(0)).transpose()?.flatten())
    }

    /// The name of the volume whose file this is, if a row that is not removed says so.
    ///
    /// # Errors
    /// See [`Store::vm_by_instance_name`].
    pub async fn volume_of_file(&self, pool_id: i64, stem: &str) -> Result<Option<String>, StoreError> {
        let row = self.db().row(VOLUME_OF_FILE, args![pool_id, stem]).await?;
        Ok(row.map(|row| row.at::<Option<String>>(0)).transpose()?.map(Option::unwrap_or_default))
    }

    /// The number of the guest system that stands for any: the first that is not removed.
    ///
    /// # Errors
    /// See [`Store::vm_by_instance_name`].
    pub async fn any_guest_os(&self) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM guest_os WHERE removed IS NULL ORDER BY CASE WHEN display_name LIKE 'Other%64%' THEN 0 \
            WHEN display_name LIKE 'Other%' THEN 1 ELSE 2 END, id LIMIT 1";
        self.db().row(sql, args![]).await?.map(|row| row.at(0)).transpose()
    }
}

impl Tx {
    /// [`Store::volume_of_file`], as this transaction sees it.
    ///
    /// # Errors
    /// See [`Store::vm_by_instance_name`].
    pub async fn volume_of_file(&mut self, pool_id: i64, stem: &str) -> Result<Option<String>, StoreError> {
        let row = self.row(VOLUME_OF_FILE, args![pool_id, stem]).await?;
        Ok(row.map(|row| row.at::<Option<String>>(0)).transpose()?.map(Option::unwrap_or_default))
    }

    /// Whether a machine of this name at the hypervisor has a row.
    ///
    /// # Errors
    /// See [`Store::vm_by_instance_name`].
    pub async fn instance_name_taken(&mut self, name: &str) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM vm_instance WHERE instance_name = ? AND removed IS NULL LIMIT 1";
        Ok(self.row(sql, args![name]).await?.is_some())
    }

    /// Writes the rows of a machine and its disks, which stand in the order of their attachment, and gives the machine's
    /// number. The first disk is `ROOT-<number>`, the others are `DATA-<number>-<place>`.
    ///
    /// # Errors
    /// See [`Store::vm_by_instance_name`].
    pub async fn vm_adopt(&mut self, vm: &AdoptedVm, disks: &[AdoptedVolume]) -> Result<i64, StoreError> {
        let now = Timestamp::now();
        let (zone_id, pod_id) = vm.place;
        let (account_id, domain_id, user_id) = vm.owner;
        let (state, power) = if vm.running { ("Running", "PowerOn") } else { ("Stopped", "PowerOff") };
        let row = columns! {
            "uuid": &vm.uuid, "name": &vm.name, "display_name": &vm.name, "instance_name": &vm.name, "state": state,
            "guest_os_id": vm.guest_os_id, "pod_id": vm.running.then_some(pod_id), "data_center_id": zone_id,
            "host_id": vm.running.then_some(vm.host_id), "last_host_id": vm.host_id, "vnc_password": "",
            "created": now, "update_time": now, "type": "User", "vm_type": "User", "account_id": account_id,
            "domain_id": domain_id, "user_id": user_id, "service_offering_id": vm.service_offering_id,
            "hypervisor_type": HYPERV, "power_state": power, "power_host": vm.running.then_some(vm.host_id),
        };
        let id = self.row_add("vm_instance", row).await?;
        self.row_insert("user_vm", columns! { "id": id, "display_name": &vm.name }).await?;
        for (device_id, disk) in (0_i64..).zip(disks) {
            let (pool_id, pool_type, folder) = &disk.pool;
            let (kind, name) = match device_id {
                0 => ("ROOT", format!("ROOT-{id}")),
                place => ("DATADISK", format!("DATA-{id}-{place}")),
            };
            let row = columns! {
                "uuid": uuid::Uuid::new_v4().to_string(), "name": name, "account_id": account_id, "domain_id": domain_id,
                "pool_id": *pool_id, "pool_type": pool_type, "folder": folder, "instance_id": id,
                "device_id": device_id, "size": disk.size_bytes, "path": &disk.stem, "pod_id": disk.pod_id,
                "data_center_id": zone_id, "volume_type": kind,
                "disk_offering_id": disk.disk_offering_id, "recreatable": false, "created": now, "attached": now,
                "updated": now, "state": "Ready", "format": disk.format,
            };
            self.row_insert("volumes", row).await?;
            let sql = "UPDATE op_host_capacity SET used_capacity = used_capacity + ?, update_time = ? \
                WHERE host_id = ? AND capacity_type = 3";
            self.run(sql, args![disk.size_bytes, now, *pool_id]).await?;
        }
        Ok(id)
    }
}
