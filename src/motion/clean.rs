//! Clean: what stands in the way before, and what is left behind afterwards.
//!
//! Nothing is deleted that was not proved superfluous: a half copy at a place where the disk was shown not to be, and the
//! original of a copy that was shown to be complete.

use super::hypervisor::{DiskRef, HostRef, Hypervisor};
use super::order::{Kind, Order, OrderDisk, disk_ref, pool_ref};
use super::refusal::Refusal;
use super::settle::step;
use super::verdict::{Outcome, Verdict};
use crate::model::{VolumeEvent, VolumeState};
use crate::store::{Store, StoreError, transact};

/// The host that looks after the disks once they have moved.
fn receiver(order: &Order) -> Option<HostRef> {
    if order.kind.moves_vm() { order.target_ref() } else { Some(order.source_ref()) }
}

/// What would make the motion fail at its end, if the agent can tell: a file of that name in the target pool.
///
/// A half copy that an earlier move left is no obstacle: it is removed, once the host has shown that the disk is elsewhere.
pub(super) async fn obstacle(store: &Store, order: &Order, hypervisor: &dyn Hypervisor) -> Option<String> {
    let host = receiver(order)?;
    for disk in order.disks.iter().filter(|disk| disk.moves()) {
        let pool = pool_ref(&disk.target);
        let Ok(Some(files)) = hypervisor.files(&host, &pool, &disk.stem).await else { continue };
        let Some(file) = files.first() else { continue };
        if !file.complete && elsewhere(order, disk, hypervisor).await {
            remove_half_copy(store, order, disk, hypervisor).await;
            continue;
        }
        return Some(format!(
            "A file named {} is already in {} (pool {}). It may be what an earlier move left behind: look whether anything uses \
             it, remove it or rename it, and try again. Nothing was moved.",
            file.file,
            hypervisor.folder(&pool),
            disk.target.name
        ));
    }
    None
}

/// True when the host shows that the VM has the disk in its old pool.
async fn elsewhere(order: &Order, disk: &OrderDisk, hypervisor: &dyn Hypervisor) -> bool {
    let Some(vm) = &order.vm else { return false };
    let Ok(Some(listed)) = hypervisor.vm_disks(&order.source_ref(), &vm.instance_name).await else { return false };
    let old = hypervisor.folder(&pool_ref(&disk.source));
    listed.iter().any(|found| found.stem == disk.stem && super::hypervisor::same_folder(&found.folder, &old))
}

/// Cleans up after a verdict.
///
/// # Errors
/// A [`Refusal`] when the database fails. A file that cannot be deleted is logged and stays named in the journal.
pub(super) async fn clean(
    store: &Store,
    order: &Order,
    verdict: &Verdict,
    hypervisor: &dyn Hypervisor,
) -> Result<(), Refusal> {
    for (disk, moved) in order.disks.iter().zip(&verdict.disks_moved) {
        if order.kind == Kind::ColdVolume {
            clean_copy(store, order, disk, *moved, hypervisor).await?;
        } else if verdict.outcome == Outcome::NotDone && disk.moves() {
            remove_half_copy(store, order, disk, hypervisor).await;
        }
    }
    Ok(())
}

/// A live move that was not done may have left half a file at the target, where the VM was shown not to have its disk.
async fn remove_half_copy(store: &Store, order: &Order, disk: &OrderDisk, hypervisor: &dyn Hypervisor) {
    let Some(host) = receiver(order) else { return };
    let pool = pool_ref(&disk.target);
    let Ok(Some(files)) = hypervisor.files(&host, &pool, &disk.stem).await else { return };
    if files.is_empty() || files.iter().any(|file| file.complete) {
        return;
    }
    // Live moves keep the file's name: what is half there may be the next attempt's, through another gateway. That is written
    // down before its host hears of it, so it is looked for after the file was seen.
    match store.has_unsettled_motion(order.vm.as_ref().map(|vm| vm.id), Some(disk.volume.id), order.job_id).await {
        Ok(false) => {}
        Ok(true) => return,
        Err(error) => {
            tracing::warn!(motion = %order.uuid, stem = %disk.stem, cause = %crate::telemetry::chain(&error), "a half copy stays behind");
            return;
        }
    }
    match hypervisor.delete_volume(&host, &disk.target_file(&disk.volume)).await {
        Ok(()) => tracing::info!(motion = %order.uuid, stem = %disk.stem, pool = %pool.name, "removed a half copy"),
        Err(error) => {
            tracing::warn!(motion = %order.uuid, stem = %disk.stem, pool = %pool.name, %error, "a half copy stays behind");
        }
    }
}

/// Whether a copy is whole, as far as its host can tell.
enum Whole {
    /// It is.
    Shown,
    /// The agent cannot list files.
    CannotBeShown,
    /// It is not, or the host does not answer now.
    NotShown(String),
}

async fn is_whole(order: &Order, copy: &DiskRef, hypervisor: &dyn Hypervisor) -> Whole {
    match hypervisor.files(&order.source_ref(), &copy.pool, &copy.stem).await {
        Ok(Some(files)) if files.iter().any(|file| file.complete) => Whole::Shown,
        Ok(Some(_)) => Whole::NotShown("the host does not list a whole copy".to_owned()),
        Ok(None) => Whole::CannotBeShown,
        Err(error) => Whole::NotShown(error.text),
    }
}

/// After a cold move one of two files is superfluous: the original, or what there is of the copy.
async fn clean_copy(
    store: &Store,
    order: &Order,
    disk: &OrderDisk,
    moved: bool,
    hypervisor: &dyn Hypervisor,
) -> Result<(), Refusal> {
    let Some(copy) = &disk.copy else { return Ok(()) };
    let superfluous_id = if moved { disk.volume.id } else { copy.id };
    let file = if moved { disk_ref(&disk.volume, &disk.source) } else { disk.target_file(copy) };
    let Some(row) = store.volume_by_id(superfluous_id).await? else { return Ok(()) };
    if row.state != VolumeState::Expunging {
        return Ok(());
    }
    let whole = if moved { is_whole(order, &disk.target_file(copy), hypervisor).await } else { Whole::Shown };
    match whole {
        Whole::Shown => {
            if let Err(error) = hypervisor.delete_volume(&order.source_ref(), &file).await
                && !is_gone(order, &file, hypervisor).await
            {
                tracing::warn!(motion = %order.uuid, stem = %file.stem, pool = %file.pool.name, %error, "a file stays behind");
                return Ok(());
            }
        }
        // The agent was believed that it has copied the disk. That is not enough to delete the only other one.
        Whole::CannotBeShown => tracing::warn!(
            motion = %order.uuid, stem = %file.stem, pool = %file.pool.name,
            "the original stays behind: its host cannot show that the copy is whole"
        ),
        Whole::NotShown(reason) => {
            tracing::warn!(motion = %order.uuid, stem = %file.stem, pool = %file.pool.name, %reason, "the original stays behind");
            return Ok(());
        }
    }
    forget_row(store, disk, moved).await
}

/// Whether a host shows that a file is not there: the answer to its deletion may have been lost.
async fn is_gone(order: &Order, file: &DiskRef, hypervisor: &dyn Hypervisor) -> bool {
    matches!(hypervisor.files(&order.source_ref(), &file.pool, &file.stem).await, Ok(Some(files)) if files.is_empty())
}

/// Ends the row whose file is gone after a cold move, and with it what its pool had promised.
///
/// # Errors
/// A [`Refusal`] when the database fails.
pub(super) async fn forget_row(store: &Store, disk: &OrderDisk, moved: bool) -> Result<(), Refusal> {
    let Some(copy) = &disk.copy else { return Ok(()) };
    let (superfluous_id, pool_id) = if moved { (disk.volume.id, disk.source.id) } else { (copy.id, disk.target.id) };
    transact!(store, Refusal, |tx| {
        let Some(row) = tx.volume_in(superfluous_id).await? else { return Ok(()) };
        if row.state != VolumeState::Expunging {
            return Ok(());
        }
        match step(tx, &row, VolumeEvent::OperationSucceeded).await {
            Ok(_) => {}
            Err(Refusal { cause: Some(StoreError::Conflict { .. }), .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
        tx.volume_removed(superfluous_id).await?;
        tx.pool_release(pool_id, row.size_bytes).await?;
        Ok(())
    })
}
