//! A large estate in a fresh database of our own: rows only, there are no hosts behind them.
//!
//! The databases make the rows themselves, a thousand to a statement, so that a million machines take seconds. The SQL is what
//! both databases understand: whole numbers are only ever divided with a remainder, as they do not agree on the rest.

use crate::args;
use crate::model::Timestamp;
use crate::store::{Store, StoreError, Tx, Value};

/// Rows that one statement makes.
const PER_STATEMENT: i64 = 1_000;
/// When the first thing was made, seconds since 1970. Each thousand is a thousand seconds younger than the one before it.
const FIRST_MADE: i64 = 1_735_689_600;
/// The id before that of the first account: those of a fresh database are below it.
const ACCOUNTS_AFTER: i64 = 100;
/// Domain ROOT.
const ROOT_DOMAIN: i64 = 1;
/// The administrator's user of a fresh database.
const ADMIN: i64 = 2;

/// How much there is of what. Everything is spread evenly: machines over hosts and accounts, disks over machines and pools,
/// hosts over clusters, clusters over zones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Zones, each with a pod. At least one; so it is with clusters, hosts, accounts, machines and disks.
    pub zones: i64,
    /// Clusters, each with a pool.
    pub clusters: i64,
    /// Hosts. Their hypervisor is `Simulator`, so that no gateway tries to reach them.
    pub hosts: i64,
    /// Accounts, each with a user.
    pub accounts: i64,
    /// Machines, each with one network card. Every tenth is stopped.
    pub vms: i64,
    /// Disks.
    pub volumes: i64,
}

impl Size {
    /// So many machines, disks and hosts, with 25 hosts in a cluster and 100 machines of an account.
    #[must_use]
    pub fn of(count: i64) -> Self {
        let count = count.max(1);
        let (clusters, accounts) = ((count / 25).max(2), (count / 100).max(2));
        Self { zones: 2, clusters, hosts: count, accounts, vms: count, volumes: count }
    }
}

/// What the estate is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A zone, `zone-<n>`.
    Zone = 1,
    /// Its pod.
    Pod,
    /// A cluster, `cluster-<n>`.
    Cluster,
    /// A pool, `pool-<n>`.
    Pool,
    /// A host, `host-<n>`.
    Host,
    /// An account, `account-<n>`.
    Account,
    /// Its user.
    User,
    /// A machine, `vm-<n>`.
    Vm,
    /// A network card.
    Nic,
    /// A disk, `disk-<n>`.
    Volume,
    /// What machines and disks are offered with.
    Offering,
    /// What all machines are made from, and the network they are in.
    Template,
}

/// The public id of the thing with number `n`, from 1.
#[must_use]
pub fn uuid(thing: Thing, n: i64) -> String {
    format!("{}{n:012}", uuid_start(thing))
}

fn uuid_start(thing: Thing) -> String {
    format!("{:08}-0000-4000-8000-", thing as u8)
}

/// Columns and what is in them: an expression in which `n` is the number of the row.
type Columns<'a> = &'a [(&'a str, &'a str)];

/// Writes the estate into a fresh database that [`Store::bootstrap`] was called for, in one transaction.
///
/// # Errors
/// [`StoreError`]; nothing is written then. Also when there is an estate already.
pub async fn seed(store: &Store, size: &Size) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    tx.may_take_long();
    places(&mut tx, size).await?;
    offers(&mut tx).await?;
    owners(&mut tx, size).await?;
    machines(&mut tx, size).await?;
    disks(&mut tx, size).await?;
    tx.commit().await
}

async fn places(tx: &mut Tx, size: &Size) -> Result<(), StoreError> {
    let zone = [
        ("name", "CONCAT('zone-', n)"),
        ("dns1", "'127.0.0.1'"),
        ("internal_dns1", "'127.0.0.1'"),
        ("networktype", "'Advanced'"),
        ("allocation_state", "'Enabled'"),
    ];
    many(tx, Thing::Zone, "data_center", size.zones, &zone).await?;
    let pod = [
        ("name", "CONCAT('pod-', n)"),
        ("data_center_id", "n"),
        ("gateway", "'127.0.0.1'"),
        ("cidr_address", "'127.0.0.0'"),
        ("cidr_size", "8"),
        ("allocation_state", "'Enabled'"),
    ];
    many(tx, Thing::Pod, "host_pod_ref", size.zones, &pod).await?;
    let zone_of_cluster = format!("1 + (n - 1) % {}", size.zones);
    let place = [("data_center_id", zone_of_cluster.as_str()), ("pod_id", zone_of_cluster.as_str())];
    let cluster = [
        ("name", "CONCAT('cluster-', n)"),
        ("guid", "CONCAT('cluster-', n)"),
        ("hypervisor_type", "'Hyperv'"),
        place[0],
        place[1],
    ];
    many(tx, Thing::Cluster, "cluster", size.clusters, &cluster).await?;
    let pool = [
        ("name", "CONCAT('pool-', n)"),
        ("pool_type", "'SMB'"),
        ("port", "445"),
        ("cluster_id", "n"),
        ("used_bytes", "0"),
        ("capacity_bytes", "1099511627776"),
        ("host_address", "'fs'"),
        ("path", "CONCAT('/pool-', n)"),
        ("status", "'Up'"),
        ("storage_provider_name", "'DefaultPrimary'"),
        ("scope", "'CLUSTER'"),
        ("hypervisor", "'Hyperv'"),
        place[0],
        place[1],
    ];
    many(tx, Thing::Pool, "storage_pool", size.clusters, &pool).await?;
    hosts(tx, size).await
}

async fn hosts(tx: &mut Tx, size: &Size) -> Result<(), StoreError> {
    let cluster = format!("1 + (n - 1) % {}", size.clusters);
    let zone = format!("1 + ((n - 1) % {}) % {}", size.clusters, size.zones);
    let host = [
        ("name", "CONCAT('host-', n)"),
        ("guid", "CONCAT('host-', n)"),
        ("status", "'Up'"),
        ("type", "'Routing'"),
        ("private_ip_address", "'127.0.0.1'"),
        ("cluster_id", cluster.as_str()),
        ("data_center_id", zone.as_str()),
        ("pod_id", zone.as_str()),
        ("cpu_sockets", "2"),
        ("cpus", "16"),
        ("speed", "2400"),
        ("hypervisor_type", "'Simulator'"),
        ("hypervisor_version", "'10.0'"),
        ("ram", "68719476736"),
        ("version", "'4.23.0.0'"),
        ("capabilities", "'hvm'"),
        ("dom0_memory", "2147483648"),
        ("last_ping", "1725000000"),
        ("resource_state", "'Enabled'"),
    ];
    many(tx, Thing::Host, "host", size.hosts, &host).await?;
    for kind in ["0", "1"] {
        let capacity = [
            ("host_id", "n"),
            ("data_center_id", zone.as_str()),
            ("pod_id", zone.as_str()),
            ("cluster_id", cluster.as_str()),
            ("used_capacity", "2048"),
            ("reserved_capacity", "0"),
            ("total_capacity", "38400"),
            ("capacity_type", kind),
        ];
        made(tx, "op_host_capacity", size.hosts, &capacity).await?;
    }
    Ok(())
}

/// What machines and disks are made of: one of each.
async fn offers(tx: &mut Tx) -> Result<(), StoreError> {
    let disk = [
        ("name", "'Small'"),
        ("display_text", "'Small'"),
        ("disk_size", "0"),
        ("customized", "1"),
        ("compute_only", "1"),
        ("use_local_storage", "0"),
    ];
    tx.disk_offerings_clear().await?;
    many(tx, Thing::Offering, "disk_offering", 1, &disk).await?;
    let service = [
        ("name", "'Small'"),
        ("display_text", "'Small'"),
        ("cpu", "2"),
        ("speed", "1000"),
        ("ram_size", "2048"),
        ("disk_offering_id", "n"),
    ];
    many(tx, Thing::Offering, "service_offering", 1, &service).await?;
    let template = [
        ("unique_name", "'guest'"),
        ("name", "'guest'"),
        ("public", "1"),
        ("featured", "0"),
        ("type", "'USER'"),
        ("hvm", "1"),
        ("bits", "64"),
        ("format", "'VHD'"),
        ("account_id", "2"),
        ("display_text", "'guest'"),
        ("guest_os_id", "n"),
        ("hypervisor_type", "'Hyperv'"),
        ("state", "'Active'"),
    ];
    many(tx, Thing::Template, "vm_template", 1, &template).await?;
    many(tx, Thing::Template, "guest_os", 1, &[("category_id", "n"), ("display_name", "'Other (64-bit)'")]).await?;
    let network = [
        ("name", "'guests'"),
        ("display_text", "'guests'"),
        ("traffic_type", "'Guest'"),
        ("broadcast_domain_type", "'Vlan'"),
        ("network_offering_id", "n"),
        ("data_center_id", "n"),
        ("guru_name", "'DirectNetworkGuru'"),
        ("state", "'Setup'"),
        ("related", "n"),
        ("domain_id", "1"),
        ("account_id", "2"),
        ("guest_type", "'Shared'"),
    ];
    many(tx, Thing::Template, "networks", 1, &network).await
}

async fn owners(tx: &mut Tx, size: &Size) -> Result<(), StoreError> {
    let (id, domain) = (format!("{ACCOUNTS_AFTER} + n"), ROOT_DOMAIN.to_string());
    let account = [
        ("id", id.as_str()),
        ("account_name", "CONCAT('account-', n)"),
        ("type", "0"),
        ("role_id", "4"),
        ("domain_id", domain.as_str()),
        ("state", "'enabled'"),
    ];
    many(tx, Thing::Account, "account", size.accounts, &account).await?;
    let user = [
        ("id", id.as_str()),
        ("account_id", id.as_str()),
        ("username", "CONCAT('user-', n)"),
        ("password", "''"),
        ("state", "'enabled'"),
    ];
    many(tx, Thing::User, "user", size.accounts, &user).await
}

async fn machines(tx: &mut Tx, size: &Size) -> Result<(), StoreError> {
    let host = format!("1 + (n - 1) % {}", size.hosts);
    let zone = format!("1 + (((n - 1) % {}) % {}) % {}", size.hosts, size.clusters, size.zones);
    let (account, domain) = (format!("{ACCOUNTS_AFTER} + 1 + (n - 1) % {}", size.accounts), ROOT_DOMAIN.to_string());
    let (user, where_it_runs) = (ADMIN.to_string(), format!("CASE WHEN n % 10 = 0 THEN NULL ELSE {host} END"));
    let vm = [
        ("name", "CONCAT('vm-', n)"),
        ("instance_name", "CONCAT('i-2-', n, '-VM')"),
        ("state", "CASE WHEN n % 10 = 0 THEN 'Stopped' ELSE 'Running' END"),
        ("power_state", "CASE WHEN n % 10 = 0 THEN 'PowerOff' ELSE 'PowerOn' END"),
        ("vm_template_id", "1"),
        ("guest_os_id", "1"),
        ("pod_id", zone.as_str()),
        ("data_center_id", zone.as_str()),
        ("host_id", where_it_runs.as_str()),
        ("last_host_id", host.as_str()),
        ("vnc_password", "''"),
        ("type", "'User'"),
        ("vm_type", "'User'"),
        ("account_id", account.as_str()),
        ("domain_id", domain.as_str()),
        ("user_id", user.as_str()),
        ("service_offering_id", "1"),
        ("hypervisor_type", "'Hyperv'"),
        ("display_name", "CONCAT('vm-', n)"),
    ];
    many(tx, Thing::Vm, "vm_instance", size.vms, &vm).await?;
    let more = [("id", "n"), ("display_name", "CONCAT('vm-', n)")];
    statements(tx, "user_vm", size.vms, &more).await?;
    let nic = [
        ("instance_id", "n"),
        ("mac_address", "'02:15:00:00:00:01'"),
        ("ip4_address", "CONCAT('10.1.', n % 250, '.', 1 + n % 249)"),
        ("netmask", "'255.255.0.0'"),
        ("gateway", "'10.1.0.1'"),
        ("network_id", "1"),
        ("state", "'Reserved'"),
        ("strategy", "'Create'"),
        ("device_id", "0"),
        ("default_nic", "1"),
    ];
    many(tx, Thing::Nic, "nics", size.vms, &nic).await
}

async fn disks(tx: &mut Tx, size: &Size) -> Result<(), StoreError> {
    let vm = format!("1 + (n - 1) % {}", size.vms);
    let pool = format!("1 + (n - 1) % {}", size.clusters);
    let zone = format!("1 + ((n - 1) % {}) % {}", size.clusters, size.zones);
    let (account, domain) =
        (format!("{ACCOUNTS_AFTER} + 1 + ((n - 1) % {}) % {}", size.vms, size.accounts), ROOT_DOMAIN.to_string());
    let volume = [
        ("name", "CONCAT('disk-', n)"),
        ("account_id", account.as_str()),
        ("domain_id", domain.as_str()),
        ("pool_id", pool.as_str()),
        ("instance_id", vm.as_str()),
        ("device_id", "0"),
        ("size", "10737418240"),
        ("folder", "'/pool'"),
        ("path", "CONCAT('disk-', n)"),
        ("pod_id", zone.as_str()),
        ("data_center_id", zone.as_str()),
        ("volume_type", "'ROOT'"),
        ("pool_type", "'SMB'"),
        ("disk_offering_id", "1"),
        ("template_id", "1"),
        ("state", "'Ready'"),
        ("format", "'VHDX'"),
    ];
    many(tx, Thing::Volume, "volumes", size.volumes, &volume).await
}

/// Makes rows with their numbers as ids, unless `columns` says otherwise, their public ids and when they were made.
async fn many(tx: &mut Tx, thing: Thing, table: &str, count: i64, columns: Columns<'_>) -> Result<(), StoreError> {
    let uuid = format!("CONCAT('{}', SUBSTR(CONCAT('000000000000', n), -12))", uuid_start(thing));
    let mut all = vec![("uuid", uuid.as_str())];
    if columns.iter().all(|(name, _)| *name != "id") {
        all.push(("id", "n"));
    }
    all.extend(columns);
    made(tx, table, count, &all).await
}

/// Makes rows that say when they were made.
async fn made(tx: &mut Tx, table: &str, count: i64, columns: Columns<'_>) -> Result<(), StoreError> {
    let mut all = columns.to_vec();
    all.push(("created", "made"));
    statements(tx, table, count, &all).await
}

/// Makes the rows with the numbers 1 to `count`.
async fn statements(tx: &mut Tx, table: &str, count: i64, columns: Columns<'_>) -> Result<(), StoreError> {
    let names: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
    let values: Vec<&str> = columns.iter().map(|(_, value)| *value).collect();
    let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 \
        UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let sql = format!(
        "INSERT INTO `{table}` ({}) SELECT {} FROM (SELECT ? + 100 * a.d + 10 * b.d + c.d AS n, ? AS made \
         FROM {digits} a CROSS JOIN {digits} b CROSS JOIN {digits} c) s WHERE n <= ?",
        names.join(", "),
        values.join(", ")
    );
    for first in (1..=count).step_by(PER_STATEMENT as usize) {
        let made = Timestamp::from_unix(FIRST_MADE + first).map_or(Value::Null, Value::from);
        tx.run(&sql, args![first, made, count]).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{VirtualMachineFilter, VolumeFilter, Window};

    #[tokio::test]
    async fn an_estate_is_as_large_as_it_was_ordered() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.bootstrap().await.unwrap();
        let size = Size { volumes: 2_500, ..Size::of(1_100) };
        seed(&store, &size).await.unwrap();
        let page = Window { limit: Some(1), ..Window::default() };
        let (vms, _) = store.virtual_machines_page(&VirtualMachineFilter::default(), page).await.unwrap();
        let stopped = VirtualMachineFilter { state: Some("Stopped".into()), ..VirtualMachineFilter::default() };
        let (stopped, _) = store.virtual_machines_page(&stopped, page).await.unwrap();
        let (volumes, _) = store.volumes_page(&VolumeFilter::default(), page).await.unwrap();
        assert_eq!((vms, stopped, volumes), (1_100, 110, 2_500));
        let last = store.vm_by_id(1_100).await.unwrap().unwrap();
        assert_eq!(last.uuid, uuid(Thing::Vm, 1_100));
        let disks = store.volumes_of_vm(300).await.unwrap();
        assert_eq!(disks.iter().map(|disk| disk.id).collect::<Vec<_>>(), [300, 1_400, 2_500]);
        assert!(seed(&store, &size).await.is_err(), "a second estate is refused");
    }
}
