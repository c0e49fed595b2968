//! Drift: what is changed behind the gateway's back is found, told once, and followed or let be as an administrator says.

mod found;
mod idle;
mod learned;
mod resolved;
mod served;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde_json::Value as Json;
use stackmotion::demo::{DiskPlan, Plan, VmPlan};
use stackmotion::drift::{Drift, DriftRefusal, Manner, Resolver};
use stackmotion::model::Timestamp;
use stackmotion::motion::hypervisor::{
    Answer, DiskRef, FileFact, HostRef, Hypervisor, MotionStatus, PoolRef, Stopping, Told, VmDisk, VmMove, VmPresence,
    VolumeCopy, VolumeMove,
};
use stackmotion::store::{DriftFilter, Window};
use stackmotion::views;

use crate::motion::bench::{Bench, MIB};

/// What is asked of an agent before it is asked, and how often it was asked so far: an answer given here is the agent's.
type Meddle = Box<dyn Fn(u32) -> BoxFuture<'static, Option<VmPresence>> + Send + Sync>;

/// Two clusters of two hosts; a machine with two disks on shared storage, and one on its host's own.
fn plan(net: u8) -> Plan {
    let web = VmPlan::new("web", "c1-h1")
        .disk(DiskPlan::shared("ROOT-web", "c1-p1", 16 * MIB, MIB))
        .disk(DiskPlan::shared("DATA-web", "c1-p1", 8 * MIB, MIB).vhd());
    let own = VmPlan::new("own", "c1-h1").disk(DiskPlan::local("ROOT-own", 8 * MIB, MIB));
    Plan::regular(net, 2, 2, 2).vm(web).vm(own)
}

/// The decision of a person, in a job.
fn by(job_id: i64) -> Resolver {
    Resolver { user_id: 2, job_id }
}

/// A finding as clients see it, and the number of its row.
type Finding = (String, Json);

trait Behind {
    fn drift(&self) -> Drift;
    fn drift_with(&self, meddle: Meddle) -> Drift;
    async fn compare(&self);
    async fn findings(&self, resolved: Option<bool>) -> Vec<Finding>;
    async fn only(&self, case: &str) -> Finding;
    async fn count(&self, sql: &str) -> i64;
    fn ip(&self, host: &str) -> String;
    fn instance(&self, vm: &str) -> String;
    fn carry(&self, vm: &str, from: &str, to: &str);
    async fn carry_disk(&self, vm: &str, disk: &str, to: &str);
    fn rename_folder(&self, vm: &str, disk: &str, folder: &str);
    async fn begin_motion(&self, vm: &str, phase: &str, outcome: Option<&str>);
}

impl Behind for Bench {
    fn drift(&self) -> Drift {
        let manner = Manner { again_after: Duration::from_millis(1), at_once: 2, pause: Duration::ZERO };
        Drift::new(self.store.clone(), Arc::clone(&self.hyperv) as _, manner)
    }

    fn drift_with(&self, meddle: Meddle) -> Drift {
        let manner = Manner { again_after: Duration::from_millis(1), at_once: 1, pause: Duration::ZERO };
        let inner = Arc::clone(&self.hyperv) as Arc<dyn Hypervisor>;
        Drift::new(self.store.clone(), Arc::new(Meddling { inner, meddle, asked: Default::default() }), manner)
    }

    /// One round, as fast as it goes.
    async fn compare(&self) {
        self.drift().round(Duration::ZERO, || true).await.expect("the database answers");
    }

    /// The findings as clients see them, oldest first.
    async fn findings(&self, resolved: Option<bool>) -> Vec<Finding> {
        let filter = DriftFilter { resolved, ..DriftFilter::default() };
        let (_, mut ids) = self.store.drift_page(&filter, Window::default()).await.expect("a page");
        ids.reverse();
        let views = views::drifts(&self.store, &ids).await.expect("views");
        let shown = |view: views::DriftView| {
            use stackmotion::api::Response as _;
            let json: Json = serde_json::from_str(&view.into_node().to_json()).expect("JSON");
            (json["id"].as_str().expect("an id").to_owned(), json)
        };
        views.into_iter().map(shown).collect()
    }

    /// The one finding that is open.
    async fn only(&self, case: &str) -> Finding {
        let mut findings = self.findings(Some(false)).await;
        assert_eq!(findings.len(), 1, "{case}: {findings:#?}");
        findings.remove(0)
    }

    async fn count(&self, sql: &str) -> i64 {
        self.store.db().row(sql, vec![]).await.expect("the database").expect("a row").at(0).expect("a number")
    }

    fn ip(&self, host: &str) -> String {
        self.estate.host(host).expect("a host").plan.ip.clone()
    }

    fn instance(&self, vm: &str) -> String {
        self.estate.vm(vm).expect("a VM").instance_name.clone()
    }

    /// Moves a machine by hand: nobody is told.
    fn carry(&self, vm: &str, from: &str, to: &str) {
        let (name, from, to) = (self.instance(vm), self.ip(from), self.ip(to));
        let change = self.world.world().change(|state| {
            let vm = state.remove(&from, &name).expect("the machine");
            state.hosts.get_mut(&to).expect("the host").vms.push(vm);
        });
        change.expect("the world is saved");
    }

    /// Moves a disk by hand to the folder of a pool.
    async fn carry_disk(&self, vm: &str, disk: &str, to: &str) {
        let known = self.disk(disk);
        let row = self.store.volume_by_uuid(&known.uuid).await.expect("the database").expect("the volume");
        let stem = row.path.expect("a path");
        let target = self.pool_id(to);
        let (source, new) = (self.file(&stem, row.pool_id.expect("a pool"), known), self.file(&stem, target, known));
        std::fs::rename(source, new).expect("the file can be moved");
        self.rename_folder(vm, disk, &self.estate.pool(to).expect("a pool").unc_or_folder());
    }

    fn rename_folder(&self, vm: &str, disk: &str, folder: &str) {
        let (name, file) = (self.instance(vm), self.disk(disk).file_name());
        let change = self.world.world().change(|state| {
            let host = state.find(&name).expect("the machine").0.to_owned();
            let vm = state.vm_mut(&host, &name).expect("the machine");
            let disk = vm.disks.iter_mut().find(|disk| disk.file == file).expect("the disk");
            disk.folder = folder.to_owned();
        });
        change.expect("the world is saved");
    }

    /// Writes a motion of a machine's first disk into the journal.
    async fn begin_motion(&self, vm: &str, phase: &str, outcome: Option<&str>) {
        let sql = "INSERT INTO motion_migration (uuid, job_id, kind, strategy, phase, outcome, vm_id, source_host_id, created, \
            updated) VALUES ('under-way', 77, 'live-volume', 'none', ?, ?, ?, 1, ?, ?)";
        let now = Timestamp::now();
        let args = stackmotion::args![phase, outcome, self.vm_id(vm), now, now];
        self.store.db().run(sql, args).await.expect("a row");
    }
}

/// What a refusal says.
fn refusal(result: Result<(), DriftRefusal>) -> String {
    match result {
        Err(DriftRefusal::Refused(text)) => text,
        other => panic!("not refused: {other:?}"),
    }
}

/// Agents that somebody meddles with whenever they are asked whether they have a machine.
struct Meddling {
    inner: Arc<dyn Hypervisor>,
    meddle: Meddle,
    asked: std::sync::atomic::AtomicU32,
}

impl Hypervisor for Meddling {
    fn vm_presence<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<VmPresence>> {
        Box::pin(async move {
            let asked = self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            match (self.meddle)(asked).await {
                Some(presence) => Ok(presence),
                None => self.inner.vm_presence(host, vm).await,
            }
        })
    }

    fn vm_disks<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<Option<Vec<VmDisk>>>> {
        self.inner.vm_disks(host, vm)
    }

    fn files<'a>(
        &'a self,
        host: &'a HostRef,
        pool: &'a PoolRef,
        stem: &'a str,
    ) -> BoxFuture<'a, Answer<Option<Vec<FileFact>>>> {
        self.inner.files(host, pool, stem)
    }

    fn motion_status<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<MotionStatus>>> {
        self.inner.motion_status(host, motion)
    }

    fn stop_motion<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<Stopping>>> {
        self.inner.stop_motion(host, motion)
    }

    fn folder(&self, pool: &PoolRef) -> String {
        self.inner.folder(pool)
    }

    fn move_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeMove) -> BoxFuture<'a, Answer<Told>> {
        self.inner.move_volume(host, order)
    }

    fn move_vm<'a>(&'a self, host: &'a HostRef, order: &'a VmMove) -> BoxFuture<'a, Answer<Told>> {
        self.inner.move_vm(host, order)
    }

    fn copy_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeCopy) -> BoxFuture<'a, Answer<Told>> {
        self.inner.copy_volume(host, order)
    }

    fn delete_volume<'a>(&'a self, host: &'a HostRef, disk: &'a DiskRef) -> BoxFuture<'a, Answer<()>> {
        self.inner.delete_volume(host, disk)
    }
}
