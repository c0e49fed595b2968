//! Key pairs: the filters of `listUserKeys` and the wide rows (`contract/entities.md 2.9, 3.22`).

use std::collections::HashMap;

use super::{Condition, Window};
use crate::model::Secret;
use crate::store::value::Row;
use crate::store::{API_SECRET, Rule, Store, StoreError};

/// What `listUserKeys` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Only this pair.
    pub id: Option<i64>,
    /// Only those of this user.
    pub user_id: Option<i64>,
    /// Only those of users in this domain or below it: its path.
    pub domain_tree: Option<String>,
    /// With exactly this public half.
    pub api_key: Option<String>,
    /// A word in the name.
    pub keyword: Option<String>,
}

/// The public half of a living key pair, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHalf {
    /// The pair, internal id.
    pub id: i64,
    /// Its user, internal id.
    pub user_id: i64,
    /// The account of its user, internal id.
    pub account_id: i64,
    /// The half itself.
    pub api_key: String,
}

impl KeyFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("u.removed IS NULL", []);
        condition.equal("t.id", self.id);
        condition.equal("t.user_id", self.user_id);
        condition.equal("t.api_key", self.api_key.as_ref());
        condition.contains(&["t.name"], self.keyword.as_deref());
        condition.in_tree("a.domain_id", self.domain_tree.as_deref());
        condition
    }
}

const WIDE: &str = "SELECT k.id, k.uuid, k.name, k.user_id, k.start_date, k.end_date, k.description, k.api_key, k.secret_key, \
    k.created, k.removed, u.uuid AS user_uuid, u.username, a.uuid AS account_uuid, a.account_name, a.type AS account_type, \
    a.role_id, r.uuid AS role_uuid, r.role_type, r.name AS role_name, d.uuid AS domain_uuid, d.name AS domain_name, \
    d.path AS domain_path FROM api_keypair k JOIN user u ON u.id = k.user_id JOIN account a ON a.id = u.account_id \
    LEFT JOIN roles r ON r.id = a.role_id LEFT JOIN domain d ON d.id = a.domain_id WHERE k.id IN ({ids})";

impl Store {
    /// The ids of a page of living key pairs in their order, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn keys_page(&self, filter: &KeyFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        let from = "api_keypair t JOIN user u ON u.id = t.user_id JOIN account a ON a.id = u.account_id";
        self.page(from, &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a key pair needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::keys_page`].
    pub async fn key_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The secret half of a pair in a row of [`Store::key_rows`].
    ///
    /// # Errors
    /// [`StoreError::Vault`] when it does not open.
    pub fn key_secret(&self, row: &Row) -> Result<Secret, StoreError> {
        self.open_secret(&API_SECRET, &row.get::<String>("uuid")?, &row.get::<String>("secret_key")?)
    }

    /// The rules of key pairs of their own, by pair, in the order in which they are tried: rows with `rule`, `permission`
    /// and `description`. Pairs without are left out.
    ///
    /// # Errors
    /// See [`Store::keys_page`].
    pub async fn key_permission_rows(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT api_keypair_id, rule, permission, description FROM api_keypair_permissions \
            WHERE api_keypair_id IN ({ids}) ORDER BY sort_order, id";
        super::extras::grouped(self.rows_of(sql, ids, &[]).await?, "api_keypair_id")
    }

    /// The same as rules.
    ///
    /// # Errors
    /// See [`Store::keys_page`].
    pub async fn rules_of_keys(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Rule>>, StoreError> {
        let rule = |row: &Row| {
            let allow = row.get::<String>("permission")?.eq_ignore_ascii_case("ALLOW");
            Ok(Rule { pattern: row.get("rule")?, allow })
        };
        let rules = |rows: &[Row]| rows.iter().map(rule).collect::<Result<Vec<Rule>, StoreError>>();
        self.key_permission_rows(ids).await?.iter().map(|(id, rows)| Ok((*id, rules(rows)?))).collect()
    }

    /// The public halves of the living key pairs of users, of each user the newest first.
    ///
    /// # Errors
    /// See [`Store::keys_page`].
    pub async fn halves_of_users(&self, users: &[i64]) -> Result<Vec<PublicHalf>, StoreError> {
        self.halves("k.user_id", users).await
    }

    /// The public halves of the living key pairs of accounts' living users, of each user the newest first.
    ///
    /// # Errors
    /// See [`Store::keys_page`].
    pub async fn halves_of_accounts(&self, accounts: &[i64]) -> Result<Vec<PublicHalf>, StoreError> {
        self.halves("u.account_id", accounts).await
    }

    async fn halves(&self, column: &str, ids: &[i64]) -> Result<Vec<PublicHalf>, StoreError> {
        let sql = format!(
            "SELECT k.id, k.user_id, u.account_id, k.api_key FROM api_keypair k JOIN user u ON u.id = k.user_id \
             WHERE {column} IN ({{ids}}) AND k.removed IS NULL AND u.removed IS NULL ORDER BY k.created DESC, k.id DESC"
        );
        let half = |row: &Row| {
            Ok(PublicHalf {
                id: row.get("id")?,
                user_id: row.get("user_id")?,
                account_id: row.get("account_id")?,
                api_key: row.get("api_key")?,
            })
        };
        self.rows_of(&sql, ids, &[]).await?.iter().map(half).collect()
    }
}
