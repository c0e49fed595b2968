//! A CloudStack database that is only read: one connection, one snapshot from beginning to end.

use std::collections::HashSet;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};

use super::attach::{Schema, survey_source, unreached};
use super::cells::{mysql_value, rows_of};
use super::error::is_connection;
use super::{Row, StoreError, Survey};

/// How long the look at the source waits for a lock that somebody else has on a table.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// A database cannot be read from.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The URL is none of a MySQL or MariaDB database.
    #[error("the source must be a URL such as mysql://user:password@host:3306/cloud; nothing was imported")]
    Url,
    /// Nobody answers, or does not let us in.
    #[error("the source cannot be read, and nothing was imported")]
    Unreached(#[source] StoreError),
    /// It is no CloudStack database whose tables are known, or not all of it may be read.
    #[error("the source cannot be read, and nothing was imported: {}", obstacles(.0))]
    Unfit(Box<Survey>),
    /// The connection broke.
    #[error(
        "the connection to the source broke. What was imported until then is whole and stays; run the import again, and it \
         takes the rest"
    )]
    Lost(#[source] sqlx::Error),
    /// Something else.
    #[error(
        "the source refused a statement. What was imported until then is whole and stays; run the import again when the cause \
         is gone"
    )]
    Failed(#[source] sqlx::Error),
}

fn obstacles(survey: &Survey) -> String {
    let all: Vec<String> = survey.obstacles.iter().map(|one| format!("{}; {}", one.what, one.remedy)).collect();
    all.join(". ")
}

fn failed(cause: sqlx::Error) -> SourceError {
    if is_connection(&cause) { SourceError::Lost(cause) } else { SourceError::Failed(cause) }
}

/// The database.
#[derive(Debug)]
pub struct Source {
    connection: MySqlConnection,
    schema: Schema,
    moving: HashSet<i64>,
}

impl Source {
    /// Looks at the database as one that is to be attached is looked at, and takes the snapshot that everything is read from.
    /// Nothing can be written over this connection.
    ///
    /// # Errors
    /// [`SourceError`], according to what stops it.
    pub async fn open(url: &str) -> Result<Self, SourceError> {
        let url = url.replacen("mariadb:", "mysql:", 1);
        if !url.starts_with("mysql://") {
            return Err(SourceError::Url);
        }
        let (survey, schema) = survey_source(&url, LOCK_WAIT).await.map_err(SourceError::Unreached)?;
        let Some(schema) = schema.filter(|_| survey.is_attachable()) else {
            return Err(SourceError::Unfit(Box::new(survey)));
        };
        let options = MySqlConnectOptions::from_str(&url).map_err(|_| SourceError::Url)?;
        let connected = options.timezone(Some("+00:00".to_owned())).connect().await;
        let mut connection = connected.map_err(|cause| SourceError::Unreached(unreached(StoreError::open(cause))))?;
        for sql in [
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ] {
            connection.execute(sql).await.map_err(failed)?;
        }
        let mut source = Self { connection, schema, moving: HashSet::new() };
        let moving = "SELECT id FROM vm_instance WHERE removed IS NULL AND state = 'Migrating'";
        for row in source.rows(moving, &[]).await? {
            source.moving.insert(row.at(0).map_err(unread)?);
        }
        Ok(source)
    }

    /// The machines that were being moved at the moment of the snapshot.
    #[must_use]
    pub fn moving(&self) -> &HashSet<i64> {
        &self.moving
    }

    /// How many jobs were not ended at the moment of the snapshot.
    ///
    /// # Errors
    /// See [`Source::rows`].
    pub async fn open_jobs(&mut self) -> Result<i64, SourceError> {
        let rows = self.rows("SELECT COUNT(*) FROM async_job WHERE job_status = 0 AND removed IS NULL", &[]).await?;
        rows.first().map_or(Ok(0), |row| row.at(0)).map_err(unread)
    }

    /// All rows that a statement gives, which takes numbers only. What an older CloudStack lacks is read as if it were there.
    ///
    /// # Errors
    /// [`SourceError`], according to what stops it; [`SourceError::Failed`] also for values of unknown kinds.
    pub async fn rows(&mut self, sql: &str, numbers: &[i64]) -> Result<Vec<Row>, SourceError> {
        let query = sqlx::query(AssertSqlSafe(self.schema.read(sql).into_owned()));
        let query = numbers.iter().fold(query, |query, number| query.bind(*number));
        let rows = query.fetch_all(&mut self.connection).await.map_err(failed)?;
        rows_of(&rows, mysql_value).map_err(unread)
    }

    /// Ends the connection.
    pub async fn close(self) {
        // An error is no matter: the server ends a connection that is gone by itself.
        let _ = self.connection.close().await;
    }
}

/// A row does not have the shape that was expected.
fn unread(error: StoreError) -> SourceError {
    match error {
        StoreError::Database(cause) => failed(cause),
        other => SourceError::Failed(sqlx::Error::Decode(Box::new(other))),
    }
}
