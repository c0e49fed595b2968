//! A connection to MySQL or MariaDB, lent for a statement or a transaction.
//!
//! No answer is waited for without end. A server that is gone without a word (a power cut, a firewall that drops packets) would
//! keep whoever waits for it, and the place of the connection among those that may be open, for ever. So every statement has a
//! limit, and a connection whose statement was not seen to its end, because it was given up here, or because nobody wants to
//! know any more, is closed and never used again.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::{MySqlArguments, MySqlQueryResult, MySqlRow};
use sqlx::pool::PoolConnection;
use sqlx::query::Query;
use sqlx::{Executor as _, MySql, MySqlConnection};
use tokio::runtime::Handle;

use super::error::is_connection;
use super::mysql::{LOCK_WAIT, Servers};

/// How long a statement may work, beside waiting for a lock.
const WORK: Duration = Duration::from_secs(10);
/// How long a statement may take that changes very many rows.
const LONG: Duration = Duration::from_secs(900);
/// How long a connection that is given back may take to undo what was left open, and then to show that it works.
const GIVING_BACK: Duration = Duration::from_secs(5);

/// How transactions are begun, committed and undone: in one round trip each.
#[derive(Debug)]
pub(super) struct Words {
    begin: &'static str,
    commit: &'static str,
    undo: &'static str,
}

/// On a server alone.
pub(super) const ALONE: Words = Words { begin: "BEGIN", commit: "COMMIT", undo: "ROLLBACK" };

/// On a server of a cluster. What another server has committed undoes a transaction that is in its way at any moment, and MariaDB
/// (seen with 10.11) says so to the next statement, but to nobody when one is prepared at that moment: then all that follows would
/// be committed statement by statement, without what stood before. Without `autocommit` what follows is a transaction
/// of its own, and as it lacks the savepoint it is undone where it was to be committed: with the error [`super::error::NOT_WHOLE`].
pub(super) const IN_A_CLUSTER: Words = Words {
    begin: "SET autocommit = 0; BEGIN; SAVEPOINT whole",
    commit: "RELEASE SAVEPOINT whole; COMMIT; SET autocommit = 1",
    undo: "ROLLBACK; SET autocommit = 1",
};

/// A statement with its arguments.
type Statement<'q> = Query<'q, MySql, MySqlArguments>;

/// How long a statement may take when it may wait so long for a lock: one that waits is not one that nobody answers.
pub(super) fn limit(lock_wait: Option<Duration>) -> Duration {
    lock_wait.unwrap_or_default().max(LOCK_WAIT) + WORK
}

/// What is said of a statement that was given up: the same as of one whose connection broke.
pub(super) fn unanswered() -> sqlx::Error {
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, "the database's server did not answer in time"))
}

/// Waits for an answer as long as it may take.
pub(super) async fn in_time<T>(
    limit: Duration,
    asked: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    tokio::time::timeout(limit, asked).await.unwrap_or_else(|_| Err(unanswered()))
}

/// The connection. When it is dropped, what was begun and not committed is undone.
#[derive(Debug)]
pub(super) struct Lent {
    /// There until this is dropped.
    connection: Option<PoolConnection<MySql>>,
    servers: Arc<Servers>,
    /// Which server was used when it was lent.
    turn: usize,
    limit: Duration,
    in_transaction: bool,
    /// A statement has begun, and its end was not seen.
    is_busy: bool,
}

impl Lent {
    pub fn new(connection: PoolConnection<MySql>, servers: Arc<Servers>, turn: usize, limit: Duration) -> Self {
        Self { connection: Some(connection), servers, turn, limit, in_transaction: false, is_busy: false }
    }

    /// Gives the statements that follow, and the commit, more time.
    pub fn may_take_long(&mut self) {
        self.limit = self.limit.max(LONG);
    }

    /// All rows that a statement gives.
    pub async fn fetch_all(&mut self, statement: Statement<'_>) -> Result<Vec<MySqlRow>, sqlx::Error> {
        let limit = self.limit;
        // What a statement takes would be part of every job as long as the job lasts.
        let read = Box::pin(in_time(limit, statement.fetch_all(self.open()?))).await;
        self.ended(read)
    }

    /// Runs a statement.
    pub async fn execute(&mut self, statement: Statement<'_>) -> Result<MySqlQueryResult, sqlx::Error> {
        let limit = self.limit;
        let done = Box::pin(in_time(limit, statement.execute(self.open()?))).await;
        self.ended(done)
    }

    /// Begins a transaction.
    pub async fn begin(&mut self) -> Result<(), sqlx::Error> {
        // Also one whose beginning broke off has to be undone.
        self.in_transaction = true;
        self.say(self.servers.words().begin).await
    }

    /// Commits what was begun.
    pub async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.say(self.servers.words().commit).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Undoes what was begun. Over a connection that is to be closed it is not asked for: its end undoes it.
    pub async fn roll_back(mut self) -> Result<(), sqlx::Error> {
        if self.is_busy {
            return Ok(());
        }
        self.say(self.servers.words().undo).await?;
        self.in_transaction = false;
        Ok(())
    }

    /// Says something that takes no arguments, as it stands.
    async fn say(&mut self, sql: &'static str) -> Result<(), sqlx::Error> {
        let limit = self.limit;
        let said = Box::pin(in_time(limit, self.open()?.execute(sql))).await;
        self.ended(said).map(drop)
    }

    /// The connection, for a statement. There is none when the one before has not come to its end.
    fn open(&mut self) -> Result<&mut MySqlConnection, sqlx::Error> {
        match &mut self.connection {
            Some(connection) if !self.is_busy => {
                self.is_busy = true;
                Ok(connection.as_mut())
            }
            _ => Err(unanswered()),
        }
    }

    /// What a statement has given; and its server is noted as away when it is.
    fn ended<T>(&mut self, done: Result<T, sqlx::Error>) -> Result<T, sqlx::Error> {
        match &done {
            Err(cause) if is_connection(cause) => self.servers.note(cause, self.turn),
            _ => self.is_busy = false,
        }
        done
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let undo = self.in_transaction.then(|| self.servers.words().undo);
        match Handle::try_current() {
            // The pool does the same when it gets a connection back, but waits for the answers for ever.
            Ok(runtime) if !self.is_busy => {
                runtime.spawn(async move {
                    if let Some(undo) = undo
                        && in_time(GIVING_BACK, connection.execute(undo)).await.is_err()
                    {
                        drop(connection.detach());
                        return;
                    }
                    let _ = tokio::time::timeout(GIVING_BACK, connection.return_to_pool()).await;
                });
            }
            _ => drop(connection.detach()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_may_take_longer_than_it_may_wait_for_a_lock() {
        for wait in [None, Some(1), Some(50), Some(3600)].map(|wait| wait.map(Duration::from_secs)) {
            assert!(limit(wait) > wait.unwrap_or_default() && limit(wait) > LOCK_WAIT, "{wait:?}");
        }
        assert_eq!(limit(None), Duration::from_secs(60));
    }
}
