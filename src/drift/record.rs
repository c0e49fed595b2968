//! Findings are written down once, told once, and closed when they are gone.

use super::Drift;
use super::look::Seen;
use crate::store::{Alert, DriftEnd, DriftRow, NewDrift, NewEvent, StoreError, Tx, transact};

/// The type of the event that says that something was found.
const FOUND: &str = "DRIFT.FOUND";
/// CloudStack's system user, account and the root domain.
const SYSTEM: (i64, i64, i64) = (1, 1, 1);

impl Drift {
    /// Writes down what a look gave. A finding that `before` has not got counts for nothing yet.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails; nothing is half-written then.
    pub(super) async fn record(&self, seen: &Seen, before: &[NewDrift]) -> Result<(), StoreError> {
        let zone = self.store.zone_name(seen.teller.zone_id).await?;
        let thing = seen.subject.thing();
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
    let (user_id, account_id, domain_id) = SYSTEM;
    let resource = match new.volume_id {
        Some(id) => ("Volume".to_owned(), id),
        None => ("VirtualMachine".to_owned(), new.vm_id.unwrap_or_default()),
    };
    let event = NewEvent {
        kind: FOUND.to_owned(),
        state: "Completed",
        level: "WARN",
        description: format!("Database and host differ. {} {}", new.database_says, new.host_says),
        user_id,
        account_id,
        domain_id,
        resource: Some(resource),
        start_id: 0,
    };
    tx.event_insert(&event).await?;
    // The kinds that CloudStack has for storage matters, and for states that it found to be others (`contract/entities.md` 4.8).
    let (kind, name) = if about_disk { (12, "ALERT.STORAGE.MISC") } else { (27, "ALERT.TYPE.SYNC") };
    let vm = seen.subject.vm.as_ref().map(|vm| vm.instance_name.as_str());
    let what = match (new.volume_id.and_then(|id| seen.subject.volume(id)), vm) {
        (Some(volume), Some(vm)) => format!("volume {} of {vm}", volume.name),
        (Some(volume), None) => format!("volume {}", volume.name),
        (None, vm) => format!("VM {}", vm.unwrap_or_default()),
    };
    tx.alert_insert(&Alert {
        kind,
        name,
        zone_id: host.zone_id,
        pod_id: host.pod_id,
        cluster_id: host.cluster_id,
        subject: format!("Database and host differ about {what} in zone {zone}: {}", new.kind),
        content: format!(
            "{} {} Nothing was changed. listDrift shows it; resolveDrift makes the database follow the host, or closes it.",
            new.database_says, new.host_says
        ),
    })
    .await
}
