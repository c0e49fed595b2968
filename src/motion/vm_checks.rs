//! Whether a running VM may move to another host, its disks staying where they are: `contract/migration.md` 2.2 and 2.3,
//! in their order and with their texts. Also what the other kinds of VM moves have in common with it.

use super::access::Mover;
use super::candidates;
use super::refusal::{Refusal, refuse_unknown};
use crate::model::{Host, Pool, Scope, ServiceOffering, Vm, VmState, Volume};
use crate::store::{Store, StoreError};

/// A move of a running VM that passed all checks.
#[derive(Clone, Debug)]
pub struct VmPlan {
    /// The VM.
    pub vm: Vm,
    /// What it needs of a host.
    pub offering: ServiceOffering,
    /// Where it runs.
    pub source: Host,
    /// Where it goes.
    pub target: Host,
    /// Every disk with where it is and where it goes (the same pool when it stays). Empty for a move without storage.
    pub disks: Vec<DiskPlan>,
}

/// A disk of a VM that moves.
#[derive(Clone, Debug)]
pub struct DiskPlan {
    /// The volume.
    pub volume: Volume,
    /// Where it is.
    pub source: Pool,
    /// Where it goes.
    pub target: Pool,
}

/// What a client asks of migrateVirtualMachine, but for the offline form.
#[derive(Clone, Copy, Debug)]
pub struct PlainRequest {
    /// The VM, internal id.
    pub vm_id: i64,
    /// The host, internal id; none lets the planner choose.
    pub host_id: Option<i64>,
}

/// Checks a move without storage, first to last.
///
/// # Errors
/// A [`Refusal`] with CloudStack's code and text.
pub async fn check_plain(store: &Store, mover: &Mover, request: PlainRequest) -> Result<VmPlan, Refusal> {
    mover.must_be_root()?;
    let missing = || Refusal::parameter(format!("Unable to find the VM by id={}", request.vm_id));
    let vm = store.vm_by_id(request.vm_id).await?.filter(|vm| !vm.removed).ok_or_else(missing)?;
    if vm.state != VmState::Running {
        return Err(Refusal::parameter("VM is not Running, unable to migrate the vm with specified id"));
    }
    refuse_unknown(store, Some(vm.id), None).await?;
    let source = source_host(store, &vm).await?;
    let is_emptied = |host: &Host| host.resource_state == "PrepareForMaintenance" && !mover.evacuates;
    if source.as_ref().is_some_and(is_emptied) {
        return Err(Refusal::parameter(format!(
            "Migrate VM operation on the VM: {} is not allowed as host is preparing for maintenance mode",
            vm.dump()
        )));
    }
    let offering = offering(store, &vm).await?;
    if offering.has_gpu {
        return Err(Refusal::parameter("Live Migration of GPU enabled VM is not supported"));
    }
    check_hypervisor(&vm, "VM", "VM")?;
    let disks = disks_of(store, &vm).await?;
    if uses_local_storage(store, &disks).await? {
        return Err(Refusal::parameter("Unsupported operation, VM uses Local storage, cannot migrate"));
    }
    let source = source.ok_or_else(|| {
        let host = vm.host_id.map_or_else(|| "null".to_owned(), |id| id.to_string());
        Refusal::parameter(format!("Cannot migrate VM, host with id: {host} for VM not found"))
    })?;
    let target = match request.host_id {
        Some(host_id) => chosen_host(store, &vm, &source, host_id).await?,
        None => candidates::choose_host(store, &vm, &source, &[]).await?.host,
    };
    check_target_plain(store, &vm, &offering, &source, &target).await?;
    let other_cluster = source.cluster_id != target.cluster_id;
    if other_cluster && disks.iter().any(|disk| disk.source.scope != Scope::Zone) {
        return Err(Refusal::failed(format!(
            "Source and destination host are not in same cluster and all volumes are not on zone wide primary store, unable \
             to migrate to host: {}",
            target.dump()
        )));
    }
    Ok(VmPlan { vm, offering, source, target, disks: Vec::new() })
}

/// Checks 6 and 7. Commands do not agree on the noun: `VM` stays as it is after "User", `Instance` does not.
pub(super) fn check_hypervisor(vm: &Vm, noun: &str, noun_after_user: &str) -> Result<(), Refusal> {
    const SERVED: [&str; 8] = ["XenServer", "VMware", "KVM", "Ovm", "Hyperv", "LXC", "Simulator", "Ovm3"];
    let refuse = |what: &str| {
        Err(Refusal::parameter(format!(
            "Unsupported Hypervisor Type for {what} migration, we support XenServer/VMware/KVM/Ovm/Hyperv/Ovm3 only"
        )))
    };
    if !SERVED.iter().any(|kind| vm.hypervisor.eq_ignore_ascii_case(kind)) {
        return refuse(noun);
    }
    if vm.is_user() && vm.hypervisor.eq_ignore_ascii_case("LXC") {
        return refuse(&format!("User {noun_after_user}"));
    }
    Ok(())
}

/// The chosen host and checks 11 and 12.
async fn chosen_host(store: &Store, vm: &Vm, source: &Host, host_id: i64) -> Result<Host, Refusal> {
    let missing = || Refusal::parameter(format!("Unable to find the host to migrate the Instance, host id={host_id}"));
    let target = store.host_by_id(host_id).await?.filter(|host| !host.removed).ok_or_else(missing)?;
    if target.id == source.id {
        return Err(Refusal::parameter(
            "Cannot migrate VM, VM is already present on this host, please specify valid destination host to migrate the VM",
        ));
    }
    if !target.is_up_and_enabled() {
        return Err(Refusal::parameter(format!(
            "Cannot migrate VM, destination host is not in correct state, has status: {}, state: {}",
            target.status, target.resource_state
        )));
    }
    if !vm.is_user() && target.pod_id != source.pod_id {
        return Err(Refusal::parameter(
            "Cannot migrate the VM, destination host is not in the same pod as current host of the VM",
        ));
    }
    Ok(target)
}

/// Checks 16 to 20 of a move without storage.
async fn check_target_plain(
    store: &Store,
    vm: &Vm,
    offering: &ServiceOffering,
    source: &Host,
    target: &Host,
) -> Result<(), Refusal> {
    if let Some(tag) = offering.host_tag.as_deref().filter(|tag| !tag.is_empty())
        && store
            .setting("vm.strict.host.tags")
            .await?
            .is_some_and(|strict| strict.split(',').any(|word| word.trim() == tag))
        && !store.host_tags(target.id).await?.iter().any(|on_host| on_host == tag)
    {
        let text = format!("Cannot deploy VM, destination host: {} is not compatible for the VM", target.name);
        return Err(Refusal::parameter(text));
    }
    check_access_groups(source, target)?;
    if is_full(store, target).await? && !target.hypervisor.eq_ignore_ascii_case("KVM") {
        return Err(Refusal::failed(format!(
            "Destination host: {} already has max Running VMs(count includes system VMs), cannot migrate to this host",
            target.dump()
        )));
    }
    for volume in store.volumes_of_vm(vm.id).await? {
        if store.volume_snapshot_in_progress(volume.id).await? {
            return Err(Refusal::failed(
                "There is/are unbacked up snapshot(s) on volume(s) attached to this VM, VM Migration is not permitted, please \
                 try again later.",
            ));
        }
    }
    Ok(())
}

/// True when the host has as many guests as its hypervisor's capabilities allow.
///
/// # Errors
/// See [`Store::vms_on_host`].
pub(super) async fn is_full(store: &Store, host: &Host) -> Result<bool, StoreError> {
    let limit = store.max_guests(&host.hypervisor, host.hypervisor_version.as_deref()).await?;
    Ok(store.vms_on_host(host.id).await? >= limit)
}

/// What one entry of a map `migrateto` names: a volume and a pool, by their public ids.
///
/// # Errors
/// 431 when one of them does not exist.
pub(super) async fn named(store: &Store, volume: &str, pool: Option<&str>) -> Result<(Volume, Pool), Refusal> {
    let missing = || Refusal::parameter(format!("There is no volume present with the given id {volume}"));
    let volume = store.volume_by_uuid(volume).await?.filter(|found| !found.removed).ok_or_else(missing)?;
    let pool = pool.unwrap_or("null");
    let missing = || Refusal::parameter(format!("There is no storage pool present with the given id {pool}"));
    let pool = store.pool_by_uuid(pool).await?.filter(|found| !found.removed).ok_or_else(missing)?;
    Ok((volume, pool))
}

/// A disk on managed storage goes nowhere.
///
/// # Errors
/// 530 with CloudStack's text.
pub(super) fn check_managed(volume_uuid: &str, source: &Pool, target: &Pool) -> Result<(), Refusal> {
    if !source.managed || source.id == target.id {
        return Ok(());
    }
    Err(Refusal::failed(format!(
        "Currently, a volume on managed storage can only be 'migrated' to itself [volumeId={volume_uuid}, \
         currentStoragePoolId={}, targetStoragePoolId={}].",
        source.uuid, target.uuid
    )))
}

/// The storage access groups of two hosts (`contract/migration.md` 2.3, 16 and 17).
///
/// # Errors
/// A [`Refusal`] with CloudStack's text.
pub(super) fn check_access_groups(source: &Host, target: &Host) -> Result<(), Refusal> {
    let (source, target) = (&source.storage_access_groups, &target.storage_access_groups);
    if source.is_empty() {
        return Ok(());
    }
    if target.is_empty() {
        return Err(Refusal::failed("Source host has storage access groups, but destination host has none."));
    }
    if source.iter().any(|group| !target.contains(group)) {
        return Err(Refusal::failed("Storage access groups on the source and destination hosts did not match."));
    }
    Ok(())
}

/// The host that a VM runs on, if it exists.
///
/// # Errors
/// See [`Store::host_by_id`].
pub(super) async fn source_host(store: &Store, vm: &Vm) -> Result<Option<Host>, Refusal> {
    match vm.host_id {
        Some(host_id) => Ok(store.host_by_id(host_id).await?.filter(|host| !host.removed)),
        None => Ok(None),
    }
}

/// The service offering of a VM.
///
/// # Errors
/// 530 when the row is missing, which CloudStack never lets happen.
pub(super) async fn offering(store: &Store, vm: &Vm) -> Result<ServiceOffering, Refusal> {
    let missing = || Refusal::failed(format!("The service offering of {} does not exist any more", vm.dump()));
    store.service_offering_by_id(vm.service_offering_id).await?.ok_or_else(missing)
}

/// The disks of a VM that are placed on a pool, each staying where it is.
///
/// # Errors
/// See [`Store::volumes_of_vm`].
pub(super) async fn disks_of(store: &Store, vm: &Vm) -> Result<Vec<DiskPlan>, Refusal> {
    let mut disks = Vec::new();
    for volume in store.volumes_of_vm(vm.id).await? {
        let Some(pool_id) = volume.pool_id else { continue };
        let Some(pool) = store.pool_by_id(pool_id).await? else { continue };
        disks.push(DiskPlan { volume, source: pool.clone(), target: pool });
    }
    Ok(disks)
}

/// True when a disk is on local storage, or its offering asks for it.
///
/// # Errors
/// See [`Store::disk_offering_by_id`].
pub(super) async fn uses_local_storage(store: &Store, disks: &[DiskPlan]) -> Result<bool, Refusal> {
    for disk in disks {
        let offering = store.disk_offering_by_id(disk.volume.disk_offering_id).await?;
        if disk.source.is_local() || offering.is_some_and(|offering| offering.local) {
            return Ok(true);
        }
    }
    Ok(false)
}
