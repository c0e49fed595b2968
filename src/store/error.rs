//! What can go wrong in the store.

use sqlx::error::ErrorKind;
use sqlx::migrate::MigrateError;

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database URL is of no known kind.
    #[error("the database URL must begin with sqlite:// (an embedded file) or mysql:// (MySQL or MariaDB)")]
    Url,
    /// The database could not be opened or its tables could not be brought up to date.
    #[error("the database could not be opened; check the URL, the user's rights and whether the server runs")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A change of the tables was cut off in the middle, by a crash or a connection that broke. MySQL takes back no part of it.
    #[error(
        "change {version} of the tables was begun and cut off, so that they are neither old nor new, and nothing starts on them. \
         Put the copy of the database from before in its place and start again; docs/operating.md says what to do without one"
    )]
    HalfChanged {
        /// The number of the file in `migrations/`.
        version: i64,
    },
    /// The database is CloudStack's.
    #[error(
        "this is the database of a CloudStack, and not one of stackmotion's own; nothing was changed in it. To use it in place, \
         name it with database.attach; else name an empty database with database.url"
    )]
    NotOurs,
    /// The server of a database that is to be attached cannot be reached, or does not let us in.
    #[error("{what}; {remedy}")]
    Reach {
        /// What happened.
        what: &'static str,
        /// What to do.
        remedy: &'static str,
        /// The driver's words.
        #[source]
        cause: Box<sqlx::Error>,
    },
    /// A database was looked at and cannot be attached. The survey says why, and what to do.
    #[error("the database cannot be attached\n\n{0}")]
    NotAttachable(Box<super::Survey>),
    /// The database is of a CloudStack that cannot keep this.
    #[error(
        "{what} cannot be kept in this database: it came with CloudStack {since}. Upgrade CloudStack, or do without"
    )]
    Absent {
        /// What was to be written.
        what: &'static str,
        /// The version that brought it.
        since: &'static str,
    },
    /// A statement failed.
    #[error("the database refused a statement")]
    Database(#[from] sqlx::Error),
    /// A row does not have the expected shape: the schema is not the one that this version knows.
    #[error("column {column} has an unexpected value ({found}); the schema is not the one that this version knows")]
    Column {
        /// The column.
        column: String,
        /// What was found in it.
        found: String,
    },
    /// Another gateway has taken over the job that wanted to write; nothing was written.
    #[error("another gateway has taken over job {job_id}; nothing was written here")]
    Superseded {
        /// The job.
        job_id: i64,
    },
    /// The connection broke during a commit, and the database did not come back to say what became of it.
    #[error(
        "the connection to the database broke during a commit and did not come back in time; whether the change was made is not known"
    )]
    InDoubt(#[source] sqlx::Error),
    /// A secret in a row cannot be read or written.
    #[error(transparent)]
    Vault(#[from] super::VaultError),
    /// Somebody else changed the row first.
    #[error("{what} was changed by somebody else at the same time")]
    Conflict {
        /// What was to be changed.
        what: String,
    },
}

impl StoreError {
    /// Wraps the cause of a failed open.
    pub(super) fn open(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Open(cause.into())
    }

    /// What a failed change of the tables means.
    pub(super) fn migrating(cause: MigrateError) -> Self {
        match cause {
            MigrateError::Dirty(version) => Self::HalfChanged { version },
            cause => Self::open(cause),
        }
    }

    /// True when somebody else held a row or table so long that the statement was given up.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        matches!(self, Self::Database(cause) if number(cause) == Some(LOCK_WAIT))
    }

    /// True when the statement or transaction surely had no effect, and may have one when it is run again: the database
    /// rolled it back because it collided with another, or was not to be reached. A failed commit is told apart by
    /// [`super::Tx::commit`].
    #[must_use]
    pub fn had_no_effect(&self) -> bool {
        match self {
            Self::Database(cause) => is_collision(cause) || is_connection(cause),
            _ => false,
        }
    }

    /// True when the database did not take a change, or nobody knows whether it did: what has to be written, and does nothing the
    /// second time, is written again.
    #[must_use]
    pub fn is_unwritten(&self) -> bool {
        matches!(self, Self::Database(_) | Self::InDoubt(_))
    }

    /// True when the database refuses what was to stand in a row: out of range, too long, letters that it does not hold, nothing
    /// where there must be something, a key that is nobody's. It will refuse the same again.
    #[must_use]
    pub fn is_of_values(&self) -> bool {
        let Self::Database(error @ sqlx::Error::Database(cause)) = self else { return false };
        let is_bound = matches!(
            cause.kind(),
            ErrorKind::NotNullViolation | ErrorKind::CheckViolation | ErrorKind::ForeignKeyViolation
        );
        // SQLSTATE's class of data that does not fit, and what MySQL says of letters without being as exact.
        let does_not_fit =
            || cause.code().is_some_and(|state| state.starts_with("22")) || number(error) == Some(LETTERS);
        is_bound || number(error).is_some() && does_not_fit()
    }

    /// True when a row was to be written whose key another row has.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let Self::Database(sqlx::Error::Database(cause)) = self else { return false };
        cause.is_unique_violation()
    }
}

/// Errors of MySQL and MariaDB after which the whole transaction was rolled back, or none was begun: deadlock (which is also
/// what a cluster calls a lost certification), lock wait, a failed commit, a commit of a part only ([`NOT_WHOLE`]), a server that
/// is not ready for its cluster, is shutting down or was made read-only.
const COLLISIONS: [u16; 8] = [1213, LOCK_WAIT, DURING_COMMIT, NOT_WHOLE, 1047, 1053, 1290, 1927];

/// The savepoint that a transaction began with is gone: it was undone on its way, and nobody was told.
pub(super) const NOT_WHOLE: u16 = 1305;

/// The column does not hold such letters.
const LETTERS: u16 = 1366;

/// A commit failed inside the server; in a cluster, because the server lost the others meanwhile.
const DURING_COMMIT: u16 = 1180;

/// A lock was waited for too long.
const LOCK_WAIT: u16 = 1205;

pub(super) fn is_collision(error: &sqlx::Error) -> bool {
    number(error).is_some_and(|number| COLLISIONS.contains(&number))
}

/// MySQL's number of an error that its server told.
pub(super) fn number(error: &sqlx::Error) -> Option<u16> {
    let sqlx::Error::Database(cause) = error else { return None };
    cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(sqlx::mysql::MySqlDatabaseError::number)
}

/// True when a commit ended so that only the database can say what became of it.
pub(super) fn is_doubtful_commit(error: &sqlx::Error) -> bool {
    is_connection(error) || number(error) == Some(DURING_COMMIT)
}

pub(super) const fn is_connection(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::PoolTimedOut)
}
