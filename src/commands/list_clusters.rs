//! `listClusters` (`contract/entities.md 1.3`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{ClusterRef, PodRef, ZoneRef};
use crate::store::ClusterFilter;
use crate::views::{self, ClusterView};

crate::params! {
    /// Which clusters are listed.
    pub struct ClusterChoice {
        /// Only this cluster.
        id: Option<Id<ClusterRef>>,
        /// Only clusters with exactly this name.
        name: Option<String> [java("clusterName")],
        /// Only clusters in this pod.
        pod_id "podid": Option<Id<PodRef>>,
        /// Only clusters in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only clusters of this hypervisor.
        hypervisor: Option<String> [java("hypervisorType")],
        /// Only clusters of this kind: `CloudManaged` or `ExternalManaged`.
        cluster_type "clustertype": Option<String>,
        /// Only clusters that are `Enabled` or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// Has no effect, as in CloudStack.
        managed_state "managedstate": Option<String>,
        /// Also how much is left. Has no effect here.
        show_capacities "showcapacities": Option<bool>,
        /// Only clusters with processors of this kind.
        arch: Option<String> [since("4.20.1")],
        /// Only clusters with this access group.
        storage_access_group "storageaccessgroup": Option<String> [since("4.21.0")],
        /// Page and search word.
        page: Page,
    }
}

crate::command! {
    /// Lists clusters.
    pub struct ListClusters {
        /// Which clusters.
        choice: ClusterChoice,
    }
    name "listClusters", kind Sync, http Get, response [ClusterView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.cluster.ListClustersCmd"
}

impl SyncCommand for ListClusters {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let (count, views) = self.choice.found(ctx).await?;
        Ok(Reply::list(count, views))
    }
}

impl ClusterChoice {
    /// How many there are in all, and a page of them.
    ///
    /// # Errors
    /// 431 for parameters that are not accepted, 531 for owners who are none of the caller's.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<(i64, Vec<ClusterView>), ApiError> {
        let window = filters::window(&self.page, None);
        let filter = ClusterFilter {
            id: self.id.map(|id| id.number()),
            name: self.name,
            keyword: self.page.keyword,
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            hypervisor: self.hypervisor,
            kind: self.cluster_type,
            allocation_state: self.allocation_state,
            arch: self.arch,
            storage_access_group: self.storage_access_group,
        };
        let (count, ids) = ctx.store.clusters_page(&filter, window).await?;
        Ok((count, views::clusters(&ctx.store, &ids).await?))
    }
}
