//! The account that a command names by id, or by name and domain.

use super::filters::Domain;
use super::privilege::{self, PROJECT, SYSTEM};
use super::{Ctx, EventDraft, InstanceType};
use crate::api::{ApiError, Id};
use crate::model::entity::{AccountRef, DomainRef};
use crate::store::Account;

crate::params! {
    /// Which account.
    pub struct NamedAccount {
        /// The name of the account. Needs `domainid`.
        account: Option<String> [java("accountName")],
        /// The domain of the account.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// The id of the account.
        id: Option<Id<AccountRef>>,
    }
}

impl NamedAccount {
    /// The account, if there is a living one.
    ///
    /// # Errors
    /// 530 when the database fails.
    pub(super) async fn find(&self, ctx: &Ctx) -> Result<Option<Account>, ApiError> {
        let id = match (self.id, &self.account, self.domain_id) {
            (Some(id), _, _) => Some(id.number()),
            (None, Some(name), Some(domain)) => ctx.store.account_by_name(name, domain.number()).await?,
            _ => None,
        };
        match id {
            Some(id) => Ok(ctx.store.account_by_id(id).await?.filter(|account| account.kind != PROJECT)),
            None => Ok(None),
        }
    }

    /// The account, if the caller may work on it.
    ///
    /// # Errors
    /// 431 when there is none, 531 when the caller may not; 530 when the database fails.
    pub(super) async fn open(&self, ctx: &Ctx, doing: &str) -> Result<Account, ApiError> {
        let Some(account) = self.find(ctx).await? else {
            let id = self.id.map_or_else(|| "null".to_owned(), |id| id.number().to_string());
            let domain = match self.domain_id {
                Some(id) => {
                    Domain::read(ctx, id.number()).await.map_or_else(|_| "null".to_owned(), |domain| domain.dump())
                }
                None => "null".to_owned(),
            };
            return Err(ApiError::invalid_parameter(format!(
                "Unable to find account by accountId: {id} OR by name: {} in domain {domain}",
                self.account.as_deref().unwrap_or("null")
            )));
        };
        if account.id == SYSTEM {
            return Err(ApiError::permission_denied(format!(
                "Account: {} is a system account, {doing} is not allowed",
                account.name
            )));
        }
        privilege::operate(ctx, &account, None).await?;
        Ok(account)
    }

    /// What the event log says about a job on the account.
    ///
    /// # Errors
    /// 530 when the database fails.
    pub(super) async fn draft(&self, ctx: &Ctx, event_type: &'static str, doing: &str) -> Result<EventDraft, ApiError> {
        let account = self.find(ctx).await?;
        let name = account.as_ref().map_or_else(|| "null".to_owned(), |account| account.name.clone());
        Ok(EventDraft {
            event_type,
            description: format!("{doing} account: {name}"),
            owner_account_id: account.as_ref().map_or(SYSTEM, |account| account.id),
            resource: account.map(|account| (InstanceType::Account, account.id)),
        })
    }
}
