//! Cold moves: a disk that no running VM uses is copied, and the copy takes its place.
//!
//! CloudStack stages such a copy through the zone's image store, which stock agents fail at (`contract/hyperv-e2e.md`, step
//! 5). Here it is one copy, by a host that reaches both pools.

use super::front::empty;
use super::hypervisor::{Hypervisor, VmPresence};
use super::order::{Kind, Order, OrderDisk, host_ref, port};
use super::refusal::Refusal;
use crate::model::text::Dump;
use crate::model::{Host, Pool, Volume};
use crate::store::Store;

/// The order of a cold move.
///
/// # Errors
/// A [`Refusal`] when a snapshot is being made of the volume, or no host reaches both pools.
pub(super) async fn order(
    store: &Store,
    job_id: i64,
    volume: Volume,
    (source, target): (Pool, Pool),
    offering_id: Option<i64>,
) -> Result<Order, Refusal> {
    let copy_stem = uuid::Uuid::new_v4().to_string();
    let disk = OrderDisk { volume, copy: None, stem: copy_stem, source, target, offering_id, before: None };
    if store.volume_snapshot_in_progress(disk.volume.id).await? {
        return Err(failure(&disk, "There are snapshots creating on this volume, can not move this volume"));
    }
    let Some(host) = common_host(store, &disk.source, &disk.target).await? else {
        let reason = format!(
            "No remote endpoint to send command, check if host or ssvm is down? No host that is Up and Enabled reaches both pool \
             {} and pool {}: connect one, or move the volume to a shared pool first",
            disk.source.name, disk.target.name
        );
        return Err(failure(&disk, &reason));
    };
    let source_port = port(store, Some(&host)).await?;
    Ok(Order { disks: vec![disk], ..empty(job_id, Kind::ColdVolume, host, source_port) })
}

/// A host that is up and reaches both pools: the first by id, so that the choice can be foreseen.
pub(super) async fn common_host(store: &Store, source: &Pool, target: &Pool) -> Result<Option<Host>, Refusal> {
    let reaching_target = store.hosts_of_pool(target.id).await?;
    for host_id in store.hosts_of_pool(source.id).await? {
        if !reaching_target.contains(&host_id) {
            continue;
        }
        if let Some(host) = store.host_by_id(host_id).await?
            && !host.removed
            && host.is_up_and_enabled()
        {
            return Ok(Some(host));
        }
    }
    Ok(None)
}

/// Why a disk must not be copied now: its machine, which the database calls stopped, runs on the host that it ran on last, and
/// would write to the original behind the copy. A host that does not answer is no reason, for it may be why the machine stopped.
///
/// # Errors
/// A [`Refusal`] when the database fails.
pub(super) async fn in_use(
    store: &Store,
    order: &Order,
    hypervisor: &dyn Hypervisor,
) -> Result<Option<String>, Refusal> {
    let (Kind::ColdVolume, Some(vm)) = (order.kind, &order.vm) else { return Ok(None) };
    let host = match vm.last_host_id {
        Some(id) => store.host_by_id(id).await?,
        None => None,
    };
    let Some(host) = host.filter(|host| !host.removed) else { return Ok(None) };
    let last = host_ref(&host, port(store, Some(&host)).await?);
    let runs = hypervisor.vm_presence(&last, &vm.instance_name).await == Ok(VmPresence::Running);
    Ok(runs.then(|| {
        format!(
            "Host {} runs {}, although the database says that it is stopped, so its disks cannot be copied now. See listDrift, and \
             resolveDrift with action=accept to believe the host. Nothing was moved.",
            host.name, vm.instance_name
        )
    }))
}

/// The frame around the reason of a failed cold move (`contract/migration.md` 2.6).
pub(super) fn failure(disk: &OrderDisk, reason: &str) -> Refusal {
    let volume = Dump::bare().text("name", Some(&disk.volume.name)).text("uuid", disk.volume.uuid.as_deref()).end();
    Refusal::failed(format!(
        "Resource [StoragePool:{}] is unreachable: Volume [{volume}] migration failed due to [{reason}].",
        disk.target.id
    ))
}
