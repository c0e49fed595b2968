//! A line to a MariaDB that a test can cut, let fall silent, or let lose a commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What happens to the next commit that comes along the line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It never reaches the server: the line is cut before it.
    Lost,
    /// The server commits, and the line is cut before its answer.
    Unanswered,
    /// The client's side is cut at once, the server gets the commit only a while later.
    Late,
    /// The server commits, and all connections fall silent before its answer.
    Silent,
}

/// Those that the client notices.
pub const FAULTS: [Fault; 3] = [Fault::Lost, Fault::Unanswered, Fault::Late];
const ALL: [Fault; 4] = [Fault::Lost, Fault::Unanswered, Fault::Late, Fault::Silent];
const LATE: Duration = Duration::from_millis(400);

/// A line to a server of a database. Armed, it does what the fault says to one commit. Cut, it is down for everybody until it is
/// mended.
pub struct Line {
    /// The database's URL by way of the line.
    pub url: String,
    is_up: watch::Sender<bool>,
    hush: watch::Sender<()>,
    is_frozen: Arc<AtomicBool>,
    armed: Arc<AtomicU8>,
}

impl Line {
    /// A line to the database at this URL.
    pub async fn to(url: &str) -> Self {
        let (rest, name) = url.rsplit_once('/').expect("a name");
        let port: u16 = rest.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).expect("a port");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let armed = Arc::new(AtomicU8::new(0));
        let (is_up, seen) = watch::channel(true);
        let (hush, _) = watch::channel(());
        let is_frozen = Arc::new(AtomicBool::new(false));
        let (shared, hushing, freezing) = (Arc::clone(&armed), hush.clone(), Arc::clone(&is_frozen));
        tokio::spawn(async move {
            let mut frozen = Vec::new();
            while let Ok((client, _)) = listener.accept().await {
                let (armed, mut seen, hush) = (Arc::clone(&shared), seen.clone(), hushing.clone());
                if !*seen.borrow() {
                    continue;
                }
                if freezing.load(Ordering::SeqCst) {
                    frozen.push(client);
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", port)).await.expect("the server");
                tokio::spawn(async move {
                    tokio::select! {
                        () = carry(client, server, armed, hush) => {}
                        // An error means that the line itself is gone.
                        _ = seen.wait_for(|is_up| !is_up) => {}
                    }
                });
            }
        });
        Self { url: format!("mysql://root@{address}/{name}"), is_up, hush, is_frozen, armed }
    }

    /// Cuts all connections, and lets no new one be, until it is mended.
    pub fn cut(&self) {
        self.is_up.send_replace(false);
    }

    /// Carries again.
    pub fn mend(&self) {
        self.is_up.send_replace(true);
    }

    /// Carries nothing any more over the connections that there are, which stay open; new ones work.
    pub fn hush(&self) {
        self.hush.send_replace(());
    }

    /// The same, and new ones are taken and carry nothing either.
    pub fn freeze(&self) {
        self.is_frozen.store(true, Ordering::SeqCst);
        self.hush();
    }

    /// The next commit meets this fault.
    pub fn arm(&self, fault: Fault) {
        self.armed.store(fault as u8 + 1, Ordering::SeqCst);
    }

    /// Whether the fault has happened.
    pub fn has_struck(&self) -> bool {
        self.armed.load(Ordering::SeqCst) == 0
    }
}

/// One statement as it stands on the wire: four bytes of header, the kind of command, its text.
fn is_commit(packet: &[u8]) -> bool {
    packet.get(4) == Some(&3) && packet.get(5..).is_some_and(|text| text.eq_ignore_ascii_case(b"COMMIT"))
}

async fn carry(client: TcpStream, server: TcpStream, armed: Arc<AtomicU8>, hush: watch::Sender<()>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // Ends with this future.
    let mut answers = JoinSet::new();
    let mut hushed = hush.subscribe();
    answers.spawn(async move {
        tokio::select! {
            // What comes after it is not carried, not even what is there already.
            biased;
            _ = hushed.changed() => std::future::pending::<()>().await,
            _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
        }
    });
    let mut hushed = hush.subscribe();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            biased;
            _ = hushed.changed() => std::future::pending::<usize>().await,
            read = from_client.read(&mut buffer) => read.unwrap_or_default(),
        };
        if read == 0 {
            break;
        }
        let packet = &buffer[..read];
        let fault = if is_commit(packet) { armed.swap(0, Ordering::SeqCst) } else { 0 };
        let fault = ALL.into_iter().find(|known| *known as u8 + 1 == fault);
        match fault {
            None => {
                if to_server.write_all(packet).await.is_err() {
                    break;
                }
                continue;
            }
            Some(Fault::Lost) => {}
            Some(Fault::Unanswered) => {
                answers.shutdown().await;
                to_server.write_all(packet).await.expect("the server");
                // It has this long to commit; then both sides are cut.
                tokio::time::sleep(LATE).await;
                return;
            }
            Some(Fault::Silent) => {
                hush.send_replace(());
                to_server.write_all(packet).await.expect("the server");
                std::future::pending::<()>().await;
            }
            Some(Fault::Late) => {
                answers.shutdown().await;
                drop(from_client);
                tokio::time::sleep(LATE).await;
                to_server.write_all(packet).await.expect("the server");
                tokio::time::sleep(LATE).await;
                return;
            }
        }
        break;
    }
}
