//! `listRoles` (`contract/entities.md 3.21`).

use super::filters;
use super::privilege::rank;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, EVERYBODY, Id, Page, Reply, RoleType};
use crate::auth::Caller;
use crate::model::entity::RoleRef;
use crate::store::RoleFilter;
use crate::views::{self, RoleView};

crate::command! {
    /// Lists roles.
    pub struct ListRoles {
        /// Only this role.
        id: Option<Id<RoleRef>>,
        /// Only the role with exactly this name.
        name: Option<String>,
        /// Only roles of this type: `Admin`, `ResourceAdmin`, `DomainAdmin` or `User`.
        kind "type": Option<String> [java("roleType")],
        /// Only roles in this state: `enabled` or `disabled`.
        state: Option<String>,
        /// Page and search word.
        page: Page,
    }
    name "listRoles", since "4.9.0", kind Sync, http Get, response [RoleView],
    roles [Admin, ResourceAdmin, DomainAdmin],
    java "org.apache.cloudstack.api.command.admin.acl.ListRolesCmd"
}

/// The roles that a caller is shown, of this type where one is wanted. Roles above the caller's own are nothing to hand out, so
/// nobody is shown them.
pub(super) fn visible(caller: &Caller, wanted: Option<RoleType>) -> RoleFilter {
    let types = EVERYBODY
        .iter()
        .filter(|kind| caller.is_root_admin() || caller.role_type.is_some_and(|own| rank(**kind) >= rank(own)))
        .filter(|kind| wanted.is_none_or(|wanted| wanted == **kind))
        .map(|kind| kind.word())
        .collect();
    RoleFilter { types: Some(types), public_only: !caller.is_root_admin(), ..RoleFilter::default() }
}

impl SyncCommand for ListRoles {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let caller = &ctx.caller;
        let wanted = match self.kind.as_deref().filter(|word| !word.is_empty()) {
            None => None,
            Some(word) => Some(
                RoleType::parse(word)
                    .ok_or_else(|| ApiError::invalid_parameter(format!("Invalid role type provided: {word}")))?,
            ),
        };
        let filter = RoleFilter {
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            name: self.name,
            state: self.state,
            ..visible(caller, wanted)
        };
        let (count, ids) = ctx.store.roles_page(&filter, window).await?;
        Ok(Reply::list(count, views::roles(&ctx.store, &ids).await?))
    }
}
