//! `listHypervisors` (`contract/entities.md 1.10`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::ZoneRef;
use crate::store::{ClusterFilter, Window};
use crate::views;

/// What CloudStack names when no setting says otherwise.
const DEFAULT_LIST: &str = "KVM,VMware,XenServer,Hyperv,BareMetal,Ovm,LXC,Ovm3,External";

crate::command! {
    /// Lists hypervisors by name. Only machines on Hyper-V are moved here.
    pub struct ListHypervisors {
        /// Those of the clusters of this zone, one entry for each cluster.
        zone_id "zoneid": Option<Id<ZoneRef>>,
    }
    name "listHypervisors", kind Sync, http Get, response [HypervisorView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.resource.ListHypervisorsCmd"
}

crate::response! {
    /// A hypervisor.
    pub struct HypervisorView as "hypervisor" {
        /// Its name.
        name: String,
    }
}

impl SyncCommand for ListHypervisors {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let names: Vec<String> = match self.zone_id {
            None => {
                let setting = ctx.store.settings_named(&["hypervisor.list"]).await?.remove("hypervisor.list");
                let list = setting.filter(|list| !list.is_empty()).unwrap_or_else(|| DEFAULT_LIST.to_owned());
                list.split(',').map(|name| name.trim().to_owned()).collect()
            }
            Some(zone) => {
                let filter = ClusterFilter { zone_id: Some(zone.number()), ..ClusterFilter::default() };
                let (_, ids) = ctx.store.clusters_page(&filter, Window::default()).await?;
                let clusters = views::clusters(&ctx.store, &ids).await?;
                clusters.into_iter().filter_map(|cluster| cluster.hypervisor_type).collect()
            }
        };
        Ok(Reply::all(names.into_iter().map(|name| HypervisorView { name })))
    }
}
