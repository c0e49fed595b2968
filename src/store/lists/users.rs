//! Users: the filters of `listUsers` (`contract/entities.md 1.13`) and the wide rows.

use super::{Condition, Owners, Window};
use crate::args;
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// The user of the system, which no list shows.
const SYSTEM_USER: i64 = 1;

/// What `listUsers` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct UserFilter {
    /// Of whose accounts. Users belong to no project.
    pub owners: Owners,
    /// Only this one.
    pub id: Option<i64>,
    /// A word in user name, names, address, state or name of the account.
    pub keyword: Option<String>,
    /// With this user name; `%` stands for any letters.
    pub username: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of accounts of this type.
    pub account_type: Option<i64>,
    /// With this source, in the spelling of the database; `NATIVE` also finds `UNKNOWN`.
    pub source: Option<String>,
    /// Whose keys may be used, or not, or as the account says.
    pub key_access: Option<Option<bool>>,
}

impl UserFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("t.id <> ?", args![SYSTEM_USER]);
        condition.equal("t.id", self.id);
        condition.one_of("a.id", self.owners.accounts.as_deref());
        condition.in_domain("a.domain_id", &self.owners);
        condition.contains(
            &["t.username", "t.firstname", "t.lastname", "t.email", "t.state", "a.account_name"],
            self.keyword.as_deref(),
        );
        if let Some(name) = &self.username {
            condition.and("t.username LIKE ?", args![name]);
        }
        condition.equal("t.state", self.state.as_ref());
        condition.equal("a.type", self.account_type);
        match self.source.as_deref() {
            Some("NATIVE") => condition.and("t.source IN ('NATIVE', 'UNKNOWN')", []),
            source => condition.equal("t.source", source),
        }
        condition.key_access("t.api_key_access", self.key_access);
        condition
    }
}

impl Condition {
    /// Adds the domain of owners, with those below it or without.
    pub(super) fn in_domain(&mut self, column: &str, owners: &Owners) {
        self.equal(column, owners.domain_id);
        self.in_tree(column, owners.domain_tree.as_deref());
    }

    /// Adds what is set about the use of keys; `Some(None)` finds those for whom nothing is set.
    pub(super) fn key_access(&mut self, column: &str, wanted: Option<Option<bool>>) {
        match wanted {
            None => {}
            Some(None) => self.and(&format!("{column} IS NULL"), []),
            Some(set) => self.equal(column, set),
        }
    }
}

const WIDE: &str = "SELECT u.id, u.uuid, u.username, u.firstname, u.lastname, u.email, u.created, u.state, u.timezone, \
    u.source, u.`default` AS is_default, u.is_user_2fa_enabled, u.api_key_access, u.account_id, a.domain_id AS domain_number, \
    a.uuid AS account_uuid, a.account_name, a.type AS account_type, r.uuid AS role_uuid, r.role_type, r.name AS role_name, d.uuid AS domain_uuid, \
    d.name AS domain_name, d.path AS domain_path FROM user u JOIN account a ON a.id = u.account_id \
    LEFT JOIN roles r ON r.id = a.role_id LEFT JOIN domain d ON d.id = a.domain_id WHERE u.id IN ({ids})";

impl Store {
    /// The ids of a page of users in their order, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn users_page(&self, filter: &UserFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("user t JOIN account a ON a.id = t.account_id", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a user needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::users_page`].
    pub async fn user_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The living users of accounts, each as in [`Store::user_rows`], in their order.
    ///
    /// # Errors
    /// See [`Store::users_page`].
    pub async fn users_of_accounts(&self, accounts: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = WIDE.replace("u.id IN ({ids})", "u.account_id IN ({ids}) AND u.removed IS NULL ORDER BY u.id");
        self.rows_of(&sql, accounts, &[]).await
    }
}
