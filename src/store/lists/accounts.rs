//! Accounts and domains: the filters of `listAccounts`, `listDomains` and `listDomainChildren` (`contract/entities.md 1.14, 1.15`) and
//! the wide rows.

use std::collections::{BTreeMap, HashMap};

use super::{Condition, Owners, Window, below};
use crate::args;
use crate::store::value::Row;
use crate::store::{Store, StoreError, is_sealed};

/// The account of the system, which no list shows.
const SYSTEM_ACCOUNT: i64 = 1;

/// What `listAccounts` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct AccountFilter {
    /// Which accounts.
    pub owners: Owners,
    /// A word in name or state.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// Of this type.
    pub account_type: Option<i64>,
    /// Whose removal did not come to its end, or others.
    pub cleanup_required: Option<bool>,
    /// Whose keys may be used, or not, or as the domain says.
    pub key_access: Option<Option<bool>>,
}

impl AccountFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("t.id <> ? AND t.type <> 5", args![SYSTEM_ACCOUNT]);
        condition.one_of("t.id", self.owners.accounts.as_deref());
        condition.in_domain("t.domain_id", &self.owners);
        condition.contains(&["t.account_name", "t.state"], self.keyword.as_deref());
        condition.equal("t.account_name", self.name.as_ref());
        condition.equal("t.state", self.state.as_ref());
        condition.equal("t.type", self.account_type);
        condition.equal("t.cleanup_needed", self.cleanup_required);
        condition.key_access("t.api_key_access", self.key_access);
        condition
    }
}

/// What `listDomains` and `listDomainChildren` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct DomainFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// This domain and those below it: its path.
    pub tree: Option<String>,
    /// Those directly below this one.
    pub parent: Option<i64>,
    /// Not this one.
    pub without: Option<i64>,
    /// A word in the name.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// With this in the name, beside the word.
    pub part_of_name: Option<String>,
    /// So many steps below the root.
    pub level: Option<i64>,
}

impl DomainFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("t.state = 'Active'", []);
        condition.equal("t.id", self.id);
        if let Some(path) = &self.tree {
            condition.and(&below("t.path"), args![path]);
        }
        condition.equal("t.parent", self.parent);
        condition.inside("t.id <> ?", self.without);
        condition.contains(&["t.name"], self.keyword.as_deref());
        condition.equal("t.name", self.name.as_ref());
        condition.contains(&["t.name"], self.part_of_name.as_deref());
        condition.equal("t.level", self.level);
        condition
    }
}

const WIDE_ACCOUNT: &str = "SELECT a.id, a.uuid, a.account_name, a.type, a.state, a.created, a.cleanup_needed, \
    a.network_domain, a.`default` AS is_default, a.api_key_access, r.uuid AS role_uuid, r.role_type, r.name AS role_name, \
    d.uuid AS domain_uuid, d.name AS domain_name, d.path AS domain_path, z.uuid AS zone_uuid FROM account a \
    LEFT JOIN roles r ON r.id = a.role_id LEFT JOIN domain d ON d.id = a.domain_id \
    LEFT JOIN data_center z ON z.id = a.default_zone_id WHERE a.id IN ({ids})";

const WIDE_DOMAIN: &str = "SELECT d.id, d.uuid, d.name, d.level, d.child_count, d.path, d.state, d.created, d.network_domain, \
    p.uuid AS parent_uuid, p.name AS parent_name FROM domain d LEFT JOIN domain p ON p.id = d.parent WHERE d.id IN ({ids})";

/// How many machines an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machines {
    /// Stopped ones.
    pub stopped: i64,
    /// Running ones.
    pub running: i64,
}

impl Store {
    /// The ids of a page of accounts in their order, domain by domain, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn accounts_page(&self, filter: &AccountFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("account t", &filter.condition(), "t.domain_id, t.id", window).await
    }

    /// Everything the view of an account needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::accounts_page`].
    pub async fn account_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE_ACCOUNT, ids).await
    }

    /// The ids of a page of domains in their order, and how many match in all.
    ///
    /// # Errors
    /// See [`Store::accounts_page`].
    pub async fn domains_page(&self, filter: &DomainFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("domain t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a domain needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::accounts_page`].
    pub async fn domain_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE_DOMAIN, ids).await
    }

    /// How many machines of users accounts have, by account.
    ///
    /// # Errors
    /// See [`Store::accounts_page`].
    pub async fn machines_of_accounts(&self, accounts: &[i64]) -> Result<HashMap<i64, Machines>, StoreError> {
        let sql = "SELECT account_id, state, COUNT(*) FROM vm_instance WHERE account_id IN ({ids}) AND removed IS NULL \
            AND type = 'User' AND state IN ('Stopped', 'Running') GROUP BY account_id, state";
        let mut machines: HashMap<i64, Machines> = HashMap::new();
        for row in self.rows_of(sql, accounts, &[]).await? {
            let found = machines.entry(row.at(0)?).or_default();
            match row.at::<String>(1)?.as_str() {
                "Stopped" => found.stopped = row.at(2)?,
                _ => found.running = row.at(2)?,
            }
        }
        Ok(machines)
    }

    /// What is set for single accounts, by account.
    ///
    /// # Errors
    /// See [`Store::accounts_page`].
    pub async fn details_of_accounts(
        &self,
        accounts: &[i64],
    ) -> Result<HashMap<i64, BTreeMap<String, String>>, StoreError> {
        let sql = "SELECT account_id, name, value FROM account_details WHERE account_id IN ({ids}) ORDER BY id";
        self.named_values(sql, accounts).await
    }

    /// What is set for single domains, by domain.
    ///
    /// # Errors
    /// See [`Store::accounts_page`].
    pub async fn details_of_domains(
        &self,
        domains: &[i64],
    ) -> Result<HashMap<i64, BTreeMap<String, String>>, StoreError> {
        let sql = "SELECT domain_id, name, value FROM domain_details WHERE domain_id IN ({ids}) ORDER BY id";
        self.named_values(sql, domains).await
    }

    async fn named_values(
        &self,
        sql: &str,
        owners: &[i64],
    ) -> Result<HashMap<i64, BTreeMap<String, String>>, StoreError> {
        let mut values: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
        for row in self.rows_of(sql, owners, &[]).await? {
            let value: String = row.at(2)?;
            // What is sealed is nobody's to be shown.
            if !is_sealed(&value) {
                values.entry(row.at(0)?).or_default().insert(row.at(1)?, value);
            }
        }
        Ok(values)
    }
}
