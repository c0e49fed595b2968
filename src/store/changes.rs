//! What a migration changes: states of volumes and VMs, alerts and usage. All of it inside a transaction.
//!
//! `WHERE state = ? AND update_count = ?` guards every state change: of two writers of one row, the later one loses and
//! is told so.

use super::{StoreError, Tx};
use crate::args;
use crate::model::{Host, Timestamp, Transition, Vm, VmState, Volume, VolumeState};

/// Where a volume is after a motion: what the row is given together with its new state.
#[derive(Clone, Debug)]
pub struct VolumePlace {
    /// The pool.
    pub pool_id: i64,
    /// Its type.
    pub pool_type: String,
    /// Its pod; none for a zone-wide pool.
    pub pod_id: Option<i64>,
    /// Its path, without credentials.
    pub folder: String,
    /// The file's name without folder and extension.
    pub path: String,
}

/// Where a VM is: what the row is given together with its new state.
#[derive(Clone, Copy, Debug)]
pub struct VmPlace {
    /// The host; none for a stopped VM.
    pub host_id: Option<i64>,
    /// The host before.
    pub last_host_id: Option<i64>,
    /// The pod.
    pub pod_id: Option<i64>,
}

/// An alert to be written (`contract/migration.md` 3.8).
#[derive(Clone, Debug)]
pub struct Alert {
    /// CloudStack's number of the kind, 17 for a failed migration of a user VM.
    pub kind: i64,
    /// CloudStack's name of the kind.
    pub name: &'static str,
    /// Zone.
    pub zone_id: i64,
    /// Pod.
    pub pod_id: Option<i64>,
    /// Cluster.
    pub cluster_id: Option<i64>,
    /// What listAlerts shows.
    pub subject: String,
    /// The long text.
    pub content: String,
}

/// CloudStack's number and name of a kind of alerts (`contract/entities.md` 4.8).
pub type AlertKind = (i64, &'static str);

impl Alert {
    /// About a host.
    pub const HOST: AlertKind = (7, "ALERT.COMPUTE.HOST");
    /// About storage, where no other kind fits.
    pub const STORAGE: AlertKind = (12, "ALERT.STORAGE.MISC");
    /// About a user's machine that could not be migrated.
    pub const VM_MIGRATE: AlertKind = (17, "ALERT.USERVM.MIGRATE");
    /// About something that was found to be in another state.
    pub const SYNC: AlertKind = (27, "ALERT.TYPE.SYNC");

    /// One that belongs where this host is.
    #[must_use]
    pub fn at(host: &Host, (kind, name): AlertKind, subject: String, content: String) -> Self {
        let (zone_id, pod_id, cluster_id) = (host.zone_id, host.pod_id, host.cluster_id);
        Self { kind, name, zone_id, pod_id, cluster_id, subject, content }
    }
}

/// A usage record to be written (`contract/migration.md` 3.7).
#[derive(Clone, Debug)]
pub struct Usage<'a> {
    /// `VOLUME.CREATE` or `VOLUME.DELETE`.
    pub kind: &'a str,
    /// The volume.
    pub volume: &'a Volume,
    /// Bytes; none for a deletion.
    pub size_bytes: Option<i64>,
}

impl Tx {
    /// Changes the state of a volume and nothing else of it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when the row is not as `volume` says any more; otherwise see [`super::Db::rows`]. The same
    /// holds for all functions of this file.
    pub async fn volume_transition(
        &mut self,
        volume: &Volume,
        transition: Transition<VolumeState>,
    ) -> Result<Volume, StoreError> {
        let sql = "UPDATE volumes SET state = ?, update_count = update_count + 1, updated = ? \
            WHERE id = ? AND state = ? AND update_count = ?";
        let args = args![
            transition.to().as_str(),
            Timestamp::now(),
            volume.id,
            transition.from().as_str(),
            volume.update_count
        ];
        self.exactly_one(sql, args, || format!("volume {}", volume.name)).await?;
        Ok(Volume { state: transition.to(), update_count: volume.update_count + 1, ..volume.clone() })
    }

    /// Writes where a volume is now. Its pool before becomes `last_pool_id`.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn volume_place(&mut self, volume: &Volume, place: &VolumePlace) -> Result<(), StoreError> {
        let sql = "UPDATE volumes SET last_pool_id = pool_id, pool_id = ?, pool_type = ?, pod_id = ?, folder = ?, path = ? \
            WHERE id = ? AND update_count = ?";
        let args = args![
            place.pool_id,
            &place.pool_type,
            place.pod_id,
            &place.folder,
            &place.path,
            volume.id,
            volume.update_count
        ];
        self.exactly_one(sql, args, || format!("volume {}", volume.name)).await
    }

    /// Writes the disk offering of a volume.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn volume_offering(&mut self, volume_id: i64, disk_offering_id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE volumes SET disk_offering_id = ? WHERE id = ?";
        self.exactly_one(sql, args![disk_offering_id, volume_id], || format!("volume {volume_id}")).await
    }

    /// Changes the state of a VM, and its place with it.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn vm_transition(
        &mut self,
        vm: &Vm,
        transition: Transition<VmState>,
        place: VmPlace,
    ) -> Result<Vm, StoreError> {
        let sql = "UPDATE vm_instance SET state = ?, host_id = ?, last_host_id = ?, pod_id = ?, \
            update_count = update_count + 1, update_time = ? WHERE id = ? AND state = ? AND update_count = ?";
        let args = args![
            transition.to().as_str(),
            place.host_id,
            place.last_host_id,
            place.pod_id,
            Timestamp::now(),
            vm.id,
            transition.from().as_str(),
            vm.update_count
        ];
        self.exactly_one(sql, args, || format!("VM {}", vm.instance_name)).await?;
        Ok(Vm {
            state: transition.to(),
            host_id: place.host_id,
            last_host_id: place.last_host_id,
            pod_id: place.pod_id,
            update_count: vm.update_count + 1,
            ..vm.clone()
        })
    }

    pub(super) async fn exactly_one(
        &mut self,
        sql: &str,
        args: Vec<super::Value>,
        what: impl Fn() -> String,
    ) -> Result<(), StoreError> {
        let done = self.run(sql, args).await?;
        if done.rows == 1 { Ok(()) } else { Err(StoreError::Conflict { what: what() }) }
    }

    /// Writes an alert. Every one is written: CloudStack swallows the second of a kind and place, and with it the news
    /// that a second move failed (`contract/hyperv-e2e.md`, claim 3.8).
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn alert_insert(&mut self, alert: &Alert) -> Result<(), StoreError> {
        let sql = "INSERT INTO alert (uuid, type, cluster_id, pod_id, data_center_id, subject, content, name, sent_count, \
            created, last_sent, archived) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, 0)";
        let now = Timestamp::now();
        let args = args![
            uuid::Uuid::new_v4().to_string(),
            alert.kind,
            alert.cluster_id,
            alert.pod_id,
            alert.zone_id,
            self.fitting(&alert.subject, 999),
            self.fitting(&alert.content, 5000),
            alert.name,
            now,
            now
        ];
        self.run(sql, args).await?;
        Ok(())
    }

    /// Writes a usage record.
    ///
    /// # Errors
    /// See [`Tx::volume_transition`].
    pub async fn usage_insert(&mut self, usage: &Usage<'_>) -> Result<(), StoreError> {
        let volume = usage.volume;
        let sql = "INSERT INTO usage_event (type, account_id, created, zone_id, resource_id, resource_name, offering_id, size, \
            processed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)";
        let args = args![
            usage.kind,
            volume.account_id,
            Timestamp::now(),
            volume.zone_id,
            volume.id,
            &volume.name,
            // A deletion names neither size nor offering.
            usage.size_bytes.map(|_| volume.disk_offering_id),
            usage.size_bytes
        ];
        self.run(sql, args).await?;
        Ok(())
    }
}

impl Tx {
    /// The text, cut to what its column of CloudStack's holds. A management server makes its tables for letters of three bytes at
    /// the most (`utf8mb3`) and the database refuses a row with a longer one; what an agent says must not keep a motion from
    /// being settled, so such letters are shown as unknown ones there.
    pub(super) fn fitting(&self, text: &str, characters: usize) -> String {
        let is_held = |letter: char| letter.len_utf8() <= 3 || !self.schema().is_attached();
        let letters = text.chars().take(characters);
        letters.map(|letter| if is_held(letter) { letter } else { char::REPLACEMENT_CHARACTER }).collect()
    }
}

/// The text, cut to what its column of ours holds.
pub(super) fn clipped(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}
