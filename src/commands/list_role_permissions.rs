//! `listRolePermissions` (`contract/entities.md 3.21`).

use super::{Ctx, SyncCommand, list_roles};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::RoleRef;
use crate::model::signed;
use crate::store::{RoleFilter, Window};
use crate::views::{self, RolePermissionView};

crate::command! {
    /// Lists the rules of a role, or of all roles, in the order in which they are tried.
    pub struct ListRolePermissions {
        /// Only the rules of this role.
        role_id "roleid": Option<Id<RoleRef>>,
        /// Page and search word. The word has no effect.
        page: Page,
    }
    name "listRolePermissions", since "4.9.0", kind Sync, http Get, response [RolePermissionView],
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.acl.ListRolePermissionsCmd"
}

impl SyncCommand for ListRolePermissions {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let id = self.role_id.map(|id| id.number());
        let rules = if ctx.caller.is_root_admin() {
            views::role_permissions(&ctx.store, id).await?
        } else {
            visible_rules(ctx, id).await?
        };
        let count = signed(rules.len());
        Ok(Reply::list(count, self.page.cut(rules)))
    }
}

/// The rules of the roles that `listRoles` shows the caller.
async fn visible_rules(ctx: &Ctx, id: Option<i64>) -> Result<Vec<RolePermissionView>, ApiError> {
    let filter = RoleFilter { id, ..list_roles::visible(&ctx.caller, None) };
    let (_, roles) = ctx.store.roles_page(&filter, Window::default()).await?;
    let mut rules = Vec::new();
    for role in roles {
        rules.extend(views::role_permissions(&ctx.store, Some(role)).await?);
    }
    Ok(rules)
}
