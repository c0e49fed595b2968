//! The connection to the database: SQLite or MySQL/MariaDB, chosen by the scheme of a URL.
//!
//! The SQL text is the same for both (both take `?` and backticks), so this is the only file that knows which one it is.
//! SQLite has one connection that writes and several that read (`sqlite.rs`); MySQL has one pool, for one server or the servers
//! of a cluster (`mysql.rs`).

use std::sync::Arc;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Sqlite, SqlitePool, Transaction};

use super::attach::Schema;
use super::cells::{mysql_value, rows_of, sqlite_value};
use super::error::{is_collision, is_doubtful_commit};
use super::lent::{self, Lent};
use super::mysql::Servers;
use super::sights::{About, Seen, Sights};
use super::sqlite::Readers;
use super::transact::Attempts;
use super::value::{Row, Value};
use super::vault::Keeper;
use super::writes::{Advance, Touched, Writes};
use super::{StoreError, migrations, sqlite};
use crate::args;

/// How long the end of connections to a server is waited for: it notices when we are gone.
const CLOSING: Duration = Duration::from_secs(5);

/// How long the witnesses of commits are kept: far longer than anybody asks for one.
const KEPT_COMMITS_MS: i64 = 3_600_000;

/// An open database.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
    schema: Arc<Schema>,
    writes: Arc<Writes>,
    sights: Arc<Sights>,
}

#[derive(Clone, Debug)]
enum Pools {
    Sqlite {
        readers: Readers,
        writer: SqlitePool,
    },
    /// With how long a statement may take.
    MySql(Arc<Servers>, Duration),
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
pub struct Tx {
    inner: Inner,
    db: Db,
    touched: Touched,
    about: About,
    pub(super) keeper: Keeper,
}

#[derive(Debug)]
enum Inner {
    Sqlite(Transaction<'static, Sqlite>),
    MySql(Lent),
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
pub(super) use bound;

impl Db {
    /// Opens the database that `url` names (`sqlite://FILE`, `sqlite::memory:` or `mysql://user:password@host/name`) and
    /// brings its tables up to date.
    ///
    /// # Errors
    /// [`StoreError::Url`] for a URL of another kind, [`StoreError::NotOurs`] for CloudStack's own database, in which nothing
    /// was changed then, [`StoreError::Open`] when the database does not answer or the
    /// migrations fail.
    pub async fn open(url: &str) -> Result<Self, StoreError> {
        let pools = if url.starts_with("sqlite:") {
            let (readers, writer) = sqlite::open(url).await?;
            Pools::Sqlite { readers, writer }
        } else if url.starts_with("mysql:") || url.starts_with("mariadb:") {
            Pools::MySql(Arc::new(Servers::open(url, None).await?), lent::limit(None))
        } else {
            return Err(StoreError::Url);
        };
        let db = Self { pools, schema: Arc::default(), writes: Arc::default(), sights: Arc::default() };
        if db.is_cloudstacks().await? {
            return Err(StoreError::NotOurs);
        }
        db.migrate().await?;
        Ok(db)
    }

    /// Whether this is the database of a CloudStack, in which no table may be made as in one of ours.
    async fn is_cloudstacks(&self) -> Result<bool, StoreError> {
        if matches!(self.pools, Pools::Sqlite { .. }) {
            return Ok(false);
        }
        let sql = "SELECT COALESCE(SUM(table_name IN ('version', 'vm_instance')), 0) = 2 AND \
            COALESCE(SUM(table_name = '_sqlx_migrations'), 0) = 0 FROM information_schema.tables \
            WHERE table_schema = DATABASE()";
        self.row(sql, vec![]).await?.map_or(Ok(false), |row| row.at(0))
    }

    /// Opens a MySQL or MariaDB database that is CloudStack's, and changes nothing in it. A statement waits `lock_wait` for a
    /// lock that somebody else has on a row or table.
    ///
    /// # Errors
    /// [`StoreError::Open`] with the driver's error when the server does not let us in.
    pub(super) async fn reach(url: &str, lock_wait: Duration) -> Result<Self, StoreError> {
        let servers = Servers::open(url, Some(lock_wait)).await?;
        Ok(Self {
            pools: Pools::MySql(Arc::new(servers), lent::limit(Some(lock_wait))),
            schema: Arc::default(),
            writes: Arc::default(),
            sights: Arc::default(),
        })
    }

    /// Makes our own tables in a database that was reached, and takes its other tables for what `schema` says.
    ///
    /// # Errors
    /// [`StoreError::Open`] when a table cannot be made.
    pub(super) async fn settle_in(mut self, schema: Schema) -> Result<Self, StoreError> {
        if let Pools::MySql(servers, _) = &self.pools {
            servers.migrate(migrations::for_attached()).await?;
        }
        self.schema = Arc::new(schema);
        Ok(self)
    }

    /// See [`super::Store::with_statement_limit`].
    pub(super) fn with_limit(mut self, limit: Duration) -> Self {
        if let Pools::MySql(_, known) = &mut self.pools {
            *known = limit;
        }
        self
    }

    /// What the database has of the tables that the SQL is written for.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// What this process wrote, by table.
    #[must_use]
    pub fn writes(&self) -> &Writes {
        &self.writes
    }

    /// Lets those who remember what they read notice a change when the guards are dropped: also when it failed, or nobody waits
    /// for its end any more, as it may have been made all the same.
    fn once_done(&self, touched: Touched, about: About) -> (Advance<'_>, Seen<'_>) {
        (self.writes.once_done(touched), self.sights.once_done(touched, about))
    }

    /// The jobs that clients watch here.
    pub(super) fn sights(&self) -> &Sights {
        &self.sights
    }

    /// Counts the attempts of a statement or transaction that may have to be run again.
    #[must_use]
    pub fn attempts(&self) -> Attempts {
        Attempts::new(self.schema.is_attached())
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        match &self.pools {
            Pools::Sqlite { writer, .. } => migrations::for_sqlite().run(writer).await.map_err(StoreError::migrating),
            Pools::MySql(servers, _) => servers.migrate(migrations::for_mysql()).await,
        }
    }

    /// The database's clock, in milliseconds since 1970, as an expression of its SQL. Where several gateways work on one
    /// database, it is the only clock that they share.
    #[must_use]
    pub fn clock(&self) -> &'static str {
        match &self.pools {
            Pools::Sqlite { .. } => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            Pools::MySql(..) => "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
        }
    }

    /// All rows that `sql` gives.
    ///
    /// # Errors
    /// [`StoreError::Database`] with the database's own words.
    pub async fn rows(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let sql = self.schema.read(sql);
        match &self.pools {
            Pools::Sqlite { readers, .. } => rows_of(&readers.all(bound!(sql, args)).await?, sqlite_value),
            Pools::MySql(servers, limit) => {
                let mut attempts = self.attempts();
                loop {
                    let read = async {
                        let rows = servers.lend(*limit).await?.fetch_all(bound!(sql, args)).await?;
                        rows_of(&rows, mysql_value)
                    };
                    match read.await {
                        Err(error) if attempts.again(&error).await => {}
                        read => return read,
                    }
                }
            }
        }
    }

    /// The connections that read from SQLite, where it is one.
    pub(super) fn sqlite(&self) -> Option<&Readers> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => Some(readers),
            Pools::MySql(..) => None,
        }
    }

    /// The first row that `sql` gives, if any.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn row(&self, sql: &str, args: Vec<Value>) -> Result<Option<Row>, StoreError> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let row = readers.first(bound!(sql, args)).await?;
                Ok(rows_of(row.as_slice(), sqlite_value)?.pop())
            }
            Pools::MySql(..) => Ok(self.rows(sql, args).await?.into_iter().next()),
        }
    }

    /// Runs one statement that changes rows, in a transaction of its own. It is for statements that may have been run when
    /// they fail: use a [`Tx`] where that matters.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn run(&self, sql: &str, args: Vec<Value>) -> Result<Done, StoreError> {
        let _noticed = self.once_done(Touched::by(sql), About::default());
        let sql = self.schema.read(sql);
        match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let done = bound!(sql, args).execute(writer).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_rowid() })
            }
            Pools::MySql(servers, limit) => {
                let mut attempts = self.attempts();
                loop {
                    let tried = async { servers.lend(*limit).await?.execute(bound!(sql, args)).await };
                    let error = match tried.await {
                        Ok(done) => return Ok(Done { rows: done.rows_affected(), id: done.last_insert_id() as i64 }),
                        Err(error) => error,
                    };
                    let was_undone = is_collision(&error) && !is_doubtful_commit(&error);
                    let had_no_effect = was_undone || matches!(error, sqlx::Error::PoolTimedOut);
                    let error = StoreError::from(error);
                    if !had_no_effect || !attempts.again(&error).await {
                        return Err(error);
                    }
                }
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
            Pools::MySql(servers, limit) => {
                let mut lent = servers.lend(*limit).await?;
                lent.begin().await?;
                Inner::MySql(lent)
            }
        };
        Ok(Tx {
            inner,
            db: self.clone(),
            touched: Touched::default(),
            about: About::default(),
            keeper: Keeper::default(),
        })
    }

    /// What is asked of the database, if it has come to its end within `limit`; else it is given up, as if the connection had
    /// broken. A file has no limit.
    ///
    /// # Errors
    /// Those of what is asked; see also [`Db::rows`].
    pub async fn within<T>(
        &self,
        limit: Duration,
        asked: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let Pools::MySql(servers, _) = &self.pools else { return asked.await };
        let turn = servers.turn();
        match tokio::time::timeout(limit, asked).await {
            Ok(done) => done,
            Err(_) => {
                let cause = lent::unanswered();
                servers.note(&cause, turn);
                Err(cause.into())
            }
        }
    }

    /// Finds out what became of a transaction whose connection broke during its commit: true when it was committed, false
    /// when it was not and, by what is written here, never will be; nothing when the database does not say.
    ///
    /// It is decided by the key of one row, which the transaction wrote and this function writes too: whoever comes second
    /// is refused by the database, also when the two went to different servers of a cluster, and also when the first is
    /// still on its way. The row then tells whose it is: the time in one that was written here is negative.
    async fn was_committed(&self, witness: &str) -> Option<bool> {
        let mut attempts = self.attempts();
        let never = format!("INSERT INTO motion_commit (id, at) VALUES (?, -({}))", self.clock());
        loop {
            let decided = async {
                match self.run(&never, args![witness]).await {
                    Ok(_) => return Ok(Some(false)),
                    Err(error) if error.is_duplicate() => {}
                    Err(error) => return Err(error),
                }
                let row = self.row("SELECT at FROM motion_commit WHERE id = ?", args![witness]).await?;
                row.map(|row| Ok(row.at::<i64>(0)? > 0)).transpose()
            };
            match decided.await {
                Ok(Some(was_committed)) => return Some(was_committed),
                Ok(None) => {}
                Err(error) if attempts.again(&error).await => {}
                Err(_) => return None,
            }
        }
    }

    /// Drops the rows of [`Tx::commit`] that nobody will ask for any more, and gives their number.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn forget_commits(&self) -> Result<u64, StoreError> {
        let clock = self.clock();
        let sql = format!(
            "DELETE FROM motion_commit WHERE at > {KEPT_COMMITS_MS} - {clock} AND at < {clock} - {KEPT_COMMITS_MS} LIMIT 10000"
        );
        match &self.pools {
            Pools::Sqlite { .. } => Ok(0),
            Pools::MySql(..) => Ok(self.run(&sql, vec![]).await?.rows),
        }
    }

    /// Closes all connections; statements that run are awaited, on a server for some seconds.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::MySql(servers, _) => {
                // A statement that nobody answers keeps its connection as long as it may take.
                if tokio::time::timeout(CLOSING, servers.pool().close()).await.is_err() {
                    tracing::debug!("not all connections to the database ended as they should");
                }
            }
        }
    }
}

impl Tx {
    /// What the database has of the tables that the SQL is written for.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.db.schema
    }

    /// See [`Db::clock`].
    pub(super) fn clock(&self) -> &'static str {
        self.db.clock()
    }

    /// Says that this transaction changes nothing about jobs and their motions but of this one.
    pub(super) fn is_about_job(&mut self, job_id: i64) {
        self.about = self.about.with(job_id);
    }

    pub(super) fn is_of_one_job(&self) -> bool {
        matches!(self.about, About::Job(_))
    }

    /// Says that it changes very many rows: its statements and its commit may take longer than others.
    pub fn may_take_long(&mut self) {
        if let Inner::MySql(lent) = &mut self.inner {
            lent.may_take_long();
        }
    }

    /// Says that all that it writes about jobs and their motions is known to those who watch them.
    pub(super) fn tells_nothing_new(&mut self) {
        self.about = About::Known;
    }

    /// All rows that `sql` gives, as this transaction sees them.
    ///
    /// # Errors
    /// As [`Db::rows`].
    pub async fn rows(&mut self, sql: &str, args: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let sql = self.db.schema.read(sql);
        match &mut self.inner {
            Inner::Sqlite(tx) => rows_of(&bound!(sql, args).fetch_all(&mut **tx).await?, sqlite_value),
            Inner::MySql(lent) => rows_of(&lent.fetch_all(bound!(sql, args)).await?, mysql_value),
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
        self.touched.add(Touched::by(sql));
        let sql = self.db.schema.read(sql);
        match &mut self.inner {
            Inner::Sqlite(tx) => {
                let done = bound!(sql, args).execute(&mut **tx).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_rowid() })
            }
            Inner::MySql(lent) => {
                let done = lent.execute(bound!(sql, args)).await?;
                Ok(Done { rows: done.rows_affected(), id: done.last_insert_id() as i64 })
            }
        }
    }

    /// See [`Tx::commit`].
    pub(super) async fn commit_now(self) -> Result<(), StoreError> {
        let _noticed = self.db.once_done(self.touched, self.about);
        let mut lent = match self.inner {
            Inner::Sqlite(tx) => return Ok(tx.commit().await?),
            Inner::MySql(lent) => lent,
        };
        let witness = uuid::Uuid::new_v4().to_string();
        let sql = format!("INSERT INTO motion_commit (id, at) VALUES (?, {})", self.db.clock());
        lent.execute(sqlx::query(AssertSqlSafe(sql)).bind(&witness)).await?;
        let Err(error) = lent.commit().await else { return Ok(()) };
        if !is_doubtful_commit(&error) {
            return Err(error.into());
        }
        tracing::warn!(cause = %error, "a commit did not end as it should; asking what became of it");
        match self.db.was_committed(&witness).await {
            Some(true) => Ok(()),
            Some(false) => Err(error.into()),
            None => Err(StoreError::InDoubt(error)),
        }
    }

    /// Undoes everything, at once. An error is no matter: the database does the same when the connection ends.
    pub async fn roll_back(self) {
        let undone = match self.inner {
            Inner::Sqlite(tx) => tx.rollback().await,
            Inner::MySql(lent) => lent.roll_back().await,
        };
        if let Err(cause) = undone {
            tracing::debug!(%cause, "a transaction could not be undone by its own connection");
        }
    }
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
