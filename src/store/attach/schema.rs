//! The tables as they are in this database.
//!
//! The SQL of the store is written once, for the tables of CloudStack 4.23. An older database lacks some of them and some
//! of their columns. A [`Schema`] knows which, and lets every reading statement see the table of 4.23 all the same: the
//! name of a table that lacks something is replaced by a derived table that has it (`FROM host h` becomes
//! `FROM (SELECT t.*, 'x86_64' AS arch FROM host t) h`), which MySQL and MariaDB merge into the statement around it. What
//! writes asks [`Schema::has`], for a value that has no column cannot be kept.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::declared::Columns;

/// A column that came after 4.18.
#[derive(Clone, Copy, Debug)]
pub(super) struct Later {
    pub(super) table: &'static str,
    pub(super) column: &'static str,
    /// What it reads as where it is not: what CloudStack's own upgrade gives to the rows that are there.
    pub(super) value: &'static str,
    /// The version that brought it.
    pub(super) since: &'static str,
}

const fn later(since: &'static str, table: &'static str, column: &'static str, value: &'static str) -> Later {
    Later { table, column, value, since }
}

/// What came after 4.18.0 (CloudStack's upgrade scripts of 4.18 to 4.23; `contract/schema/columns.tsv` is 4.23).
const LATER: &[Later] = &[
    later("4.19", "roles", "public_role", "1"),
    later("4.19", "storage_pool_tags", "is_tag_a_rule", "0"),
    later("4.19", "host_tags", "is_tag_a_rule", "0"),
    later("4.19", "guest_os", "display", "1"),
    later("4.20", "resource_limit", "tag", "NULL"),
    later("4.20", "resource_count", "tag", "NULL"),
    later("4.20", "host_tags", "is_implicit", "0"),
    later("4.20", "roles", "state", "'enabled'"),
    later("4.20", "cluster", "arch", "'x86_64'"),
    later("4.20", "host", "arch", "'x86_64'"),
    later("4.20", "vm_template", "arch", "'x86_64'"),
    later("4.20", "vm_instance", "delete_protection", "0"),
    later("4.20", "volumes", "delete_protection", "0"),
    later("4.20.1", "volumes", "last_id", "NULL"),
    later("4.20.1", "user", "api_key_access", "NULL"),
    later("4.20.1", "account", "api_key_access", "NULL"),
    later("4.20.1", "storage_pool", "used_iops", "NULL"),
    later("4.20.1", "host", "last_mgmt_server_id", "NULL"),
    later("4.21", "vm_template", "for_cks", "0"),
    later("4.21", "vm_template", "extension_id", "NULL"),
    later("4.21", "host", "storage_access_groups", "NULL"),
    later("4.21", "cluster", "storage_access_groups", "NULL"),
    later("4.21", "host_pod_ref", "storage_access_groups", "NULL"),
    later("4.21", "data_center", "storage_access_groups", "NULL"),
    later("4.21", "guest_os_category", "featured", "0"),
    later("4.21", "guest_os_category", "sort_key", "0"),
    later("4.21", "guest_os_category", "created", "NULL"),
    later("4.21", "guest_os_category", "removed", "NULL"),
    later("4.21", "service_offering", "vgpu_profile_id", "NULL"),
    later("4.21", "service_offering", "gpu_count", "NULL"),
    later("4.21", "service_offering", "gpu_display", "0"),
    later("4.23", "nics", "enabled", "1"),
    later("4.23", "networks", "keep_mac_address_on_public_nic", "1"),
    later("4.23", "volumes", "kms_key_id", "NULL"),
    later("4.23", "volumes", "kms_wrapped_key_id", "NULL"),
];

/// A table that came after 4.18, and what stood in its place.
struct LaterTable {
    table: &'static str,
    since: &'static str,
    /// The table that has to be there instead, with the columns that are read.
    instead: Option<(&'static str, &'static [&'static str])>,
    /// The derived table.
    shape: &'static str,
}

/// Tables that came after 4.18.0 (`contract/entities.md` 3.15, 3.22).
const LATER_TABLES: &[LaterTable] = &[
    LaterTable {
        table: "vm_instance_details",
        since: "4.21",
        instead: Some(("user_vm_details", &["id", "vm_id", "name", "value", "display"])),
        shape: "SELECT id, vm_id, name, value, display FROM user_vm_details",
    },
    LaterTable {
        table: "api_keypair",
        since: "4.23",
        instead: Some(("user", &["api_key", "secret_key"])),
        // One pair per user, in the user's row. It is shown under the user's ids.
        shape: "SELECT o.id AS id, o.uuid AS uuid, 'Active key pair' AS name, b.domain_id AS domain_id, \
            o.account_id AS account_id, o.id AS user_id, NULL AS start_date, NULL AS end_date, NULL AS description, \
            o.api_key AS api_key, COALESCE(o.secret_key, '') AS secret_key, o.created AS created, NULL AS removed \
            FROM `user` o JOIN account b ON b.id = o.account_id WHERE o.api_key IS NOT NULL",
    },
    LaterTable {
        table: "api_keypair_permissions",
        since: "4.23",
        instead: None,
        shape: "SELECT 0 AS id, NULL AS uuid, 0 AS sort_order, '' AS rule, 0 AS api_keypair_id, '' AS permission, \
            NULL AS description FROM DUAL WHERE 1 = 0",
    },
];

/// What a database has of the tables that the store's SQL is written for.
#[derive(Clone, Debug, Default)]
pub struct Schema {
    attached: bool,
    /// Derived tables by the name of the table that they stand for.
    shapes: BTreeMap<String, String>,
    /// Tables and columns that are not there, with the version that brought them.
    absent: BTreeMap<(String, String), &'static str>,
    absent_tables: BTreeSet<String>,
}

/// What a database lacks that nothing stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    /// A table.
    Table(String),
    /// Columns of a table.
    Columns(String, Vec<String>),
}

impl Schema {
    /// What the database that has these tables makes of those that are `needed`.
    ///
    /// # Errors
    /// What is lacking, in the order of the tables.
    pub(super) fn of(needed: &Columns, present: &BTreeMap<String, BTreeSet<String>>) -> Result<Self, Vec<Lack>> {
        let mut schema = Self { attached: true, ..Self::default() };
        let mut lacks = Vec::new();
        for (table, columns) in needed {
            match present.get(table) {
                Some(there) => lacks.extend(schema.columns(table, columns, there)),
                None => lacks.extend(schema.table(table, present)),
            }
        }
        if lacks.is_empty() { Ok(schema) } else { Err(lacks) }
    }

    fn columns(&mut self, table: &str, columns: &[String], there: &BTreeSet<String>) -> Option<Lack> {
        let (mut added, mut lacking) = (String::new(), Vec::new());
        for column in columns.iter().filter(|column| !there.contains(*column)) {
            match LATER.iter().find(|later| later.table == table && later.column == column) {
                Some(later) => {
                    added.push_str(&format!(", {} AS `{column}`", later.value));
                    self.absent.insert((table.to_owned(), column.clone()), later.since);
                }
                None => lacking.push(column.clone()),
            }
        }
        if !added.is_empty() {
            self.shapes.insert(table.to_owned(), format!("SELECT s.*{added} FROM `{table}` s"));
        }
        (!lacking.is_empty()).then(|| Lack::Columns(table.to_owned(), lacking))
    }

    fn table(&mut self, table: &str, present: &BTreeMap<String, BTreeSet<String>>) -> Option<Lack> {
        let later = LATER_TABLES.iter().find(|later| {
            later.table == table
                && later.instead.is_none_or(|(instead, columns)| {
                    present.get(instead).is_some_and(|there| columns.iter().all(|column| there.contains(*column)))
                })
        });
        let Some(later) = later else { return Some(Lack::Table(table.to_owned())) };
        self.shapes.insert(table.to_owned(), later.shape.to_owned());
        self.absent.insert((table.to_owned(), String::new()), later.since);
        self.absent_tables.insert(table.to_owned());
        None
    }

    /// True for a database that belongs to CloudStack: other servers work on it, and it is not changed but for what a call
    /// asks for.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.attached
    }

    /// Whether the table has the column, so that a value can be written to it.
    #[must_use]
    pub fn has(&self, table: &str, column: &str) -> bool {
        !self.absent_tables.contains(table) && !self.absent.contains_key(&(table.to_owned(), column.to_owned()))
    }

    /// Whether the table is there, so that rows can be written to it.
    #[must_use]
    pub fn has_table(&self, table: &str) -> bool {
        !self.absent_tables.contains(table)
    }

    /// What is not there, as `table.column` or `table`, with the version that brought it.
    pub(super) fn absent(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.absent.iter().map(|((table, column), since)| {
            let name = if column.is_empty() { table.clone() } else { format!("{table}.{column}") };
            (name, *since)
        })
    }

    /// A statement of the store as this database understands it.
    pub(in crate::store) fn read<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        if self.shapes.is_empty() { Cow::Borrowed(sql) } else { self.reshaped(sql) }
    }

    fn reshaped<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        let words = words(sql);
        let (mut text, mut kept) = (String::new(), 0);
        for (at, &(start, end)) in words.iter().enumerate() {
            let table = sql[start..end].trim_matches('`');
            let Some(shape) = self.shapes.get(table).filter(|_| is_read_from(sql, &words[..at])) else { continue };
            let next = words.get(at + 1).filter(|(next, _)| sql[end..*next].trim().is_empty());
            let is_named = next.is_some_and(|&(start, end)| !FOLLOWS.contains(&&*sql[start..end].to_ascii_uppercase()));
            text.push_str(&sql[kept..start]);
            text.push_str(&format!("({shape})"));
            if !is_named {
                text.push_str(&format!(" `{table}`"));
            }
            kept = end;
        }
        if kept == 0 {
            return Cow::Borrowed(sql);
        }
        text.push_str(&sql[kept..]);
        Cow::Owned(text)
    }
}

/// Words that stand after a table that has no other name.
const FOLLOWS: [&str; 13] =
    ["WHERE", "JOIN", "LEFT", "RIGHT", "INNER", "CROSS", "ON", "ORDER", "GROUP", "HAVING", "LIMIT", "UNION", "FOR"];

/// Whether what stands after these words is a table that is read.
fn is_read_from(sql: &str, before: &[(usize, usize)]) -> bool {
    let mut before = before.iter().rev().map(|&(start, end)| sql[start..end].to_ascii_uppercase());
    match before.next().as_deref() {
        Some("JOIN") => true,
        Some("FROM") => before.next().as_deref() != Some("DELETE"),
        _ => false,
    }
}

/// Where the words of a statement are; texts in quotes are none.
fn words(sql: &str) -> Vec<(usize, usize)> {
    let mut words = Vec::new();
    let (mut begun, mut quoted) = (None, false);
    for (at, letter) in sql.char_indices() {
        quoted ^= letter == '\'';
        let inside = !quoted && (letter.is_alphanumeric() || matches!(letter, '_' | '`' | '.'));
        match (begun, inside) {
            (None, true) => begun = Some(at),
            (Some(start), false) => {
                words.push((start, at));
                begun = None;
            }
            _ => {}
        }
    }
    words.extend(begun.map(|start| (start, sql.len())));
    words
}

#[cfg(test)]
mod tests {
    use super::super::declared;
    use super::*;

    fn present(change: impl Fn(&mut BTreeMap<String, BTreeSet<String>>)) -> BTreeMap<String, BTreeSet<String>> {
        let mut tables: BTreeMap<String, BTreeSet<String>> = declared::of_cloudstack()
            .into_iter()
            .map(|(table, columns)| (table, columns.into_iter().collect()))
            .collect();
        change(&mut tables);
        tables
    }

    fn older() -> Schema {
        let tables = present(|tables| {
            tables.remove("api_keypair");
            tables.remove("api_keypair_permissions");
            tables.get_mut("user").unwrap().extend(["api_key".to_owned(), "secret_key".to_owned()]);
            tables.get_mut("host").unwrap().remove("arch");
        });
        Schema::of(&declared::of_cloudstack(), &tables).unwrap()
    }

    #[test]
    fn what_came_later_is_declared() {
        let needed = declared::of_cloudstack();
        for later in LATER {
            assert!(needed[later.table].iter().any(|column| column == later.column), "{later:?}");
        }
        for later in LATER_TABLES {
            for column in &needed[later.table] {
                let there =
                    later.shape.contains(&format!(" AS {column}")) || later.shape.contains(&format!(" {column},"));
                assert!(there || later.shape.contains(&format!(" {column} FROM")), "{}.{column}", later.table);
            }
        }
    }

    #[test]
    fn a_database_of_4_23_is_read_as_it_is() {
        let schema = Schema::of(&declared::of_cloudstack(), &present(|_| ())).unwrap();
        assert!(matches!(schema.read("SELECT id FROM host h"), Cow::Borrowed(_)));
        assert!(schema.is_attached() && schema.has("volumes", "kms_key_id"));
    }

    #[test]
    fn tables_that_lack_something_are_replaced_where_they_are_read() {
        let schema = older();
        let host = "(SELECT s.*, 'x86_64' AS `arch` FROM `host` s)";
        for (sql, expected) in [
            ("SELECT id FROM host WHERE id = ?", format!("SELECT id FROM {host} `host` WHERE id = ?")),
            ("SELECT h.id FROM `host` h", format!("SELECT h.id FROM {host} h")),
            ("(SELECT id FROM host)", format!("(SELECT id FROM {host} `host`)")),
            ("x LEFT JOIN host AS h ON h.id = 1", format!("x LEFT JOIN {host} AS h ON h.id = 1")),
            ("SELECT 'FROM host' FROM host_tags t", "SELECT 'FROM host' FROM host_tags t".to_owned()),
            ("DELETE FROM host WHERE id = 1", "DELETE FROM host WHERE id = 1".to_owned()),
            ("UPDATE host SET id = 1", "UPDATE host SET id = 1".to_owned()),
            (
                "INSERT INTO host (id) SELECT id FROM host WHERE 1 = 0",
                format!("INSERT INTO host (id) SELECT id FROM {host} `host` WHERE 1 = 0"),
            ),
        ] {
            assert_eq!(schema.read(sql), expected);
        }
        let keys = schema.read("SELECT k.id FROM user u JOIN api_keypair k ON k.user_id = u.id").into_owned();
        assert!(keys.contains("WHERE o.api_key IS NOT NULL) k ON k.user_id"), "{keys}");
        assert!(!schema.has_table("api_keypair") && !schema.has("api_keypair", "name") && schema.has("host", "id"));
    }

    #[test]
    fn what_nothing_stands_for_is_lacking() {
        let tables = present(|tables| {
            tables.remove("alert");
            tables.remove("api_keypair");
            let volumes = tables.get_mut("volumes").unwrap();
            volumes.remove("folder");
            volumes.remove("last_id");
        });
        let lacks = Schema::of(&declared::of_cloudstack(), &tables).unwrap_err();
        assert_eq!(
            lacks,
            [
                Lack::Table("alert".into()),
                Lack::Table("api_keypair".into()),
                Lack::Columns("volumes".into(), vec!["folder".into()])
            ]
        );
    }
}
