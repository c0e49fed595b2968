//! Where things could go: the answers of findHostsForMigration and findStoragePoolsForMigration, and the planner's choice
//! (`contract/migration.md` 5).
//!
//! Deviation, on purpose: a pool is called suitable when migrateVolume would take it, and only then. CloudStack's own
//! list promises pools that its move refuses (`contract/hyperv-e2e.md`, "What a better system must do", 10).

use super::cold;
use super::pools::{self, SpaceLimits};
use super::refusal::Refusal;
use super::vm_checks::{check_hypervisor, disks_of, is_full, offering, source_host};
use crate::model::{HYPERV, Host, Pool, Scope, ServiceOffering, Vm, VmState, Volume, VolumeState};
use crate::store::{Store, StoreError};

/// A host that could receive a VM.
#[derive(Clone, Debug)]
pub struct HostCandidate {
    /// The host.
    pub host: Host,
    /// True when the VM fits there now.
    pub suitable: bool,
    /// True when disks would have to move with it.
    pub requires_storage_motion: bool,
}

/// A pool that could receive a volume.
#[derive(Clone, Debug)]
pub struct PoolCandidate {
    /// The pool.
    pub pool: Pool,
    /// True when migrateVolume would take it.
    pub suitable: bool,
}

/// The hosts that findHostsForMigration lists, by id, all of them (the caller pages).
///
/// # Errors
/// A [`Refusal`] of kind `Parameter` with CloudStack's text (`contract/migration.md` 2.11).
pub async fn hosts(store: &Store, vm_id: i64, keyword: Option<&str>) -> Result<Vec<HostCandidate>, Refusal> {
    let missing = || Refusal::parameter("Unable to find the Instance with given ID");
    let vm = store.vm_by_id(vm_id).await?.filter(|vm| !vm.removed).ok_or_else(missing)?;
    if vm.state != VmState::Running {
        let text = "Instance is not Running, cannot migrate the instance with specified id";
        return Err(Refusal::parameter(text).about(&vm.uuid, "vmId"));
    }
    check_hypervisor(&vm, "Instance", "instance")?;
    let missing = || Refusal::parameter("Unable to find the host (with specified ID) of instance with specified ID");
    let source = source_host(store, &vm).await?.ok_or_else(missing)?;
    let offering = offering(store, &vm).await?;
    if offering.has_gpu {
        return Ok(Vec::new());
    }
    let keyword = keyword.map(str::to_lowercase);
    let mut found = hosts_for(store, &vm, &offering, &source).await?;
    found.retain(|candidate| keyword.as_deref().is_none_or(|word| mentions(&candidate.host, word)));
    Ok(found)
}

fn mentions(host: &Host, word: &str) -> bool {
    [&host.name, &host.status, &host.kind].iter().any(|text| text.to_lowercase().contains(word))
}

/// The hosts a VM could move to.
async fn hosts_for(
    store: &Store,
    vm: &Vm,
    offering: &ServiceOffering,
    source: &Host,
) -> Result<Vec<HostCandidate>, Refusal> {
    let mut volumes: Vec<(Volume, Pool)> = Vec::new();
    let mut uses_local = false;
    for disk in disks_of(store, vm).await?.into_iter().filter(|disk| disk.volume.state == VolumeState::Ready) {
        let kind = store.disk_offering_by_id(disk.volume.disk_offering_id).await?;
        uses_local |= kind.is_some_and(|kind| kind.local);
        volumes.push((disk.volume, disk.source));
    }
    let movable = vm.is_user() || ["VMware", "KVM"].iter().any(|kind| vm.hypervisor.eq_ignore_ascii_case(kind));
    let motion =
        movable && store.storage_motion_supported(&source.hypervisor, source.hypervisor_version.as_deref()).await?;
    if uses_local && !motion {
        return Err(Refusal::parameter("Unsupported operation, instance uses Local storage, cannot migrate"));
    }
    let hosts = store.hosts_of_zone(vm.zone_id).await?;
    let hosts = hosts.into_iter().filter(|host| {
        let same_kind = host.id != source.id && host.hypervisor.eq_ignore_ascii_case(&source.hypervisor);
        let reachable =
            if motion { vm.is_user() || host.pod_id == source.pod_id } else { host.cluster_id == source.cluster_id };
        same_kind && reachable
    });
    let mut candidates = Vec::new();
    for host in hosts {
        let needs = if motion { storage_needs(store, &host, source, &volumes, uses_local).await? } else { Some(false) };
        let in_plan = host.pod_id == source.pod_id && (motion || host.cluster_id == source.cluster_id);
        let suitable = needs.is_some() && in_plan && host_fits(store, &host, offering).await?;
        candidates.push(HostCandidate { host, suitable, requires_storage_motion: needs.unwrap_or_default() });
    }
    Ok(candidates)
}

/// Whether disks would have to move for the VM to run on the host; `None` when one of them cannot.
async fn storage_needs(
    store: &Store,
    host: &Host,
    source: &Host,
    volumes: &[(Volume, Pool)],
    uses_local: bool,
) -> Result<Option<bool>, StoreError> {
    let same_version = host.hypervisor_version == source.hypervisor_version;
    let mut needed = false;
    for (volume, pool) in volumes {
        let Some(cluster_id) = pool.cluster_id else { continue };
        if !(pool.is_local() || host.cluster_id != Some(cluster_id) || uses_local) {
            continue;
        }
        let able = same_version
            || store.storage_motion_supported(&host.hypervisor, host.hypervisor_version.as_deref()).await?;
        if pool.managed || !able || !some_pool_takes(store, host, volume, pool).await? {
            return Ok(None);
        }
        needed = true;
    }
    Ok(Some(needed))
}

/// True when a pool of the host, other than the disk's own, would take the disk.
async fn some_pool_takes(store: &Store, host: &Host, volume: &Volume, own: &Pool) -> Result<bool, StoreError> {
    let limits = SpaceLimits::load(store).await?;
    let offering = store.disk_offering_by_id(volume.disk_offering_id).await?;
    for pool in store.pools_connected(host.id).await? {
        let usable = pool.status == "Up" && pool.id != own.id;
        let tags = offering.as_ref().is_none_or(|offering| pools::tags_fit(&pool, offering));
        if usable && tags && pools::has_room(store, &limits, &pool, volume).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What CloudStack's host allocator asks: state, tag, number of guests, room.
async fn host_fits(store: &Store, host: &Host, offering: &ServiceOffering) -> Result<bool, StoreError> {
    if !host.is_up_and_enabled() {
        return Ok(false);
    }
    if let Some(tag) = offering.host_tag.as_deref().filter(|tag| !tag.is_empty())
        && !store.host_tags(host.id).await?.iter().any(|on_host| on_host == tag)
    {
        return Ok(false);
    }
    if is_full(store, host).await? {
        return Ok(false);
    }
    let Some(room) = store.host_room(host.id).await? else { return Ok(true) };
    let cpu = (offering.cpus * offering.speed_mhz) as f64;
    let memory = (offering.memory_mib * 1024 * 1024) as f64;
    Ok(room.cpu_mhz >= cpu && room.memory_bytes >= memory)
}

/// The planner's choice: of the suitable hosts that reach all `pools`, the one with the most memory left.
///
/// Without pools only hosts to which the VM can go alone are considered, unless its disks are local.
///
/// # Errors
/// 530 with CloudStack's text when there is none.
pub async fn choose_host(store: &Store, vm: &Vm, source: &Host, pools: &[i64]) -> Result<HostCandidate, Refusal> {
    let offering = offering(store, vm).await?;
    let mut best: Option<(bool, f64, HostCandidate)> = None;
    for candidate in hosts_for(store, vm, &offering, source).await? {
        let mut reaches = candidate.suitable;
        for pool in pools {
            reaches &= store.hosts_of_pool(*pool).await?.contains(&candidate.host.id);
        }
        if !reaches {
            continue;
        }
        let memory = store.host_room(candidate.host.id).await?.map_or(f64::MAX, |room| room.memory_bytes);
        let alone = !candidate.requires_storage_motion;
        if best.as_ref().is_none_or(|(best_alone, most, _)| (alone, memory) > (*best_alone, *most)) {
            best = Some((alone, memory, candidate));
        }
    }
    best.map(|(_, _, candidate)| candidate).ok_or_else(|| {
        Refusal::failed(format!("Unable to find suitable destination to migrate VM {}", vm.instance_name))
    })
}

/// The pool that a disk is moved to when nobody says where: of the suitable ones that with the most bytes that are promised to nobody.
///
/// # Errors
/// 530 with a sentence when there is none.
pub async fn choose_pool(store: &Store, volume: &Volume) -> Result<Pool, Refusal> {
    let mut best: Option<(i64, Pool)> = None;
    for candidate in pools_for_volume(store, volume.id, None).await?.into_iter().filter(|pool| pool.suitable) {
        let free = candidate.pool.capacity_bytes - store.pool_allocated_bytes(candidate.pool.id).await?;
        if best.as_ref().is_none_or(|(most, _)| free > *most) {
            best = Some((free, candidate.pool));
        }
    }
    let none = || Refusal::failed(format!("No other pool takes volume {} while its machine runs", volume.name));
    best.map(|(_, pool)| pool).ok_or_else(none)
}

/// The pools that findStoragePoolsForMigration lists: suitable ones first, each group by name (the caller pages).
///
/// # Errors
/// A [`Refusal`] of kind `Parameter` with CloudStack's text (`contract/migration.md` 2.11).
pub async fn pools_for_volume(
    store: &Store,
    volume_id: i64,
    keyword: Option<&str>,
) -> Result<Vec<PoolCandidate>, Refusal> {
    let missing =
        || Refusal::parameter("Unable to find volume with specified id.").about(volume_id.to_string(), "volumeId");
    let volume = store.volume_by_id(volume_id).await?.filter(|volume| !volume.removed).ok_or_else(missing)?;
    let Some(pool_id) = volume.pool_id.filter(|_| volume.state == VolumeState::Ready) else { return Ok(Vec::new()) };
    let Some(source) = store.pool_by_id(pool_id).await? else { return Ok(Vec::new()) };
    let vm = match volume.vm_id {
        Some(vm_id) => store.vm_by_id(vm_id).await?,
        None => None,
    };
    let host = match &vm {
        Some(vm) => match vm.host_id.or(vm.last_host_id) {
            Some(host_id) => store.host_by_id(host_id).await?,
            None => None,
        },
        None => None,
    };
    let running = vm.as_ref().is_some_and(|vm| vm.state == VmState::Running);
    if running {
        let Some(host) = &host else { return Ok(Vec::new()) };
        if store.storage_motion_flag(&host.hypervisor, host.hypervisor_version.as_deref()).await? != Some(true) {
            return Ok(Vec::new());
        }
    }
    let search = Search { volume: &volume, source: &source, vm: vm.as_ref(), host: host.as_ref(), running };
    let mut candidates = search.run(store).await?;
    if let Some(word) = keyword.map(str::to_lowercase) {
        candidates.retain(|candidate| candidate.pool.name.to_lowercase().contains(&word));
    }
    candidates.sort_by(|a, b| b.suitable.cmp(&a.suitable).then_with(|| a.pool.name.cmp(&b.pool.name)));
    Ok(candidates)
}

/// One search for pools.
struct Search<'a> {
    volume: &'a Volume,
    source: &'a Pool,
    vm: Option<&'a Vm>,
    host: Option<&'a Host>,
    running: bool,
}

impl Search<'_> {
    async fn run(&self, store: &Store) -> Result<Vec<PoolCandidate>, Refusal> {
        let clusters = store.cluster_hypervisors(self.volume.zone_id).await?;
        let kind_of = |cluster_id: Option<i64>| {
            cluster_id.and_then(|id| clusters.iter().find(|(cluster, _)| *cluster == id)).map(|(_, kind)| kind.clone())
        };
        let hypervisor = match self.vm {
            Some(vm) => Some(vm.hypervisor.clone()),
            None => kind_of(self.source.cluster_id).or_else(|| self.source.hypervisor.clone()),
        };
        let home = self.vm.and(self.source.cluster_id.or_else(|| self.host.and_then(|host| host.cluster_id)));
        let mut found = Vec::new();
        let zone_id = self.volume.zone_id;
        let pools = match self.vm {
            Some(_) => store.pools_around(zone_id, home).await?,
            None => store.pools_of_zone(zone_id).await?,
        };
        for pool in pools {
            let listed = match pool.scope {
                Scope::Zone => pool.hypervisor.is_some() && pool.hypervisor == hypervisor,
                Scope::Cluster | Scope::Host if self.vm.is_some() => {
                    pool.cluster_id.is_some() && pool.cluster_id == home
                }
                Scope::Cluster | Scope::Host => kind_of(pool.cluster_id) == hypervisor,
                Scope::Other => false,
            };
            if listed && pool.status == "Up" && pool.id != self.source.id {
                let suitable = self.takes(store, &pool, hypervisor.as_deref()).await?;
                found.push(PoolCandidate { pool, suitable });
            }
        }
        Ok(found)
    }

    /// What migrateVolume would say of the pool.
    async fn takes(&self, store: &Store, pool: &Pool, hypervisor: Option<&str>) -> Result<bool, Refusal> {
        if let Some(offering) = store.disk_offering_by_id(self.volume.disk_offering_id).await?
            && pools::offering_fits(pool, &offering, self.volume).is_err()
        {
            return Ok(false);
        }
        if !pools::has_room(store, &SpaceLimits::load(store).await?, pool, self.volume).await? {
            return Ok(false);
        }
        let hosts = store.hosts_of_pool(pool.id).await?;
        match self.host {
            // The VM's own host has to reach the pool while the VM runs.
            Some(host) if self.running => Ok(hosts.is_empty() || hosts.contains(&host.id)),
            // Else one host has to copy it; what other hypervisors can do is not known here.
            _ if hypervisor.is_some_and(|kind| kind.eq_ignore_ascii_case(HYPERV)) => {
                Ok(cold::common_host(store, self.source, pool).await?.is_some())
            }
            _ => Ok(true),
        }
    }
}
