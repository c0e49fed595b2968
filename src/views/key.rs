//! The objects `userapikey` and `userkeys`: a key pair (`contract/entities.md 2.9`).

use std::collections::{HashMap, HashSet};

use super::role::{KeyPermissionView, key_permissions};
use super::row::{domain_path, number, text, time};
use crate::auth::{AccountType, Caller, Rule};
use crate::model::Timestamp;
use crate::store::{Row, Store, StoreError};

macro_rules! key_view {
    ($(#[doc = $doc:literal])* $name:ident as $object:literal) => {
        crate::response! {
            $(#[doc = $doc])*
            pub struct $name as $object, Default {
                /// Its name.
                name: Option<String>,
                /// The public half.
                api_key "apikey": Option<String>,
                /// The secret half.
                secret_key "secretkey": Option<String>,
                /// The id of its user.
                user_id "userid": Option<String>,
                /// The name of its user.
                username: Option<String>,
                /// Its id.
                id: String,
                /// A text about it.
                description: Option<String>,
                /// Not valid before.
                starts "startdate": Option<Timestamp>,
                /// Not valid after.
                ends "enddate": Option<Timestamp>,
                /// When it was made.
                created: Option<Timestamp>,
                /// The type of its account, such as `NORMAL` or `ADMIN`.
                account_type "accounttype": Option<String>,
                /// The id of its account.
                account_id "accountid": Option<String>,
                /// The name of its account.
                account "accountname": Option<String>,
                /// The id of its role.
                role_id "roleid": Option<String>,
                /// The type of its role.
                role_type "roletype": Option<String>,
                /// The name of its role.
                role_name "rolename": Option<String>,
                /// What it may be used for, in the order in which the rules are tried.
                permissions: Option<Vec<KeyPermissionView>>,
                /// The id of its domain.
                domain_id "domainid": Option<String>,
                /// The name of its domain.
                domain: Option<String>,
                /// The path of its domain, such as `ROOT/eng`.
                domain_path "domainpath": Option<String>,
                /// `ENABLED`, `EXPIRED` or `REMOVED`.
                state: String,
            }
        }

        impl $name {
            fn read(row: &Row, now: Timestamp) -> Result<Self, StoreError> {
                let ends = time(row, "end_date")?;
                let state = match (time(row, "removed")?, ends) {
                    (Some(_), _) => "REMOVED",
                    (None, Some(end)) if end < now => "EXPIRED",
                    (None, _) => "ENABLED",
                };
                Ok(Self {
                    name: text(row, "name")?,
                    api_key: text(row, "api_key")?,
                    secret_key: None,
                    user_id: text(row, "user_uuid")?,
                    username: text(row, "username")?,
                    id: text(row, "uuid")?.unwrap_or_default(),
                    description: text(row, "description")?,
                    starts: time(row, "start_date")?,
                    ends,
                    created: time(row, "created")?,
                    account_type: number(row, "account_type")?.map(|kind| AccountType::from_number(kind).word().to_owned()),
                    account_id: text(row, "account_uuid")?,
                    account: text(row, "account_name")?,
                    role_id: text(row, "role_uuid")?,
                    role_type: text(row, "role_type")?,
                    role_name: text(row, "role_name")?,
                    permissions: None,
                    domain_id: text(row, "domain_uuid")?,
                    domain: text(row, "domain_name")?,
                    domain_path: text(row, "domain_path")?.map(|path| domain_path(&path)),
                    state: state.to_owned(),
                })
            }
        }
    };
}

key_view! {
    /// A key pair.
    KeyView as "userapikey"
}

key_view! {
    /// A key pair, as the answer to its making.
    NewKeyView as "userkeys"
}

/// The key pairs with these internal ids. The halves are left out of pairs whose users are not `visible`, and of those that
/// allow more than the pair that signed the call.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn keys(
    store: &Store,
    caller: &Caller,
    ids: &[i64],
    visible: &HashSet<i64>,
    with_permissions: bool,
) -> Result<Vec<KeyView>, StoreError> {
    let own = store.key_permission_rows(ids).await?;
    let now = Timestamp::now();
    // Pairs without rules of their own share those of a few roles.
    let mut of_roles: HashMap<i64, Vec<KeyPermissionView>> = HashMap::new();
    let mut views = Vec::new();
    for row in store.key_rows(ids).await? {
        let mut view = KeyView::read(&row, now)?;
        let id: i64 = row.get("id")?;
        let own = own.get(&id);
        if !visible.contains(&row.get("user_id")?) || !caller.may_see_key(id, &rules(own)?) {
            view.api_key = None;
        } else {
            view.secret_key = shown_secret(store, &row);
        }
        if with_permissions {
            let role_id = number(&row, "role_id")?.unwrap_or_default();
            view.permissions = match (own, of_roles.get(&role_id)) {
                (None, Some(known)) => Some(known.clone()),
                _ => Some(key_permissions(store, own, role_id).await?),
            };
            if let (None, Some(read)) = (own, &view.permissions) {
                of_roles.insert(role_id, read.clone());
            }
        }
        views.push(view);
    }
    Ok(views)
}

/// The secret half of a pair. One that does not open is left out: the others of the list are still to be shown.
fn shown_secret(store: &Store, row: &Row) -> Option<String> {
    match store.key_secret(row) {
        Ok(secret) => Some(secret.expose().to_owned()),
        Err(error) => {
            tracing::warn!(cause = %crate::telemetry::chain(&error), "the secret of a key pair is left out");
            None
        }
    }
}

/// A key pair that was just made; `None` when it is gone.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn new_key(store: &Store, id: i64) -> Result<Option<NewKeyView>, StoreError> {
    let own = store.key_permission_rows(&[id]).await?;
    let Some(row) = store.key_rows(&[id]).await?.into_iter().next() else { return Ok(None) };
    let mut view = NewKeyView::read(&row, Timestamp::now())?;
    view.secret_key = Some(store.key_secret(&row)?.expose().to_owned());
    let role_id = number(&row, "role_id")?.unwrap_or_default();
    view.permissions = Some(key_permissions(store, own.get(&id), role_id).await?);
    Ok(Some(view))
}

/// The rules of a key pair in the order in which they are tried.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn permissions_of_key(store: &Store, id: i64) -> Result<Vec<KeyPermissionView>, StoreError> {
    let own = store.key_permission_rows(&[id]).await?;
    let Some(row) = store.key_rows(&[id]).await?.into_iter().next() else { return Ok(Vec::new()) };
    key_permissions(store, own.get(&id), number(&row, "role_id")?.unwrap_or_default()).await
}

fn rules(own: Option<&Vec<Row>>) -> Result<Vec<Rule>, StoreError> {
    let rule = |row: &Row| {
        let allow = text(row, "permission")?.is_some_and(|word| word.eq_ignore_ascii_case("ALLOW"));
        Ok(Rule { pattern: text(row, "rule")?.unwrap_or_default(), allow })
    };
    own.map_or(Ok(Vec::new()), |rows| rows.iter().map(rule).collect())
}
