//! The figures that the lists for dashboards show before the fields of the plain object (`contract/entities.md 1.1, 1.3 to
//! 1.7`). What nobody has measured is left out: a made-up 0 would say that nothing is in use.

use std::collections::HashMap;

use super::cluster::ClusterView;
use super::host::HostView;
use super::storage_pool::StoragePoolView;
use super::virtual_machine_view::VirtualMachineView;
use super::volume::VolumeView;
use super::zone::ZoneView;
use crate::api::Group;
use crate::store::{HostGroup, Promised, Store, StoreError, UpOf};

const GIB: f64 = 1_073_741_824.0;
/// Shares above which a figure is worth a warning, and above which nothing more is promised, where no setting says
/// otherwise.
const NOTIFY_ABOVE: f64 = 0.75;
const STOP_ABOVE: f64 = 0.85;

macro_rules! with_figures {
    ($($(#[doc = $doc:literal])* $name:ident as $object:literal = $figures:ident + $view:ident;)*) => {$(
        crate::response! {
            $(#[doc = $doc])*
            pub struct $name as $object {
                /// Figures about it.
                figures: Group<$figures>,
                /// What the plain list shows of it.
                plain: Group<$view>,
            }
        }
    )*};
}

with_figures! {
    /// A zone with figures.
    ZoneFiguresView as "zone" = ZoneFigures + ZoneView;
    /// A cluster with figures.
    ClusterFiguresView as "cluster" = ClusterFigures + ClusterView;
    /// A host with figures.
    HostFiguresView as "host" = HostOwnFigures + HostView;
    /// A pool with figures.
    PoolFiguresView as "storagepool" = PoolFigures + StoragePoolView;
    /// A machine with figures.
    MachineFiguresView as "virtualmachine" = MachineFigures + VirtualMachineView;
    /// A disk with figures.
    DiskFiguresView as "volume" = DiskFigures + VolumeView;
}

crate::response! {
    /// Figures about the hosts of a zone.
    pub struct ZoneFigures as "zone" {
        /// Whether it takes new machines.
        state: Option<String>,
        /// Enabled clusters and all, as `2 / 3`.
        clusters: String,
        /// What its processors are together, as `128.00 Ghz`.
        cpu_total "cputotal": Option<String>,
        /// The share of them that is in use, as `5.08%`; of those hosts that told it.
        cpu_used "cpuused": Option<String>,
        /// The share of them that is promised.
        cpu_allocated "cpuallocated": Option<String>,
        /// What its memory is together, as `32.00 GB`.
        memory_total "memorytotal": Option<String>,
        /// The share of it that is in use; of those hosts that told it.
        memory_used "memoryused": Option<String>,
        /// The share of it that is promised.
        memory_allocated "memoryallocated": Option<String>,
        /// Whether so much of the processors is in use that it is worth a warning.
        cpu_used_notify "cputhreshold": Option<bool>,
        /// Whether so much is in use that nothing more is promised.
        cpu_used_stop "cpudisablethreshold": Option<bool>,
        /// Whether so much of the processors is promised that it is worth a warning.
        cpu_notify "cpuallocatedthreshold": Option<bool>,
        /// Whether so much is promised that nothing more is.
        cpu_stop "cpuallocateddisablethreshold": Option<bool>,
        /// The same for memory in use: worth a warning.
        memory_used_notify "memorythreshold": Option<bool>,
        /// The same for memory in use: nothing more is promised.
        memory_used_stop "memorydisablethreshold": Option<bool>,
        /// The same for memory: worth a warning.
        memory_notify "memoryallocatedthreshold": Option<bool>,
        /// The same for memory: nothing more is promised.
        memory_stop "memoryallocateddisablethreshold": Option<bool>,
    }
}

crate::response! {
    /// Figures about the hosts of a cluster.
    pub struct ClusterFigures as "cluster" {
        /// Whether it takes new machines.
        state: Option<String>,
        /// Hosts that are up and all, as `2 / 3`.
        hosts: String,
        /// What its processors are together, as `64.00 Ghz`.
        cpu_total "cputotal": Option<String>,
        /// The share of them that is in use; of those hosts that told it.
        cpu_used "cpuused": Option<String>,
        /// The share of them that is promised.
        cpu_allocated "cpuallocated": Option<String>,
        /// What its memory is together.
        memory_total "memorytotal": Option<String>,
        /// The share of it that is in use; of those hosts that told it.
        memory_used "memoryused": Option<String>,
        /// The share of it that is promised.
        memory_allocated "memoryallocated": Option<String>,
        /// Whether so much of the processors is in use that it is worth a warning.
        cpu_used_notify "cputhreshold": Option<bool>,
        /// Whether so much is in use that nothing more is promised.
        cpu_used_stop "cpudisablethreshold": Option<bool>,
        /// Whether so much of the processors is promised that it is worth a warning.
        cpu_notify "cpuallocatedthreshold": Option<bool>,
        /// Whether so much is promised that nothing more is.
        cpu_stop "cpuallocateddisablethreshold": Option<bool>,
        /// The same for memory in use: worth a warning.
        memory_used_notify "memorythreshold": Option<bool>,
        /// The same for memory in use: nothing more is promised.
        memory_used_stop "memorydisablethreshold": Option<bool>,
        /// The same for memory: worth a warning.
        memory_notify "memoryallocatedthreshold": Option<bool>,
        /// The same for memory: nothing more is promised.
        memory_stop "memoryallocateddisablethreshold": Option<bool>,
    }
}

crate::response! {
    /// Figures about a host.
    pub struct HostOwnFigures as "host" {
        /// Whether its power can be switched from afar: `Disabled`.
        power_state "powerstate": String,
        /// Users' machines that run and all, as `1 / 2`.
        instances: String,
        /// System machines that run and all.
        system_instances "systeminstances": String,
        /// What its processors are, as `32.00 Ghz`.
        cpu_total "cputotalghz": Option<String>,
        /// What of them is in use; only of hosts whose agent reports it.
        cpu_used "cpuusedghz": Option<String>,
        /// What of them is promised.
        cpu_allocated "cpuallocatedghz": Option<String>,
        /// Its memory, as `8.00 GB`.
        memory_total "memorytotalgb": Option<String>,
        /// What of it is in use; only of hosts whose agent reports it.
        memory_used "memoryusedgb": Option<String>,
        /// What of it is promised.
        memory_allocated "memoryallocatedgb": Option<String>,
        /// What came in over the network; only of hosts whose agent reports it.
        network_read "networkread": Option<String>,
        /// What went out.
        network_write "networkwrite": Option<String>,
        /// Whether so much of the processors is in use that it is worth a warning.
        cpu_used_notify "cputhreshold": Option<bool>,
        /// Whether so much is in use that nothing more is promised.
        cpu_used_stop "cpudisablethreshold": Option<bool>,
        /// Whether so much of the processors is promised that it is worth a warning.
        cpu_notify "cpuallocatedthreshold": Option<bool>,
        /// Whether so much is promised that nothing more is.
        cpu_stop "cpuallocateddisablethreshold": Option<bool>,
        /// Whether so much memory is in use that it is worth a warning.
        memory_used_notify "memorythreshold": Option<bool>,
        /// Whether so much is in use that nothing more is promised.
        memory_used_stop "memorydisablethreshold": Option<bool>,
        /// Whether so much memory is promised that it is worth a warning.
        memory_notify "memoryallocatedthreshold": Option<bool>,
        /// Whether so much is promised that nothing more is.
        memory_stop "memoryallocateddisablethreshold": Option<bool>,
    }
}

crate::response! {
    /// Figures about a pool.
    pub struct PoolFigures as "storagepool" {
        /// What of it is written, as `12.34 GB`; only of pools whose hosts report it.
        used "disksizeusedgb": Option<String>,
        /// Its size and how much more than that may be promised, as `100.00 GB (x2.0)`.
        total "disksizetotalgb": Option<String>,
        /// What of it is promised.
        allocated "disksizeallocatedgb": Option<String>,
        /// What may still be promised.
        unallocated "disksizeunallocatedgb": Option<String>,
        /// Whether so much is written that it is worth a warning.
        used_notify "storageusagethreshold": Option<bool>,
        /// Whether so much is written that it takes nothing more.
        used_stop "storageusagedisablethreshold": Option<bool>,
        /// Whether so much is promised that it is worth a warning.
        notify "storageallocatedthreshold": Option<bool>,
        /// Whether so much is promised that it takes nothing more.
        stop "storageallocateddisablethreshold": Option<bool>,
    }
}

crate::response! {
    /// Figures about a machine.
    pub struct MachineFigures as "virtualmachine" {
        /// Its processors together, as `2.0 Ghz`.
        cpu_total "cputotal": Option<String>,
        /// Its memory, as `2.00 GiB`.
        memory_total "memorytotal": Option<String>,
    }
}

crate::response! {
    /// Figures about a disk.
    pub struct DiskFigures as "volume" {
        /// Its size, as `10.00 GiB`.
        size "sizegb": Option<String>,
    }
}

fn up_of(count: UpOf) -> String {
    format!("{} / {}", count.up, count.total)
}

fn ghz(mhz: f64) -> String {
    format!("{:.2} Ghz", mhz / 1000.0)
}

fn gigabytes(bytes: f64) -> String {
    format!("{:.2} GB", bytes / GIB)
}

/// A share of something that there is some of.
fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then_some(part / whole)
}

fn percent(share: Option<f64>) -> Option<String> {
    share.map(|share| format!("{:.2}%", share * 100.0))
}

/// Above which shares a figure is marked.
struct Marks {
    notify: f64,
    stop: f64,
}

impl Marks {
    /// The marks of these two settings.
    fn of(settings: &HashMap<String, String>, notify: &str, stop: &str) -> Self {
        let share = |name: &str, default| settings.get(name).and_then(|value| value.parse().ok()).unwrap_or(default);
        Self { notify: share(notify, NOTIFY_ABOVE), stop: share(stop, STOP_ABOVE) }
    }

    fn notifies(&self, share: Option<f64>) -> Option<bool> {
        share.map(|share| share > self.notify)
    }

    fn stops(&self, share: Option<f64>) -> Option<bool> {
        share.map(|share| share > self.stop)
    }
}

const CPU: [&str; 2] =
    ["cluster.cpu.allocated.capacity.notificationthreshold", "cluster.cpu.allocated.capacity.disablethreshold"];
const MEMORY: [&str; 2] =
    ["cluster.memory.allocated.capacity.notificationthreshold", "cluster.memory.allocated.capacity.disablethreshold"];
const POOL_USED: [&str; 2] =
    ["cluster.storage.capacity.notificationthreshold", "pool.storage.capacity.disablethreshold"];
const POOL_PROMISED: [&str; 2] =
    ["cluster.storage.allocated.capacity.notificationthreshold", "pool.storage.allocated.capacity.disablethreshold"];

/// The marks of two kinds of figures.
async fn marks(store: &Store, one: [&str; 2], other: [&str; 2]) -> Result<(Marks, Marks), StoreError> {
    let settings = store.settings_named(&[one[0], one[1], other[0], other[1]]).await?;
    Ok((Marks::of(&settings, one[0], one[1]), Marks::of(&settings, other[0], other[1])))
}

/// Zones with their figures.
///
/// # Errors
/// When the database fails; the same holds for all functions of this file.
pub async fn zone_figures(store: &Store, zones: Vec<ZoneView>) -> Result<Vec<ZoneFiguresView>, StoreError> {
    let uuids: Vec<&str> = zones.iter().map(|zone| zone.id.as_str()).collect();
    let promised = store.promised_in(HostGroup::Zone, &uuids).await?;
    let in_use = store.in_use(HostGroup::Zone, &uuids).await?;
    let clusters = store.clusters_of_zones(&uuids).await?;
    let (cpu, memory) = marks(store, CPU, MEMORY).await?;
    let with_figures = |plain: ZoneView| {
        let sums = promised.get(&plain.id).copied().unwrap_or_default();
        let (cpu_share, memory_share) = shares(sums);
        let used = in_use.get(&plain.id).copied().unwrap_or_default();
        let figures = ZoneFigures {
            state: plain.allocation_state.clone(),
            clusters: up_of(clusters.get(&plain.id).copied().unwrap_or_default()),
            cpu_total: Some(ghz(sums.cpu_real_mhz)),
            cpu_used: percent(used.cpu),
            cpu_allocated: percent(cpu_share),
            memory_total: Some(gigabytes(sums.memory_real_bytes)),
            memory_used: percent(used.memory),
            memory_allocated: percent(memory_share),
            cpu_used_notify: cpu.notifies(used.cpu),
            cpu_used_stop: cpu.stops(used.cpu),
            cpu_notify: cpu.notifies(cpu_share),
            cpu_stop: cpu.stops(cpu_share),
            memory_used_notify: memory.notifies(used.memory),
            memory_used_stop: memory.stops(used.memory),
            memory_notify: memory.notifies(memory_share),
            memory_stop: memory.stops(memory_share),
        };
        ZoneFiguresView { figures: Group(figures), plain: Group(plain) }
    };
    Ok(zones.into_iter().map(with_figures).collect())
}

fn shares(sums: Promised) -> (Option<f64>, Option<f64>) {
    (share(sums.cpu_mhz, sums.cpu_total_mhz), share(sums.memory_bytes, sums.memory_total_bytes))
}

/// Clusters with their figures.
///
/// # Errors
/// See [`zone_figures`].
pub async fn cluster_figures(store: &Store, clusters: Vec<ClusterView>) -> Result<Vec<ClusterFiguresView>, StoreError> {
    let uuids: Vec<&str> = clusters.iter().map(|cluster| cluster.id.as_str()).collect();
    let promised = store.promised_in(HostGroup::Cluster, &uuids).await?;
    let in_use = store.in_use(HostGroup::Cluster, &uuids).await?;
    let hosts = store.hosts_of_clusters(&uuids).await?;
    let (cpu, memory) = marks(store, CPU, MEMORY).await?;
    let with_figures = |plain: ClusterView| {
        let sums = promised.get(&plain.id).copied().unwrap_or_default();
        let (cpu_share, memory_share) = shares(sums);
        let used = in_use.get(&plain.id).copied().unwrap_or_default();
        let figures = ClusterFigures {
            state: plain.allocation_state.clone(),
            hosts: up_of(hosts.get(&plain.id).copied().unwrap_or_default()),
            cpu_total: Some(ghz(sums.cpu_real_mhz)),
            cpu_used: percent(used.cpu),
            cpu_allocated: percent(cpu_share),
            memory_total: Some(gigabytes(sums.memory_real_bytes)),
            memory_used: percent(used.memory),
            memory_allocated: percent(memory_share),
            cpu_used_notify: cpu.notifies(used.cpu),
            cpu_used_stop: cpu.stops(used.cpu),
            cpu_notify: cpu.notifies(cpu_share),
            cpu_stop: cpu.stops(cpu_share),
            memory_used_notify: memory.notifies(used.memory),
            memory_used_stop: memory.stops(used.memory),
            memory_notify: memory.notifies(memory_share),
            memory_stop: memory.stops(memory_share),
        };
        ClusterFiguresView { figures: Group(figures), plain: Group(plain) }
    };
    Ok(clusters.into_iter().map(with_figures).collect())
}

/// Hosts with their figures.
///
/// # Errors
/// See [`zone_figures`].
pub async fn host_figures(store: &Store, hosts: Vec<HostView>) -> Result<Vec<HostFiguresView>, StoreError> {
    let uuids: Vec<&str> = hosts.iter().map(|host| host.id.as_str()).collect();
    let machines = store.machines_on(&uuids).await?;
    let loads = store.loads_of(&uuids).await?;
    let (cpu, memory) = marks(store, CPU, MEMORY).await?;
    let with_figures = |plain: HostView| {
        let machines = machines.get(&plain.id).copied().unwrap_or_default();
        let load = loads.get(&plain.id);
        let cpu_mhz = plain.cpu_number.zip(plain.cpu_speed_mhz).map(|(number, speed)| number as f64 * speed as f64);
        let memory_bytes = plain.memory_total_bytes.map(|bytes| bytes as f64);
        let may_promise = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
        let cpu_share = plain.cpu_allocated_mhz.zip(may_promise(&plain.cpu_overprovisioned));
        let cpu_share = cpu_share.and_then(|(promised, whole)| share(promised as f64, whole));
        let memory_share = may_promise(&plain.memory_overprovisioned)
            .and_then(|whole| share(plain.memory_allocated_bytes as f64, whole));
        let cpu_used = load.map(|load| load.cpu_percent / 100.0);
        let memory_used = load.zip(memory_bytes).and_then(|(load, whole)| share(load.memory_used_bytes as f64, whole));
        let figures = HostOwnFigures {
            power_state: "Disabled".to_owned(),
            instances: up_of(machines.users),
            system_instances: up_of(machines.system),
            cpu_total: cpu_mhz.map(ghz),
            cpu_used: cpu_used.zip(cpu_mhz).map(|(share, mhz)| ghz(share * mhz)),
            cpu_allocated: plain.cpu_allocated_mhz.map(|mhz| ghz(mhz as f64)),
            memory_total: memory_bytes.map(gigabytes),
            memory_used: load.map(|load| gigabytes(load.memory_used_bytes as f64)),
            memory_allocated: Some(gigabytes(plain.memory_allocated_bytes as f64)),
            network_read: load.map(|load| gigabytes(load.received_bytes as f64)),
            network_write: load.map(|load| gigabytes(load.sent_bytes as f64)),
            cpu_used_notify: cpu.notifies(cpu_used),
            cpu_used_stop: cpu.stops(cpu_used),
            cpu_notify: cpu.notifies(cpu_share),
            cpu_stop: cpu.stops(cpu_share),
            memory_used_notify: memory.notifies(memory_used),
            memory_used_stop: memory.stops(memory_used),
            memory_notify: memory.notifies(memory_share),
            memory_stop: memory.stops(memory_share),
        };
        HostFiguresView { figures: Group(figures), plain: Group(plain) }
    };
    Ok(hosts.into_iter().map(with_figures).collect())
}

/// Pools with their figures.
///
/// # Errors
/// See [`zone_figures`].
pub async fn pool_figures(store: &Store, pools: Vec<StoragePoolView>) -> Result<Vec<PoolFiguresView>, StoreError> {
    let (used_marks, promised_marks) = marks(store, POOL_USED, POOL_PROMISED).await?;
    let with_figures = |plain: StoragePoolView| {
        let factor = plain.overprovision_factor.clone().unwrap_or_else(|| "1.0".to_owned());
        let times = factor.parse::<f64>().unwrap_or(1.0);
        let bytes = |number: Option<i64>| number.map(|bytes| bytes as f64);
        let total = bytes(plain.disk_size_total_bytes);
        let (used, promised) = (bytes(plain.disk_size_used_bytes), bytes(plain.disk_size_allocated_bytes));
        let used_share = used.zip(total).and_then(|(used, total)| share(used, total));
        let promised_share = promised.zip(total).and_then(|(promised, total)| share(promised, total * times));
        let figures = PoolFigures {
            used: used.map(gigabytes),
            total: total.map(|total| format!("{} (x{factor})", gigabytes(total))),
            allocated: promised.map(gigabytes),
            unallocated: promised.zip(total).map(|(promised, total)| gigabytes(total * times - promised)),
            used_notify: used_marks.notifies(used_share),
            used_stop: used_marks.stops(used_share),
            notify: promised_marks.notifies(promised_share),
            stop: promised_marks.stops(promised_share),
        };
        PoolFiguresView { figures: Group(figures), plain: Group(plain) }
    };
    Ok(pools.into_iter().map(with_figures).collect())
}

/// Machines with their figures.
pub fn machine_figures(machines: Vec<VirtualMachineView>) -> Vec<MachineFiguresView> {
    let with_figures = |mut plain: VirtualMachineView| {
        // CloudStack forgets it here.
        plain.domain_path = None;
        let mhz = plain.cpu_number.zip(plain.cpu_speed_mhz).map(|(number, speed)| number as f64 * speed as f64);
        let figures = MachineFigures {
            cpu_total: mhz.map(|mhz| format!("{:.1} Ghz", mhz / 1000.0)),
            memory_total: plain.memory_mib.map(|mib| format!("{:.2} GiB", mib as f64 / 1024.0)),
        };
        MachineFiguresView { figures: Group(figures), plain: Group(plain) }
    };
    machines.into_iter().map(with_figures).collect()
}

/// Disks with their figures. The kind of their storage names their own kind too.
pub fn disk_figures(disks: Vec<VolumeView>) -> Vec<DiskFiguresView> {
    let with_figures = |mut plain: VolumeView| {
        // CloudStack forgets it here.
        plain.domain_path = None;
        let figures = DiskFigures { size: plain.size_bytes.map(|bytes| format!("{:.2} GiB", bytes as f64 / GIB)) };
        plain.storage_type = plain.storage_type.map(|storage| {
            let mut letters = storage.chars();
            let capital: String =
                letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
            format!("{capital} ({})", plain.kind.as_deref().unwrap_or_default())
        });
        DiskFiguresView { figures: Group(figures), plain: Group(plain) }
    };
    disks.into_iter().map(with_figures).collect()
}
