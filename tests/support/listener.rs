//! Somebody who listens to `streamEvents` on a bare connection.

use std::time::Duration;

use serde_json::Value as Json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::raw_http::escape_pairs;
use super::world::signed_with;

/// How long a listener waits for something that should come.
const LONG: Duration = Duration::from_secs(60);

/// A piece of news.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    pub kind: String,
    pub id: String,
    pub data: Json,
}

/// An open stream.
pub struct Listener {
    stream: TcpStream,
    /// What has come, and is not read yet.
    bytes: Vec<u8>,
    /// What the pieces hold, and is not read yet.
    text: String,
    pub status: u16,
    pub head: String,
    /// The place of the last news.
    pub last_id: Option<String>,
    /// Whether the end has come as it should.
    pub has_ended: bool,
}

impl Listener {
    /// Asks the gateway at this URL for news.
    pub async fn open(url: &str, keys: (&str, &str), more: &[(&str, &str)], last_id: Option<&str>) -> Self {
        let host = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).expect("a host").to_owned();
        let pairs = signed_with(keys, &[&[("command", "streamEvents"), ("response", "json")], more].concat());
        let last = last_id.map_or_else(String::new, |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET /client/api?{} HTTP/1.1\r\nHost: {host}\r\n{last}\r\n", escape_pairs(&pairs));
        let mut stream = TcpStream::connect(&host).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("a request");
        let mut listener = Self {
            stream,
            bytes: Vec::new(),
            text: String::new(),
            status: 0,
            head: String::new(),
            last_id: None,
            has_ended: false,
        };
        let end = loop {
            if let Some(at) = listener.bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                break at;
            }
            assert!(listener.read().await, "no head of an answer");
        };
        listener.head = String::from_utf8_lossy(&listener.bytes[..end]).to_ascii_lowercase();
        listener.status = listener.head.split(' ').nth(1).expect("a status").parse().expect("a number");
        listener.bytes.drain(..end + 4);
        if listener.status == 200 {
            // The first block tells the place where the stream begins.
            while !listener.text.contains("\n\n") {
                assert!(listener.next_piece().await, "no greeting");
            }
            let id = listener.text.lines().find_map(|line| line.strip_prefix("id: ")).map(str::to_owned);
            listener.last_id = id;
        }
        listener
    }

    /// Reads on; false at the end of the connection.
    async fn read(&mut self) -> bool {
        let read = tokio::time::timeout(LONG, self.stream.read_buf(&mut self.bytes)).await;
        read.expect("something comes in time").unwrap_or(0) > 0
    }

    /// The next piece of news; none at the end, and then it is known whether it was a good one.
    pub async fn next(&mut self) -> Option<Told> {
        // Signs of life come in between for ever.
        tokio::time::timeout(LONG, self.read_news()).await.expect("news in time")
    }

    async fn read_news(&mut self) -> Option<Told> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                if let Some(id) = field("id: ") {
                    self.last_id = Some(id);
                }
                if let (Some(kind), Some(id), Some(data)) = (field("event: "), field("id: "), field("data: ")) {
                    return Some(Told { kind, id, data: serde_json::from_str(&data).expect("JSON") });
                }
            }
            if self.has_ended || !self.next_piece().await {
                return None;
            }
        }
    }

    /// Waits for news that are as wanted, and gives them and what came before.
    pub async fn until(&mut self, wanted: impl Fn(&Told) -> bool) -> Vec<Told> {
        let mut told = Vec::new();
        loop {
            let news = self.next().await.unwrap_or_else(|| panic!("the stream has ended: {told:#?}"));
            let is_wanted = wanted(&news);
            told.push(news);
            if is_wanted {
                return told;
            }
        }
    }

    /// Takes a piece of the body; false at the end.
    async fn next_piece(&mut self) -> bool {
        loop {
            if let Some(at) = self.bytes.windows(2).position(|window| window == b"\r\n") {
                let size = std::str::from_utf8(&self.bytes[..at]).expect("a size");
                let size = usize::from_str_radix(size, 16).expect("a size");
                if self.bytes.len() >= at + 2 + size + 2 {
                    let piece: Vec<u8> = self.bytes.drain(..at + 2 + size + 2).skip(at + 2).take(size).collect();
                    self.text.push_str(std::str::from_utf8(&piece).expect("UTF-8"));
                    self.has_ended = size == 0;
                    return size > 0;
                }
            }
            if !self.read().await {
                return false;
            }
        }
    }
}
