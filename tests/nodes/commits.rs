//! Commits whose connection breaks, and transactions that collide, on a real MariaDB behind a line that a test can cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use stackmotion::args;
use stackmotion::store::Store;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::database;

/// What happens to the next commit that comes along the line.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// It never reaches the server: the line is cut before it.
    Lost,
    /// The server commits, and the line is cut before its answer.
    Unanswered,
    /// The client's side is cut at once, the server gets the commit only a while later.
    Late,
}

const FAULTS: [Fault; 3] = [Fault::Lost, Fault::Unanswered, Fault::Late];
const LATE: Duration = Duration::from_millis(400);

/// A line to the server at `port`. Armed, it does what the fault says to one commit.
struct Line {
    address: SocketAddr,
    armed: Arc<AtomicU8>,
}

impl Line {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let armed = Arc::new(AtomicU8::new(0));
        let shared = Arc::clone(&armed);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server");
                tokio::spawn(carry(client, server, Arc::clone(&shared)));
            }
        });
        Self { address, armed }
    }

    fn arm(&self, fault: Fault) {
        self.armed.store(fault as u8 + 1, Ordering::SeqCst);
    }

    /// Whether the fault has happened.
    fn has_struck(&self) -> bool {
        self.armed.load(Ordering::SeqCst) == 0
    }
}

/// One statement as it stands on the wire: four bytes of header, the kind of command, its text.
fn is_commit(packet: &[u8]) -> bool {
    packet.get(4) == Some(&3) && packet.get(5..).is_some_and(|text| text.eq_ignore_ascii_case(b"COMMIT"))
}

async fn carry(client: TcpStream, server: TcpStream, armed: Arc<AtomicU8>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        (from_server, to_client)
    });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = from_client.read(&mut buffer).await.unwrap_or_default();
        if read == 0 {
            break;
        }
        let packet = &buffer[..read];
        let fault = if is_commit(packet) { armed.swap(0, Ordering::SeqCst) } else { 0 };
        let fault = FAULTS.into_iter().find(|known| *known as u8 + 1 == fault);
        match fault {
            None => {
                if to_server.write_all(packet).await.is_err() {
                    break;
                }
                continue;
            }
            Some(Fault::Lost) => {}
            Some(Fault::Unanswered) => {
                answers.abort();
                let _ = answers.await;
                to_server.write_all(packet).await.expect("the server");
                // It has this long to commit; then both sides are cut.
                tokio::time::sleep(LATE).await;
                return;
            }
            Some(Fault::Late) => {
                answers.abort();
                let _ = answers.await;
                drop(from_client);
                tokio::time::sleep(LATE).await;
                to_server.write_all(packet).await.expect("the server");
                tokio::time::sleep(LATE).await;
                return;
            }
        }
        break;
    }
    answers.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_connection_breaks_has_happened_exactly_once() {
    let database = database::mariadb().await;
    let (rest, name) = database.url.rsplit_once('/').expect("a name");
    let port = rest.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
    let line = Line::to(port).await;
    let store = Store::open(&format!("mysql://root@{}/{name}", line.address)).await.expect("a store");
    for (number, fault) in FAULTS.into_iter().cycle().take(9).enumerate() {
        let node = format!("node{number}");
        line.arm(fault);
        let registered = store.server_register(&node, "1", "127.0.0.1", Duration::from_secs(60)).await;
        assert!(line.has_struck(), "{fault:?}");
        let registered = registered.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        // Every registration counts one up: a second one would show.
        let rows = database.store.db().rows("SELECT epoch FROM motion_node WHERE name = ?", args![&node]).await;
        let epochs: Vec<i64> = rows.expect("rows").iter().map(|row| row.at(0).expect("a number")).collect();
        assert_eq!(epochs, [1], "{fault:?}");
        assert_eq!(registered.epoch, 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_about_a_commit_that_never_came_keeps_it_from_coming() {
    let database = database::mariadb().await;
    let store = &database.store;
    // What the asking side writes when a transaction is lost: its row has no time.
    store.db().run("INSERT INTO motion_commit (id, at) VALUES ('w', -1)", vec![]).await.expect("the asker");
    let mut tx = store.begin().await.expect("a transaction");
    let late = tx.run("INSERT INTO motion_commit (id, at) VALUES ('w', 1)", vec![]).await;
    assert!(late.is_err_and(|error| error.is_duplicate()));
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_block_each_other_both_happen() {
    let database = database::mariadb().await;
    let store = &database.store;
    let lease = Duration::from_secs(60);
    let mut servers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        servers.push(store.server_register(name, "1", "127.0.0.1", lease).await.expect("a server"));
    }
    let before: i64 = epochs(store).await;
    // Each touches rows of all: the database finds circles among them and rolls some back.
    let mut running = tokio::task::JoinSet::new();
    for round in 0..80 {
        let (store, name) = (store.clone(), ["a", "b", "c", "d"][round % 4]);
        let beating = servers[(round + 1) % 4].clone();
        running.spawn(async move {
            store.server_register(name, "1", "127.0.0.1", lease).await.expect("a server");
            store.server_beat(&beating, lease).await.expect("a beat");
        });
    }
    running.join_all().await;
    assert_eq!(epochs(store).await - before, 80, "every one of them, once");
}

async fn epochs(store: &Store) -> i64 {
    let row = store.db().row("SELECT CAST(SUM(epoch) AS SIGNED) FROM motion_node", vec![]).await;
    row.expect("the database").expect("a row").at(0).expect("a number")
}
