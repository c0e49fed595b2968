//! `listDomainChildren`: the domains below one, as `listDomains` shows them (`contract/entities.md 1.15`). The web interface has its
//! tree of domains from here.

use super::filters::{self, Domain};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::DomainRef;
use crate::store::DomainFilter;
use crate::views::{self, DomainView, Words};

crate::command! {
    /// Lists the domains below a domain.
    pub struct ListDomainChildren {
        /// The domain above them; the caller's own without it.
        id: Option<Id<DomainRef>>,
        /// Also those that are further below.
        is_recursive "isrecursive": Option<bool>,
        /// Has no effect: all that the caller may see are listed.
        list_all "listall": Option<bool>,
        /// Only domains with this in their name.
        name: Option<String> [java("domainName")],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Page and search word.
        page: Page,
    }
    name "listDomainChildren", kind Sync, http Get, response [DomainView],
    roles [Admin, ResourceAdmin, DomainAdmin],
    java "org.apache.cloudstack.api.command.admin.domain.ListDomainChildrenCmd"
}

impl SyncCommand for ListDomainChildren {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let caller = &ctx.caller;
        let above = Domain::open(ctx, self.id.map_or(caller.domain_id, |id| id.number())).await?;
        // Below the own domain only admins look.
        if !caller.is_root_admin() && !caller.is_domain_admin() {
            return Ok(Reply::list(0, Vec::<DomainView>::new()));
        }
        let mut filter =
            DomainFilter { keyword: self.page.keyword, part_of_name: self.name, ..DomainFilter::default() };
        if self.is_recursive == Some(true) {
            filter.tree = Some(above.path);
            filter.without = Some(above.id);
        } else {
            filter.parent = Some(above.id);
        }
        let (count, ids) = ctx.store.domains_page(&filter, window).await?;
        Ok(Reply::list(count, views::domains(&ctx.store, &ids, &Words::least()).await?))
    }
}
