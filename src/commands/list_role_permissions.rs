//! `listRolePermissions` (`contract/entities.md 3.21`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::RoleRef;
use crate::model::signed;
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
        let rules = views::role_permissions(&ctx.store, self.role_id.map(|id| id.number())).await?;
        let count = signed(rules.len());
        Ok(Reply::list(count, self.page.cut(rules)))
    }
}
