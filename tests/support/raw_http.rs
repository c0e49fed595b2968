//! A client that sends exactly the bytes it is told: what a library would repair must reach the gateway broken.

use std::io::Read as _;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// An answer as it came over the wire.
#[derive(Debug, Clone)]
pub struct RawResponse {
    pub status: u16,
    /// The words behind the status.
    pub reason: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl RawResponse {
    /// The value of a header, any letter case; the first if it is repeated.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body of an answer that came in pieces; the last piece has to be there.
    pub fn whole_body(&self) -> String {
        assert_eq!(self.header("transfer-encoding"), Some("chunked"));
        let (mut whole, mut rest) = (String::new(), self.body.as_str());
        loop {
            let (size, after) = rest.split_once("\r\n").expect("the size of a piece");
            let size = usize::from_str_radix(size, 16).expect("a size");
            let end = after[size..].strip_prefix("\r\n").expect("the end of a piece");
            if size == 0 {
                return whole;
            }
            whole.push_str(&after[..size]);
            rest = end;
        }
    }

    /// All values of a header, in order.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
            .collect()
    }
}

/// A request to be sent.
#[derive(Debug, Clone, Default)]
pub struct RawRequest {
    pub method: String,
    /// Path and query, as they go over the wire.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl RawRequest {
    pub fn get(target: impl Into<String>) -> Self {
        Self { method: "GET".into(), target: target.into(), ..Self::default() }
    }

    pub fn form(target: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: "POST".into(),
            target: target.into(),
            headers: vec![("Content-Type".into(), "application/x-www-form-urlencoded".into())],
            body: body.into(),
        }
    }

    /// Sends it on a connection of its own and reads until the gateway closes it.
    pub async fn send(&self, address: SocketAddr) -> RawResponse {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        // The gateway may answer and close before it has read a body that is too large.
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&self.body).await;
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes).await;
        parse(&bytes)
    }
}

/// Sends these bytes and nothing else, and reads one answer; the connection may stay open behind it.
pub async fn exchange(address: SocketAddr, request: &[u8]) -> RawResponse {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(request).await;
    let mut bytes = Vec::new();
    while !is_whole(&bytes) {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            break;
        }
    }
    parse(&bytes)
}

/// Sends these bytes, says that no more will come, and gives whatever comes back until the gateway closes.
pub async fn send_and_hang_up(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(request).await;
    let _ = stream.shutdown().await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    bytes
}

/// Whether an answer has come to the length that it says.
fn is_whole(bytes: &[u8]) -> bool {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| bytes.len() >= end + 4 + length)
}

/// Takes an answer apart; a packed one is unpacked.
pub fn parse(bytes: &[u8]) -> RawResponse {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer with a head");
    // Headers are Latin-1.
    let head: String = bytes[..end].iter().map(|byte| char::from(*byte)).collect();
    let mut lines = head.split("\r\n");
    let mut status_line = lines.next().unwrap().splitn(3, ' ').skip(1);
    let status = status_line.next().and_then(|text| text.parse().ok()).unwrap();
    let reason = status_line.next().unwrap_or_default().to_owned();
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let is_packed =
        headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("content-encoding") && value == "gzip");
    let mut body = String::new();
    if is_packed {
        flate2::read::GzDecoder::new(&bytes[end + 4..]).read_to_string(&mut body).unwrap();
    } else {
        body = String::from_utf8(bytes[end + 4..].to_vec()).unwrap();
    }
    RawResponse { status, reason, headers, body }
}

/// A text as it stands in a query or form: everything but letters, digits and `.-_` escaped.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Pairs as a query or form.
pub fn escape_pairs<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    let items: Vec<_> =
        pairs.iter().map(|(name, value)| format!("{}={}", escape(name.as_ref()), escape(value.as_ref()))).collect();
    items.join("&")
}
