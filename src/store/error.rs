//! What can go wrong in the store.

/// An error of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database URL is of no known kind.
    #[error("the database URL must begin with sqlite:// (an embedded file) or mysql:// (MySQL or MariaDB)")]
    Url,
    /// The database could not be opened or its tables could not be brought up to date.
    #[error("the database could not be opened; check the URL, the user's rights and whether the server runs")]
    Open(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server of a database that is to be attached cannot be reached, or does not let us in.
    #[error("{what}; {remedy}")]
    Reach {
        /// What happened.
        what: String,
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

    /// True when somebody else held a row or table so long that the statement was given up.
    #[must_use]
    pub fn is_locked_out(&self) -> bool {
        let Self::Database(sqlx::Error::Database(cause)) = self else { return false };
        let number = cause.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>().map(|cause| cause.number());
        matches!(number, Some(1205 | 1213))
    }

    /// True when a row was to be written whose key another row has.
    #[must_use]
    pub fn is_duplicate(&self) -> bool {
        let Self::Database(sqlx::Error::Database(cause)) = self else { return false };
        cause.is_unique_violation()
    }
}
