//! Whose entries a list shows, as conditions on `t.account_id` and `t.domain_id`.

use super::Condition;
use crate::args;
use crate::store::{Store, StoreError};

/// What is to happen with things that belong to projects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Projects {
    /// They are shown like others.
    #[default]
    Included,
    /// They are left out.
    Skipped,
    /// Nothing else is shown.
    Only,
}

/// Whose entries are shown (`contract/api-protocol.md 6.2`). Without any of it: everybody's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    /// Only those of these accounts.
    pub accounts: Option<Vec<i64>>,
    /// Only those in this domain.
    pub domain_id: Option<i64>,
    /// Only those in the domain with this path and below it.
    pub domain_tree: Option<String>,
    /// What happens with projects.
    pub projects: Projects,
}

impl Owners {
    /// Adds the conditions.
    pub(super) fn narrow(&self, condition: &mut Condition) {
        if let Some([one]) = self.accounts.as_deref() {
            condition.equal("t.account_id", Some(*one));
        } else {
            condition.one_of("t.account_id", self.accounts.as_deref());
        }
        condition.in_domain("t.domain_id", self);
        match self.projects {
            Projects::Included => {}
            // Accounts that are named are none of projects.
            Projects::Skipped if self.accounts.is_some() => {}
            Projects::Skipped => condition.hide(
                "t.account_id NOT IN (SELECT id FROM account WHERE type = 5)",
                "t.account_id IN (SELECT id FROM account WHERE type = 5)",
            ),
            Projects::Only => condition.and("t.account_id IN (SELECT id FROM account WHERE type = 5)", []),
        }
    }
}

impl Store {
    /// A living account by its name in a domain: its internal id.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn account_by_name(&self, name: &str, domain_id: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM account WHERE account_name = ? AND domain_id = ? AND removed IS NULL AND type <> 5";
        self.db().row(sql, args![name, domain_id]).await?.map(|row| row.at(0)).transpose()
    }

    /// Name, path and public id of a domain.
    ///
    /// # Errors
    /// See [`Store::account_by_name`].
    pub async fn domain_by_id(&self, id: i64) -> Result<Option<(String, String, String)>, StoreError> {
        let sql = "SELECT name, path, uuid FROM domain WHERE id = ? AND removed IS NULL";
        let row = self.db().row(sql, args![id]).await?;
        row.map(|row| Ok((row.at(0)?, row.at(1)?, row.at(2)?))).transpose()
    }

    /// The account behind a project and the path of its domain.
    ///
    /// # Errors
    /// See [`Store::account_by_name`].
    pub async fn project_account(&self, id: i64) -> Result<Option<(i64, String)>, StoreError> {
        let sql = "SELECT p.project_account_id, d.path FROM projects p JOIN domain d ON d.id = p.domain_id \
            WHERE p.id = ? AND p.removed IS NULL";
        self.db().row(sql, args![id]).await?.map(|row| Ok((row.at(0)?, row.at(1)?))).transpose()
    }
}
