//! What a simulated world is made of: file shares, Hyper-V hosts, VMs with disks and guests.
//!
//! A [`WorldSpec`] is written as TOML or JSON, or built in code. It describes the world when it is
//! first made; later starts in the same folder find VMs and files as they were left.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::image::ImageFormat;

/// Where a disk lies when its `pool` says this: the host's local folder.
pub const LOCAL: &str = "local";

/// A whole world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorldSpec {
    /// Port of every host, each on its own address; 0 picks a free one.
    pub port: u16,
    /// Port of the control listener on 127.0.0.1; 0 picks a free one, absent means no listener.
    pub control_port: Option<u16>,
    /// Bytes per second that each motion may copy; 0 means as fast as it goes.
    pub throttle_bytes_per_second: u64,
    /// Keeps VMs and disks in memory only, which makes changes of large worlds cheap: a later start finds them as they are
    /// described here.
    pub is_volatile: bool,
    /// File shares that all hosts see.
    pub shares: Vec<ShareSpec>,
    /// Hosts.
    pub hosts: Vec<HostSpec>,
    /// VMs.
    pub vms: Vec<VmSpec>,
}

/// A file share.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShareSpec {
    /// UNC name, for instance `\\fs1\pool1`.
    pub unc: String,
    /// Real folder; by default `pools/<host>-<share>` in the world's folder.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    /// Size that the pool claims to have, and keeps to; by default the file system's.
    #[serde(default)]
    pub capacity_bytes: Option<u64>,
}

/// A Hyper-V host with its agent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HostSpec {
    /// Loopback address literal, for instance `127.0.0.2`.
    pub ip: String,
    /// Computer name.
    pub name: String,
    /// Windows path of the local pool.
    pub local_path: String,
    /// Real folder of the local pool; by default `pools/local-<ip>` in the world's folder.
    pub local_folder: Option<PathBuf>,
    /// Size that the local pool claims to have, and keeps to; by default the file system's.
    pub capacity_bytes: Option<u64>,
    /// Total memory.
    pub memory_bytes: u64,
    /// Physical cores.
    pub cpus: u32,
    /// Sockets.
    pub cpu_sockets: u32,
    /// Clock.
    pub speed_mhz: u32,
    /// What the host says it is, see `contract/hyperv-wire.md` 6.1.
    pub hypervisor_version: String,
    /// Netmask of its address.
    pub netmask: String,
    /// As real agents: `destIp` is the only name of a target, answers use the old member names. When
    /// false, `destinationIp` is read as well and the newer names are answered beside the old.
    pub strict: bool,
    /// An RSA certificate, as hosts have by default, in place of one on the curve P-256.
    pub rsa: bool,
    /// A stock agent: our additions to the protocol answer 404.
    pub plain: bool,
    /// Additions that this agent does not have, for instance because it is older: they answer 404.
    pub lacks: Vec<Addition>,
}

/// An addition of ours to the protocol, by the name that capabilities give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Addition {
    /// Telling how far a motion is, and stopping it.
    MotionStatus,
    /// Telling which disks a VM has and where.
    VmDisks,
    /// Telling facts about disk files in a pool.
    FileFacts,
}

impl Default for HostSpec {
    fn default() -> Self {
        Self {
            ip: String::new(),
            name: String::new(),
            local_path: "D:\\VHDs".to_owned(),
            local_folder: None,
            capacity_bytes: None,
            memory_bytes: 64 << 30,
            cpus: 16,
            cpu_sockets: 2,
            speed_mhz: 2400,
            hypervisor_version: "6.2".to_owned(),
            netmask: "255.255.255.0".to_owned(),
            strict: true,
            rsa: false,
            plain: false,
            lacks: Vec::new(),
        }
    }
}

/// A VM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VmSpec {
    /// Instance name, unique in the world.
    pub name: String,
    /// Address of its host.
    pub host: String,
    /// Id in Hyper-V; made up when absent.
    pub guid: Option<String>,
    /// Whether it runs.
    pub running: bool,
    /// Text in Hyper-V's notes; CloudStack's mark when absent. Power reports delete marked VMs that are
    /// switched off.
    pub notes: Option<String>,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// Disks in order of attachment.
    pub disks: Vec<DiskSpec>,
    /// A guest that keeps writing to one of the disks.
    pub guest: Option<GuestSpec>,
}

impl Default for VmSpec {
    fn default() -> Self {
        Self {
            name: String::new(),
            host: String::new(),
            guid: None,
            running: true,
            notes: None,
            cpus: 1,
            memory_bytes: 512 << 20,
            disks: Vec::new(),
            guest: None,
        }
    }
}

/// A disk. When its file exists already, the file is taken as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskSpec {
    /// File name without folder and extension.
    pub stem: String,
    /// UNC name of a share, or [`LOCAL`].
    pub pool: String,
    /// Format of the image.
    pub format: ImageFormat,
    /// Size of the disk, a multiple of 512.
    pub virtual_bytes: u64,
    /// Bytes of data to spread over the disk; the rest stays a hole.
    pub data_bytes: u64,
}

impl Default for DiskSpec {
    fn default() -> Self {
        Self {
            stem: String::new(),
            pool: LOCAL.to_owned(),
            format: ImageFormat::Vhdx,
            virtual_bytes: 64 << 20,
            data_bytes: 8 << 20,
        }
    }
}

/// A guest that writes numbered records into a ring on a disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GuestSpec {
    /// Stem of the disk; the VM's first when absent.
    pub disk: Option<String>,
    /// Records of 512 bytes that the ring holds.
    pub slots: u64,
    /// Pause between two writes.
    pub interval_us: u64,
}

impl Default for GuestSpec {
    fn default() -> Self {
        Self { disk: None, slots: 4096, interval_us: 1000 }
    }
}

impl HostSpec {
    /// Whether its agent has an addition of ours to the protocol.
    pub fn has(&self, addition: Addition) -> bool {
        !self.plain && !self.lacks.contains(&addition)
    }
}

impl WorldSpec {
    /// A world without anything, with a control listener.
    pub fn new() -> Self {
        Self { control_port: Some(0), ..Self::default() }
    }

    /// Adds a share that all hosts see, for instance `\\fs1\pool1`.
    #[must_use]
    pub fn share(mut self, unc: &str) -> Self {
        self.shares.push(ShareSpec { unc: unc.to_owned(), ..ShareSpec::default() });
        self
    }

    /// Adds a host at a loopback address; change the last of `hosts` for more.
    #[must_use]
    pub fn host(mut self, ip: &str, name: &str) -> Self {
        self.hosts.push(HostSpec { ip: ip.to_owned(), name: name.to_owned(), ..HostSpec::default() });
        self
    }

    /// Adds a VM.
    #[must_use]
    pub fn vm(mut self, vm: VmSpec) -> Self {
        self.vms.push(vm);
        self
    }
}

impl VmSpec {
    /// A running VM without disks on the host at `host`.
    pub fn new(name: &str, host: &str) -> Self {
        Self { name: name.to_owned(), host: host.to_owned(), ..Self::default() }
    }

    /// Adds a dynamic VHDX: `pool` is a UNC name or [`LOCAL`].
    #[must_use]
    pub fn disk(mut self, stem: &str, pool: &str, virtual_bytes: u64, data_bytes: u64) -> Self {
        self.disks.push(DiskSpec {
            stem: stem.to_owned(),
            pool: pool.to_owned(),
            virtual_bytes,
            data_bytes,
            ..DiskSpec::default()
        });
        self
    }

    /// Lets a guest write to the first disk.
    #[must_use]
    pub fn with_guest(mut self) -> Self {
        self.guest = Some(GuestSpec::default());
        self
    }
}
