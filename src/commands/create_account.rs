//! `createAccount` (`contract/entities.md 2.10`).

use std::collections::BTreeMap;

use super::audit::{Deed, watched};
use super::filters::Domain;
use super::{Ctx, InstanceType, SyncCommand, key_pairs, passwords, privilege};
use crate::api::{ApiError, Id, Reply, RoleType, Rows};
use crate::auth::AccountType;
use crate::model::Secret;
use crate::model::entity::{DomainRef, RoleRef};
use crate::store::{NewAccount, NewUser, transact};
use crate::views::{AccountView, Words};

crate::command! {
    /// Makes an account with a first user.
    pub struct CreateAccount {
        /// The name of the account; that of the user when it is not given.
        account: Option<String> [length(100), java("accountName")],
        /// The type of the account: 0 user, 1 root admin, 2 domain admin, 3 resource domain admin. Or give `roleid`.
        account_type "accounttype": Option<i32>,
        /// The role of the account.
        role_id "roleid": Option<Id<RoleRef>>,
        /// The domain of the account; the caller's when it is not given.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// The address of the user.
        email: String,
        /// The first name of the user.
        first_name "firstname": String,
        /// The last name of the user.
        last_name "lastname": String,
        /// The password of the user, in clear.
        password: Secret,
        /// The time zone of the user.
        timezone: Option<String> [length(30), java("timeZone")],
        /// The login name of the user.
        username: String [java("userName")],
        /// Suffix of the names in the account's networks.
        network_domain "networkdomain": Option<String>,
        /// What is set for the account alone, as `accountdetails[0].name=value`.
        account_details "accountdetails": Option<Rows> [java("details")],
        /// The id the account is to have.
        account_uuid "accountid": Option<String> [java("accountUUID")],
        /// The id the user is to have.
        user_uuid "userid": Option<String> [java("userUUID")],
    }
    name "createAccount", kind Sync, http Post, response AccountView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.account.CreateAccountCmd"
}

/// The longest suffix of names that is allowed.
const LONGEST_NETWORK_DOMAIN: usize = 190;
/// The longest part of it between two dots.
const LONGEST_LABEL: usize = 63;

/// The role that stands for a type of account when none is named (`contract/api-protocol.md 9.1`).
const fn role_of(account_type: i32) -> Option<i64> {
    match account_type {
        0 => Some(4),
        1 => Some(1),
        2 => Some(3),
        3 => Some(2),
        _ => None,
    }
}

/// The type of the accounts that have a role of this type.
const fn type_of(role: RoleType) -> AccountType {
    match role {
        RoleType::Admin => AccountType::Admin,
        RoleType::ResourceAdmin => AccountType::ResourceDomainAdmin,
        RoleType::DomainAdmin => AccountType::DomainAdmin,
        RoleType::User => AccountType::Normal,
    }
}

impl SyncCommand for CreateAccount {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        if self.account_type.is_none() && self.role_id.is_none() {
            return Err(no_role());
        }
        let domain_id = self.domain_id.map(|id| id.number());
        let shown = domain_id.map_or_else(|| "null".to_owned(), |id| id.to_string());
        let details = format!("Account Name: {}, Domain Id:{shown}", self.username);
        let deeds = [
            Deed::new("ACCOUNT.CREATE", format!("creating Account. {details}")),
            Deed::new("USER.CREATE", format!("creating User. {details}")),
        ];
        let made = watched(ctx, &deeds, self.make(ctx, &deeds).await).await?;
        let views = key_pairs::account_views(ctx, &[made], &Words::all()).await?;
        let failed = || ApiError::command_failed("Failed to create a user account");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl CreateAccount {
    /// Makes both and gives the internal number of the account.
    async fn make(self, ctx: &Ctx, deeds: &[Deed; 2]) -> Result<i64, ApiError> {
        let domain = Domain::open(ctx, self.domain_id.map_or(ctx.caller.domain_id, |id| id.number())).await?;
        let (role_id, kind) = self.role(ctx).await?;
        if kind == AccountType::ResourceDomainAdmin && !ctx.store.has_private_zone(domain.id).await? {
            return Err(ApiError::invalid_parameter(format!(
                "The account cannot be created as domain {} is not associated with any private Zone",
                domain.name
            )));
        }
        let network_domain = self.network_domain.filter(|text| !text.is_empty());
        if network_domain.as_deref().is_some_and(|text| !is_network_domain(text)) {
            return Err(ApiError::invalid_parameter(
                "Invalid network domain. Total length shouldn't exceed 190 chars. Each domain label must be between 1 and 63 \
                 characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen \
                 ('-'); can't start or end with \"-\"",
            ));
        }
        let account = NewAccount {
            uuid: chosen_uuid(self.account_uuid)?,
            name: self.account.filter(|name| !name.is_empty()).unwrap_or_else(|| self.username.clone()),
            kind: kind.number(),
            role_id,
            domain_id: domain.id,
            network_domain,
            details: details(self.account_details.as_ref())?,
        };
        let user = NewUser {
            uuid: chosen_uuid(self.user_uuid)?,
            username: self.username,
            password: passwords::encoded(self.password).await?,
            first_name: self.first_name,
            last_name: self.last_name,
            email: self.email,
            timezone: self.timezone,
            change_password: false,
        };
        transact!(ctx.store, ApiError, |tx| {
            tx.domain_hold(domain.id).await?;
            if tx.username_taken(&user.username, domain.id, 0).await? {
                return Err(ApiError::invalid_parameter(format!(
                    "The user {} already exists in domain {}",
                    user.username,
                    domain.dump()
                )));
            }
            if tx.account_name_taken(&account.name, domain.id).await? {
                return Err(ApiError::invalid_parameter(format!(
                    "The specified account: {} already exists",
                    account.name
                )));
            }
            if !tx.identity_uuids_free(Some(&account.uuid), &user.uuid).await? {
                return Err(ApiError::command_failed("Entity already exists "));
            }
            let account_id = tx.account_insert(&account).await?;
            let user_id = tx.user_insert(account_id, &user).await?;
            deeds[0].done(tx, ctx, (InstanceType::Account, account_id)).await?;
            deeds[1].done(tx, ctx, (InstanceType::User, user_id)).await?;
            Ok(account_id)
        })
    }

    /// The role of the account and its type, if the caller may give it.
    async fn role(&self, ctx: &Ctx) -> Result<(i64, AccountType), ApiError> {
        let invalid = |kind: i32| {
            ApiError::invalid_parameter(format!("Invalid account type {kind} given; unable to create user"))
        };
        let id = match (self.role_id, self.account_type) {
            (Some(id), _) => id.number(),
            (None, Some(kind)) => role_of(kind).ok_or_else(|| invalid(kind))?,
            (None, None) => return Err(no_role()),
        };
        let unknown = || ApiError::invalid_parameter(format!("Unable to find role by id: {id}"));
        let role = ctx.store.role_by_id(id).await?.ok_or_else(unknown)?;
        let kind = RoleType::parse(&role.kind).ok_or_else(unknown)?;
        privilege::no_escalation(ctx, role.id, &role.kind).await?;
        Ok((role.id, type_of(kind)))
    }
}

fn no_role() -> ApiError {
    ApiError::bad_parameter("Neither account type and role ID are not provided")
}

/// The public id that a new thing gets: the one that was chosen, else a random one.
///
/// # Errors
/// 431 for one that has not the form of a UUID.
pub(super) fn chosen_uuid(chosen: Option<String>) -> Result<String, ApiError> {
    match chosen.filter(|uuid| !uuid.is_empty()) {
        None => Ok(uuid::Uuid::new_v4().to_string()),
        Some(uuid) if uuid.len() == 36 && uuid::Uuid::try_parse(&uuid).is_ok() => Ok(uuid.to_lowercase()),
        Some(uuid) => Err(ApiError::invalid_parameter(format!("UUID: {uuid} doesn't follow the UUID format"))),
    }
}

/// Names and values of the first row, which is the one that CloudStack reads.
fn details(rows: Option<&Rows>) -> Result<BTreeMap<String, String>, ApiError> {
    /// What the columns hold.
    const LONGEST: (usize, usize) = (255, 4096);
    let Some(row) = rows.and_then(|rows| rows.0.first()) else { return Ok(BTreeMap::new()) };
    let details: BTreeMap<String, String> = row.fields.iter().cloned().collect();
    let fits =
        |(name, value): (&String, &String)| name.chars().count() <= LONGEST.0 && value.chars().count() <= LONGEST.1;
    if details.iter().all(fits) {
        Ok(details)
    } else {
        Err(ApiError::invalid_parameter("A name or value in accountdetails is too long"))
    }
}

/// Labels of letters, digits and hyphens, joined with dots.
fn is_network_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= LONGEST_NETWORK_DOMAIN && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_domains() {
        assert!(is_network_domain("lab.example") && is_network_domain("a-1"));
        for bad in ["", "a..b", "-a", "a-", "a b", "ä", &"a".repeat(64), &"a.".repeat(120)] {
            assert!(!is_network_domain(bad), "{bad}");
        }
    }
}
