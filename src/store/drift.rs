//! What was found to differ between database and hosts (`motion_drift`), and what the database has to be changed for.

use super::value::Row;
use super::{Store, StoreError, Tx, transact};
use crate::args;
use crate::model::{CapacityKind, Timestamp, Volume};

/// Something that differs, to be written down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDrift {
    /// What kind of difference: see `drift::Kind`.
    pub kind: &'static str,
    /// How it looks. The same thing that looks otherwise is another finding.
    pub mark: String,
    /// The machine.
    pub vm_id: i64,
    /// The disk; none when the machine itself is meant.
    pub volume_id: Option<i64>,
    /// The host that the database gives the machine.
    pub host_id: i64,
    /// The host that has it.
    pub found_host_id: Option<i64>,
    /// The pool that the database gives the disk.
    pub pool_id: Option<i64>,
    /// The pool that it is in.
    pub found_pool_id: Option<i64>,
    /// What the database says: a sentence.
    pub database_says: String,
    /// What the host says: a sentence.
    pub host_says: String,
}

/// Something that differs, as it was written down.
#[derive(Clone, Debug)]
pub struct DriftRow {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// What kind of difference.
    pub kind: String,
    /// How it looks.
    pub mark: String,
    /// The machine.
    pub vm_id: i64,
    /// The disk.
    pub volume_id: Option<i64>,
    /// How it was resolved: `accepted`, `dismissed` or `vanished`; none while it is open.
    pub resolution: Option<String>,
    /// The job that resolved it.
    pub resolved_job_id: Option<i64>,
}

/// Who resolves something, and what they say about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DriftEnd {
    /// The user; none when nobody did.
    pub user_id: Option<i64>,
    /// The job.
    pub job_id: Option<i64>,
    /// Their words.
    pub note: Option<String>,
}

const DRIFT: &str = "SELECT id, uuid, kind, mark, vm_id, volume_id, resolution, resolved_job_id FROM motion_drift";

/// A motion of a machine or of one of its disks that is not over, or whose outcome is not known.
const OPEN_MOTION: &str = "SELECT m.id FROM motion_migration m WHERE (m.phase IN ('marked', 'sent') OR m.outcome = 'unknown') \
    AND (m.vm_id = ? OR m.id IN (SELECT d.migration_id FROM motion_disk d JOIN volumes v ON v.id = d.volume_id \
    WHERE v.instance_id = ?)) LIMIT 1";

impl DriftRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            uuid: row.get("uuid")?,
            kind: row.get("kind")?,
            mark: row.get("mark")?,
            vm_id: row.get("vm_id")?,
            volume_id: row.get("volume_id")?,
            resolution: row.get("resolution")?,
            resolved_job_id: row.get("resolved_job_id")?,
        })
    }
}

impl Store {
    /// The internal ids of the machines of a hypervisor type that run, by host.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn running_vms(&self, hypervisor: &str) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT id FROM vm_instance WHERE state = 'Running' AND hypervisor_type = ? AND host_id IS NOT NULL \
            AND removed IS NULL ORDER BY host_id, id";
        self.db().rows(sql, args![hypervisor]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// Whether a motion of a machine or of one of its disks is not over, or its outcome not known.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn vm_in_motion(&self, vm_id: i64) -> Result<bool, StoreError> {
        Ok(self.db().row(OPEN_MOTION, args![vm_id, vm_id]).await?.is_some())
    }

    /// What was found, by its public id.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn drift_by_uuid(&self, uuid: &str) -> Result<Option<DriftRow>, StoreError> {
        self.db().row(&format!("{DRIFT} WHERE uuid = ?"), args![uuid]).await?.as_ref().map(DriftRow::read).transpose()
    }

    /// Closes what was found of machines that do not run any more: there is nothing to compare.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn drift_close_stopped(&self) -> Result<(), StoreError> {
        let stopped = "open_key IS NOT NULL AND vm_id NOT IN (SELECT v.id FROM vm_instance v WHERE v.removed IS NULL \
            AND v.state IN ('Running', 'Migrating'))";
        let close = format!(
            "UPDATE motion_drift SET resolution = 'vanished', resolved_at = ?, open_key = NULL, \
             note = 'The machine does not run any more.' WHERE resolved_at IS NULL AND {stopped}"
        );
        let forget = format!("UPDATE motion_drift SET open_key = NULL WHERE {stopped}");
        transact!(self, StoreError, |tx| {
            tx.run(&close, args![Timestamp::now()]).await?;
            tx.run(&forget, vec![]).await?;
            Ok(())
        })
    }
}

impl Tx {
    /// [`Store::vm_in_motion`], as this transaction sees it.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn vm_in_motion(&mut self, vm_id: i64) -> Result<bool, StoreError> {
        Ok(self.row(OPEN_MOTION, args![vm_id, vm_id]).await?.is_some())
    }

    /// What is open or dismissed of a machine and its disks.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn drift_of_vm(&mut self, vm_id: i64) -> Result<Vec<DriftRow>, StoreError> {
        let sql = format!("{DRIFT} WHERE vm_id = ? AND open_key IS NOT NULL ORDER BY id");
        self.rows(&sql, args![vm_id]).await?.iter().map(DriftRow::read).collect()
    }

    /// Writes something down that was not known.
    ///
    /// # Errors
    /// A duplicate ([`StoreError::is_duplicate`]) when another gateway has just done so; otherwise see [`Store::running_vms`].
    pub async fn drift_insert(&mut self, new: &NewDrift) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let sql = "INSERT INTO motion_drift (uuid, kind, open_key, mark, vm_id, volume_id, host_id, found_host_id, pool_id, \
            found_pool_id, database_says, host_says, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let key = format!("{}:{}:{}", new.kind, new.vm_id, new.volume_id.unwrap_or_default());
        let args = args![
            uuid::Uuid::new_v4().to_string(),
            new.kind,
            key,
            &new.mark,
            new.vm_id,
            new.volume_id,
            new.host_id,
            new.found_host_id,
            new.pool_id,
            new.found_pool_id,
            super::changes::clipped(&new.database_says, 1024),
            super::changes::clipped(&new.host_says, 1024),
            now,
            now
        ];
        self.run(sql, args).await?;
        Ok(())
    }

    /// Notes that something looks as it did, in these words.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn drift_seen(&mut self, id: i64, host_says: &str) -> Result<(), StoreError> {
        let sql = "UPDATE motion_drift SET last_seen = ?, host_says = ? WHERE id = ?";
        self.run(sql, args![Timestamp::now(), super::changes::clipped(host_says, 1024), id]).await?;
        Ok(())
    }

    /// Closes something: `resolution` is `accepted`, `dismissed` or `vanished`. What is dismissed is remembered as long as
    /// it looks the same.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is closed already.
    pub async fn drift_close(&mut self, id: i64, resolution: &str, end: &DriftEnd) -> Result<(), StoreError> {
        let sql = "UPDATE motion_drift SET resolution = ?, resolved_at = ?, resolved_by = ?, resolved_job_id = ?, note = ?, \
            open_key = CASE WHEN ? = 'dismissed' THEN open_key ELSE NULL END WHERE id = ? AND resolved_at IS NULL";
        let note = end.note.as_deref().map(|note| super::changes::clipped(note, 1024));
        let args = args![resolution, Timestamp::now(), end.user_id, end.job_id, note, resolution, id];
        self.exactly_one(sql, args, || format!("finding {id}")).await
    }

    /// Forgets that something was dismissed: it does not look like that any more.
    ///
    /// # Errors
    /// See [`Store::running_vms`].
    pub async fn drift_forget(&mut self, id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE motion_drift SET open_key = NULL WHERE id = ? AND resolved_at IS NOT NULL";
        self.run(sql, args![id]).await?;
        Ok(())
    }

    /// Writes the size of a volume, and what its pool has promised with it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not as `volume` says any more.
    pub async fn volume_resize(&mut self, volume: &Volume, size_bytes: i64) -> Result<(), StoreError> {
        let sql = "UPDATE volumes SET size = ? WHERE id = ? AND update_count = ?";
        self.exactly_one(sql, args![size_bytes, volume.id, volume.update_count], || format!("volume {}", volume.name))
            .await?;
        if let Some(pool_id) = volume.pool_id {
            self.capacity_add(pool_id, CapacityKind::StorageAllocated, size_bytes - volume.size_bytes).await?;
        }
        Ok(())
    }
}
