//! The table `configuration`: `listConfigurations` (`contract/entities.md 1.21 and 3.25`).

use super::{Condition, Window};
use crate::store::value::{Row, Value};
use crate::store::{Store, StoreError};

/// Where a setting may have a value of its own, by the bit in the column `scope` (`contract/entities.md 3.25`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingScope {
    /// A zone.
    Zone = 2,
    /// A cluster.
    Cluster = 4,
    /// A pool.
    StoragePool = 8,
    /// A server.
    ManagementServer = 16,
    /// A domain.
    Domain = 64,
    /// An account.
    Account = 128,
}

impl SettingScope {
    /// The word in answers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            Self::Cluster => "cluster",
            Self::StoragePool => "storagepool",
            Self::ManagementServer => "managementserver",
            Self::Domain => "domain",
            Self::Account => "account",
        }
    }

    /// The table with the values of single things, and its column with the thing, where there is such a table here.
    const fn values(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Cluster => Some(("cluster_details", "cluster_id")),
            Self::StoragePool => Some(("storage_pool_details", "pool_id")),
            Self::Domain => Some(("domain_details", "domain_id")),
            Self::Account => Some(("account_details", "account_id")),
            Self::Zone | Self::ManagementServer => None,
        }
    }
}

/// What `listConfigurations` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct SettingFilter {
    /// Of exactly this category.
    pub category: Option<String>,
    /// With this in the name.
    pub name: Option<String>,
    /// A word in name, component or description.
    pub keyword: Option<String>,
    /// In one of the groups with these numbers.
    pub groups: Option<Vec<i64>>,
    /// In one of the groups inside groups with these numbers.
    pub subgroups: Option<Vec<i64>>,
    /// That depend on this one.
    pub parent: Option<String>,
    /// That may have values of their own in this scope, and the thing whose values are to be shown.
    pub scope: Option<(SettingScope, i64)>,
}

impl Store {
    /// A page of settings by name: rows with all columns of the table and `own_value`, and how many match in all. Hidden
    /// ones are never among them.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn configurations_page(
        &self,
        filter: &SettingFilter,
        window: Window,
    ) -> Result<(i64, Vec<Row>), StoreError> {
        let mut condition = Condition::default();
        condition.and("t.category <> 'Hidden'", []);
        condition.equal("t.category", filter.category.as_ref());
        condition.contains(&["t.name"], filter.name.as_deref());
        condition.contains(&["t.name", "t.component", "t.description"], filter.keyword.as_deref());
        condition.one_of("t.group_id", filter.groups.as_deref());
        condition.one_of("t.subgroup_id", filter.subgroups.as_deref());
        condition.equal("t.parent", filter.parent.as_ref());
        let mut own = "NULL".to_owned();
        let mut args = Vec::new();
        if let Some((scope, id)) = filter.scope {
            condition.and("(t.scope & ?) <> 0", [Value::from(scope as i64)]);
            if let Some((table, column)) = scope.values() {
                own = format!("(SELECT MAX(x.value) FROM {table} x WHERE x.name = t.name AND x.{column} = ?)");
                args.push(Value::from(id));
            }
        }
        let count = self.count("configuration t", &condition).await?;
        let mut sql = format!(
            "SELECT t.category, t.component, t.name, t.value, t.description, t.default_value, t.is_dynamic, t.group_id, \
             t.subgroup_id, t.parent, t.display_text, t.kind, t.options, {own} AS own_value FROM configuration t WHERE {} \
             ORDER BY t.name",
            condition.shown()
        );
        args.extend(condition.args);
        if let Some(limit) = window.limit {
            sql.push_str(" LIMIT ? OFFSET ?");
            args.extend([limit.into(), window.offset.into()]);
        }
        Ok((count, self.db().rows(&sql, args).await?))
    }
}
