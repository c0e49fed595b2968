//! What a database to be attached is, what of it is used, and what stops us.

use std::collections::{BTreeMap, BTreeSet};

use super::declared::{self, OURS};
use super::rights::Purpose;
use super::schema::{Lack, Schema};
use super::{counts, rights};
use crate::store::{Db, StoreError};

/// The versions of CloudStack whose tables are known, as major and minor.
const KNOWN: std::ops::RangeInclusive<(u32, u32)> = (4, 18)..=(4, 23);

/// What must not be so if the database is to be attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// What is so.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

/// A number of things that were found, such as 3 hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How many.
    pub count: i64,
    /// Of what: `zones`, `hosts`, `pools`, `VMs`, `volumes`, `accounts`, `keys`.
    pub what: &'static str,
}

/// What a look at a database that is to be attached has shown. [`std::fmt::Display`] writes it as one screen of text.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// Where the database is, without the password.
    pub place: String,
    /// The server's version, such as `10.11.6-MariaDB`.
    pub server: String,
    /// CloudStack's version, such as `4.23.0.0`.
    pub version: Option<String>,
    /// What is there.
    pub found: Vec<Finding>,
    /// How many of CloudStack's tables are used.
    pub tables: usize,
    /// What an older CloudStack lacks: `table.column` or `table`, by the version that brought it. It is read as empty.
    pub absent: BTreeMap<&'static str, Vec<String>>,
    /// Our tables that are to be made.
    pub creates: Vec<String>,
    /// Secret keys that look as if CloudStack had encrypted them.
    pub encrypted: usize,
    /// What is worth knowing and stops nobody.
    pub notes: Vec<String>,
    /// What stops us.
    pub obstacles: Vec<Obstacle>,
}

impl Survey {
    /// True when nothing stops us.
    #[must_use]
    pub fn is_attachable(&self) -> bool {
        self.obstacles.is_empty()
    }

    pub(super) fn stop(&mut self, what: impl Into<String>, remedy: impl Into<String>) {
        self.obstacles.push(Obstacle { what: what.into(), remedy: remedy.into() });
    }
}

/// A column of the database, as far as writing rows needs it.
struct Present {
    /// True when a new row has to name it.
    is_needed: bool,
}

/// Looks at the database. There is a schema when all tables and columns are there.
pub(super) async fn look(db: &Db, url: &str, purpose: Purpose) -> Result<(Survey, Option<Schema>), StoreError> {
    let mut survey = Survey { place: place(url), ..Survey::default() };
    let row = db.row("SELECT VERSION(), DATABASE()", vec![]).await?;
    let Some(row) = row else { return Ok((survey, None)) };
    survey.server = row.at(0)?;
    let Some(database) = row.at::<Option<String>>(1)? else {
        survey.stop("the URL names no database", "write its name at the end: mysql://user:password@host/cloud");
        return Ok((survey, None));
    };
    let present = columns(db).await?;
    if !version(db, &mut survey, &present).await? {
        return Ok((survey, None));
    }
    let needed = declared::of_cloudstack();
    let names: BTreeMap<String, BTreeSet<String>> =
        present.iter().map(|(table, columns)| (table.clone(), columns.keys().cloned().collect())).collect();
    let schema = match Schema::of(&needed, &names) {
        Ok(schema) => schema,
        Err(lacks) => {
            lacking(&mut survey, &lacks);
            return Ok((survey, None));
        }
    };
    for (name, since) in schema.absent() {
        survey.absent.entry(since).or_default().push(name);
    }
    let used: Vec<&str> = needed.keys().map(String::as_str).filter(|table| schema.has_table(table)).collect();
    survey.tables = used.len();
    survey.creates = declared::ours().into_iter().filter(|table| !present.contains_key(table)).collect();
    if purpose == Purpose::Serve {
        unknown_columns(&mut survey, &used, &needed, &present);
    }
    let present: Vec<&str> = present.keys().map(String::as_str).collect();
    if rights::check(db, &mut survey, purpose, &database, &used, &present).await? {
        counts::fill(db, &schema, &mut survey).await?;
    }
    Ok((survey, Some(schema)))
}

/// The URL without the password and without parameters, which may hold one.
fn place(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return String::new() };
    match rest.rsplit_once('@') {
        Some((login, place)) => format!("{scheme}://{}@{place}", login.split(':').next().unwrap_or_default()),
        None => url.to_owned(),
    }
}

/// All columns of the database that the user may see.
async fn columns(db: &Db) -> Result<BTreeMap<String, BTreeMap<String, Present>>, StoreError> {
    let sql = "SELECT c.TABLE_NAME AS table_name, c.COLUMN_NAME AS column_name, c.IS_NULLABLE = 'NO' AND \
        c.COLUMN_DEFAULT IS NULL AND c.EXTRA NOT LIKE '%auto_increment%' AND c.EXTRA NOT LIKE '%GENERATED%' AS is_needed \
        FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = DATABASE()";
    let mut tables: BTreeMap<String, BTreeMap<String, Present>> = BTreeMap::new();
    for row in db.rows(sql, vec![]).await? {
        let column = Present { is_needed: row.at(2)? };
        tables.entry(row.at(0)?).or_default().insert(row.at(1)?, column);
    }
    Ok(tables)
}

/// Finds the version out; false when this is no CloudStack that we know.
async fn version(
    db: &Db,
    survey: &mut Survey,
    present: &BTreeMap<String, BTreeMap<String, Present>>,
) -> Result<bool, StoreError> {
    if present.is_empty() {
        survey.stop(
            "the database has no table that this user may see",
            "check the database's name in the URL, and grant the user its rights (docs/attached.md)",
        );
        return Ok(false);
    }
    if present.contains_key("_sqlx_migrations") && !present.contains_key("version") {
        survey.stop(
            "this is a database of stackmotion's own, not CloudStack's",
            "serve it with database.url (--database-url) instead of database.attach",
        );
        return Ok(false);
    }
    let known =
        present.get("version").is_some_and(|version| version.contains_key("version") && version.contains_key("step"));
    let row =
        if known { db.row("SELECT version, step FROM version ORDER BY id DESC LIMIT 1", vec![]).await? } else { None };
    let Some(row) = row else {
        survey.stop(
            "the table `version` is not there or has no row, so this is not the database of a CloudStack that ran once",
            "name the database `cloud` of the management server in the URL, and grant the user its rights (docs/attached.md)",
        );
        return Ok(false);
    };
    let (version, step): (String, String) = (row.at(0)?, row.at::<Option<String>>(1)?.unwrap_or_default());
    survey.version = Some(version.clone());
    if !step.eq_ignore_ascii_case("Complete") {
        survey.stop(
            format!("CloudStack's upgrade to {version} is not over (step {step})"),
            "let the management server finish the upgrade, then start again",
        );
    }
    if !numbers(&version).is_some_and(|version| KNOWN.contains(&version)) {
        survey.stop(
            format!("CloudStack {version} is not known here; 4.18 to 4.23 are"),
            "use a stackmotion that knows this version, or upgrade CloudStack",
        );
        return Ok(false);
    }
    Ok(survey.is_attachable())
}

/// Major and minor number of a version such as `4.23.0.0-SNAPSHOT`.
fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn lacking(survey: &mut Survey, lacks: &[Lack]) {
    let version = survey.version.clone().unwrap_or_default();
    for lack in lacks {
        let what = match lack {
            Lack::Table(table) => format!("the table {table} is not there, or the user has no right on it"),
            Lack::Columns(table, columns) => format!("the table {table} has no column {}", columns.join(", ")),
        };
        survey.stop(
            what,
            format!(
                "CloudStack {version} has it: grant the user its rights, and compare the table with a fresh {version}; \
                 an upgrade may have stopped half-way"
            ),
        );
    }
}

/// Columns that we know nothing of and that a new row has to name: rows that we write would be refused.
fn unknown_columns(
    survey: &mut Survey,
    used: &[&str],
    needed: &declared::Columns,
    present: &BTreeMap<String, BTreeMap<String, Present>>,
) {
    for table in used.iter().filter(|table| !table.starts_with(OURS)) {
        let known = &needed[*table];
        let unknown: Vec<&str> = present[*table]
            .iter()
            .filter(|(name, column)| column.is_needed && !known.contains(name))
            .map(|(name, _)| name.as_str())
            .collect();
        if !unknown.is_empty() {
            survey.stop(
                format!("the table {table} demands a value for {}, which is unknown here", unknown.join(", ")),
                "give the column a default, or use a stackmotion that knows it",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert_eq!(numbers("4.23.0.0-SNAPSHOT"), Some((4, 23)));
        assert_eq!(numbers("4.18.0"), Some((4, 18)));
        assert_eq!(numbers("four"), None);
        assert!(!KNOWN.contains(&(4, 24)) && !KNOWN.contains(&(4, 17)) && !KNOWN.contains(&(5, 20)));
    }

    #[test]
    fn places_have_no_password() {
        assert_eq!(place("mysql://cloud:p@ss@db:3306/cloud?password=x"), "mysql://cloud@db:3306/cloud");
        assert_eq!(place("mysql://db/cloud"), "mysql://db/cloud");
    }
}
