//! `getApiLimit` (`contract/api-protocol.md 9.5`). Calls are not limited here, and CloudStack's answer to that is a refusal.

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, ErrorCode, Reply, cs_code};

crate::command! {
    /// Shows how many calls an account may still make. Calls are not limited here, so this is refused.
    pub struct GetApiLimit {}
    name "getApiLimit", kind Sync, http Get, response ApiLimitView,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.ratelimit.GetApiLimitCmd"
}

crate::response! {
    /// How many calls an account may still make.
    pub struct ApiLimitView as "apilimit" {
        /// The id of the account.
        account_id "accountid": String,
        /// The name of the account.
        account: String,
        /// Calls that were made.
        issued "apiIssued": i64,
        /// Calls that are left.
        allowed "apiAllowed": i64,
        /// Until the count begins anew.
        expires_after "expireAfter": i64,
    }
}

impl SyncCommand for GetApiLimit {
    async fn run(self, _: &Ctx) -> Result<Reply, ApiError> {
        Err(ApiError::new(
            ErrorCode::UnsupportedAction,
            cs_code::COMMAND,
            "This api is only available when api.throttling.enabled = true.",
        ))
    }
}
