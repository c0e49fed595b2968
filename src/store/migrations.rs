//! The tables' history: the files of `migrations/`, compiled in, for either database.
//!
//! The files are written once, in MySQL's words. SQLite accepts them but for three, which are replaced here:
//! an automatic id (`INTEGER PRIMARY KEY` is SQLite's), text that compares without regard to case (MySQL's default), and
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
    (12, "nodes", include_str!("../../migrations/0012_nodes.sql")),
];

const AUTOMATIC_ID: &str = "BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY";

/// The migrations as SQLite reads them.
pub(super) fn for_sqlite() -> Migrator {
    migrator(|sql| {
        sql.lines()
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

fn ignoring_case(line: &str) -> String {
    match line.strip_suffix(',') {
        Some(column) => format!("{column} COLLATE NOCASE,"),
        None => format!("{line} COLLATE NOCASE"),
    }
}

fn migrator(translate: impl Fn(&str) -> String) -> Migrator {
    let migrations = FILES
        .iter()
        .map(|(version, description, sql)| {
            let sql = AssertSqlSafe(translate(sql)).into_sql_str();
            Migration::new(*version, Cow::Borrowed(*description), MigrationType::Simple, sql, false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}
