//! `deleteUserKeys` (`contract/entities.md 2.9`).

use super::list_user_key_rules::no_pair;
use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx, key_pairs, privilege};
use crate::api::{ApiError, Bare, Id, Node, Response, SuccessView};
use crate::model::entity::KeyPairRef;
use crate::store::transact;

crate::command! {
    /// Takes a key pair out of use, for good.
    pub struct DeleteUserKeys {
        /// The pair.
        key_pair_id "keypairid": Id<KeyPairRef>,
    }
    name "deleteUserKeys", since "4.23.0", kind Async, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.DeleteUserKeysCmd"
}

impl AsyncCommand for DeleteUserKeys {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let id = self.key_pair_id.number();
        let mut draft = EventDraft {
            event_type: "DELETE.USER.KEY",
            description: format!("Deleting API keypair {id}"),
            owner_account_id: privilege::SYSTEM,
            resource: None,
        };
        if let Some(owner) = ctx.store.key_user(id).await?
            && let Some(user) = ctx.store.user_by_id(owner).await?
            && privilege::reach(ctx, &user.account).is_ok()
        {
            draft.owner_account_id = user.account.id;
            draft.resource = Some((InstanceType::User, user.id));
        }
        Ok(draft)
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        None
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("deleting API keypair").await?;
        let id = self.key_pair_id.number();
        let store = &ctx.ctx.store;
        let owner = store.key_user(id).await?.ok_or_else(|| no_pair(id))?;
        key_pairs::user(&ctx.ctx, owner).await?;
        transact!(store, ApiError, |tx| { Ok(tx.key_remove(id).await?) })?;
        Ok(SuccessView { success: true, display_text: None }.into_node())
    }
}
