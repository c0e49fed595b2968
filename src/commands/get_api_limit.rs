//! `getApiLimit` (`contract/api-protocol.md 9.5`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, ErrorCode, Reply, cs_code};
use crate::model::signed;

crate::command! {
    /// Tells how many calls the caller's account may still make.
    pub struct GetApiLimit {}
    name "getApiLimit", kind Sync, http Get, response ApiLimitView,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.ratelimit.GetApiLimitCmd"
}

crate::response! {
    /// What an account has used of the calls that it may make.
    pub struct ApiLimitView as "apilimit" {
        /// The account's id.
        account_id "accountid": String,
        /// The account's name.
        account: String,
        /// Calls made in the window that is open.
        issued "apiIssued": i64,
        /// Calls allowed in a window.
        allowed "apiAllowed": i64,
        /// When the window ends: in milliseconds when one is open, else its length in seconds, as in CloudStack.
        expire_after "expireAfter": i64,
    }
}

/// What is said where calls are not counted.
pub(super) fn not_counted() -> ApiError {
    let text = "This api is only available when api.throttling.enabled = true.";
    ApiError::new(ErrorCode::UnsupportedAction, cs_code::COMMAND, text)
}

impl SyncCommand for GetApiLimit {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let throttle = ctx.policy.throttle;
        if !throttle.enabled {
            return Err(not_counted());
        }
        let used = ctx.calls.used(ctx.caller.account_id, throttle);
        let expire_after = used.left.map_or(u128::from(throttle.interval.as_secs()), |left| left.as_millis());
        Ok(Reply::one(ApiLimitView {
            account_id: ctx.caller.account_uuid.clone(),
            account: ctx.caller.account_name.clone(),
            issued: used.calls.into(),
            allowed: throttle.max.into(),
            expire_after: signed(expire_after),
        }))
    }
}
