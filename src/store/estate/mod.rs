//! The estate as administrators change it: zones, pods, clusters, hosts, pools and offerings are added, changed and taken
//! away (`contract/entities.md 3.1 to 3.17`).

mod adopt;
mod hosts;
mod offerings;
mod places;
mod pools;
mod secrets;

pub use adopt::{AdoptedVm, AdoptedVolume, KnownVm};
pub use hosts::{HostChange, HostRows};
pub use offerings::{NewDiskOffering, NewServiceOffering, Restrictions};
pub use places::{Cluster, NewCluster, NewPod, NewZone, Pod, Zone, ZoneChange};
pub use pools::{PoolChange, PoolRows};

use super::{Store, StoreError, Tx, Value};
use crate::args;
use crate::model::Timestamp;

/// Columns of a row with their values.
pub(super) type Columns = Vec<(&'static str, Value)>;

/// Columns of a row, by name.
macro_rules! columns {
    ($($column:literal: $value:expr),* $(,)?) => { vec![$(($column, $crate::store::Value::from($value))),*] };
}
pub(super) use columns;

impl Tx {
    /// Adds a row and gives its number.
    async fn row_add(&mut self, table: &'static str, row: Columns) -> Result<i64, StoreError> {
        let names = row.iter().map(|(column, _)| format!("`{column}`")).collect::<Vec<_>>().join(", ");
        let marks = vec!["?"; row.len()].join(", ");
        let values = row.into_iter().map(|(_, value)| value).collect();
        Ok(self.run(&format!("INSERT INTO `{table}` ({names}) VALUES ({marks})"), values).await?.id)
    }

    /// Writes columns of the row with this number; nothing when there are none.
    async fn row_change(&mut self, table: &'static str, id: i64, row: Columns) -> Result<(), StoreError> {
        if row.is_empty() {
            return Ok(());
        }
        let names = row.iter().map(|(column, _)| format!("`{column}` = ?")).collect::<Vec<_>>().join(", ");
        let mut values: Vec<Value> = row.into_iter().map(|(_, value)| value).collect();
        values.push(id.into());
        self.run(&format!("UPDATE `{table}` SET {names} WHERE id = ?"), values).await?;
        Ok(())
    }

    /// Adds a row of capacity (`contract/entities.md 3.27`). `owner_id` is the host's number, or the pool's.
    async fn capacity_insert(
        &mut self,
        kind: crate::model::CapacityKind,
        owner_id: i64,
        place: (i64, Option<i64>, Option<i64>),
        (used, total): (i64, i64),
    ) -> Result<(), StoreError> {
        let (zone_id, pod_id, cluster_id) = place;
        let now = Timestamp::now();
        let row = columns! {
            "host_id": owner_id, "data_center_id": zone_id, "pod_id": pod_id, "cluster_id": cluster_id,
            "used_capacity": used, "reserved_capacity": 0_i64, "total_capacity": total, "capacity_type": kind as i64,
            "capacity_state": "Enabled", "update_time": now, "created": now,
        };
        self.row_insert("op_host_capacity", row).await
    }

    /// Whether a motion that is not over concerns this host or this pool: `column` is one of the journal's.
    async fn motion_concerns(&mut self, sql: &str, id: i64) -> Result<bool, StoreError> {
        Ok(self.row(sql, args![id, id]).await?.is_some())
    }
}

/// How many times its bytes a pool may promise: the setting and CloudStack's default.
pub const OVERPROVISIONING: (&str, f64) = ("storage.overprovisioning.factor", 2.0);

impl Store {
    /// A setting that is a number, such as a factor of over-commitment; `default` when there is none or it is none that
    /// makes sense.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn setting_number(&self, name: &str, default: f64) -> Result<f64, StoreError> {
        let [number] = self.setting_numbers([(name, default)]).await?;
        Ok(number)
    }

    /// The same of several settings at once.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn setting_numbers<const N: usize>(&self, asked: [(&str, f64); N]) -> Result<[f64; N], StoreError> {
        let known = self.settings(&asked.map(|(name, _)| name)).await?;
        Ok(asked.map(|(name, default)| {
            let number = known.get(name).and_then(|text| text.trim().parse().ok());
            number.filter(|number: &f64| number.is_finite() && *number >= 0.0).unwrap_or(default)
        }))
    }

    /// How many times its bytes a pool may promise (`storage.overprovisioning.factor`, CloudStack's default of 2).
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn overprovisioning(&self) -> Result<f64, StoreError> {
        let (name, default) = OVERPROVISIONING;
        self.setting_number(name, default).await
    }
}
