//! `disableAccount` (`contract/entities.md 3.18`).

use std::collections::HashMap;

use super::named_account::NamedAccount;
use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Node, Response};
use crate::store::transact;
use crate::views::{self, AccountView, Words};

crate::command! {
    /// Keeps all users of an account out: neither their passwords nor their keys are taken any more. Its machines go on
    /// running.
    pub struct DisableAccount {
        /// Which account.
        which: NamedAccount,
        /// Whether it is locked rather than disabled.
        lock: bool [java("lockRequested")],
    }
    name "disableAccount", kind Async, http Post, response AccountView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.account.DisableAccountCmd"
    admin "org.apache.cloudstack.api.command.admin.account.DisableAccountCmdByAdmin"
}

impl DisableAccount {
    /// The state that the account gets, and the word for what is done.
    const fn words(&self) -> (&'static str, &'static str) {
        if self.lock { ("locked", "locking") } else { ("disabled", "disabling") }
    }
}

impl AsyncCommand for DisableAccount {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        self.which.draft(ctx, "ACCOUNT.DISABLE", self.words().1).await
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        self.which.id.map(|id| (InstanceType::Account, id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        let (state, doing) = self.words();
        ctx.begin(&format!("{doing} account")).await?;
        let account = self.which.open(&ctx.ctx, if self.lock { "lock" } else { "disable" }).await?;
        let store = &ctx.ctx.store;
        transact!(store, ApiError, |tx| { Ok(tx.account_set_state(account.id, state).await?) })?;
        // Which key pair signed the call is not known to its job, so no half of any is given away.
        let keys = HashMap::new();
        let views = views::accounts(store, &ctx.ctx.caller, &[account.id], &Words::all(), &keys).await?;
        let failed = || ApiError::command_failed("Failed to disable account");
        let view = views.into_iter().next().ok_or_else(failed)?;
        Ok(Node::wrap(AccountView::SPEC.object, view.into_node()))
    }
}
