//! `enableUser` (`contract/entities.md 3.19`).

use super::audit::{Deed, watched};
use super::{Ctx, InstanceType, SyncCommand, key_pairs, privilege};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::{EntityKind, UserRef};
use crate::store::transact;
use crate::views::UserView;

crate::command! {
    /// Lets a user in again, and with it its account.
    pub struct EnableUser {
        /// The user.
        id: Id<UserRef>,
    }
    name "enableUser", kind Sync, http Post, response UserView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.EnableUserCmd"
}

impl SyncCommand for EnableUser {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let id = self.id.number();
        let uuid = ctx.public_id(EntityKind::User, id).await?;
        let deed = Deed::new("USER.ENABLE", format!("enabling User. UserId: {uuid}"));
        watched(ctx, std::slice::from_ref(&deed), enable(ctx, id, &deed).await).await?;
        let views = key_pairs::user_views(ctx, &[id]).await?;
        Ok(Reply::one(views.into_iter().next().ok_or_else(|| ApiError::command_failed("Failed to enable user"))?))
    }
}

async fn enable(ctx: &Ctx, id: i64, deed: &Deed) -> Result<(), ApiError> {
    let user = privilege::user(ctx, id, "enabling").await?;
    transact!(ctx.store, ApiError, |tx| {
        tx.user_set_state(user.id, "enabled").await?;
        tx.account_set_state(user.account.id, "enabled").await?;
        deed.done(tx, ctx, (InstanceType::User, user.id)).await?;
        Ok(())
    })
}
