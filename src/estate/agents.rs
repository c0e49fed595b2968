//! What the estate asks of the agents on hosts: the port that `hypervisors/*` implement, and what agents tell.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;

use crate::model::signed;
use crate::motion::hypervisor::{AgentError, Answer, Effect, HostRef, PoolRef};
use crate::store::HostReport;

/// Where a host is, by internal ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Zone.
    pub zone_id: i64,
    /// Pod.
    pub pod_id: i64,
    /// Cluster.
    pub cluster_id: i64,
}

/// A host that is in the inventory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownHost {
    /// How to reach it.
    pub host: HostRef,
    /// Its public id.
    pub uuid: String,
    /// Where it is.
    pub place: Place,
}

/// What a host says of itself (`contract/hyperv-wire.md` 2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFacts {
    /// Guid, derived from the address (`contract/hyperv-wire.md` 6.1).
    pub guid: String,
    /// Version as the agent reports it: `6.2` and so on (`contract/hyperv-wire.md` 6.1).
    pub version: Option<String>,
    /// Physical cores.
    pub cpus: u64,
    /// Sockets.
    pub sockets: Option<u64>,
    /// Speed of a core, MHz.
    pub speed_mhz: u64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Memory kept for the host itself, bytes.
    pub reserved_memory_bytes: u64,
    /// Netmask of the agent's address.
    pub netmask: Option<String>,
    /// MAC of the agent's network card: twelve digits, no separators.
    pub mac: Option<String>,
    /// What it can do: `hvm`.
    pub capabilities: Option<String>,
    /// What goes into `host_details` as the agent says it: `product_version`, `rdp.server.port` and the like.
    pub details: BTreeMap<String, String>,
    /// The folder that Hyper-V puts disks into by default, as a pool; some hosts have none.
    pub local_pool: Option<LocalPool>,
    /// The host's machines by name, with their state in Hyper-V's words: `Running`, `Stopped`... Empty when the host has no
    /// folder for disks: its agent tells of machines only together with that.
    pub vms: BTreeMap<String, String>,
}

impl HostFacts {
    /// What its row keeps of them.
    #[must_use]
    pub fn report(&self) -> HostReport {
        HostReport {
            version: self.version.clone(),
            cpus: signed(self.cpus),
            sockets: self.sockets.map(signed),
            speed_mhz: signed(self.speed_mhz),
            memory_bytes: signed(self.memory_bytes),
            reserved_memory_bytes: signed(self.reserved_memory_bytes),
        }
    }
}

/// A host's own folder for disks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPool {
    /// The host's guid serves as the pool's public id.
    pub uuid: String,
    /// The host's address.
    pub host: String,
    /// Path on the host.
    pub path: String,
    /// Size and use.
    pub usage: PoolUsage,
}

/// Size and use of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolUsage {
    /// Size in bytes.
    pub capacity_bytes: u64,
    /// Bytes in use.
    pub used_bytes: u64,
}

/// Shares by their internal ids: size and use as a host sees them, or why it does not reach them.
pub type Reached = Vec<(i64, Answer<PoolUsage>)>;

/// Files of one stem: name, and whether it is a whole image. `None` from an agent that cannot tell.
pub type DiskFiles = Option<Vec<(String, bool)>>;

/// Load of a host.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct HostLoad {
    /// CPU in use, percent.
    pub cpu_percent: f64,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Memory that is free, bytes.
    pub free_memory_bytes: u64,
    /// Bytes received since the host started.
    pub received_bytes: u64,
    /// Bytes sent since the host started.
    pub sent_bytes: u64,
}

/// What a host says of its machines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its machines, by name.
    pub vms: Vec<ReportedVm>,
}

/// A machine that a host tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedVm {
    /// Its name in Hyper-V.
    pub name: String,
    /// Its state in Hyper-V's words: `Running`, `Stopped`...
    pub state: String,
    /// Virtual CPUs; known of running machines only.
    pub cpus: Option<i64>,
    /// Its disks in order of attachment, or why the host does not tell.
    pub disks: Result<Vec<AdoptedDisk>, String>,
}

/// A disk that a host tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedDisk {
    /// File name without folder and ending.
    pub stem: String,
    /// The folder as the host names it: `\\server\share` or a path on the host.
    pub folder: String,
    /// Size that the machine sees, bytes; 0 when the host cannot tell.
    pub size_bytes: u64,
}

/// Speaks to agents about hosts and pools. Nothing here changes a machine or a disk.
pub trait Agents: Send + Sync {
    /// Greets the agent at an address and asks for its host's facts, before the host is in the inventory.
    ///
    /// # Errors
    /// [`AgentError`] when nobody answers as a Hyper-V agent should.
    fn discover<'a>(&'a self, ip: &'a str, place: Place) -> BoxFuture<'a, Answer<HostFacts>>;

    /// Goes on after [`Agents::discover`] once the host has an id: set-up, one registration for each share of `pools`, and
    /// the host's identity. For each share its size and use, or why the host does not reach it.
    ///
    /// # Errors
    /// [`AgentError`] when the host cannot be used.
    fn welcome<'a>(&'a self, known: &'a KnownHost, pools: &'a [PoolRef]) -> BoxFuture<'a, Answer<Reached>>;

    /// Greets the agent of a known host anew and asks for the host's facts: what [`Agents::discover`] does, under the
    /// host's own name.
    ///
    /// # Errors
    /// [`AgentError`] when nobody answers as the host should.
    fn reconnect<'a>(&'a self, known: &'a KnownHost) -> BoxFuture<'a, Answer<HostFacts>>;

    /// Announces a new pool to a host (`CreateStoragePoolCommand`, `contract/hyperv-wire.md` 2.13).
    ///
    /// # Errors
    /// [`AgentError`] when the host does not take it.
    fn announce_pool<'a>(&'a self, host: &'a HostRef, pool: &'a PoolRef) -> BoxFuture<'a, Answer<()>>;

    /// Registers a pool on a host, which looks at it (`ModifyStoragePoolCommand`, `contract/hyperv-wire.md` 2.13).
    ///
    /// # Errors
    /// [`AgentError`] when the host does not reach it.
    fn register_pool<'a>(&'a self, host: &'a HostRef, pool: &'a PoolRef) -> BoxFuture<'a, Answer<PoolUsage>>;

    /// Tells a host that a pool goes away (`DeleteStoragePoolCommand`); nothing in the pool is touched.
    ///
    /// # Errors
    /// [`AgentError`] when the host does not answer.
    fn withdraw_pool<'a>(&'a self, host: &'a HostRef, pool: &'a PoolRef) -> BoxFuture<'a, Answer<()>>;

    /// What the host says of its machines. The power report is not asked for: it deletes machines
    /// (`contract/hyperv-wire.md` 2.9).
    ///
    /// # Errors
    /// [`AgentError`] when the agent does not answer as it should.
    fn report<'a>(&'a self, known: &'a KnownHost) -> BoxFuture<'a, Answer<Report>>;

    /// The files of a stem in a pool: name, and whether it is a whole image. `None` from an agent that cannot tell.
    ///
    /// # Errors
    /// [`AgentError`] when the agent does not answer as it should.
    fn disk_files<'a>(
        &'a self,
        host: &'a HostRef,
        pool: &'a PoolRef,
        stem: &'a str,
    ) -> BoxFuture<'a, Answer<DiskFiles>>;

    /// The folder that a pool is to a host, as disks' folders are told; compared with
    /// [`same_folder`](crate::motion::hypervisor::same_folder).
    fn folder(&self, pool: &PoolRef) -> String;

    /// The guid of a cluster that has none yet, from its number (`contract/hyperv-wire.md` 6.1).
    fn cluster_guid(&self, cluster_id: i64) -> String;

    /// The public id of a pool, from its server and path as typed (`contract/entities.md 2.5`).
    fn pool_uuid(&self, server: &str, path: &str) -> String;
}

/// The agents of a gateway that has no client for any: nobody answers.
#[derive(Clone, Copy, Debug)]
pub struct NoAgents;

fn nobody<T: Send + 'static>() -> BoxFuture<'static, Answer<T>> {
    Box::pin(async {
        Err(AgentError { effect: Effect::None, text: "this gateway has no client for agents; nothing was sent".into() })
    })
}

impl Agents for NoAgents {
    fn discover<'a>(&'a self, _: &'a str, _: Place) -> BoxFuture<'a, Answer<HostFacts>> {
        nobody()
    }

    fn welcome<'a>(&'a self, _: &'a KnownHost, _: &'a [PoolRef]) -> BoxFuture<'a, Answer<Reached>> {
        nobody()
    }

    fn reconnect<'a>(&'a self, _: &'a KnownHost) -> BoxFuture<'a, Answer<HostFacts>> {
        nobody()
    }

    fn announce_pool<'a>(&'a self, _: &'a HostRef, _: &'a PoolRef) -> BoxFuture<'a, Answer<()>> {
        nobody()
    }

    fn register_pool<'a>(&'a self, _: &'a HostRef, _: &'a PoolRef) -> BoxFuture<'a, Answer<PoolUsage>> {
        nobody()
    }

    fn withdraw_pool<'a>(&'a self, _: &'a HostRef, _: &'a PoolRef) -> BoxFuture<'a, Answer<()>> {
        nobody()
    }

    fn report<'a>(&'a self, _: &'a KnownHost) -> BoxFuture<'a, Answer<Report>> {
        nobody()
    }

    fn disk_files<'a>(&'a self, _: &'a HostRef, _: &'a PoolRef, _: &'a str) -> BoxFuture<'a, Answer<DiskFiles>> {
        nobody()
    }

    fn folder(&self, pool: &PoolRef) -> String {
        pool.path.clone()
    }

    fn cluster_guid(&self, cluster_id: i64) -> String {
        cluster_id.to_string()
    }

    fn pool_uuid(&self, server: &str, path: &str) -> String {
        format!("{server}{path}")
    }
}
