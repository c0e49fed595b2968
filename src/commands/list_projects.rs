//! `listProjects` (`contract/entities.md 1.16`).

use super::filters::{self};
use super::{Ctx, SyncCommand};
use crate::api::{AccountScope, ApiError, Id, Page, Reply, Rows};
use crate::model::entity::ProjectRef;
use crate::store::ProjectFilter;
use crate::views::{self, OWNER_DETAILS, ProjectView, Words};

crate::command! {
    /// Lists projects.
    pub struct ListProjects {
        /// Only this project.
        id: Option<Id<ProjectRef>>,
        /// Only the project with exactly this name.
        name: Option<String>,
        /// Only projects with exactly this text.
        display_text "displaytext": Option<String>,
        /// Only projects in this state: `Active`, `Disabled` or `Suspended`.
        state: Option<String>,
        /// Only projects with one of these tags, as `tags[0].key=...` and `tags[0].value=...`.
        tags: Option<Rows>,
        /// Only projects with the user of this name as a member.
        username: Option<String>,
        /// What to show: `all`, `resource` or `min`, separated by commas.
        details: Option<Vec<String>>,
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Of which members.
        owner: AccountScope,
        /// Page and search word.
        page: Page,
    }
    name "listProjects", since "3.0.0", kind Sync, http Get, response [ProjectView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.project.ListProjectsCmd"
    admin "org.apache.cloudstack.api.command.admin.project.ListProjectsCmdByAdmin"
}

impl SyncCommand for ListProjects {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let words = Words::parse(self.details.as_deref(), OWNER_DETAILS)
            .map_err(|error| ApiError::invalid_parameter(error.to_string()))?;
        let window = filters::window(&self.page, None);
        let filter = self.filter(ctx).await?;
        let (count, ids) = ctx.store.projects_page(&filter, window).await?;
        Ok(Reply::list(count, views::projects(&ctx.store, &ids, &words).await?))
    }
}

impl ListProjects {
    async fn filter(self, ctx: &Ctx) -> Result<ProjectFilter, ApiError> {
        let caller = &ctx.caller;
        let is_admin = caller.is_root_admin() || caller.is_domain_admin();
        let is_named = self.owner.account.is_some() || self.owner.domain_id.is_some();
        let lists_all = self.owner.list_all == Some(true) || self.id.is_some();
        // Accounts and domains are looked up, and refused, as for things that have an owner.
        let owners = filters::owners(ctx, &self.owner.into(), self.id.is_some()).await?;
        let mut filter = ProjectFilter {
            id: self.id.map(|id| id.number()),
            username: self.username.filter(|name| !name.is_empty()),
            domain_id: owners.domain_id,
            domain_tree: owners.domain_tree,
            keyword: self.page.keyword,
            name: self.name,
            display_text: self.display_text,
            state: self.state,
            tags: filters::tags(self.tags.as_ref()),
            ..ProjectFilter::default()
        };
        if !is_admin || !(lists_all || is_named) {
            filter.member_user = Some((caller.account_id, caller.user_id));
        } else if is_named {
            filter.member_account = owners.accounts.and_then(|accounts| accounts.first().copied());
        }
        Ok(filter)
    }
}
