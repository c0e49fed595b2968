//! Settle: the rows leave `Migrating` and say where everything is, in one transaction with the journal's verdict.

use super::order::{Kind, Order, OrderDisk};
use super::refusal::Refusal;
use super::verdict::{Outcome, Verdict, sentence};
use super::{alerts, learned};
use crate::model::{Vm, VmEvent, VmState, Volume, VolumeEvent, VolumeState};
use crate::store::{MotionRow, Store, StoreError, Tx, Usage, VmPlace, transact};

/// Settles an order. What it does, it does once: a second call finds the journal settled and changes nothing.
///
/// # Errors
/// A [`Refusal`] when the database fails or somebody else has changed a row meanwhile; nothing is half-changed then.
pub(super) async fn settle(store: &Store, order: &Order, verdict: &Verdict) -> Result<(), Refusal> {
    let alert = alerts::failed(store, order, verdict).await?;
    transact!(store, Refusal, |tx| {
        match tx.motion_settle(order.id, verdict.outcome.word(), verdict.reason.as_deref(), &verdict.verified).await {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        for (disk, moved) in order.disks.iter().zip(&verdict.disks_moved) {
            settle_disk(tx, order, disk, *moved, verdict).await?;
        }
        if order.kind.moves_vm() {
            settle_vm(tx, order, verdict.vm_moved).await?;
        }
        if let Some(alert) = &alert {
            tx.alert_insert(alert).await?;
        }
        Ok(())
    })
}

/// The verdict on a motion whose rows could not be written, for this reason.
pub(super) fn in_doubt(verdict: Verdict, why: &str) -> Verdict {
    let reason = format!("{why}, so its place was not written. The motion itself: {}.", verdict.outcome.word());
    Verdict { outcome: Outcome::Unknown, reason: Some(reason), ..verdict }
}

/// Ends a motion without touching its rows: they were changed by somebody else, and are looked at again later.
///
/// # Errors
/// A [`Refusal`] when the database fails.
pub(super) async fn give_over(store: &Store, order: &Order, verdict: &Verdict) -> Result<(), Refusal> {
    let alert = alerts::failed(store, order, verdict).await?;
    transact!(store, Refusal, |tx| {
        tx.motion_settle(order.id, verdict.outcome.word(), verdict.reason.as_deref(), &verdict.verified).await?;
        if let (Some(vm), Some(target), Some(offering), true) =
            (&order.vm, &order.target, &order.offering, order.kind.moves_vm())
        {
            // A machine that somebody has taken out of the motion needs room on one of the two hosts only.
            match tx.vm_in(vm.id).await? {
                Some(vm) if vm.state == VmState::Migrating => {}
                Some(vm) if vm.host_id == Some(target.id) => tx.host_release(order.source.id, offering).await?,
                _ => tx.host_release(target.id, offering).await?,
            }
        }
        if let Some(alert) = &alert {
            tx.alert_insert(alert).await?;
        }
        Ok(())
    })
}

/// Ends a motion that cannot be gone on with, since something that it speaks of is not in the database any more.
///
/// # Errors
/// A [`Refusal`] when the database fails.
pub(super) async fn abandon(store: &Store, row: &MotionRow, why: &str) -> Result<(), Refusal> {
    tracing::error!(motion = %row.uuid, reason = why, "a motion cannot be gone on with");
    let alert = alerts::abandoned(store, row, why).await?;
    let verified = format!("Nothing could be verified: {}", sentence(why));
    transact!(store, Refusal, |tx| {
        tx.motion_settle(row.id, Outcome::Unknown.word(), row.reason.as_deref(), &verified).await?;
        tx.alert_insert(&alert).await?;
        Ok(())
    })
}

/// Writes the end of a motion, and touches nothing else.
///
/// # Errors
/// A [`Refusal`] when the database fails.
pub(super) async fn close_row(store: &Store, row: &MotionRow, outcome: Outcome, verified: &str) -> Result<(), Refusal> {
    transact!(store, Refusal, |tx| {
        Ok(tx.motion_settle(row.id, outcome.word(), row.reason.as_deref(), verified).await?)
    })
}

async fn settle_disk(
    tx: &mut Tx,
    order: &Order,
    disk: &OrderDisk,
    moved: bool,
    verdict: &Verdict,
) -> Result<(), Refusal> {
    let found = match (verdict.outcome, moved) {
        (Outcome::Unknown, _) => None,
        (_, true) => Some(disk.target.id),
        (_, false) => Some(disk.source.id),
    };
    tx.motion_disk_found(order.id, disk.volume.id, found, verdict.outcome.word()).await?;
    match order.kind {
        Kind::LiveVm => Ok(()),
        Kind::ColdVolume => settle_copy(tx, disk, moved).await,
        Kind::LiveVolume | Kind::LiveVmWithStorage => {
            let event = if moved { VolumeEvent::OperationSucceeded } else { VolumeEvent::OperationFailed };
            let volume = step(tx, &disk.volume, event).await?;
            if moved && disk.moves() {
                place(tx, &volume, disk).await?;
            } else if moved {
                // A disk that was sent along to the pool it is in: only its last pool says so (`contract/hyperv-e2e.md`).
                tx.volume_place(&volume, &disk.target_place()).await?;
            }
            Ok(())
        }
    }
}

/// The end of a cold move: the copy takes the original's place and public id, or is thrown away. Both pools are charged until
/// the one that is superfluous is deleted.
async fn settle_copy(tx: &mut Tx, disk: &OrderDisk, moved: bool) -> Result<(), Refusal> {
    let Some(copy) = &disk.copy else { return Ok(()) };
    let source =
        step(tx, &disk.volume, if moved { VolumeEvent::OperationSucceeded } else { VolumeEvent::OperationFailed });
    let original = source.await?;
    if !moved {
        return drop_copy(tx, disk).await;
    }
    step(tx, copy, VolumeEvent::MigrationCopySucceeded).await?;
    let create = Usage { kind: "VOLUME.CREATE", volume: copy, size_bytes: Some(copy.size_bytes) };
    tx.usage_insert(&create).await?;
    tx.volume_exchange(&original, copy.id, &disk.stem).await?;
    let delete = Usage { kind: "VOLUME.DELETE", volume: &original, size_bytes: None };
    tx.usage_insert(&delete).await?;
    let original = step(tx, &original, VolumeEvent::DestroyRequested).await?;
    step(tx, &original, VolumeEvent::ExpungingRequested).await?;
    if let Some(offering_id) = disk.offering_id {
        tx.volume_offering(copy.id, offering_id).await?;
    }
    Ok(())
}

/// One transition. A row that is in the wanted state already (an operator or the management server was faster) stays.
pub(super) async fn step(tx: &mut Tx, volume: &Volume, event: VolumeEvent) -> Result<Volume, Refusal> {
    let transition = volume.state.on(event)?;
    Ok(tx.volume_transition(volume, transition).await?)
}

async fn place(tx: &mut Tx, volume: &Volume, disk: &OrderDisk) -> Result<(), Refusal> {
    tx.volume_place(volume, &disk.target_place()).await?;
    if let Some(offering_id) = disk.offering_id {
        tx.volume_offering(volume.id, offering_id).await?;
    }
    tx.pool_shift(disk.source.id, disk.target.id, volume.size_bytes).await?;
    Ok(())
}

async fn settle_vm(tx: &mut Tx, order: &Order, moved: bool) -> Result<(), Refusal> {
    let (Some(vm), Some(target)) = (&order.vm, &order.target) else { return Ok(()) };
    let (event, host, other) = if moved {
        (VmEvent::OperationSucceeded, target, &order.source)
    } else {
        (VmEvent::OperationFailed, &order.source, target)
    };
    let transition = vm.state.on(event)?;
    let place = VmPlace { host_id: Some(host.id), last_host_id: Some(order.source.id), pod_id: host.pod_id };
    tx.vm_transition(vm, transition, place).await?;
    // Somebody may have deleted the offering's row since.
    if let Some(offering) = &order.offering {
        tx.host_release(other.id, offering).await?;
    }
    Ok(())
}

/// The verdict of a motion that was settled before.
///
/// # Errors
/// See [`Store::motion_disk_places`].
pub(super) async fn read_back(store: &Store, order: &Order, row: &MotionRow) -> Result<Verdict, Refusal> {
    let outcome = row.outcome.as_deref().and_then(Outcome::parse).unwrap_or(Outcome::Unknown);
    let places = store.motion_disk_places(row.id).await?;
    let moved = |disk: &OrderDisk| places.contains(&(disk.volume.id, Some(disk.target.id)));
    Ok(Verdict {
        outcome,
        vm_moved: order.kind.moves_vm() && matches!(outcome, Outcome::Done | Outcome::Partly),
        disks_moved: order.disks.iter().map(moved).collect(),
        verified: row.verified.clone().unwrap_or_default(),
        reason: row.reason.clone(),
    })
}

/// Corrects the rows of a motion whose outcome was not known and is now: the host has answered at last. Gives the verdict as it was
/// written; none when somebody else was first.
///
/// Rows that somebody has changed since are left alone: then somebody else has decided.
///
/// # Errors
/// A [`Refusal`] when the database fails.
pub(super) async fn correct(store: &Store, order: &Order, verdict: Verdict) -> Result<Option<Verdict>, Refusal> {
    let verdict = as_decided(order, verdict);
    let reason = format!("Learned later: {}", verdict.verified);
    let (alert, event) = (alerts::corrected(store, order, &verdict).await?, learned::event(order, &verdict));
    let was_open = transact!(store, Refusal, |tx| {
        match tx.motion_settle(order.id, verdict.outcome.word(), Some(&reason), &verdict.verified).await {
            Ok(()) => {}
            Err(StoreError::Conflict { .. }) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
        correct_rows(tx, order, &verdict).await?;
        tx.alert_insert(&alert).await?;
        tx.event_insert(&event).await?;
        Ok(true)
    })?;
    if was_open {
        tracing::warn!(motion = %order.uuid, verified = %verdict.verified, "the outcome of an earlier motion is known now");
    }
    Ok(was_open.then_some(verdict))
}

/// A copy does not take the place of an original that somebody has taken back meanwhile.
fn as_decided(order: &Order, verdict: Verdict) -> Verdict {
    let is_taken_back = |disk: &OrderDisk| disk.volume.state != VolumeState::Migrating;
    if order.kind != Kind::ColdVolume || !order.disks.iter().any(is_taken_back) {
        return verdict;
    }
    Verdict { outcome: Outcome::NotDone, disks_moved: vec![false; order.disks.len()], ..verdict }
}

/// Rows that are still as the motion left them are settled now as they would have been; others only where that is possible
/// without undoing what somebody has decided since.
async fn correct_rows(tx: &mut Tx, order: &Order, verdict: &Verdict) -> Result<(), Refusal> {
    for (disk, moved) in order.disks.iter().zip(&verdict.disks_moved) {
        if disk.volume.state == VolumeState::Migrating {
            settle_disk(tx, order, disk, *moved, verdict).await?;
            continue;
        }
        let found = if *moved { disk.target.id } else { disk.source.id };
        match order.kind {
            Kind::LiveVm => {}
            // The original was never touched; somebody has decided that it is the disk.
            Kind::ColdVolume => drop_copy(tx, disk).await?,
            Kind::LiveVolume | Kind::LiveVmWithStorage => {
                let here = disk.volume.pool_id == Some(disk.source.id);
                if *moved && disk.moves() && here && disk.volume.state == VolumeState::Ready {
                    let volume = step(tx, &disk.volume, VolumeEvent::OperationSucceeded).await?;
                    place(tx, &volume, disk).await?;
                }
            }
        }
        tx.motion_disk_found(order.id, disk.volume.id, Some(found), verdict.outcome.word()).await?;
    }
    let (Some(vm), Some(target), true) = (&order.vm, &order.target, order.kind.moves_vm()) else { return Ok(()) };
    if vm.state == VmState::Migrating {
        settle_vm(tx, order, verdict.vm_moved).await?;
    } else if verdict.vm_moved && vm.state == VmState::Running && vm.host_id == Some(order.source.id) {
        correct_vm(tx, order, vm, target).await?;
    }
    Ok(())
}

/// Throws the row of a copy away that has not become the disk.
async fn drop_copy(tx: &mut Tx, disk: &OrderDisk) -> Result<(), Refusal> {
    let Some(copy) = disk.copy.as_ref().filter(|copy| copy.state == VolumeState::Creating) else { return Ok(()) };
    let copy = step(tx, copy, VolumeEvent::MigrationCopyFailed).await?;
    let copy = step(tx, &copy, VolumeEvent::DestroyRequested).await?;
    step(tx, &copy, VolumeEvent::ExpungingRequested).await?;
    Ok(())
}

async fn correct_vm(tx: &mut Tx, order: &Order, vm: &Vm, target: &crate::model::Host) -> Result<(), Refusal> {
    let here = VmPlace { host_id: vm.host_id, last_host_id: vm.last_host_id, pod_id: vm.pod_id };
    let there = VmPlace { host_id: Some(target.id), last_host_id: Some(order.source.id), pod_id: target.pod_id };
    // There is no single step from Running to Running: it is said that it moves, and that it has moved.
    for (event, place) in [(VmEvent::MigrationRequested, here), (VmEvent::OperationSucceeded, there)] {
        let now = tx.vm_in(vm.id).await?.ok_or_else(|| Refusal::failed("The VM's row is gone"))?;
        let transition = now.state.on(event)?;
        tx.vm_transition(&now, transition, place).await?;
    }
    if let Some(offering) = &order.offering {
        // It is there, whether or not there is room for it.
        tx.host_shift(order.source.id, target.id, offering).await?;
    }
    Ok(())
}
