//! Zones, pods and clusters (`contract/entities.md 2.1 to 2.3, 3.1 to 3.4`).

use super::columns;
use crate::args;
use crate::model::Timestamp;
use crate::model::text::Dump;
use crate::store::{Row, Store, StoreError, Tx, Value};

/// A living zone.
#[derive(Clone, Debug)]
pub struct Zone {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Whether it is `Advanced`.
    pub advanced: bool,
    /// Whether it is not switched off.
    pub enabled: bool,
    /// Whether its networks have security groups.
    pub security_groups: bool,
    /// Whether hosts' own folders become pools.
    pub local_storage: bool,
    /// Whether it is an edge zone.
    pub edge: bool,
}

/// A living pod.
#[derive(Clone, Debug)]
pub struct Pod {
    /// Internal id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Its zone.
    pub zone_id: i64,
    /// The first address of its management network; empty where it has none.
    pub cidr_address: String,
    /// The prefix of that network.
    pub cidr_size: i64,
}

/// A living cluster.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Its guid; set with its first host.
    pub guid: Option<String>,
    /// Its pod.
    pub pod_id: i64,
    /// Its zone.
    pub zone_id: i64,
    /// Hypervisor type.
    pub hypervisor: String,
}

impl Zone {
    /// The form that error texts use.
    #[must_use]
    pub fn dump(&self) -> String {
        let dump = Dump::new("Zone").number("id", Some(self.id)).text("name", Some(&self.name));
        dump.text("uuid", Some(&self.uuid)).end()
    }
}

impl Cluster {
    /// The form that error texts use.
    #[must_use]
    pub fn dump(&self) -> String {
        let dump = Dump::new("Cluster").number("id", Some(self.id)).text("name", Some(&self.name));
        dump.text("uuid", Some(&self.uuid)).end()
    }
}

/// A zone to be made.
#[derive(Clone, Debug)]
pub struct NewZone {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// First and second name server, first and second internal one, first and second for IPv6.
    pub name_servers: [Option<String>; 6],
    /// The network of guests, as `10.1.1.0/24`.
    pub guest_cidr: Option<String>,
    /// Suffix of names in its networks.
    pub network_domain: Option<String>,
    /// The domain that it is kept for.
    pub domain_id: Option<i64>,
    /// `Basic` or `Advanced`.
    pub network_type: &'static str,
    /// `Enabled` or `Disabled`.
    pub allocation_state: &'static str,
    /// Whether its networks have security groups.
    pub security_groups: bool,
    /// Whether hosts' own folders become pools.
    pub local_storage: bool,
    /// Whether it is an edge zone.
    pub edge: bool,
    /// Access groups of storage, separated by commas.
    pub access_groups: Option<String>,
}

/// What is changed of a zone; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct ZoneChange {
    /// Name.
    pub name: Option<String>,
    /// Name servers, in the order of [`NewZone::name_servers`].
    pub name_servers: [Option<String>; 6],
    /// The network of guests.
    pub guest_cidr: Option<String>,
    /// Suffix of names in its networks.
    pub network_domain: Option<String>,
    /// `Enabled` or `Disabled`.
    pub allocation_state: Option<&'static str>,
    /// Whether hosts' own folders become pools.
    pub local_storage: Option<bool>,
    /// Its place in lists.
    pub sort_key: Option<i64>,
}

/// The columns of name servers, in the order of [`NewZone::name_servers`].
const NAME_SERVERS: [&str; 6] = ["dns1", "dns2", "internal_dns1", "internal_dns2", "ip6_dns1", "ip6_dns2"];

/// A pod to be made.
#[derive(Clone, Debug)]
pub struct NewPod {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Its zone.
    pub zone_id: i64,
    /// The way out of its management network.
    pub gateway: String,
    /// The first address of that network.
    pub cidr_address: String,
    /// The prefix of that network.
    pub cidr_size: i64,
    /// The addresses of that network that may be given away, first and last.
    pub range: Option<(String, String)>,
    /// `Enabled` or `Disabled`.
    pub allocation_state: &'static str,
    /// Access groups of storage, separated by commas.
    pub access_groups: Option<String>,
}

/// A cluster to be made.
#[derive(Clone, Debug)]
pub struct NewCluster {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Its zone.
    pub zone_id: i64,
    /// Its pod.
    pub pod_id: i64,
    /// Hypervisor type, in CloudStack's spelling.
    pub hypervisor: String,
    /// `Enabled` or `Disabled`.
    pub allocation_state: &'static str,
    /// The kind of its processors.
    pub arch: String,
    /// Access groups of storage, separated by commas.
    pub access_groups: Option<String>,
    /// How often CPU and memory may be given away, as texts: `1.0`.
    pub overcommit: (String, String),
}

fn zone(row: &Row) -> Result<Zone, StoreError> {
    Ok(Zone {
        id: row.get("id")?,
        uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
        name: row.get::<Option<String>>("name")?.unwrap_or_default(),
        advanced: row.get::<String>("networktype")? == "Advanced",
        enabled: row.get::<String>("allocation_state")? == "Enabled",
        security_groups: row.get("is_security_group_enabled")?,
        local_storage: row.get("is_local_storage_enabled")?,
        edge: row.get::<Option<String>>("type")?.as_deref() == Some("Edge"),
    })
}

fn cluster(row: &Row) -> Result<Cluster, StoreError> {
    Ok(Cluster {
        id: row.get("id")?,
        uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
        name: row.get::<Option<String>>("name")?.unwrap_or_default(),
        guid: row.get("guid")?,
        pod_id: row.get("pod_id")?,
        zone_id: row.get("data_center_id")?,
        hypervisor: row.get::<Option<String>>("hypervisor_type")?.unwrap_or_default(),
    })
}

const CLUSTER: &str = "SELECT id, uuid, name, guid, pod_id, data_center_id, hypervisor_type FROM cluster";

impl Store {
    /// A living zone.
    ///
    /// # Errors
    /// See [`Store::setting_number`]; the same holds for all functions of this file.
    pub async fn zone_by_id(&self, id: i64) -> Result<Option<Zone>, StoreError> {
        let sql = "SELECT id, uuid, name, networktype, allocation_state, is_security_group_enabled, \
            is_local_storage_enabled, type FROM data_center WHERE id = ? AND removed IS NULL";
        self.db().row(sql, args![id]).await?.as_ref().map(zone).transpose()
    }

    /// A living pod.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn pod_by_id(&self, id: i64) -> Result<Option<Pod>, StoreError> {
        let sql = "SELECT id, name, data_center_id, cidr_address, cidr_size FROM host_pod_ref WHERE id = ? AND removed IS NULL";
        let Some(row) = self.db().row(sql, args![id]).await? else { return Ok(None) };
        Ok(Some(Pod {
            id: row.get("id")?,
            name: row.get::<Option<String>>("name")?.unwrap_or_default(),
            zone_id: row.get("data_center_id")?,
            cidr_address: row.get("cidr_address")?,
            cidr_size: row.get("cidr_size")?,
        }))
    }

    /// A living cluster.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn cluster_by_id(&self, id: i64) -> Result<Option<Cluster>, StoreError> {
        let sql = format!("{CLUSTER} WHERE id = ? AND removed IS NULL");
        self.db().row(&sql, args![id]).await?.as_ref().map(cluster).transpose()
    }

    /// A living cluster of a pod, by its name.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn cluster_by_name(&self, name: &str, pod_id: i64) -> Result<Option<Cluster>, StoreError> {
        let sql = format!("{CLUSTER} WHERE name = ? AND pod_id = ? AND removed IS NULL ORDER BY id LIMIT 1");
        self.db().row(&sql, args![name, pod_id]).await?.as_ref().map(cluster).transpose()
    }
}

impl Tx {
    /// Whether a living zone other than `except` has this name.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn zone_name_taken(&mut self, name: &str, except: i64) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM data_center WHERE name = ? AND id <> ? AND removed IS NULL LIMIT 1";
        Ok(self.row(sql, args![name, except]).await?.is_some())
    }

    /// Writes a new zone and gives its number.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn zone_insert(&mut self, zone: &NewZone) -> Result<i64, StoreError> {
        let mut row = columns! {
            "uuid": &zone.uuid, "name": &zone.name, "networktype": zone.network_type,
            "allocation_state": zone.allocation_state, "is_security_group_enabled": zone.security_groups,
            "is_local_storage_enabled": zone.local_storage, "guest_network_cidr": zone.guest_cidr.as_deref(),
            "domain": zone.network_domain.as_deref(), "domain_id": zone.domain_id,
            "zone_token": uuid::Uuid::new_v4().to_string(), "created": Timestamp::now(),
            "type": if zone.edge { "Edge" } else { "Core" }, "storage_access_groups": zone.access_groups.as_deref(),
        };
        for (column, server) in NAME_SERVERS.into_iter().zip(&zone.name_servers) {
            row.push((column, Value::from(server.as_deref())));
        }
        self.row_add("data_center", row).await
    }

    /// Writes what is changed of a zone.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn zone_change(&mut self, id: i64, change: &ZoneChange) -> Result<(), StoreError> {
        let mut row = Vec::new();
        let texts = [
            ("name", change.name.as_deref()),
            ("guest_network_cidr", change.guest_cidr.as_deref()),
            ("domain", change.network_domain.as_deref()),
            ("allocation_state", change.allocation_state),
        ];
        let servers = NAME_SERVERS.into_iter().zip(change.name_servers.iter().map(Option::as_deref));
        for (column, text) in texts.into_iter().chain(servers) {
            row.extend(text.map(|text| (column, Value::from(text))));
        }
        row.extend(change.local_storage.map(|on| ("is_local_storage_enabled", Value::from(on))));
        row.extend(change.sort_key.map(|key| ("sort_key", Value::from(key))));
        self.row_change("data_center", id, row).await
    }

    /// Whether a living pod of a zone has this name.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn pod_name_taken(&mut self, name: &str, zone_id: i64) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM host_pod_ref WHERE name = ? AND data_center_id = ? AND removed IS NULL LIMIT 1";
        Ok(self.row(sql, args![name, zone_id]).await?.is_some())
    }

    /// The networks of the living pods of a zone: name, first address, prefix.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn pod_networks(&mut self, zone_id: i64) -> Result<Vec<(String, String, i64)>, StoreError> {
        let sql = "SELECT name, cidr_address, cidr_size FROM host_pod_ref WHERE data_center_id = ? AND removed IS NULL ORDER BY id";
        let rows = self.rows(sql, args![zone_id]).await?;
        rows.iter().map(|row| Ok((row.at::<Option<String>>(0)?.unwrap_or_default(), row.at(1)?, row.at(2)?))).collect()
    }

    /// Writes a new pod and gives its number.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn pod_insert(&mut self, pod: &NewPod) -> Result<i64, StoreError> {
        // The form in which CloudStack keeps a range: `first-last-forsystemvms-network` (`contract/entities.md 3.2`).
        let range = pod.range.as_ref().map(|(first, last)| format!("{first}-{last}-0-untagged"));
        let row = columns! {
            "uuid": &pod.uuid, "name": &pod.name, "data_center_id": pod.zone_id, "gateway": &pod.gateway,
            "cidr_address": &pod.cidr_address, "cidr_size": pod.cidr_size, "description": range,
            "allocation_state": pod.allocation_state, "storage_access_groups": pod.access_groups.as_deref(),
        };
        self.row_add("host_pod_ref", row).await
    }

    /// Whether a living cluster of a pod has this name.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn cluster_name_taken(&mut self, name: &str, pod_id: i64) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM cluster WHERE name = ? AND pod_id = ? AND removed IS NULL LIMIT 1";
        Ok(self.row(sql, args![name, pod_id]).await?.is_some())
    }

    /// Writes a new cluster with its ratios and gives its number.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn cluster_insert(&mut self, cluster: &NewCluster) -> Result<i64, StoreError> {
        let row = columns! {
            "uuid": &cluster.uuid, "name": &cluster.name, "pod_id": cluster.pod_id, "data_center_id": cluster.zone_id,
            "hypervisor_type": &cluster.hypervisor, "cluster_type": "CloudManaged",
            "allocation_state": cluster.allocation_state, "managed_state": "Managed", "arch": &cluster.arch,
            "storage_access_groups": cluster.access_groups.as_deref(),
        };
        let id = self.row_add("cluster", row).await?;
        let (cpu, memory) = &cluster.overcommit;
        for (name, ratio) in [("memoryOvercommitRatio", memory), ("cpuOvercommitRatio", cpu)] {
            self.row_insert("cluster_details", columns! { "cluster_id": id, "name": name, "value": ratio }).await?;
        }
        Ok(id)
    }

    /// How many living hosts and how many living pools a cluster has.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn cluster_holds(&mut self, id: i64) -> Result<(i64, i64), StoreError> {
        let mut counts = [0; 2];
        for (count, table) in counts.iter_mut().zip(["host", "storage_pool"]) {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE cluster_id = ? AND removed IS NULL");
            *count = self.row(&sql, args![id]).await?.map_or(Ok(0), |row| row.at(0))?;
        }
        Ok(counts.into())
    }

    /// Removes a cluster: it gives its name and guid away.
    ///
    /// # Errors
    /// See [`Store::zone_by_id`].
    pub async fn cluster_remove(&mut self, id: i64) -> Result<(), StoreError> {
        let row = columns! { "name": None::<String>, "guid": None::<String>, "removed": Timestamp::now() };
        self.row_change("cluster", id, row).await
    }
}
