//! A small estate under test: simulated hosts with real disks, a database that says where they are, and the room that
//! moves them. And the oracle: what has to hold once nothing moves any more.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use stackmotion::agent::faults::FaultRule;
use stackmotion::agent::{RunningWorld, World};
use stackmotion::args;
use stackmotion::client::Client;
use stackmotion::demo::{DiskPlan, Estate, EstateDisk, Plan, VmPlan, seed};
use stackmotion::hypervisors::hyperv::{AgentClient, ClientSettings, HyperV, MemoryPins, PinPolicy};
use stackmotion::model::{HYPERV, JobStatus, VmState, VolumeState};
use stackmotion::motion::{Motion, Mover, Patience, PlainRequest, Probe, StorageRequest, VolumeRequest};
use stackmotion::store::{KeyPair, NewJob, Store, Submission};
use tempfile::TempDir;

use crate::support::database::Database;

pub const MIB: u64 = 1 << 20;
/// The caller: a root admin.
pub static ROOT: Mover =
    Mover { account_id: 2, domain_path: String::new(), root_admin: true, domain_admin: false, evacuates: false };
/// How long a test waits for something that should come at once.
pub const LONG: Duration = Duration::from_secs(60);

/// What a job's result says when it was cancelled.
pub const WISH: &str = "Cancelled at the request of a test.";

/// The estate under test.
pub struct Bench {
    pub world: RunningWorld,
    pub estate: Estate,
    pub store: Store,
    pub motion: Arc<Motion>,
    pub hyperv: Arc<HyperV>,
    /// The administrator's.
    keys: KeyPair,
    _database: Database,
    folder: TempDir,
}

/// Two clusters of two hosts; a VM on shared storage, one on local storage, one that is stopped.
pub fn plan(net: u8) -> Plan {
    let shared = VmPlan::new("shared", "c1-h1")
        .disk(DiskPlan::shared("ROOT-shared", "c1-p1", 24 * MIB, 6 * MIB))
        .disk(DiskPlan::shared("DATA-shared", "c1-p1", 16 * MIB, 4 * MIB).vhd())
        .with_guest();
    let local = VmPlan::new("local", "c1-h1").disk(DiskPlan::local("ROOT-local", 24 * MIB, 6 * MIB)).with_guest();
    let stopped =
        VmPlan::new("stopped", "c1-h2").disk(DiskPlan::shared("ROOT-off", "c1-p1", 16 * MIB, 4 * MIB)).stopped();
    Plan::regular(net, 2, 2, 2).vm(shared).vm(local).vm(stopped)
}

/// Short times, so that a test that has to wait for patience to end does not take minutes.
pub fn patience() -> Patience {
    Patience {
        poll: Duration::from_millis(30),
        unreachable: Duration::from_secs(4).into(),
        late_answer: Duration::from_millis(300),
        cancel_answer: LONG,
        ..Patience::default()
    }
}

impl Bench {
    pub async fn start(plan: &Plan, database: Database) -> Self {
        Self::start_with(plan, database, |_, _| {}).await
    }

    /// The same, after `prepare` has laid files into the world's folder.
    pub async fn start_with(plan: &Plan, database: Database, prepare: impl FnOnce(&Estate, &Path)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let estate = Estate::new(plan).expect("a sound plan");
        prepare(&estate, folder.path());
        let world = World::start(&estate.world_spec(), folder.path()).await.expect("a world");
        let store = database.store.clone();
        let keys = store.bootstrap().await.expect("accounts").expect("a key of the administrator");
        seed(&store, &estate, world.port()).await.expect("an inventory");
        let settings = ClientSettings { question_timeout: Duration::from_secs(5), ..ClientSettings::default() };
        let pins = PinPolicy::first_use(Arc::new(MemoryPins::default()));
        let hyperv = Arc::new(HyperV::new(Arc::new(AgentClient::new(settings, pins))));
        let motion = Arc::new(Motion::new(store.clone(), patience()).with_hypervisor(HYPERV, Arc::clone(&hyperv) as _));
        Self { world, estate, store, motion, hyperv, keys, _database: database, folder }
    }

    /// A second room on the same database and hosts, as after a restart of the gateway.
    pub fn another_motion(&self, probe: Option<Probe>) -> Arc<Motion> {
        let motion = Motion::new(self.store.clone(), patience()).with_hypervisor(HYPERV, Arc::clone(&self.hyperv) as _);
        Arc::new(match probe {
            Some(probe) => motion.with_probe(probe),
            None => motion,
        })
    }

    /// The same with another patience.
    pub fn motion_with(&self, patience: Patience) -> Motion {
        Motion::new(self.store.clone(), patience).with_hypervisor(HYPERV, Arc::clone(&self.hyperv) as _)
    }

    /// The key of the secrets in the database, which all its gateways have to have.
    pub fn secrets_file(&self) -> PathBuf {
        self.folder.path().join("secrets.key")
    }

    /// The administrator's key pair.
    pub fn keys(&self) -> (&str, &str) {
        (&self.keys.api_key, self.keys.secret_key.expose())
    }

    /// A client of the administrator at the gateway with this address.
    pub fn client(&self, url: &str) -> Client {
        Client::new(url.to_owned(), &self.keys.api_key, self.keys.secret_key.expose()).expect("a client")
    }

    pub fn vm_id(&self, name: &str) -> i64 {
        self.estate.vm(name).expect("a VM").id
    }

    pub fn disk(&self, name: &str) -> &EstateDisk {
        self.estate.disks.iter().find(|disk| disk.plan.name == name).expect("a disk")
    }

    pub fn pool_id(&self, name: &str) -> i64 {
        self.estate.pool(name).expect("a pool").id
    }

    pub fn host_id(&self, name: &str) -> i64 {
        self.estate.host(name).expect("a host").id
    }

    pub fn fault(&self, rule: FaultRule) -> u64 {
        self.world.world().faults.add(rule)
    }

    /// Waits until a fault has struck.
    pub async fn struck(&self, id: u64) {
        self.struck_times(id, 1).await;
    }

    /// Waits until a fault has struck so often.
    pub async fn struck_times(&self, id: u64, times: u64) {
        let faults = &self.world.world().faults;
        let struck = async || faults.view().iter().any(|view| view.id == id && view.struck >= times);
        wait_for("the fault to strike", struck).await;
    }

    /// The request that moves a disk of the VM `shared` to the second pool of its cluster.
    pub fn volume_request(&self) -> VolumeRequest {
        VolumeRequest {
            volume_id: self.disk("DATA-shared").id,
            pool_id: self.pool_id("c1-p2"),
            live: true,
            new_offering_id: None,
        }
    }

    /// The request that moves the VM `shared` with both disks to another cluster.
    pub fn vm_request(&self) -> StorageRequest {
        let pool = self.estate.pool("c2-p1").expect("a pool").uuid.clone();
        let map = ["ROOT-shared", "DATA-shared"].map(|disk| (self.disk(disk).uuid.clone(), Some(pool.clone())));
        StorageRequest { vm_id: self.vm_id("shared"), host_id: Some(self.host_id("c2-h1")), map: map.to_vec() }
    }

    /// The request that moves the VM `shared` to the other host of its cluster, its disks staying.
    pub fn plain_request(&self) -> PlainRequest {
        PlainRequest { vm_id: self.vm_id("shared"), host_id: Some(self.host_id("c1-h2")) }
    }

    /// The pool that the database gives a disk, by name of pool.
    pub async fn pool_of(&self, disk: &str) -> String {
        let uuid = &self.disk(disk).uuid;
        let volume = self.store.volume_by_uuid(uuid).await.expect("the database").expect("the volume");
        let pool = volume.pool_id.expect("a pool");
        self.estate.pools.iter().find(|known| known.id == pool).expect("a known pool").name.clone()
    }

    /// The host that the database gives a VM, by name of host.
    pub async fn host_of(&self, vm: &str) -> String {
        let row = self.store.vm_by_id(self.vm_id(vm)).await.expect("the database").expect("the VM");
        let host = row.host_id.expect("a host");
        self.estate.hosts.iter().find(|known| known.id == host).expect("a known host").plan.name.clone()
    }

    /// A job that has not ended, for a motion that is to be cancelled. Gives its internal id.
    pub async fn job(&self) -> i64 {
        let job = NewJob {
            uuid: uuid::Uuid::new_v4().to_string(),
            command: "migrateVolume".to_owned(),
            class: "class".to_owned(),
            parameters: "{}".to_owned(),
            user_id: 2,
            account_id: 2,
            instance: None,
            request_id: "test".to_owned(),
            submission: Submission::default(),
        };
        let server = stackmotion::store::Server { id: 1, uuid: String::new(), name: String::new(), epoch: 1 };
        let mut tx = self.store.begin().await.expect("a transaction");
        let id = tx.job_insert(&job, 0, &server).await.expect("a job").job_id;
        tx.commit().await.expect("a job");
        id
    }

    /// What became of the motion of a job, as the journal has it.
    pub async fn outcome(&self, job_id: i64) -> Option<String> {
        self.store.motions_of_job(job_id).await.expect("the journal").pop().expect("a motion").outcome
    }

    /// Ends such a job, and with it what it held.
    pub async fn end_job(&self, job_id: i64) {
        let mut tx = self.store.begin().await.expect("a transaction");
        assert!(tx.job_finish(job_id, JobStatus::Failed, 530, "").await.expect("an end"), "it had ended");
        tx.commit().await.expect("an end");
    }

    /// Wishes that a job stop, as `cancelMigration` does.
    pub async fn wish(&self, motion: &Motion, job_id: i64) {
        let mut tx = self.store.begin().await.expect("a transaction");
        tx.cancel_wish(job_id, Some(2), WISH).await.expect("a wish");
        tx.commit().await.expect("a wish");
        motion.hear_wishes().await.expect("the database");
    }

    /// What has to hold once nothing moves: database and hosts agree about every VM and disk, nothing is on its way, no
    /// file is unowned, capacity adds up, and no write of a guest was lost.
    pub async fn check(&self, case: &str) {
        self.check_states(case).await;
        self.check_ledger(case).await;
        self.check_places(case).await;
        self.check_capacity(case).await;
        for vm in &self.estate.vms {
            if vm.plan.guest.is_some() {
                let proof = self.world.world().verify(&vm.instance_name).expect("a guest");
                assert!(proof.ok, "{case}: the guest of {} lost writes: {:?}", vm.name, proof.problems);
            }
        }
    }

    /// The ledger is closed: of every file it is known what became of it.
    async fn check_ledger(&self, case: &str) {
        self.motion.close_ledger().await.expect("the database");
        let sql = "SELECT f.role, f.stem FROM motion_file f JOIN motion_migration m ON m.id = f.migration_id \
            WHERE f.state = 'expected' AND m.outcome <> 'unknown'";
        let open = self.store.db().rows(sql, vec![]).await.expect("the database");
        assert!(open.is_empty(), "{case}: files of which nobody knows what became: {open:?}");
    }

    async fn check_states(&self, case: &str) {
        let sql = "SELECT name, state FROM volumes WHERE state = 'Migrating' UNION ALL \
            SELECT name, state FROM vm_instance WHERE state = 'Migrating'";
        let moving = self.store.db().rows(sql, vec![]).await.expect("the database");
        assert!(moving.is_empty(), "{case}: still moving: {moving:?}");
        let open = "SELECT uuid, phase FROM motion_migration WHERE phase <> 'settled'";
        let open = self.store.db().rows(open, vec![]).await.expect("the database");
        assert!(open.is_empty(), "{case}: unsettled motions: {open:?}");
    }

    async fn check_places(&self, case: &str) {
        let oracle = self.world.world().oracle().expect("the pools can be listed");
        let mut owned = Vec::new();
        for disk in &self.estate.disks {
            let row = self.store.volume_by_uuid(&disk.uuid).await.expect("the database").expect("the volume");
            assert_eq!(row.state, VolumeState::Ready, "{case}: {}", disk.plan.name);
            let file = self.file(&row.path.clone().expect("a path"), row.pool_id.expect("a pool"), disk);
            assert!(
                file.exists(),
                "{case}: the database says that {} is {}, which does not exist",
                row.name,
                file.display()
            );
            owned.push(file.clone());
            let vm = self.store.vm_by_id(disk.vm_id).await.expect("the database").expect("the VM");
            if vm.state != VmState::Running {
                continue;
            }
            let stem = row.path.unwrap_or_default();
            let seen = oracle.disks.iter().find(|place| place.vm == vm.instance_name && place.stem == stem);
            let seen = seen.unwrap_or_else(|| panic!("{case}: {} has no disk {stem}", vm.instance_name));
            assert_eq!(seen.file.as_ref(), Some(&file), "{case}: the host has {} elsewhere", row.name);
            let host = self.store.host_by_id(vm.host_id.expect("a host")).await.expect("the database").expect("a host");
            assert_eq!(seen.host, host.private_ip, "{case}: {} runs on another host than the database says", vm.name);
        }
        let unowned: Vec<_> = oracle.strays.iter().filter(|file| !owned.contains(file)).collect();
        assert!(unowned.is_empty(), "{case}: files that nobody owns: {unowned:?}");
    }

    /// Where a disk of this file name lies in a pool.
    pub fn file(&self, stem: &str, pool_id: i64, disk: &EstateDisk) -> PathBuf {
        let pool = self.estate.pool_by_id(pool_id).expect("a known pool");
        let any_host = self.estate.hosts.first().expect("a host").plan.ip.as_str();
        let host = pool.host_ip().unwrap_or(any_host);
        let found = self.world.world().pools.find(host, &pool.unc_or_folder()).expect("the world has the pool");
        found.folder.join(format!("{stem}.{}", disk.plan.format.extension()))
    }

    /// What hosts and pools are charged with is what is on them.
    pub async fn check_capacity(&self, case: &str) {
        let sql = "SELECT v.host_id, CAST(SUM(o.ram_size) AS SIGNED) AS mib FROM vm_instance v \
            JOIN service_offering o ON o.id = v.service_offering_id WHERE v.state = 'Running' GROUP BY v.host_id";
        let mut memory: BTreeMap<i64, i64> = BTreeMap::new();
        for row in self.store.db().rows(sql, vec![]).await.expect("the database") {
            memory.insert(row.at(0).expect("a host"), row.at::<i64>(1).expect("a sum") << 20);
        }
        for host in &self.estate.hosts {
            let sql = "SELECT used_capacity FROM op_host_capacity WHERE host_id = ? AND capacity_type = 0";
            let row = self.store.db().row(sql, args![host.id]).await.expect("the database").expect("a capacity row");
            let used: i64 = row.at(0).expect("a number");
            assert_eq!(used, memory.get(&host.id).copied().unwrap_or_default(), "{case}: memory of {}", host.plan.name);
        }
        for pool in &self.estate.pools {
            let sql = "SELECT used_capacity FROM op_host_capacity WHERE host_id = ? AND capacity_type = 3";
            let row = self.store.db().row(sql, args![pool.id]).await.expect("the database").expect("a capacity row");
            let promised = self.store.pool_allocated_bytes(pool.id).await.expect("a sum");
            assert_eq!(row.at::<i64>(0).expect("a number"), promised, "{case}: promised bytes of {}", pool.name);
        }
    }
}

/// Waits until `done` says so.
pub async fn wait_for(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !done().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
