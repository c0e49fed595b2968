//! The event of a correction: the outcome of a motion is learned when nobody waits for its job any more, and the rows follow it
//! (`contract/hyperv-e2e.md`, demand 11).

use super::order::Order;
use super::verdict::Verdict;
use crate::store::NewEvent;

/// CloudStack's system user, account and the root domain.
const SYSTEM: (i64, i64, i64) = (1, 1, 1);

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
    let (user_id, account_id, domain_id) = SYSTEM;
    NewEvent {
        kind: kind.to_owned(),
        state: "Completed",
        level: "WARN",
        description: format!(
            "What became of the migration of {what} is known now: {outcome}. The database follows. {}",
            verdict.verified
        ),
        user_id,
        account_id,
        domain_id,
        resource,
        start_id: 0,
    }
}
