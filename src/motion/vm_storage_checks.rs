//! Whether a running VM may move to another host with its disks: `contract/migration.md` 2.5, in its order and with its
//! texts. The one deviation: Hyper-V is served here (check 5).

use super::access::Mover;
use super::candidates;
use super::pools::{self, SpaceLimits};
use super::refusal::{Refusal, refuse_unknown};
use super::vm_checks::{
    DiskPlan, VmPlan, check_access_groups, check_managed, disks_of, is_full, named, offering, source_host,
};
use super::volume_checks::maintenance_text;
use crate::model::{Host, Pool, Scope, Vm, VmState, Volume, VolumeState};
use crate::store::Store;

/// Hypervisors that CloudStack moves with their disks, and Hyper-V.
const SERVED: [&str; 5] = ["XenServer", "KVM", "VMware", "Simulator", "Hyperv"];

/// What a client asks of migrateVirtualMachineWithVolume for a running VM.
#[derive(Clone, Debug)]
pub struct StorageRequest {
    /// The VM, internal id.
    pub vm_id: i64,
    /// The host, internal id; none lets the planner choose.
    pub host_id: Option<i64>,
    /// Which volume goes to which pool, public ids as the client wrote them; a pool may be missing.
    pub map: Vec<(String, Option<String>)>,
}

/// A volume and the pool that the client wants it in.
struct Wish {
    volume: Volume,
    pool: Pool,
}

/// Checks a move with storage, first to last.
///
/// # Errors
/// A [`Refusal`] with CloudStack's code and text.
pub async fn check(store: &Store, mover: &Mover, request: &StorageRequest) -> Result<VmPlan, Refusal> {
    mover.must_be_root()?;
    let vm = check_vm(store, request.vm_id).await?;
    refuse_unknown(store, Some(vm.id), None).await?;
    let offering = offering(store, &vm).await?;
    if offering.has_gpu {
        return Err(Refusal::parameter("Live Migration of GPU enabled VM is not supported"));
    }
    if !SERVED.iter().any(|kind| vm.hypervisor.eq_ignore_ascii_case(kind)) {
        return Err(Refusal::parameter(format!(
            "Unsupported hypervisor: {} for VM migration, we support [[XenServer, KVM, VMware, Simulator]] only",
            vm.hypervisor
        )));
    }
    if store.vm_has_snapshots(vm.id).await? && !vm.hypervisor.eq_ignore_ascii_case("VMware") {
        return Err(Refusal::parameter(
            "Instance with Instance Snapshots cannot be migrated with storage, please remove all Instance Snapshots",
        ));
    }
    let source = source_host(store, &vm).await?.ok_or_else(|| {
        let host = vm.host_id.map_or_else(|| "null".to_owned(), |id| id.to_string());
        Refusal::parameter(format!("Cannot migrate VM, host with ID: {host} for VM not found"))
    })?;
    let disks = disks_of(store, &vm).await?;
    let chosen = match request.host_id {
        Some(host_id) => Some(chosen_host(store, &vm, &source, host_id, &disks, request.map.is_empty()).await?),
        None => None,
    };
    check_ready(&vm, &disks)?;
    let wishes = wishes(store, &vm, &request.map).await?;
    let target = match chosen {
        Some(host) => host,
        None => {
            let pools: Vec<i64> = wishes.iter().map(|wish| wish.pool.id).collect();
            let host = candidates::choose_host(store, &vm, &source, &pools).await?.host;
            check_motion_supported(store, &source, &host).await?;
            host
        }
    };
    let disks = map_disks(store, &vm, (&source, &target), disks, &wishes).await?;
    Ok(VmPlan { vm, offering, source, target, disks })
}

/// Checks 2 and 3.
async fn check_vm(store: &Store, vm_id: i64) -> Result<Vm, Refusal> {
    let missing = || Refusal::parameter(format!("Unable to find the VM by ID {vm_id}"));
    let vm = store.vm_by_id(vm_id).await?.filter(|vm| !vm.removed).ok_or_else(missing)?;
    if vm.state != VmState::Running {
        return Err(Refusal::failed(format!(
            "Unable to migrate the VM {} (ID: {}) as it is not in Running state",
            vm.instance_name, vm.uuid
        )));
    }
    Ok(vm)
}

/// The chosen host and checks 8 to 16.
async fn chosen_host(
    store: &Store,
    vm: &Vm,
    source: &Host,
    host_id: i64,
    disks: &[DiskPlan],
    map_is_empty: bool,
) -> Result<Host, Refusal> {
    let missing = || Refusal::parameter("Unable to find the specified host to migrate the Instance.");
    let target = store.host_by_id(host_id).await?.filter(|host| !host.removed).ok_or_else(missing)?;
    if target.id == source.id {
        return Err(Refusal::parameter(format!(
            "Cannot migrate VM as it is already present on host {} (ID: {}), please specify valid destination host to migrate \
             the VM",
            target.name, target.uuid
        )));
    }
    if !target.hypervisor.eq_ignore_ascii_case(&source.hypervisor) {
        return Err(Refusal::failed(format!(
            "The source and destination hosts are not of the same type and version. Source hypervisor type and version: {} {}, \
             Destination hypervisor type and version: {} {}",
            source.hypervisor,
            version(source),
            target.hypervisor,
            version(&target)
        )));
    }
    if !vm.is_user() && target.pod_id != source.pod_id {
        return Err(Refusal::parameter(
            "Cannot migrate the VM, destination host is not in the same pod as current host of the VM",
        ));
    }
    check_motion_supported(store, source, &target).await?;
    if !target.is_up_and_enabled() {
        return Err(Refusal::failed(format!(
            "Cannot migrate VM, destination host {} (ID: {}) is not in correct state, has status: {}, state: {}",
            target.name, target.uuid, target.status, target.resource_state
        )));
    }
    if is_full(store, &target).await? && !target.hypervisor.eq_ignore_ascii_case("KVM") {
        return Err(Refusal::failed(format!(
            "Cannot migrate Instance as destination host {} (ID: {}) already has max running Instances (count includes system \
             VMs)",
            target.name, target.uuid
        )));
    }
    check_access_groups(source, &target)?;
    let nothing_to_move = map_is_empty
        && disks.iter().all(|disk| !disk.source.is_local())
        && (source.cluster_id == target.cluster_id || disks.iter().all(|disk| disk.source.scope == Scope::Zone));
    if nothing_to_move {
        return Err(Refusal::parameter(format!(
            "Migration of the VM: {} (ID: {}) from host {} (ID: {}) to destination host  {} (ID: {}) doesn't involve migrating \
             the volumes",
            vm.instance_name, vm.uuid, source.name, source.uuid, target.name, target.uuid
        )));
    }
    Ok(target)
}

/// Checks 11 and 12.
async fn check_motion_supported(store: &Store, source: &Host, target: &Host) -> Result<(), Refusal> {
    let same_version = source.hypervisor_version.is_some() && source.hypervisor_version == target.hypervisor_version;
    let sides = [("source", source), ("target", target)];
    for (side, host) in sides.into_iter().take(if same_version { 1 } else { 2 }) {
        if !store.storage_motion_supported(&host.hypervisor, host.hypervisor_version.as_deref()).await? {
            return Err(Refusal::failed(format!(
                "Migration with storage isn't supported for {side} host {} (ID: {}) on hypervisor {} with version {}",
                host.name,
                host.uuid,
                host.hypervisor,
                version(host)
            )));
        }
    }
    Ok(())
}

fn version(host: &Host) -> &str {
    host.hypervisor_version.as_deref().unwrap_or("null")
}

/// Check 17.
fn check_ready(vm: &Vm, disks: &[DiskPlan]) -> Result<(), Refusal> {
    match disks.iter().find(|disk| disk.volume.state != VolumeState::Ready) {
        None => Ok(()),
        Some(disk) => Err(Refusal::failed(format!(
            "Volume {} (ID: {}) of the VM is not in Ready state. Cannot migrate the VM {} (ID: {}) with its volumes",
            disk.volume.name,
            disk.volume.uuid.as_deref().unwrap_or_default(),
            vm.instance_name,
            vm.uuid
        ))),
    }
}

/// Checks 18 to 21: what the client wants to go where.
async fn wishes(store: &Store, vm: &Vm, map: &[(String, Option<String>)]) -> Result<Vec<Wish>, Refusal> {
    let mut wishes: Vec<Wish> = Vec::new();
    for (volume_uuid, pool_uuid) in map {
        let (volume, pool) = named(store, volume_uuid, pool_uuid.as_deref()).await?;
        if pool.in_maintenance() {
            return Err(Refusal::parameter(maintenance_text(&volume, &pool)));
        }
        if volume.vm_id != Some(vm.id) {
            return Err(Refusal::parameter(format!(
                "Volume {} doesn't belong to the VM {} (ID: {}) that has to be migrated",
                volume.dump(),
                vm.instance_name,
                vm.uuid
            )));
        }
        // The last word counts when a map names a volume twice.
        wishes.retain(|wish| wish.volume.id != volume.id);
        wishes.push(Wish { volume, pool });
    }
    Ok(wishes)
}

/// Checks 27 to 31: where every disk goes.
async fn map_disks(
    store: &Store,
    vm: &Vm,
    (source, target): (&Host, &Host),
    disks: Vec<DiskPlan>,
    wishes: &[Wish],
) -> Result<Vec<DiskPlan>, Refusal> {
    let mut planned = Vec::with_capacity(disks.len());
    for disk in disks {
        let wish = wishes.iter().find(|wish| wish.volume.id == disk.volume.id);
        let pool = match wish {
            Some(wish) => wished_pool(store, vm, target, &disk, &wish.pool).await?,
            None => unwished_pool(store, source, target, &disk).await?,
        };
        planned.push(DiskPlan { target: pool, ..disk });
    }
    if planned.iter().all(|disk| disk.source.id == disk.target.id) {
        return Err(Refusal::parameter(format!(
            "Migration of the vm {}from host {} to destination host {} doesn't involve migrating the volumes.",
            vm.dump(),
            source.dump(),
            target.dump()
        )));
    }
    Ok(planned)
}

async fn wished_pool(store: &Store, vm: &Vm, target: &Host, disk: &DiskPlan, pool: &Pool) -> Result<Pool, Refusal> {
    let volume_uuid = disk.volume.uuid.as_deref().unwrap_or_default();
    check_managed(volume_uuid, &disk.source, pool)?;
    if !store.hosts_of_pool(pool.id).await?.contains(&target.id) {
        return Err(Refusal::failed(format!(
            "Cannot migrate the volume [{volume_uuid}] to the storage pool [{}] while migrating VM [{}] to target host [{}]. \
             The host does not have access to the storage pool entered.",
            pool.uuid, vm.uuid, target.uuid
        )));
    }
    Ok(pool.clone())
}

/// Where a disk goes that the client said nothing about: it stays when the target host reaches it, else the pool with the
/// most room that the disk's offering allows. CloudStack takes any one, by lot.
async fn unwished_pool(store: &Store, source: &Host, target: &Host, disk: &DiskPlan) -> Result<Pool, Refusal> {
    let other_cluster = source.cluster_id != target.cluster_id;
    let left_behind =
        disk.source.is_local() || (disk.source.scope == Scope::Cluster && disk.source.cluster_id != target.cluster_id);
    if !left_behind {
        return Ok(disk.source.clone());
    }
    let limits = SpaceLimits::load(store).await?;
    let offering = store.disk_offering_by_id(disk.volume.disk_offering_id).await?;
    let mut best: Option<(bool, i64, Pool)> = None;
    for pool in store.pools_connected(target.id).await? {
        if pool.status != "Up" || (!pool.is_local() && !other_cluster) {
            continue;
        }
        if !pools::has_room(store, &limits, &pool, &disk.volume).await? {
            continue;
        }
        let allowed = offering.as_ref().is_none_or(|offering| pools::tags_fit(&pool, offering));
        if !allowed {
            continue;
        }
        let same_kind = offering.as_ref().is_none_or(|offering| offering.local == pool.is_local());
        let room = pool.capacity_bytes - store.pool_allocated_bytes(pool.id).await?;
        if best.as_ref().is_none_or(|(kind, most, _)| (same_kind, room) > (*kind, *most)) {
            best = Some((same_kind, room, pool));
        }
    }
    best.map(|(_, _, pool)| pool).ok_or_else(|| {
        Refusal::failed(format!(
            "There are no storage pools available at the target host [{}] to migrate volume [{}]",
            target.uuid,
            disk.volume.uuid.as_deref().unwrap_or_default()
        ))
    })
}
