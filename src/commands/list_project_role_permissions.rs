//! `listProjectRolePermissions` (CloudStack's `ListProjectRolePermissionsCmd`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{ProjectRef, ProjectRoleRef};
use crate::model::signed;
use crate::views::{self, ProjectRolePermissionView};

crate::command! {
    /// Lists the rules of a role inside a project, or of all roles of the project, in the order in which they are tried.
    pub struct ListProjectRolePermissions {
        /// The project.
        project_id "projectid": Id<ProjectRef>,
        /// Only the rules of this role.
        role_id "projectroleid": Option<Id<ProjectRoleRef>>,
        /// Page and search word. The word has no effect.
        page: Page,
    }
    name "listProjectRolePermissions", since "4.15.0", kind Sync, http Get, response [ProjectRolePermissionView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.admin.acl.project.ListProjectRolePermissionsCmd"
}

impl SyncCommand for ListProjectRolePermissions {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let project_id = self.project_id.number();
        filters::project_account(ctx, project_id).await?;
        let role_id = self.role_id.map(|id| id.number());
        let rules = views::project_role_permissions(&ctx.store, project_id, role_id).await?;
        let count = signed(rules.len());
        Ok(Reply::list(count, self.page.cut(rules)))
    }
}
