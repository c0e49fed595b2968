//! What hangs on the rows of a page: tags, details, running jobs, settings.

use std::collections::{BTreeMap, HashMap};

use super::{Condition, TagFilter};
use crate::store::value::{Row, Value};
use crate::store::{Store, StoreError, is_sealed};

/// The kinds of things that carry tags and details.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResourceKind {
    /// A disk.
    Volume,
    /// A machine.
    VirtualMachine,
    /// A host.
    Host,
    /// A pool.
    StoragePool,
    /// A cluster.
    Cluster,
    /// A zone.
    Zone,
    /// A project.
    Project,
    /// A template.
    Template,
    /// An account.
    Account,
    /// A user.
    User,
}

impl ResourceKind {
    /// The word in `resource_tags`.
    pub const fn tag_word(self) -> &'static str {
        match self {
            Self::Volume => "Volume",
            Self::VirtualMachine => "UserVm",
            Self::Host => "Host",
            Self::StoragePool => "StoragePool",
            Self::Cluster => "Cluster",
            Self::Zone => "Zone",
            Self::Project => "Project",
            Self::Template => "Template",
            Self::Account => "Account",
            Self::User => "User",
        }
    }

    /// The word in `async_job`.
    pub const fn job_word(self) -> &'static str {
        match self {
            Self::VirtualMachine => "VirtualMachine",
            other => other.tag_word(),
        }
    }

    /// The table with details, its column with the owner, and whether rows can be hidden.
    const fn details(self) -> Option<(&'static str, &'static str, bool)> {
        match self {
            Self::Volume => Some(("volume_details", "volume_id", true)),
            Self::VirtualMachine => Some(("vm_instance_details", "vm_id", true)),
            Self::Host => Some(("host_details", "host_id", false)),
            Self::StoragePool => Some(("storage_pool_details", "pool_id", true)),
            Self::Cluster => Some(("cluster_details", "cluster_id", false)),
            Self::Zone | Self::Project | Self::Template | Self::Account | Self::User => None,
        }
    }
}

impl Condition {
    /// Adds a search for tags: one of them is enough, as in CloudStack (`contract/entities.md 0.3`).
    pub(super) fn tagged(&mut self, kind: ResourceKind, tags: &[TagFilter]) {
        if tags.is_empty() {
            return;
        }
        let mut parts = Vec::with_capacity(tags.len());
        let mut args = vec![Value::from(kind.tag_word())];
        for (key, value) in tags {
            let mut part = Vec::new();
            for (column, wanted) in [("`key`", key), ("value", value)] {
                if let Some(wanted) = wanted {
                    part.push(format!("{column} = ?"));
                    args.push(wanted.into());
                }
            }
            parts.push(if part.is_empty() { "1 = 1".to_owned() } else { format!("({})", part.join(" AND ")) });
        }
        let text = format!(
            "t.id IN (SELECT resource_id FROM resource_tags WHERE resource_type = ? AND ({}))",
            parts.join(" OR ")
        );
        self.and(&text, args);
    }
}

impl Store {
    /// The tags of things, by internal id: rows with `key`, `value`, `resource_uuid`, owner and domain.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn tags_of(&self, kind: ResourceKind, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT g.resource_id, g.`key`, g.value, g.resource_uuid, g.customer, a.account_name, a.type AS \
            account_type, p.uuid AS project_uuid, p.name AS project_name, d.uuid AS domain_uuid, d.name AS domain_name, \
            d.path AS domain_path FROM resource_tags g LEFT JOIN account a ON a.id = g.account_id \
            LEFT JOIN projects p ON p.project_account_id = a.id LEFT JOIN domain d ON d.id = g.domain_id \
            WHERE g.resource_type = ? AND g.resource_id IN ({ids}) ORDER BY g.id";
        grouped(self.rows_of(sql, ids, &[kind.tag_word().into()]).await?, "resource_id")
    }

    /// The details of things that may be shown, by internal id. What is sealed may not. Things of which no detail may be shown are
    /// there too, those that have none are not.
    ///
    /// # Errors
    /// See [`Store::tags_of`].
    pub async fn details_of(
        &self,
        kind: ResourceKind,
        ids: &[i64],
    ) -> Result<HashMap<i64, BTreeMap<String, String>>, StoreError> {
        let Some((table, owner, can_hide)) = kind.details() else { return Ok(HashMap::new()) };
        let shown = if can_hide { "display" } else { "1" };
        let sql =
            format!("SELECT {owner} AS owner, name, value, {shown} AS shown FROM {table} WHERE {owner} IN ({{ids}})");
        let mut details: HashMap<i64, BTreeMap<String, String>> = HashMap::new();
        for row in self.rows_of(&sql, ids, &[]).await? {
            let value: String = row.get("value")?;
            let all = details.entry(row.get("owner")?).or_default();
            if row.get("shown")? && !is_sealed(&value) {
                all.insert(row.get("name")?, value);
            }
        }
        Ok(details)
    }

    /// The public id of the newest running job about each thing, by internal id.
    ///
    /// # Errors
    /// See [`Store::tags_of`].
    pub async fn pending_jobs_of(&self, kind: ResourceKind, ids: &[i64]) -> Result<HashMap<i64, String>, StoreError> {
        // The sign keeps the index on the state out of the way: thousands of jobs may run.
        let sql = "SELECT instance_id, uuid FROM async_job WHERE instance_type = ? AND instance_id IN ({ids}) \
            AND +job_status = 0 AND uuid IS NOT NULL ORDER BY id";
        let rows = self.rows_of(sql, ids, &[kind.job_word().into()]).await?;
        rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
    }

    /// The values of settings by name; settings without a row or a value are left out.
    ///
    /// # Errors
    /// See [`Store::tags_of`].
    pub async fn settings_named(&self, names: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let marks = vec!["?"; names.len()].join(", ");
        let sql = format!("SELECT name, value FROM configuration WHERE value IS NOT NULL AND name IN ({marks})");
        let rows = self.db().rows(&sql, names.iter().map(|name| Value::from(*name)).collect()).await?;
        rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
    }
}

/// Rows by the number in one of their columns; rows of one number keep their order.
pub(super) fn grouped(rows: Vec<Row>, column: &str) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
    let mut groups: HashMap<i64, Vec<Row>> = HashMap::new();
    for row in rows {
        groups.entry(row.get(column)?).or_default().push(row);
    }
    Ok(groups)
}
