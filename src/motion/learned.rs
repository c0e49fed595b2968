//! What is told when the outcome of a motion is learned later and the rows follow it: nobody waits for a job any more, so an
//! event and an alert say what was corrected (`contract/hyperv-e2e.md`, demand 11).

use super::order::Order;
use super::verdict::Verdict;
use crate::store::{Alert, NewEvent, StoreError, Tx};

/// CloudStack's system user, account and the root domain.
const SYSTEM: (i64, i64, i64) = (1, 1, 1);

/// Tells what became of a motion after all, in the transaction that corrects its rows.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub(super) async fn tell(tx: &mut Tx, order: &Order, verdict: &Verdict) -> Result<(), StoreError> {
    let disks: Vec<&str> = order.disks.iter().map(|disk| disk.volume.name.as_str()).collect();
    let (what, event, resource, alert) = match (&order.vm, order.disks.first()) {
        (Some(vm), _) if order.kind.moves_vm() => (
            format!("VM {}", vm.instance_name),
            "VM.MIGRATE",
            Some(("VirtualMachine".to_owned(), vm.id)),
            (27, "ALERT.TYPE.SYNC"),
        ),
        (_, disk) => (
            format!("volume {}", disks.join(", ")),
            "VOLUME.MIGRATE",
            disk.map(|disk| ("Volume".to_owned(), disk.volume.id)),
            (12, "ALERT.STORAGE.MISC"),
        ),
    };
    let outcome = verdict.outcome.word();
    let subject = format!("What became of the migration of {what} is known now: {outcome}");
    let content = format!("{subject}. The database follows the hosts. {}", verdict.verified);
    let (user_id, account_id, domain_id) = SYSTEM;
    tx.event_insert(&NewEvent {
        kind: event.to_owned(),
        state: "Completed",
        level: "WARN",
        description: content.clone(),
        user_id,
        account_id,
        domain_id,
        resource,
        start_id: 0,
    })
    .await?;
    let source = &order.source;
    tx.alert_insert(&Alert {
        kind: alert.0,
        name: alert.1,
        zone_id: source.zone_id,
        pod_id: source.pod_id,
        cluster_id: source.cluster_id,
        subject,
        content,
    })
    .await
}
