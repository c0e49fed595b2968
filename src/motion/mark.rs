//! Mark: the motion is written down and its rows go to `Migrating`, in one transaction.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use tokio::try_join;

use super::ledger;
use super::order::{Kind, Order, OrderDisk};
use super::patience::Patience;
use super::pools::{self, SpaceLimits};
use super::refusal::Refusal;
use super::settle::step;
use super::volume_checks::maintenance_text;
use crate::model::{Vm, VmEvent, VmState, Volume, VolumeEvent};
use crate::store::{MotionDisk, NewMotion, Store, Tx, VmPlace, transact};

/// Marks an order and gives it back as the rows are now.
///
/// # Errors
/// A [`Refusal`] with nothing changed: somebody else changed a row, or the target host has no room for the VM.
pub(super) async fn mark(store: &Store, order: &Order, strategy: &str, patience: &Patience) -> Result<Order, Refusal> {
    let (limits, at_once) = try_join!(SpaceLimits::load(store), pools::most_at_once(store))?;
    transact!(store, Refusal, |tx| {
        take_turns(tx, order).await?;
        look_again(tx, order).await?;
        find_room(tx, order, &limits, at_once).await?;
        mark_in(tx, order.clone(), strategy, patience).await
    })
}

/// Nobody else sends something to the same host or pools, calls them empty or takes them away before this transaction ends.
async fn take_turns(tx: &mut Tx, order: &Order) -> Result<(), Refusal> {
    if let Some(target) = order.target.as_ref().filter(|_| order.kind.moves_vm()) {
        tx.host_hold(target.id).await?;
    }
    let pools: BTreeSet<i64> = order.disks.iter().filter(|disk| disk.moves()).map(|disk| disk.target.id).collect();
    for pool_id in pools {
        tx.pool_hold(pool_id).await?;
    }
    Ok(())
}

/// Where others are on their way to a pool already, there must still be room for all: the checks of two that began together have
/// seen the same room. One that goes alone is judged by the checks, which ask for no more than CloudStack's do.
async fn find_room(tx: &mut Tx, order: &Order, limits: &SpaceLimits, at_once: Option<i64>) -> Result<(), Refusal> {
    // What each pool has promised; nothing where nobody else is on the way.
    let mut known: BTreeMap<i64, Option<i64>> = BTreeMap::new();
    for disk in order.disks.iter().filter(|disk| disk.moves()) {
        let (pool, bytes) = (&disk.target, disk.volume.size_bytes);
        let promised = match known.entry(pool.id) {
            Entry::Occupied(looked_up) => looked_up.into_mut(),
            Entry::Vacant(unknown) => {
                let incoming = tx.pool_incoming(pool.id).await?;
                if let Some(limit) =
                    at_once.filter(|limit| order.kind == Kind::ColdVolume && incoming.motions >= *limit)
                {
                    return Err(pools::too_many(limit));
                }
                let promised = match incoming.motions {
                    0 => None,
                    _ => Some(tx.pool_allocated_bytes(pool.id).await?.saturating_add(incoming.bytes)),
                };
                unknown.insert(promised)
            }
        };
        let Some(promised) = promised else { continue };
        if !pools::fits(limits, pool, *promised, bytes) {
            return Err(pools::no_room(pool, &disk.volume));
        }
        *promised = promised.saturating_add(bytes);
    }
    Ok(())
}

async fn mark_in(tx: &mut Tx, mut order: Order, strategy: &str, patience: &Patience) -> Result<Order, Refusal> {
    if order.kind == Kind::ColdVolume {
        for disk in &mut order.disks {
            disk.copy = Some(insert_copy(tx, disk).await?);
        }
    }
    for disk in &mut order.disks {
        if order.kind == Kind::LiveVm {
            continue;
        }
        disk.volume = step(tx, &disk.volume, VolumeEvent::MigrationRequested).await?;
    }
    if order.kind.moves_vm() {
        order.vm = Some(mark_vm(tx, &order).await?);
    }
    order.id = tx.motion_insert(&journal(&order, strategy, patience)).await?;
    for file in ledger::files_of(&order) {
        tx.motion_file_insert(order.id, &file).await?;
    }
    Ok(order)
}

/// The last look before a motion is written down and sent: the checks were made on rows that may have changed since. The texts
/// are those of the checks (`contract/migration.md` 2.1, 2.2, 2.5). A pool that is switched off takes what is moved to it by
/// name, as in CloudStack (`contract/corrections.md` 43); one in maintenance, half added or gone takes nothing.
async fn look_again(tx: &mut Tx, order: &Order) -> Result<(), Refusal> {
    if let Some(target) = order.target.as_ref().filter(|_| order.kind.moves_vm()) {
        let now = tx.host_status(target.id).await?;
        let (status, resource_state) = now.unwrap_or_else(|| ("Removed".to_owned(), "Disabled".to_owned()));
        if (status.as_str(), resource_state.as_str()) != ("Up", "Enabled") {
            let state = format!("is not in correct state, has status: {status}, state: {resource_state}");
            return Err(match order.kind {
                Kind::LiveVm => Refusal::parameter(format!("Cannot migrate VM, destination host {state}")),
                _ => Refusal::failed(format!(
                    "Cannot migrate VM, destination host {} (ID: {}) {state}",
                    target.name, target.uuid
                )),
            });
        }
    }
    for disk in order.disks.iter().filter(|disk| disk.moves()) {
        let now = tx.pool_status(disk.target.id).await?;
        if !matches!(now.as_deref(), Some("Up" | "Disabled")) {
            return Err(Refusal::parameter(maintenance_text(&disk.volume, &disk.target)));
        }
    }
    Ok(())
}

async fn insert_copy(tx: &mut Tx, disk: &OrderDisk) -> Result<Volume, Refusal> {
    // The copy's row begins with the name of the file that will be made: both are new and unique.
    let id = tx.volume_copy_insert(&disk.volume, &disk.stem, &disk.target_place()).await?;
    tx.pool_charge(disk.target.id, disk.volume.size_bytes).await?;
    let missing = || Refusal::failed("The row of the copy could not be read back");
    let copy = tx.volume_in(id).await?.ok_or_else(missing)?;
    step(tx, &copy, VolumeEvent::MigrationCopyRequested).await
}

async fn mark_vm(tx: &mut Tx, order: &Order) -> Result<Vm, Refusal> {
    let (Some(vm), Some(target), Some(offering)) = (&order.vm, &order.target, &order.offering) else {
        return Err(Refusal::failed("A VM that moves needs a host and an offering"));
    };
    let transition = vm
        .state
        .on(VmEvent::MigrationRequested)
        .map_err(|_| Refusal::failed(format!("Migration cancelled because state has changed: {}", vm.dump())))?;
    if !tx.host_charge(target.id, offering).await? {
        let prefix = if order.kind == Kind::LiveVm { "Migration cancelled because " } else { "" };
        return Err(Refusal::failed(format!("{prefix}Host does not have enough capacity for vm {}", vm.dump())));
    }
    // As in CloudStack, the row shows the target while the VM moves (`contract/migration.md` 3.6).
    let pod_id = if order.kind == Kind::LiveVm { vm.pod_id } else { target.pod_id };
    let place = VmPlace { host_id: Some(target.id), last_host_id: Some(order.source.id), pod_id };
    Ok(tx.vm_transition(vm, transition, place).await?)
}

fn journal(order: &Order, strategy: &str, patience: &Patience) -> NewMotion {
    let (stall_s, stall_origin) = patience.stall.in_seconds();
    let (unreachable_s, unreachable_origin) = patience.unreachable.in_seconds();
    NewMotion {
        uuid: order.uuid.clone(),
        job_id: order.job_id,
        kind: order.kind.word().to_owned(),
        strategy: strategy.to_owned(),
        vm: order.vm.as_ref().map(|vm| (vm.id, vm.instance_name.clone())),
        source_host_id: order.source.id,
        target_host_id: order.target.as_ref().map(|host| host.id),
        bytes_total: order.bytes_total(),
        stall_s,
        stall_origin: stall_origin.to_owned(),
        unreachable_s,
        unreachable_origin: unreachable_origin.to_owned(),
        disks: order
            .disks
            .iter()
            .map(|disk| MotionDisk {
                volume_id: disk.volume.id,
                copy_volume_id: disk.copy.as_ref().map(|copy| copy.id),
                stem: disk.stem.clone(),
                source_pool_id: disk.source.id,
                target_pool_id: disk.target.id,
                disk_offering_id: disk.offering_id,
                before: None,
            })
            .collect(),
    }
}

/// No strategy handles the order. The text shows the VM as if it were moving already, as CloudStack's does.
pub(super) fn no_strategy(order: &Order) -> Refusal {
    let host = |host: Option<&crate::model::Host>| host.map(|host| host.name.clone()).unwrap_or_default();
    let reason = format!(
        "Can't find strategy to move data. Source Host: {}, Destination Host: {}, Volume UUIDs: {}",
        order.source.name,
        host(order.target.as_ref()),
        order.volume_uuids()
    );
    along_with_volumes(order, &reason)
}

/// The frame around the reason why a VM did not move with its volumes (`contract/migration.md` 2.5, 35).
pub(super) fn along_with_volumes(order: &Order, reason: &str) -> Refusal {
    Refusal::failed(format!("Failed to migrate VM [{}] along with its volumes due to [{reason}].", moving_dump(order)))
}

/// The VM as text, in state `Migrating`.
pub(super) fn moving_dump(order: &Order) -> String {
    let vm = order.vm.clone().map(|vm| Vm { state: VmState::Migrating, ..vm });
    vm.map(|vm| vm.dump()).unwrap_or_default()
}
