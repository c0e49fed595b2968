//! What an operator is told by alert: a move that failed, one that nobody can follow, and one that ended in another way than was
//! said.

use std::time::Duration;

use super::order::{Kind, Order};
use super::refusal::{Refusal, advice};
use super::verdict::{Outcome, Verdict, sentence};
use crate::store::{Alert, AlertKind, MotionRow, Store};

/// The alert that a failed move is worth: one for every move, with what the agent said and what was seen.
///
/// # Errors
/// A [`Refusal`] when the database fails; the same holds for all functions of this file.
pub(super) async fn failed(store: &Store, order: &Order, verdict: &Verdict) -> Result<Option<Alert>, Refusal> {
    if verdict.outcome == Outcome::Done {
        return Ok(None);
    }
    let zone = zone_of(store, order).await?;
    let (kind, subject, begin) = match &order.vm {
        Some(vm) if order.kind.moves_vm() => {
            // Where disks move too, CloudStack prints the zone in the place of the pod (`contract/migration.md` 3.8).
            let pod = match order.kind {
                Kind::LiveVmWithStorage => zone.clone(),
                _ => store.pod_name(order.source.pod_id).await?,
            };
            let (vm, host) = (&vm.instance_name, &order.source.name);
            let subject = format!("Unable to migrate vm {vm} from host {host} in zone {zone} and pod {pod}");
            (Alert::VM_MIGRATE, subject, "Migrate Command failed.  Please check logs.")
        }
        _ => {
            let names = what(order);
            let subject = match verdict.outcome {
                Outcome::Unknown => {
                    format!("What became of the migration of volume {names} in zone {zone} is not known")
                }
                _ => format!("Unable to migrate volume {names} in zone {zone}"),
            };
            (Alert::STORAGE, subject, "The volume was not moved.")
        }
    };
    let vm = order.vm.as_ref().map(|vm| vm.instance_name.as_str());
    let doubt = advice(&order.uuid, vm);
    let begin = if verdict.outcome == Outcome::Unknown { doubt.as_str() } else { begin };
    let reason = sentence(verdict.reason.as_deref().unwrap_or_default());
    let content = format!("{begin} {reason} {}", verdict.verified);
    Ok(Some(Alert::at(&order.source, kind, subject, content)))
}

/// The alert of a correction: rows that an operator has seen are changed.
pub(super) async fn corrected(store: &Store, order: &Order, verdict: &Verdict) -> Result<Alert, Refusal> {
    let subject = format!(
        "What became of the migration of {} in zone {} is known now",
        what(order),
        zone_of(store, order).await?
    );
    let content = format!("The database has been corrected ({}). {}", verdict.outcome.word(), verdict.verified);
    Ok(Alert::at(&order.source, kind_of(order), subject, content))
}

/// The alert of a move that nobody can see: it has been going on for so long, and neither its agent nor the size of its files says
/// whether it moves at all; or the agent says that it goes on, and that nothing is left to copy (`is_told`).
pub(super) async fn unseen(store: &Store, order: &Order, since: Duration, is_told: bool) -> Result<Alert, Refusal> {
    let (what, host) = (what(order), &order.source.name);
    let zone = zone_of(store, order).await?;
    let vm = order.vm.as_ref().map_or("NAME", |vm| vm.instance_name.as_str());
    let tells = if is_told {
        "says that all is copied and that it is not over"
    } else {
        "tells nothing of it before it is over"
    };
    let content = format!(
        "Host {host} has been at work on migration {} for {} s without a sign of it, and its agent {tells}. It may move or \
         stand still: nothing is stopped by the clock. Look at the host: Get-VM {vm} | Format-List Status, OperationalStatus shows \
         what Hyper-V does with it, and the size of the target's files whether they grow. To end it, cancel the move there; what \
         became of it is then found out and written by itself.",
        order.uuid,
        since.as_secs()
    );
    let subject = format!("Nobody can tell whether the migration of {what} in zone {zone} moves");
    Ok(Alert::at(&order.source, kind_of(order), subject, content))
}

/// The alert of a move that cannot be gone on with, since something that it speaks of is not in the database any more.
pub(super) async fn abandoned(store: &Store, row: &MotionRow, why: &str) -> Result<Alert, Refusal> {
    let source = store.host_by_id(row.source_host_id).await?;
    let content = format!("{} {}", sentence(why), advice(&row.uuid, None));
    let subject = format!("Migration {} cannot be gone on with", row.uuid);
    Ok(match source {
        Some(host) => Alert::at(&host, Alert::STORAGE, subject, content),
        None => {
            let (kind, name) = Alert::STORAGE;
            Alert { kind, name, zone_id: 0, pod_id: None, cluster_id: None, subject, content }
        }
    })
}

fn kind_of(order: &Order) -> AlertKind {
    if order.kind.moves_vm() { Alert::VM_MIGRATE } else { Alert::STORAGE }
}

/// The names of what an order moves.
fn what(order: &Order) -> String {
    match &order.vm {
        Some(vm) if order.kind.moves_vm() => vm.instance_name.clone(),
        _ => {
            let names: Vec<&str> = order.disks.iter().map(|disk| disk.volume.name.as_str()).collect();
            names.join(", ")
        }
    }
}

async fn zone_of(store: &Store, order: &Order) -> Result<String, Refusal> {
    Ok(store.zone_name(order.source.zone_id).await?)
}
