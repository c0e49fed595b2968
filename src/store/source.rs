//! A CloudStack database that is only read: one connection, one snapshot from beginning to end.

use std::str::FromStr as _;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::db::{mysql_value, rows_of};
use super::{Row, StoreError};

/// A database cannot be read from.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL is none of a MySQL or MariaDB database.
    #[error("the source must be a URL such as mysql://user:password@host:3306/cloud")]
    Url,
    /// Nobody answers.
    #[error("the source database does not answer; check host and port of the URL, and whether the server runs")]
    Unreachable(#[source] sqlx::Error),
    /// User or password are wrong.
    #[error("the source database does not let this user in; check user and password of the URL")]
    Refused(#[source] sqlx::Error),
    /// There is no such database, or the user may not use it.
    #[error(
        "there is no such database at the source, or this user may not use it; check the name at the end of the URL"
    )]
    NoDatabase(#[source] sqlx::Error),
    /// A table is not there.
    #[error("the source has no table {table}; is it the `cloud` database of CloudStack 4.23?")]
    NoTable {
        /// The table.
        table: &'static str,
    },
    /// A table lacks a column.
    #[error("table {table} of the source lacks a column that CloudStack 4.23 has; it cannot be read")]
    NoColumn {
        /// The table.
        table: &'static str,
        /// The database's words, which name the column.
        #[source]
        cause: sqlx::Error,
    },
    /// A table may not be read.
    #[error("this user may not read table {table} of the source; GRANT SELECT on the whole database to it")]
    NoRight {
        /// The table.
        table: &'static str,
    },
    /// Something else.
    #[error("the source database refused a statement")]
    Failed(#[source] sqlx::Error),
}

/// The number of the server's error, if it is one.
fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(cause) = error else { return None };
    cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(sqlx::mysql::MySqlDatabaseError::number)
}

/// The database.
#[derive(Debug)]
pub struct Source(MySqlConnection);

impl Source {
    /// Connects, and takes the snapshot that everything is read from. Nothing can be written over this connection.
    ///
    /// # Errors
    /// [`SourceError`], according to what stops it.
    pub async fn open(url: &str) -> Result<Self, SourceError> {
        let url = url.replacen("mariadb:", "mysql:", 1);
        if !url.starts_with("mysql://") {
            return Err(SourceError::Url);
        }
        let options = MySqlConnectOptions::from_str(&url).map_err(|_| SourceError::Url)?;
        let told = |cause: sqlx::Error| match number(&cause) {
            Some(1045 | 1698) => SourceError::Refused(cause),
            Some(1044 | 1049) => SourceError::NoDatabase(cause),
            _ => SourceError::Unreachable(cause),
        };
        let mut connection = options.timezone(Some("+00:00".to_owned())).connect().await.map_err(told)?;
        for sql in [
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ] {
            connection.execute(sql).await.map_err(SourceError::Failed)?;
        }
        Ok(Self(connection))
    }

    /// All rows that a statement about a table gives, which takes numbers only.
    ///
    /// # Errors
    /// [`SourceError`], according to what stops it; [`SourceError::Failed`] also for values of unknown kinds.
    pub async fn rows(&mut self, table: &'static str, sql: &str, numbers: &[i64]) -> Result<Vec<Row>, SourceError> {
        let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
        let query = numbers.iter().fold(query, |query, number| query.bind(*number));
        let rows = query.fetch_all(&mut self.0).await.map_err(|cause| match number(&cause) {
            Some(1146) => SourceError::NoTable { table },
            Some(1054) => SourceError::NoColumn { table, cause },
            Some(1142 | 1143) => SourceError::NoRight { table },
            _ => SourceError::Failed(cause),
        })?;
        rows_of(&rows, mysql_value).map_err(|error| match error {
            StoreError::Database(cause) => SourceError::Failed(cause),
            other => SourceError::Failed(sqlx::Error::Decode(Box::new(other))),
        })
    }

    /// Ends the connection.
    pub async fn close(self) {
        let _ = self.0.close().await;
    }
}
