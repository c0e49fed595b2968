//! Sums for the lists with figures: how many machines run where, and what is promised of what there is.

use std::collections::HashMap;

use super::IDS_PER_STATEMENT;
use crate::store::{Row, Store, StoreError, Value};

/// How many of something are up, and how many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UpOf {
    /// Those that run or are enabled.
    pub up: i64,
    /// All.
    pub total: i64,
}

/// The machines on a host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostMachines {
    /// Users' machines.
    pub users: UpOf,
    /// System machines.
    pub system: UpOf,
}

/// The last load of a host.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HostFigures {
    /// The share of the processors in use, 0 to 100.
    pub cpu_percent: f64,
    /// Memory in use, bytes.
    pub memory_used_bytes: i64,
    /// Bytes that came in over the network.
    pub received_bytes: i64,
    /// Bytes that went out over the network.
    pub sent_bytes: i64,
}

/// The shares of the processors and the memory of a group of hosts that are in use, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct InUse {
    /// Of the processors.
    pub cpu: Option<f64>,
    /// Of the memory.
    pub memory: Option<f64>,
}

/// What is promised of the processors and the memory of a group of hosts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Promised {
    /// Processors, MHz.
    pub cpu_mhz: f64,
    /// Processors that may be promised, MHz: what there is times the overcommit ratio.
    pub cpu_total_mhz: f64,
    /// Memory, bytes.
    pub memory_bytes: f64,
    /// Memory that may be promised, bytes.
    pub memory_total_bytes: f64,
    /// Processors that there are, MHz.
    pub cpu_real_mhz: f64,
    /// Memory that there is, bytes.
    pub memory_real_bytes: f64,
}

/// What hosts are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostGroup {
    /// Their zone.
    Zone,
    /// Their cluster.
    Cluster,
}

impl HostGroup {
    const fn table_and_column(self) -> (&'static str, &'static str) {
        match self {
            Self::Zone => ("data_center", "data_center_id"),
            Self::Cluster => ("cluster", "cluster_id"),
        }
    }
}

impl Store {
    /// The rows that `sql` gives for these public ids; `{uuids}` stands where they belong.
    pub(in crate::store) async fn rows_of_uuids(&self, sql: &str, uuids: &[&str]) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for part in uuids.chunks(IDS_PER_STATEMENT) {
            let text = sql.replace("{uuids}", &vec!["?"; part.len()].join(", "));
            rows.extend(self.db().rows(&text, part.iter().map(|uuid| Value::from(*uuid)).collect()).await?);
        }
        Ok(rows)
    }

    /// The machines on hosts, by the hosts' public ids. Hosts without any are left out.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn machines_on(&self, hosts: &[&str]) -> Result<HashMap<String, HostMachines>, StoreError> {
        let sql = "SELECT h.uuid, v.type, COUNT(*) AS total, COUNT(CASE WHEN v.state = 'Running' THEN 1 END) AS up \
            FROM vm_instance v JOIN host h ON h.id = v.host_id \
            WHERE v.removed IS NULL AND h.uuid IN ({uuids}) GROUP BY h.uuid, v.type";
        let mut found: HashMap<String, HostMachines> = HashMap::new();
        for row in self.rows_of_uuids(sql, hosts).await? {
            let machines = found.entry(row.get("uuid")?).or_default();
            let is_users = row.get::<String>("type")?.eq_ignore_ascii_case("User");
            let count = if is_users { &mut machines.users } else { &mut machines.system };
            count.up += row.get::<i64>("up")?;
            count.total += row.get::<i64>("total")?;
        }
        Ok(found)
    }

    /// The last load of hosts whose agents reported one, by the hosts' public ids. A host that is away may be doing
    /// anything, so what it told before is left out.
    ///
    /// # Errors
    /// See [`Store::machines_on`].
    pub async fn loads_of(&self, hosts: &[&str]) -> Result<HashMap<String, HostFigures>, StoreError> {
        // The sign keeps the index on the state out of the way: nearly all are up.
        let sql = "SELECT h.uuid, l.cpu_percent, l.memory_bytes, l.free_memory_bytes, l.received_bytes, l.sent_bytes \
            FROM motion_host_load l JOIN host h ON h.id = l.host_id WHERE +h.status = 'Up' AND h.uuid IN ({uuids})";
        let mut found = HashMap::new();
        for row in self.rows_of_uuids(sql, hosts).await? {
            let (memory, free): (i64, i64) = (row.get("memory_bytes")?, row.get("free_memory_bytes")?);
            let figures = HostFigures {
                cpu_percent: row.get("cpu_percent")?,
                memory_used_bytes: (memory - free).max(0),
                received_bytes: row.get("received_bytes")?,
                sent_bytes: row.get("sent_bytes")?,
            };
            found.insert(row.get("uuid")?, figures);
        }
        Ok(found)
    }

    /// What is promised in zones or clusters, by their public ids.
    ///
    /// # Errors
    /// See [`Store::machines_on`].
    pub async fn promised_in(&self, group: HostGroup, uuids: &[&str]) -> Result<HashMap<String, Promised>, StoreError> {
        let (table, column) = group.table_and_column();
        let sql = format!(
            "SELECT g.uuid, c.capacity_type, SUM(c.used_capacity + c.reserved_capacity) AS used, \
             SUM(c.total_capacity) AS total_real, SUM(c.total_capacity * COALESCE(d.value, 1)) AS total \
             FROM op_host_capacity c JOIN host h ON h.id = c.host_id AND h.type = 'Routing' AND h.removed IS NULL \
             JOIN {table} g ON g.id = c.{column} LEFT JOIN cluster_details d ON d.cluster_id = c.cluster_id AND \
             d.name = CASE c.capacity_type WHEN 1 THEN 'cpuOvercommitRatio' ELSE 'memoryOvercommitRatio' END \
             WHERE c.capacity_type IN (0, 1) AND g.uuid IN ({{uuids}}) GROUP BY g.uuid, c.capacity_type"
        );
        let mut found: HashMap<String, Promised> = HashMap::new();
        for row in self.rows_of_uuids(&sql, uuids).await? {
            let sums = found.entry(row.get("uuid")?).or_default();
            let (used, real, total) = (row.get("used")?, row.get("total_real")?, row.get("total")?);
            if row.get::<i64>("capacity_type")? == 1 {
                (sums.cpu_mhz, sums.cpu_real_mhz, sums.cpu_total_mhz) = (used, real, total);
            } else {
                (sums.memory_bytes, sums.memory_real_bytes, sums.memory_total_bytes) = (used, real, total);
            }
        }
        Ok(found)
    }

    /// What is in use in zones or clusters, by their public ids: of those hosts that are up and told their load. Groups
    /// without any are left out.
    ///
    /// # Errors
    /// See [`Store::machines_on`].
    pub async fn in_use(&self, group: HostGroup, uuids: &[&str]) -> Result<HashMap<String, InUse>, StoreError> {
        let (table, column) = group.table_and_column();
        let sql = format!(
            "SELECT g.uuid, SUM(l.cpu_percent * h.cpus * h.speed) / SUM(h.cpus * h.speed * 100.0) AS cpu, \
             SUM((l.memory_bytes - l.free_memory_bytes) * 1.0) / SUM(l.memory_bytes) AS memory \
             FROM motion_host_load l JOIN host h ON h.id = l.host_id JOIN {table} g ON g.id = h.{column} \
             WHERE h.removed IS NULL AND +h.status = 'Up' AND g.uuid IN ({{uuids}}) GROUP BY g.uuid"
        );
        let rows = self.rows_of_uuids(&sql, uuids).await?;
        let shares = |row: &Row| Ok((row.get("uuid")?, InUse { cpu: row.get("cpu")?, memory: row.get("memory")? }));
        rows.iter().map(shares).collect()
    }

    /// The clusters of zones: those that are enabled, and all; by the zones' public ids.
    ///
    /// # Errors
    /// See [`Store::machines_on`].
    pub async fn clusters_of_zones(&self, zones: &[&str]) -> Result<HashMap<String, UpOf>, StoreError> {
        let sql = "SELECT z.uuid, COUNT(*) AS total, COUNT(CASE WHEN c.allocation_state = 'Enabled' THEN 1 END) AS up \
            FROM cluster c JOIN data_center z ON z.id = c.data_center_id \
            WHERE c.removed IS NULL AND z.uuid IN ({uuids}) GROUP BY z.uuid";
        self.up_of(sql, zones).await
    }

    /// The hosts of clusters: those that are up, and all; by the clusters' public ids.
    ///
    /// # Errors
    /// See [`Store::machines_on`].
    pub async fn hosts_of_clusters(&self, clusters: &[&str]) -> Result<HashMap<String, UpOf>, StoreError> {
        let sql = "SELECT c.uuid, COUNT(*) AS total, COUNT(CASE WHEN h.status = 'Up' THEN 1 END) AS up \
            FROM host h JOIN cluster c ON c.id = h.cluster_id \
            WHERE h.removed IS NULL AND h.type = 'Routing' AND c.uuid IN ({uuids}) GROUP BY c.uuid";
        self.up_of(sql, clusters).await
    }

    async fn up_of(&self, sql: &str, uuids: &[&str]) -> Result<HashMap<String, UpOf>, StoreError> {
        let rows = self.rows_of_uuids(sql, uuids).await?;
        let count = |row: &Row| Ok((row.get("uuid")?, UpOf { up: row.get("up")?, total: row.get("total")? }));
        rows.iter().map(count).collect()
    }
}
