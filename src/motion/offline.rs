//! The disks of a stopped VM: `contract/migration.md` 2.4, in its order and with its texts.
//!
//! The disks are copied one after the other. A disk that was moved stays moved when a later one fails, and the database
//! says so; the VM is `Stopped` again in either case.

use super::cold;
use super::front::{key_of, told};
use super::pools;
use super::refusal::{Refusal, refuse_unknown};
use super::saga::Motion;
use super::verdict::Outcome;
use super::vm_checks::{check_managed, named};
use crate::model::{Pool, Vm, VmEvent, VmState, Volume, VolumeState};
use crate::store::{MotionRow, Store, StoreError, VmPlace, transact};

/// What a client asks for a stopped VM.
#[derive(Clone, Debug)]
pub struct OfflineRequest {
    /// The VM, internal id.
    pub vm_id: i64,
    /// Where the disks go.
    pub to: OfflineTarget,
}

/// Where the disks of a stopped VM go.
#[derive(Clone, Debug)]
pub enum OfflineTarget {
    /// All to this pool, internal id.
    Pool(i64),
    /// Each volume to a pool, public ids as the client wrote them; a pool may be missing.
    Map(Vec<(String, Option<String>)>),
}

/// Hypervisors whose own VMs CloudStack moves offline.
const SYSTEM_VMS_SERVED: [&str; 3] = ["KVM", "VMware", "Simulator"];

pub(super) async fn run(motion: &Motion, job_id: i64, request: &OfflineRequest) -> Result<(), Refusal> {
    let store = &motion.store;
    let missing = || Refusal::parameter(format!("Unable to find the VM by id={}", request.vm_id));
    let vm = store.vm_by_id(request.vm_id).await?.filter(|vm| !vm.removed).ok_or_else(missing)?;
    let begun = store.motions_of_job(job_id).await?;
    let is_marked = store.stopped_vm_job(vm.id).await? == Some(job_id);
    if !is_marked {
        check_vm(store, &vm).await?;
    }
    let moves = match plan(store, &vm, &request.to, begun.is_empty()).await {
        Err(refusal) if !is_marked || refusal.cause.is_some() => return Err(refusal),
        moves => moves,
    };
    let vm = if vm.state == VmState::Stopped { mark(store, &vm, job_id).await? } else { vm };
    let moved = move_all(motion, job_id, &vm, &begun, moves).await;
    // Whatever became of the disks, the VM leaves `Migrating`, also when the database is away for a while.
    while let Err(refusal) = let_go(store, &vm, moved.as_ref().ok().copied()).await {
        if !refusal.cause.as_ref().is_some_and(StoreError::is_unwritten) {
            return Err(refusal);
        }
        tracing::error!(vm = %vm.instance_name, "the VM's row could not be written; trying again");
        motion.clock.sleep(motion.patience.poll).await;
    }
    // CloudStack leaves the reason in its log; here it stands behind CloudStack's text.
    moved.map(|_| ()).map_err(|refusal| Refusal::failed(format!("Failed to migrate VM: {}. {}", vm.uuid, refusal.text)))
}

/// Which volume goes where, when that may be. `is_first` of a job that has moved nothing yet.
async fn plan(store: &Store, vm: &Vm, to: &OfflineTarget, is_first: bool) -> Result<Vec<(Volume, Pool)>, Refusal> {
    let moves = moves(store, vm, to).await?;
    if is_first {
        check_crowds(store, &moves).await?;
    }
    Ok(moves)
}

/// Lets go of stopped VMs that a job has put into `Migrating` which has ended since or is not there any more: it was refused when it
/// was run again, or somebody has ended it in the database. What moves of them is settled first.
///
/// # Errors
/// See [`Store::stopped_vms_orphaned`]. A VM that cannot be let go is logged, and does not keep the others waiting.
pub(super) async fn let_orphans_go(motion: &Motion) -> Result<(), Refusal> {
    let store = &motion.store;
    for (vm_id, job_id) in store.stopped_vms_orphaned().await? {
        // Who is at work on it here has the lock; who is at work on it elsewhere writes nothing more from now on.
        let Some(_held) = motion.locks.try_hold(&key_of(Some(vm_id), None)) else { continue };
        let done = async {
            store.job_fence(job_id).await?;
            match store.vm_by_id(vm_id).await? {
                Some(vm) if vm.state == VmState::Migrating => let_go(store, &vm, None).await,
                _ => Ok(transact!(store, StoreError, |tx| { tx.stopped_vm_unmark(vm_id).await })?),
            }
        };
        if let Err(refusal) = done.await {
            tracing::warn!(vm_id, reason = %refusal.text, "a stopped VM whose job has ended could not be let go");
        }
    }
    Ok(())
}

/// Moves one disk after the other, after those that an earlier life of the job has begun, which are ended also when it is refused to
/// move more. Gives the pod of the ROOT disk.
async fn move_all(
    motion: &Motion,
    job_id: i64,
    vm: &Vm,
    begun: &[MotionRow],
    moves: Result<Vec<(Volume, Pool)>, Refusal>,
) -> Result<Option<i64>, Refusal> {
    let mut pod_id = vm.pod_id;
    for row in begun {
        motion.resume_held(row).await?;
    }
    for (volume, target) in moves? {
        pod_id = one(motion, job_id, vm, volume, target).await?.or(pod_id);
    }
    Ok(pod_id)
}

/// Checks 3 to 6.
async fn check_vm(store: &Store, vm: &Vm) -> Result<(), Refusal> {
    if vm.state != VmState::Stopped {
        return Err(Refusal::parameter("VM is not Stopped, unable to migrate the vm having the specified id"));
    }
    refuse_unknown(store, Some(vm.id), None).await?;
    let served = SYSTEM_VMS_SERVED.iter().any(|kind| vm.hypervisor.eq_ignore_ascii_case(kind));
    if !vm.is_user() && !served {
        return Err(Refusal::parameter(format!(
            "Unable to migrate storage of non-user VMs for hypervisor [{}]. Operation only supported for the following \
             hypervisors: [[KVM, VMware, Simulator]].",
            vm.hypervisor
        )));
    }
    let many = store.volumes_of_vm(vm.id).await?.len() > 1;
    if many && !["VMware", "KVM"].iter().any(|kind| vm.hypervisor.eq_ignore_ascii_case(kind)) {
        return Err(Refusal::parameter(
            "Data disks attached to the vm, can not migrate. Need to detach data disks first",
        ));
    }
    if store.vm_has_snapshots(vm.id).await? {
        return Err(Refusal::parameter(
            "Instance's disk cannot be migrated, please remove all the Instance Snapshots for this Instance",
        ));
    }
    Ok(())
}

/// Check 14.
async fn check_crowds(store: &Store, moves: &[(Volume, Pool)]) -> Result<(), Refusal> {
    for (_, target) in moves {
        if let Some(limit) = pools::crowded(store, target).await? {
            return Err(Refusal::failed(format!(
                "Number of concurrent migration jobs per datastore exceeded the threshold: {limit}. Please try again after some \
                 time."
            )));
        }
    }
    Ok(())
}

/// Which volume goes where; those that are there already are left out.
async fn moves(store: &Store, vm: &Vm, to: &OfflineTarget) -> Result<Vec<(Volume, Pool)>, Refusal> {
    let mut moves = Vec::new();
    match to {
        OfflineTarget::Pool(pool_id) => {
            let missing = || Refusal::failed(format!("Unable to locate datastore with id {pool_id}"));
            let pool = store.pool_by_id(*pool_id).await?.filter(|pool| !pool.removed).ok_or_else(missing)?;
            for volume in store.volumes_of_vm(vm.id).await? {
                moves.push((volume, pool.clone()));
            }
        }
        OfflineTarget::Map(map) => {
            let mut clusters = Vec::new();
            for (volume, pool) in map {
                let (volume, pool) = named(store, volume, pool.as_deref()).await?;
                clusters.extend(pool.cluster_id);
                if volume.vm_id == Some(vm.id) {
                    moves.push((volume, pool));
                }
            }
            clusters.sort_unstable();
            clusters.dedup();
            if clusters.len() > 1 {
                return Err(Refusal::parameter(
                    "VM's disk cannot be migrated, input destination storage pools belong to different clusters",
                ));
            }
        }
    }
    for (_, pool) in &moves {
        check_pool(store, vm, pool).await?;
    }
    moves.retain(|(volume, pool)| volume.pool_id != Some(pool.id));
    for (volume, _) in &moves {
        if !matches!(volume.state, VolumeState::Ready | VolumeState::Migrating) {
            return Err(Refusal::failed(format!(
                "Volume [uuid: {}, name: {}] is in [{}] state.",
                volume.uuid.as_deref().unwrap_or_default(),
                volume.name,
                volume.state
            )));
        }
    }
    Ok(moves)
}

/// Check 7.
async fn check_pool(store: &Store, vm: &Vm, pool: &Pool) -> Result<(), Refusal> {
    let clusters = store.cluster_hypervisors(pool.zone_id).await?;
    let of_cluster = pool.cluster_id.and_then(|id| clusters.into_iter().find(|(cluster, _)| *cluster == id));
    let kind = of_cluster.map(|(_, kind)| kind).or_else(|| pool.hypervisor.clone());
    match kind {
        Some(kind) if !kind.eq_ignore_ascii_case(&vm.hypervisor) && !kind.eq_ignore_ascii_case("Any") => {
            let text = format!("hypervisor is not compatible: dest: {kind}, vm: {}", vm.hypervisor);
            Err(Refusal::parameter(text))
        }
        _ => Ok(()),
    }
}

async fn mark(store: &Store, vm: &Vm, job_id: i64) -> Result<Vm, Refusal> {
    let transition = vm.state.on(VmEvent::StorageMigrationRequested)?;
    let place = VmPlace { host_id: vm.host_id, last_host_id: vm.last_host_id, pod_id: vm.pod_id };
    transact!(store, Refusal, |tx| {
        let vm = tx.vm_transition(vm, transition, place).await?;
        tx.stopped_vm_mark(vm.id, job_id).await?;
        Ok(vm)
    })
}

/// The VM leaves `Migrating`. Where somebody else has taken it out of that, such as a management server that heard from its host, it
/// stays as they left it.
async fn let_go(store: &Store, vm: &Vm, moved: Option<Option<i64>>) -> Result<(), Refusal> {
    match unmark(store, vm, moved).await {
        Err(Refusal { cause: Some(StoreError::Conflict { .. }), .. }) => {
            Ok(transact!(store, StoreError, |tx| { tx.stopped_vm_unmark(vm.id).await })?)
        }
        done => done,
    }
}

/// `moved` is the pod of the ROOT disk when all disks were moved.
async fn unmark(store: &Store, vm: &Vm, moved: Option<Option<i64>>) -> Result<(), Refusal> {
    let transition = vm.state.on(VmEvent::AgentReportStopped)?;
    // The VM may have to start near its disks next time, not where it ran last (`contract/migration.md` 3.6).
    let (last_host_id, pod_id) = match moved {
        Some(pod_id) => (None, pod_id),
        None => (vm.last_host_id, vm.pod_id),
    };
    transact!(store, Refusal, |tx| {
        tx.vm_transition(vm, transition, VmPlace { host_id: None, last_host_id, pod_id }).await?;
        tx.stopped_vm_unmark(vm.id).await?;
        Ok(())
    })
}

/// Moves one disk; gives the pod of its new pool when it is the ROOT disk.
async fn one(motion: &Motion, job_id: i64, vm: &Vm, volume: Volume, target: Pool) -> Result<Option<i64>, Refusal> {
    let volume_uuid = volume.uuid.clone().unwrap_or_default();
    // An earlier life of this job may have moved it meanwhile: the public id tells, the internal one has changed.
    let missing = || Refusal::failed(format!("Volume {volume_uuid} does not exist any more"));
    let volume = motion.store.volume_by_uuid(&volume_uuid).await?.ok_or_else(missing)?;
    let pod = if volume.kind == "ROOT" { target.pod_id } else { None };
    let Some(pool_id) = volume.pool_id.filter(|pool_id| *pool_id != target.id) else { return Ok(pod) };
    let source = motion.store.pool_by_id(pool_id).await?.ok_or_else(|| Refusal::failed("The volume's pool is gone"))?;
    check_managed(&volume_uuid, &source, &target)?;
    let mut order = cold::order(&motion.store, job_id, volume, (source, target), None).await?;
    order.vm = Some(vm.clone());
    let (order, verdict) = Box::pin(motion.carry_out(Box::new(order))).await?;
    match (verdict.outcome, order.disks.first()) {
        (Outcome::Done, _) => Ok(pod),
        (_, Some(disk)) => Err(cold::failure(disk, &told(&order, &verdict))),
        (_, None) => Err(Refusal::failed("Failed to migrate volume")),
    }
}
