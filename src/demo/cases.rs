//! The three use cases: what is to be moved where, seen from where everything is now.
//!
//! A case goes by the database, not by the plan, so that a second start in the same folder moves everything on.

use super::estate::{Estate, EstateDisk, EstateHost, EstatePool, EstateVm, PlanError};
use super::plan::{DiskPlan, Plan, VmPlan};
use crate::store::{Store, StoreError};

/// Bytes per second that each motion may copy: slow enough to be watched.
const THROTTLE_BYTES_PER_SECOND: u64 = 64 << 20;
const MIB: u64 = 1 << 20;
/// Second octet of the hosts' addresses.
const NET: u8 = 10;

/// A case cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// The estate is not as planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The VM is not where it could be moved from.
    #[error("the VM {vm} {state}; bring it back, or start the demonstration in a new folder")]
    NotReady {
        /// The VM.
        vm: String,
        /// What is wrong with it.
        state: &'static str,
    },
}

/// Which use case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A disk to another pool of its cluster.
    Volume,
    /// A VM with local disks to a host of another cluster.
    LocalDisks,
    /// A VM with shared disks to another cluster.
    SharedDisks,
}

impl Kind {
    /// All, in the order they are played.
    pub(super) const ALL: [Self; 3] = [Self::Volume, Self::LocalDisks, Self::SharedDisks];

    /// Name for programs.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume-to-another-pool",
            Self::LocalDisks => "local-disks-across-clusters",
            Self::SharedDisks => "shared-disks-across-clusters",
        }
    }

    /// Name for people.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Volume => "A running VM's disk moves to another pool of its cluster",
            Self::LocalDisks => "A running VM with local disks moves to a host of the other cluster",
            Self::SharedDisks => "A running VM on shared storage moves to the other cluster",
        }
    }

    fn vm(self) -> &'static str {
        match self {
            Self::Volume => "db",
            Self::LocalDisks => "web",
            Self::SharedDisks => "mail",
        }
    }
}

/// Two clusters with three hosts and two shared pools each; three VMs that are moved, and three that look on.
pub(super) fn plan() -> Plan {
    let mut plan = Plan::regular(NET, 2, 3, 2);
    plan.zone = "demo".to_owned();
    plan.throttle_bytes_per_second = THROTTLE_BYTES_PER_SECOND;
    let shared = |name: &str, pool: &str, data: u64| DiskPlan::shared(name, pool, 256 * MIB, data * MIB);
    let local = |name: &str, data: u64| DiskPlan::local(name, 256 * MIB, data * MIB);
    plan.vm(VmPlan::new("db", "c1-h1").disk(shared("ROOT-db", "c1-p1", 96)).with_guest())
        .vm(VmPlan::new("web", "c1-h2").disk(local("ROOT-web", 64)).disk(local("DATA-web", 32).vhd()).with_guest())
        .vm(VmPlan::new("mail", "c1-h3")
            .disk(shared("ROOT-mail", "c1-p1", 64))
            .disk(shared("DATA-mail", "c1-p2", 32))
            .with_guest())
        .vm(VmPlan::new("files", "c2-h1").disk(shared("ROOT-files", "c2-p1", 8)).with_guest())
        .vm(VmPlan::new("build", "c2-h2").disk(local("ROOT-build", 8)))
        .vm(VmPlan::new("archive", "c2-h3").disk(shared("ROOT-archive", "c2-p2", 8)).stopped())
}

/// A disk that is to be moved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move<'a> {
    pub(super) disk: &'a EstateDisk,
    pub(super) source: &'a EstatePool,
    pub(super) target: &'a EstatePool,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    pub(super) kind: Kind,
    pub(super) vm: &'a EstateVm,
    pub(super) source_host: &'a EstateHost,
    pub(super) target_host: &'a EstateHost,
    pub(super) moves: Vec<Move<'a>>,
    pub(super) command: &'static str,
    pub(super) params: Vec<(String, String)>,
}

impl<'a> Case<'a> {
    /// The case as it is to be played now.
    pub(super) async fn plan(kind: Kind, estate: &'a Estate, store: &Store) -> Result<Self, CaseError> {
        let vm = estate.vm(kind.vm())?;
        let not_ready = |state| CaseError::NotReady { vm: vm.name.clone(), state };
        let row = store.vm_by_id(vm.id).await?.ok_or_else(|| not_ready("is gone from the database"))?;
        let host = row.host_id.and_then(|id| estate.hosts.iter().find(|host| host.id == id));
        let source_host = host.ok_or_else(|| not_ready("does not run"))?;
        let target_host = match kind {
            Kind::Volume => source_host,
            // The host of the other cluster at the same place in the plan.
            Kind::LocalDisks | Kind::SharedDisks => estate
                .hosts
                .iter()
                .filter(|host| host.cluster_id != source_host.cluster_id)
                .nth(
                    estate
                        .hosts
                        .iter()
                        .filter(|host| host.cluster_id == source_host.cluster_id)
                        .position(|host| host.id == source_host.id)
                        .unwrap_or_default(),
                )
                .ok_or_else(|| not_ready("has no other cluster to go to"))?,
        };
        let mut moves = Vec::new();
        for disk in estate.disks_of(vm) {
            let volume = store.volume_by_id(disk.id).await?.and_then(|volume| volume.pool_id);
            let source = volume.and_then(|pool| estate.pool_by_id(pool)).ok_or_else(|| not_ready("has lost a disk"))?;
            let target = target_pool(kind, estate, (source, target_host, disk))?;
            moves.push(Move { disk, source, target });
        }
        let (command, params) = request(kind, vm, target_host, &moves);
        Ok(Self { kind, vm, source_host, target_host, moves, command, params })
    }
}

/// Where a disk is to go: `place` is where it is, the VM's next host, and the disk.
fn target_pool<'a>(
    kind: Kind,
    estate: &'a Estate,
    place: (&EstatePool, &EstateHost, &EstateDisk),
) -> Result<&'a EstatePool, CaseError> {
    let (source, host, disk) = place;
    let mut shared = estate.pools.iter().filter(|pool| pool.cluster_id == host.cluster_id && pool.host_ip().is_none());
    let found = match kind {
        Kind::Volume => shared.find(|pool| pool.id != source.id),
        // The ROOT disk stays in local storage, the other one goes to a share: a map may mix them.
        Kind::LocalDisks if disk.device_id == 0 => return Ok(estate.local_pool(&host.plan.name)?),
        Kind::LocalDisks => shared.next_back(),
        Kind::SharedDisks => shared.nth(disk.device_id as usize),
    };
    Ok(found.ok_or_else(|| PlanError::Unknown { kind: "pool for the disk", name: disk.plan.name.clone() })?)
}

fn request(kind: Kind, vm: &EstateVm, host: &EstateHost, moves: &[Move<'_>]) -> (&'static str, Vec<(String, String)>) {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    if kind == Kind::Volume {
        let mut params = vec![pair("livemigrate", "true")];
        for one in moves {
            params.push(pair("volumeid", &one.disk.uuid));
            params.push(pair("storageid", &one.target.uuid));
        }
        return ("migrateVolume", params);
    }
    let mut params = vec![pair("virtualmachineid", &vm.uuid), pair("hostid", &host.uuid)];
    for (at, one) in moves.iter().enumerate() {
        params.push(pair(&format!("migrateto[{at}].volume"), &one.disk.uuid));
        params.push(pair(&format!("migrateto[{at}].pool"), &one.target.uuid));
    }
    ("migrateVirtualMachineWithVolume", params)
}
