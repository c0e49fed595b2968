//! Whether a caller may work on accounts and users (`contract/api-protocol.md 9.2`, `contract/entities.md 2.9, 2.10`).

use super::filters::not_yours;
use super::{COMMANDS, Ctx};
use crate::api::{ApiError, RoleType};
use crate::auth::{Rule, may_call, nothing_denied, role_may_call};
use crate::store::{Account, User};

/// The account of the administrator that comes with an installation; it stands above roles.
const FIRST_ADMIN: i64 = 2;
pub(super) use crate::model::SYSTEM_ACCOUNT as SYSTEM;
/// The number in `account.type` of the account behind a project.
pub(super) const PROJECT: i64 = 5;

/// How high a type of role stands; 0 is the highest.
pub(super) const fn rank(role: RoleType) -> u8 {
    match role {
        RoleType::Admin => 0,
        RoleType::ResourceAdmin => 1,
        RoleType::DomainAdmin => 2,
        RoleType::User => 3,
    }
}

/// Whether the caller may touch what belongs to an account: root admins everything, admins of a domain what is in it or
/// below, everybody else their own.
///
/// # Errors
/// 531 when the caller may not.
pub(super) fn reach(ctx: &Ctx, account: &Account) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    let in_tree = caller.is_domain_admin() && account.domain_path.starts_with(&caller.domain_path);
    if caller.is_root_admin() || in_tree || account.id == caller.account_id {
        return Ok(());
    }
    Err(not_yours())
}

/// Whether the caller may change an account or, when it is given, one of its users: besides [`reach`], the account must not
/// stand above the caller, nor be allowed what the caller is not. The latter holds for root admins too: whoever may set the
/// password of an account may do all that it may.
///
/// # Errors
/// 531 when the caller may not; 530 when the database fails.
pub(super) async fn operate(ctx: &Ctx, account: &Account, user_id: Option<i64>) -> Result<(), ApiError> {
    stands_below(ctx, account, user_id).await?;
    if account.kind == PROJECT {
        return Ok(());
    }
    no_escalation(ctx, account.role_id, &account.role_type).await
}

/// The part of [`operate`] that asks who stands where, and not what roles allow.
///
/// # Errors
/// As [`operate`].
pub(super) async fn stands_below(ctx: &Ctx, account: &Account, user_id: Option<i64>) -> Result<(), ApiError> {
    reach(ctx, account)?;
    if account.kind == PROJECT {
        return Ok(());
    }
    let caller = &ctx.caller;
    if caller.account_id != FIRST_ADMIN {
        stand_above(ctx, account, user_id).await?;
    }
    if !caller.is_root_admin() && account.kind == crate::auth::AccountType::Admin.number() {
        return Err(ApiError::permission_denied(format!(
            "Account [{}, {}] cannot perform this operation for user account [{}, {}] ",
            caller.account_name, caller.account_uuid, account.name, account.uuid
        )));
    }
    Ok(())
}

/// The same for a user, with CloudStack's words for those that nobody may work on.
///
/// # Errors
/// 431 when there is no such user or it is the system's, 531 when the caller may not; 530 when the database fails.
pub(super) async fn user(ctx: &Ctx, id: i64, doing: &str) -> Result<User, ApiError> {
    let unknown = || ApiError::invalid_parameter(format!("Unable to find active user by id {id}"));
    let user = ctx.store.user_by_id(id).await?.ok_or_else(unknown)?;
    if user.account.kind == PROJECT {
        return Err(unknown());
    }
    if user.account.id == SYSTEM {
        return Err(ApiError::invalid_parameter(format!(
            "User: {} is a system user, {doing} is not allowed",
            user.username
        )));
    }
    operate(ctx, &user.account, Some(user.id)).await?;
    Ok(user)
}

async fn stand_above(ctx: &Ctx, account: &Account, user_id: Option<i64>) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    let (Some(mine), Some(theirs)) = (caller.role_type, RoleType::parse(&account.role_type)) else {
        return Err(ApiError::permission_denied(format!(
            "The role type of caller account [{}, {}] or target account [{}, {}] is unknown",
            caller.account_name, caller.account_uuid, account.name, account.uuid
        )));
    };
    if rank(mine) > rank(theirs) {
        return Err(ApiError::permission_denied(format!(
            "The calling account [{}, {}] has a lower role type than the user account [{}, {}]",
            caller.account_name, caller.account_uuid, account.name, account.uuid
        )));
    }
    if rank(mine) < rank(theirs) {
        return Ok(());
    }
    const PEERS: &str = "role.types.allowed.for.operations.on.accounts.of.same.role.type";
    const SAME_ACCOUNT: &str = "allow.operations.on.users.in.same.account";
    let settings = ctx.store.settings(&[PEERS, SAME_ACCOUNT]).await?;
    if caller.account_id != account.id {
        let peers = settings.get(PEERS).map_or("Admin,DomainAdmin,ResourceAdmin", String::as_str);
        if !peers.split(',').any(|word| word.trim() == mine.word()) {
            return Err(ApiError::permission_denied(format!(
                "The calling account [{}, {}] is not allowed to perform this operation on users from other accounts of the \
                 same role type within the domain",
                caller.account_name, caller.account_uuid
            )));
        }
    } else if user_id.is_some_and(|user_id| user_id != caller.user_id)
        && settings.get(SAME_ACCOUNT).is_some_and(|value| !value.eq_ignore_ascii_case("true"))
    {
        return Err(ApiError::permission_denied(
            "The user operations are not allowed by the users in the same account",
        ));
    }
    Ok(())
}

/// Whether a role allows nothing that the caller may not do. Nothing is forbidden to holders of the built-in role of root
/// admins; a role of somebody's own of the same type may well be allowed less than others.
///
/// # Errors
/// 531 when it does; 530 when the database fails.
pub(super) async fn no_escalation(ctx: &Ctx, role_id: i64, role_type: &str) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    if caller.may_call_everything() {
        return Ok(());
    }
    let refuse = || {
        ApiError::permission_denied(format!(
            "User of Account {} and domain {} can not create an account with access to more privileges they have themself.",
            caller.account_name, caller.domain_path
        ))
    };
    let (Some(mine), Some(kind)) = (caller.role_type, RoleType::parse(role_type)) else { return Err(refuse()) };
    if mine != RoleType::Admin && rank(kind) < rank(mine) {
        return Err(refuse());
    }
    let rules = ctx.store.rules_of_role(role_id).await?;
    let rules: Vec<Rule> = rules.into_iter().map(|rule| Rule { pattern: rule.pattern, allow: rule.allow }).collect();
    let escalates =
        COMMANDS.iter().any(|entry| role_may_call(role_id, kind, &rules, entry.spec) && !may_call(caller, entry.spec));
    // A management server beside the gateway has commands whose names are not known here: of them rules alone can tell.
    if escalates || !nothing_denied(&rules, &caller.rules) { Err(refuse()) } else { Ok(()) }
}
