//! What Hyper-V and the agent's configuration file would remember: VMs, their disks, registered pools.
//!
//! Kept in `world.json`, replaced as a whole by a rename, so that a kill leaves the old or the new one.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::hypervisors::hyperv::wire::naming;

/// Notes of a VM that CloudStack made (`contract/hyperv-wire.md` 2.9).
pub const CLOUDSTACK_NOTES: &str = "Created by CloudStack, do not edit. \n";

/// The memory of all hosts of a world.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// By address.
    pub hosts: BTreeMap<String, HostState>,
}

/// The memory of one host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostState {
    /// Registered shares: id of the pool and UNC name.
    pub pools: BTreeMap<String, String>,
    /// VMs in order of creation.
    pub vms: Vec<Vm>,
}

/// Whether a VM runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// Enabled.
    On,
    /// Disabled.
    Off,
}

impl Power {
    /// The state's name in power reports and checks.
    pub fn report_name(self) -> &'static str {
        match self {
            Self::On => "PowerOn",
            Self::Off => "PowerOff",
        }
    }

    /// The state's name in the start-up answer.
    pub fn startup_name(self) -> &'static str {
        match self {
            Self::On => "Running",
            Self::Off => "Stopped",
        }
    }
}

/// A VM's definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Vm {
    /// Display name in Hyper-V.
    pub name: String,
    /// Id in Hyper-V, upper case.
    pub guid: String,
    /// Whether it runs.
    pub power: Power,
    /// Free text; CloudStack's mark is in it.
    pub notes: String,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// Images in order of attachment.
    pub disks: Vec<Disk>,
    /// The guest that writes to it.
    pub guest: Option<GuestPlan>,
}

/// Where an attached image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Folder as the host names it.
    pub folder: String,
    /// File name.
    pub file: String,
    /// Host that has the folder; absent for a share.
    pub on_host: Option<String>,
}

impl Disk {
    /// Full path as the host names it.
    pub fn path(&self) -> String {
        naming::join(&self.folder, &self.file)
    }

    /// File name without its extension.
    pub fn stem(&self) -> &str {
        naming::stem_of(&self.file)
    }
}

/// Where and how a guest writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestPlan {
    /// Stem of the disk.
    pub stem: String,
    /// Where the ring begins on the disk.
    pub region_offset: u64,
    /// Records that the ring holds.
    pub slots: u64,
    /// Pause between two writes.
    pub interval_us: u64,
    /// Whether it is switched on.
    pub enabled: bool,
}

impl State {
    /// Reads the memory of a world, `None` for a new one.
    ///
    /// # Errors
    /// What the file system says, or that the file is no state of a world.
    pub fn load(path: &Path) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Writes the memory of a world in one step.
    ///
    /// # Errors
    /// What the file system says; the old state is then still there.
    pub fn save(&self, path: &Path) -> io::Result<()> {
        let fresh = path.with_extension("json.new");
        let mut file = fs::File::create(&fresh)?;
        file.write_all(&serde_json::to_vec(self)?)?;
        drop(file);
        fs::rename(&fresh, path)
    }

    /// A VM by name on a host.
    pub fn vm(&self, host: &str, name: &str) -> Option<&Vm> {
        let host = self.hosts.get(host)?;
        host.vms.iter().find(|vm| vm.name == name)
    }

    /// A VM by name on a host, to be changed.
    pub fn vm_mut(&mut self, host: &str, name: &str) -> Option<&mut Vm> {
        let host = self.hosts.get_mut(host)?;
        host.vms.iter_mut().find(|vm| vm.name == name)
    }

    /// A VM by name on any host, with its host's address.
    pub fn find(&self, name: &str) -> Option<(&str, &Vm)> {
        self.vms().find(|(_, vm)| vm.name == name)
    }

    /// All VMs with their hosts' addresses.
    pub fn vms(&self) -> impl Iterator<Item = (&str, &Vm)> {
        self.hosts.iter().flat_map(|(ip, host)| host.vms.iter().map(move |vm| (ip.as_str(), vm)))
    }

    /// Takes a VM out of a host.
    pub fn remove(&mut self, host: &str, name: &str) -> Option<Vm> {
        let vms = &mut self.hosts.get_mut(host)?.vms;
        let at = vms.iter().position(|vm| vm.name == name)?;
        Some(vms.remove(at))
    }
}
