//! A short description of a simulated estate: clusters with hosts and pools, VMs with disks.
//!
//! A [`Plan`] names things only; [`Estate`](super::Estate) gives them ids and makes of it both the world that the
//! simulated hosts live in and the rows of the database.

use crate::agent::image::ImageFormat;
use crate::agent::spec::{Addition, GuestSpec};

/// Size that a pool claims when the plan says nothing: the same in the world and in the database.
pub const POOL_BYTES: u64 = 64 << 30;

/// An estate: one zone, one pod, and what is in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Name of the zone.
    pub zone: String,
    /// Clusters.
    pub clusters: Vec<ClusterPlan>,
    /// VMs.
    pub vms: Vec<VmPlan>,
    /// Bytes per second that each motion may copy; 0 means as fast as it goes.
    pub throttle_bytes_per_second: u64,
}

/// A cluster with its hosts and the pools that they share.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterPlan {
    /// Name, unique in the estate.
    pub name: String,
    /// Hosts.
    pub hosts: Vec<HostPlan>,
    /// Pools that all hosts of the cluster reach.
    pub pools: Vec<PoolPlan>,
}

/// A host. Its local folder is a pool of its own, named `<host>-local`.
#[derive(Clone, Debug, PartialEq)]
pub struct HostPlan {
    /// Name, unique in the estate.
    pub name: String,
    /// Loopback address, unique in the estate.
    pub ip: String,
    /// Size of the local pool in bytes.
    pub local_bytes: u64,
    /// Version that it reports, see `contract/hyperv-wire.md` 6.1.
    pub version: String,
    /// As real agents are: see [`HostSpec::strict`](crate::agent::spec::HostSpec::strict).
    pub strict: bool,
    /// Without our additions to the protocol.
    pub plain: bool,
    /// Additions of ours that it does not have.
    pub lacks: Vec<Addition>,
}

/// A share on a file server.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolPlan {
    /// Name, unique in the estate.
    pub name: String,
    /// Name of the file server; in lower case, as agents spell it.
    pub server: String,
    /// Name of the share.
    pub share: String,
    /// Size in bytes.
    pub capacity_bytes: u64,
}

/// A VM.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VmPlan {
    /// Display name, unique in the estate. The instance name follows from its number.
    pub name: String,
    /// Name of its host; of the host that it ran on when it is stopped.
    pub host: String,
    /// Whether it is switched off.
    pub stopped: bool,
    /// Disks in order of attachment; the first is the ROOT disk.
    pub disks: Vec<DiskPlan>,
    /// A guest that keeps writing to the first disk.
    pub guest: Option<GuestSpec>,
}

/// A disk.
#[derive(Clone, Debug, PartialEq)]
pub struct DiskPlan {
    /// Name, unique in the estate, for instance `ROOT-web`.
    pub name: String,
    /// Where it lies.
    pub place: DiskPlace,
    /// Format of the image.
    pub format: ImageFormat,
    /// Size of the disk.
    pub virtual_bytes: u64,
    /// Bytes of data on it; the rest is a hole.
    pub data_bytes: u64,
}

/// Where a disk lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskPlace {
    /// In the local pool of the VM's host.
    Local,
    /// In the shared pool of this name.
    Shared(String),
}

impl Plan {
    /// An estate of `clusters` clusters with `hosts` hosts and `pools` shared pools each, without VMs. Clusters are
    /// named `c1`..., hosts `c1-h1`... at 127.`net`.1.1..., pools `c1-p1`....
    ///
    /// `net` keeps estates of one machine apart.
    #[must_use]
    pub fn regular(net: u8, clusters: u8, hosts: u8, pools: u8) -> Self {
        let cluster = |number: u8| {
            let name = format!("c{number}");
            ClusterPlan {
                hosts: (1..=hosts)
                    .map(|host| HostPlan::new(&format!("{name}-h{host}"), &format!("127.{net}.{number}.{host}")))
                    .collect(),
                pools: (1..=pools)
                    .map(|pool| {
                        PoolPlan::new(&format!("{name}-p{pool}"), &format!("fs{number}"), &format!("pool{pool}"))
                    })
                    .collect(),
                name,
            }
        };
        Self { zone: "sim".to_owned(), clusters: (1..=clusters).map(cluster).collect(), ..Self::default() }
    }

    /// Adds a VM.
    #[must_use]
    pub fn vm(mut self, vm: VmPlan) -> Self {
        self.vms.push(vm);
        self
    }

    /// Every host with the number of its cluster, counted from 0.
    pub fn hosts(&self) -> impl Iterator<Item = (usize, &HostPlan)> {
        self.clusters.iter().enumerate().flat_map(|(at, cluster)| cluster.hosts.iter().map(move |host| (at, host)))
    }
}

impl HostPlan {
    /// A host as real ones are, with our additions to the protocol.
    #[must_use]
    pub fn new(name: &str, ip: &str) -> Self {
        Self {
            name: name.to_owned(),
            ip: ip.to_owned(),
            local_bytes: POOL_BYTES,
            version: "6.2".to_owned(),
            strict: true,
            plain: false,
            lacks: Vec::new(),
        }
    }
}

impl PoolPlan {
    /// A share of the usual size.
    #[must_use]
    pub fn new(name: &str, server: &str, share: &str) -> Self {
        Self { name: name.to_owned(), server: server.to_owned(), share: share.to_owned(), capacity_bytes: POOL_BYTES }
    }
}

impl VmPlan {
    /// A running VM without disks.
    #[must_use]
    pub fn new(name: &str, host: &str) -> Self {
        Self { name: name.to_owned(), host: host.to_owned(), ..Self::default() }
    }

    /// Adds a disk.
    #[must_use]
    pub fn disk(mut self, disk: DiskPlan) -> Self {
        self.disks.push(disk);
        self
    }

    /// Lets a guest write to the first disk.
    #[must_use]
    pub fn with_guest(mut self) -> Self {
        self.guest = Some(GuestSpec::default());
        self
    }

    /// Switches the VM off.
    #[must_use]
    pub fn stopped(mut self) -> Self {
        self.stopped = true;
        self
    }
}

impl DiskPlan {
    /// A dynamic VHDX in the local pool of its VM's host.
    #[must_use]
    pub fn local(name: &str, virtual_bytes: u64, data_bytes: u64) -> Self {
        Self { name: name.to_owned(), place: DiskPlace::Local, format: ImageFormat::Vhdx, virtual_bytes, data_bytes }
    }

    /// A dynamic VHDX in a shared pool.
    #[must_use]
    pub fn shared(name: &str, pool: &str, virtual_bytes: u64, data_bytes: u64) -> Self {
        Self { place: DiskPlace::Shared(pool.to_owned()), ..Self::local(name, virtual_bytes, data_bytes) }
    }

    /// Makes it a dynamic VHD, the older format.
    #[must_use]
    pub fn vhd(mut self) -> Self {
        self.format = ImageFormat::VhdDynamic;
        self
    }
}
