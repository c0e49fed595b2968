//! A cluster of three MariaDB servers (Debian's galera-4) on loopback, whose servers can be killed and brought back.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::BenchError;
use super::mariadb::installation;

/// Where Debian puts the library.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
/// How long a server may take to join, with a copy of everything if need be.
const JOIN_LIMIT: Duration = Duration::from_secs(120);
/// So many servers are in it.
pub const SERVERS: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Ports {
    sql: u16,
    group: u16,
    changes: u16,
    copy: u16,
}

/// The cluster. Dropping it kills all servers.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    ports: [Ports; SERVERS],
    servers: [Option<Child>; SERVERS],
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for number in 0..SERVERS {
            self.kill(number);
        }
    }
}

fn free_port() -> Result<u16, BenchError> {
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
    Ok(free.map_err(BenchError::io("a port for mariadbd"))?.port())
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Cluster {
    /// Whether what it needs is installed.
    #[must_use]
    pub fn can_start() -> bool {
        Path::new(PROVIDER).exists()
    }

    /// Starts one with an empty database `cloud`. Takes seconds, and the thread that calls.
    ///
    /// # Errors
    /// [`BenchError`] when something of it is not installed (galera-4, rsync, lsof), or a server does not join.
    pub fn start() -> Result<Self, BenchError> {
        if !Self::can_start() {
            return Err(BenchError::Unexpected(format!("{PROVIDER} is missing: install galera-4, rsync and lsof")));
        }
        let folder = tempfile::tempdir().map_err(BenchError::io("a temporary folder"))?;
        let ports = || {
            Ok::<_, BenchError>(Ports {
                sql: free_port()?,
                group: free_port()?,
                changes: free_port()?,
                copy: free_port()?,
            })
        };
        let ports = [ports()?, ports()?, ports()?];
        let mut cluster = Self { folder, ports, servers: [const { None }; SERVERS] };
        for number in 0..SERVERS {
            cluster.install(number)?;
        }
        cluster.spawn(0, true)?;
        cluster.wait(0)?;
        if cluster.ask(0, "CREATE DATABASE cloud CHARACTER SET utf8mb4")?.is_none() {
            return Err(BenchError::Unexpected("the database of the cluster cannot be made".to_owned()));
        }
        for number in 1..SERVERS {
            cluster.spawn(number, false)?;
            cluster.wait(number)?;
        }
        Ok(cluster)
    }

    /// The URL of the database with this server first and the others behind it.
    #[must_use]
    pub fn url(&self, first: usize) -> String {
        let mut ports = self.ports;
        ports.rotate_left(first % SERVERS);
        let hosts = ports.map(|ports| format!("127.0.0.1:{}", ports.sql));
        format!("mysql://root@{}/cloud", hosts.join(","))
    }

    fn place(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("server{number}"))
    }

    fn install(&self, number: usize) -> Result<(), BenchError> {
        let place = self.place(number);
        fs::create_dir(&place).map_err(BenchError::io("a folder for a server"))?;
        let installed = installation(&place.join("data")).status().map_err(BenchError::io("mariadb-install-db"))?;
        if !installed.success() {
            return Err(BenchError::Unexpected("mariadb-install-db failed".to_owned()));
        }
        if is_root() {
            // The copy between servers is made by rsync, which does not write as root.
            let open = fs::set_permissions(self.folder.path(), Permissions::from_mode(0o755));
            open.map_err(BenchError::io("the folder of the servers"))?;
            let owned = Command::new("chown").args(["-R", "mysql"]).arg(&place).status();
            if !owned.map_err(BenchError::io("chown"))?.success() {
                return Err(BenchError::Unexpected(format!("{} cannot be given to mysql", place.display())));
            }
        }
        Ok(())
    }

    fn spawn(&mut self, number: usize, is_first: bool) -> Result<(), BenchError> {
        let (place, ports) = (self.place(number), self.ports[number]);
        let others = self.ports.map(|ports| format!("127.0.0.1:{}", ports.group));
        let cluster = if is_first { String::new() } else { others.join(",") };
        let provider_options = format!(
            "gmcast.listen_addr=tcp://127.0.0.1:{};ist.recv_addr=127.0.0.1:{};gcache.size=32M;evs.suspect_timeout=PT2S;\
             evs.inactive_timeout=PT4S;evs.keepalive_period=PT0.5S",
            ports.group, ports.changes
        );
        let user =
            if is_root() { "mysql".to_owned() } else { std::env::var("USER").unwrap_or_else(|_| "mysql".to_owned()) };
        let log = File::options().create(true).append(true).open(place.join("log"));
        let server = Command::new("mariadbd")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", place.join("data").display()))
            .arg(format!("--socket={}", place.join("socket").display()))
            .arg(format!("--pid-file={}", place.join("pid").display()))
            .arg(format!("--port={}", ports.sql))
            .arg(format!("--tmpdir={}", place.display()))
            .args([
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                "--max-connections=500",
                &format!("--user={user}"),
            ])
            .args(["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M"])
            .args(["--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--wsrep-on=ON", "--wsrep-sst-method=rsync"])
            .arg(format!("--wsrep-provider={PROVIDER}"))
            .arg(format!("--wsrep-cluster-address=gcomm://{cluster}"))
            .arg(format!("--wsrep-node-name=server{number}"))
            .arg(format!("--wsrep-node-address=127.0.0.1:{}", ports.group))
            .arg(format!("--wsrep-sst-receive-address=127.0.0.1:{}", ports.copy))
            .arg(format!("--wsrep-provider-options={provider_options}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.map_err(BenchError::io("the log of a server"))?)
            .spawn()
            .map_err(BenchError::io("mariadbd"))?;
        self.servers[number] = Some(server);
        Ok(())
    }

    /// Runs a statement on one server, and gives what it says; nothing when it fails.
    ///
    /// # Errors
    /// [`BenchError`] when MariaDB's client is not installed.
    pub fn ask(&self, number: usize, sql: &str) -> Result<Option<String>, BenchError> {
        let said = Command::new("mariadb")
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--skip-column-names"])
            .args([&format!("--port={}", self.ports[number].sql), "--connect-timeout=2", &format!("--execute={sql}")])
            .stderr(Stdio::null())
            .output()
            .map_err(BenchError::io("the client mariadb"))?;
        Ok(said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned()))
    }

    /// Waits until a server has joined.
    fn wait(&self, number: usize) -> Result<(), BenchError> {
        let deadline = Instant::now() + JOIN_LIMIT;
        loop {
            let state = self.ask(number, "SHOW STATUS LIKE 'wsrep_local_state_comment'")?.unwrap_or_default();
            if state.contains("Synced") || state.contains("Donor") {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.place(number).join("log")).unwrap_or_default();
                let tail: Vec<_> = log.lines().rev().take(30).collect();
                return Err(BenchError::Unexpected(format!("server {number} does not join: {tail:?}")));
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// Kills a server with SIGKILL.
    pub fn kill(&mut self, number: usize) {
        if let Some(mut server) = self.servers[number].take() {
            let _ = server.kill();
            let _ = server.wait();
        }
    }

    /// Brings a killed server back, and waits until it has joined.
    ///
    /// # Errors
    /// See [`Cluster::start`].
    pub fn revive(&mut self, number: usize) -> Result<(), BenchError> {
        self.spawn(number, false)?;
        self.wait(number)
    }
}
