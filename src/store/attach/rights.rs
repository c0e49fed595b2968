//! What the user of an attached database may do, tried with statements that touch no row.

use std::collections::BTreeMap;

use super::declared;
use super::survey::Survey;
use crate::store::error::number;
use crate::store::migrations::ATTACHED_HISTORY;
use crate::store::{Db, StoreError};

/// What a try has shown.
enum Try {
    Allowed,
    Refused,
    ReadOnlyServer,
    Locked,
}

/// What a database is looked at for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be used in place.
    Serve,
    /// To be read once.
    Read,
}

impl Purpose {
    /// What the user needs, as a GRANT names it.
    fn rights(self) -> String {
        if self == Self::Read { "SELECT".to_owned() } else { OWN.join(", ") }
    }
}

/// The rights that making and keeping our own tables needs.
const OWN: [&str; 7] = ["SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "INDEX"];

/// Finds missing rights: SELECT, INSERT and UPDATE on CloudStack's tables, and all that our own tables need. True when all of
/// CloudStack's tables can be read now.
pub(super) async fn check(
    db: &Db,
    survey: &mut Survey,
    purpose: Purpose,
    database: &str,
    used: &[&str],
    present: &[&str],
) -> Result<bool, StoreError> {
    let mut missing: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let (mut locked, mut read_only) = (Vec::new(), false);
    for table in used {
        let statements = [
            ("SELECT", format!("SELECT 1 FROM `{table}` WHERE 1 = 0")),
            ("INSERT", format!("INSERT INTO `{table}` SELECT * FROM `{table}` WHERE 1 = 0")),
            ("UPDATE", format!("UPDATE `{table}` SET {0} = {0} WHERE 1 = 0", key_of(table))),
        ];
        let tried = if purpose == Purpose::Read { 1 } else { statements.len() };
        for (right, sql) in statements.into_iter().take(tried) {
            match attempt(db, &sql).await? {
                Try::Allowed => {}
                Try::Refused => missing.entry(right).or_default().push(table),
                Try::ReadOnlyServer => read_only = true,
                Try::Locked => {
                    locked.push(*table);
                    break;
                }
            }
        }
    }
    if read_only {
        survey.stop(
            "the server takes no changes (read_only)",
            "name the primary server in the URL, not a replica, or switch read_only off",
        );
    }
    if !locked.is_empty() {
        survey.stop(
            format!("somebody holds a lock on {}", locked.join(", ")),
            "see SHOW FULL PROCESSLIST for a backup or an ALTER TABLE, and start again when it is over",
        );
    }
    let is_readable = locked.is_empty() && !missing.contains_key("SELECT");
    let user = user(db).await?;
    for (right, tables) in missing {
        let some = tables.iter().take(4).copied().collect::<Vec<_>>().join(", ");
        let more = if tables.len() > 4 { format!(" and {} more", tables.len() - 4) } else { String::new() };
        survey.stop(
            format!("the user may not {right} on {some}{more}"),
            format!("GRANT {} ON `{database}`.* TO {user};", purpose.rights()),
        );
    }
    if purpose == Purpose::Serve {
        own_tables(db, survey, database, present, &user).await?;
    }
    Ok(is_readable)
}

/// A column that every row has.
fn key_of(table: &str) -> &'static str {
    if table == "configuration" { "name" } else { "id" }
}

async fn own_tables(
    db: &Db,
    survey: &mut Survey,
    database: &str,
    present: &[&str],
    user: &str,
) -> Result<(), StoreError> {
    let made: Vec<String> = declared::ours().into_iter().filter(|table| present.contains(&table.as_str())).collect();
    let mut missing: Vec<&str> = Vec::new();
    for table in &made {
        if matches!(attempt(db, &format!("DELETE FROM `{table}` WHERE 1 = 0")).await?, Try::Refused) {
            missing.push("DELETE");
        }
    }
    if !survey.creates.is_empty() || !present.contains(&ATTACHED_HISTORY) {
        let granted = granted(db, database).await?;
        match granted {
            Granted::Rights(rights) => {
                missing.extend(OWN.iter().filter(|right| !rights.iter().any(|one| one == **right)))
            }
            Granted::All => {}
            Granted::ByRole => survey.notes.push(
                "the user's rights come from a role, so whether it may make tables shows when they are made".to_owned(),
            ),
        }
    }
    missing.sort_unstable();
    missing.dedup();
    if !missing.is_empty() {
        survey.stop(
            format!("the user may not {} tables of stackmotion's own in `{database}`", missing.join(", ")),
            format!("GRANT {} ON `{database}`.* TO {user};", Purpose::Serve.rights()),
        );
    }
    Ok(())
}

/// Tries a statement once, in a transaction that is not committed.
async fn attempt(db: &Db, sql: &str) -> Result<Try, StoreError> {
    let mut tx = db.begin().await?;
    let tried = tx.run(sql, vec![]).await;
    tx.roll_back().await;
    let error = match tried {
        Ok(_) => return Ok(Try::Allowed),
        Err(StoreError::Database(error)) => error,
        Err(error) => return Err(error),
    };
    match number(&error) {
        Some(1044 | 1142 | 1143 | 1227 | 1370) => Ok(Try::Refused),
        Some(1290 | 1792 | 1836) => Ok(Try::ReadOnlyServer),
        Some(1205) => Ok(Try::Locked),
        // It was allowed, and refused for what it says: that is not the question here.
        Some(_) => Ok(Try::Allowed),
        None => Err(error.into()),
    }
}

/// The user as a GRANT names it.
async fn user(db: &Db) -> Result<String, StoreError> {
    let row = db.row("SELECT CURRENT_USER()", vec![]).await?;
    let user: String = row.map_or_else(|| Ok(String::new()), |row| row.at(0))?;
    let (name, host) = user.rsplit_once('@').unwrap_or((&user, "%"));
    Ok(format!("'{name}'@'{host}'"))
}

/// Rights on a whole database.
#[derive(Debug, PartialEq, Eq)]
enum Granted {
    All,
    Rights(Vec<String>),
    ByRole,
}

async fn granted(db: &Db, database: &str) -> Result<Granted, StoreError> {
    let rows = db.rows("SHOW GRANTS", vec![]).await?;
    let lines = rows.iter().map(|row| row.at::<String>(0)).collect::<Result<Vec<_>, _>>()?;
    Ok(read_grants(&lines, database))
}

/// Reads the lines of SHOW GRANTS: `GRANT SELECT, INSERT ON `cloud`.* TO ...`.
fn read_grants(lines: &[String], database: &str) -> Granted {
    let (mut rights, mut roles) = (Vec::new(), false);
    for line in lines {
        let Some(line) = line.strip_prefix("GRANT ") else { continue };
        let Some((list, rest)) = line.split_once(" ON ") else {
            roles = true;
            continue;
        };
        let scope = rest.split(" TO ").next().unwrap_or_default();
        let Some(pattern) = scope.strip_suffix(".*") else { continue };
        if pattern != "*" && !matches(pattern.trim_matches('`'), database) {
            continue;
        }
        if list.starts_with("ALL PRIVILEGES") {
            return Granted::All;
        }
        rights.extend(list.split(',').map(|right| right.trim().to_owned()));
    }
    let has_all = OWN.iter().all(|right| rights.iter().any(|one| one == right));
    if roles && !has_all { Granted::ByRole } else { Granted::Rights(rights) }
}

/// Whether a name is meant by a pattern of a GRANT: `%` is any run of letters, `_` any letter, and `\` takes both away.
fn matches(pattern: &str, name: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('%') => (0..=name.len()).any(|at| name.is_char_boundary(at) && matches(letters.as_str(), &name[at..])),
        Some('_') => {
            let mut rest = name.chars();
            rest.next().is_some() && matches(letters.as_str(), rest.as_str())
        }
        Some(letter) => {
            let letter = if letter == '\\' { letters.next().unwrap_or('\\') } else { letter };
            name.strip_prefix(letter).is_some_and(|rest| matches(letters.as_str(), rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn granted(lines: &[&str]) -> Granted {
        read_grants(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), "cloud_1")
    }

    #[test]
    fn grants_are_read() {
        assert_eq!(granted(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION"]), Granted::All);
        assert_eq!(granted(&["GRANT ALL PRIVILEGES ON `cloud\\_1`.* TO `u`@`%`"]), Granted::All);
        assert_eq!(granted(&["GRANT ALL PRIVILEGES ON `other`.* TO `u`@`%`"]), Granted::Rights(vec![]));
        assert_eq!(granted(&["GRANT ALL PRIVILEGES ON `cloud_1`.`version` TO `u`@`%`"]), Granted::Rights(vec![]));
        assert_eq!(
            granted(&[
                "GRANT USAGE ON *.* TO `u`@`%` IDENTIFIED BY PASSWORD 'x'",
                "GRANT SELECT, CREATE ON `cloud%`.* TO `u`@`%`"
            ]),
            Granted::Rights(vec!["USAGE".into(), "SELECT".into(), "CREATE".into()])
        );
        assert_eq!(granted(&["GRANT `keepers`@`%` TO `u`@`%`"]), Granted::ByRole);
    }
}
