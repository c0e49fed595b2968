//! Databases for tests: SQLite always, and MariaDB when the feature `mariadb-tests` is on.

use stackmotion::store::Store;
use tempfile::TempDir;

/// A database that goes away with this value.
pub struct Database {
    /// The store on it.
    pub store: Store,
    /// Where it is, for a second store on it.
    pub url: String,
    _folder: Option<TempDir>,
}

#[cfg(feature = "mariadb-tests")]
impl Database {
    /// One that somebody else takes care of.
    pub async fn at(url: &str) -> Self {
        Self { store: Store::open(url).await.expect("a database"), url: url.to_owned(), _folder: None }
    }
}

/// An empty SQLite database in a file.
pub async fn sqlite() -> Database {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}/test.db", folder.path().display());
    Database { store: Store::open(&url).await.expect("a database"), url, _folder: Some(folder) }
}

/// An empty database of every kind that is to be tested, with its name.
pub async fn each() -> Vec<(&'static str, Database)> {
    vec![
        ("sqlite", sqlite().await),
        #[cfg(feature = "mariadb-tests")]
        ("mariadb", mariadb::empty().await),
    ]
}

#[cfg(feature = "mariadb-tests")]
pub use mariadb::{Bare, bare};

/// An empty MariaDB database.
#[cfg(feature = "mariadb-tests")]
pub async fn mariadb() -> Database {
    mariadb::empty().await
}

/// One private server for all tests, with a database for each that asks. It ends with the process: its parent's death is
/// its signal.
#[cfg(feature = "mariadb-tests")]
mod mariadb {
    use std::fs::File;
    use std::io::Write as _;
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Command, Stdio};
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::{Duration, Instant};

    use stackmotion::bench::mariadb::{installation, statement};
    use stackmotion::store::Store;

    use super::Database;

    /// How long the server may take to answer for the first time.
    const START_LIMIT: Duration = Duration::from_secs(60);

    static PORT: LazyLock<u16> = LazyLock::new(start);
    static NUMBER: AtomicU32 = AtomicU32::new(1);

    /// An empty database on the server.
    pub async fn empty() -> Database {
        let port = tokio::task::spawn_blocking(|| *PORT).await.expect("a server");
        let name = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let made = tokio::task::spawn_blocking({
            let sql = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
            move || ask(port, &sql)
        });
        assert!(made.await.expect("an answer"), "the server does not make a database");
        let url = format!("mysql://root@127.0.0.1:{port}/{name}");
        Database { store: Store::open(&url).await.expect("a database"), url, _folder: None }
    }

    /// A database without any table, for those who want to make their own.
    #[derive(Clone, Debug)]
    pub struct Bare {
        /// Its name.
        pub name: String,
        /// The server's port.
        pub port: u16,
    }

    /// A database without any table.
    pub async fn bare() -> Bare {
        let port = tokio::task::spawn_blocking(|| *PORT).await.expect("a server");
        let name = format!("cloud{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        // CloudStack's character set.
        let server = Bare { name: "mysql".to_owned(), port };
        server.sql(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb3")).await;
        Bare { name, port }
    }

    impl Bare {
        /// Its URL for root.
        pub fn url(&self) -> String {
            format!("mysql://root@127.0.0.1:{}/{}", self.port, self.name)
        }

        /// Runs statements as root with the server's own client, and gives what they print, in columns with headings.
        pub async fn sql(&self, sql: &str) -> String {
            let (port, name, sql) = (self.port, self.name.clone(), sql.to_owned());
            let run = move || {
                let mut client = Command::new("mariadb")
                    .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--batch"])
                    .args(["--default-character-set=utf8mb4", &format!("--port={port}"), &format!("--database={name}")])
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("the client mariadb");
                let mut pipe = client.stdin.take().expect("its input");
                let writer = std::thread::spawn(move || pipe.write_all(sql.as_bytes()));
                let end = client.wait_with_output().expect("its end");
                writer.join().expect("a writer").ok();
                assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
                String::from_utf8(end.stdout).expect("text")
            };
            tokio::task::spawn_blocking(run).await.expect("an answer")
        }
    }

    /// Runs a statement with the server's own client.
    fn ask(port: u16, sql: &str) -> bool {
        statement(port, sql)
            .status()
            .expect("the client mariadb is missing: install MariaDB or leave the feature mariadb-tests out")
            .success()
    }

    /// Starts the server on a free port of 127.0.0.1 with a data folder of its own.
    fn start() -> u16 {
        let folder = tempfile::tempdir().expect("a folder").keep();
        let data = folder.join("data");
        let installed = installation(&data)
            .status()
            .expect("mariadb-install-db is missing: install MariaDB's server or leave the feature mariadb-tests out");
        assert!(installed.success(), "mariadb-install-db failed in {}", data.display());
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
        spawn(&folder, &data, port);
        let deadline = Instant::now() + START_LIMIT;
        while !ask(port, "SELECT 1") {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "mariadbd does not answer: {log}");
            std::thread::sleep(Duration::from_millis(100));
        }
        port
    }

    /// A shell waits beside the server for the test's standard input to close, which the system does when the test ends
    /// in whatever way; then it ends the server and removes its folder.
    fn spawn(folder: &Path, data: &Path, port: u16) {
        let server = format!(
            "mariadbd --no-defaults --datadir='{data}' --socket='{folder}/socket' --pid-file='{folder}/pid' --port={port} \
             --bind-address=127.0.0.1 --innodb-flush-log-at-trx-commit=0 --innodb-buffer-pool-size=256M --skip-name-resolve \
             --max-connections=2000 --user=\"$(id -un)\" & server=$!; cat >/dev/null; kill -9 $server; rm -rf '{folder}'",
            data = data.display(),
            folder = folder.display(),
        );
        let log = File::create(folder.join("log")).expect("a log");
        let watcher = Command::new("sh")
            .args(["-c", &server])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("a shell");
        // Its standard input stays open as long as this process lives.
        std::mem::forget(watcher);
    }
}
