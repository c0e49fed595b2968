//! `resetApiLimit` (`contract/api-protocol.md 9.5`).

use super::get_api_limit::not_counted;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::entity::AccountRef;

crate::command! {
    /// Forgets the calls that an account has made, so that it may call again at once.
    pub struct ResetApiLimit {
        /// The account. Without it, the caller's own.
        account: Option<Id<AccountRef>>,
    }
    name "resetApiLimit", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.ratelimit.ResetApiLimitCmd"
}

impl SyncCommand for ResetApiLimit {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        if !ctx.policy.throttle.enabled {
            return Err(not_counted());
        }
        ctx.calls.reset(self.account.map_or(ctx.caller.account_id, |account| account.number()));
        Ok(Reply::success())
    }
}
