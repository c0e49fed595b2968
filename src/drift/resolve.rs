//! An administrator decides: the database follows the host, or it is let be.

use super::look::{Look, Seen};
use super::record::is;
use super::{Drift, Kind, Thing};
use crate::model::{Host, IllegalTransition, Pool, ServiceOffering, Vm, VmEvent, Volume, VolumeEvent};
use crate::motion::hypervisor::VmPresence;
use crate::store::{DriftEnd, DriftRow, NewDrift, StoreCause, StoreError, Tx, Usage, VmPlace, VolumePlace, transact};

/// Who resolves, in which job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// The user.
    pub user_id: i64,
    /// The job.
    pub job_id: i64,
}

/// Why something is not resolved. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DriftRefusal {
    /// There is no such finding.
    #[error("There is no finding {0}; listDrift shows those that there are")]
    NotFound(String),
    /// It cannot be resolved so, now.
    #[error("{0}")]
    Refused(String),
    /// The database failed, or somebody changed a row meanwhile.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl StoreCause for DriftRefusal {
    fn store_cause(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::NotFound(_) | Self::Refused(_) => None,
        }
    }
}

impl From<IllegalTransition> for DriftRefusal {
    fn from(error: IllegalTransition) -> Self {
        Self::Refused(format!("{error}; nothing was changed, try again"))
    }
}

fn refused(text: impl Into<String>) -> DriftRefusal {
    DriftRefusal::Refused(text.into())
}

/// What the database is changed to.
enum Change {
    /// The machine is on the second host, and not on the first one.
    Host(Box<(Vm, Host, Host, ServiceOffering)>),
    /// The machine runs, on this host.
    Running(Box<(Vm, Host, ServiceOffering)>),
    /// The disk is in this pool.
    Pool(Box<(Volume, Pool)>),
    /// The disk is this large.
    Size(Box<(Volume, i64)>),
}

impl Drift {
    /// Makes the database follow the host, after the host has said once more what was found. A job that is run again finds
    /// what it has done and is content.
    ///
    /// # Errors
    /// [`DriftRefusal`] when a motion is under way, when the hosts say something else now or do not answer, or when what
    /// was found has no place in the database.
    pub async fn accept(&self, uuid: &str, by: Resolver, note: Option<&str>) -> Result<(), DriftRefusal> {
        let row = self.find(uuid).await?;
        if self.is_done(&row, "accepted", by)? {
            return Ok(());
        }
        let thing = Thing::of(row.vm_id, row.volume_id);
        // As motions do it: nothing of it is moved until the job has ended.
        if !self.store.lock_take(&thing.key(), by.job_id).await? {
            return Err(refused(
                "A migration of it is under way or about to begin, so nothing was changed. Wait for its end and try again.",
            ));
        }
        let seen = match self.look(thing).await? {
            Look::Seen(seen) => seen,
            Look::NotNow(reason) => {
                return Err(refused(format!("It cannot be verified now, so nothing was changed: {reason}.")));
            }
        };
        let Some(finding) = seen.findings.iter().find(|finding| is(&row, finding)) else {
            let now = match seen.findings.iter().find(|finding| finding.volume_id == row.volume_id) {
                Some(other) => other.host_says.clone(),
                None => "What the host says is what the database says, or it does not say.".to_owned(),
            };
            return Err(refused(format!(
                "The host says something else now, so nothing was changed. {now} The next comparison writes it down."
            )));
        };
        let change = self.change(&seen, finding).await?;
        let end = DriftEnd { user_id: Some(by.user_id), job_id: Some(by.job_id), note: note.map(str::to_owned) };
        transact!(self.store, DriftRefusal, |tx| {
            if tx.thing_in_motion(thing.vm_id(), thing.volume_id()).await? {
                return Err(refused("A migration of it has begun, so nothing was changed. Try again after its end."));
            }
            apply(tx, &change).await?;
            tx.drift_close(row.id, "accepted", &end).await?;
            Ok(())
        })?;
        tracing::warn!(drift = %row.uuid, kind = %row.kind, host = %finding.host_says, "the database follows the host");
        Ok(())
    }

    /// Closes a finding without a change. It is not raised again as long as it looks the same.
    ///
    /// # Errors
    /// [`DriftRefusal`] when there is no such finding, or it is closed already.
    pub async fn dismiss(&self, uuid: &str, by: Resolver, note: Option<&str>) -> Result<(), DriftRefusal> {
        let row = self.find(uuid).await?;
        if self.is_done(&row, "dismissed", by)? {
            return Ok(());
        }
        let end = DriftEnd { user_id: Some(by.user_id), job_id: Some(by.job_id), note: note.map(str::to_owned) };
        transact!(self.store, DriftRefusal, |tx| {
            tx.drift_close(row.id, "dismissed", &end).await?;
            Ok(())
        })
    }

    async fn find(&self, uuid: &str) -> Result<DriftRow, DriftRefusal> {
        self.store.drift_by_uuid(uuid).await?.ok_or_else(|| DriftRefusal::NotFound(uuid.to_owned()))
    }

    /// Whether this very job has resolved it so before.
    fn is_done(&self, row: &DriftRow, resolution: &str, by: Resolver) -> Result<bool, DriftRefusal> {
        match row.resolution.as_deref() {
            None => Ok(false),
            Some(was) if was == resolution && row.resolved_job_id == Some(by.job_id) => Ok(true),
            Some(was) => Err(refused(format!("The finding {} is closed already: it was {was}.", row.uuid))),
        }
    }

    /// What accepting a finding changes.
    async fn change(&self, seen: &Seen, finding: &NewDrift) -> Result<Change, DriftRefusal> {
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == finding.kind);
        if kind != Some(Kind::VmElsewhere) && finding.volume_id.is_some() && finding.found_host_id.is_some() {
            return Err(refused(
                "The machine itself is on another host than the database says. Resolve that finding first, then this one.",
            ));
        }
        let volume = || {
            let volume = finding.volume_id.and_then(|id| seen.subject.volume(id)).cloned();
            volume.ok_or_else(|| refused("The disk does not belong to the machine any more."))
        };
        match kind {
            Some(Kind::VmElsewhere) => self.to_host(seen).await,
            Some(Kind::VmRunning) => self.to_running(seen).await,
            Some(Kind::DiskElsewhere) => self.to_pool(finding, volume()?).await,
            Some(Kind::DiskSize) => {
                let size = finding.mark.rsplit(' ').next().and_then(|size| size.parse().ok());
                let size = size.ok_or_else(|| refused("The size that the host tells cannot be kept."))?;
                Ok(Change::Size(Box::new((volume()?, size))))
            }
            Some(Kind::VmMissing) => Err(refused(format!(
                "{} The database has no place for a machine that is nowhere. Look for it in Hyper-V's manager on every host: \
                 start it on the host where its disks are, or bring back the host that did not answer; the next comparison \
                 finds it. If it is gone for good, dismiss this finding and destroy the machine with CloudStack.",
                finding.host_says
            ))),
            Some(Kind::DiskMissing) | None => Err(refused(format!(
                "{} The database has no place for a disk that is not there. A checkpoint in Hyper-V gives disks another file: \
                 merge it. A disk that was taken off or moved away by hand: bring it back, or dismiss this finding and detach \
                 or delete the volume with CloudStack.",
                finding.host_says
            ))),
        }
    }

    async fn to_host(&self, seen: &Seen) -> Result<Change, DriftRefusal> {
        let Some((vm, source)) = seen.subject.running() else { return Err(other_state()) };
        let name = &vm.instance_name;
        let (host, presence) = match seen.at.as_slice() {
            [one] => one,
            _ => {
                return Err(refused(format!(
                    "More than one host has {name}, so nothing was changed. Remove it in Hyper-V's manager where it must not be, \
                     and see to it that it never runs twice."
                )));
            }
        };
        if *presence != VmPresence::Running {
            return Err(refused(format!(
                "{name} is on host {}, but does not run there, so nothing was changed. Start it there and try again.",
                host.name
            )));
        }
        let offering = self.offering(vm).await?;
        Ok(Change::Host(Box::new((vm.clone(), source.clone(), host.clone(), offering))))
    }

    async fn to_running(&self, seen: &Seen) -> Result<Change, DriftRefusal> {
        let (Some(vm), [(host, VmPresence::Running)]) = (&seen.subject.vm, seen.at.as_slice()) else {
            return Err(other_state());
        };
        Ok(Change::Running(Box::new((vm.clone(), host.clone(), self.offering(vm).await?))))
    }

    async fn offering(&self, vm: &Vm) -> Result<ServiceOffering, DriftRefusal> {
        let offering = self.store.service_offering_by_id(vm.service_offering_id).await?;
        offering.ok_or_else(|| refused(format!("The service offering of {} does not exist.", vm.instance_name)))
    }

    async fn to_pool(&self, finding: &NewDrift, volume: Volume) -> Result<Change, DriftRefusal> {
        let pool = match finding.found_pool_id {
            Some(id) => self.store.pool_by_id(id).await?.filter(|pool| !pool.removed),
            None => None,
        };
        let Some(pool) = pool else {
            return Err(refused(format!(
                "{} So there is no place in the database that it could be given, and nothing was changed. Add the folder as a \
                 pool with createStoragePool, or move the disk back with Hyper-V's manager.",
                finding.host_says
            )));
        };
        let stem = volume.path.as_deref().unwrap_or_default();
        if let Some(owner) = self.store.volume_of_file(pool.id, stem).await? {
            return Err(refused(format!(
                "The volume {owner} has the file {stem} in pool {} already, so nothing was changed. One of the two rows is wrong.",
                pool.name
            )));
        }
        Ok(Change::Pool(Box::new((volume, pool))))
    }
}

fn other_state() -> DriftRefusal {
    refused("The machine is in another state now, so nothing was changed.")
}

/// Changes the rows, guarded by what was seen of them.
async fn apply(tx: &mut Tx, change: &Change) -> Result<(), DriftRefusal> {
    match change {
        Change::Host(to) => {
            let (vm, source, host, offering) = &**to;
            let here = VmPlace { host_id: vm.host_id, last_host_id: vm.last_host_id, pod_id: vm.pod_id };
            let there = VmPlace { host_id: Some(host.id), last_host_id: Some(source.id), pod_id: host.pod_id };
            // There is no single step from Running to Running: it is said that it moves, and that it has moved.
            let moving = tx.vm_transition(vm, vm.state.on(VmEvent::MigrationRequested)?, here).await?;
            tx.vm_transition(&moving, moving.state.on(VmEvent::OperationSucceeded)?, there).await?;
            tx.host_shift(source.id, host.id, offering).await?;
        }
        Change::Running(to) => {
            let (vm, host, offering) = &**to;
            let there = VmPlace { host_id: Some(host.id), last_host_id: vm.last_host_id, pod_id: host.pod_id };
            tx.vm_transition(vm, vm.state.on(VmEvent::FollowAgentPowerOnReport)?, there).await?;
            tx.host_occupy(host.id, offering).await?;
        }
        Change::Pool(to) => {
            let (volume, pool) = &**to;
            let moving = tx.volume_transition(volume, volume.state.on(VolumeEvent::MigrationRequested)?).await?;
            let moved = tx.volume_transition(&moving, moving.state.on(VolumeEvent::OperationSucceeded)?).await?;
            let place = VolumePlace {
                pool_id: pool.id,
                pool_type: pool.kind.clone(),
                pod_id: pool.pod_id,
                folder: pool.bare_path().to_owned(),
                path: volume.path.clone().unwrap_or_default(),
            };
            tx.volume_place(&moved, &place).await?;
            if let Some(source) = volume.pool_id {
                tx.pool_shift(source, pool.id, volume.size_bytes).await?;
            }
        }
        Change::Size(to) => {
            let (volume, size_bytes) = &**to;
            let now = tx.volume_transition(volume, volume.state.on(VolumeEvent::OperationSucceeded)?).await?;
            tx.volume_resize(&now, *size_bytes).await?;
            tx.usage_insert(&Usage { kind: "VOLUME.RESIZE", volume, size_bytes: Some(*size_bytes) }).await?;
        }
    }
    Ok(())
}
