//! Connections to SQLite.
//!
//! SQLite has a single writer: all writes go through a pool of one connection, which queues them fairly, while readers
//! have connections of their own (write-ahead log).

use std::str::FromStr;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::StoreError;

/// How long a statement waits for SQLite's lock before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a caller waits for a free connection before it fails.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// Opens the database that `url` names, and makes it if there is none: the connections that read, and the one that writes.
///
/// # Errors
/// [`StoreError::Open`] with the driver's error.
pub(super) async fn open(url: &str) -> Result<(SqlitePool, SqlitePool), StoreError> {
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
        .test_before_acquire(false)
        .connect_with(options.clone())
        .await
        .map_err(StoreError::open)?;
    let readers = if memory {
        // Readers of a shared cache collide with the writer's table locks; one connection has no one to collide with.
        writer.clone()
    } else {
        SqlitePoolOptions::new()
            .max_connections(readers_at_most())
            .acquire_timeout(ACQUIRE_TIMEOUT)
            // There is no server that could have gone.
            .test_before_acquire(false)
            .connect_with(options)
            .await
            .map_err(StoreError::open)?
    };
    Ok((readers, writer))
}

/// How many connections read from SQLite at the most: two for each processor, as one waits for the disk while another computes.
/// Each has a cache and rows of its own, so more of them cost memory, and time when all are busy.
fn readers_at_most() -> u32 {
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    u32::try_from((2 * processors).clamp(4, 16)).unwrap_or(4)
}
