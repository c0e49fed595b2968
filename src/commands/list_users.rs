//! `listUsers` (`contract/entities.md 1.13`).

use super::{Ctx, SyncCommand, filters, key_pairs};
use crate::api::{AccountScope, ApiError, Id, Page, Reply};
use crate::auth::AccountType;
use crate::model::entity::UserRef;
use crate::store::UserFilter;
use crate::views::UserView;

crate::command! {
    /// Lists users.
    pub struct ListUsers {
        /// Only users of accounts of this type: 0 user, 1 root admin, 2 domain admin, 3 resource domain admin.
        account_type "accounttype": Option<i32>,
        /// Only this user.
        id: Option<Id<UserRef>>,
        /// Only users in this state: `enabled`, `disabled` or `locked`.
        state: Option<String>,
        /// Only the user with this name; `%` stands for any letters.
        username: Option<String>,
        /// Only users with this set about their keys: `Enabled`, `Disabled` or `Inherit`. Root admins only.
        key_access "apikeyaccess": Option<String> [since("4.20.1.0"), root_only(true)],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Only users who come from here, such as `native` or `ldap`.
        source "usersource": Option<String> [since("4.21.0.0")],
        /// Of whose accounts.
        owner: AccountScope,
        /// Page and search word.
        page: Page,
    }
    name "listUsers", kind Sync, http Get, response [UserView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.admin.user.ListUsersCmd"
}

/// Where users come from, as CloudStack spells it (`contract/entities.md 4.6`).
const SOURCES: [&str; 6] = ["NATIVE", "LDAP", "SAML2", "SAML2DISABLED", "OAUTH2", "UNKNOWN"];

impl SyncCommand for ListUsers {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = self.filter(ctx).await?;
        let (count, ids) = ctx.store.users_page(&filter, window).await?;
        Ok(Reply::list(count, key_pairs::user_views(ctx, &ids).await?))
    }
}

impl ListUsers {
    async fn filter(self, ctx: &Ctx) -> Result<UserFilter, ApiError> {
        let mut id = self.id.map(|id| id.number());
        // Who shares an account with others sees himself all the same.
        if ctx.caller.account_type == AccountType::Normal {
            let own = ctx.caller.user_id;
            if id.is_some_and(|id| id != own) {
                return Err(ApiError::permission_denied(
                    "Calling user is not authorized to see the user requested by id",
                ));
            }
            id = Some(own);
        }
        let source = match self.source.as_deref().filter(|word| !word.is_empty()) {
            None => None,
            Some(word) => {
                let known = SOURCES.iter().find(|known| known.eq_ignore_ascii_case(word));
                let unknown = || ApiError::invalid_parameter(format!("Invalid user source: {word}"));
                Some((*known.ok_or_else(unknown)?).to_owned())
            }
        };
        Ok(UserFilter {
            owners: filters::owners(ctx, &self.owner.into(), id.is_some()).await?,
            id,
            keyword: self.page.keyword,
            username: self.username,
            state: self.state,
            account_type: self.account_type.map(i64::from),
            source,
            key_access: filters::key_access(ctx, self.key_access.as_deref())?,
        })
    }
}
