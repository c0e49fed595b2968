//! What the commands about key pairs share: whose pairs a caller may work on, and which halves it may have
//! (`contract/entities.md 2.9`). Users and accounts are shown with the halves that the caller may have.

use std::collections::{HashMap, HashSet};

use super::privilege::{no_escalation, reach, stands_below};
use super::{Ctx, privilege};
use crate::api::{ApiError, ErrorCode};
use crate::auth::Rule;
use crate::store::{Account, PublicHalf, User};
use crate::views::{self, AccountView, UserView, Words};

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
    stands_below(ctx, &user.account, Some(user.id)).await?;
    no_escalation(ctx, user.account.role_id, &user.account.role_type).await?;
    Ok(user)
}

/// The users of key pairs. Of those the caller may have the halves of their pairs: the own ones, and those of accounts that
/// are allowed nothing that the caller is not. An administrator who may only look must not get the keys of one who may act.
///
/// # Errors
/// 530 when the database fails.
pub(super) async fn visible_users(ctx: &Ctx, key_ids: &[i64]) -> Result<HashSet<i64>, ApiError> {
    let users = ctx.store.users_of_keys(key_ids).await?;
    visible_of(ctx, &users).await
}

/// The same of users, each with its account.
async fn visible_of(ctx: &Ctx, users: &[(i64, i64)]) -> Result<HashSet<i64>, ApiError> {
    let caller = &ctx.caller;
    let mut visible: HashSet<i64> =
        users.iter().map(|(user, _)| *user).filter(|user| *user == caller.user_id).collect();
    if !caller.is_root_admin() && !caller.is_domain_admin() {
        return Ok(visible);
    }
    let accounts: HashSet<i64> = users.iter().map(|(_, account)| *account).collect();
    let accounts = ctx.store.accounts_by_ids(&accounts.into_iter().collect::<Vec<_>>()).await?;
    // A list has users of many accounts, and those share a few roles.
    let mut roles = HashMap::new();
    for (user_id, account_id) in users {
        if !visible.contains(user_id)
            && let Some(account) = accounts.get(account_id)
            && may_have_keys(ctx, account, *user_id, &mut roles).await?
        {
            visible.insert(*user_id);
        }
    }
    Ok(visible)
}

/// `roles` are those that were looked at already: whether they allow nothing that the caller may not do.
async fn may_have_keys(
    ctx: &Ctx,
    account: &Account,
    user_id: i64,
    roles: &mut HashMap<i64, bool>,
) -> Result<bool, ApiError> {
    if !granted(stands_below(ctx, account, Some(user_id)).await)? {
        return Ok(false);
    }
    if let Some(known) = roles.get(&account.role_id) {
        return Ok(*known);
    }
    let is_within = granted(no_escalation(ctx, account.role_id, &account.role_type).await)?;
    roles.insert(account.role_id, is_within);
    Ok(is_within)
}

/// Whether a check let the caller through.
///
/// # Errors
/// What is no refusal.
fn granted(checked: Result<(), ApiError>) -> Result<bool, ApiError> {
    match checked {
        Ok(()) => Ok(true),
        Err(error) if error.code == ErrorCode::Account => Ok(false),
        Err(error) => Err(error),
    }
}

/// The public halves that the caller may have, by user: of each user that of the newest such pair. Of each user the newest of
/// `halves` comes first.
async fn newest_visible(ctx: &Ctx, halves: Vec<PublicHalf>) -> Result<HashMap<i64, String>, ApiError> {
    let users: HashSet<(i64, i64)> = halves.iter().map(|half| (half.user_id, half.account_id)).collect();
    let visible = visible_of(ctx, &users.into_iter().collect::<Vec<_>>()).await?;
    let halves: Vec<PublicHalf> = halves.into_iter().filter(|half| visible.contains(&half.user_id)).collect();
    let ids: Vec<i64> = halves.iter().map(|half| half.id).collect();
    let mut rules = ctx.store.rules_of_keys(&ids).await?;
    let mut newest = HashMap::new();
    for half in halves {
        let rules: Vec<Rule> = rules.remove(&half.id).unwrap_or_default().into_iter().map(Rule::from).collect();
        if ctx.caller.may_see_key(half.id, &rules) {
            newest.entry(half.user_id).or_insert(half.api_key);
        }
    }
    Ok(newest)
}

/// Users as the caller may see them, with the public halves that it may have.
///
/// # Errors
/// 530 when the database fails.
pub(super) async fn user_views(ctx: &Ctx, ids: &[i64]) -> Result<Vec<UserView>, ApiError> {
    let keys = newest_visible(ctx, ctx.store.halves_of_users(ids).await?).await?;
    Ok(views::users(&ctx.store, &ctx.caller, ids, &keys).await?)
}

/// Accounts as the caller may see them, with the public halves of their users' pairs that it may have.
///
/// # Errors
/// 530 when the database fails.
pub(super) async fn account_views(ctx: &Ctx, ids: &[i64], words: &Words) -> Result<Vec<AccountView>, ApiError> {
    let keys = newest_visible(ctx, ctx.store.halves_of_accounts(ids).await?).await?;
    Ok(views::accounts(&ctx.store, &ctx.caller, ids, words, &keys).await?)
}
