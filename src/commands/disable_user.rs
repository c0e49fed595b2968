//! `disableUser` (`contract/entities.md 3.19`).

use std::collections::HashMap;

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx, privilege};
use crate::api::{ApiError, Id, Node, Response};
use crate::model::entity::{EntityKind, UserRef};
use crate::store::transact;
use crate::views::{self, UserView};

crate::command! {
    /// Keeps a user out: neither its password nor its keys are taken any more.
    pub struct DisableUser {
        /// The user.
        id: Id<UserRef>,
    }
    name "disableUser", kind Async, http Post, response UserView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.DisableUserCmd"
}

impl AsyncCommand for DisableUser {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let id = self.id.number();
        let uuid = ctx.public_id(EntityKind::User, id).await?;
        let user = ctx.store.user_by_id(id).await?;
        Ok(EventDraft {
            event_type: "USER.DISABLE",
            description: format!("disabling user: {uuid}"),
            owner_account_id: user.map_or(privilege::SYSTEM, |user| user.account.id),
            resource: Some((InstanceType::User, id)),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::User, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        let id = self.id.number();
        let store = &ctx.ctx.store;
        let uuid = ctx.ctx.public_id(EntityKind::User, id).await?;
        ctx.begin(&format!("disabling User. User ID: {uuid}")).await?;
        let user = privilege::user(&ctx.ctx, id, "disabling").await?;
        transact!(store, ApiError, |tx| { Ok(tx.user_set_state(user.id, "disabled").await?) })?;
        // Which key pair signed the call is not known to its job, so no half of any is given away.
        let views = views::users(store, &ctx.ctx.caller, &[user.id], &HashMap::new()).await?;
        let view = views.into_iter().next().ok_or_else(|| ApiError::command_failed("Failed to disable user"))?;
        Ok(Node::wrap(UserView::SPEC.object, view.into_node()))
    }
}
