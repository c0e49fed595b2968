//! Strategies: who carries an order out. The one with the highest priority that can handle an order does
//! (`contract/migration.md` 4.1). A strategy speaks to the hypervisor and reports; it never writes a row.

use futures_util::future::BoxFuture;

use super::hypervisor::{AgentError, Answer, DiskRef, Effect, Hypervisor, Told, VmMove, VolumeCopy, VolumeMove};
use super::order::{Kind, Order, disk_ref, pool_ref};

/// How well a strategy can handle an order. The highest wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// Not at all.
    CannotHandle,
    /// As anything of the kind.
    Default,
    /// As one made for this hypervisor.
    Hypervisor,
    /// Better than anything else.
    Highest,
}

/// One way to carry an order out.
pub trait Strategy: Send + Sync {
    /// CloudStack's name of it.
    fn name(&self) -> &'static str;

    /// How well it can handle the order.
    fn can_handle(&self, order: &Order) -> Priority;

    /// Carries it out. Returns when the host says that it is over.
    fn execute<'a>(&'a self, order: &'a Order, hypervisor: &'a dyn Hypervisor) -> BoxFuture<'a, Answer<Told>>;
}

/// Moves one volume: in place under a running VM, or by a copy when no running VM uses it.
#[derive(Debug)]
pub struct AncientDataMotionStrategy;

impl Strategy for AncientDataMotionStrategy {
    fn name(&self) -> &'static str {
        "AncientDataMotionStrategy"
    }

    fn can_handle(&self, order: &Order) -> Priority {
        if order.kind.moves_vm() { Priority::CannotHandle } else { Priority::Default }
    }

    fn execute<'a>(&'a self, order: &'a Order, hypervisor: &'a dyn Hypervisor) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(async move {
            let Some(disk) = order.disks.first() else { return Err(nothing()) };
            let host = order.source_ref();
            let here = disk_ref(&disk.volume, &disk.source);
            if order.kind == Kind::LiveVolume {
                let vm = order.vm_ref().ok_or_else(nothing)?;
                let target = pool_ref(&disk.target);
                let order = VolumeMove { motion: order.uuid.clone(), vm, disk: here, target };
                return hypervisor.move_volume(&host, &order).await;
            }
            let copy = disk.copy.as_ref().ok_or_else(nothing)?;
            let there = DiskRef { format: here.format.clone(), ..disk.target_file(copy) };
            hypervisor.copy_volume(&host, &VolumeCopy { motion: order.uuid.clone(), disk: here, copy: there }).await
        })
    }
}

/// Moves a running Hyper-V VM to another Hyper-V host, with its disks.
#[derive(Debug)]
pub struct HypervStorageMotionStrategy;

impl Strategy for HypervStorageMotionStrategy {
    fn name(&self) -> &'static str {
        "HypervStorageMotionStrategy"
    }

    fn can_handle(&self, order: &Order) -> Priority {
        let target = order.target.as_ref();
        let both = order.source.is_hyperv() && target.is_some_and(crate::model::Host::is_hyperv);
        if order.kind == Kind::LiveVmWithStorage && both { Priority::Hypervisor } else { Priority::CannotHandle }
    }

    fn execute<'a>(&'a self, order: &'a Order, hypervisor: &'a dyn Hypervisor) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(move_vm(order, hypervisor))
    }
}

/// Moves a running VM whose disks both hosts reach. CloudStack does this in its VM manager, without a strategy; here it is
/// one, so that all motions are chosen, journaled and settled alike.
#[derive(Debug)]
pub struct SharedStorageStrategy;

impl Strategy for SharedStorageStrategy {
    fn name(&self) -> &'static str {
        "VirtualMachineManager"
    }

    fn can_handle(&self, order: &Order) -> Priority {
        if order.kind == Kind::LiveVm { Priority::Default } else { Priority::CannotHandle }
    }

    fn execute<'a>(&'a self, order: &'a Order, hypervisor: &'a dyn Hypervisor) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(move_vm(order, hypervisor))
    }
}

async fn move_vm(order: &Order, hypervisor: &dyn Hypervisor) -> Answer<Told> {
    let vm = order.vm_ref().ok_or_else(nothing)?;
    let target_host = order.target_ref().ok_or_else(nothing)?;
    let disks = order.disks.iter().map(|disk| (disk_ref(&disk.volume, &disk.source), pool_ref(&disk.target))).collect();
    let message = VmMove { motion: order.uuid.clone(), vm, target_host, disks };
    hypervisor.move_vm(&order.source_ref(), &message).await
}

/// An order that lacks what its kind needs. Plans never make one.
fn nothing() -> AgentError {
    AgentError { effect: Effect::None, text: "the order names no disk, VM or host to move".to_owned() }
}

/// The strategy with the highest priority that can handle the order; the first of equals.
pub fn choose<'a>(strategies: &'a [Box<dyn Strategy>], order: &Order) -> Option<&'a dyn Strategy> {
    let mut best: Option<(Priority, &dyn Strategy)> = None;
    for strategy in strategies {
        let priority = strategy.can_handle(order);
        if priority > best.map_or(Priority::CannotHandle, |(priority, _)| priority) {
            best = Some((priority, strategy.as_ref()));
        }
    }
    best.map(|(_, strategy)| strategy)
}

/// The strategies of this gateway.
#[must_use]
pub fn all() -> Vec<Box<dyn Strategy>> {
    vec![Box::new(AncientDataMotionStrategy), Box::new(HypervStorageMotionStrategy), Box::new(SharedStorageStrategy)]
}
