//! `listAlerts` (`contract/entities.md 1.19`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::AlertRef;
use crate::store::AlertFilter;
use crate::views::{self, AlertView};

crate::command! {
    /// Lists alerts: what wants an administrator's attention.
    pub struct ListAlerts {
        /// Only this alert.
        id: Option<Id<AlertRef>>,
        /// Only alerts whose type has this number.
        kind "type": Option<String>,
        /// Only alerts whose type has this name.
        name: Option<String> [since("4.3")],
        /// Page and search word.
        page: Page,
    }
    name "listAlerts", kind Sync, http Get, response [AlertView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.resource.ListAlertsCmd"
}

impl SyncCommand for ListAlerts {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = AlertFilter {
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            kind: filters::alert_kind(self.kind)?,
            name: self.name,
        };
        let (count, ids) = ctx.store.alerts_page(&filter, window).await?;
        Ok(Reply::list(count, views::alerts(&ctx.store, &ids).await?))
    }
}
