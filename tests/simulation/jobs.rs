//! What clients ask for, and how a gateway runs it: claimed, carried out under the claim, its end written under the claim.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stackmotion::model::JobStatus;
use stackmotion::motion::{
    Motion, Mover, OfflineRequest, OfflineTarget, PlainRequest, Refusal, StorageRequest, VolumeRequest,
};
use stackmotion::store::{Claim, NewJob, Server, Store, StoreError};

use super::dice::Dice;
use super::oracle;
use super::points::{Kind, Sim, Wait};

static ROOT: Mover =
    Mover { account_id: 2, domain_path: String::new(), root_admin: true, domain_admin: false, evacuates: false };
/// What the result of a job says that was cancelled.
pub const WISH: &str = "Cancelled by a client.";

/// What a client asks for. Pools and hosts are internal ids, volumes public ones.
#[derive(Clone, Debug)]
pub enum Ask {
    Volume { uuid: String, pool: i64, live: bool },
    Machine { vm: i64, host: i64 },
    Whole { vm: i64, host: i64, map: Vec<(String, Option<String>)> },
    Stopped { vm: i64, pool: i64 },
}

/// A job of this course of events.
#[derive(Clone, Debug)]
pub struct Job {
    pub ask: Ask,
    pub id: i64,
    /// The claim that it was accepted with, and whose it is.
    pub accepted: Option<(Server, Claim)>,
    pub is_cancelled: bool,
    pub is_over: bool,
}

/// The jobs that were submitted.
#[derive(Default)]
pub struct Jobs(Mutex<Vec<Job>>);

impl Jobs {
    pub fn list(&self) -> MutexGuard<'_, Vec<Job>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A gateway, as far as it runs jobs.
#[derive(Clone)]
pub struct Worker {
    pub sim: Arc<Sim>,
    pub store: Store,
    pub server: Server,
    pub motion: Motion,
    pub jobs: Arc<Jobs>,
}

/// Writes a job down for a gateway, as a client's request does.
pub async fn submit(store: &Store, server: &Server, ask: &Ask) -> Claim {
    let job = NewJob {
        uuid: uuid::Uuid::new_v4().to_string(),
        command: "migrate".to_owned(),
        class: "class".to_owned(),
        parameters: format!("{ask:?}"),
        user_id: 2,
        account_id: 2,
        instance: None,
        request_id: "simulated".to_owned(),
        submission: stackmotion::store::Submission::default(),
    };
    let mut tx = store.begin().await.expect("a transaction");
    let claim = tx.job_insert(&job, 0, server).await.expect("a job");
    tx.commit().await.expect("a job");
    claim
}

/// What a client might ask for now: mostly sensible, as the rows are.
pub async fn draw(store: &Store, estate: &stackmotion::demo::Estate, dice: &mut Dice) -> Ask {
    let vm = &estate.vms[dice.weighed([4, 3, 2, 2, 3].into_iter())];
    let row = store.vm_by_id(vm.id).await.expect("the database").expect("a machine");
    let disks: Vec<_> = estate.disks_of(vm).collect();
    let host = row.host_id.unwrap_or(vm.host_id);
    let cluster = estate.hosts.iter().find(|it| it.id == host).expect("a host").cluster_id;
    let shared =
        |cluster: i64| estate.pools.iter().filter(move |pool| pool.cluster_id == cluster && pool.host_ip().is_none());
    let disk = disks[dice.below(disks.len())];
    let volume = store.volume_by_uuid(&disk.uuid).await.expect("the database").expect("a volume");
    let others: Vec<i64> = shared(cluster).map(|pool| pool.id).filter(|id| Some(*id) != volume.pool_id).collect();
    let pool = dice.pick(&others);
    if vm.plan.stopped {
        let uuid = disk.uuid.clone();
        return if dice.chance(50) {
            Ask::Stopped { vm: vm.id, pool }
        } else {
            Ask::Volume { uuid, pool, live: false }
        };
    }
    let hosts: Vec<i64> = estate.hosts.iter().map(|it| it.id).filter(|id| *id != host).collect();
    let is_local = volume.pool_type_is_local(estate);
    match dice.weighed([if is_local { 0 } else { 4 }, if is_local { 0 } else { 2 }, 4].into_iter()) {
        0 => Ask::Volume { uuid: disk.uuid.clone(), pool, live: true },
        1 => {
            let near = estate.hosts.iter().filter(|it| it.cluster_id == cluster && it.id != host);
            Ask::Machine { vm: vm.id, host: near.map(|it| it.id).next().expect("a neighbour") }
        }
        _ => {
            let host = dice.pick(&hosts);
            let target = estate.hosts.iter().find(|it| it.id == host).expect("a host");
            let local = estate.local_pool(&target.plan.name).expect("its pool");
            let mut pools: Vec<&str> = shared(target.cluster_id).map(|pool| pool.uuid.as_str()).collect();
            if is_local {
                pools.push(&local.uuid);
            }
            let mut map = Vec::new();
            for disk in &disks {
                // Whoever stays in the cluster may leave a disk where it is.
                if target.cluster_id != cluster || is_local || dice.chance(70) {
                    map.push((disk.uuid.clone(), Some(dice.pick(&pools).to_owned())));
                }
            }
            Ask::Whole { vm: vm.id, host, map }
        }
    }
}

trait LocalVolume {
    fn pool_type_is_local(&self, estate: &stackmotion::demo::Estate) -> bool;
}

impl LocalVolume for stackmotion::model::Volume {
    fn pool_type_is_local(&self, estate: &stackmotion::demo::Estate) -> bool {
        let pool = self.pool_id.and_then(|id| estate.pool_by_id(id));
        pool.is_some_and(|pool| pool.host_ip().is_some())
    }
}

impl Worker {
    /// Runs a job, as a worker of a gateway does.
    pub async fn run(self, number: usize) {
        let (job_id, ask, accepted) = {
            let job = &mut self.jobs.list()[number];
            (job.id, job.ask.clone(), job.accepted.take_if(|(server, _)| *server == self.server))
        };
        let name = self.server.name.clone();
        let claim = match accepted {
            Some((_, claim)) => Some(claim),
            None => self.store.job_claim(job_id, &self.server).await.expect("the database"),
        };
        let Some(claim) = claim else { return };
        let queued = self.store.job_queued(job_id).await.expect("the database");
        if queued.is_none_or(|job| job.epoch != claim.epoch) {
            return;
        }
        if claim.epoch > 1 {
            let mut state = self.sim.state();
            state.tally.count("takeovers", "jobs");
            state.note(format!("{name} takes job {number} over, epoch {}", claim.epoch));
        }
        self.sim.pause(Kind::Step, &format!("{name} has claimed job {number}"), Wait::Go).await;
        let store = self.store.under(claim);
        let motion = self.motion.on(store.clone());
        let result = carry_out(&motion, &store, job_id, &ask).await;
        let is_superseded = |error: &Refusal| matches!(error.cause, Some(StoreError::Superseded { .. }));
        match store.begin().await {
            Ok(tx) => tx.roll_back().await,
            Err(_) => {
                let mut state = self.sim.state();
                state.tally.count("superseded", if result.is_ok() { "after it was done" } else { "in the middle" });
                state.note(format!("{name} has lost job {number}"));
                return;
            }
        }
        if let Err(error) = result.as_ref()
            && (is_superseded(error) || error.cause.is_some())
        {
            self.sim.state().find(format!("job {number} fails by its database: {:?}", error.cause));
        }
        let result = result.map_err(|refusal| refusal.text);
        oracle::claims(&store, &self.sim, (number, job_id), &result).await;
        self.sim.pause(Kind::Step, &format!("{name} is over with job {number}"), Wait::Go).await;
        let Ok(mut tx) = store.begin().await else { return };
        let (status, code) = if result.is_ok() { (JobStatus::Succeeded, 0) } else { (JobStatus::Failed, 530) };
        tx.job_finish(job_id, status, code, "").await.expect("an end");
        tx.commit().await.expect("an end");
        let mut state = self.sim.state();
        self.jobs.list()[number].is_over = true;
        state.tally.count("jobs", if result.is_ok() { "succeeded" } else { "failed" });
        state.note(format!("job {number} has ended: {result:?}"));
    }
}

async fn carry_out(motion: &Motion, store: &Store, job_id: i64, ask: &Ask) -> Result<(), Refusal> {
    match ask.clone() {
        Ask::Volume { uuid, pool, live } => {
            let volume = store.volume_by_uuid(&uuid).await.expect("the database").expect("a volume");
            let request = VolumeRequest { volume_id: volume.id, pool_id: pool, live, new_offering_id: None };
            motion.migrate_volume(job_id, &ROOT, &request).await.map(|_| ())
        }
        Ask::Machine { vm, host } => {
            motion.migrate_vm(job_id, &ROOT, PlainRequest { vm_id: vm, host_id: Some(host) }).await
        }
        Ask::Whole { vm, host, map } => {
            let request = StorageRequest { vm_id: vm, host_id: Some(host), map };
            motion.migrate_vm_with_volumes(job_id, &ROOT, &request).await
        }
        Ask::Stopped { vm, pool } => {
            let request = OfflineRequest { vm_id: vm, to: OfflineTarget::Pool(pool) };
            motion.migrate_stopped_vm(job_id, &ROOT, &request).await
        }
    }
}
