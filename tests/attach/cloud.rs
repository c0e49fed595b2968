//! A `cloud` database as CloudStack's installer makes it: the columns of a real one (`tests/golden/cloud-columns.tsv`), its
//! keys (`contract/entities.md` 3.0b), and its rows (`tests/golden/cloud-rows.json`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Map, Value as Json};

use super::recorded::rows;
use crate::support::database::{Bare, bare};

const COLUMNS: &str = include_str!("../golden/cloud-columns.tsv");
const LISTS: &str = include_str!("../../migrations/0004_lists.sql");
const ACCOUNTS: &str = include_str!("../../migrations/0005_accounts.sql");
const PROJECT_ROLES: &str = include_str!("../../migrations/0019_project_roles.sql");

/// Keys over several columns.
const UNIQUE: [(&str, &str); 6] = [
    ("host_pod_ref", "name, data_center_id"),
    ("cluster", "pod_id, name"),
    ("host_details", "host_id, name"),
    ("domain", "parent, name, removed"),
    ("role_permissions", "role_id, rule"),
    ("hypervisor_capabilities", "hypervisor_type, hypervisor_version"),
];

/// What rows point to: table, column, the other table.
const REFERENCES: [(&str, &str, &str); 30] = [
    ("data_center", "domain_id", "domain"),
    ("cluster", "pod_id", "host_pod_ref"),
    ("cluster", "data_center_id", "data_center"),
    ("cluster_details", "cluster_id", "cluster"),
    ("host", "cluster_id", "cluster"),
    ("host", "pod_id", "host_pod_ref"),
    ("host_details", "host_id", "host"),
    ("host_tags", "host_id", "host"),
    ("storage_pool", "pod_id", "host_pod_ref"),
    ("storage_pool", "cluster_id", "cluster"),
    ("storage_pool_details", "pool_id", "storage_pool"),
    ("storage_pool_tags", "pool_id", "storage_pool"),
    ("storage_pool_host_ref", "host_id", "host"),
    ("storage_pool_host_ref", "pool_id", "storage_pool"),
    ("volumes", "instance_id", "vm_instance"),
    ("volumes", "pool_id", "storage_pool"),
    ("vm_instance", "account_id", "account"),
    ("vm_instance", "host_id", "host"),
    ("vm_instance", "last_host_id", "host"),
    ("vm_instance", "power_host", "host"),
    ("vm_instance", "service_offering_id", "service_offering"),
    ("vm_instance", "vm_template_id", "vm_template"),
    ("vm_instance_details", "vm_id", "vm_instance"),
    ("service_offering", "disk_offering_id", "disk_offering"),
    ("account", "role_id", "roles"),
    ("account", "domain_id", "domain"),
    ("account", "default_zone_id", "data_center"),
    ("user", "account_id", "account"),
    ("role_permissions", "role_id", "roles"),
    ("api_keypair", "user_id", "user"),
];

/// The database, and how it is looked at.
#[derive(Clone)]
pub struct Cloud(pub Bare);

/// All rows of all tables but our own: by table, by the first column, by column.
pub type Snapshot = BTreeMap<String, BTreeMap<String, BTreeMap<String, String>>>;

impl Cloud {
    /// One with these rows, and with keys between tables when they are wanted: whoever deletes rows in any order has to do
    /// without.
    pub async fn with(tables: &Map<String, Json>, references: bool) -> Self {
        let cloud = Self(bare().await);
        let mut sql = String::from("SET FOREIGN_KEY_CHECKS = 0;\n");
        sql.push_str(&definitions(references));
        for (table, rows) in tables {
            for row in rows.as_array().expect("rows") {
                sql.push_str(&insert(table, row.as_object().expect("columns")));
            }
        }
        cloud.0.sql(&sql).await;
        cloud
    }

    /// One with the recorded rows.
    pub async fn recorded() -> Self {
        Self::with(&rows(), true).await
    }

    /// Makes a user with these rights on everything, and gives the URL for it.
    pub async fn user(&self, name: &str, rights: &str) -> String {
        let Bare { name: database, port } = &self.0;
        let user = format!("'{name}{database}'@'%'");
        self.0
            .sql(&format!("CREATE USER {user} IDENTIFIED BY 'word'; GRANT {rights} ON {database}.* TO {user};"))
            .await;
        format!("mysql://{name}{database}:word@127.0.0.1:{port}/{database}")
    }

    /// All rows of CloudStack's tables.
    pub async fn snapshot(&self) -> Snapshot {
        let names = self.0.sql("SHOW TABLES").await;
        let tables: Vec<&str> = names.lines().skip(1).filter(|table| !table.starts_with("motion_")).collect();
        let mut sql = String::new();
        for table in &tables {
            writeln!(sql, "SELECT '{table}' AS `### table`; SELECT * FROM `{table}`;").expect("text");
        }
        let text = self.0.sql(&sql).await;
        let mut snapshot: Snapshot = tables.iter().map(|table| ((*table).to_owned(), BTreeMap::new())).collect();
        let mut lines = text.lines();
        let mut table = "";
        let mut names: Vec<&str> = Vec::new();
        while let Some(line) = lines.next() {
            if line == "### table" {
                table = lines.next().expect("a name");
                names.clear();
            } else if names.is_empty() {
                names = line.split('\t').collect();
            } else {
                let row: BTreeMap<String, String> = names
                    .iter()
                    .zip(line.split('\t'))
                    .map(|(name, value)| ((*name).to_owned(), value.to_owned()))
                    .collect();
                let id = line.split('\t').next().expect("a column").to_owned();
                let key = if table == "configuration" { row["name"].clone() } else { id };
                snapshot.get_mut(table).expect("a table").insert(key, row);
            }
        }
        snapshot
    }

    /// The names of all tables, and what they look like.
    pub async fn tables(&self) -> BTreeMap<String, String> {
        let names = self.0.sql("SHOW TABLES").await;
        let mut tables = BTreeMap::new();
        for name in names.lines().skip(1) {
            let text = self.0.sql(&format!("SHOW CREATE TABLE `{name}`")).await;
            // The next number is no part of what the table looks like.
            let text: Vec<&str> = text.split(' ').filter(|word| !word.starts_with("AUTO_INCREMENT=")).collect();
            tables.insert(name.to_owned(), text.join(" "));
        }
        tables
    }
}

/// What differs between two snapshots: `table id column: old -> new`, and `table id: new` with all of a new row.
pub fn differences(before: &Snapshot, after: &Snapshot) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (table, rows) in after {
        for (id, row) in rows {
            match before.get(table).and_then(|rows| rows.get(id)) {
                None => {
                    found.insert(format!("{table}: new"));
                }
                Some(old) => {
                    for (column, value) in row.iter().filter(|(column, value)| old.get(*column) != Some(value)) {
                        found.insert(format!("{table} {id} {column}: {} -> {value}", old[column]));
                    }
                }
            }
        }
    }
    for (table, rows) in before {
        for id in rows.keys().filter(|id| !after[table].contains_key(*id)) {
            found.insert(format!("{table} {id}: gone"));
        }
    }
    found
}

/// The rows that are new in a table, in their order.
pub fn new_rows<'a>(before: &Snapshot, after: &'a Snapshot, table: &str) -> Vec<&'a BTreeMap<String, String>> {
    let mut rows: Vec<_> = after[table].iter().filter(|(id, _)| !before[table].contains_key(*id)).collect();
    rows.sort_by_key(|(id, _)| id.parse::<u64>().unwrap_or_default());
    rows.into_iter().map(|(_, row)| row).collect()
}

/// The statements that make the tables.
fn definitions(references: bool) -> String {
    let mut tables: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut primary: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for line in COLUMNS.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [table, _, column, kind, nullable, default, key, extra] = fields[..] else { panic!("{line}") };
        let null = if nullable == "NO" { " NOT NULL" } else { " NULL" };
        let default = if default == "NULL" { String::new() } else { format!(" DEFAULT {default}") };
        let parts = tables.entry(table).or_default();
        parts.push(format!("`{column}` {kind}{null}{default} {extra}"));
        match key {
            "PRI" => primary.entry(table).or_default().push(column),
            "UNI" => parts.push(format!("UNIQUE KEY `uc_{table}__{column}` (`{column}`)")),
            "MUL" if kind != "text" => parts.push(format!("KEY `i_{table}__{column}` (`{column}`)")),
            _ => {}
        }
    }
    for (table, columns) in primary {
        tables.get_mut(table).expect("a table").push(format!("PRIMARY KEY (`{}`)", columns.join("`, `")));
    }
    for (number, (table, columns)) in UNIQUE.iter().enumerate() {
        tables.get_mut(table).expect("a table").push(format!("UNIQUE KEY `uc_{number}` ({columns})"));
    }
    for (table, column, other) in REFERENCES.iter().filter(|_| references) {
        let key = format!("CONSTRAINT `fk_{table}__{column}` FOREIGN KEY (`{column}`) REFERENCES `{other}` (`id`)");
        tables.get_mut(table).expect("a table").push(key);
    }
    let mut sql = String::new();
    for (table, parts) in tables {
        writeln!(sql, "CREATE TABLE `{table}` ({}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;", parts.join(", "))
            .expect("text");
    }
    // Tables that were not recorded.
    for (text, table) in [
        (LISTS, "resource_tags"),
        (ACCOUNTS, "project_account"),
        (ACCOUNTS, "domain_details"),
        (PROJECT_ROLES, "project_role"),
        (PROJECT_ROLES, "project_role_permissions"),
    ] {
        let start = text.find(&format!("CREATE TABLE `{table}`")).expect("a table");
        let end = text[start..].find(");").expect("its end");
        writeln!(sql, "{}) ENGINE=InnoDB DEFAULT CHARSET=utf8mb3;", &text[start..start + end]).expect("text");
    }
    sql.push_str(
        "CREATE TABLE `version` (`id` bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `version` char(40) NOT NULL UNIQUE, \
         `updated` datetime NOT NULL, `step` char(32) NOT NULL) ENGINE=InnoDB;\n\
         INSERT INTO `version` (`version`, `updated`, `step`) VALUES ('4.0.0', '2026-11-23 16:42:55', 'Complete'), \
         ('4.23.0.0', '2026-11-23 16:43:11', 'Complete');\n",
    );
    sql
}

fn insert(table: &str, row: &Map<String, Json>) -> String {
    let names: Vec<String> = row.keys().map(|name| format!("`{name}`")).collect();
    let values: Vec<String> = row.values().map(literal).collect();
    format!("REPLACE INTO `{table}` ({}) VALUES ({});\n", names.join(", "), values.join(", "))
}

fn literal(value: &Json) -> String {
    match value {
        Json::Null => "NULL".to_owned(),
        Json::Bool(value) => i64::from(*value).to_string(),
        Json::String(text) => {
            format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''").replace('\n', "\\n"))
        }
        other => other.to_string(),
    }
}
