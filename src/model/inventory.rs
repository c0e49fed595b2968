//! The things that a migration is about: zones to disks. One struct per table, with the columns that decide something.
//!
//! Ids are CloudStack's internal numbers (they show up in some error texts); uuids are what clients see. Sizes are bytes.

use super::states::{VmState, VolumeState};
use super::text::Dump;

/// The hypervisor type of Hyper-V, as the database spells it.
pub const HYPERV: &str = "Hyperv";
/// What a pool of a whole zone has for a hypervisor type when it is for all of them.
const ANY: &str = "Any";

/// CloudStack's system user, in whose name is done what nobody has asked for; internal number.
pub const SYSTEM_USER: i64 = 1;
/// The account of that user.
pub const SYSTEM_ACCOUNT: i64 = 1;
/// The domain of that account, which is that of all.
pub const ROOT_DOMAIN: i64 = 1;

/// How far a storage pool reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One host: local storage.
    Host,
    /// The hosts of one cluster.
    Cluster,
    /// All hosts of the zone.
    Zone,
    /// Anything else that CloudStack knows.
    Other,
}

/// A host.
#[derive(Clone, Debug)]
pub struct Host {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// `Routing` for hypervisor hosts.
    pub kind: String,
    /// `Up`, `Down`, `Disconnected`...
    pub status: String,
    /// `Enabled`, `Disabled`, `Maintenance`...
    pub resource_state: String,
    /// The address at which the agent listens.
    pub private_ip: String,
    /// The agent's guid.
    pub guid: Option<String>,
    /// Zone.
    pub zone_id: i64,
    /// Pod.
    pub pod_id: Option<i64>,
    /// Cluster.
    pub cluster_id: Option<i64>,
    /// Hypervisor type.
    pub hypervisor: String,
    /// Hypervisor version.
    pub hypervisor_version: Option<String>,
    /// Storage access groups.
    pub storage_access_groups: Vec<String>,
    /// When the row was removed, if it was.
    pub removed: bool,
}

impl Host {
    /// True when VMs may be placed on it.
    #[must_use]
    pub fn is_up_and_enabled(&self) -> bool {
        self.status == "Up" && self.resource_state == "Enabled"
    }

    /// True when it runs Hyper-V.
    #[must_use]
    pub fn is_hyperv(&self) -> bool {
        self.hypervisor.eq_ignore_ascii_case(HYPERV)
    }
}

/// A primary storage pool.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// `SMB`, `Filesystem`, `NetworkFilesystem`...
    pub kind: String,
    /// Server name or address.
    pub host_address: String,
    /// Port of the server.
    pub port: i64,
    /// Path as stored; an SMB path carries credentials after `?`.
    pub path: String,
    /// `Up`, `Maintenance`...
    pub status: String,
    /// Reach.
    pub scope: Scope,
    /// Zone.
    pub zone_id: i64,
    /// Pod; none for a zone-wide pool.
    pub pod_id: Option<i64>,
    /// Cluster; none for a zone-wide pool.
    pub cluster_id: Option<i64>,
    /// Hypervisor type of a zone-wide pool.
    pub hypervisor: Option<String>,
    /// True for storage that manages volumes itself.
    pub managed: bool,
    /// Capacity in bytes.
    pub capacity_bytes: i64,
    /// Bytes in use as the hosts report it.
    pub used_bytes: i64,
    /// Its tags.
    pub tags: Vec<String>,
    /// True when its tag is a rule, not a word.
    pub tag_is_rule: bool,
    /// When the row was removed, if it was.
    pub removed: bool,
}

impl Pool {
    /// The path without what follows `?` (credentials): what goes to an agent and into `volumes.folder`.
    #[must_use]
    pub fn bare_path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }

    /// True for local storage.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.scope == Scope::Host
    }

    /// True when the pool is there for every host of a cluster and hypervisor type: it is the cluster's, or the whole zone's and
    /// not for another type. A pool of one host is not; whose that is, the rows say, or its address.
    #[must_use]
    pub fn is_shared_with(&self, cluster_id: Option<i64>, hypervisor: &str) -> bool {
        match self.scope {
            Scope::Zone => self
                .hypervisor
                .as_deref()
                .is_none_or(|kind| kind.eq_ignore_ascii_case(hypervisor) || kind.eq_ignore_ascii_case(ANY)),
            Scope::Cluster => cluster_id.is_some() && self.cluster_id == cluster_id,
            Scope::Host | Scope::Other => false,
        }
    }

    /// True while the pool is in, or on its way into or out of, maintenance.
    #[must_use]
    pub fn in_maintenance(&self) -> bool {
        matches!(self.status.as_str(), "PrepareForMaintenance" | "Maintenance" | "ErrorInMaintenance")
    }
}

/// A disk.
#[derive(Clone, Debug)]
pub struct Volume {
    /// Internal id.
    pub id: i64,
    /// Public id; none for a row that gave it away after a cold move.
    pub uuid: Option<String>,
    /// Name.
    pub name: String,
    /// State.
    pub state: VolumeState,
    /// `ROOT` or `DATADISK`.
    pub kind: String,
    /// The pool that holds it.
    pub pool_id: Option<i64>,
    /// The VM that it is attached to.
    pub vm_id: Option<i64>,
    /// Position in the VM.
    pub device_id: Option<i64>,
    /// File name without folder and extension.
    pub path: Option<String>,
    /// `VHDX` or `VHD`.
    pub format: Option<String>,
    /// Size in bytes.
    pub size_bytes: i64,
    /// Owner.
    pub account_id: i64,
    /// Owner's domain.
    pub domain_id: i64,
    /// Zone.
    pub zone_id: i64,
    /// Disk offering.
    pub disk_offering_id: i64,
    /// True when it is encrypted.
    pub encrypted: bool,
    /// Grows with every state change; guards writes.
    pub update_count: i64,
    /// When the row was removed, if it was.
    pub removed: bool,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct Vm {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name that users see.
    pub name: String,
    /// Name at the hypervisor.
    pub instance_name: String,
    /// State.
    pub state: VmState,
    /// `User`, `DomainRouter`, `ConsoleProxy`, `SecondaryStorageVm`.
    pub kind: String,
    /// Host (the target while a live move runs, as in CloudStack).
    pub host_id: Option<i64>,
    /// The host before.
    pub last_host_id: Option<i64>,
    /// Pod.
    pub pod_id: Option<i64>,
    /// Zone.
    pub zone_id: i64,
    /// Hypervisor type.
    pub hypervisor: String,
    /// Service offering.
    pub service_offering_id: i64,
    /// Owner.
    pub account_id: i64,
    /// Owner's domain.
    pub domain_id: i64,
    /// Grows with every state change; guards writes.
    pub update_count: i64,
    /// When the row was removed, if it was.
    pub removed: bool,
}

impl Vm {
    /// True for a user's VM, false for CloudStack's own.
    #[must_use]
    pub fn is_user(&self) -> bool {
        self.kind.eq_ignore_ascii_case("User")
    }
}

/// What a service offering asks of a host.
#[derive(Clone, Debug)]
pub struct ServiceOffering {
    /// Internal id.
    pub id: i64,
    /// Number of CPUs.
    pub cpus: i64,
    /// Speed of each, MHz.
    pub speed_mhz: i64,
    /// Memory in MiB.
    pub memory_mib: i64,
    /// Host tag that it demands.
    pub host_tag: Option<String>,
    /// True when the disk offering may not change.
    pub disk_offering_strict: bool,
    /// True when it has the detail `pciDevice` (a GPU).
    pub has_gpu: bool,
}

/// What a disk offering asks of a pool.
#[derive(Clone, Debug)]
pub struct DiskOffering {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Storage tags that it demands.
    pub tags: Vec<String>,
    /// True when it is for local storage.
    pub local: bool,
    /// When the row was removed, if it was.
    pub removed: bool,
}

/// Room for VMs on a host: what `op_host_capacity` counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CapacityKind {
    /// Bytes of memory.
    Memory = 0,
    /// MHz.
    Cpu = 1,
    /// Bytes used in a pool.
    Storage = 2,
    /// Bytes allocated in a pool.
    StorageAllocated = 3,
    /// Bytes used in local storage.
    LocalStorage = 9,
    /// Number of cores.
    CpuCore = 90,
}

impl Volume {
    /// The row as CloudStack prints it inside error texts (`contract/migration.md` 0.4).
    #[must_use]
    pub fn dump(&self) -> String {
        let dump = Dump::new("Volume").number("id", Some(self.id)).number("instanceId", self.vm_id);
        dump.text("name", Some(&self.name))
            .text("uuid", self.uuid.as_deref())
            .text("volumeType", Some(&self.kind))
            .end()
    }

    /// Name and uuid only, without a word before.
    #[must_use]
    pub fn short_dump(&self) -> String {
        Dump::bare().text("name", Some(&self.name)).text("uuid", self.uuid.as_deref()).end()
    }
}

impl Vm {
    /// The row as CloudStack prints it inside error texts (`contract/migration.md` 0.4).
    #[must_use]
    pub fn dump(&self) -> String {
        let dump = Dump::new("VM instance").number("id", Some(self.id)).text("instanceName", Some(&self.instance_name));
        dump.text("state", Some(self.state.as_str()))
            .text("type", Some(&self.kind))
            .text("uuid", Some(&self.uuid))
            .end()
    }
}

impl Host {
    /// The row as CloudStack prints it inside error texts (`contract/migration.md` 0.4).
    #[must_use]
    pub fn dump(&self) -> String {
        let dump = Dump::new("Host").number("id", Some(self.id)).text("name", Some(&self.name));
        dump.text("type", Some(&self.kind)).text("uuid", Some(&self.uuid)).end()
    }
}

impl Pool {
    /// The row as CloudStack prints it inside error texts (`contract/migration.md` 0.4).
    #[must_use]
    pub fn dump(&self) -> String {
        let dump = Dump::new("StoragePool").number("id", Some(self.id)).text("name", Some(&self.name));
        dump.text("poolType", Some(&self.kind)).text("uuid", Some(&self.uuid)).end()
    }

    /// Name and uuid only, without a word before.
    #[must_use]
    pub fn short_dump(&self) -> String {
        Dump::bare().text("name", Some(&self.name)).text("uuid", Some(&self.uuid)).end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(scope: Scope, cluster_id: Option<i64>, hypervisor: Option<&str>) -> Pool {
        Pool {
            id: 1,
            uuid: "pool".to_owned(),
            name: "pool".to_owned(),
            kind: "SMB".to_owned(),
            host_address: "fs".to_owned(),
            port: 445,
            path: "/share".to_owned(),
            status: "Up".to_owned(),
            scope,
            zone_id: 1,
            pod_id: None,
            cluster_id,
            hypervisor: hypervisor.map(str::to_owned),
            managed: false,
            capacity_bytes: 0,
            used_bytes: 0,
            tags: Vec::new(),
            tag_is_rule: false,
            removed: false,
        }
    }

    #[test]
    fn a_pool_is_there_for_its_cluster_or_for_the_hosts_of_its_type_in_the_zone() {
        let is_shared = |pool: Pool| pool.is_shared_with(Some(1), HYPERV);
        for hypervisor in [None, Some("Hyperv"), Some("HyperV"), Some("Any")] {
            assert!(is_shared(pool(Scope::Zone, None, hypervisor)), "{hypervisor:?}");
        }
        assert!(!is_shared(pool(Scope::Zone, None, Some("KVM"))));
        assert!(is_shared(pool(Scope::Cluster, Some(1), None)));
        assert!(!is_shared(pool(Scope::Cluster, Some(2), Some("Hyperv"))));
        assert!(!is_shared(pool(Scope::Cluster, None, None)));
        assert!(!pool(Scope::Cluster, None, None).is_shared_with(None, HYPERV));
        assert!(!is_shared(pool(Scope::Host, Some(1), Some("Hyperv"))));
        assert!(!is_shared(pool(Scope::Other, Some(1), Some("Hyperv"))));
    }
}
