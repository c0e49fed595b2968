//! `listUserKeyRules` (`contract/entities.md 2.9`).

use super::{Ctx, SyncCommand, key_pairs};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::KeyPairRef;
use crate::model::signed;
use crate::views::{self, KeyPermissionView};

crate::command! {
    /// Lists what a key pair may be used for, in the order in which the rules are tried: its own rules, or those of its role.
    pub struct ListUserKeyRules {
        /// The pair.
        key_pair_id "keypairid": Id<KeyPairRef>,
        /// Page and search word. The word has no effect.
        page: Page,
    }
    name "listUserKeyRules", since "4.23.0", kind Sync, http Get, response [KeyPermissionView],
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.user.ListUserKeyRulesCmd"
}

impl SyncCommand for ListUserKeyRules {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let id = self.key_pair_id.number();
        let owner = ctx.store.key_user(id).await?.ok_or_else(|| no_pair(id))?;
        key_pairs::user(ctx, owner).await?;
        let rules = views::permissions_of_key(&ctx.store, id).await?;
        let count = signed(rules.len());
        Ok(Reply::list(count, self.page.cut(rules)))
    }
}

/// 431: there is no such pair (any more).
pub(super) fn no_pair(id: i64) -> ApiError {
    ApiError::invalid_parameter(format!("No keypair found with the id [{id}]."))
}
