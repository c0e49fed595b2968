//! An HTTPS server in threads that shows a given certificate and answers as a test says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslMethod, SslVersion};
use openssl::x509::{X509, X509Name};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use stackmotion::hypervisors::hyperv::{AgentClient, ClientSettings, MemoryPins, PinPolicy};
use stackmotion::motion::hypervisor::HostRef;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub head: String,
    pub path: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The value of a header, as it was written.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|line| line.0 == name).map(|line| line.1)
    }

    /// Last part of the class in the path.
    pub fn command(&self) -> &str {
        self.path.rsplit('.').next().unwrap()
    }
}

/// What the server does with a request.
pub enum Reply {
    /// Status and body.
    Say(u16, String),
    /// Answers of status 200 with these bodies and the mark of the request, on a connection that stays open.
    Marked(Vec<String>),
    /// Closes the connection without a word.
    Drop,
    /// Begins an answer and closes the connection.
    Half,
    /// Begins an answer and keeps the connection until the client leaves.
    Stuck,
    /// Never answers; keeps the connection until the client leaves.
    Silence,
}

impl Reply {
    pub fn ok(body: impl Into<String>) -> Self {
        Self::Say(200, body.into())
    }
}

type Handler = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// How the server speaks TLS.
#[derive(Clone)]
pub enum Tls {
    Rustls(Arc<rustls::ServerConfig>),
    OpenSsl(Arc<SslAcceptor>),
}

/// rustls with a fresh P-256 certificate.
pub fn modern() -> Tls {
    let made = rcgen::generate_simple_self_signed(vec!["apachecloudstack".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    Tls::Rustls(Arc::new(config))
}

/// What Windows Server 2012 offers: TLS 1.2, an RSA certificate (that has run out), old suites only.
pub fn old(suites: &str) -> Tls {
    let (key, certificate) = rsa_certificate();
    let mut acceptor = SslAcceptor::mozilla_intermediate(SslMethod::tls()).unwrap();
    acceptor.set_max_proto_version(Some(SslVersion::TLS1_2)).unwrap();
    acceptor.set_cipher_list(suites).unwrap();
    acceptor.set_private_key(&key).unwrap();
    acceptor.set_certificate(&certificate).unwrap();
    Tls::OpenSsl(Arc::new(acceptor.build()))
}

fn rsa_certificate() -> (PKey<Private>, X509) {
    let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_text("CN", "apachecloudstack").unwrap();
    let name = name.build();
    let mut certificate = X509::builder().unwrap();
    certificate.set_version(2).unwrap();
    let serial = BigNum::from_u32(7).unwrap().to_asn1_integer().unwrap();
    certificate.set_serial_number(&serial).unwrap();
    certificate.set_subject_name(&name).unwrap();
    certificate.set_issuer_name(&name).unwrap();
    certificate.set_pubkey(&key).unwrap();
    certificate.set_not_before(&Asn1Time::from_unix(1_400_000_000).unwrap()).unwrap();
    certificate.set_not_after(&Asn1Time::from_unix(1_430_000_000).unwrap()).unwrap();
    certificate.sign(&key, MessageDigest::sha256()).unwrap();
    (key, certificate.build())
}

/// A listening server; it stops when it is dropped.
pub struct Server {
    at: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
    over: Arc<AtomicBool>,
}

impl Server {
    pub fn start(tls: Tls, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_at("127.0.0.1:0", tls, handler)
    }

    pub fn start_at(at: &str, tls: Tls, handler: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(at).unwrap();
        let server = Self {
            at: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
            over: Arc::default(),
        };
        let (seen, connections, over) = (server.seen.clone(), server.connections.clone(), server.over.clone());
        let handler: Handler = Arc::new(handler);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                *connections.lock().unwrap() += 1;
                let (tls, handler, seen) = (tls.clone(), handler.clone(), seen.clone());
                thread::spawn(move || accept(tls, stream, &handler, &seen));
            }
        });
        server
    }

    /// The requests that came, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How often someone connected.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }

    /// The server as a host.
    pub fn host(&self) -> HostRef {
        host_at(&self.at.ip().to_string(), self.at.port())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.at);
    }
}

fn accept(tls: Tls, stream: TcpStream, handler: &Handler, seen: &Mutex<Vec<Seen>>) {
    match tls {
        Tls::Rustls(config) => {
            let connection = rustls::ServerConnection::new(config).unwrap();
            converse(rustls::StreamOwned::new(connection, stream), handler, seen);
        }
        Tls::OpenSsl(acceptor) => {
            if let Ok(stream) = acceptor.accept(stream) {
                converse(stream, handler, seen);
            }
        }
    }
}

/// Reads requests and answers them, until an answer leaves nothing open. A connection that ends early is the client's affair.
fn converse(mut stream: impl Read + Write, handler: &Handler, seen: &Mutex<Vec<Seen>>) {
    while let Some(request) = read_request(&mut stream) {
        seen.lock().unwrap().push(request.clone());
        match handler(&request) {
            Reply::Marked(bodies) => {
                let mark = request.header("stackmotion-mark").unwrap_or_default();
                for body in bodies {
                    let head = format!(
                        "HTTP/1.1 200 OK\r\nStackmotion-Mark: {mark}\r\nContent-Length: {}\r\n\r\n",
                        body.len()
                    );
                    let _ = stream.write_all((head + &body).as_bytes());
                }
                let _ = stream.flush();
            }
            reply => return end(stream, reply),
        }
    }
}

/// The last answer on a connection.
fn end(mut stream: impl Read + Write, reply: Reply) {
    match reply {
        Reply::Say(status, body) => {
            let head = format!(
                "HTTP/1.1 {status} Some\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(body.as_bytes());
            let _ = stream.flush();
            wait_for_end(&mut stream);
        }
        reply @ (Reply::Half | Reply::Stuck) => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n[{\"com.cloud");
            let _ = stream.flush();
            if matches!(reply, Reply::Stuck) {
                wait_for_end(&mut stream);
            }
        }
        Reply::Drop | Reply::Marked(..) => {}
        Reply::Silence => wait_for_end(&mut stream),
    }
}

fn wait_for_end(stream: &mut impl Read) {
    let mut rest = [0; 256];
    while matches!(stream.read(&mut rest), Ok(read) if read > 0) {}
}

fn read_request(stream: &mut impl Read) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        bytes.push(byte[0]);
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length?.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    let path = head.split(' ').nth(1).unwrap().to_owned();
    Some(Seen { head, path, body })
}

/// A host at an address.
pub fn host_at(ip: &str, port: u16) -> HostRef {
    HostRef {
        id: 4,
        name: "hv1".to_owned(),
        ip: ip.to_owned(),
        port: Some(port),
        guid: stackmotion::hypervisors::hyperv::wire::naming::host_guid(ip),
    }
}

/// A client that trusts on first use.
pub fn client(settings: ClientSettings) -> Arc<AgentClient> {
    let pins = PinPolicy::first_use(Arc::new(MemoryPins::default()));
    Arc::new(AgentClient::new(settings, pins))
}

/// The request and answer of a recorded pair.
pub fn golden(name: &str) -> (serde_json::Value, String) {
    let read = |kind: &str| -> serde_json::Value {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/agent");
        let text = std::fs::read_to_string(format!("{folder}/{name}.{kind}.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    (read("request")["json"].clone(), read("response")["body"].as_str().unwrap().to_owned())
}

/// The text with a folder on a Windows host in place of each `{{folder:...}}`, inside JSON and in JSON inside a text of it.
fn with_folders(text: &str) -> String {
    let mut parts = text.split("{{folder:");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (_, rest) = part.split_once("}}").expect("the end of a folder's word");
        whole.push_str("D:/disks");
        whole.push_str(rest);
    }
    whole
}

/// What a real server sent a real agent of one class, in order, and what was answered.
pub fn recorded(command: &str) -> Vec<(serde_json::Value, String)> {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/hyperv-sent.json");
    let text = with_folders(&std::fs::read_to_string(file).unwrap());
    let pairs: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let pairs = pairs.into_iter().filter(|pair| pair["command"] == command);
    pairs.map(|pair| (pair["request"].clone(), pair["answer"].as_str().unwrap().to_owned())).collect()
}

/// Waits until something is so, or fails after a time that no working program needs.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !so() {
        assert!(std::time::Instant::now() < deadline, "never came: {what}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
