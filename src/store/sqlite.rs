//! Connections to SQLite.
//!
//! SQLite has a single writer: all writes go through a pool of one connection, which queues them fairly, while readers
//! have connections of their own (write-ahead log).

use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions as _, Connection as _, Sqlite, SqlitePool};
use tokio::sync::Semaphore;

use super::StoreError;

/// How long a statement waits for SQLite's lock before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// Rows that the thread of a connection hands over before it waits for who reads them: those of one part of a long list. Each time
/// that one waits for the other costs more than a row does.
const ROWS_AHEAD: usize = 512;
/// How long a caller waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the database that `url` names, and makes it if there is none: the connections that read, and the one that writes.
///
/// # Errors
/// [`StoreError::Open`] with the driver's error.
pub(super) async fn open(url: &str) -> Result<(Readers, SqlitePool), StoreError> {
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
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .row_buffer_size(ROWS_AHEAD);
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
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await
        .map_err(StoreError::open)?;
    let readers = if memory {
        // Readers of a shared cache collide with the writer's table locks; one connection has no one to collide with.
        Readers::Writer(writer.clone())
    } else {
        let most = readers_at_most();
        Readers::Own(Arc::new(Connections { options, places: Semaphore::new(most), most, quiet: Mutex::default() }))
    };
    Ok((readers, writer))
}

/// A statement with its arguments.
type Statement<'q> = Query<'q, Sqlite, SqliteArguments>;

/// What reads.
#[derive(Clone, Debug)]
pub(super) enum Readers {
    /// The connection that writes too.
    Writer(SqlitePool),
    /// Connections of their own.
    Own(Arc<Connections>),
}

/// Connections that read. The one that was used last is used next: its thread is still awake, and the pages that the last
/// statement went through are in its cache. A pool would use the one that has rested longest, and look after each statement
/// whether it still works; on an idle machine both take longer than most statements do.
#[derive(Debug)]
pub(super) struct Connections {
    options: SqliteConnectOptions,
    /// One for each connection that may be used at the same time.
    places: Semaphore,
    most: usize,
    quiet: Mutex<Vec<SqliteConnection>>,
}

impl Readers {
    /// All rows that a statement gives.
    ///
    /// # Errors
    /// The driver's own, and [`sqlx::Error::PoolTimedOut`] when no connection becomes free in time.
    pub(super) async fn all(&self, statement: Statement<'_>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let own = match self {
            Self::Writer(pool) => return statement.fetch_all(pool).await,
            Self::Own(own) => own,
        };
        own.read(|mut connection| async move { (statement.fetch_all(&mut connection).await, connection) }).await
    }

    /// The first row that a statement gives, if any.
    ///
    /// # Errors
    /// See [`Readers::all`].
    pub(super) async fn first(&self, statement: Statement<'_>) -> Result<Option<SqliteRow>, sqlx::Error> {
        let own = match self {
            Self::Writer(pool) => return statement.fetch_optional(pool).await,
            Self::Own(own) => own,
        };
        own.read(|mut connection| async move { (statement.fetch_optional(&mut connection).await, connection) }).await
    }

    /// Closes the connections; what somebody waits to be read is awaited.
    pub(super) async fn close(&self) {
        let own = match self {
            Self::Writer(pool) => return pool.close().await,
            Self::Own(own) => own,
        };
        let all = u32::try_from(own.most).unwrap_or(u32::MAX);
        // Nobody else closes them, so that all places become free in the end.
        if let Ok(_all) = own.places.acquire_many(all).await {
            own.places.close();
        }
        let quiet = std::mem::take(&mut *own.quiet());
        for connection in quiet {
            let _ = connection.close().await;
        }
    }
}

impl Connections {
    /// Reads over a connection, which is given back. One that broke, or over which reading was given up in the middle, is closed.
    async fn read<T, F>(&self, work: impl FnOnce(SqliteConnection) -> F) -> Result<T, sqlx::Error>
    where
        F: Future<Output = (Result<T, sqlx::Error>, SqliteConnection)>,
    {
        let place = tokio::time::timeout(ACQUIRE_TIMEOUT, self.places.acquire()).await;
        let _place = place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)?;
        let quiet = self.quiet().pop();
        let connection = match quiet {
            Some(connection) => connection,
            None => self.options.connect().await?,
        };
        let (read, connection) = work(connection).await;
        // What the database says no to it does not break for.
        if matches!(read, Ok(_) | Err(sqlx::Error::Database(_))) {
            self.quiet().push(connection);
        }
        read
    }

    fn quiet(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.quiet.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many connections read from SQLite at the most: two for each processor, as one waits for the disk while another computes.
/// Each has a cache and rows of its own, so more of them cost memory, and time when all are busy.
fn readers_at_most() -> usize {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    (2 * processors).clamp(4, 16)
}
