//! `listStoragePools` (`contract/entities.md 1.5`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{ClusterRef, HostRef, PodRef, StoragePoolRef, ZoneRef};
use crate::store::StoragePoolFilter;
use crate::views::{self, StoragePoolView};

/// The scopes and states that CloudStack knows (`contract/entities.md 4.3`).
const SCOPES: &[&str] = &["HOST", "CLUSTER", "ZONE", "REGION", "GLOBAL"];
const STATES: &[&str] = &[
    "Initial",
    "Initialized",
    "Creating",
    "Attaching",
    "Up",
    "PrepareForMaintenance",
    "ErrorInMaintenance",
    "CancelMaintenance",
    "Maintenance",
    "Disabled",
    "Removed",
];

crate::params! {
    /// Which pools are listed.
    pub struct PoolChoice {
        /// Only pools of this cluster, and those that serve a whole zone.
        cluster_id "clusterid": Option<Id<ClusterRef>>,
        /// Only pools on this server.
        ip_address "ipaddress": Option<String>,
        /// Only pools with exactly this name.
        name: Option<String> [java("storagePoolName")],
        /// Only pools at exactly this place on their server.
        path: Option<String>,
        /// Only pools in this pod, and those that serve a whole zone.
        pod_id "podid": Option<Id<PodRef>>,
        /// Only pools in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only this pool.
        id: Option<Id<StoragePoolRef>>,
        /// Only pools of this scope: `HOST`, `CLUSTER` or `ZONE`.
        scope: Option<String>,
        /// Only pools in this state.
        status: Option<String>,
        /// Only pools that this host is connected to.
        host_id "hostid": Option<Id<HostRef>>,
        /// Also statistics of the makers of pools. None are kept here.
        custom_stats "storagecustomstats": Option<bool> [since("4.18.1")],
        /// Only pools with this access group. None has one here.
        storage_access_group "storageaccessgroup": Option<String> [since("4.21.0")],
        /// Page and search word.
        page: Page,
    }
}

crate::command! {
    /// Lists primary storage pools.
    pub struct ListStoragePools {
        /// Which pools.
        choice: PoolChoice,
    }
    name "listStoragePools", kind Sync, http Get, response [StoragePoolView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.storage.ListStoragePoolsCmd"
}

fn known(word: Option<String>, words: &[&str], what: &str) -> Result<Option<String>, ApiError> {
    match word {
        Some(word) if !words.iter().any(|known| known.eq_ignore_ascii_case(&word)) => {
            Err(ApiError::invalid_parameter(format!("Invalid {what}: {word}")))
        }
        other => Ok(other),
    }
}

impl SyncCommand for ListStoragePools {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let (count, views) = self.choice.found(ctx).await?;
        Ok(Reply::list(count, views))
    }
}

impl PoolChoice {
    /// How many there are in all, and a page of them.
    ///
    /// # Errors
    /// 431 for parameters that are not accepted, 531 for owners who are none of the caller's.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<(i64, Vec<StoragePoolView>), ApiError> {
        let window = filters::window(&self.page, None);
        let filter = StoragePoolFilter {
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            name: self.name,
            address: self.ip_address,
            path: self.path,
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            cluster_id: self.cluster_id.map(|id| id.number()),
            scope: known(self.scope, SCOPES, "scope type")?,
            status: known(self.status, STATES, "status")?,
            host_id: self.host_id.map(|id| id.number()),
            storage_access_group: self.storage_access_group,
        };
        let (count, ids) = ctx.store.storage_pools_page(&filter, window).await?;
        let mut pools = views::storage_pools(&ctx.store, &ctx.caller, &ids).await?;
        for pool in &mut pools {
            // Running jobs are shown everywhere but in this list (`contract/corrections.md 15`).
            pool.job_id = None;
            pool.job_status = None;
        }
        Ok((count, pools))
    }
}
