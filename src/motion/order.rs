//! An order: one motion with everything that carrying it out and settling it needs.
//!
//! It is made from a plan when the motion is marked, and made again from the journal after a crash.

use super::hypervisor::{DiskRef, HostRef, PoolRef, VmRef};
use super::refusal::Refusal;
use crate::model::{Host, Pool, ServiceOffering, Vm, Volume};
use crate::store::{DiskFacts, MotionRow, Store, StoreError, VolumePlace};

/// The kinds of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One disk of a running VM to another pool; the VM stays.
    LiveVolume,
    /// A running VM to another host; its disks stay.
    LiveVm,
    /// A running VM to another host, with its disks.
    LiveVmWithStorage,
    /// A disk that no running VM uses, copied to another pool.
    ColdVolume,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::LiveVolume, Self::LiveVm, Self::LiveVmWithStorage, Self::ColdVolume];

    /// The word in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::LiveVolume => "live-volume",
            Self::LiveVm => "live-vm",
            Self::LiveVmWithStorage => "live-vm-with-storage",
            Self::ColdVolume => "cold-volume",
        }
    }

    /// Reads the word of the journal.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// True when the VM itself moves.
    #[must_use]
    pub fn moves_vm(self) -> bool {
        matches!(self, Self::LiveVm | Self::LiveVmWithStorage)
    }
}

/// A disk of an order.
#[derive(Clone, Debug)]
pub struct OrderDisk {
    /// The volume.
    pub volume: Volume,
    /// The second row of a cold move.
    pub copy: Option<Volume>,
    /// The file's name at the target, without folder and extension.
    pub stem: String,
    /// Where it is.
    pub source: Pool,
    /// Where it goes.
    pub target: Pool,
    /// The disk offering that it gets.
    pub offering_id: Option<i64>,
    /// What its host showed of it before it moved; none while nobody has asked, or when the host could not tell.
    pub before: Option<DiskFacts>,
}

impl OrderDisk {
    /// True when it changes its pool.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.source.id != self.target.id
    }

    /// What its row says once it is in the target pool.
    #[must_use]
    pub fn target_place(&self) -> VolumePlace {
        VolumePlace {
            pool_id: self.target.id,
            pool_type: self.target.kind.clone(),
            pod_id: self.target.pod_id,
            folder: self.target.bare_path().to_owned(),
            path: self.stem.clone(),
        }
    }

    /// The file that is made in the target pool for `volume`, the disk itself or its copy.
    #[must_use]
    pub fn target_file(&self, volume: &Volume) -> DiskRef {
        DiskRef { stem: self.stem.clone(), ..disk_ref(volume, &self.target) }
    }
}

/// One motion.
#[derive(Clone, Debug)]
pub struct Order {
    /// Internal id in the journal.
    pub id: i64,
    /// Its id, which agents with our extension know it by.
    pub uuid: String,
    /// The job that it belongs to.
    pub job_id: i64,
    /// What kind.
    pub kind: Kind,
    /// The VM that moves or uses the disk.
    pub vm: Option<Vm>,
    /// What the VM needs of a host.
    pub offering: Option<ServiceOffering>,
    /// The host that is told.
    pub source: Host,
    /// Its agent's port, when it is a special one.
    pub source_port: Option<u16>,
    /// The host that receives the VM.
    pub target: Option<Host>,
    /// That host's agent's port, when it is a special one.
    pub target_port: Option<u16>,
    /// The disks.
    pub disks: Vec<OrderDisk>,
}

impl Order {
    /// The order that a motion in the journal was made from. Volumes and VM are read as they are now.
    ///
    /// # Errors
    /// 530 when a row that it speaks of does not exist any more.
    pub async fn from_journal(store: &Store, row: &MotionRow) -> Result<Self, Refusal> {
        let gone = |what: &str, id: i64| Refusal::failed(format!("{what} {id} of motion {} does not exist", row.uuid));
        let kind = Kind::parse(&row.kind).ok_or_else(|| gone("kind", row.id))?;
        let vm = match row.vm_id {
            Some(id) => Some(store.vm_by_id(id).await?.ok_or_else(|| gone("VM", id))?),
            None => None,
        };
        let offering = match &vm {
            Some(vm) => store.service_offering_by_id(vm.service_offering_id).await?,
            None => None,
        };
        let source_id = row.source_host_id;
        let source = store.host_by_id(source_id).await?.ok_or_else(|| gone("host", source_id))?;
        let target = match row.target_host_id {
            Some(id) => Some(store.host_by_id(id).await?.ok_or_else(|| gone("host", id))?),
            None => None,
        };
        let mut disks = Vec::new();
        for disk in store.motion_disks(row.id).await? {
            let (source, target) = (disk.source_pool_id, disk.target_pool_id);
            let copy = match disk.copy_volume_id {
                Some(id) => Some(store.volume_by_id(id).await?.ok_or_else(|| gone("volume", id))?),
                None => None,
            };
            disks.push(OrderDisk {
                volume: store.volume_by_id(disk.volume_id).await?.ok_or_else(|| gone("volume", disk.volume_id))?,
                copy,
                stem: disk.stem,
                source: store.pool_by_id(source).await?.ok_or_else(|| gone("pool", source))?,
                target: store.pool_by_id(target).await?.ok_or_else(|| gone("pool", target))?,
                offering_id: disk.disk_offering_id,
                before: disk.before,
            });
        }
        let (source_port, target_port) = (port(store, Some(&source)).await?, port(store, target.as_ref()).await?);
        Ok(Self {
            id: row.id,
            uuid: row.uuid.clone(),
            job_id: row.job_id,
            kind,
            vm,
            offering,
            source,
            source_port,
            target,
            target_port,
            disks,
        })
    }

    /// Remembers what the hosts showed of the disks, by volume.
    pub fn remember(&mut self, before: Vec<(i64, DiskFacts)>) {
        for (volume_id, facts) in before {
            for disk in self.disks.iter_mut().filter(|disk| disk.volume.id == volume_id) {
                disk.before = Some(facts.clone());
            }
        }
    }

    /// The host that is told, as the hypervisor's client wants it.
    #[must_use]
    pub fn source_ref(&self) -> HostRef {
        host_ref(&self.source, self.source_port)
    }

    /// The host that receives the VM, as the hypervisor's client wants it.
    #[must_use]
    pub fn target_ref(&self) -> Option<HostRef> {
        self.target.as_ref().map(|host| host_ref(host, self.target_port))
    }

    /// The VM, as the hypervisor's client wants it.
    #[must_use]
    pub fn vm_ref(&self) -> Option<VmRef> {
        let vm = self.vm.as_ref()?;
        let offering = self.offering.as_ref();
        Some(VmRef {
            id: vm.id,
            uuid: vm.uuid.clone(),
            name: vm.instance_name.clone(),
            cpus: offering.map_or(1, |offering| offering.cpus),
            speed_mhz: offering.map_or(0, |offering| offering.speed_mhz),
            memory_bytes: offering.map_or(0, |offering| offering.memory_mib * 1024 * 1024),
        })
    }

    /// The public ids of its volumes, comma separated.
    #[must_use]
    pub fn volume_uuids(&self) -> String {
        let uuids: Vec<&str> = self.disks.iter().filter_map(|disk| disk.volume.uuid.as_deref()).collect();
        uuids.join(",")
    }

    /// Bytes that the volumes' sizes promise to move.
    #[must_use]
    pub fn bytes_total(&self) -> i64 {
        self.disks.iter().filter(|disk| disk.moves()).map(|disk| disk.volume.size_bytes).sum()
    }
}

/// The port of a host's agent, when the row says another one than the settings do.
///
/// # Errors
/// See [`Store::host_detail`].
pub async fn port(store: &Store, host: Option<&Host>) -> Result<Option<u16>, StoreError> {
    let Some(host) = host else { return Ok(None) };
    Ok(store.host_detail(host.id, "motion.agent.port").await?.and_then(|text| text.parse().ok()))
}

/// A host as the hypervisor's client wants it.
#[must_use]
pub fn host_ref(host: &Host, port: Option<u16>) -> HostRef {
    HostRef {
        id: host.id,
        name: host.name.clone(),
        ip: host.private_ip.clone(),
        port,
        guid: host.guid.clone().unwrap_or_default(),
    }
}

/// A pool as the hypervisor's client wants it.
#[must_use]
pub fn pool_ref(pool: &Pool) -> PoolRef {
    PoolRef {
        id: pool.id,
        uuid: pool.uuid.clone(),
        name: pool.name.clone(),
        kind: pool.kind.clone(),
        host: pool.host_address.clone(),
        path: pool.bare_path().to_owned(),
        port: pool.port,
    }
}

/// A disk in its present place, as the hypervisor's client wants it.
#[must_use]
pub fn disk_ref(volume: &Volume, pool: &Pool) -> DiskRef {
    DiskRef {
        volume_id: volume.id,
        uuid: volume.uuid.clone().unwrap_or_default(),
        name: volume.name.clone(),
        kind: volume.kind.clone(),
        stem: volume.path.clone().unwrap_or_default(),
        format: volume.format.clone().unwrap_or_else(|| "VHDX".to_owned()),
        size_bytes: volume.size_bytes,
        device_id: volume.device_id.unwrap_or_default(),
        pool: pool_ref(pool),
    }
}
