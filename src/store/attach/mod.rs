//! The `cloud` database of a CloudStack installation, used in place (`docs/attached.md`).
//!
//! Before anything is written the database is looked at ([`Survey`]): what it is, what of it is used, and what stops. Then
//! tables of our own are made beside CloudStack's, whose tables are never altered. What an older CloudStack lacks is known
//! by the [`Schema`] and read as if it were there.

mod counts;
mod declared;
mod keys;
mod rights;
mod schema;
mod screen;
mod survey;

use std::time::Duration;

use super::error::number;
use super::vault::Keeper;
use super::{Db, Store, StoreError};
use crate::args;
use crate::model::Timestamp;

pub(super) use declared::columns_of;
use rights::Purpose;
pub use schema::Schema;
pub use survey::{Finding, Obstacle, Survey};

/// How long a server counts as alive after its last sign of life: CloudStack's `cluster.heartbeat.threshold`, seconds.
const ALIVE: i64 = 150;

impl Store {
    /// Opens CloudStack's own database. Only tables of ours are made; no rows are written.
    ///
    /// `lock_wait` is how long a statement waits for a lock that somebody else has on a row or table.
    ///
    /// # Errors
    /// [`StoreError::Reach`] when the server does not let us in, [`StoreError::NotAttachable`] when something stops us,
    /// [`StoreError::Open`] when our tables cannot be made.
    pub async fn attach(url: &str, lock_wait: Duration) -> Result<(Self, Survey), StoreError> {
        let db = reach(url, lock_wait).await?;
        match survey::look(&db, url, Purpose::Serve).await? {
            (survey, Some(schema)) if survey.is_attachable() => {
                // Plain secrets among encrypted ones would be read by no management server.
                let keeper = if survey.encrypted > 0 { Keeper::CloudStack(None) } else { Keeper::default() };
                Ok((Self::new(db.settle_in(schema).await?, keeper), survey))
            }
            (survey, _) => Err(StoreError::NotAttachable(Box::new(survey))),
        }
    }

    /// Looks at a database that is to be attached, and changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Reach`] when the server does not let us in; see [`super::Db::rows`] for the rest.
    pub async fn survey(url: &str, lock_wait: Duration) -> Result<Survey, StoreError> {
        let db = reach(url, lock_wait).await?;
        let (survey, _) = survey::look(&db, url, Purpose::Serve).await?;
        db.close().await;
        Ok(survey)
    }

    /// Whether another server that lives has this host: it sees to the host, and writes down what becomes of it.
    ///
    /// False for a database of our own.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for [`Store::pool_is_elsewhere`].
    pub async fn host_is_elsewhere(&self, host_id: i64) -> Result<bool, StoreError> {
        self.is_elsewhere("h.id = ?", host_id).await
    }

    /// Whether another server that lives has a host that this pool is connected to.
    ///
    /// False for a database of our own.
    ///
    /// # Errors
    /// See [`Store::host_is_elsewhere`].
    pub async fn pool_is_elsewhere(&self, pool_id: i64) -> Result<bool, StoreError> {
        let hosts = "h.id IN (SELECT r.host_id FROM storage_pool_host_ref r WHERE r.pool_id = ?)";
        self.is_elsewhere(hosts, pool_id).await
    }

    async fn is_elsewhere(&self, hosts: &str, id: i64) -> Result<bool, StoreError> {
        if !self.db().schema().is_attached() {
            return Ok(false);
        }
        let sql = format!(
            "SELECT m.msid FROM host h JOIN mshost m ON m.msid = h.mgmt_server_id WHERE {hosts} AND h.removed IS NULL \
             AND m.state = 'Up' AND m.removed IS NULL AND m.last_update > ? LIMIT 1"
        );
        let since = Timestamp::from_unix(Timestamp::now().unix() - ALIVE);
        Ok(self.db().row(&sql, args![id, since]).await?.is_some())
    }
}

/// Looks at a database that is only to be read, and changes nothing. There is a schema when all tables and columns are there.
pub(super) async fn survey_source(url: &str, lock_wait: Duration) -> Result<(Survey, Option<Schema>), StoreError> {
    let db = reach(url, lock_wait).await?;
    let looked = survey::look(&db, url, Purpose::Read).await;
    db.close().await;
    looked
}

async fn reach(url: &str, lock_wait: Duration) -> Result<Db, StoreError> {
    if !url.starts_with("mysql:") && !url.starts_with("mariadb:") {
        return Err(StoreError::Url);
    }
    Db::reach(url, lock_wait).await.map_err(unreached)
}

/// Why the server did not let us in, and what to do.
pub(super) fn unreached(error: StoreError) -> StoreError {
    let cause = match error {
        StoreError::Open(cause) => match cause.downcast::<sqlx::Error>() {
            Ok(cause) => cause,
            Err(cause) => return StoreError::Open(cause),
        },
        other => return other,
    };
    let (what, remedy) = match (&*cause, number(&cause)) {
        (_, Some(1045 | 1698)) => (
            "the server refused the user or the password",
            "check both in the URL (special characters as %XX), and that the user may come from this machine's address",
        ),
        (_, Some(1044)) => ("the user may not use this database", "grant it the rights that docs/attached.md lists"),
        (_, Some(1049)) => (
            "there is no such database on the server",
            "check the name at the end of the URL; CloudStack's is `cloud` unless it was installed otherwise",
        ),
        (_, Some(1040 | 1129 | 1203)) => (
            "the server takes no further connection now",
            "try again, raise max_connections, or unblock this machine (FLUSH HOSTS)",
        ),
        (sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut, _) => (
            "the server does not answer",
            "check host and port in the URL, that the server runs, and that a firewall lets this machine through",
        ),
        (sqlx::Error::Configuration(_), _) => {
            ("the URL cannot be read", "write mysql://user:password@host:3306/cloud, special characters as %XX")
        }
        (sqlx::Error::Tls(_), _) => (
            "no TLS connection to the server came about",
            "check the server's certificate, or add ?ssl-mode=disabled to the URL inside a trusted network",
        ),
        _ => ("the connection to the server failed", "the server's own words follow"),
    };
    StoreError::Reach { what, remedy, cause }
}
