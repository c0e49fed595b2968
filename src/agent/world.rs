//! The world that all hosts share: pools, VMs, guests, faults.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use thiserror::Error;

use super::build;
use super::faults::Faults;
use super::guest::{self, Gate, Proof};
use super::guests::Guests;
use super::host::Host;
use super::image::ImageError;
use super::pools::Pools;
use super::spec::WorldSpec;
use super::state::{Disk, Power, State, Vm};

/// Why a simulated world cannot be made or used.
#[derive(Debug, Error)]
pub enum WorldError {
    /// The specification makes no sense.
    #[error("the world's specification is wrong: {0}")]
    Spec(String),
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the file system said.
        source: io::Error,
    },
    /// A disk image cannot be made or used.
    #[error(transparent)]
    Image(#[from] ImageError),
    /// There is no such VM, or it has no guest.
    #[error("{0}")]
    Unknown(String),
    /// A listener cannot be opened.
    #[error("cannot listen on {address}: {source}; choose another port or address")]
    Listen {
        /// Address and port.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A host's certificate cannot be made or read.
    #[error("cannot use the certificate of {host}: {reason}")]
    Certificate {
        /// Address of the host.
        host: String,
        /// What is wrong.
        reason: String,
    },
}

/// A simulated world.
#[derive(Debug)]
pub struct World {
    folder: PathBuf,
    /// Folders that disks can lie in.
    pub pools: Pools,
    /// Misfortune in force.
    pub faults: Faults,
    hosts: BTreeMap<String, Arc<Host>>,
    state: Mutex<State>,
    gates: Mutex<HashMap<String, Arc<Gate>>>,
    guests: Guests,
    throttle: AtomicU64,
    numbers: AtomicU64,
    is_volatile: bool,
}

/// Where a disk is, and whether its file is there.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DiskPlace {
    /// Name of the VM.
    pub vm: String,
    /// Address of the VM's host.
    pub host: String,
    /// Stem of the disk.
    pub stem: String,
    /// Path as the host names it.
    pub path: String,
    /// The real file.
    pub file: Option<PathBuf>,
    /// Whether the file is there.
    pub exists: bool,
}

/// Every disk of every VM, and every file in a pool that belongs to none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Oracle {
    /// Disks.
    pub disks: Vec<DiskPlace>,
    /// Files that no VM has.
    pub strays: Vec<PathBuf>,
}

impl World {
    /// Makes or reopens the world in a folder. Nothing listens yet.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn open(spec: &WorldSpec, folder: &Path) -> Result<Arc<Self>, WorldError> {
        let pools = build::pools(spec, folder)?;
        let state = build::state(spec, folder, &pools)?;
        let hosts = spec.hosts.iter().map(|host| (host.ip.clone(), Arc::new(Host::new(host.clone()))));
        let world = Arc::new(Self {
            folder: folder.to_owned(),
            pools,
            faults: Faults::default(),
            hosts: hosts.collect(),
            state: Mutex::new(state),
            gates: Mutex::default(),
            guests: Guests::default(),
            throttle: AtomicU64::new(spec.throttle_bytes_per_second),
            numbers: AtomicU64::new(0),
            is_volatile: spec.is_volatile,
        });
        world.change(|_| ())?;
        let names: Vec<String> = world.read(|state| state.vms().map(|(_, vm)| vm.name.clone()).collect());
        for name in names {
            world.wake_guest(&name)?;
        }
        Ok(world)
    }

    /// The folder that holds everything.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A host by address.
    pub fn host(&self, ip: &str) -> Option<&Arc<Host>> {
        self.hosts.get(ip)
    }

    /// All hosts.
    pub fn hosts(&self) -> impl Iterator<Item = &Arc<Host>> {
        self.hosts.values()
    }

    /// The next number of a request.
    pub fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Bytes per second that each motion may copy; 0 means no limit.
    pub fn throttle(&self) -> u64 {
        self.throttle.load(Ordering::Relaxed)
    }

    /// Sets [`Self::throttle`]; motions under way obey at once.
    pub fn set_throttle(&self, bytes_per_second: u64) {
        self.throttle.store(bytes_per_second, Ordering::Relaxed);
    }

    /// Looks at the state.
    pub fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.lock_state())
    }

    /// Changes the state, on disk first unless nothing is kept there: what a reader sees survives a kill.
    ///
    /// # Errors
    /// [`WorldError::Io`]; nothing is changed then.
    pub fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> Result<R, WorldError> {
        let mut state = self.lock_state();
        if self.is_volatile {
            return Ok(change(&mut state));
        }
        let mut fresh = state.clone();
        let result = change(&mut fresh);
        let path = self.folder.join("world.json");
        fresh.save(&path).map_err(|source| WorldError::Io { action: "save the world's state to", path, source })?;
        *state = fresh;
        Ok(result)
    }

    /// A VM with its host's address.
    pub fn vm(&self, name: &str) -> Option<(String, Vm)> {
        self.read(|state| state.find(name).map(|(ip, vm)| (ip.to_owned(), vm.clone())))
    }

    /// The gate of a VM.
    pub fn gate(&self, vm: &str) -> Arc<Gate> {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(gates.entry(vm.to_owned()).or_default())
    }

    /// The real file of a disk of a VM on `host`.
    pub fn disk_file(&self, host: &str, disk: &Disk) -> Option<PathBuf> {
        let seen_from = disk.on_host.as_deref().unwrap_or(host);
        self.pools.file(seen_from, &disk.folder, &disk.file)
    }

    /// The running VM, if any, that has this file attached.
    pub fn user_of(&self, file: &Path) -> Option<String> {
        self.read(|state| {
            let uses = |ip: &str, vm: &Vm| {
                if vm.power == Power::Off {
                    return false;
                }
                let mut disks = vm.disks.iter();
                disks.any(|disk| self.disk_file(ip, disk).as_deref() == Some(file))
            };
            let mut vms = state.vms();
            vms.find(|(ip, vm)| uses(ip, vm)).map(|(_, vm)| vm.name.clone())
        })
    }

    /// File that counts a guest's acknowledged writes.
    pub fn ledger(&self, vm: &str) -> PathBuf {
        self.folder.join("guests").join(format!("{vm}.ledger"))
    }

    /// Puts the guest of a VM to work, if it has one that is switched on.
    ///
    /// # Errors
    /// [`WorldError`].
    pub fn wake_guest(&self, name: &str) -> Result<(), WorldError> {
        self.guests.wake(self, name)
    }

    /// Ends the work of a VM's guest, as a switched-off VM does.
    pub fn halt_guest(&self, name: &str) {
        self.gate(name).lock().dismiss();
    }

    /// Switches a VM's guest on or off for good.
    ///
    /// # Errors
    /// [`WorldError::Unknown`] when there is no such guest.
    pub fn set_guest(&self, name: &str, enabled: bool) -> Result<(), WorldError> {
        let known = self.change(|state| {
            let host = state.find(name).map(|(ip, _)| ip.to_owned());
            let vm = host.and_then(|ip| state.vm_mut(&ip, name));
            let plan = vm.and_then(|vm| vm.guest.as_mut());
            plan.map(|plan| plan.enabled = enabled).is_some()
        })?;
        if !known {
            return Err(WorldError::Unknown(format!("no VM {name} with a guest")));
        }
        if enabled {
            return self.wake_guest(name);
        }
        self.halt_guest(name);
        Ok(())
    }

    /// Proves that every acknowledged write of a VM's guest is on the disk where the VM now is.
    ///
    /// # Errors
    /// [`WorldError::Unknown`] when there is no such guest, or [`WorldError::Image`].
    pub fn verify(&self, name: &str) -> Result<Proof, WorldError> {
        // Held over look-up and reading: no switch and no write comes in between.
        let gate = self.gate(name);
        let inner = gate.lock();
        let unknown = || WorldError::Unknown(format!("no VM {name} with a guest"));
        let (ip, vm) = self.vm(name).ok_or_else(unknown)?;
        let plan = vm.guest.as_ref().ok_or_else(unknown)?;
        let disk = vm.disks.iter().find(|disk| disk.stem() == plan.stem);
        let file = disk.and_then(|disk| self.disk_file(&ip, disk));
        let file = file.ok_or_else(|| WorldError::Unknown(format!("no disk {} at {name}", plan.stem)))?;
        let mut proof = guest::prove(name, plan, &file, &self.ledger(name))?;
        if let Some(trouble) = inner.trouble() {
            proof.ok = false;
            proof.problems.push(trouble.to_owned());
        }
        Ok(proof)
    }

    /// Where every disk is, and what else lies in the pools.
    ///
    /// # Errors
    /// [`WorldError::Io`].
    pub fn oracle(&self) -> Result<Oracle, WorldError> {
        let disks: Vec<DiskPlace> = self.read(|state| {
            let of_vm = |(ip, vm): (&str, &Vm)| {
                let place = |disk: &Disk| {
                    let file = self.disk_file(ip, disk);
                    DiskPlace {
                        vm: vm.name.clone(),
                        host: ip.to_owned(),
                        stem: disk.stem().to_owned(),
                        path: disk.path(),
                        exists: file.as_ref().is_some_and(|file| file.exists()),
                        file,
                    }
                };
                vm.disks.iter().map(place).collect::<Vec<_>>()
            };
            state.vms().flat_map(of_vm).collect()
        });
        let mut strays = Vec::new();
        for pool in self.pools.all() {
            let listing = |source| WorldError::Io { action: "list", path: pool.folder.clone(), source };
            for entry in std::fs::read_dir(&pool.folder).map_err(listing)? {
                let path = entry.map_err(listing)?.path();
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
                let is_disk = disks.iter().any(|disk| disk.file.as_ref() == Some(&path));
                if !is_disk && !name.starts_with("hb-") {
                    strays.push(path);
                }
            }
        }
        strays.sort();
        Ok(Oracle { disks, strays })
    }

    /// Stops guests and motions: what a process does when it ends.
    pub fn shut_down(&self) {
        self.faults.remove(None);
        for host in self.hosts.values() {
            host.restart();
        }
        self.guests.stop();
    }

    fn lock_state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
