//! `listOsTypes` (`contract/entities.md 1.11`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{GuestOsCategoryRef, GuestOsRef};
use crate::store::GuestOsFilter;
use crate::views::{self, OsTypeView};

crate::command! {
    /// Lists guest systems: what may run inside a machine.
    pub struct ListOsTypes {
        /// Only this one.
        id: Option<Id<GuestOsRef>>,
        /// Only these. Not together with `id`.
        ids: Option<Vec<Id<GuestOsRef>>> [since("4.22.1")],
        /// Only those of this family.
        category_id "oscategoryid": Option<Id<GuestOsCategoryRef>>,
        /// Only the one with exactly this name.
        description: Option<String> [since("3.0.1")],
        /// Page and search word.
        page: Page,
    }
    name "listOsTypes", kind Sync, http Get, response [OsTypeView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.guest.ListGuestOsCmd"
}

impl SyncCommand for ListOsTypes {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = GuestOsFilter {
            ids: filters::ids(self.id, self.ids.as_deref())?,
            category_id: self.category_id.map(|id| id.number()),
            name: self.description,
            keyword: self.page.keyword,
        };
        let (count, ids) = ctx.store.guest_os_page(&filter, window).await?;
        Ok(Reply::list(count, views::os_types(&ctx.store, &ids).await?))
    }
}
