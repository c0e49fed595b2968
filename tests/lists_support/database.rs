//! Databases for tests: SQLite always, and MariaDB when the feature `mariadb-tests` is on.

use stackmotion::store::Store;
use tempfile::TempDir;

/// A database that goes away with this value.
pub struct Database {
    /// The store on it.
    pub store: Store,
    _folder: TempDir,
    #[cfg(feature = "mariadb-tests")]
    _server: Option<mariadb::Server>,
}

/// An empty SQLite database in a file.
pub async fn sqlite() -> Database {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&format!("sqlite://{}/test.db", folder.path().display())).await.expect("a database");
    Database {
        store,
        _folder: folder,
        #[cfg(feature = "mariadb-tests")]
        _server: None,
    }
}

/// An empty database of every kind that is to be tested, with its name.
#[cfg(not(feature = "mariadb-tests"))]
pub async fn each() -> Vec<(&'static str, Database)> {
    vec![("sqlite", sqlite().await)]
}

/// An empty database of every kind that is to be tested, with its name.
#[cfg(feature = "mariadb-tests")]
pub async fn each() -> Vec<(&'static str, Database)> {
    vec![("sqlite", sqlite().await), ("mariadb", mariadb::start().await)]
}

#[cfg(feature = "mariadb-tests")]
mod mariadb {
    use std::fs::File;
    use std::net::TcpListener;
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    use stackmotion::store::Store;

    use super::Database;

    /// How long a server may take to answer for the first time.
    const START_LIMIT: Duration = Duration::from_secs(60);

    /// A private server; it ends with this value.
    pub struct Server(Child);

    impl Drop for Server {
        fn drop(&mut self) {
            // The data goes away with the folder, so there is nothing to be saved.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    /// Starts a private server on a free port of 127.0.0.1 with a data folder of its own.
    pub async fn start() -> Database {
        let folder = tempfile::tempdir().expect("a folder");
        let data = folder.path().join("data");
        let installed = Command::new("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("mariadb-install-db is missing: install MariaDB's server or leave the feature mariadb-tests out");
        assert!(installed.success(), "mariadb-install-db failed in {}", data.display());
        let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port();
        let mut server = Server(spawn(folder.path(), &data, port));
        let deadline = Instant::now() + START_LIMIT;
        while !create(folder.path()) {
            let ended = server.0.try_wait().expect("its state");
            assert!(ended.is_none(), "mariadbd ended: {}", log(folder.path()));
            assert!(Instant::now() < deadline, "mariadbd does not answer: {}", log(folder.path()));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let url = format!("mysql://root@127.0.0.1:{port}/test");
        let store = Store::open(&url).await.unwrap_or_else(|error| panic!("{error:?}"));
        Database { store, _folder: folder, _server: Some(server) }
    }

    fn spawn(folder: &Path, data: &Path, port: u16) -> Child {
        let log = File::create(folder.join("log")).expect("a log");
        Command::new("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!("--pid-file={}", folder.join("pid").display()))
            .arg(format!("--port={port}"))
            .args(["--bind-address=127.0.0.1", "--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve"])
            .arg(format!("--user={}", std::env::var("USER").unwrap_or_else(|_| "root".to_owned())))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("mariadbd is missing: install MariaDB's server or leave the feature mariadb-tests out")
    }

    /// Makes the database; false while the server takes no commands yet.
    fn create(folder: &Path) -> bool {
        Command::new("mariadb")
            .arg("--no-defaults")
            .arg(format!("--socket={}", folder.join("socket").display()))
            .args(["--user=root", "--execute=CREATE DATABASE IF NOT EXISTS test CHARACTER SET utf8mb4"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("mariadb is missing: install MariaDB's client or leave the feature mariadb-tests out")
            .success()
    }

    fn log(folder: &Path) -> String {
        std::fs::read_to_string(folder.join("log")).unwrap_or_default()
    }
}
