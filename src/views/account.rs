//! The object `account` (`contract/entities.md 1.14`).

use std::collections::{BTreeMap, HashMap};

use super::limits::{Limits, MachineLimitsView, StorageLimitsView, settings};
use super::row::{domain_path, flag, number, text, time};
use super::user::{UserView, key_access, plain};
use super::words::Words;
use crate::api::Group;
use crate::auth::{AccountType, Caller};
use crate::model::Timestamp;
use crate::store::{Holder, ResourceKind, ResourceUse, Row, Store, StoreError};

crate::response! {
    /// An account.
    pub struct AccountView as "account", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// 0 user, 1 root admin, 2 domain admin, 3 resource domain admin.
        account_type "accounttype": Option<i64>,
        /// The id of its role.
        role_id "roleid": Option<String>,
        /// The type of its role.
        role_type "roletype": Option<String>,
        /// The name of its role.
        role_name "rolename": Option<String>,
        /// The id of its domain.
        domain_id "domainid": Option<String>,
        /// The name of its domain.
        domain: Option<String>,
        /// The path of its domain, such as `ROOT/eng`.
        domain_path "domainpath": Option<String>,
        /// The zone where its machines go when none is named.
        default_zone_id "defaultzoneid": Option<String>,
        /// Limits and counts.
        machines: Group<MachineLimitsView>,
        /// Machines that are stopped.
        vms_stopped "vmstopped": Option<i64>,
        /// Machines that run.
        vms_running "vmrunning": Option<i64>,
        /// The most projects, or `Unlimited`.
        project_limit "projectlimit": Option<String>,
        /// How many projects it owns.
        project_total "projecttotal": Option<i64>,
        /// How many more it may own, or `Unlimited`.
        project_available "projectavailable": Option<String>,
        /// Limits and counts.
        storage: Group<StorageLimitsView>,
        /// `enabled`, `disabled` or `locked`.
        state: Option<String>,
        /// When it was made.
        created: Option<Timestamp>,
        /// Whether its removal did not come to its end; absent otherwise.
        is_cleanup_required "iscleanuprequired": Option<bool>,
        /// Its users.
        users "user": Vec<UserView>,
        /// Suffix of the names in its networks.
        network_domain "networkdomain": Option<String>,
        /// What is set for it alone.
        details "accountdetails": Option<BTreeMap<String, String>>,
        /// Whether it came with the installation.
        is_default "isdefault": bool,
        /// Always empty.
        groups: Vec<String>,
        /// Whether its keys may be used: `ENABLED`, `DISABLED` or `INHERIT`. Root admins only.
        key_access "apikeyaccess": Option<String>,
        /// The newest job about it that runs.
        job_id "jobid": Option<String>,
        /// 0 while such a job runs.
        job_status "jobstatus": Option<i64>,
    }
}

/// The accounts with these internal ids, as `caller` may see them. `words` are groups of [`super::OWNER_DETAILS`], `keys` as
/// for [`super::users`].
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn accounts(
    store: &Store,
    caller: &Caller,
    ids: &[i64],
    words: &Words,
    keys: &HashMap<i64, String>,
) -> Result<Vec<AccountView>, StoreError> {
    let rows = store.account_rows(ids).await?;
    let mut users = users(store, ids, keys).await?;
    let mut details = store.details_of_accounts(ids).await?;
    let mut jobs = store.pending_jobs_of(ResourceKind::Account, ids).await?;
    let with_limits = words.wants(&["resource"]);
    let counted = if with_limits { Some(Counted::read(store, ids).await?) } else { None };
    let mut views = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = row.get("id")?;
        let mut view = account(row)?;
        if let Some(counted) = &counted {
            counted.fill(&mut view, id);
        }
        view.users = users.remove(&id).unwrap_or_default();
        view.details = details.remove(&id);
        view.job_id = jobs.remove(&id);
        view.job_status = view.job_id.as_ref().map(|_| 0);
        if caller.full_view() {
            view.key_access = Some(key_access(row)?);
        }
        views.push(view);
    }
    Ok(views)
}

/// The users of accounts, by account.
async fn users(
    store: &Store,
    accounts: &[i64],
    keys: &HashMap<i64, String>,
) -> Result<HashMap<i64, Vec<UserView>>, StoreError> {
    let rows = store.users_of_accounts(accounts).await?;
    let mut users: HashMap<i64, Vec<UserView>> = HashMap::new();
    for (row, view) in rows.iter().zip(plain(store, &rows, keys).await?) {
        users.entry(row.get("account_id")?).or_default().push(view);
    }
    Ok(users)
}

fn account(row: &Row) -> Result<AccountView, StoreError> {
    Ok(AccountView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "account_name")?.unwrap_or_default(),
        account_type: number(row, "type")?,
        role_id: text(row, "role_uuid")?,
        role_type: text(row, "role_type")?,
        role_name: text(row, "role_name")?,
        domain_id: text(row, "domain_uuid")?,
        domain: text(row, "domain_name")?,
        domain_path: text(row, "domain_path")?.map(|path| domain_path(&path)),
        default_zone_id: text(row, "zone_uuid")?,
        state: text(row, "state")?,
        created: time(row, "created")?,
        is_cleanup_required: flag(row, "cleanup_needed")?.then_some(true),
        network_domain: text(row, "network_domain")?,
        is_default: flag(row, "is_default")?,
        ..AccountView::default()
    })
}

/// Limits and counts of a page.
struct Counted {
    used: HashMap<i64, ResourceUse>,
    machines: HashMap<i64, crate::store::Machines>,
    settings: HashMap<String, String>,
}

impl Counted {
    async fn read(store: &Store, ids: &[i64]) -> Result<Self, StoreError> {
        let names = settings("account");
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Ok(Self {
            used: store.resource_use(Holder::Account, ids).await?,
            machines: store.machines_of_accounts(ids).await?,
            settings: store.settings(&names).await?,
        })
    }

    fn fill(&self, view: &mut AccountView, id: i64) {
        let none = ResourceUse::default();
        let used = self.used.get(&id).unwrap_or(&none);
        let limits = match view.account_type {
            Some(kind) if kind == AccountType::Admin.number() => Limits::Unlimited,
            _ => Limits::Settings("account", &self.settings),
        };
        let machines = self.machines.get(&id).copied().unwrap_or_default();
        view.machines = Group(limits.machines(used));
        view.vms_stopped = Some(machines.stopped);
        view.vms_running = Some(machines.running);
        let (limit, total, available) = limits.projects(used);
        view.project_limit = Some(limit);
        view.project_total = Some(total);
        view.project_available = Some(available);
        view.storage = Group(limits.storage(used));
    }
}
