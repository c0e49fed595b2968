//! Cold moves: a disk that no running VM uses is copied, and the copy takes its place.
//!
//! CloudStack stages such a copy through the zone's image store, which stock agents fail at (`contract/hyperv-e2e.md`, step
//! 5). Here it is one copy, by a host that reaches both pools.

use super::front::empty;
use super::order::{Kind, Order, OrderDisk, port};
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

/// The frame around the reason of a failed cold move (`contract/migration.md` 2.6).
pub(super) fn failure(disk: &OrderDisk, reason: &str) -> Refusal {
    let volume = Dump::bare().text("name", Some(&disk.volume.name)).text("uuid", disk.volume.uuid.as_deref()).end();
    Refusal::failed(format!(
        "Resource [StoragePool:{}] is unreachable: Volume [{volume}] migration failed due to [{reason}].",
        disk.target.id
    ))
}
