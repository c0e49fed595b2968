//! `listOsCategories`.

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::GuestOsCategoryRef;
use crate::views::{self, OsCategoryView};

crate::command! {
    /// Lists families of guest systems.
    pub struct ListOsCategories {
        /// Only this one.
        id: Option<Id<GuestOsCategoryRef>>,
        /// Only the one with exactly this name.
        name: Option<String> [since("3.0.1")],
        /// Only families that stand in front, or only others.
        is_featured "isfeatured": Option<bool> [since("4.21.0")],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool> [since("4.21.0")],
        /// Page and search word.
        page: Page,
    }
    name "listOsCategories", kind Sync, http Get, response [OsCategoryView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.guest.ListGuestOsCategoriesCmd"
}

impl SyncCommand for ListOsCategories {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let words = (self.name.as_deref(), self.page.keyword.as_deref());
        let id = self.id.map(|id| id.number());
        let (count, rows) = ctx.store.os_categories(id, words, self.is_featured, window).await?;
        Ok(Reply::list(count, views::os_categories(&rows)?))
    }
}
