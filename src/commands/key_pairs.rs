//! What the commands about key pairs share: whose pairs a caller may work on, and which halves it may have
//! (`contract/entities.md 2.9`).

use std::collections::{HashMap, HashSet};

use super::privilege::{no_escalation, operate, reach};
use super::{Ctx, privilege};
use crate::api::ApiError;
use crate::store::{Account, User};

/// A user whose key pairs the caller may work on.
///
/// # Errors
/// 431 when there is no such user or it is out of reach, 531 when it stands above the caller or is somebody else's and the
/// caller no admin; 530 when the database fails.
pub(super) async fn user(ctx: &Ctx, id: i64) -> Result<User, ApiError> {
    let Some(user) = ctx.store.user_by_id(id).await? else {
        return Err(ApiError::invalid_parameter(format!("Unable to find user by id: {id}")));
    };
    if user.account.id == privilege::SYSTEM {
        return Err(ApiError::permission_denied(format!(
            "User id : {} is system account, operations on API Keys are not allowed.",
            user.uuid
        )));
    }
    let caller = &ctx.caller;
    if reach(ctx, &user.account).is_err() {
        return Err(ApiError::invalid_parameter(format!(
            "Could not perform operation because calling user has less permissions than the informed user [{id}]."
        )));
    }
    if user.id == caller.user_id {
        return Ok(user);
    }
    if !caller.is_root_admin() && !caller.is_domain_admin() {
        return Err(ApiError::permission_denied("Only admins can operate on API keys owned by other users"));
    }
    operate(ctx, &user.account, Some(user.id)).await?;
    no_escalation(ctx, user.account.role_id, &user.account.role_type).await?;
    Ok(user)
}

/// The users of key pairs. Of those the caller may have the halves of their pairs: the own ones, and those of accounts that
/// are allowed nothing that the caller is not. An administrator who may only look must not get the keys of one who may act.
///
/// # Errors
/// 530 when the database fails.
pub(super) async fn visible_users(ctx: &Ctx, key_ids: &[i64]) -> Result<HashSet<i64>, ApiError> {
    let mut visible = HashSet::new();
    let mut accounts: HashMap<i64, bool> = HashMap::new();
    for (user_id, account_id) in ctx.store.users_of_keys(key_ids).await? {
        if user_id == ctx.caller.user_id {
            visible.insert(user_id);
            continue;
        }
        let is_shown = match accounts.get(&account_id) {
            Some(known) => *known,
            None => {
                let account = ctx.store.account_by_id(account_id).await?;
                let is_shown = match account {
                    Some(account) => may_have_keys(ctx, &account, user_id).await?,
                    None => false,
                };
                accounts.insert(account_id, is_shown);
                is_shown
            }
        };
        if is_shown {
            visible.insert(user_id);
        }
    }
    Ok(visible)
}

async fn may_have_keys(ctx: &Ctx, account: &Account, user_id: i64) -> Result<bool, ApiError> {
    let caller = &ctx.caller;
    if !caller.is_root_admin() && !caller.is_domain_admin() {
        return Ok(false);
    }
    for checked in
        [operate(ctx, account, Some(user_id)).await, no_escalation(ctx, account.role_id, &account.role_type).await]
    {
        match checked {
            Ok(()) => {}
            Err(error) if error.code == crate::api::ErrorCode::Account => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
