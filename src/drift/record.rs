//! Findings are written down once, told once, and closed when they are gone.

use super::Drift;
use super::look::Seen;
use crate::store::{Alert, DriftEnd, DriftRow, NewDrift, NewEvent, StoreError, Tx, transact};

/// The type of the event that says that something was found.
const FOUND: &str = "DRIFT.FOUND";
impl Drift {
    /// Writes down what a look gave. A finding that `before` has not got counts for nothing yet.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing is half-written then.
    pub(super) async fn record(&self, seen: &Seen, before: &[NewDrift]) -> Result<(), StoreError> {
        let thing = seen.subject.thing();
        // So it is with nearly all, and a transaction keeps all others waiting on SQLite.
        if seen.findings.is_empty() && !self.store.has_drift(thing.vm_id(), thing.volume_id()).await? {
            return Ok(());
        }
        let zone = self.store.zone_name(seen.teller.zone_id).await?;
        let written = transact!(self.store, StoreError, |tx| {
            let known = tx.drift_of(thing.vm_id(), thing.volume_id()).await?;
            for row in &known {
                follow(tx, seen, row).await?;
            }
            for new in &seen.findings {
                if !known.iter().any(|row| is(row, new)) && before.iter().any(|earlier| looks_like(earlier, new)) {
                    raise(tx, seen, new, &zone).await?;
                }
            }
            Ok(())
        });
        match written {
            // Another gateway that looks after the hosts at this moment has written it down.
            Err(error) if error.is_duplicate() => Ok(()),
            written => written,
        }
    }
}

/// Whether a row speaks of this finding.
pub(super) fn is(row: &DriftRow, new: &NewDrift) -> bool {
    row.kind == new.kind && row.volume_id == new.volume_id && row.mark == new.mark
}

fn looks_like(one: &NewDrift, other: &NewDrift) -> bool {
    (one.kind, one.volume_id, &one.mark) == (other.kind, other.volume_id, &other.mark)
}

/// What becomes of a row that is open or was dismissed.
async fn follow(tx: &mut Tx, seen: &Seen, row: &DriftRow) -> Result<(), StoreError> {
    if let Some(new) = seen.findings.iter().find(|new| is(row, new)) {
        return tx.drift_seen(row.id, &new.host_says).await;
    }
    if !is_judged(seen, row) {
        return Ok(());
    }
    if row.resolution.is_some() {
        return tx.drift_forget(row.id).await;
    }
    tracing::info!(drift = %row.uuid, kind = %row.kind, "what differed between database and host does not any more");
    tx.drift_close(row.id, "vanished", &DriftEnd::default()).await
}

/// Whether the look would have seen what the row speaks of.
fn is_judged(seen: &Seen, row: &DriftRow) -> bool {
    let Some(volume_id) = row.volume_id else { return seen.told_place };
    match seen.subject.volume(volume_id) {
        Some(volume) => seen.told_disks.contains(&volume.id),
        // It belongs to the machine no more.
        None => true,
    }
}

/// Writes a new finding down, with its event and its alert.
async fn raise(tx: &mut Tx, seen: &Seen, new: &NewDrift, zone: &str) -> Result<(), StoreError> {
    let host = &seen.teller;
    tracing::warn!(kind = new.kind, database = %new.database_says, host = %new.host_says, "database and host differ");
    tx.drift_insert(new).await?;
    let about_disk = new.volume_id.is_some();
    let resource = match new.volume_id {
        Some(id) => ("Volume".to_owned(), id),
        None => ("VirtualMachine".to_owned(), new.vm_id.unwrap_or_default()),
    };
    let description = format!("Database and host differ. {} {}", new.database_says, new.host_says);
    let event = NewEvent::of_system(FOUND, ("Completed", "WARN"), description, Some(resource));
    tx.event_insert(&event).await?;
    let kind = if about_disk { Alert::STORAGE } else { Alert::SYNC };
    let vm = seen.subject.vm.as_ref().map(|vm| vm.instance_name.as_str());
    let what = match (new.volume_id.and_then(|id| seen.subject.volume(id)), vm) {
        (Some(volume), Some(vm)) => format!("volume {} of {vm}", volume.name),
        (Some(volume), None) => format!("volume {}", volume.name),
        (None, vm) => format!("VM {}", vm.unwrap_or_default()),
    };
    let subject = format!("Database and host differ about {what} in zone {zone}: {}", new.kind);
    let content = format!(
        "{} {} Nothing was changed. listDrift shows it; resolveDrift makes the database follow the host, or closes it.",
        new.database_says, new.host_says
    );
    tx.alert_insert(&Alert::at(host, kind, subject, content)).await
}
