//! `listHypervisorCapabilities` (`contract/migration.md 1.2, 6`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::HypervisorCapabilitiesRef;
use crate::views::{self, CapabilitiesView};

crate::command! {
    /// Lists what versions of hypervisors can do.
    pub struct ListHypervisorCapabilities {
        /// Only this row.
        id: Option<Id<HypervisorCapabilitiesRef>>,
        /// Only rows of this hypervisor.
        hypervisor: Option<String>,
        /// Page and search word.
        page: Page,
    }
    name "listHypervisorCapabilities", since "3.0.0", kind Sync, http Get, response [CapabilitiesView],
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.config.ListHypervisorCapabilitiesCmd"
}

impl SyncCommand for ListHypervisorCapabilities {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let id = self.id.map(|id| id.number());
        let (hypervisor, keyword) = (self.hypervisor.as_deref(), self.page.keyword.as_deref());
        let (count, ids) = ctx.store.capabilities_page(id, hypervisor, keyword, window).await?;
        Ok(Reply::list(count, views::capabilities(&ctx.store, &ids).await?))
    }
}
