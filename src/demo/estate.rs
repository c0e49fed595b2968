//! An estate with ids: the same hosts, pools, VMs and disks for the simulated world and for the database.
//!
//! ```no_run
//! # async fn example(store: &stackmotion::store::Store) -> Result<(), Box<dyn std::error::Error>> {
//! use stackmotion::agent::World;
//! use stackmotion::demo::{DiskPlan, Estate, Plan, VmPlan, seed};
//!
//! let web = VmPlan::new("web", "c1-h1").disk(DiskPlan::shared("ROOT-web", "c1-p1", 64 << 20, 8 << 20)).with_guest();
//! let estate = Estate::new(&Plan::regular(40, 2, 2, 2).vm(web))?;
//! let world = World::start(&estate.world_spec(), std::path::Path::new("world")).await?;
//! store.bootstrap().await?;
//! seed(store, &estate, world.port()).await?;
//! let (web, target) = (estate.vm("web")?, estate.pool("c1-p2")?);
//! assert_eq!((web.instance_name.as_str(), target.unc_or_folder()), ("i-2-1-VM", r"\\fs1\pool2".to_owned()));
//! # Ok(())
//! # }
//! ```
//!
//! Internal ids count from 1 in the order of the plan; public ids follow from the names, so that two runs of one plan
//! have the same ids.

use super::plan::{ClusterPlan, DiskPlace, DiskPlan, HostPlan, Plan, PoolPlan, VmPlan};
use crate::agent::spec::{DiskSpec, HostSpec, LOCAL, ShareSpec, VmSpec, WorldSpec};
use crate::hypervisors::hyperv::wire::naming;

/// Windows path of every host's local pool (`contract/hyperv-wire.md` 6.1).
pub const LOCAL_PATH: &str = "D:\\VHDs";
/// Memory of a simulated host, bytes.
pub(super) const HOST_MEMORY_BYTES: u64 = 64 << 30;
/// What a VM of the estate gets: memory in MiB, cores, MHz.
pub(super) const VM_SIZE: (i64, i64, i64) = (512, 1, 500);

/// A plan that contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Two things of one kind have the same name or address.
    #[error("the plan has two {kind} called {name}; names must be unique in it")]
    Twice {
        /// The kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// Something is named that is not there.
    #[error("the plan has no {kind} called {name}; check the spelling")]
    Unknown {
        /// The kind of thing.
        kind: &'static str,
        /// The name.
        name: String,
    },
    /// A disk lies in a pool that its VM's host does not reach.
    #[error("the disk {disk} lies in the pool {pool} of another cluster than its VM's host")]
    OutOfReach {
        /// The disk.
        disk: String,
        /// The pool.
        pool: String,
    },
}

/// A plan with ids.
#[derive(Clone, Debug)]
pub struct Estate {
    /// Name of the zone.
    pub zone: String,
    /// Clusters, by id.
    pub clusters: Vec<EstateCluster>,
    /// Hosts, by id.
    pub hosts: Vec<EstateHost>,
    /// Pools, by id: the shared ones first, then the hosts' own.
    pub pools: Vec<EstatePool>,
    /// VMs, by id.
    pub vms: Vec<EstateVm>,
    /// Disks, by id.
    pub disks: Vec<EstateDisk>,
    throttle_bytes_per_second: u64,
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct EstateCluster {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
}

/// A host.
#[derive(Clone, Debug)]
pub struct EstateHost {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Internal id of its cluster.
    pub cluster_id: i64,
    /// As planned.
    pub plan: HostPlan,
}

/// A pool.
#[derive(Clone, Debug)]
pub struct EstatePool {
    /// Internal id.
    pub id: i64,
    /// Public id. A local pool has its host's guid, as CloudStack takes it over from the agent.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Internal id of its cluster.
    pub cluster_id: i64,
    /// Size in bytes.
    pub capacity_bytes: u64,
    /// What it is.
    pub kind: EstatePoolKind,
}

/// What a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EstatePoolKind {
    /// A share.
    Smb {
        /// Name of the file server.
        server: String,
        /// Name of the share.
        share: String,
    },
    /// A host's own folder.
    Local {
        /// Internal id of the host.
        host_id: i64,
        /// Address of the host.
        ip: String,
    },
}

/// A VM.
#[derive(Clone, Debug)]
pub struct EstateVm {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Display name.
    pub name: String,
    /// The name that hosts know it by: `i-2-<id>-VM`.
    pub instance_name: String,
    /// Internal id of its host; of the last one when it is stopped.
    pub host_id: i64,
    /// As planned.
    pub plan: VmPlan,
}

/// A disk.
#[derive(Clone, Debug)]
pub struct EstateDisk {
    /// Internal id.
    pub id: i64,
    /// Public id; also the name of its file, without folder and extension.
    pub uuid: String,
    /// Internal id of its VM.
    pub vm_id: i64,
    /// Position at the VM, 0 for the ROOT disk.
    pub device_id: i64,
    /// Internal id of its pool.
    pub pool_id: i64,
    /// As planned.
    pub plan: DiskPlan,
}

impl EstatePool {
    /// Its name to a host: `\\server\share` or a Windows path.
    #[must_use]
    pub fn unc_or_folder(&self) -> String {
        match &self.kind {
            EstatePoolKind::Smb { server, share } => naming::smb_unc(server, &format!("/{share}")),
            EstatePoolKind::Local { .. } => LOCAL_PATH.to_owned(),
        }
    }

    /// Address of the host that has it; none for a share.
    #[must_use]
    pub fn host_ip(&self) -> Option<&str> {
        match &self.kind {
            EstatePoolKind::Smb { .. } => None,
            EstatePoolKind::Local { ip, .. } => Some(ip),
        }
    }
}

impl EstateDisk {
    /// Name of its file: `<uuid>.vhdx` or `<uuid>.vhd`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.{}", self.uuid, self.plan.format.extension())
    }
}

impl Estate {
    /// Gives ids to a plan.
    ///
    /// # Errors
    /// [`PlanError`] when the plan contradicts itself.
    pub fn new(plan: &Plan) -> Result<Self, PlanError> {
        let mut estate = Self {
            zone: plan.zone.clone(),
            clusters: Vec::new(),
            hosts: Vec::new(),
            pools: Vec::new(),
            vms: Vec::new(),
            disks: Vec::new(),
            throttle_bytes_per_second: plan.throttle_bytes_per_second,
        };
        for cluster in &plan.clusters {
            estate.add_cluster(cluster);
        }
        for (at, host) in plan.hosts() {
            estate.add_host(host, at as i64 + 1);
        }
        for vm in &plan.vms {
            estate.add_vm(vm)?;
        }
        unique("clusters", estate.clusters.iter().map(|cluster| cluster.name.as_str()))?;
        unique("hosts", estate.hosts.iter().map(|host| host.plan.name.as_str()))?;
        unique("host addresses", estate.hosts.iter().map(|host| host.plan.ip.as_str()))?;
        unique("pools", estate.pools.iter().map(|pool| pool.name.as_str()))?;
        unique("VMs", estate.vms.iter().map(|vm| vm.name.as_str()))?;
        unique("disks", estate.disks.iter().map(|disk| disk.plan.name.as_str()))?;
        Ok(estate)
    }

    fn add_cluster(&mut self, cluster: &ClusterPlan) {
        let id = next(&self.clusters);
        self.clusters.push(EstateCluster { id, uuid: self.uuid("cluster", &cluster.name), name: cluster.name.clone() });
        for pool in &cluster.pools {
            let PoolPlan { name, server, share, capacity_bytes } = pool.clone();
            self.pools.push(EstatePool {
                id: next(&self.pools),
                uuid: self.uuid("pool", &name),
                name,
                cluster_id: id,
                capacity_bytes,
                kind: EstatePoolKind::Smb { server: server.to_lowercase(), share },
            });
        }
    }

    fn add_host(&mut self, host: &HostPlan, cluster_id: i64) {
        let host_id = next(&self.hosts);
        self.pools.push(EstatePool {
            id: next(&self.pools),
            uuid: naming::host_guid(&host.ip),
            name: format!("{}-local", host.name),
            cluster_id,
            capacity_bytes: host.local_bytes,
            kind: EstatePoolKind::Local { host_id, ip: host.ip.clone() },
        });
        self.hosts.push(EstateHost {
            id: host_id,
            uuid: self.uuid("host", &host.name),
            cluster_id,
            plan: host.clone(),
        });
    }

    fn add_vm(&mut self, vm: &VmPlan) -> Result<(), PlanError> {
        let host = self.host(&vm.host)?.clone();
        let id = next(&self.vms);
        for (position, disk) in vm.disks.iter().enumerate() {
            let pool = match &disk.place {
                DiskPlace::Local => self.local_pool(&vm.host)?,
                DiskPlace::Shared(name) => self.pool(name)?,
            };
            if pool.cluster_id != host.cluster_id {
                return Err(PlanError::OutOfReach { disk: disk.name.clone(), pool: pool.name.clone() });
            }
            let made = EstateDisk {
                id: next(&self.disks),
                uuid: self.uuid("volume", &disk.name),
                vm_id: id,
                device_id: position as i64,
                pool_id: pool.id,
                plan: disk.clone(),
            };
            self.disks.push(made);
        }
        self.vms.push(EstateVm {
            id,
            uuid: self.uuid("vm", &vm.name),
            name: vm.name.clone(),
            instance_name: format!("i-2-{id}-VM"),
            host_id: host.id,
            plan: vm.clone(),
        });
        Ok(())
    }

    /// A public id that follows from the zone, the kind and the name.
    pub(super) fn uuid(&self, kind: &str, name: &str) -> String {
        naming::name_uuid(&format!("{}/{kind}/{name}", self.zone))
    }

    /// A host by name.
    ///
    /// # Errors
    /// [`PlanError::Unknown`]; the same holds for the other look-ups.
    pub fn host(&self, name: &str) -> Result<&EstateHost, PlanError> {
        find("host", name, self.hosts.iter().find(|host| host.plan.name == name))
    }

    /// A pool by name.
    ///
    /// # Errors
    /// See [`Estate::host`].
    pub fn pool(&self, name: &str) -> Result<&EstatePool, PlanError> {
        find("pool", name, self.pools.iter().find(|pool| pool.name == name))
    }

    /// The local pool of the host with this name.
    ///
    /// # Errors
    /// See [`Estate::host`].
    pub fn local_pool(&self, host: &str) -> Result<&EstatePool, PlanError> {
        let ip = &self.host(host)?.plan.ip;
        find("local pool of a host", host, self.pools.iter().find(|pool| pool.host_ip() == Some(ip)))
    }

    /// A VM by name.
    ///
    /// # Errors
    /// See [`Estate::host`].
    pub fn vm(&self, name: &str) -> Result<&EstateVm, PlanError> {
        find("VM", name, self.vms.iter().find(|vm| vm.name == name))
    }

    /// A disk by name.
    ///
    /// # Errors
    /// See [`Estate::host`].
    pub fn disk(&self, name: &str) -> Result<&EstateDisk, PlanError> {
        find("disk", name, self.disks.iter().find(|disk| disk.plan.name == name))
    }

    /// The disks of a VM in order of attachment.
    pub fn disks_of(&self, vm: &EstateVm) -> impl Iterator<Item = &EstateDisk> {
        let id = vm.id;
        self.disks.iter().filter(move |disk| disk.vm_id == id)
    }

    /// The world of this estate, on any free port and with a control listener. Real folders of the pools are below
    /// the world's folder.
    #[must_use]
    pub fn world_spec(&self) -> WorldSpec {
        let mut spec = WorldSpec::new();
        spec.throttle_bytes_per_second = self.throttle_bytes_per_second;
        for pool in self.pools.iter().filter(|pool| pool.host_ip().is_none()) {
            let capacity_bytes = Some(pool.capacity_bytes);
            spec.shares.push(ShareSpec { unc: pool.unc_or_folder(), folder: None, capacity_bytes });
        }
        spec.hosts = self.hosts.iter().map(|host| host_spec(&host.plan)).collect();
        spec.vms = self.vms.iter().map(|vm| self.vm_spec(vm)).collect();
        spec
    }

    fn vm_spec(&self, vm: &EstateVm) -> VmSpec {
        let (memory_mib, cpus, _) = VM_SIZE;
        let disk = |disk: &EstateDisk| DiskSpec {
            stem: disk.uuid.clone(),
            pool: match &disk.plan.place {
                DiskPlace::Local => LOCAL.to_owned(),
                DiskPlace::Shared(_) => {
                    self.pool_by_id(disk.pool_id).map_or_else(String::new, |pool| pool.unc_or_folder())
                }
            },
            format: disk.plan.format,
            virtual_bytes: disk.plan.virtual_bytes,
            data_bytes: disk.plan.data_bytes,
        };
        VmSpec {
            name: vm.instance_name.clone(),
            host: self
                .hosts
                .iter()
                .find(|host| host.id == vm.host_id)
                .map_or_else(String::new, |host| host.plan.ip.clone()),
            guid: Some(vm.uuid.clone()),
            running: !vm.plan.stopped,
            cpus: cpus as u32,
            memory_bytes: (memory_mib as u64) << 20,
            disks: self.disks_of(vm).map(disk).collect(),
            guest: vm.plan.guest.clone(),
            ..VmSpec::default()
        }
    }

    /// A pool by internal id.
    #[must_use]
    pub fn pool_by_id(&self, id: i64) -> Option<&EstatePool> {
        self.pools.iter().find(|pool| pool.id == id)
    }
}

fn host_spec(plan: &HostPlan) -> HostSpec {
    HostSpec {
        ip: plan.ip.clone(),
        name: plan.name.clone(),
        local_path: LOCAL_PATH.to_owned(),
        capacity_bytes: Some(plan.local_bytes),
        memory_bytes: HOST_MEMORY_BYTES,
        hypervisor_version: plan.version.clone(),
        strict: plan.strict,
        plain: plan.plain,
        lacks: plan.lacks.clone(),
        ..HostSpec::default()
    }
}

fn next<T>(list: &[T]) -> i64 {
    list.len() as i64 + 1
}

fn find<'a, T>(kind: &'static str, name: &str, found: Option<&'a T>) -> Result<&'a T, PlanError> {
    found.ok_or_else(|| PlanError::Unknown { kind, name: name.to_owned() })
}

fn unique<'a>(kind: &'static str, names: impl Iterator<Item = &'a str>) -> Result<(), PlanError> {
    let mut seen = std::collections::BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(PlanError::Twice { kind, name: name.to_owned() });
        }
    }
    Ok(())
}
