//! `listPods` (`contract/entities.md 1.2`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{PodRef, ZoneRef};
use crate::store::PodFilter;
use crate::views::{self, PodView};

crate::command! {
    /// Lists pods.
    pub struct ListPods {
        /// Only this pod.
        id: Option<Id<PodRef>>,
        /// Only pods with exactly this name.
        name: Option<String> [java("podName")],
        /// Only pods in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only pods that are `Enabled` or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// Also how much is left. Has no effect here.
        show_capacities "showcapacities": Option<bool>,
        /// Only pods with this access group.
        storage_access_group "storageaccessgroup": Option<String> [since("4.21.0")],
        /// Page and search word.
        page: Page,
    }
    name "listPods", kind Sync, http Get, response [PodView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.pod.ListPodsByCmd"
}

impl SyncCommand for ListPods {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = PodFilter {
            id: self.id.map(|id| id.number()),
            name: self.name,
            keyword: self.page.keyword,
            zone_id: self.zone_id.map(|id| id.number()),
            allocation_state: self.allocation_state,
            storage_access_group: self.storage_access_group,
        };
        let (count, ids) = ctx.store.pods_page(&filter, window).await?;
        Ok(Reply::list(count, views::pods(&ctx.store, &ids).await?))
    }
}
