//! `enableAccount` (`contract/entities.md 3.18`).

use super::audit::{Deed, watched};
use super::named_account::NamedAccount;
use super::{Ctx, InstanceType, SyncCommand, key_pairs};
use crate::api::{ApiError, Reply};
use crate::store::transact;
use crate::views::{AccountView, Words};

crate::command! {
    /// Lets an account in again that was disabled or locked. Users of it that were disabled themselves stay so.
    pub struct EnableAccount {
        /// Which account.
        which: NamedAccount,
    }
    name "enableAccount", kind Sync, http Post, response AccountView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.account.EnableAccountCmd"
    admin "org.apache.cloudstack.api.command.admin.account.EnableAccountCmdByAdmin"
}

impl SyncCommand for EnableAccount {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let deed = Deed::new("ACCOUNT.ENABLE", "enabling account");
        let id = watched(ctx, std::slice::from_ref(&deed), enable(ctx, &self.which, &deed).await).await?;
        let views = key_pairs::account_views(ctx, &[id], &Words::all()).await?;
        Ok(Reply::one(views.into_iter().next().ok_or_else(|| ApiError::command_failed("Failed to enable account"))?))
    }
}

async fn enable(ctx: &Ctx, which: &NamedAccount, deed: &Deed) -> Result<i64, ApiError> {
    let account = which.open(ctx, "enable").await?;
    transact!(ctx.store, ApiError, |tx| {
        tx.account_set_state(account.id, "enabled").await?;
        deed.done(tx, ctx, (InstanceType::Account, account.id)).await?;
        Ok(account.id)
    })
}
