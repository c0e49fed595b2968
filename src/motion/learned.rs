//! The event of a correction: the outcome of a motion is learned when nobody waits for its job any more, and the rows follow it
//! (`contract/hyperv-e2e.md`, demand 11).

use super::order::Order;
use super::verdict::Verdict;
use crate::store::NewEvent;

/// What the event log says when the rows of an order follow a verdict that came late.
pub(super) fn event(order: &Order, verdict: &Verdict) -> NewEvent {
    let disks: Vec<&str> = order.disks.iter().map(|disk| disk.volume.name.as_str()).collect();
    let (what, kind, resource) = match &order.vm {
        Some(vm) if order.kind.moves_vm() => {
            (format!("VM {}", vm.instance_name), "VM.MIGRATE", Some(("VirtualMachine".to_owned(), vm.id)))
        }
        _ => {
            let resource = order.disks.first().map(|disk| ("Volume".to_owned(), disk.volume.id));
            (format!("volume {}", disks.join(", ")), "VOLUME.MIGRATE", resource)
        }
    };
    let outcome = verdict.outcome.word();
    let description = format!(
        "What became of the migration of {what} is known now: {outcome}. The database follows. {}",
        verdict.verified
    );
    NewEvent::of_system(kind, ("Completed", "WARN"), description, resource)
}
