//! Load that does harm elsewhere, against the gateway as a process: thousands of idle and slow connections, a flood of bad
//! signatures and endless bodies at the same time. Good clients are answered all the while.
//!
//! `STACKMOTION_CROWD` (1 without it) multiplies the crowd.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stackmotion::auth::signature;
use stackmotion::client::Client;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use crate::support::raw_http::escape_pairs;

const IDLE: usize = 5_000;
const SLOW: usize = 500;
const FLOODS: usize = 4;
const GOOD_CALLS: usize = 60;
/// How long one good call may take; a gateway that starves its clients takes for ever.
const DEADLINE: Duration = Duration::from_secs(30);
/// The most memory that the gateway may hold for a crowd of one, unoptimized as it is under test. It holds half of that.
const MOST_MEMORY_MIB: u64 = 256;

/// A gateway in a process of its own; killed when dropped.
struct Gateway {
    process: Child,
    address: SocketAddr,
    key: String,
    secret: String,
    _folder: tempfile::TempDir,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Gateway {
    /// One that may have so many files open; as many as this process without a number.
    fn start(files: Option<usize>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let limit = files.map_or_else(String::new, |files| format!("ulimit -n {files} && "));
        let mut process = Command::new("sh")
            .args(["-c", &format!("{limit}exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_stackmotion")])
            .args(["serve", "--port", "0", "--log-level", "warn"])
            // Nobody is cut while this lasts: the whole crowd is there at the same time.
            .args(["--set", "http.head_s=120", "--set", "http.drain_s=1"])
            .arg("--data-dir")
            .arg(folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("http://").unwrap().strip_suffix("/client/api").unwrap().parse().unwrap();
        let keys = std::fs::read_to_string(folder.path().join("admin.key")).unwrap();
        let value =
            |name: &str| keys.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = ")).unwrap().to_owned();
        Self { process, address, key: value("apikey"), secret: value("secretkey"), _folder: folder }
    }

    fn client(&self) -> Client {
        Client::new(format!("http://{}/client/api", self.address), &self.key, &self.secret).unwrap()
    }

    /// What the process holds in memory, in MiB.
    fn memory_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
    }

    fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.process.id())).unwrap().count()
    }
}

/// Connects from this address of the machine.
async fn connect(from: &str, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(format!("{from}:0").parse().unwrap())?;
    socket.connect(to).await
}

/// Bad signatures for the administrator's own key, one after the other on connections that stay open.
async fn flood(to: SocketAddr, key: String, stop: Arc<AtomicBool>, sent: Arc<AtomicUsize>) {
    let mut buffer = vec![0; 4096];
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = connect("127.0.0.2", to).await else { continue };
        for number in 0..200 {
            let shown = if number % 2 == 0 { key.clone() } else { format!("unknown-{number}") };
            let request = format!(
                "GET /client/api?command=listZones&apiKey={shown}&signature={number} HTTP/1.1\r\nHost: x\r\n\r\n"
            );
            if stream.write_all(request.as_bytes()).await.is_err() || stream.read(&mut buffer).await.unwrap_or(0) == 0 {
                break;
            }
            sent.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Bodies without end, said to be one GiB or not.
async fn bodies(to: SocketAddr, is_chunked: bool, stop: Arc<AtomicBool>) {
    let length = if is_chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 1073741824" };
    let head = format!(
        "POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n{length}\r\n\r\n"
    );
    let mut chunk = vec![b'x'; 0x10000];
    if is_chunked {
        chunk.splice(0..0, *b"10000\r\n");
        chunk.extend(b"\r\n");
    }
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut stream) = connect("127.0.0.3", to).await else { continue };
        if stream.write_all(head.as_bytes()).await.is_ok() {
            while !stop.load(Ordering::Relaxed) && stream.write_all(&chunk).await.is_ok() {}
        }
    }
}

/// A good call from an address: its status line.
async fn good_call_from(from: &str, gateway: &Gateway) -> String {
    let pairs = [("command", "listZones"), ("response", "json"), ("apiKey", gateway.key.as_str())];
    let signed = signature::sign(&gateway.secret, &signature::string_to_sign(pairs));
    let query = escape_pairs(&[&pairs[..], &[("signature", signed.as_str())]].concat());
    let mut stream = connect(from, gateway.address).await.unwrap();
    let request = format!("GET /client/api?{query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A head that comes byte by byte.
async fn drip(mut stream: TcpStream, stop: Arc<AtomicBool>) {
    let mut head = b"GET /client/api?command=listZones HTTP/1.1\r\nX-Slow: ".iter().chain(std::iter::repeat(&b'x'));
    while !stop.load(Ordering::Relaxed) {
        let Some(byte) = head.next() else { break };
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_does_not_keep_good_clients_from_their_answers() {
    let scale: usize = std::env::var("STACKMOTION_CROWD").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, maximum: files.maximum });
    let room = usize::try_from(files.maximum.unwrap_or(u64::MAX)).unwrap_or(usize::MAX).saturating_sub(1000);
    let (idle, slow) = ((IDLE * scale).min(room.saturating_sub(SLOW * scale)), SLOW * scale);
    let gateway = Gateway::start(None);
    let good = gateway.client();
    good.call("listZones", &[]).await.unwrap();

    let stop = Arc::new(AtomicBool::new(false));
    let mut crowd = JoinSet::new();
    let mut quiet = Vec::with_capacity(idle);
    for _ in 0..idle {
        quiet.push(connect("127.0.0.4", gateway.address).await.unwrap());
    }
    for _ in 0..slow {
        let stream = connect("127.0.0.5", gateway.address).await.unwrap();
        crowd.spawn(drip(stream, Arc::clone(&stop)));
    }
    let sent = Arc::new(AtomicUsize::new(0));
    for number in 0..FLOODS {
        crowd.spawn(flood(gateway.address, gateway.key.clone(), Arc::clone(&stop), Arc::clone(&sent)));
        crowd.spawn(bodies(gateway.address, number % 2 == 0, Arc::clone(&stop)));
    }

    for number in 0..GOOD_CALLS {
        let (command, params): (&str, &[(&str, &str)]) =
            if number % 2 == 0 { ("listZones", &[]) } else { ("listApis", &[("name", "listZones")]) };
        let answered = tokio::time::timeout(DEADLINE, good.call(command, params)).await;
        answered.unwrap_or_else(|_| panic!("call {number} is not answered")).unwrap();
        // A new connection has its place as well.
        let fresh = tokio::time::timeout(DEADLINE, gateway.client().call(command, params)).await;
        fresh.unwrap_or_else(|_| panic!("call {number} on a new connection is not answered")).unwrap();
        // Whoever shares the flood's address goes on working.
        let neighbour = tokio::time::timeout(DEADLINE, good_call_from("127.0.0.2", &gateway)).await;
        let neighbour = neighbour.unwrap_or_else(|_| panic!("call {number} from the flood's address is not answered"));
        assert_eq!(neighbour, "HTTP/1.1 200 OK", "call {number} from the flood's address");
    }
    let (open, memory) = (gateway.open_files(), gateway.memory_mib());
    assert!(open >= idle + slow, "the crowd was not there: {open} files are open");
    let most = MOST_MEMORY_MIB * u64::try_from(scale).unwrap();
    assert!(memory < most, "{memory} MiB for {open} connections");
    assert!(sent.load(Ordering::Relaxed) > 0, "no flood");
    stop.store(true, Ordering::Relaxed);
    drop(quiet);
    crowd.abort_all();
    println!("{open} files, {memory} MiB, {} bad signatures", sent.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn more_connections_than_files_do_not_stop_the_gateway() {
    const FILES: usize = 200;
    let gateway = Gateway::start(Some(FILES));
    let good = gateway.client();
    good.call("listZones", &[]).await.unwrap();
    let mut crowd = Vec::new();
    for _ in 0..2 * FILES {
        crowd.push(connect("127.0.0.4", gateway.address).await.unwrap());
    }
    // Those beyond the last place are told so, and files are left for work.
    let mut last = String::new();
    let read = crowd.last_mut().unwrap().read_to_string(&mut last);
    tokio::time::timeout(DEADLINE, read).await.expect("neither served nor turned away").unwrap();
    assert!(last.starts_with("HTTP/1.1 503 "), "{last}");
    assert!(gateway.open_files() < FILES, "{} files are open", gateway.open_files());
    tokio::time::timeout(DEADLINE, good.call("listZones", &[])).await.expect("an answer").unwrap();
    drop(crowd);
    let freed = async {
        while gateway.client().call("listZones", &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, freed).await.expect("the places are not freed");
}
