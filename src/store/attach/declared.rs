//! What our SQL needs of CloudStack's tables, read off the migrations: the texts that make the tables of an own database
//! are the declaration of what an attached one has to have. There is no second list.

use std::collections::BTreeMap;

use super::super::migrations;

/// What the names of our own tables begin with.
pub(super) const OURS: &str = "motion_";

/// Columns by table, in the order in which they are declared.
pub(super) type Columns = BTreeMap<String, Vec<String>>;

/// The tables of CloudStack that our SQL uses, with their columns.
pub(super) fn of_cloudstack() -> Columns {
    all().into_iter().filter(|(table, _)| !table.starts_with(OURS)).collect()
}

/// The names of our own tables.
pub(super) fn ours() -> Vec<String> {
    all().into_keys().filter(|table| table.starts_with(OURS)).collect()
}

fn all() -> Columns {
    let mut tables = Columns::new();
    for statement in migrations::statements() {
        let Some(table) = migrations::target(statement) else { continue };
        if let Some(added) = added(statement) {
            tables.entry(table.to_owned()).or_default().extend(added.map(str::to_owned));
        }
    }
    tables
}

/// The columns of one table, in the order in which they are declared.
pub(in crate::store) fn columns_of(table: &str) -> Vec<&'static str> {
    let of_table = migrations::statements().filter(|statement| migrations::target(statement) == Some(table));
    of_table.filter_map(added).flatten().collect()
}

/// The columns that a statement makes, if it is one that does.
fn added(statement: &'static str) -> Option<impl Iterator<Item = &'static str>> {
    let makes = ["CREATE TABLE", "ALTER TABLE"].iter().any(|words| statement.starts_with(words));
    makes.then(|| {
        statement.lines().filter_map(|line| {
            let line = line.trim();
            let column = line.strip_prefix('`').or_else(|| line.split_once("ADD COLUMN `").map(|(_, rest)| rest))?;
            column.split_once('`').map(|(name, _)| name)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_come_from_the_migrations() {
        let tables = of_cloudstack();
        assert!(tables.len() > 45, "{:?}", tables.keys());
        assert_eq!(tables["storage_pool_host_ref"][..3], ["id", "host_id", "pool_id"]);
        assert_eq!(tables["volumes"].len(), 45);
        assert!(tables["resource_tags"].contains(&"customer".to_owned()));
        assert!(ours().contains(&"motion_session".to_owned()) && !ours().contains(&"volumes".to_owned()));
    }

    #[test]
    fn every_statement_is_about_one_table() {
        for statement in migrations::statements() {
            assert!(migrations::target(statement).is_some(), "whose is this? {statement}");
        }
    }
}
