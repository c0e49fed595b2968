//! The journal: what is being moved where, written down before anything is sent to a host.
//!
//! `phase` says how far a motion has come: `marked` (rows are in `Migrating`, nothing was sent), `sent` (the command is on
//! its way or has been answered), `settled` (the rows say again where everything is). A motion that is found `sent` after
//! a crash is asked for at the hosts; one that is found `marked` has had no effect.

use super::guards::{motions_accepting, unsettled};
use super::value::Row;
use super::{Store, StoreError, Tx, transact};
use crate::args;
use crate::model::{MotionEvent, Timestamp};

/// A motion to be written down.
#[derive(Clone, Debug)]
pub struct NewMotion {
    /// Its id, which agents with our extension know it by.
    pub uuid: String,
    /// The job that it belongs to.
    pub job_id: i64,
    /// What kind of motion: see `motion::Kind`.
    pub kind: String,
    /// The strategy that carries it out.
    pub strategy: String,
    /// The VM.
    pub vm: Option<(i64, String)>,
    /// The host that is told to move.
    pub source_host_id: i64,
    /// The host that receives the VM.
    pub target_host_id: Option<i64>,
    /// Bytes to move, as the volumes' sizes say.
    pub bytes_total: i64,
    /// After how many seconds of standing still it is stopped.
    pub stall_s: i64,
    /// Where that limit came from.
    pub stall_origin: String,
    /// For how many seconds hosts that do not answer are asked what became of it.
    pub unreachable_s: i64,
    /// Where that limit came from.
    pub unreachable_origin: String,
    /// The disks.
    pub disks: Vec<MotionDisk>,
}

/// A disk of a motion.
#[derive(Clone, Debug)]
pub struct MotionDisk {
    /// The volume.
    pub volume_id: i64,
    /// The second row of a cold move.
    pub copy_volume_id: Option<i64>,
    /// The file's name at the target, without folder and extension.
    pub stem: String,
    /// Where it is.
    pub source_pool_id: i64,
    /// Where it goes.
    pub target_pool_id: i64,
    /// The disk offering that it gets.
    pub disk_offering_id: Option<i64>,
    /// What its host showed of it before it moved; none when the host could not tell, or has not been asked yet.
    pub before: Option<DiskFacts>,
}

/// What a host shows of a disk, by which it is known again wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskFacts {
    /// The identity that is written in the image.
    pub identity: Option<String>,
    /// Size of the disk inside, bytes.
    pub size_bytes: i64,
}

/// How far a motion is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MotionProgress {
    /// Bytes moved.
    pub bytes_done: i64,
    /// Bytes to move.
    pub bytes_total: i64,
    /// Bytes moved in each second of late; none while that is not known.
    pub bytes_per_second: Option<i64>,
    /// The host's word for what it is doing.
    pub host_phase: Option<String>,
    /// Who says so: `host`, or `growth` when it was seen from the size of the target's file.
    pub source: &'static str,
}

impl MotionProgress {
    /// The share that is moved, in percent. The whole is only said of what has ended.
    #[must_use]
    pub fn percent(&self) -> i64 {
        let share = i128::from(self.bytes_done) * 100 / i128::from(self.bytes_total.max(1));
        i64::try_from(share).unwrap_or_default().clamp(0, 99)
    }
}

/// A motion as the journal has it.
#[derive(Clone, Debug)]
pub struct MotionRow {
    /// Internal id.
    pub id: i64,
    /// Its id.
    pub uuid: String,
    /// The job that it belongs to.
    pub job_id: i64,
    /// What kind of motion.
    pub kind: String,
    /// The strategy.
    pub strategy: String,
    /// `marked`, `sent` or `settled`.
    pub phase: String,
    /// `done`, `not-done`, `partly` or `unknown`, once it is settled.
    pub outcome: Option<String>,
    /// The VM.
    pub vm_id: Option<i64>,
    /// The host that was told to move.
    pub source_host_id: i64,
    /// The host that receives the VM.
    pub target_host_id: Option<i64>,
    /// Bytes to move.
    pub bytes_total: i64,
    /// Bytes moved.
    pub bytes_done: i64,
    /// The host's word for what it is doing.
    pub host_phase: Option<String>,
    /// Bytes moved in each second of late.
    pub bytes_per_second: Option<i64>,
    /// Who tells how far it is: `host` or `growth`.
    pub progress_source: Option<String>,
    /// When it was last seen to be further.
    pub changed: Option<Timestamp>,
    /// After how many seconds of standing still it is stopped.
    pub stall_s: Option<i64>,
    /// Where that limit came from.
    pub stall_origin: Option<String>,
    /// For how many seconds hosts that do not answer are asked what became of it.
    pub unreachable_s: Option<i64>,
    /// Where that limit came from.
    pub unreachable_origin: Option<String>,
    /// Since when its hosts are asked what is true; none while nobody has to ask.
    pub reconciling: Option<Timestamp>,
    /// Why it was not done, or what is not known.
    pub reason: Option<String>,
    /// What was verified, and how.
    pub verified: Option<String>,
    /// When it was written down.
    pub created: Timestamp,
    /// When the host was told.
    pub sent: Option<Timestamp>,
    /// When it was last heard of.
    pub updated: Timestamp,
    /// When it was settled.
    pub ended: Option<Timestamp>,
    /// How far the wish that its job stop has come: see [`super::CancelState`].
    pub cancel_state: Option<String>,
    /// What the host said to that wish.
    pub cancel_answer: Option<String>,
}

pub(super) const MOTION: &str = "SELECT id, uuid, job_id, kind, strategy, phase, outcome, vm_id, source_host_id, target_host_id, \
    bytes_total, bytes_done, host_phase, bytes_per_second, progress_source, changed_at, stall_s, stall_origin, unreachable_s, \
    unreachable_origin, reconciling, reason, verified, created, sent_at, updated, ended, \
    (SELECT c.state FROM motion_cancel c WHERE c.job_id = motion_migration.job_id) AS cancel_state, \
    (SELECT c.answer FROM motion_cancel c WHERE c.job_id = motion_migration.job_id) AS cancel_answer FROM motion_migration";

/// Narrows motions to a VM or a volume: two arguments, either may be NULL.
const ABOUT: &str = "(vm_id = ? OR id IN (SELECT migration_id FROM motion_disk WHERE volume_id = ?))";

/// The motions of a VM or volume that are not settled, other than those of a job.
fn unsettled_about() -> String {
    format!("SELECT id FROM motion_migration WHERE {} AND job_id <> ? AND {ABOUT} LIMIT 1", unsettled())
}

impl MotionRow {
    /// Seconds from when the host was told until it was settled; none before that.
    #[must_use]
    pub fn duration_s(&self) -> Option<i64> {
        self.sent.zip(self.ended).map(|(from, until)| (until.unix() - from.unix()).max(0))
    }

    /// Reads the columns of [`MOTION`].
    ///
    /// # Errors
    /// [`StoreError::Column`] for a row without them.
    pub fn read(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            uuid: row.get("uuid")?,
            job_id: row.get("job_id")?,
            kind: row.get("kind")?,
            strategy: row.get("strategy")?,
            phase: row.get("phase")?,
            outcome: row.get("outcome")?,
            vm_id: row.get("vm_id")?,
            source_host_id: row.get("source_host_id")?,
            target_host_id: row.get("target_host_id")?,
            bytes_total: row.get("bytes_total")?,
            bytes_done: row.get("bytes_done")?,
            host_phase: row.get("host_phase")?,
            bytes_per_second: row.get("bytes_per_second")?,
            progress_source: row.get("progress_source")?,
            changed: row.get("changed_at")?,
            stall_s: row.get("stall_s")?,
            stall_origin: row.get("stall_origin")?,
            unreachable_s: row.get("unreachable_s")?,
            unreachable_origin: row.get("unreachable_origin")?,
            reconciling: row.get("reconciling")?,
            reason: row.get("reason")?,
            verified: row.get("verified")?,
            created: row.get("created")?,
            sent: row.get("sent_at")?,
            updated: row.get("updated")?,
            ended: row.get("ended")?,
            cancel_state: row.get("cancel_state")?,
            cancel_answer: row.get("cancel_answer")?,
        })
    }
}

impl Tx {
    /// Writes a motion and its disks down, in phase `marked`.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn motion_insert(&mut self, new: &NewMotion) -> Result<i64, StoreError> {
        let now = Timestamp::now();
        let (vm_id, vm_name) = new.vm.clone().unzip();
        // The job will be forgotten before the motion is.
        let sql = "INSERT INTO motion_migration (uuid, job_id, job_uuid, kind, strategy, phase, vm_id, vm_name, source_host_id, \
            target_host_id, bytes_total, stall_s, stall_origin, unreachable_s, unreachable_origin, created, updated) \
            VALUES (?, ?, (SELECT j.uuid FROM async_job j WHERE j.id = ?), ?, ?, 'marked', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let args = args![
            &new.uuid,
            new.job_id,
            new.job_id,
            &new.kind,
            &new.strategy,
            vm_id,
            vm_name,
            new.source_host_id,
            new.target_host_id,
            new.bytes_total,
            new.stall_s,
            &new.stall_origin,
            new.unreachable_s,
            &new.unreachable_origin,
            now,
            now
        ];
        let id = self.run(sql, args).await?.id;
        for disk in &new.disks {
            let sql = "INSERT INTO motion_disk (migration_id, volume_id, copy_volume_id, stem, source_pool_id, target_pool_id, disk_offering_id) \
                VALUES (?, ?, ?, ?, ?, ?, ?)";
            let (source, target) = (disk.source_pool_id, disk.target_pool_id);
            let args =
                args![id, disk.volume_id, disk.copy_volume_id, &disk.stem, source, target, disk.disk_offering_id];
            self.run(sql, args).await?;
        }
        Ok(id)
    }

    /// Writes the end of a motion, once.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it had been settled before.
    pub async fn motion_settle(
        &mut self,
        motion_id: i64,
        outcome: &str,
        reason: Option<&str>,
        verified: &str,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let event = MotionEvent::settling(outcome).unwrap_or(MotionEvent::CannotTell);
        let sql = format!(
            "UPDATE motion_migration SET phase = 'settled', outcome = ?, reason = ?, verified = ?, updated = ?, ended = ? \
             WHERE id = ? AND {}",
            motions_accepting(event)
        );
        let reason = reason.map(|text| super::changes::clipped(text, 4096));
        let args = args![outcome, reason, super::changes::clipped(verified, 1024), now, now, motion_id];
        self.exactly_one(&sql, args, || format!("motion {motion_id}")).await
    }

    /// Notes which job has put a stopped VM into `Migrating`.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn stopped_vm_mark(&mut self, vm_id: i64, job_id: i64) -> Result<(), StoreError> {
        // The job may have been here before.
        self.stopped_vm_unmark(vm_id).await?;
        self.run("INSERT INTO motion_stopped_vm (vm_id, job_id) VALUES (?, ?)", args![vm_id, job_id]).await?;
        Ok(())
    }

    /// Forgets which job had put a stopped VM into `Migrating`.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn stopped_vm_unmark(&mut self, vm_id: i64) -> Result<(), StoreError> {
        self.run("DELETE FROM motion_stopped_vm WHERE vm_id = ?", args![vm_id]).await?;
        Ok(())
    }

    /// Writes where a disk of a motion was found.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_disk_found(
        &mut self,
        motion_id: i64,
        volume_id: i64,
        pool_id: Option<i64>,
        verdict: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE motion_disk SET found_pool_id = ?, verdict = ? WHERE migration_id = ? AND volume_id = ?";
        self.run(sql, args![pool_id, verdict, motion_id, volume_id]).await?;
        Ok(())
    }

    /// Whether somebody has begun a motion of this VM or volume that nobody has settled, other than `job_id`.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn has_unsettled_motion(
        &mut self,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
        job_id: i64,
    ) -> Result<bool, StoreError> {
        Ok(self.row(&unsettled_about(), args![job_id, vm_id, volume_id]).await?.is_some())
    }
}

impl Store {
    /// Notes that the command is about to be sent, and what its disks were before. From here on only the host knows.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the motion is not in phase `marked` any more.
    pub async fn motion_sent(&self, motion_id: i64, before: &[(i64, DiskFacts)]) -> Result<(), StoreError> {
        transact!(self, StoreError, |tx| {
            let now = Timestamp::now();
            let sql = format!(
                "UPDATE motion_migration SET phase = 'sent', sent_at = ?, changed_at = ?, updated = ? WHERE id = ? AND {}",
                motions_accepting(MotionEvent::Announce)
            );
            tx.exactly_one(&sql, args![now, now, now, motion_id], || format!("motion {motion_id}")).await?;
            for (volume_id, facts) in before {
                let sql =
                    "UPDATE motion_disk SET identity = ?, size_bytes = ? WHERE migration_id = ? AND volume_id = ?";
                tx.run(sql, args![facts.identity.clone(), facts.size_bytes, motion_id, *volume_id]).await?;
            }
            Ok(())
        })
    }

    /// The motions of a job, oldest first.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motions_of_job(&self, job_id: i64) -> Result<Vec<MotionRow>, StoreError> {
        let sql = format!("{MOTION} WHERE job_id = ? ORDER BY id");
        self.db().rows(&sql, args![job_id]).await?.iter().map(MotionRow::read).collect()
    }

    /// The motion with this internal id.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_by_id(&self, id: i64) -> Result<Option<MotionRow>, StoreError> {
        let row = self.db().row(&format!("{MOTION} WHERE id = ?"), args![id]).await?;
        row.as_ref().map(MotionRow::read).transpose()
    }

    /// The job that has put a stopped VM into `Migrating`.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn stopped_vm_job(&self, vm_id: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT job_id FROM motion_stopped_vm WHERE vm_id = ?";
        self.db().row(sql, args![vm_id]).await?.map(|row| row.at(0)).transpose()
    }

    /// Stopped VMs that jobs have put into `Migrating` which have ended, or are not there any more, and the jobs; none of which
    /// something moves.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn stopped_vms_orphaned(&self) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = "SELECT s.vm_id, s.job_id FROM motion_stopped_vm s LEFT JOIN async_job j ON j.id = s.job_id \
            WHERE (j.id IS NULL OR j.job_status <> 0) AND NOT EXISTS (SELECT 1 FROM motion_migration m \
            WHERE m.job_id = s.job_id AND m.phase <> 'settled')";
        self.db().rows(sql, args![]).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
    }

    /// [`Tx::has_unsettled_motion`], as everybody sees it.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn has_unsettled_motion(
        &self,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
        job_id: i64,
    ) -> Result<bool, StoreError> {
        Ok(self.db().row(&unsettled_about(), args![job_id, vm_id, volume_id]).await?.is_some())
    }

    /// A motion of this VM or volume whose outcome is not known.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_unknown(
        &self,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
    ) -> Result<Option<MotionRow>, StoreError> {
        let sql = format!("{MOTION} WHERE phase = 'settled' AND outcome = 'unknown' AND {ABOUT} ORDER BY id LIMIT 1");
        self.db().row(&sql, args![vm_id, volume_id]).await?.as_ref().map(MotionRow::read).transpose()
    }

    /// The disks of a motion.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_disks(&self, motion_id: i64) -> Result<Vec<MotionDisk>, StoreError> {
        let sql = "SELECT volume_id, copy_volume_id, stem, source_pool_id, target_pool_id, disk_offering_id, identity, size_bytes \
            FROM motion_disk WHERE migration_id = ? ORDER BY id";
        let rows = self.db().rows(sql, args![motion_id]).await?;
        rows.iter()
            .map(|row| {
                Ok(MotionDisk {
                    volume_id: row.at(0)?,
                    copy_volume_id: row.at(1)?,
                    stem: row.at(2)?,
                    source_pool_id: row.at(3)?,
                    target_pool_id: row.at(4)?,
                    disk_offering_id: row.at(5)?,
                    before: row
                        .at::<Option<i64>>(7)?
                        .map(|size_bytes| Ok::<_, StoreError>(DiskFacts { identity: row.at(6)?, size_bytes }))
                        .transpose()?,
                })
            })
            .collect()
    }

    /// The first volume of a motion, by which one without a VM is told apart; none for one that moves no disk.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_volume(&self, motion_id: i64) -> Result<Option<i64>, StoreError> {
        Ok(self.motion_disks(motion_id).await?.first().map(|disk| disk.volume_id))
    }

    /// Where the disks of a motion were found: volume and pool, none while it is not known.
    ///
    /// # Errors
    /// See [`Tx::motion_insert`].
    pub async fn motion_disk_places(&self, motion_id: i64) -> Result<Vec<(i64, Option<i64>)>, StoreError> {
        let sql = "SELECT volume_id, found_pool_id FROM motion_disk WHERE migration_id = ? ORDER BY id";
        self.db().rows(sql, args![motion_id]).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_in_the_way_is_found_without_what_was_moved_before() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/t.db", folder.path().display())).await.unwrap();
        let plan = store.plan(&unsettled_about(), args![7, 3, 4]).await;
        assert!(plan.contains("i_motion_migration__phase"), "{plan}");
        assert!(!plan.contains("i_motion_migration__vm_id"), "{plan}");
    }
}
