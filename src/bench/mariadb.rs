//! A MariaDB server of our own, as it is installed: every commit is on the disk before it is answered.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use super::BenchError;

/// How long the server may take to answer for the first time.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Makes the data of a server, with an administrator `root` who needs no password.
#[must_use]
pub fn installation(data: &Path) -> std::process::Command {
    let mut command = std::process::Command::new("mariadb-install-db");
    command
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Runs a statement as that administrator.
#[must_use]
pub fn statement(port: u16, sql: &str) -> std::process::Command {
    let mut command = std::process::Command::new("mariadb");
    command
        .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root"])
        .args([&format!("--port={port}"), &format!("--execute={sql}")])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// A running server. It ends with this value.
#[derive(Debug)]
pub(super) struct MariaDb {
    _server: Child,
    port: u16,
}

impl MariaDb {
    /// Starts one with its data in this folder; none when MariaDB is not installed.
    pub async fn start(folder: &Path) -> Result<Option<Self>, BenchError> {
        let data = folder.join("mariadb");
        let installed = Command::from(installation(&data)).status().await;
        let Ok(installed) = installed else { return Ok(None) };
        if !installed.success() {
            return Err(BenchError::Unexpected("mariadb-install-db failed".to_owned()));
        }
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let free = free.map_err(BenchError::io("a port for mariadbd"))?;
        let port = free.port();
        let user = rustix::process::geteuid().is_root().then_some("--user=root");
        let server = Command::new("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", data.display()))
            .arg(format!("--socket={}", folder.join("socket").display()))
            .arg(format!("--port={port}"))
            .args(["--bind-address=127.0.0.1", "--skip-name-resolve", "--max-connections=500"])
            .arg("--innodb-buffer-pool-size=1G")
            .args(user)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(BenchError::io("mariadbd"))?;
        let running = Self { _server: server, port };
        let deadline = Instant::now() + START_LIMIT;
        while !running.ask("SELECT 1").await {
            if Instant::now() > deadline {
                return Err(BenchError::Unexpected("mariadbd does not answer".to_owned()));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Ok(Some(running))
    }

    /// The URL of a new, empty database.
    pub async fn database(&self, name: &str) -> Result<String, BenchError> {
        if !self.ask(&format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")).await {
            return Err(BenchError::Unexpected(format!("the database {name} cannot be made")));
        }
        Ok(format!("mysql://root@127.0.0.1:{}/{name}", self.port))
    }

    async fn ask(&self, sql: &str) -> bool {
        let client = Command::from(statement(self.port, sql)).status();
        client.await.is_ok_and(|status| status.success())
    }
}
