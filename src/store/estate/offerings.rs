//! Disk and service offerings (`contract/entities.md 2.6, 3.16, 3.17`).

use super::{Columns, columns};
use crate::model::Timestamp;
use crate::store::{StoreError, Tx};

/// Whom an offering is for: numbers of domains and zones; none means everybody and everywhere.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// Domains.
    pub domains: Vec<i64>,
    /// Zones.
    pub zones: Vec<i64>,
}

/// A disk offering to be made.
#[derive(Clone, Debug, Default)]
pub struct NewDiskOffering {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// A text about it.
    pub display_text: String,
    /// Bytes; 0 when the size is chosen with the disk.
    pub size_bytes: i64,
    /// Whether the size is chosen with the disk.
    pub customized: bool,
    /// Tags that a pool must have, separated by commas.
    pub tags: Option<String>,
    /// Whether disks are in hosts' own folders.
    pub local: bool,
    /// `thin`, `sparse` or `fat`.
    pub provisioning_type: &'static str,
    /// Whether users see it.
    pub display: bool,
    /// Whether a disk keeps the size it was given.
    pub size_strictness: bool,
    /// Whether disks are encrypted.
    pub encrypt: bool,
    /// How the hypervisor caches.
    pub cache_mode: Option<&'static str>,
    /// Whether the speed is chosen with the disk.
    pub customized_iops: Option<bool>,
    /// Columns of speeds with their values.
    pub rates: Vec<(&'static str, i64)>,
    /// Whether it belongs to a service offering and is hidden.
    pub compute_only: bool,
    /// Whom it is for.
    pub restrictions: Restrictions,
}

/// A service offering to be made.
#[derive(Clone, Debug)]
pub struct NewServiceOffering {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// A text about it.
    pub display_text: String,
    /// Processors, their MHz and MiB of memory; `None` for what is chosen with the machine.
    pub size: (Option<i64>, Option<i64>, Option<i64>),
    /// Whether these are chosen with the machine.
    pub customized: bool,
    /// Tags that a host must have, separated by commas.
    pub host_tag: Option<String>,
    /// Whether a machine is started elsewhere when its host fails.
    pub offer_ha: bool,
    /// Whether a machine never gets more processor than promised.
    pub limit_cpu_use: bool,
    /// Whether the root disk is made anew at each start.
    pub is_volatile: bool,
    /// Whether processors and memory may be changed while a machine runs.
    pub dynamic_scaling: bool,
    /// Whether the disk offering stays with it.
    pub disk_offering_strictness: bool,
    /// The kind of system machine it is for.
    pub system_vm_type: Option<String>,
    /// How machines are placed.
    pub deployment_planner: Option<String>,
    /// Mbit/s.
    pub network_rate: Option<i64>,
    /// Rows of `service_offering_details`.
    pub details: Vec<(String, String)>,
    /// Whom it is for.
    pub restrictions: Restrictions,
}

impl Tx {
    /// Writes a new disk offering and gives its number.
    ///
    /// # Errors
    /// See [`Tx::estate_hold`]; the same holds for all functions of this file.
    pub async fn disk_offering_insert(&mut self, offering: &NewDiskOffering) -> Result<i64, StoreError> {
        let mut row: Columns = columns! {
            "uuid": &offering.uuid, "name": &offering.name, "display_text": &offering.display_text,
            "disk_size": offering.size_bytes, "tags": offering.tags.as_deref(), "use_local_storage": offering.local,
            "customized": offering.customized, "created": Timestamp::now(), "display_offering": offering.display,
            "customized_iops": offering.customized_iops, "state": "Active", "provisioning_type": offering.provisioning_type,
            "disk_size_strictness": offering.size_strictness, "compute_only": offering.compute_only,
            "encrypt": offering.encrypt, "cache_mode": offering.cache_mode.unwrap_or("none"),
        };
        row.extend(offering.rates.iter().map(|(column, rate)| (*column, (*rate).into())));
        let id = self.row_add("disk_offering", row).await?;
        self.restrict("disk_offering_details", "offering_id", id, &offering.restrictions).await?;
        Ok(id)
    }

    /// Writes a new service offering with this disk offering and gives its number.
    ///
    /// # Errors
    /// See [`Tx::disk_offering_insert`].
    pub async fn service_offering_insert(
        &mut self,
        offering: &NewServiceOffering,
        disk_offering_id: i64,
    ) -> Result<i64, StoreError> {
        let (cpus, speed_mhz, memory_mib) = offering.size;
        let mut row: Columns = columns! {
            "uuid": &offering.uuid, "name": &offering.name, "display_text": &offering.display_text, "cpu": cpus,
            "speed": speed_mhz, "ram_size": memory_mib, "customized": offering.customized,
            "host_tag": offering.host_tag.as_deref(), "ha_enabled": offering.offer_ha,
            "limit_cpu_use": offering.limit_cpu_use, "is_volatile": offering.is_volatile,
            "dynamic_scaling_enabled": offering.dynamic_scaling, "created": Timestamp::now(), "state": "Active",
            "disk_offering_strictness": offering.disk_offering_strictness,
            "system_use": offering.system_vm_type.is_some(), "vm_type": offering.system_vm_type.as_deref(),
            "deployment_planner": offering.deployment_planner.as_deref(), "disk_offering_id": disk_offering_id,
        };
        row.extend(offering.network_rate.map(|rate| ("nw_rate", rate.into())));
        let id = self.row_add("service_offering", row).await?;
        for (name, value) in &offering.details {
            let row = columns! { "service_offering_id": id, "name": name, "value": value };
            self.row_insert("service_offering_details", row).await?;
        }
        self.restrict("service_offering_details", "service_offering_id", id, &offering.restrictions).await?;
        Ok(id)
    }

    async fn restrict(
        &mut self,
        table: &'static str,
        owner: &'static str,
        id: i64,
        to: &Restrictions,
    ) -> Result<(), StoreError> {
        for (name, numbers) in [("domainid", &to.domains), ("zoneid", &to.zones)] {
            for number in numbers {
                let row = vec![
                    (owner, id.into()),
                    ("name", name.into()),
                    ("value", number.to_string().into()),
                    ("display", false.into()),
                ];
                self.row_insert(table, row).await?;
            }
        }
        Ok(())
    }
}
