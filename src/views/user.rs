//! The object `user` (`contract/entities.md 1.13`).

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::row::{flag, number, text, time};
use crate::auth::Caller;
use crate::model::Timestamp;
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// A user.
    pub struct UserView as "user", Default {
        /// Its id.
        id: String,
        /// Its login name.
        username: String,
        /// First name.
        first_name "firstname": Option<String>,
        /// Last name.
        last_name "lastname": Option<String>,
        /// Address.
        email: Option<String>,
        /// When it was made.
        created: Option<Timestamp>,
        /// `enabled`, `disabled` or `locked`.
        state: Option<String>,
        /// The name of its account.
        account: Option<String>,
        /// The type of its account: 0 user, 1 root admin, 2 domain admin, 3 resource domain admin.
        account_type "accounttype": Option<i64>,
        /// Where it comes from, such as `native` or `ldap`.
        source "usersource": Option<String>,
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
        /// Its time zone.
        timezone: Option<String>,
        /// The public half of its newest key pair; of those only that the caller may have.
        api_key "apikey": Option<String>,
        /// The id of its account.
        account_id "accountid": Option<String>,
        /// Whether its domain lies below the caller's.
        is_caller_child_domain "iscallerchilddomain": bool,
        /// Whether it came with the installation.
        is_default "isdefault": bool,
        /// Whether it logs in with a second factor.
        is_2fa_enabled "is2faenabled": bool,
        /// Whether everybody in its domain must.
        is_2fa_mandated "is2famandated": bool,
        /// Whether its keys may be used: `ENABLED`, `DISABLED` or `INHERIT`. Root admins only.
        key_access "apikeyaccess": Option<String>,
        /// The newest job about it that runs.
        job_id "jobid": Option<String>,
        /// 0 while such a job runs.
        job_status "jobstatus": Option<i64>,
    }
}

/// The users with these internal ids, as `caller` may see them. `keys` are the public halves of key pairs that the caller may
/// have, by internal id of the user.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn users(
    store: &Store,
    caller: &Caller,
    ids: &[i64],
    keys: &HashMap<i64, String>,
) -> Result<Vec<UserView>, StoreError> {
    let rows = store.user_rows(ids).await?;
    let mut views = plain(store, &rows, keys).await?;
    for (view, row) in views.iter_mut().zip(&rows) {
        let path = text(row, "domain_path")?.unwrap_or_default();
        view.is_caller_child_domain = path != caller.domain_path && path.starts_with(&caller.domain_path);
        if caller.full_view() {
            view.key_access = Some(key_access(row)?);
        }
    }
    Ok(views)
}

/// Users as they stand inside their account; `keys` as for [`users`].
pub(super) async fn plain(
    store: &Store,
    rows: &[Row],
    keys: &HashMap<i64, String>,
) -> Result<Vec<UserView>, StoreError> {
    let mut mandated = HashMap::new();
    for row in rows {
        if let Some(domain) = number(row, "domain_number")?
            && let Entry::Vacant(unknown) = mandated.entry(domain)
        {
            unknown.insert(store.second_factor_mandated(domain).await?);
        }
    }
    let ids: Vec<i64> = rows.iter().map(|row| row.get("id")).collect::<Result<_, _>>()?;
    let mut jobs = store.pending_jobs_of(ResourceKind::User, &ids).await?;
    rows.iter()
        .zip(ids)
        .map(|(row, id)| {
            let job_id = jobs.remove(&id);
            let domain = number(row, "domain_number")?.unwrap_or_default();
            Ok(UserView {
                id: text(row, "uuid")?.unwrap_or_default(),
                username: text(row, "username")?.unwrap_or_default(),
                first_name: text(row, "firstname")?,
                last_name: text(row, "lastname")?,
                email: text(row, "email")?,
                created: time(row, "created")?,
                state: text(row, "state")?,
                account: text(row, "account_name")?,
                account_type: number(row, "account_type")?,
                source: text(row, "source")?.map(|source| source_word(&source)),
                role_id: text(row, "role_uuid")?,
                role_type: text(row, "role_type")?,
                role_name: text(row, "role_name")?,
                domain_id: text(row, "domain_uuid")?,
                domain: text(row, "domain_name")?,
                timezone: text(row, "timezone")?,
                api_key: keys.get(&id).cloned(),
                account_id: text(row, "account_uuid")?,
                is_default: flag(row, "is_default")?,
                is_2fa_enabled: flag(row, "is_user_2fa_enabled")?,
                is_2fa_mandated: mandated.get(&domain).copied().unwrap_or_default(),
                job_status: job_id.as_ref().map(|_| 0),
                job_id,
                ..UserView::default()
            })
        })
        .collect()
}

/// Users whose source nobody wrote down are the installation's own.
fn source_word(source: &str) -> String {
    if source == "UNKNOWN" { "native".to_owned() } else { source.to_lowercase() }
}

/// What is set about the use of keys, in CloudStack's word.
pub(super) fn key_access(row: &Row) -> Result<String, StoreError> {
    let word = match row.get::<Option<bool>>("api_key_access")? {
        None => "INHERIT",
        Some(true) => "ENABLED",
        Some(false) => "DISABLED",
    };
    Ok(word.to_owned())
}
