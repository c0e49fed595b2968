//! MySQL and MariaDB: one server, or several of a cluster that a gateway goes on with when one is gone.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, MySqlPool, Row as _};

use super::StoreError;
use super::error::is_connection;
use super::lent::{ALONE, IN_A_CLUSTER, Lent, Words, in_time};

/// How long a caller waits for a connection before it is given another server, or an error.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections to the database.
const CONNECTIONS: u32 = 32;
/// How long a connection may lie unused and still be taken for one that works.
const UNASKED: Duration = Duration::from_secs(1);
/// How long one that has lain longer may take to show that it works. It leaves time to open another one, perhaps to another
/// server: of one that is gone without a word all connections are silent.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a statement waits for a lock at the most, where nothing else was said.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(50);
/// How long another gateway may take to bring the tables of a cluster up to date, where the two cannot lock each other out.
const OTHERS_MIGRATION: Duration = Duration::from_secs(60);
/// Every statement sees what any server of the cluster has committed: `READ`, `UPDATE`/`DELETE` and `INSERT`/`REPLACE`. A
/// client may submit a job through one gateway and ask another one for it a moment later.
const SEE_ALL_COMMITS: &str = "SET SESSION wsrep_sync_wait = 7";

/// The servers that a URL names, and connections to one of them.
#[derive(Debug)]
pub(super) struct Servers {
    pool: MySqlPool,
    servers: Vec<MySqlConnectOptions>,
    current: AtomicUsize,
    is_cluster: bool,
}

/// `mysql://user:password@h1:3306,h2,h3:3307/name` as one URL for each host.
fn urls(url: &str) -> Vec<String> {
    let url = url.replacen("mariadb:", "mysql:", 1);
    let Some((scheme, rest)) = url.split_once("://") else { return vec![url] };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (user, hosts) = match authority.rsplit_once('@') {
        Some((user, hosts)) => (format!("{user}@"), hosts),
        None => (String::new(), authority),
    };
    hosts.split(',').map(|host| format!("{scheme}://{user}{}{path}", host.trim())).collect()
}

impl Servers {
    /// Opens the servers that `url` names. With `lock_wait`, statements wait so long for a lock on a row or table; else as long
    /// as the server says, for one on a row no longer than [`LOCK_WAIT`].
    pub async fn open(url: &str, lock_wait: Option<Duration>) -> Result<Self, StoreError> {
        let options = |url: &String| {
            MySqlConnectOptions::from_str(url).map(|options| {
                // Times in the tables are UTC, whatever the server's zone is.
                options.timezone(Some("+00:00".to_owned()))
            })
        };
        let servers: Vec<_> = urls(url).iter().map(options).collect::<Result<_, _>>().map_err(StoreError::open)?;
        let First { number: current, is_cluster, lock_wait: servers_own } = first_that_answers(&servers).await?;
        let options = MySqlPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
        let patience = match lock_wait.map(|wait| wait.as_secs().max(1)) {
            Some(wait) => Some(format!("SET SESSION lock_wait_timeout = {wait}, innodb_lock_wait_timeout = {wait}")),
            // A statement would be given up while it waits.
            None if servers_own > LOCK_WAIT.as_secs() => {
                Some(format!("SET SESSION innodb_lock_wait_timeout = {}", LOCK_WAIT.as_secs()))
            }
            None => None,
        };
        let options = options.after_connect(move |connection, _| {
            let patience = patience.clone();
            Box::pin(async move {
                if is_cluster {
                    if !is_ready(connection).await? {
                        return Err(sqlx::Error::Protocol("the server is not part of its cluster".to_owned()));
                    }
                    sqlx::query(SEE_ALL_COMMITS).execute(&mut *connection).await?;
                }
                match patience {
                    Some(patience) => sqlx::query(AssertSqlSafe(patience)).execute(connection).await.map(drop),
                    None => Ok(()),
                }
            })
        });
        let options = if is_cluster {
            // Takes the place of the ping: a server that has lost its cluster answers pings, and nothing else.
            options
                .test_before_acquire(false)
                .before_acquire(|connection, _| Box::pin(in_time(ANSWER, is_ready(connection))))
        } else {
            // Every connection is asked when it comes back. One that was used a moment ago is not asked again: that would be a
            // third of all that goes to the database. A server that is started anew is away for longer than a moment.
            options.test_before_acquire(false).before_acquire(|connection, seen| {
                Box::pin(async move {
                    if seen.idle_for >= UNASKED {
                        in_time(ANSWER, connection.ping()).await?;
                    }
                    Ok(true)
                })
            })
        };
        let pool = options.connect_lazy_with(servers[current].clone());
        Ok(Self { pool, servers, current: AtomicUsize::new(current), is_cluster })
    }

    /// The connections to the server that is used now.
    pub fn pool(&self) -> &MySqlPool {
        &self.pool
    }

    /// How transactions are begun and ended.
    pub fn words(&self) -> &'static Words {
        if self.is_cluster { &IN_A_CLUSTER } else { &ALONE }
    }

    /// Lends a connection to the server that is used now, whose statements may each take as long as `limit`.
    pub async fn lend(self: &Arc<Self>, limit: Duration) -> Result<Lent, sqlx::Error> {
        let turn = self.turn();
        // What it takes to open a connection would be part of every job as long as the job lasts.
        let opened = Box::pin(self.pool.acquire()).await;
        let connection = opened.inspect_err(|cause| self.note(cause, turn))?;
        Ok(Lent::new(connection, Arc::clone(self), turn, limit))
    }

    /// Which server is used now, for [`Servers::note`]. Counts up from turn to turn.
    pub fn turn(&self) -> usize {
        self.current.load(Ordering::Relaxed)
    }

    /// Turns to the next server after an error that says that the one of this turn is away. Of many that find it away, one
    /// turns.
    pub fn note(&self, cause: &sqlx::Error, turn: usize) {
        if self.servers.len() < 2 || !is_connection(cause) {
            return;
        }
        if self.current.compare_exchange(turn, turn + 1, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let server = &self.servers[(turn + 1) % self.servers.len()];
        tracing::warn!(%cause, next = server.get_host(), port = server.get_port(), "turning to another server of the database");
        self.pool.set_connect_options(server.clone());
    }

    /// Brings the tables up to date. One gateway does it, the others wait: by a lock of the server, or in a cluster, which has
    /// no such locks, by the rows of the tables' history.
    pub async fn migrate(&self, mut migrator: Migrator) -> Result<(), StoreError> {
        migrator.set_locking(!self.is_cluster);
        let until = Instant::now() + OTHERS_MIGRATION;
        loop {
            match migrator.run(&self.pool).await {
                Ok(()) => return Ok(()),
                Err(error) if self.is_cluster && may_be_others(&error) && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(error) => return Err(StoreError::migrating(error)),
            }
        }
    }
}

/// Whether another gateway that does the same at the same moment would explain the error.
fn may_be_others(error: &MigrateError) -> bool {
    matches!(error, MigrateError::Dirty(_) | MigrateError::Execute(_) | MigrateError::ExecuteMigration(..))
}

/// The first server that can be spoken to.
struct First {
    /// Its place among all.
    number: usize,
    /// Whether it is one of a cluster.
    is_cluster: bool,
    /// How long it lets a statement wait for a lock on a row, in seconds.
    lock_wait: u64,
}

async fn first_that_answers(servers: &[MySqlConnectOptions]) -> Result<First, StoreError> {
    let mut last = None;
    for (number, server) in servers.iter().enumerate() {
        let asked = async {
            let mut connection = server.connect().await?;
            let sql = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('wsrep_on', 'innodb_lock_wait_timeout')";
            let mut found = First { number, is_cluster: false, lock_wait: 0 };
            for row in sqlx::query(sql).fetch_all(&mut connection).await? {
                let text = |at: usize| row.try_get::<String, _>(at).unwrap_or_default();
                if text(0) == "wsrep_on" {
                    found.is_cluster = text(1) == "ON";
                } else {
                    found.lock_wait = text(1).parse().unwrap_or_default();
                }
            }
            let is_ready = !found.is_cluster || is_ready(&mut connection).await?;
            connection.close().await?;
            Ok::<_, sqlx::Error>((found, is_ready))
        };
        match tokio::time::timeout(ACQUIRE_TIMEOUT, asked).await {
            Ok(Ok((found, true))) => return Ok(found),
            Ok(Ok((_, false))) => {
                last = Some(sqlx::Error::Protocol("the server is not part of its cluster".to_owned()))
            }
            Ok(Err(error)) => last = Some(error),
            Err(_) => last = Some(sqlx::Error::PoolTimedOut),
        }
    }
    Err(StoreError::open(last.unwrap_or(sqlx::Error::PoolTimedOut)))
}

/// Whether a server of a cluster takes statements.
async fn is_ready(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    let status = sqlx::query("SHOW STATUS LIKE 'wsrep_ready'").fetch_optional(connection).await?;
    Ok(status.is_some_and(|row| row.try_get::<String, _>(1).is_ok_and(|value| value == "ON")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_host_of_a_url_gets_a_url() {
        assert_eq!(urls("mariadb://u:p@h/cloud"), ["mysql://u:p@h/cloud"]);
        assert_eq!(
            urls("mysql://u:p%40@h1:3306,h2, h3:1/cloud?ssl-mode=required"),
            [
                "mysql://u:p%40@h1:3306/cloud?ssl-mode=required",
                "mysql://u:p%40@h2/cloud?ssl-mode=required",
                "mysql://u:p%40@h3:1/cloud?ssl-mode=required"
            ]
        );
        assert_eq!(urls("mysql://h1,h2"), ["mysql://h1", "mysql://h2"]);
    }
}
