//! A connection for requests in plain HTTP/1.1, one after the other: as little as a client can be, so that a load that comes from
//! the same machine takes little of it.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::BenchError;

/// How many bytes are read at once.
const READ_AT_ONCE: usize = 16 << 10;

/// A connection.
#[derive(Debug)]
pub(super) struct Line {
    stream: TcpStream,
    address: String,
    received: Vec<u8>,
}

/// An answer: its status, and its body.
pub(super) type Answer<'a> = (u16, &'a [u8]);

impl Line {
    /// Connects to `address`, which is `ip:port`.
    pub async fn open(address: &str) -> Result<Self, BenchError> {
        let stream = TcpStream::connect(address).await.map_err(BenchError::io(address))?;
        stream.set_nodelay(true).map_err(BenchError::io(address))?;
        Ok(Self { stream, address: address.to_owned(), received: Vec::new() })
    }

    /// Asks for a path and gives the answer.
    pub async fn get(&mut self, path: &str) -> Result<Answer<'_>, BenchError> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        self.ask(head.as_bytes()).await
    }

    /// Sends a JSON document to a path and gives the answer.
    pub async fn post(&mut self, path: &str, body: &serde_json::Value) -> Result<Answer<'_>, BenchError> {
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        self.ask((head + &body).as_bytes()).await
    }

    async fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>, BenchError> {
        self.stream.write_all(request).await.map_err(BenchError::io(&*self.address))?;
        self.received.clear();
        let mut wanted = None;
        loop {
            if wanted.is_none() {
                wanted = head_of(&self.received);
            }
            if let Some((status, start, end)) = wanted.filter(|(_, _, end)| self.received.len() >= *end) {
                return Ok((status, &self.received[start..end]));
            }
            self.received.reserve(READ_AT_ONCE);
            let read = self.stream.read_buf(&mut self.received).await.map_err(BenchError::io(&*self.address))?;
            if read == 0 {
                return Err(BenchError::Unexpected(format!("{} closed a connection without an answer", self.address)));
            }
        }
    }
}

/// The status of an answer, and where its body begins and ends, once its head is there.
fn head_of(received: &[u8]) -> Option<(u16, usize, usize)> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    Some((status, end, end + length.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_tells_where_the_body_is() {
        let answer = b"HTTP/1.1 432 No\r\nContent-length: 5\r\nx: y\r\n\r\nhello";
        assert_eq!(head_of(answer), Some((432, answer.len() - 5, answer.len())));
        assert_eq!(head_of(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"), None);
    }
}
