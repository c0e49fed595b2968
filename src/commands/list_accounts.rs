//! `listAccounts` (`contract/entities.md 1.14`).

use super::filters::{self, Domain};
use super::{Ctx, SyncCommand, key_pairs, privilege};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{AccountRef, DomainRef};
use crate::store::{AccountFilter, Owners};
use crate::views::{AccountView, OWNER_DETAILS, Words};

crate::command! {
    /// Lists accounts.
    pub struct ListAccounts {
        /// Only accounts of this type: 0 user, 1 root admin, 2 domain admin, 3 resource domain admin.
        account_type "accounttype": Option<i32>,
        /// Only this account.
        id: Option<Id<AccountRef>>,
        /// Only accounts whose removal did not come to its end, or only others.
        is_cleanup_required "iscleanuprequired": Option<bool>,
        /// Only the account with exactly this name.
        name: Option<String>,
        /// Only accounts in this state: `enabled`, `disabled` or `locked`.
        state: Option<String>,
        /// What to show: `all`, `resource` or `min`, separated by commas.
        details: Option<Vec<String>>,
        /// Only accounts with this set about their keys: `Enabled`, `Disabled` or `Inherit`. Root admins only.
        key_access "apikeyaccess": Option<String> [since("4.20.1.0"), root_only(true)],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Limits of things with this tag. There are none here.
        tag: Option<String> [since("4.20.0")],
        /// Everything the caller may see, not only the caller's own account.
        list_all "listall": Option<bool>,
        /// Only accounts of this domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// With a domain: also the domains below it.
        is_recursive "isrecursive": Option<bool> [java("recursive")],
        /// Page and search word.
        page: Page,
    }
    name "listAccounts", kind Sync, http Get, response [AccountView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.account.ListAccountsCmd"
    admin "org.apache.cloudstack.api.command.admin.account.ListAccountsCmdByAdmin"
}

impl SyncCommand for ListAccounts {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let words = Words::parse(self.details.as_deref(), OWNER_DETAILS)
            .map_err(|error| ApiError::invalid_parameter(error.to_string()))?;
        let window = filters::window(&self.page, None);
        let filter = AccountFilter {
            owners: self.owners(ctx).await?,
            keyword: self.page.keyword,
            name: self.name,
            state: self.state,
            account_type: self.account_type.map(i64::from),
            cleanup_required: self.is_cleanup_required,
            key_access: filters::key_access(ctx, self.key_access.as_deref())?,
        };
        let (count, ids) = ctx.store.accounts_page(&filter, window).await?;
        Ok(Reply::list(count, key_pairs::account_views(ctx, &ids, &words).await?))
    }
}

impl ListAccounts {
    /// Which accounts the caller gets to see. Who is no admin sees the own one.
    async fn owners(&self, ctx: &Ctx) -> Result<Owners, ApiError> {
        let caller = &ctx.caller;
        let only = |id: i64| Owners { accounts: Some(vec![id]), ..Owners::default() };
        if let Some(id) = self.id {
            if let Some(account) = ctx.store.account_by_id(id.number()).await? {
                privilege::reach(ctx, &account)?;
            }
            return Ok(only(id.number()));
        }
        let domain = match self.domain_id {
            Some(id) => Some(Domain::open(ctx, id.number()).await?),
            None => None,
        };
        if !caller.is_root_admin() && !caller.is_domain_admin() {
            return Ok(only(caller.account_id));
        }
        match domain {
            Some(domain) if self.is_recursive == Some(true) => {
                Ok(Owners { domain_tree: Some(domain.path), ..Owners::default() })
            }
            Some(domain) => Ok(Owners { domain_id: Some(domain.id), ..Owners::default() }),
            None if self.list_all != Some(true) => Ok(only(caller.account_id)),
            None if caller.is_root_admin() => Ok(Owners::default()),
            None => Ok(Owners { domain_tree: Some(caller.domain_path.clone()), ..Owners::default() }),
        }
    }
}
