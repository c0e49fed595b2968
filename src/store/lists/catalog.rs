//! What runs inside machines, and how much there is: the catalogue that dialogs and dashboards show
//! (`contract/entities.md 1.11, 1.12, 1.23`).

use super::{Condition, Window};
use crate::args;
use crate::store::{Row, Store, StoreError};

/// What `listOsTypes` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct GuestOsFilter {
    /// Only these.
    pub ids: Option<Vec<i64>>,
    /// Of this family.
    pub category_id: Option<i64>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in the name.
    pub keyword: Option<String>,
}

/// What `listCapacity` can be narrowed to.
#[derive(Clone, Copy, Debug, Default)]
pub struct CapacityFilter {
    /// In this zone.
    pub zone_id: Option<i64>,
    /// In this pod.
    pub pod_id: Option<i64>,
    /// In this cluster.
    pub cluster_id: Option<i64>,
    /// Of the type with this number.
    pub kind: Option<i64>,
}

impl Store {
    /// How many guest systems there are, and the ids of a page.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn guest_os_page(&self, filter: &GuestOsFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        let mut condition = Condition::living();
        condition.and("t.display = 1", []);
        condition.one_of("t.id", filter.ids.as_deref());
        condition.equal("t.category_id", filter.category_id);
        condition.equal("t.display_name", filter.name.as_ref());
        condition.contains(&["t.display_name"], filter.keyword.as_deref());
        self.page("guest_os t", &condition, "t.id", window).await
    }

    /// Guest systems with their families.
    ///
    /// # Errors
    /// See [`Store::guest_os_page`].
    pub async fn guest_os_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT g.id, g.uuid, g.display_name, g.is_user_defined, g.display, c.uuid AS category_uuid, \
            c.name AS category_name FROM guest_os g LEFT JOIN guest_os_category c ON c.id = g.category_id \
            WHERE g.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }

    /// A page of families of guest systems in their own order (`id`, `uuid`, `name`, `featured`, `created`), and how many
    /// match in all.
    ///
    /// # Errors
    /// See [`Store::guest_os_page`].
    pub async fn os_categories(
        &self,
        id: Option<i64>,
        (name, keyword): (Option<&str>, Option<&str>),
        featured: Option<bool>,
        window: Window,
    ) -> Result<(i64, Vec<Row>), StoreError> {
        let mut condition = Condition::living();
        condition.equal("t.id", id);
        condition.equal("t.name", name);
        condition.contains(&["t.name"], keyword);
        condition.equal("t.featured", featured);
        let (count, ids) = self.page("guest_os_category t", &condition, "t.sort_key, t.id", window).await?;
        let sql = "SELECT id, uuid, name, featured, created FROM guest_os_category WHERE id IN ({ids})";
        Ok((count, self.wide_rows(sql, &ids).await?))
    }

    /// Capacity of each type in each zone: rows with `capacity_type`, `reserved`, `used`, `total` and the zone.
    ///
    /// What may be promised of memory and processors is multiplied by the clusters' overcommit ratios.
    ///
    /// # Errors
    /// See [`Store::guest_os_page`].
    pub async fn capacity_rows(&self, filter: CapacityFilter) -> Result<Vec<Row>, StoreError> {
        let mut condition = Condition::default();
        condition.and("t.capacity_state = 'Enabled'", []);
        condition.equal("t.data_center_id", filter.zone_id);
        condition.equal("t.pod_id", filter.pod_id);
        condition.equal("t.cluster_id", filter.cluster_id);
        condition.equal("t.capacity_type", filter.kind);
        let sql = format!(
            "SELECT t.capacity_type, z.uuid AS zone_uuid, z.name AS zone_name, SUM(t.used_capacity) AS allocated, \
             SUM(t.used_capacity + t.reserved_capacity) AS used, \
             SUM(t.total_capacity * COALESCE(d.value, 1)) AS total FROM op_host_capacity t \
             JOIN data_center z ON z.id = t.data_center_id \
             LEFT JOIN cluster_details d ON d.cluster_id = t.cluster_id AND d.name = CASE t.capacity_type \
             WHEN 0 THEN 'memoryOvercommitRatio' WHEN 1 THEN 'cpuOvercommitRatio' ELSE '' END \
             WHERE {} GROUP BY t.capacity_type, z.uuid, z.name ORDER BY z.name, t.capacity_type",
            condition.shown()
        );
        self.db().rows(&sql, condition.args.clone()).await
    }

    /// The processor sockets of all hosts that run machines.
    ///
    /// # Errors
    /// See [`Store::guest_os_page`].
    pub async fn cpu_sockets(&self) -> Result<i64, StoreError> {
        let sql = "SELECT COALESCE(SUM(cpu_sockets), 0) FROM host WHERE removed IS NULL AND type = 'Routing'";
        self.db().row(sql, args![]).await?.map_or(Ok(0), |row| row.at(0))
    }

    /// How many there are of a noun: what stands after FROM, with its condition.
    ///
    /// # Errors
    /// See [`Store::guest_os_page`].
    pub async fn how_many(&self, of: Counted) -> Result<i64, StoreError> {
        let sql = format!("SELECT COUNT(*) FROM {}", of.rows());
        self.db().row(&sql, args![]).await?.map_or(Ok(0), |row| row.at(0))
    }
}

/// What the summary of the infrastructure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// Zones.
    Zones,
    /// Pods.
    Pods,
    /// Clusters.
    Clusters,
    /// Hosts that run machines.
    Hosts,
    /// Primary storage pools.
    Pools,
    /// System machines but routers.
    SystemVms,
    /// Routers.
    Routers,
    /// Servers of this kind.
    Servers,
    /// Alerts that were not put away.
    Alerts,
}

impl Counted {
    const fn rows(self) -> &'static str {
        match self {
            Self::Zones => "data_center WHERE removed IS NULL",
            Self::Pods => "host_pod_ref WHERE removed IS NULL",
            Self::Clusters => "cluster WHERE removed IS NULL",
            Self::Hosts => "host WHERE removed IS NULL AND type = 'Routing'",
            Self::Pools => "storage_pool WHERE removed IS NULL",
            Self::SystemVms => "vm_instance WHERE removed IS NULL AND type IN ('ConsoleProxy', 'SecondaryStorageVm')",
            Self::Routers => "vm_instance WHERE removed IS NULL AND type = 'DomainRouter'",
            Self::Servers => "mshost WHERE removed IS NULL",
            Self::Alerts => "alert WHERE archived = 0",
        }
    }
}
