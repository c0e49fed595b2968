//! `listProjectRoles` (CloudStack's `ListProjectRolesCmd`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{ProjectRef, ProjectRoleRef};
use crate::store::ProjectRoleFilter;
use crate::views::{self, ProjectRoleView};

crate::command! {
    /// Lists the roles that members of a project may be given in it.
    pub struct ListProjectRoles {
        /// The project.
        project_id "projectid": Id<ProjectRef>,
        /// Only this role.
        role_id "projectroleid": Option<Id<ProjectRoleRef>>,
        /// Only the role with exactly this name. Has no effect beside `projectroleid`.
        name: Option<String>,
        /// Page and search word.
        page: Page,
    }
    name "listProjectRoles", since "4.15.0", kind Sync, http Get, response [ProjectRoleView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.admin.acl.project.ListProjectRolesCmd"
}

impl SyncCommand for ListProjectRoles {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let project_id = self.project_id.number();
        filters::project_account(ctx, project_id).await?;
        let window = filters::window(&self.page, None);
        let id = self.role_id.map(|id| id.number());
        // Each of them alone, in this order.
        let name = self.name.filter(|name| id.is_none() && !name.trim().is_empty());
        let keyword = self.page.keyword.filter(|_| id.is_none() && name.is_none());
        let filter = ProjectRoleFilter { project_id, id, name, keyword };
        let (count, ids) = ctx.store.project_roles_page(&filter, window).await?;
        Ok(Reply::list(count, views::project_roles(&ctx.store, &ids).await?))
    }
}
