//! An estate's rows: what CloudStack's tables hold about it.

use super::estate::{
    Estate, EstateDisk, EstateHost, EstatePool, EstatePoolKind, EstateVm, HOST_MEMORY_BYTES, LOCAL_PATH, VM_SIZE,
};
use super::plan::DiskPlace;
use crate::agent::image::ImageFormat;
use crate::hypervisors::hyperv::wire::naming;
use crate::model::{CapacityKind, HYPERV, Timestamp};
use crate::store::{Store, StoreError, Tx, Value};

/// Zone, pod, network, template and guest system have one row each.
const ONLY: i64 = 1;
/// Administrator's account and user of a fresh database (see [`Store::bootstrap`]).
const ADMIN: i64 = 2;
/// Domain ROOT.
const ROOT_DOMAIN: i64 = 1;
/// Memory that a simulated host keeps for itself, bytes; as its agent reports it.
const RESERVED_MEMORY_BYTES: i64 = 2 << 30;
/// Cores, sockets and MHz of a simulated host; as its agent reports them.
const HOST_CPU: (i64, i64, i64) = (16, 2, 2400);

/// One row: columns and values.
type Columns = Vec<(&'static str, Value)>;

macro_rules! row {
    ($($column:literal: $value:expr),* $(,)?) => { vec![$(($column, Value::from($value))),*] };
}

/// What disks and VMs are offered. The number is the internal id; the four service offerings' and disk offerings' ids.
#[derive(Clone, Copy)]
struct Offering {
    id: i64,
    name: &'static str,
    local: bool,
    /// Belongs to a service offering: for ROOT disks.
    compute: bool,
}

const OFFERINGS: [Offering; 4] = [
    Offering { id: 1, name: "Small", local: false, compute: true },
    Offering { id: 2, name: "Small local", local: true, compute: true },
    Offering { id: 3, name: "Data", local: false, compute: false },
    Offering { id: 4, name: "Data local", local: true, compute: false },
];

/// Writes an estate into a fresh database that [`Store::bootstrap`] was called for, in one transaction. `agent_port` is
/// the port on which the world's hosts listen.
///
/// # Errors
/// [`StoreError`]; nothing is written then. Also when there is an estate already.
pub async fn seed(store: &Store, estate: &Estate, agent_port: u16) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    zone(&mut tx, estate).await?;
    offerings(&mut tx, estate).await?;
    system(&mut tx, estate).await?;
    for host in &estate.hosts {
        host_rows(&mut tx, estate, host, agent_port).await?;
    }
    for pool in &estate.pools {
        pool_rows(&mut tx, estate, pool).await?;
    }
    for vm in &estate.vms {
        vm_rows(&mut tx, estate, vm).await?;
    }
    for disk in &estate.disks {
        tx.row_insert("volumes", volume_row(estate, disk)).await?;
    }
    tx.commit().await
}

/// Zone, pod and clusters.
async fn zone(tx: &mut Tx, estate: &Estate) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let zone = row! {
        "id": ONLY, "name": &estate.zone, "uuid": estate.uuid("zone", &estate.zone), "dns1": "127.0.0.1",
        "internal_dns1": "127.0.0.1", "networktype": "Advanced", "allocation_state": "Enabled",
        "zone_token": estate.uuid("token", &estate.zone), "is_local_storage_enabled": true, "created": now,
    };
    tx.row_insert("data_center", zone).await?;
    let pod = row! {
        "id": ONLY, "name": "pod", "uuid": estate.uuid("pod", "pod"), "data_center_id": ONLY, "gateway": "127.0.0.1",
        "cidr_address": "127.0.0.0", "cidr_size": 8_i64, "allocation_state": "Enabled", "created": now,
    };
    tx.row_insert("host_pod_ref", pod).await?;
    for cluster in &estate.clusters {
        let cluster_row = row! {
            "id": cluster.id, "name": &cluster.name, "uuid": &cluster.uuid, "guid": naming::cluster_guid(cluster.id),
            "pod_id": ONLY, "data_center_id": ONLY, "hypervisor_type": HYPERV, "created": now,
        };
        tx.row_insert("cluster", cluster_row).await?;
        for ratio in ["cpuOvercommitRatio", "memoryOvercommitRatio"] {
            let detail = row! { "cluster_id": cluster.id, "name": ratio, "value": "1.0" };
            tx.row_insert("cluster_details", detail).await?;
        }
    }
    Ok(())
}

async fn offerings(tx: &mut Tx, estate: &Estate) -> Result<(), StoreError> {
    let (memory_mib, cpus, speed_mhz) = VM_SIZE;
    let now = Timestamp::now();
    tx.disk_offerings_clear().await?;
    for offering in OFFERINGS {
        let disk = row! {
            "id": offering.id, "name": offering.name, "uuid": estate.uuid("diskoffering", offering.name),
            "display_text": offering.name, "disk_size": 0_i64, "use_local_storage": offering.local,
            "customized": true, "compute_only": offering.compute, "created": now,
        };
        tx.row_insert("disk_offering", disk).await?;
        if offering.compute {
            let service = row! {
                "id": offering.id, "name": offering.name, "uuid": estate.uuid("serviceoffering", offering.name),
                "display_text": offering.name, "cpu": cpus, "speed": speed_mhz, "ram_size": memory_mib,
                "disk_offering_id": offering.id, "created": now,
            };
            tx.row_insert("service_offering", service).await?;
        }
    }
    Ok(())
}

/// Guest system, template and network: what a VM's row refers to.
async fn system(tx: &mut Tx, estate: &Estate) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let category = row! { "id": ONLY, "name": "Other", "uuid": estate.uuid("oscategory", "Other"), "created": now };
    tx.row_insert("guest_os_category", category).await?;
    let system = row! {
        "id": ONLY, "category_id": ONLY, "uuid": estate.uuid("os", "Other (64-bit)"), "display_name": "Other (64-bit)",
        "created": now,
    };
    tx.row_insert("guest_os", system).await?;
    let template = row! {
        "id": ONLY, "unique_name": "sim-template", "name": "Simulated guest", "uuid": estate.uuid("template", "guest"),
        "public": true, "featured": false, "type": "USER", "hvm": true, "bits": 64_i64, "format": "VHD", "created": now,
        "account_id": ADMIN, "display_text": "Simulated guest", "guest_os_id": ONLY, "hypervisor_type": HYPERV,
        "state": "Active",
    };
    tx.row_insert("vm_template", template).await?;
    let network = row! {
        "id": ONLY, "name": "guests", "uuid": estate.uuid("network", "guests"), "display_text": "guests",
        "traffic_type": "Guest", "broadcast_domain_type": "Vlan", "broadcast_uri": "vlan://untagged",
        "gateway": "10.1.0.1", "cidr": "10.1.0.0/16", "mode": "Dhcp", "network_offering_id": ONLY,
        "data_center_id": ONLY, "guru_name": "DirectNetworkGuru", "state": "Setup", "related": ONLY,
        "domain_id": ROOT_DOMAIN, "account_id": ADMIN, "acl_type": "Domain", "guest_type": "Shared", "created": now,
    };
    tx.row_insert("networks", network).await
}

async fn host_rows(tx: &mut Tx, estate: &Estate, host: &EstateHost, agent_port: u16) -> Result<(), StoreError> {
    let (cores, sockets, speed_mhz) = HOST_CPU;
    let (ip, now) = (host.plan.ip.as_str(), Timestamp::now());
    let host_row = row! {
        "id": host.id, "name": &host.plan.name, "uuid": &host.uuid, "status": "Up", "type": "Routing",
        "private_ip_address": ip, "private_netmask": "255.0.0.0", "storage_ip_address": ip,
        "storage_netmask": "255.0.0.0", "cluster_id": host.cluster_id, "data_center_id": ONLY, "pod_id": ONLY,
        "cpu_sockets": sockets, "cpus": cores, "speed": speed_mhz, "hypervisor_type": HYPERV,
        "hypervisor_version": &host.plan.version, "ram": HOST_MEMORY_BYTES as i64,
        "resource": "com.cloud.hypervisor.hyperv.resource.HypervDirectConnectResource", "version": "4.23.0.0",
        "capabilities": "hvm", "guid": naming::host_guid(ip), "dom0_memory": RESERVED_MEMORY_BYTES,
        "last_ping": (now.unix() * 1000) >> 10, "created": now, "resource_state": "Enabled",
    };
    tx.row_insert("host", host_row).await?;
    let port = row! { "host_id": host.id, "name": "motion.agent.port", "value": agent_port.to_string() };
    tx.row_insert("host_details", port).await?;
    let (memory_mib, vm_cores, vm_speed_mhz) = VM_SIZE;
    let vms = estate.vms.iter().filter(|vm| vm.host_id == host.id && !vm.plan.stopped).count() as i64;
    for (kind, used, total) in [
        (CapacityKind::Memory, vms * (memory_mib << 20), HOST_MEMORY_BYTES as i64 - RESERVED_MEMORY_BYTES),
        (CapacityKind::Cpu, vms * vm_cores * vm_speed_mhz, cores * speed_mhz),
        (CapacityKind::CpuCore, vms * vm_cores, cores),
    ] {
        capacity(tx, (kind, host.id, host.cluster_id), used, total).await?;
    }
    Ok(())
}

/// A row of capacity; `place` is its kind, the host's or pool's id and the cluster's.
async fn capacity(tx: &mut Tx, place: (CapacityKind, i64, i64), used: i64, total: i64) -> Result<(), StoreError> {
    let (kind, owner_id, cluster_id) = place;
    let now = Timestamp::now();
    let capacity = row! {
        "host_id": owner_id, "data_center_id": ONLY, "pod_id": ONLY, "cluster_id": cluster_id, "used_capacity": used,
        "reserved_capacity": 0_i64, "total_capacity": total, "capacity_type": kind as i64, "update_time": now,
        "created": now,
    };
    tx.row_insert("op_host_capacity", capacity).await
}

async fn pool_rows(tx: &mut Tx, estate: &Estate, pool: &EstatePool) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let bytes = pool.capacity_bytes as i64;
    let (kind, address, path, port) = match &pool.kind {
        // The part after `?` is where CloudStack keeps credentials; a simulated share needs none, but the part must be
        // seen to stay behind.
        EstatePoolKind::Smb { server, share } => {
            ("SMB", server.clone(), format!("/{share}?user=sim&domain=SIM"), 445_i64)
        }
        EstatePoolKind::Local { ip, .. } => ("Filesystem", ip.clone(), LOCAL_PATH.to_owned(), 0),
    };
    let scope = if pool.host_ip().is_some() { "HOST" } else { "CLUSTER" };
    let pool_row = row! {
        "id": pool.id, "name": &pool.name, "uuid": &pool.uuid, "pool_type": kind, "port": port, "data_center_id": ONLY,
        "pod_id": ONLY, "cluster_id": pool.cluster_id, "used_bytes": 0_i64, "capacity_bytes": bytes,
        "host_address": address, "path": path, "created": now, "status": "Up",
        "storage_provider_name": "DefaultPrimary", "scope": scope, "hypervisor": HYPERV,
    };
    tx.row_insert("storage_pool", pool_row).await?;
    for host in &estate.hosts {
        let reaches = match &pool.kind {
            EstatePoolKind::Smb { .. } => host.cluster_id == pool.cluster_id,
            EstatePoolKind::Local { host_id, .. } => host.id == *host_id,
        };
        if reaches {
            let connection = row! {
                "host_id": host.id, "pool_id": pool.id, "created": now, "last_updated": now,
                "local_path": pool.unc_or_folder(),
            };
            tx.row_insert("storage_pool_host_ref", connection).await?;
        }
    }
    let promised =
        estate.disks.iter().filter(|disk| disk.pool_id == pool.id).map(|disk| disk.plan.virtual_bytes as i64);
    capacity(tx, (CapacityKind::StorageAllocated, pool.id, pool.cluster_id), promised.sum(), bytes).await
}

async fn vm_rows(tx: &mut Tx, estate: &Estate, vm: &EstateVm) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let root_is_local = vm.plan.disks.first().is_some_and(|disk| disk.place == DiskPlace::Local);
    let running = !vm.plan.stopped;
    let vm_row = row! {
        "id": vm.id, "name": &vm.name, "uuid": &vm.uuid, "instance_name": &vm.instance_name,
        "state": if running { "Running" } else { "Stopped" }, "vm_template_id": ONLY, "guest_os_id": ONLY,
        "private_mac_address": mac(vm), "private_ip_address": address(vm), "pod_id": ONLY, "data_center_id": ONLY,
        "host_id": running.then_some(vm.host_id), "last_host_id": vm.host_id, "vnc_password": "", "created": now,
        "update_time": now, "type": "User", "vm_type": "User", "account_id": ADMIN, "domain_id": ROOT_DOMAIN,
        "service_offering_id": offering(true, root_is_local), "hypervisor_type": HYPERV, "display_name": &vm.name,
        "power_state": if running { "PowerOn" } else { "PowerOff" }, "power_host": running.then_some(vm.host_id),
        "user_id": ADMIN,
    };
    tx.row_insert("vm_instance", vm_row).await?;
    tx.row_insert("user_vm", row! { "id": vm.id, "display_name": &vm.name }).await?;
    let nic = row! {
        "uuid": estate.uuid("nic", &vm.name), "instance_id": vm.id, "mac_address": mac(vm), "ip4_address": address(vm),
        "netmask": "255.255.0.0", "gateway": "10.1.0.1", "ip_type": "Ip4", "broadcast_uri": "vlan://untagged",
        "network_id": ONLY, "mode": "Dhcp", "state": "Reserved", "strategy": "Create",
        "reserver_name": "DirectNetworkGuru", "device_id": 0_i64, "default_nic": true, "vm_type": "User", "created": now,
    };
    tx.row_insert("nics", nic).await
}

fn volume_row(estate: &Estate, disk: &EstateDisk) -> Columns {
    let now = Timestamp::now();
    let local = disk.plan.place == DiskPlace::Local;
    let is_root = disk.device_id == 0;
    let folder = match estate.pool_by_id(disk.pool_id).map(|pool| &pool.kind) {
        Some(EstatePoolKind::Smb { share, .. }) => format!("/{share}"),
        _ => LOCAL_PATH.to_owned(),
    };
    let format = match disk.plan.format {
        ImageFormat::Vhdx => "VHDX",
        ImageFormat::VhdDynamic | ImageFormat::VhdFixed => "VHD",
    };
    row! {
        "id": disk.id, "account_id": ADMIN, "domain_id": ROOT_DOMAIN, "pool_id": disk.pool_id, "instance_id": disk.vm_id,
        "device_id": disk.device_id, "name": &disk.plan.name, "uuid": &disk.uuid,
        "size": disk.plan.virtual_bytes as i64, "folder": folder, "path": &disk.uuid, "pod_id": ONLY,
        "data_center_id": ONLY, "volume_type": if is_root { "ROOT" } else { "DATADISK" },
        "pool_type": if local { "Filesystem" } else { "SMB" }, "disk_offering_id": offering(is_root, local),
        "template_id": is_root.then_some(ONLY), "recreatable": false, "created": now, "attached": now, "updated": now,
        "state": "Ready", "format": format,
    }
}

/// The id of the offering for a ROOT or data disk in local or shared storage.
fn offering(compute: bool, local: bool) -> i64 {
    OFFERINGS
        .iter()
        .find(|offering| offering.compute == compute && offering.local == local)
        .map_or(ONLY, |found| found.id)
}

/// A locally administered MAC address.
fn mac(vm: &EstateVm) -> String {
    format!("02:15:00:00:{:02x}:{:02x}", vm.id >> 8 & 0xff, vm.id & 0xff)
}

fn address(vm: &EstateVm) -> String {
    format!("10.1.{}.{}", 1 + vm.id / 250 % 250, 2 + vm.id % 250)
}

#[cfg(test)]
mod tests {
    use super::super::PlanError;
    use super::super::plan::{DiskPlan, Plan, VmPlan};
    use super::*;

    fn plan() -> Plan {
        let web = VmPlan::new("web", "c1-h1").disk(DiskPlan::shared("ROOT-web", "c1-p1", 64 << 20, 1 << 20));
        let cold = VmPlan::new("cold", "c2-h1").disk(DiskPlan::local("ROOT-cold", 32 << 20, 0).vhd()).stopped();
        Plan::regular(41, 2, 1, 2).vm(web.disk(DiskPlan::local("DATA-web", 16 << 20, 0))).vm(cold)
    }

    #[tokio::test]
    async fn the_database_holds_the_estate() {
        let estate = Estate::new(&plan()).unwrap();
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.bootstrap().await.unwrap();
        seed(&store, &estate, 8250).await.unwrap();
        let host = store.host_by_id(estate.host("c1-h1").unwrap().id).await.unwrap().unwrap();
        assert!(host.is_hyperv() && host.is_up_and_enabled());
        assert_eq!(store.host_detail(host.id, "motion.agent.port").await.unwrap().as_deref(), Some("8250"));
        let pool = store.pool_by_uuid(&estate.pool("c1-p1").unwrap().uuid).await.unwrap().unwrap();
        assert_eq!(naming::smb_unc(&pool.host_address, &pool.path), r"\\fs1\pool1");
        assert_eq!(store.pool_allocated_bytes(pool.id).await.unwrap(), 64 << 20);
        let web = store.vm_by_id(1).await.unwrap().unwrap();
        assert_eq!((web.instance_name.as_str(), web.host_id), ("i-2-1-VM", Some(host.id)));
        let disks = store.volumes_of_vm(web.id).await.unwrap();
        assert_eq!(
            disks.iter().map(|disk| disk.path.clone().unwrap()).collect::<Vec<_>>(),
            [estate.disk("ROOT-web").unwrap().uuid.clone(), estate.disk("DATA-web").unwrap().uuid.clone()]
        );
        assert!(store.disk_offering_by_id(disks[1].disk_offering_id).await.unwrap().unwrap().local);
        let cold = store.vm_by_id(2).await.unwrap().unwrap();
        assert_eq!((cold.host_id, cold.last_host_id), (None, Some(2)));
        assert!(seed(&store, &estate, 8250).await.is_err(), "a second seeding is refused");
    }

    #[test]
    fn the_world_holds_the_estate() {
        let estate = Estate::new(&plan()).unwrap();
        let spec = estate.world_spec();
        assert_eq!(spec.shares.len(), 4);
        assert_eq!(spec.vms[0].disks[0].pool, r"\\fs1\pool1");
        assert_eq!((spec.vms[1].host.as_str(), spec.vms[1].running), ("127.41.2.1", false));
        assert_eq!(spec.vms[0].disks[0].stem, estate.disk("ROOT-web").unwrap().uuid);
    }

    #[test]
    fn contradictions_are_refused() {
        let twice = plan().vm(VmPlan::new("web", "c1-h1"));
        assert!(matches!(Estate::new(&twice), Err(PlanError::Twice { kind: "VMs", .. })));
        let lost = plan().vm(VmPlan::new("x", "c1-h1").disk(DiskPlan::shared("d", "nowhere", 1 << 20, 0)));
        assert!(matches!(Estate::new(&lost), Err(PlanError::Unknown { kind: "pool", .. })));
        let far = plan().vm(VmPlan::new("x", "c1-h1").disk(DiskPlan::shared("d", "c2-p1", 1 << 20, 0)));
        assert!(matches!(Estate::new(&far), Err(PlanError::OutOfReach { .. })));
    }
}
