//! Limits and counts of resources: what is set for single owners, and what the management server counted.

use std::collections::HashMap;

use crate::store::{Store, StoreError};

/// Whose resources are counted. A project's are those of the account behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Accounts.
    Account,
    /// Domains.
    Domain,
}

impl Holder {
    const fn column(self) -> &'static str {
        match self {
            Self::Account => "account_id",
            Self::Domain => "domain_id",
        }
    }
}

/// Limits and counts of one owner by CloudStack's word for the resource (`user_vm`, `primary_storage`, ...). Storage is in
/// bytes, memory in MiB.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceUse {
    /// What is set for this owner; -1 is no limit.
    pub limits: HashMap<String, i64>,
    /// What was counted.
    pub counts: HashMap<String, i64>,
}

impl Store {
    /// Limits and counts of owners, by owner. Owners for whom there is none are left out.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn resource_use(&self, holder: Holder, ids: &[i64]) -> Result<HashMap<i64, ResourceUse>, StoreError> {
        let mut found: HashMap<i64, ResourceUse> = HashMap::new();
        let column = holder.column();
        let ask = |table: &str, value: &str| {
            format!(
                "SELECT {column}, type, {value} FROM {table} WHERE {column} IN ({{ids}}) AND tag IS NULL AND type IS NOT NULL"
            )
        };
        for row in self.rows_of(&ask("resource_limit", "max"), ids, &[]).await? {
            found.entry(row.at(0)?).or_default().limits.insert(row.at(1)?, row.at(2)?);
        }
        for row in self.rows_of(&ask("resource_count", "count"), ids, &[]).await? {
            found.entry(row.at(0)?).or_default().counts.insert(row.at(1)?, row.at(2)?);
        }
        Ok(found)
    }
}
