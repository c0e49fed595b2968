//! The tables' history: the files of `migrations/`, compiled in, for either database.
//!
//! The files are written once, in MySQL's words. SQLite accepts them but for four, which are replaced here:
//! columns that are made longer (its own have any length), an automatic id (`INTEGER PRIMARY KEY` is SQLite's), text that compares without regard to case (MySQL's default), and
//! MySQL itself is told its storage engine and character set, which SQLite does not know.

use std::borrow::Cow;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, SqlSafeStr};

/// All files, oldest first. A file that has been released is never changed: a new one is added.
const FILES: &[(i64, &str, &str)] = &[
    (1, "cloudstack tables", include_str!("../../migrations/0001_cloudstack_tables.sql")),
    (2, "motion tables", include_str!("../../migrations/0002_motion_tables.sql")),
    (3, "capabilities", include_str!("../../migrations/0003_capabilities.sql")),
    (4, "lists", include_str!("../../migrations/0004_lists.sql")),
    (5, "accounts", include_str!("../../migrations/0005_accounts.sql")),
    (6, "events and alerts", include_str!("../../migrations/0006_lists.sql")),
    (7, "sessions", include_str!("../../migrations/0007_sessions.sql")),
    (8, "more of events", include_str!("../../migrations/0008_events.sql")),
    (9, "settings", include_str!("../../migrations/0009_settings.sql")),
    (10, "offerings", include_str!("../../migrations/0010_offerings.sql")),
    (11, "room for sealed secrets", include_str!("../../migrations/0011_sealed_secrets.sql")),
    (12, "nodes", include_str!("../../migrations/0012_nodes.sql")),
    (13, "control", include_str!("../../migrations/0013_control.sql")),
    (14, "submissions", include_str!("../../migrations/0014_submissions.sql")),
    (15, "history", include_str!("../../migrations/0015_history.sql")),
    (16, "drift", include_str!("../../migrations/0016_drift.sql")),
    (17, "large lists", include_str!("../../migrations/0017_large_lists.sql")),
    (18, "doubt", include_str!("../../migrations/0018_doubt.sql")),
    (19, "project roles", include_str!("../../migrations/0019_project_roles.sql")),
    (20, "rare states", include_str!("../../migrations/0020_rare_states.sql")),
    (21, "unsettled", include_str!("../../migrations/0021_unsettled.sql")),
    (22, "jobs", include_str!("../../migrations/0022_jobs.sql")),
    (23, "codes of second factors", include_str!("../../migrations/0023_second_factor.sql")),
    (24, "turns", include_str!("../../migrations/0024_turns.sql")),
];

const AUTOMATIC_ID: &str = "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY";

/// The migrations as SQLite reads them.
pub(super) fn for_sqlite() -> Migrator {
    migrator(|sql| {
        sql.lines()
            // The length of a column is no limit there.
            .filter(|line| !(line.starts_with("ALTER TABLE") && line.contains(" MODIFY ")))
            .map(|line| {
                let line = line.replace(AUTOMATIC_ID, "INTEGER PRIMARY KEY AUTOINCREMENT");
                let text = ["` varchar(", "` char(", "` text", "` mediumtext"].iter().any(|kind| line.contains(kind));
                if text && line.starts_with("    `") { ignoring_case(&line) } else { line }
            })
            .collect::<Vec<_>>()
            .join("\n")
    })
}

/// The migrations as MySQL and MariaDB read them.
pub(super) fn for_mysql() -> Migrator {
    migrator(|sql| sql.replace("\n);", "\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"))
}

/// The migrations of a database that is CloudStack's: what they say about our own tables, and nothing else. What was done is
/// noted in a table of ours too.
pub(super) fn for_attached() -> Migrator {
    let ours = |sql: &str| {
        let own = parts(sql).filter(|statement| target(statement).is_some_and(|table| table.starts_with("motion_")));
        own.map(|statement| format!("{statement};\n")).collect::<String>()
    };
    let mut migrator = migrator(|sql| ours(sql).replace("\n);", "\n) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"));
    migrator.dangerous_set_table_name(ATTACHED_HISTORY);
    migrator
}

/// Where an attached database notes which migrations were done.
pub(super) const ATTACHED_HISTORY: &str = "motion_schema_migrations";

/// All statements, oldest first.
pub(super) fn statements() -> impl Iterator<Item = &'static str> {
    FILES.iter().flat_map(|(_, _, sql)| parts(sql))
}

/// The statements of a file, without the comments before them.
fn parts(sql: &str) -> impl Iterator<Item = &str> {
    sql.split(";\n")
        .map(|part| {
            let mut rest = part.trim();
            while rest.starts_with("--") {
                rest = rest.split_once('\n').map_or("", |(_, rest)| rest.trim_start());
            }
            rest.trim_end_matches(';')
        })
        .filter(|statement| !statement.is_empty())
}

/// The table that a statement is about.
pub(super) fn target(statement: &str) -> Option<&str> {
    let is_index = ["CREATE INDEX", "CREATE UNIQUE INDEX"].iter().any(|words| statement.starts_with(words));
    let before = if is_index { "ON `" } else { "`" };
    let (word, rest) = statement.split_once(before)?;
    let known = is_index
        || ["CREATE TABLE", "ALTER TABLE", "DROP TABLE", "INSERT INTO", "INSERT IGNORE INTO", "UPDATE", "DELETE FROM"]
            .contains(&word.trim());
    rest.split_once('`').map(|(table, _)| table).filter(|_| known)
}

fn ignoring_case(line: &str) -> String {
    match line.strip_suffix(',') {
        Some(column) => format!("{column} COLLATE NOCASE,"),
        None => format!("{line} COLLATE NOCASE"),
    }
}

fn migrator(translate: impl Fn(&str) -> String) -> Migrator {
    let migrations = FILES
        .iter()
        .map(|(version, description, sql)| (version, description, translate(sql)))
        // A server refuses an empty text.
        .filter(|(_, _, sql)| !sql.is_empty())
        .map(|(version, description, sql)| {
            let sql = AssertSqlSafe(sql).into_sql_str();
            Migration::new(*version, Cow::Borrowed(*description), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}
