//! Whether a volume may be moved to a pool: `contract/migration.md` 2.1, in its order and with its texts.

use tokio::try_join;

use super::access::Mover;
use super::order::port;
use super::pools::{self, SpaceLimits};
use super::refusal::{Refusal, refuse_open};
use crate::model::{DiskOffering, Host, Pool, ServiceOffering, Vm, VmState, Volume, VolumeState};
use crate::store::{MotionRow, Store, StoreError};

/// What a client asks of migrateVolume.
#[derive(Clone, Copy, Debug)]
pub struct VolumeRequest {
    /// The volume, internal id.
    pub volume_id: i64,
    /// The pool, internal id.
    pub pool_id: i64,
    /// True when the client knows that a running VM uses the volume.
    pub live: bool,
    /// A disk offering to be written on the volume after the move.
    pub new_offering_id: Option<i64>,
}

/// A move of one volume that passed all checks.
#[derive(Clone, Debug)]
pub struct VolumePlan {
    /// The volume.
    pub volume: Volume,
    /// Where it is.
    pub source: Pool,
    /// Where it goes.
    pub target: Pool,
    /// The running VM that uses it, with its host: the move is live.
    pub running: Option<Running>,
    /// The service offering of the machine that uses it.
    pub service_offering: Option<ServiceOffering>,
    /// The disk offering that is written on it afterwards.
    pub offering_id: Option<i64>,
}

/// A running VM that uses the volume.
#[derive(Clone, Debug)]
pub struct Running {
    /// The VM.
    pub vm: Vm,
    /// Its host.
    pub host: Host,
    /// The port of the host's agent, where it is not the usual one.
    pub port: Option<u16>,
    /// Whether a snapshot of the volume is being made.
    pub volume_in_snapshot: bool,
}

/// What the checks go by. It is read all at once, since a database answers ten questions at the same time nearly as soon as
/// one.
struct Case<'a> {
    store: &'a Store,
    volume: Volume,
    source: Option<Pool>,
    /// The target, unless there is none.
    target: Option<Pool>,
    disk_offering: Option<DiskOffering>,
    machine: Option<Machine>,
    /// A motion of the volume or its VM whose outcome is not known.
    unknown: Option<MotionRow>,
    limits: SpaceLimits,
    /// Bytes that the target has promised.
    promised: i64,
    /// The hosts that reach the target, as far as any are known to.
    reaching: Vec<i64>,
    /// Whether disk offerings have to fit a pool.
    matching: Option<String>,
}

/// The VM that uses the volume.
struct Machine {
    vm: Vm,
    offering: Option<ServiceOffering>,
    has_snapshots: bool,
    /// Whether a snapshot of the volume is being made.
    volume_in_snapshot: bool,
    on: OnHost,
}

/// The host that a VM is on.
#[derive(Default)]
struct OnHost {
    host: Option<Host>,
    /// Whether it can move storage, where that is written down.
    motion_flag: Option<bool>,
    /// The port of its agent, where it is not the usual one.
    port: Option<u16>,
}

impl Machine {
    async fn read(store: &Store, vm_id: Option<i64>, volume_id: i64) -> Result<Option<Self>, StoreError> {
        let Some(vm_id) = vm_id else { return Ok(None) };
        let offered = async {
            let Some(vm) = store.vm_by_id(vm_id).await? else { return Ok(None) };
            let offering = store.service_offering_by_id(vm.service_offering_id).await?;
            Ok(Some((vm, offering)))
        };
        let (offered, on, has_snapshots, volume_in_snapshot) = try_join!(
            offered,
            OnHost::read(store, store.host_of_vm(vm_id)),
            store.vm_has_snapshots(vm_id),
            store.volume_snapshot_in_progress(volume_id),
        )?;
        let Some((vm, offering)) = offered else { return Ok(None) };
        let on = match vm.host_id {
            Some(id) if on.is(id) => on,
            // It has moved to another host between the two.
            Some(id) => OnHost::read(store, store.host_by_id(id)).await?,
            None => OnHost::default(),
        };
        Ok(Some(Self { vm, offering, has_snapshots, volume_in_snapshot, on }))
    }
}

impl OnHost {
    async fn read(
        store: &Store,
        host: impl Future<Output = Result<Option<Host>, StoreError>>,
    ) -> Result<Self, StoreError> {
        let Some(host) = host.await? else { return Ok(Self::default()) };
        let flag = store.storage_motion_flag(&host.hypervisor, host.hypervisor_version.as_deref());
        let (motion_flag, port) = try_join!(flag, port(store, Some(&host)))?;
        Ok(Self { host: Some(host), motion_flag, port })
    }

    fn is(&self, host_id: i64) -> bool {
        self.host.as_ref().is_some_and(|host| host.id == host_id)
    }
}

/// The volume, its pool and the target, and its disk offering.
struct Place {
    volume: Volume,
    pools: Vec<Pool>,
    disk_offering: Option<DiskOffering>,
}

impl Place {
    async fn read(store: &Store, request: &VolumeRequest) -> Result<Option<Self>, StoreError> {
        let Some(volume) = store.volume_by_id(request.volume_id).await?.filter(|volume| !volume.removed) else {
            return Ok(None);
        };
        let pool_ids = Vec::from_iter(volume.pool_id.into_iter().chain([request.pool_id]));
        let offering = store.disk_offering_by_id(volume.disk_offering_id);
        let (pools, disk_offering) = try_join!(store.pools_by_id(&pool_ids), offering)?;
        Ok(Some(Self { volume, pools, disk_offering }))
    }
}

/// Checks a request, first to last; the first thing that is wrong is reported. What uses the volume is read with it if it is still
/// the VM `vm_id`, and after it if not.
///
/// # Errors
/// A [`Refusal`] with CloudStack's code and text.
pub async fn check(
    store: &Store,
    mover: &Mover,
    request: &VolumeRequest,
    vm_id: Option<i64>,
) -> Result<VolumePlan, Refusal> {
    let mut case = Case::open(store, mover, request, vm_id).await?;
    case.check_place(request).await?;
    let host = case.check_vm(request)?;
    let target = case.target(request.pool_id)?;
    case.check_target(&target, host.as_ref()).await?;
    let offering_id = case.check_offering(&target, request).await?;
    let source = case.source.ok_or_else(|| Refusal::parameter("Volume must be in ready state"))?;
    let (mut running, mut service_offering) = (None, None);
    if let Some(Machine { vm, offering, volume_in_snapshot, on, .. }) = case.machine {
        running = host.map(|host| Running { vm, host, port: on.port, volume_in_snapshot });
        service_offering = offering;
    }
    Ok(VolumePlan { volume: case.volume, source, target, running, service_offering, offering_id })
}

impl<'a> Case<'a> {
    /// Checks 1 and 2: it exists and is the caller's to move.
    async fn open(
        store: &'a Store,
        mover: &Mover,
        request: &VolumeRequest,
        vm_id: Option<i64>,
    ) -> Result<Self, Refusal> {
        let missing = || Refusal::parameter(format!("Failed to find the volume id: {}", request.volume_id));
        let (place, (machine, unknown), limits, promised, reaching, matching) = try_join!(
            Place::read(store, request),
            Self::used_by(store, vm_id, request.volume_id),
            SpaceLimits::load(store),
            pools::promised(store, request.pool_id),
            store.hosts_of_pool(request.pool_id),
            store.setting("match.storage.pool.tags.with.disk.offering"),
        )?;
        let Place { volume, mut pools, disk_offering } = place.ok_or_else(missing)?;
        mover.must_own(store, volume.account_id).await?;
        let (machine, unknown) = if volume.vm_id == vm_id {
            (machine, unknown)
        } else {
            Self::used_by(store, volume.vm_id, volume.id).await?
        };
        let mut pool = |id| pools.iter().position(|pool| Some(pool.id) == id).map(|at| pools.swap_remove(at));
        let (source, target) = (pool(volume.pool_id), pool(Some(request.pool_id)));
        Ok(Self {
            store,
            volume,
            source,
            target,
            disk_offering,
            machine,
            unknown,
            limits,
            promised,
            reaching,
            matching,
        })
    }

    /// The VM that uses a volume, and a motion of either whose outcome is not known.
    async fn used_by(
        store: &Store,
        vm_id: Option<i64>,
        volume_id: i64,
    ) -> Result<(Option<Machine>, Option<MotionRow>), StoreError> {
        try_join!(Machine::read(store, vm_id, volume_id), store.motion_unknown(vm_id, Some(volume_id)))
    }

    /// Checks 3 to 5: where it is now.
    async fn check_place(&self, request: &VolumeRequest) -> Result<(), Refusal> {
        let volume = &self.volume;
        if volume.state != VolumeState::Ready {
            return Err(Refusal::parameter("Volume must be in ready state"));
        }
        if volume.pool_id == Some(request.pool_id) {
            let text = format!("Volume {} is already on the destination storage pool", volume.dump());
            return Err(Refusal::parameter(text));
        }
        let external =
            |pool: &Pool| pool.hypervisor.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("External"));
        if self.source.as_ref().is_some_and(external) {
            return Err(Refusal::parameter("Volume migration operation is not allowed for hypervisor type External"));
        }
        refuse_open(self.store, self.unknown.as_ref()).await
    }

    /// Checks 6 to 12: the VM that uses it. Gives the host when the move is a live one.
    fn check_vm(&self, request: &VolumeRequest) -> Result<Option<Host>, Refusal> {
        let mut host = None;
        if let Some(machine) = &self.machine {
            let state = machine.vm.state;
            if !matches!(state, VmState::Stopped | VmState::Running | VmState::Shutdown) {
                return Err(Refusal::failed(format!(
                    "Volume migration is not allowed when the VM is in the {state} state. Supported states are: \
                     [Stopped, Running, Shutdown].",
                )));
            }
            if machine.has_snapshots {
                return Err(Refusal::parameter(
                    "Volume cannot be migrated, please remove all Instance Snapshots for Instance to which this volume is attached",
                ));
            }
            if state == VmState::Running {
                host = Some(self.check_running(machine, request)?);
            }
        }
        if self.volume.encrypted && self.source.as_ref().is_none_or(|pool| pool.kind != "PowerFlex") {
            return Err(Refusal::parameter("Migration of encrypted volumes is unsupported"));
        }
        Ok(host)
    }

    /// Checks 8 to 11.
    fn check_running(&self, machine: &Machine, request: &VolumeRequest) -> Result<Host, Refusal> {
        if machine.offering.as_ref().is_some_and(|offering| offering.has_gpu) {
            return Err(Refusal::parameter("Live Migration of GPU enabled Instance is not supported"));
        }
        let Some(host) = machine.on.host.clone().filter(|_| machine.on.motion_flag == Some(true)) else {
            return Err(Refusal::parameter("Volume needs to be detached from VM"));
        };
        if host.hypervisor.eq_ignore_ascii_case("KVM") {
            return Err(Refusal::parameter(
                "KVM does not support volume live migration due to the limited possibility to refresh VM XML domain. \
                 Therefore, to live migrate a volume between storage pools, one must migrate the VM to a different host as \
                 well to force the VM XML domain update. Use 'migrateVirtualMachineWithVolumes' instead.",
            ));
        }
        if !request.live {
            return Err(Refusal::parameter(format!(
                "The volume {}is attached to a vm and for migrating it the parameter livemigrate should be specified",
                self.volume.dump()
            )));
        }
        Ok(host)
    }

    /// Check 14.
    fn target(&mut self, pool_id: i64) -> Result<Pool, Refusal> {
        let missing = || Refusal::failed(format!("Unable to locate datastore with id {pool_id}"));
        self.target.take().filter(|pool| !pool.removed).ok_or_else(missing)
    }

    /// Checks 15 to 23: the pool, for whatever disk offering. `host` is there for a live move.
    async fn check_target(&self, target: &Pool, host: Option<&Host>) -> Result<(), Refusal> {
        let volume = &self.volume;
        if target.in_maintenance() {
            return Err(Refusal::parameter(maintenance_text(volume, target)));
        }
        if self.disk_offering.as_ref().is_none_or(|offering| offering.removed) {
            return Err(Refusal::failed(format!(
                "volume '{}', has no diskoffering. Migration target cannot be checked.",
                volume.uuid.as_deref().unwrap_or_default()
            )));
        }
        if self.machine.is_some() && host.is_none() && !self.some_host_reaches(target).await? {
            return Err(Refusal::failed("Unable to find accessible host for volume migration"));
        }
        let powerflex = |pool: &Pool| pool.kind == "PowerFlex";
        if self.source.as_ref().is_some_and(powerflex) != powerflex(target) {
            let text = format!("Storage pool {} is not suitable to migrate volume {}", target.name, volume.name);
            return Err(Refusal::failed(text));
        }
        if !pools::takes(&self.limits, target, volume, self.promised) {
            return Err(pools::no_room(target, volume));
        }
        if let Some((host_cluster, pool_cluster)) = host.and_then(|host| host.cluster_id).zip(target.cluster_id)
            && host_cluster != pool_cluster
        {
            return Err(Refusal::parameter(
                "Cannot migrate a volume of a virtual machine to a storage pool in a different cluster",
            ));
        }
        self.check_reach(target, host)
    }

    /// The host of a running VM has to reach the pool. CloudStack does not look (`contract/migration.md` 2.1), and local pools of
    /// two hosts have the same folder: the agent would find the disk there already.
    fn check_reach(&self, target: &Pool, host: Option<&Host>) -> Result<(), Refusal> {
        let Some(host) = host else { return Ok(()) };
        if self.reaching.is_empty() || self.reaching.contains(&host.id) {
            return Ok(());
        }
        Err(Refusal::parameter(format!(
            "Cannot migrate a volume of a running virtual machine to storage pool {}: its host {} does not reach it. Move the \
             machine with its disks to a host that does: migrateVirtualMachineWithVolume",
            target.name, host.name
        )))
    }

    async fn some_host_reaches(&self, pool: &Pool) -> Result<bool, Refusal> {
        let in_scope = |host: &Host| pool.cluster_id.is_none() || host.cluster_id == pool.cluster_id;
        let hosts = self.store.hosts_of_zone(pool.zone_id).await?;
        Ok(hosts.iter().any(|host| host.is_up_and_enabled() && in_scope(host)))
    }

    /// Checks 26 to 30: the disk offering. Gives the one to be written on the volume.
    async fn check_offering(&self, target: &Pool, request: &VolumeRequest) -> Result<Option<i64>, Refusal> {
        let Some(offering) = self.effective_offering(request).await? else { return Ok(None) };
        pools::offering_fits(target, &offering, &self.volume)?;
        let service_offering = self.machine.as_ref().and_then(|machine| machine.offering.as_ref());
        let strict = service_offering.is_some_and(|offering| offering.disk_offering_strict);
        if self.volume.kind == "ROOT" && strict {
            return Err(Refusal::parameter(format!(
                "Disk offering cannot be changed to the volume {} since existing disk offering is strictly associated with \
                 the volume",
                self.volume.uuid.as_deref().unwrap_or_default()
            )));
        }
        Ok(Some(offering.id))
    }

    async fn effective_offering(&self, request: &VolumeRequest) -> Result<Option<DiskOffering>, Refusal> {
        if let Some(id) = request.new_offering_id {
            let offering = self.store.disk_offering_by_id(id).await?.filter(|offering| !offering.removed);
            let missing = || Refusal::parameter(format!("The disk offering informed is not valid [id={id}]."));
            return offering.ok_or_else(missing).map(Some);
        }
        if self.matching.as_deref().is_some_and(|value| !value.trim().eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        Ok(self.disk_offering.clone())
    }
}

/// The text for a pool in maintenance, which the moves of volumes and of VMs share.
#[must_use]
pub fn maintenance_text(volume: &Volume, target: &Pool) -> String {
    format!(
        "Cannot migrate volume {}to the destination storage pool {} as the storage pool is in maintenance mode.",
        volume.dump(),
        target.name
    )
}
