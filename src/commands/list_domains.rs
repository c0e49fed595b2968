//! `listDomains` (`contract/entities.md 1.15`).

use super::filters::{self, Domain};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::DomainRef;
use crate::store::DomainFilter;
use crate::views::{self, DomainView, OWNER_DETAILS, Words};

crate::command! {
    /// Lists domains.
    pub struct ListDomains {
        /// Only this domain.
        id: Option<Id<DomainRef>>,
        /// Only domains so many steps below the root.
        level: Option<i32>,
        /// Only the domain with exactly this name.
        name: Option<String>,
        /// Also the domains below the caller's own.
        list_all "listall": Option<bool>,
        /// What to show: `all`, `resource` or `min`, separated by commas.
        details: Option<Vec<String>>,
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Limits of things with this tag. There are none here.
        tag: Option<String> [since("4.20.0")],
        /// Page and search word.
        page: Page,
    }
    name "listDomains", kind Sync, http Get, response [DomainView],
    roles [Admin, ResourceAdmin, DomainAdmin],
    java "org.apache.cloudstack.api.command.admin.domain.ListDomainsCmd"
    admin "org.apache.cloudstack.api.command.admin.domain.ListDomainsCmdByAdmin"
}

impl SyncCommand for ListDomains {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let words = Words::parse(self.details.as_deref(), OWNER_DETAILS)
            .map_err(|error| ApiError::invalid_parameter(error.to_string()))?;
        let window = filters::window(&self.page, None);
        let caller = &ctx.caller;
        let mut filter = DomainFilter {
            keyword: self.page.keyword,
            name: self.name,
            level: self.level.map(i64::from),
            ..DomainFilter::default()
        };
        if let Some(id) = self.id {
            filter.id = Some(Domain::open(ctx, id.number()).await?.id);
        } else if !caller.is_root_admin() {
            // Below the own domain only admins look.
            if self.list_all == Some(true) && caller.is_domain_admin() {
                filter.tree = Some(caller.domain_path.clone());
            } else {
                filter.id = Some(caller.domain_id);
            }
        }
        let (count, ids) = ctx.store.domains_page(&filter, window).await?;
        Ok(Reply::list(count, views::domains(&ctx.store, &ids, &words).await?))
    }
}
