//! The front of the room: what the commands call. Each call checks, waits for its turn, checks again and moves.

use std::time::Duration;

use futures_util::future::join;

use super::access::Mover;
use super::locks::Held;
use super::mark::{along_with_volumes, moving_dump};
use super::order::{Kind, Order, OrderDisk, port};
use super::refusal::{Refusal, advice};
use super::saga::Motion;
use super::verdict::{Outcome, Verdict, sentence};
use super::vm_checks::{self, PlainRequest, VmPlan};
use super::vm_storage_checks::{self, StorageRequest};
use super::volume_checks::{self, Running, VolumePlan, VolumeRequest};
use super::{cold, offline, pools};
use crate::model::text::Dump;
use crate::store::{MotionRow, Store};

/// The first wait for a job that holds what another one needs.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// The lock of a VM or, when no VM uses it, of a volume.
pub fn key_of(vm_id: Option<i64>, volume_id: Option<i64>) -> String {
    match (vm_id, volume_id) {
        (Some(id), _) => format!("vm:{id}"),
        (None, id) => format!("volume:{}", id.unwrap_or_default()),
    }
}

impl Motion {
    /// The store that the room works on.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Moves a volume. Gives the internal id of the row that is the volume now (a cold move changes it).
    ///
    /// # Errors
    /// A [`Refusal`] with CloudStack's code and text; the volume is where the database says.
    pub async fn migrate_volume(&self, job_id: i64, mover: &Mover, request: &VolumeRequest) -> Result<i64, Refusal> {
        // Here and below: what is over before the motion is under way should not take room as long as that lasts.
        let known = join(self.gone_on_with(job_id), self.store.volume_by_id(request.volume_id));
        let (gone_on, volume) = Box::pin(known).await;
        if let Some((order, verdict)) = gone_on? {
            return volume_result(&order, &verdict);
        }
        let vm_id = volume?.and_then(|volume| volume.vm_id);
        let (order, _held) = Box::pin(self.volume_in_turn(job_id, mover, request, vm_id)).await?;
        let (order, verdict) = Box::pin(self.carry_out(order)).await?;
        volume_result(&order, &verdict)
    }

    /// The order to move a volume of this VM, once it is the job's turn.
    async fn volume_in_turn(
        &self,
        job_id: i64,
        mover: &Mover,
        request: &VolumeRequest,
        vm_id: Option<i64>,
    ) -> Result<(Box<Order>, Held), Refusal> {
        let check = || volume_checks::check(&self.store, mover, request, vm_id);
        // One that was attached or detached a moment ago has another lock.
        let vm_of = |plan: &VolumePlan| plan.volume.vm_id;
        let (plan, held) = self.in_turn(job_id, (vm_id, Some(request.volume_id)), check, vm_of).await?;
        Ok((Box::new(self.volume_order(job_id, plan).await?), held))
    }

    async fn volume_order(&self, job_id: i64, plan: VolumePlan) -> Result<Order, Refusal> {
        let Some(Running { vm, host, port, volume_in_snapshot }) = plan.running else {
            if let Some(limit) = pools::crowded(&self.store, &plan.target).await? {
                return Err(pools::too_many(limit));
            }
            let vm = match plan.volume.vm_id {
                Some(id) => self.store.vm_by_id(id).await?,
                None => None,
            };
            let disks = (plan.source, plan.target);
            let order = cold::order(&self.store, job_id, plan.volume, disks, plan.offering_id).await?;
            return Ok(Order { vm, ..order });
        };
        if volume_in_snapshot {
            return Err(Refusal::failed(
                "Migrate volume failed: Snapshots are being created on this volume. This volume cannot be migrated now.",
            ));
        }
        let stem = plan.volume.path.clone().unwrap_or_default();
        let disk = OrderDisk {
            volume: plan.volume,
            copy: None,
            stem,
            source: plan.source,
            target: plan.target,
            offering_id: plan.offering_id,
            before: None,
        };
        let (vm, disks) = (Some(vm), vec![disk]);
        let offering = plan.service_offering;
        Ok(Order { vm, offering, disks, ..empty(job_id, Kind::LiveVolume, host, port) })
    }

    /// Moves a running VM to another host; its disks stay where they are.
    ///
    /// # Errors
    /// A [`Refusal`] with CloudStack's code and text; the VM is where the database says.
    pub async fn migrate_vm(&self, job_id: i64, mover: &Mover, request: PlainRequest) -> Result<(), Refusal> {
        let check = || vm_checks::check_plain(&self.store, mover, request);
        self.move_vm(job_id, Kind::LiveVm, request.vm_id, check).await
    }

    /// Moves a running VM to another host, with its disks.
    ///
    /// # Errors
    /// A [`Refusal`] with CloudStack's code and text; VM and disks are where the database says.
    pub async fn migrate_vm_with_volumes(
        &self,
        job_id: i64,
        mover: &Mover,
        request: &StorageRequest,
    ) -> Result<(), Refusal> {
        let check = || vm_storage_checks::check(&self.store, mover, request);
        self.move_vm(job_id, Kind::LiveVmWithStorage, request.vm_id, check).await
    }

    /// Moves a running VM as this check plans it.
    async fn move_vm<F>(&self, job_id: i64, kind: Kind, vm_id: i64, check: impl Fn() -> F) -> Result<(), Refusal>
    where
        F: Future<Output = Result<VmPlan, Refusal>>,
    {
        if let Some((order, verdict)) = Box::pin(self.gone_on_with(job_id)).await? {
            return vm_result(&order, &verdict);
        }
        let planned = async {
            let (plan, held) = self.in_turn(job_id, (Some(vm_id), None), &check, |_| Some(vm_id)).await?;
            Ok::<_, Refusal>((self.vm_order(job_id, kind, plan).await?, held))
        };
        let (order, _held) = Box::pin(planned).await?;
        let (order, verdict) = Box::pin(self.carry_out(order)).await?;
        vm_result(&order, &verdict)
    }

    async fn vm_order(&self, job_id: i64, kind: Kind, plan: VmPlan) -> Result<Box<Order>, Refusal> {
        let disks = plan
            .disks
            .into_iter()
            .map(|disk| OrderDisk {
                stem: disk.volume.path.clone().unwrap_or_default(),
                volume: disk.volume,
                copy: None,
                source: disk.source,
                target: disk.target,
                offering_id: None,
                before: None,
            })
            .collect::<Vec<_>>();
        let source_port = port(&self.store, Some(&plan.source)).await?;
        let target_port = port(&self.store, Some(&plan.target)).await?;
        let order = Order {
            vm: Some(plan.vm),
            offering: Some(plan.offering),
            target: Some(plan.target),
            target_port,
            disks,
            ..empty(job_id, kind, plan.source, source_port)
        };
        for disk in &order.disks {
            if self.store.volume_snapshot_in_progress(disk.volume.id).await? {
                let reason = "Snapshots are being created on a volume. Volumes cannot be migrated now.";
                return Err(along_with_volumes(&order, reason));
            }
        }
        Ok(Box::new(order))
    }

    /// Moves the disks of a stopped VM: all of them to one pool, or each to the pool that the map names.
    ///
    /// # Errors
    /// A [`Refusal`] with CloudStack's code and text; every disk is where the database says.
    pub async fn migrate_stopped_vm(
        &self,
        job_id: i64,
        mover: &Mover,
        request: &offline::OfflineRequest,
    ) -> Result<(), Refusal> {
        // What an earlier life of the job has begun is finished first, also when it is cancelled.
        let has_begun = self.has_begun(job_id, request.vm_id).await?;
        if !has_begun {
            mover.must_be_root()?;
        }
        let _held = self.turn(job_id, Some(request.vm_id), None, has_begun).await?;
        offline::run(self, job_id, request).await
    }

    /// What a check plans, once it is the turn of the job for this VM or volume; `vm_of` says which VM the plan is about. Mostly
    /// nobody is in the way, and then one check is enough. Else a request is checked before it waits, so that what cannot be is
    /// refused at once, and again afterwards: whoever was first may have changed everything.
    async fn in_turn<P, F>(
        &self,
        job_id: i64,
        (vm_id, volume_id): (Option<i64>, Option<i64>),
        check: impl Fn() -> F,
        vm_of: impl Fn(&P) -> Option<i64>,
    ) -> Result<(P, Held), Refusal>
    where
        F: Future<Output = Result<P, Refusal>>,
    {
        let held = self.turn_at_once(job_id, vm_id, volume_id).await?;
        let plan = check().await?;
        if let Some(held) = held.filter(|_| vm_of(&plan) == vm_id) {
            return Ok((plan, held));
        }
        let held = self.turn(job_id, vm_of(&plan), volume_id, false).await?;
        Ok((check().await?, held))
    }

    /// The turn of a job if nobody is in the way.
    async fn turn_at_once(
        &self,
        job_id: i64,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
    ) -> Result<Option<Held>, Refusal> {
        let key = key_of(vm_id, volume_id);
        let Some(held) = self.locks.try_hold(&key) else { return Ok(None) };
        Ok(self.store.turn_take(&key, vm_id, volume_id, job_id).await?.then_some(held))
    }

    /// Waits for the turn of a job: nobody else moves this VM or volume, neither here nor through another gateway, also no
    /// motion that an earlier process left and that its own job has not taken up yet: that one may be waiting for a place to run.
    /// Gateways tell each other by a row, which the job holds until it ends. A job that has begun something waits also when it is
    /// cancelled.
    pub(super) async fn turn(
        &self,
        job_id: i64,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
        has_begun: bool,
    ) -> Result<Held, Refusal> {
        if !has_begun && let Some(cancelled) = self.unwanted(job_id).await? {
            return Err(cancelled);
        }
        match self.turn_at_once(job_id, vm_id, volume_id).await? {
            Some(held) => Ok(held),
            None => Box::pin(self.aside(self.turn_later(job_id, vm_id, volume_id, has_begun))).await,
        }
    }

    /// The turn of a job for which somebody is in the way.
    async fn turn_later(
        &self,
        job_id: i64,
        vm_id: Option<i64>,
        volume_id: Option<i64>,
        has_begun: bool,
    ) -> Result<Held, Refusal> {
        let key = key_of(vm_id, volume_id);
        // Who is in the way is mostly about to end.
        let mut wait = SHORTEST_WAIT;
        loop {
            let held =
                if has_begun { self.locks.hold(&key).await } else { self.lock_unless_cancelled(&key, job_id).await? };
            // Asked without a lock first: mostly it is a motion that is waited for, which may take days.
            if !self.store.has_unsettled_motion(vm_id, volume_id, job_id).await?
                && self.store.turn_take(&key, vm_id, volume_id, job_id).await?
            {
                return Ok(held);
            }
            drop(held);
            self.clock.sleep(wait).await;
            wait = (wait * 2).min(self.patience.poll.max(SHORTEST_WAIT));
        }
    }

    /// Waits for the lock of this process, as long as the job is not told to stop.
    async fn lock_unless_cancelled(&self, key: &str, job_id: i64) -> Result<Held, Refusal> {
        let mut lock = std::pin::pin!(self.locks.hold(key));
        loop {
            if let Some(cancelled) = self.unwanted(job_id).await? {
                return Err(cancelled);
            }
            tokio::select! {
                held = &mut lock => return Ok(held),
                () = self.clock.sleep(self.patience.poll) => {}
            }
        }
    }

    /// The end of the motion that this job began in an earlier life, if it did.
    async fn gone_on_with(&self, job_id: i64) -> Result<Option<(Order, Verdict)>, Refusal> {
        match self.begun(job_id).await? {
            Some(row) => Ok(Some(Box::pin(self.resume(&row)).await?)),
            None => Ok(None),
        }
    }

    /// Whether this job has begun to move this VM or its disks in an earlier life: that is gone on with, whatever would be
    /// refused now.
    ///
    /// # Errors
    /// A [`Refusal`] when the database fails.
    pub async fn has_begun(&self, job_id: i64, vm_id: i64) -> Result<bool, Refusal> {
        Ok(self.begun(job_id).await?.is_some() || self.store.stopped_vm_job(vm_id).await? == Some(job_id))
    }

    /// The motion that this job began in an earlier life, if it did.
    pub(super) async fn begun(&self, job_id: i64) -> Result<Option<MotionRow>, Refusal> {
        Ok(self.store.motions_of_job(job_id).await?.pop())
    }
}

/// An order with the parts that all have.
pub(super) fn empty(job_id: i64, kind: Kind, source: crate::model::Host, source_port: Option<u16>) -> Order {
    Order {
        id: 0,
        uuid: uuid::Uuid::new_v4().to_string(),
        job_id,
        kind,
        vm: None,
        offering: None,
        source,
        source_port,
        target: None,
        target_port: None,
        disks: Vec::new(),
    }
}

fn volume_result(order: &Order, verdict: &Verdict) -> Result<i64, Refusal> {
    let Some(disk) = order.disks.first() else { return Err(Refusal::failed("Failed to migrate volume")) };
    if verdict.outcome == Outcome::Done {
        return Ok(disk.copy.as_ref().map_or(disk.volume.id, |copy| copy.id));
    }
    let reason = told(order, verdict);
    if order.kind == Kind::ColdVolume {
        return Err(cold::failure(disk, &reason));
    }
    let object = Dump::new("VolumeObject")
        .text("dataStore", Some(&disk.source.dump()))
        .text("volumeVO", Some(&disk.volume.dump()))
        .end();
    Err(Refusal::failed(format!(
        "Migrate volume failed: com.cloud.utils.exception.CloudRuntimeException: Failed to migrate volume {object} to storage \
         pool {}. {reason}",
        disk.target.dump()
    )))
}

fn vm_result(order: &Order, verdict: &Verdict) -> Result<(), Refusal> {
    if verdict.outcome == Outcome::Done {
        return Ok(());
    }
    let reason = told(order, verdict);
    if order.kind == Kind::LiveVm {
        return Err(Refusal::failed(reason));
    }
    let target = order.target.as_ref().map(crate::model::Host::dump).unwrap_or_default();
    let moving = moving_dump(order);
    let inner = format!(
        "com.cloud.utils.exception.CloudRuntimeException: Error while migrating the vm {moving} to host {target}. {reason}"
    );
    Err(along_with_volumes(order, &inner))
}

/// The agent's own reason; where the outcome is not simply "not done", what was verified stands with it.
pub(super) fn told(order: &Order, verdict: &Verdict) -> String {
    let reason = verdict.reason.as_deref().map(str::trim);
    let reason = reason.map(|reason| if reason.is_empty() { "The agent gave no reason." } else { reason });
    match (verdict.outcome, reason) {
        (Outcome::NotDone, Some(reason)) => reason.to_owned(),
        (Outcome::NotDone | Outcome::Done, None) => format!("The agent reported success. {}", verdict.verified),
        (Outcome::Unknown, reason) => format!(
            "What became of it is not known: {} {} The database shows the old place until it is known, and what was to move takes \
             no new migration. {}",
            sentence(reason.unwrap_or_default()),
            verdict.verified,
            advice(&order.uuid, order.vm.as_ref().map(|vm| vm.instance_name.as_str()))
        ),
        (_, reason) => format!("{} {}", sentence(reason.unwrap_or("The agent reported success.")), verdict.verified),
    }
}
