//! `listRouters`: the dashboard counts them (`contract/entities.md 5.4`).

use super::filters::{self, NowhereId};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, OwnerScope, Page, Reply};
use crate::model::entity::{ClusterRef, HostRef, NetworkRef, PodRef, VmRef, ZoneRef};
use crate::store::SystemMachineFilter;
use crate::views::{self, RouterView};

crate::command! {
    /// Lists routers that another control plane on the same database made. This gateway makes none.
    pub struct ListRouters {
        /// Only this router.
        id: Option<Id<VmRef>>,
        /// Only the router with exactly this name.
        name: Option<String>,
        /// Only routers on this host.
        host_id "hostid": Option<Id<HostRef>>,
        /// Only routers in this pod.
        pod_id "podid": Option<Id<PodRef>>,
        /// Only routers on hosts of this cluster.
        cluster_id "clusterid": Option<Id<ClusterRef>>,
        /// Only routers in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only routers in this state.
        state: Option<String>,
        /// Only routers with a card in this network.
        network_id "networkid": Option<Id<NetworkRef>>,
        /// Only routers of this VPC. There are none here.
        vpc_id "vpcid": Option<NowhereId>,
        /// Only routers of VPCs, of which there are none here, or only others.
        for_vpc "forvpc": Option<bool>,
        /// Has no effect here.
        version: Option<String>,
        /// Whose routers.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
    }
    name "listRouters", kind Sync, http Get, response [RouterView],
    roles [Admin, ResourceAdmin, DomainAdmin],
    java "org.apache.cloudstack.api.command.admin.router.ListRoutersCmd"
}

impl SyncCommand for ListRouters {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        if self.for_vpc == Some(true) {
            return Ok(Reply::list::<RouterView>(0, []));
        }
        let window = filters::window(&self.page, None);
        let filter = SystemMachineFilter {
            kinds: vec!["DomainRouter"],
            id: self.id.map(|id| id.number()),
            name: self.name,
            keyword: self.page.keyword,
            state: self.state,
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            cluster_id: self.cluster_id.map(|id| id.number()),
            host_id: self.host_id.map(|id| id.number()),
            network_id: self.network_id.map(|id| id.number()),
            pool_id: None,
            owners: filters::owners(ctx, &self.owner, self.id.is_some()).await?,
        };
        let (count, ids) = ctx.store.system_machines_page(&filter, window).await?;
        Ok(Reply::list(count, views::routers(&ctx.store, &ids).await?))
    }
}
