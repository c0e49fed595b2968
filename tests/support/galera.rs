//! A cluster of three MariaDB servers (Debian's galera-4) on loopback, whose servers can be killed and brought back.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where Debian puts the library.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
/// How long a server may take to join, with a copy of everything if need be.
const JOIN_LIMIT: Duration = Duration::from_secs(120);
pub const SERVERS: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Ports {
    sql: u16,
    group: u16,
    changes: u16,
    copy: u16,
}

/// The cluster. Dropping it kills all servers.
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

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its number").port()
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Cluster {
    /// Starts one with an empty database `cloud`.
    pub fn start() -> Self {
        assert!(std::path::Path::new(PROVIDER).exists(), "{PROVIDER} is missing: install galera-4, rsync and lsof");
        let folder = tempfile::tempdir().expect("a folder");
        let ports = [(); SERVERS].map(|()| Ports {
            sql: free_port(),
            group: free_port(),
            changes: free_port(),
            copy: free_port(),
        });
        let mut cluster = Self { folder, ports, servers: [const { None }; SERVERS] };
        for number in 0..SERVERS {
            cluster.install(number);
        }
        cluster.spawn(0, true);
        cluster.wait(0);
        assert!(cluster.ask(0, "CREATE DATABASE cloud CHARACTER SET utf8mb4").is_some());
        for number in 1..SERVERS {
            cluster.spawn(number, false);
            cluster.wait(number);
        }
        cluster
    }

    /// The URL of the database with this server first and the others behind it.
    pub fn url(&self, first: usize) -> String {
        let hosts: Vec<_> =
            (0..SERVERS).map(|offset| format!("127.0.0.1:{}", self.ports[(first + offset) % SERVERS].sql)).collect();
        format!("mysql://root@{}/cloud", hosts.join(","))
    }

    fn place(&self, number: usize) -> PathBuf {
        self.folder.path().join(format!("server{number}"))
    }

    fn install(&self, number: usize) {
        let place = self.place(number);
        std::fs::create_dir(&place).expect("a folder");
        let installed = Command::new("mariadb-install-db")
            .arg("--no-defaults")
            .arg(format!("--datadir={}", place.join("data").display()))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("mariadb-install-db is missing: install MariaDB's server");
        assert!(installed.success(), "mariadb-install-db failed");
        if is_root() {
            // The copy between servers is made by rsync, which does not write as root.
            std::fs::set_permissions(self.folder.path(), std::fs::Permissions::from_mode(0o755)).expect("a folder");
            let owned = Command::new("chown").args(["-R", "mysql"]).arg(&place).status().expect("chown");
            assert!(owned.success());
        }
    }

    fn spawn(&mut self, number: usize, is_first: bool) {
        let (place, ports) = (self.place(number), self.ports[number]);
        let others: Vec<_> = self.ports.iter().map(|ports| format!("127.0.0.1:{}", ports.group)).collect();
        let cluster = if is_first { String::new() } else { others.join(",") };
        let provider_options = format!(
            "gmcast.listen_addr=tcp://127.0.0.1:{};ist.recv_addr=127.0.0.1:{};gcache.size=32M;evs.suspect_timeout=PT2S;\
             evs.inactive_timeout=PT4S;evs.keepalive_period=PT0.5S",
            ports.group, ports.changes
        );
        let user =
            if is_root() { "mysql".to_owned() } else { std::env::var("USER").unwrap_or_else(|_| "mysql".to_owned()) };
        let log = File::options().create(true).append(true).open(place.join("log")).expect("a log");
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
            .stderr(log)
            .spawn()
            .expect("mariadbd");
        self.servers[number] = Some(server);
    }

    /// Runs a statement on one server, and gives what it says.
    pub fn ask(&self, number: usize, sql: &str) -> Option<String> {
        let said = Command::new("mariadb")
            .args(["--no-defaults", "--protocol=tcp", "--host=127.0.0.1", "--user=root", "--skip-column-names"])
            .args([&format!("--port={}", self.ports[number].sql), "--connect-timeout=2", &format!("--execute={sql}")])
            .stderr(Stdio::null())
            .output()
            .expect("the client mariadb is missing: install MariaDB's client");
        said.status.success().then(|| String::from_utf8_lossy(&said.stdout).into_owned())
    }

    /// Waits until a server has joined.
    fn wait(&self, number: usize) {
        let deadline = Instant::now() + JOIN_LIMIT;
        loop {
            let state = self.ask(number, "SHOW STATUS LIKE 'wsrep_local_state_comment'").unwrap_or_default();
            if state.contains("Synced") || state.contains("Donor") {
                return;
            }
            let log = std::fs::read_to_string(self.place(number).join("log")).unwrap_or_default();
            let tail: Vec<_> = log.lines().rev().take(30).collect();
            assert!(Instant::now() < deadline, "server {number} does not join: {tail:?}");
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
    pub fn revive(&mut self, number: usize) {
        self.spawn(number, false);
        self.wait(number);
    }
}
