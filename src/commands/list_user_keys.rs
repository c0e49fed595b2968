//! `listUserKeys` (`contract/entities.md 2.9`).

use super::filters::{self, not_yours};
use super::{Ctx, SyncCommand, key_pairs, privilege};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{KeyPairRef, UserRef};
use crate::store::KeyFilter;
use crate::views::{self, KeyView};

crate::command! {
    /// Lists key pairs: those of the caller, of another user, or of all users in reach.
    pub struct ListUserKeys {
        /// Only those of this user.
        user_id "userid": Option<Id<UserRef>>,
        /// Only this pair.
        key_pair_id "keypairid": Option<Id<KeyPairRef>>,
        /// Only the pair with this public half.
        api_key "apikeyfilter": Option<String>,
        /// Also what each may be used for.
        show_permissions "showpermissions": Option<bool>,
        /// Those of all users in reach. Admins only.
        list_all "listall": Option<bool>,
        /// Page and search word.
        page: Page,
    }
    name "listUserKeys", since "4.23.0", kind Sync, http Get, response [KeyView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.admin.user.ListUserKeysCmd"
}

impl SyncCommand for ListUserKeys {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let with_permissions = self.show_permissions == Some(true);
        let filter = self.filter(ctx).await?;
        let (count, ids) = ctx.store.keys_page(&filter, window).await?;
        let visible = key_pairs::visible_users(ctx, &ids).await?;
        Ok(Reply::list(count, views::keys(&ctx.store, &ctx.caller, &ids, &visible, with_permissions).await?))
    }
}

impl ListUserKeys {
    async fn filter(self, ctx: &Ctx) -> Result<KeyFilter, ApiError> {
        let caller = &ctx.caller;
        let is_admin = caller.is_root_admin() || caller.is_domain_admin();
        let mut filter = KeyFilter {
            id: self.key_pair_id.map(|id| id.number()),
            api_key: self.api_key.filter(|key| !key.is_empty()),
            keyword: self.page.keyword,
            ..KeyFilter::default()
        };
        let owner = match (self.user_id, self.key_pair_id) {
            (Some(user), _) => Some(user.number()),
            (None, Some(key)) => ctx.store.key_user(key.number()).await?,
            (None, None) => None,
        };
        if let Some(owner) = owner {
            if owner != caller.user_id {
                let user = ctx.store.user_by_id(owner).await?.ok_or_else(not_yours)?;
                privilege::reach(ctx, &user.account)?;
                if !is_admin {
                    return Err(not_yours());
                }
            }
            filter.user_id = Some(owner);
        } else if is_admin && self.list_all == Some(true) {
            filter.domain_tree = (!caller.is_root_admin()).then(|| caller.domain_path.clone());
        } else {
            filter.user_id = Some(caller.user_id);
        }
        Ok(filter)
    }
}
