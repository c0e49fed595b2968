//! What was found to differ between database and hosts (`motion_drift`), and what the database has to be changed for.

use super::guards::unsure;
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
    /// The machine; none for a disk that belongs to none.
    pub vm_id: Option<i64>,
    /// The disk; none when the machine itself is meant.
    pub volume_id: Option<i64>,
    /// The host that the database gives the machine; for what does not run, the host that was asked.
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
    /// The machine; none for a disk that belonged to none.
    pub vm_id: Option<i64>,
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

/// What is open of a machine, or was dismissed, or of a disk alone: both have a key.
const OF_THING: &str = "WHERE vm_id = ? AND (? IS NULL OR volume_id = ?) AND open_key IS NOT NULL";

/// The number of no machine, in a column that has to have one.
const NO_VM: i64 = 0;

/// A motion of a machine, of one of its disks, or of a disk, that is not over, or whose outcome is not known.
fn open_motion() -> String {
    format!(
        "SELECT m.id FROM motion_migration m WHERE {} AND (m.vm_id = ? OR m.id IN (SELECT d.migration_id FROM motion_disk d \
         JOIN volumes v ON v.id = d.volume_id WHERE v.instance_id = ? OR v.id = ?)) LIMIT 1",
        unsure()
    )
}

/// What database and hosts are compared about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Machines that run.
    Running,
    /// Machines that are stopped.
    Stopped,
    /// Disks that belong to no machine, in pools that hosts of the hypervisor type reach.
    Loose,
}

impl Compared {
    /// All, in the order in which they are looked at: most depends on what runs.
    pub const ALL: [Self; 3] = [Self::Running, Self::Stopped, Self::Loose];

    /// The statement that reads at most so many ids behind one. It takes the hypervisor type and that id.
    fn page(self, most: usize) -> String {
        format!("SELECT t.id {} AND t.id > ? ORDER BY t.id LIMIT {most}", self.tail())
    }

    /// What stands behind the columns of its statements. It takes the hypervisor type.
    const fn tail(self) -> &'static str {
        match self {
            Self::Running => {
                "FROM vm_instance t WHERE t.state = 'Running' AND t.hypervisor_type = ? AND t.host_id IS NOT NULL \
                AND t.removed IS NULL"
            }
            Self::Stopped => {
                "FROM vm_instance t WHERE t.state = 'Stopped' AND t.hypervisor_type = ? AND t.removed IS NULL"
            }
            // The sign keeps the index on `state` out of the way: most disks are ready, and few belong to no machine.
            Self::Loose => {
                "FROM volumes t WHERE t.instance_id IS NULL AND +t.state = 'Ready' AND t.path IS NOT NULL AND t.removed IS NULL \
                AND EXISTS (SELECT 1 FROM storage_pool_host_ref r JOIN host h ON h.id = r.host_id \
                WHERE r.pool_id = t.pool_id AND h.hypervisor_type = ? AND h.removed IS NULL)"
            }
        }
    }
}

impl DriftRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            uuid: row.get("uuid")?,
            kind: row.get("kind")?,
            mark: row.get("mark")?,
            vm_id: Some(row.get("vm_id")?).filter(|id| *id != NO_VM),
            volume_id: row.get("volume_id")?,
            resolution: row.get("resolution")?,
            resolved_job_id: row.get("resolved_job_id")?,
        })
    }
}

impl Store {
    /// How many things of this kind are compared, of a hypervisor type.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn count_compared(&self, which: Compared, hypervisor: &str) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) {}", which.tail());
        self.db().row(&sql, args![hypervisor]).await?.map_or(Ok(0), |row| row.at(0))
    }

    /// The internal ids of at most `most` of them, those behind `after` in the order of their ids.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn compared(
        &self,
        which: Compared,
        hypervisor: &str,
        after: i64,
        most: usize,
    ) -> Result<Vec<i64>, StoreError> {
        self.db().rows(&which.page(most), args![hypervisor, after]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// Whether a motion of a machine, of one of its disks, or of a disk is not over, or its outcome not known.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn thing_in_motion(&self, vm_id: Option<i64>, volume_id: Option<i64>) -> Result<bool, StoreError> {
        Ok(self.db().row(&open_motion(), args![vm_id, vm_id, volume_id]).await?.is_some())
    }

    /// Whether [`Tx::drift_of`] would give anything.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn has_drift(&self, vm_id: Option<i64>, volume_id: Option<i64>) -> Result<bool, StoreError> {
        let sql = format!("SELECT id FROM motion_drift {OF_THING} LIMIT 1");
        Ok(self.db().row(&sql, args![vm_id.unwrap_or(NO_VM), volume_id, volume_id]).await?.is_some())
    }

    /// What was found, by its public id.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn drift_by_uuid(&self, uuid: &str) -> Result<Option<DriftRow>, StoreError> {
        self.db().row(&format!("{DRIFT} WHERE uuid = ?"), args![uuid]).await?.as_ref().map(DriftRow::read).transpose()
    }

    /// Closes what was found of machines and disks that are gone, or in another state than it speaks of: there is nothing to
    /// compare.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn drift_close_gone(&self) -> Result<(), StoreError> {
        let gone = format!(
            "open_key IS NOT NULL AND (vm_id <> {NO_VM} AND vm_id NOT IN (SELECT v.id FROM vm_instance v \
             WHERE v.removed IS NULL AND (v.state = 'Migrating' \
             OR v.state = 'Running' AND kind <> 'vm-running' \
             OR v.state = 'Stopped' AND kind NOT IN ('vm-elsewhere', 'vm-missing'))) \
             OR vm_id = {NO_VM} AND volume_id NOT IN (SELECT d.id FROM volumes d WHERE d.removed IS NULL \
             AND d.instance_id IS NULL))"
        );
        let close = format!(
            "UPDATE motion_drift SET resolution = 'vanished', resolved_at = ?, open_key = NULL, \
             note = 'The machine or disk is gone, or in another state.' WHERE resolved_at IS NULL AND {gone}"
        );
        let forget = format!("UPDATE motion_drift SET open_key = NULL WHERE {gone}");
        transact!(self, StoreError, |tx| {
            tx.run(&close, args![Timestamp::now()]).await?;
            tx.run(&forget, vec![]).await?;
            Ok(())
        })
    }
}

impl Tx {
    /// [`Store::thing_in_motion`], as this transaction sees it.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn thing_in_motion(&mut self, vm_id: Option<i64>, volume_id: Option<i64>) -> Result<bool, StoreError> {
        Ok(self.row(&open_motion(), args![vm_id, vm_id, volume_id]).await?.is_some())
    }

    /// What is open or dismissed of a machine and its disks, or of a disk that belongs to no machine.
    ///
    /// # Errors
    /// See [`Store::count_compared`].
    pub async fn drift_of(&mut self, vm_id: Option<i64>, volume_id: Option<i64>) -> Result<Vec<DriftRow>, StoreError> {
        let args = args![vm_id.unwrap_or(NO_VM), volume_id, volume_id];
        self.rows(&format!("{DRIFT} {OF_THING} ORDER BY id"), args).await?.iter().map(DriftRow::read).collect()
    }

    /// Writes something down that was not known.
    ///
    /// # Errors
    /// A duplicate ([`StoreError::is_duplicate`]) when another gateway has just done so; otherwise see [`Store::count_compared`].
    pub async fn drift_insert(&mut self, new: &NewDrift) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let sql = "INSERT INTO motion_drift (uuid, kind, open_key, mark, vm_id, volume_id, host_id, found_host_id, pool_id, \
            found_pool_id, database_says, host_says, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let vm_id = new.vm_id.unwrap_or(NO_VM);
        let key = format!("{}:{vm_id}:{}", new.kind, new.volume_id.unwrap_or_default());
        let args = args![
            uuid::Uuid::new_v4().to_string(),
            new.kind,
            key,
            &new.mark,
            vm_id,
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
    /// See [`Store::count_compared`].
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
    /// See [`Store::count_compared`].
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::estate::{Size, seed};
    use crate::model::HYPERV;

    #[tokio::test]
    async fn all_are_compared_page_by_page() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.bootstrap().await.unwrap();
        seed(&store, &Size::of(30)).await.unwrap();
        for (which, count) in [(Compared::Running, 27), (Compared::Stopped, 3), (Compared::Loose, 0)] {
            let mut all = Vec::new();
            while let page = store.compared(which, HYPERV, all.last().copied().unwrap_or(0), 2).await.unwrap()
                && !page.is_empty()
            {
                assert!(page.len() <= 2, "{which:?}: {page:?}");
                all.extend(page);
            }
            assert!(all.is_sorted_by(|one, next| one < next), "{which:?}: {all:?}");
            assert_eq!(all.len(), count, "{which:?}");
            assert_eq!(store.count_compared(which, HYPERV).await.unwrap(), i64::try_from(count).unwrap(), "{which:?}");
        }
    }

    #[tokio::test]
    async fn pages_of_what_is_compared_come_from_an_index() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        for (which, index) in [
            (Compared::Running, "INDEX i_vm_instance__state (state=? AND rowid>?)"),
            (Compared::Stopped, "INDEX i_vm_instance__state (state=? AND rowid>?)"),
            (Compared::Loose, "INDEX i_volumes__instance_id (instance_id=? AND rowid>?)"),
        ] {
            let plan = store.plan(&which.page(500), args![HYPERV, 7]).await;
            assert!(plan.contains(index), "{which:?}: {plan}");
            assert!(!plan.contains("TEMP B-TREE") && !plan.contains("SCAN"), "{which:?}: {plan}");
        }
    }
}
