//! Answers of the management server flow through the gateway: at the client's pace, never held whole, never cut unnoticed.

use std::time::Duration;

use crate::support::raw_http::{RawRequest, send_and_hang_up};
use crate::support::recorder::{Recorder, answer, read};
use crate::support::world::{World, upstream_at};
use stackmotion::upstream::UpstreamSettings;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

const CALL: &str = "/client/api?command=listEverything&response=json";
const PIECE: usize = 65_536;
/// More than all buffers of all sockets on the way.
const MUCH: usize = 512 * 1024 * 1024;

fn head(address: std::net::SocketAddr) -> String {
    format!("GET {CALL} HTTP/1.1\r\nHost: {address}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_answer_waits_for_the_client_and_ends_with_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = World::behind(|_| upstream_at(listener.local_addr().unwrap())).await;
    let (stalled, has_stalled) = oneshot::channel();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read(&mut stream).await.unwrap();
        let start = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MUCH * 8);
        stream.write_all(start.as_bytes()).await.unwrap();
        let piece = vec![b'x'; PIECE];
        let mut sent = 0;
        // Whoever reads without being read from takes everything; whoever does not lets this wait.
        while sent < MUCH {
            match tokio::time::timeout(Duration::from_secs(2), stream.write_all(&piece)).await {
                Ok(written) => written.unwrap(),
                Err(_) => break,
            }
            sent += PIECE;
        }
        stalled.send(sent).unwrap();
        // The client goes away, and so does the gateway.
        while stream.write_all(&piece).await.is_ok() {}
    });
    let mut client = TcpStream::connect(world.address).await.unwrap();
    client.write_all(head(world.address).as_bytes()).await.unwrap();
    let mut start = vec![0; 1000];
    client.read_exact(&mut start).await.unwrap();
    assert!(start.starts_with(b"HTTP/1.1 200 OK\r\n") && start.ends_with(b"xxxx"));
    let sent = has_stalled.await.unwrap();
    assert!(sent < MUCH, "all of it went into the gateway, which the client had not read from");
    drop(client);
    upstream.await.unwrap();
}

/// What a client gets of an answer that ends too early.
async fn cut_short(bytes: &'static [u8]) -> Vec<u8> {
    let recorder = Recorder::start(|_| bytes.to_vec()).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let mut client = TcpStream::connect(world.address).await.unwrap();
    client.write_all(head(world.address).as_bytes()).await.unwrap();
    let mut all = Vec::new();
    client.read_to_end(&mut all).await.unwrap();
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_was_cut_short_does_not_look_whole() {
    let with_length = cut_short(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf").await;
    let text = String::from_utf8(with_length).unwrap().to_lowercase();
    assert!(text.contains("content-length: 100") && text.ends_with("half"), "{text}");
    let in_pieces = cut_short(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").await;
    let text = String::from_utf8(in_pieces).unwrap().to_lowercase();
    assert!(text.contains("4\r\nhalf\r\n") && !text.ends_with("0\r\n\r\n"), "{text}");
    let whole = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfull\r\n0\r\n\r\n";
    let recorder = Recorder::start(|_| whole.to_vec()).await;
    let world = World::behind(|_| upstream_at(recorder.address)).await;
    let all = send_and_hang_up(world.address, head(world.address).as_bytes()).await;
    assert!(all.ends_with(b"4\r\nfull\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&all));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_words_behind_a_status_are_cloudstacks() {
    for line in ["530 530", "432 432", "599 599", "431 Request Header Fields Too Large"] {
        let recorder = Recorder::start(move |_| answer(line, &[], "no")).await;
        let world = World::behind(|_| upstream_at(recorder.address)).await;
        let all = send_and_hang_up(world.address, head(world.address).as_bytes()).await;
        assert!(all.starts_with(format!("HTTP/1.1 {line}\r\n").as_bytes()), "{}", String::from_utf8_lossy(&all));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_than_allowed_are_with_the_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let world = World::behind(|_| UpstreamSettings { max_requests: 1, ..upstream_at(address) }).await;
    let gateway = world.address;
    let first = tokio::spawn(async move { RawRequest::get(CALL).send(gateway).await });
    let (mut stream, _) = listener.accept().await.unwrap();
    read(&mut stream).await.unwrap();
    let second = RawRequest::get(CALL).send(gateway).await;
    assert!(second.status == 503 && second.body.contains("Too many requests"), "{second:?}");
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(first.await.unwrap().body, "ok");
    // The place is free once the answer has gone through; the same connection serves the next.
    let third = tokio::spawn(async move {
        loop {
            let answer = RawRequest::get(CALL).send(gateway).await;
            if answer.status != 503 {
                return answer;
            }
        }
    });
    read(&mut stream).await.unwrap();
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(third.await.unwrap().status, 200);
}
