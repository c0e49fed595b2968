//! The connection to the database: SQLite or MySQL/MariaDB, chosen by the scheme of a URL.
//!
//! The SQL text is the same for both (both take `?` and backticks), so this is the only file that knows which one it is.
//! SQLite has a single writer: all writes go through a pool of one connection, which queues them fairly, while readers
//! have connections of their own (write-ahead log). MySQL has one pool.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions, MySqlRow};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{
    AssertSqlSafe, Column, Connection as _, Executor as _, MySql, MySqlPool, Row as _, Sqlite, SqlitePool, Transaction,
    TypeInfo, ValueRef,
};

use super::attach::Schema;
use super::value::{Row, Value};
use super::{StoreError, migrations};

/// How long a statement waits for SQLite's lock before it fails.
const SQLITE_BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a caller waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// An open database.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    schema: Arc<Schema>,
}

#[derive(Clone, Debug)]
enum Pools {
    Sqlite { readers: SqlitePool, writer: SqlitePool },
    MySql(MySqlPool),
}

/// What a statement that changes rows did.
#[derive(Clone, Copy, Debug)]
pub struct Done {
    /// Rows matched by the statement.
    pub rows: u64,
    /// The id that the database gave to the row that was inserted last.
    pub id: i64,
}

/// A transaction. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub struct Tx(Inner, Arc<Schema>);

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    MySql(Transaction<'static, MySql>),
}

/// Binds arguments of our own type to a statement of either database.
macro_rules! bound {
    ($sql:expr, $args:expr) => {
        $args.iter().fold(sqlx::query(AssertSqlSafe($sql.to_string())), |query, value| match value {
            Value::Null => query.bind(None::<String>),
            Value::Int(number) => query.bind(*number),
            Value::Real(number) => query.bind(*number),
            Value::Text(text) => query.bind(text.clone()),
            Value::Bytes(bytes) => query.bind(bytes.clone()),
        })
    };
}

impl Db {
    /// Opens the database that `url` names (`sqlite://FILE`, `sqlite::memory:` or `mysql://user:password@host/name`) and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Url`] for a URL of another kind, [`StoreError::Open`] when the database does not answer or the
    /// migrations fail.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let pools = if url.starts_with("sqlite:") {
            Self::open_sqlite(url).await?
        } else if url.starts_with("mysql:") || url.starts_with("mariadb:") {
            Self::open_mysql(url).await?
        } else {
            return Err(StoreError::Url);
        };
        let db = Self { pools, schema: Arc::default() };
        db.migrate().await?;
        Ok(db)
    }

    /// Opens a MySQL or MariaDB database that is CloudStack's, and changes nothing in it. A statement waits `lock_wait` for a
    /// lock that somebody else has on a row or table.
    ///
    /// # Errors
    /// The driver's, of the first connection.
    pub(super) async fn reach(url: &str, lock_wait: Duration) -> Result<Self, sqlx::Error> {
        let options = mysql_options(url)?;
        // A pool would try again for half a minute what this says at once.
        MySqlConnection::connect_with(&options).await?.close().await?;
        let wait = lock_wait.as_secs().max(1);
        let patience = format!("SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}");
        let pool = mysql_pool().after_connect(move |connection, _| {
            let patience = patience.clone();
            Box::pin(async move { connection.execute(AssertSqlSafe(patience)).await.map(drop) })
        });
        Ok(Self { pools: Pools::MySql(pool.connect_lazy_with(options)), schema: Arc::default() })
    }

    /// Makes our own tables in a database that was reached, and takes its other tables for what `schema` says.
    ///
    /// # Errors
    /// [`StoreError::Open`] when a table cannot be made.
    pub(super) async fn settle_in(mut self, schema: Schema) -> Result<Self, StoreError> {
        if let Pools::MySql(pool) = &self.pools {
            migrations::for_attached().run(pool).await.map_err(StoreError::open)?;
        }
        self.schema = Arc::new(schema);
        Ok(self)
    }

    /// What the database has of the tables that the SQL is written for.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    async fn open_sqlite(url: &str) -> Result<Pools, StoreError> {
        // An in-memory database belongs to its connection: a shared cache under a name of its own makes it one database.
        let memory = url.contains(":memory:");
        let url = if memory {
            format!("sqlite:file:stackmotion-{}?mode=memory&cache=shared", uuid::Uuid::new_v4())
        } else {
            url.to_owned()
        };
        let mut options = SqliteConnectOptions::from_str(&url)
            .map_err(StoreError::open)?
            .create_if_missing(true)
            .busy_timeout(SQLITE_BUSY_TIMEOUT)
            .foreign_keys(true);
        if !memory {
            // FULL: a job that was accepted must survive a power cut, not only a crash of the process.
            options = options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full);
        }
        let writer = SqlitePoolOptions::new()
            .min_connections(1)
            .max_connections(1)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.clone())
            .await
            .map_err(StoreError::open)?;
        let readers = if memory {
            // Readers of a shared cache collide with the writer's table locks; one connection has no one to collide with.
            writer.clone()
        } else {
            SqlitePoolOptions::new()
                .max_connections(8)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .connect_with(options)
                .await
                .map_err(StoreError::open)?
        };
        Ok(Pools::Sqlite { readers, writer })
    }

    async fn open_mysql(url: &str) -> Result<Pools, StoreError> {
        let options = mysql_options(url).map_err(StoreError::open)?;
        Ok(Pools::MySql(mysql_pool().connect_with(options).await.map_err(StoreError::open)?))
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => migrations::for_sqlite().run(writer).await,
            Pools::MySql(pool) => migrations::for_mysql().run(pool).await,
        }
        .map_err(StoreError::open)
    }

    /// All rows that `sql` gives.
    ///
    /// # Errors
    /// [`StoreError::Database`] with the database's own words.
    pub async fn rows(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let sql = self.schema.read(sql);
        match &self.pools {
            Pools::Sqlite { readers, .. } => rows_of(&bound!(sql, args).fetch_all(readers).await?, sqlite_value),
            Pools::MySql(pool) => rows_of(&bound!(sql, args).fetch_all(pool).await?, mysql_value),
        }
    }

    /// The first row that `sql` gives, if any.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn row(&self, sql: &str, args: Vec<Value>) -> Result<Option<Row>, StoreError> {
        let sql = self.schema.read(sql);
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let row = bound!(sql, args).fetch_optional(readers).await?;
                Ok(rows_of(row.as_slice(), sqlite_value)?.pop())
            }
            Pools::MySql(pool) => {
                let row = bound!(sql, args).fetch_optional(pool).await?;
                Ok(rows_of(row.as_slice(), mysql_value)?.pop())
            }
        }
    }

    /// Runs one statement that changes rows, in a transaction of its own.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn run(&self, sql: &str, args: Vec<Value>) -> Result<Done, StoreError> {
        let sql = self.schema.read(sql);
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let done = bound!(sql, args).execute(writer).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_rowid() })
            }
            Pools::MySql(pool) => {
                let done = bound!(sql, args).execute(pool).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_id() as i64 })
            }
        }
    }

    /// Begins a transaction. On SQLite it takes the write lock at once, so that it cannot fail half-way for a lock.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn begin(&self) -> Result<Tx, StoreError> {
        let inner = match &self.pools {
            Pools::Sqlite { writer, .. } => Inner::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?),
            Pools::MySql(pool) => Inner::MySql(pool.begin().await?),
        };
        Ok(Tx(inner, Arc::clone(&self.schema)))
    }

    /// Closes all connections; statements that run are awaited.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::MySql(pool) => pool.close().await,
        }
    }
}

fn mysql_options(url: &str) -> Result<MySqlConnectOptions, sqlx::Error> {
    let url = url.replacen("mariadb:", "mysql:", 1);
    // Times in the tables are UTC, whatever the server's zone is.
    Ok(MySqlConnectOptions::from_str(&url)?.timezone(Some("+00:00".to_owned())))
}

fn mysql_pool() -> MySqlPoolOptions {
    MySqlPoolOptions::new().max_connections(32).acquire_timeout(ACQUIRE_TIMEOUT)
}

impl Tx {
    /// What the database has of the tables that the SQL is written for.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.1
    }

    /// All rows that `sql` gives, as this transaction sees them.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn rows(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let sql = self.1.read(sql);
        match &mut self.0 {
            Inner::Sqlite(tx) => rows_of(&bound!(sql, args).fetch_all(&mut **tx).await?, sqlite_value),
            Inner::MySql(tx) => rows_of(&bound!(sql, args).fetch_all(&mut **tx).await?, mysql_value),
        }
    }

    /// The first row that `sql` gives, if any.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn row(&mut self, sql: &str, args: Vec<Value>) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(sql, args).await?.into_iter().next())
    }

    /// Runs one statement that changes rows.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn run(&mut self, sql: &str, args: Vec<Value>) -> Result<Done, StoreError> {
        let sql = self.1.read(sql);
        match &mut self.0 {
            Inner::Sqlite(tx) => {
                let done = bound!(sql, args).execute(&mut **tx).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_rowid() })
            }
            Inner::MySql(tx) => {
                let done = bound!(sql, args).execute(&mut **tx).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_id() as i64 })
            }
        }
    }

    /// Makes the changes last.
    ///
    /// # Errors
    /// As [`Db::rows`]. After an error it is not known whether the changes are there.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.0 {
            Inner::Sqlite(tx) => tx.commit().await?,
            Inner::MySql(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// Rows of either database, each value read by `value`. All rows share one list of column names.
fn rows_of<R: sqlx::Row>(
    rows: &[R],
    value: fn(&R, usize) -> Result<Value, sqlx::Error>,
) -> Result<Vec<Row>, StoreError> {
    let Some(first) = rows.first() else { return Ok(Vec::new()) };
    let columns: Arc<[String]> = first.columns().iter().map(|column| column.name().to_owned()).collect();
    rows.iter()
        .map(|row| {
            let values = (0..columns.len()).map(|index| value(row, index)).collect::<Result<_, sqlx::Error>>()?;
            Ok(Row { columns: Arc::clone(&columns), values })
        })
        .collect()
}

/// SQLite types belong to values, not to columns.
fn sqlite_value(row: &SqliteRow, index: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "INTEGER" | "BOOLEAN" => Value::Int(row.try_get_unchecked(index)?),
        "REAL" => Value::Real(row.try_get_unchecked(index)?),
        "BLOB" => Value::Bytes(row.try_get_unchecked(index)?),
        _ => Value::Text(row.try_get_unchecked(index)?),
    })
}

fn mysql_value(row: &MySqlRow, index: usize) -> Result<Value, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Value::Null);
    }
    let kind = raw.type_info().name().to_owned();
    Ok(match kind.as_str() {
        "BOOLEAN" => Value::Int(i64::from(row.try_get_unchecked::<i8, _>(index)?)),
        name if name.contains("INT") && name.contains("UNSIGNED") => {
            // The columns are unsigned, the values that CloudStack writes into them fit a signed number.
            Value::Int(i64::try_from(row.try_get_unchecked::<u64, _>(index)?).unwrap_or(i64::MAX))
        }
        name if name.contains("INT") => Value::Int(row.try_get_unchecked(index)?),
        "FLOAT" => Value::Real(f64::from(row.try_get_unchecked::<f32, _>(index)?)),
        "DOUBLE" => Value::Real(row.try_get_unchecked(index)?),
        "DATETIME" | "TIMESTAMP" => Value::Text(
            crate::model::Timestamp::from(row.try_get_unchecked::<time::PrimitiveDateTime, _>(index)?).sql(),
        ),
        "VARBINARY" | "BINARY" | "BLOB" | "LONGBLOB" | "MEDIUMBLOB" | "TINYBLOB" => {
            Value::Bytes(row.try_get_unchecked(index)?)
        }
        _ => Value::Text(row.try_get_unchecked(index)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    #[tokio::test]
    async fn a_fresh_database_has_the_capabilities_of_hyper_v() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}/t.db", folder.path().display());
        for url in [url.as_str(), url.as_str(), "sqlite::memory:"] {
            let db = Db::open(url).await.expect("opens, also a second time");
            let rows = db
                .rows("SELECT hypervisor_version, storage_motion_supported FROM hypervisor_capabilities WHERE hypervisor_type = ? ORDER BY id", args!["hyperv"])
                .await
                .expect("rows");
            let versions: Vec<(String, bool)> =
                rows.iter().map(|row| (row.get("hypervisor_version").unwrap(), row.at(1).unwrap())).collect();
            assert_eq!(versions, [("6.2".to_owned(), true), ("6.3".to_owned(), true), ("10.0".to_owned(), true)]);
            db.close().await;
        }
    }

    #[tokio::test]
    async fn a_dropped_transaction_leaves_nothing() {
        let db = Db::open("sqlite::memory:").await.unwrap();
        let mut tx = db.begin().await.unwrap();
        let sql = "INSERT INTO motion_pin (address, fingerprint, created) VALUES (?, ?, ?)";
        tx.run(sql, args!["a", "f", crate::model::Timestamp::now()]).await.unwrap();
        drop(tx);
        assert!(db.rows("SELECT address FROM motion_pin", vec![]).await.unwrap().is_empty());
    }
}
