//! `getUserKeys` (`contract/entities.md 2.9`).

use super::filters::not_yours;
use super::{Ctx, SyncCommand, key_pairs, privilege};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::UserRef;
use crate::views;

crate::command! {
    /// Shows a key pair of a user: the one that signed the call, or the newest.
    pub struct GetUserKeys {
        /// The user.
        id: Id<UserRef>,
    }
    name "getUserKeys", since "4.10.0", kind Sync, http Get, response UserKeysView,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.admin.user.GetUserKeysCmd"
}

crate::response! {
    /// The halves of a key pair.
    pub struct UserKeysView as "userkeys" {
        /// The public half; absent when there is none, or the caller may not have it.
        api_key "apikey": Option<String>,
        /// The secret half; absent likewise.
        secret_key "secretkey": Option<String>,
        /// Whether keys of the user may be used at all.
        key_access "apikeyaccess": bool,
    }
}

impl SyncCommand for GetUserKeys {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter("Unable to find user by id");
        let user = ctx.store.user_by_id(id).await?.ok_or_else(unknown)?;
        privilege::reach(ctx, &user.account)?;
        let caller = &ctx.caller;
        if user.id != caller.user_id && !caller.is_root_admin() && !caller.is_domain_admin() {
            return Err(not_yours());
        }
        let signing = caller.key.as_ref().filter(|_| user.id == caller.user_id).map(|key| key.id);
        let key = match signing {
            Some(key) => Some(key),
            None => ctx.store.newest_key(user.id).await?,
        };
        let ids: Vec<i64> = key.into_iter().collect();
        let visible = key_pairs::visible_users(ctx, &ids).await?;
        let pair = views::keys(&ctx.store, caller, &ids, &visible, false).await?.into_iter().next();
        let (api_key, secret_key) = pair.map_or((None, None), |pair| (pair.api_key, pair.secret_key));
        let key_access = ctx.store.key_access_of(user.id).await?;
        Ok(Reply::one(UserKeysView { api_key, secret_key, key_access }))
    }
}
