//! Clients that take too long, send too much or say two things at once.

use std::time::Duration;

use stackmotion::commands::Policy;
use stackmotion::http::Limits;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::raw_http::{RawRequest, escape_pairs, exchange, parse, send_and_hang_up};
use crate::support::world::{World, signed};

const CALL: [(&str, &str); 2] = [("command", "listZones"), ("response", "json")];
/// Far beyond what any of these takes; only a hang reaches it.
const DEADLINE: Duration = Duration::from_secs(60);

/// A gateway that has little patience.
async fn hasty() -> World {
    let second = Duration::from_secs(1);
    let limits =
        Limits { head_time: second, keep_alive: second, grace: second, min_rate: 1_000_000, ..Limits::default() };
    World::with_everything(Policy::default(), None, limits, None).await
}

/// What comes until the gateway closes the connection.
async fn until_closed(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection is not closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

fn good(world: &World) -> Vec<u8> {
    let query = escape_pairs(&signed("admin", &CALL));
    format!("GET /client/api?{query} HTTP/1.1\r\nHost: {}\r\n\r\n", world.address).into_bytes()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_head_that_does_not_arrive_is_cut() {
    let world = hasty().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(b"GET /client/api HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 408 "));
    let mut silent = TcpStream::connect(world.address).await.unwrap();
    assert_eq!(until_closed(&mut silent).await, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_head_has_no_more_time_than_the_first() {
    let world = hasty().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(&good(&world)).await.unwrap();
    stream.write_all(b"GET /client/api HTTP/1.1\r\nX-Slow: ").await.unwrap();
    // Drop by drop, so that it is never quiet for long.
    let (mut read, mut write) = stream.into_split();
    let dripping = tokio::spawn(async move {
        while write.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut bytes = Vec::new();
    let closed = tokio::time::timeout(DEADLINE, read.read_to_end(&mut bytes)).await;
    let _ = closed.expect("a slow head keeps its connection for ever");
    dripping.abort();
    assert!(String::from_utf8_lossy(&bytes).starts_with("HTTP/1.1 200 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quiet_connection_is_closed() {
    let world = hasty().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(&good(&world)).await.unwrap();
    let answer = until_closed(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("408"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_that_drips_is_cut() {
    let world = hasty().await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    let head = "POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
        Content-Length: 1000\r\n\r\ncommand=listZones";
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 408 "));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_take_the_answer_is_cut() {
    let limits = Limits { grace: Duration::from_secs(1), min_rate: u64::MAX, ..Limits::default() };
    let world = World::with_everything(Policy::default(), None, limits, None).await;
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    // More answers than any socket holds, none of them taken.
    let query = escape_pairs(&signed("admin", &[("command", "listApis"), ("response", "json")]));
    let request = format!("GET /client/api?{query} HTTP/1.1\r\nHost: x\r\n\r\n").repeat(400);
    let sending = tokio::time::timeout(DEADLINE, stream.write_all(request.as_bytes())).await;
    // It may have been cut while it still sent.
    let _ = sending.expect("the gateway neither reads nor cuts");
    let cut = async {
        loop {
            tokio::time::sleep(Duration::from_millis(200)).await;
            if stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await.is_err() {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, cut).await.expect("a client that takes nothing keeps its connection");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_are_refused_unread() {
    let world = World::start().await;
    let head = |more: &str| {
        format!(
            "POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n{more}\r\n\r\n"
        )
    };
    // Said to be 1 GiB: refused before a byte of it has come.
    let answer = exchange(world.address, head("Content-Length: 1073741824").as_bytes()).await;
    assert_eq!((answer.status, answer.header("connection")), (400, Some("close")));
    assert!(answer.body.contains("larger than 1 MiB"), "{}", answer.body);
    // Not said: refused after 1 MiB, and the connection ends although more could come.
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(head("Transfer-Encoding: chunked").as_bytes()).await.unwrap();
    let chunk = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
    let mut sent = 0_usize;
    while sent < 64 && stream.write_all(&chunk).await.is_ok() {
        sent += 1;
    }
    assert!(until_closed(&mut stream).await.starts_with("HTTP/1.1 400 ") || sent < 64);
    // A body that nobody reads costs the connection as well.
    for more in ["Content-Length: 1073741824", "Transfer-Encoding: chunked"] {
        let request = format!("GET /client/api?command=x HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n");
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = until_closed(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 401 ") && answer.to_lowercase().contains("connection: close"), "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_far_too_long_get_their_page() {
    let world = World::start().await;
    for (request, status, reason) in [
        (format!("GET /client/api?x={}", "x".repeat(300_000)), 414, "URI Too Long"),
        (format!("GET /client/api?x={} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(100_000)), 414, "URI Too Long"),
        (
            format!("GET /client/api HTTP/1.1\r\nHost: x\r\nX-Long: {}", "x".repeat(300_000)),
            431,
            "Request Header Fields Too Large",
        ),
        (
            format!("GET /client/api?x={} HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(5000), "x".repeat(5000)),
            431,
            "Request Header Fields Too Large",
        ),
    ] {
        let answer = exchange(world.address, request.as_bytes()).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.body, format!("<h1>Bad Message {status}</h1><pre>reason: {reason}</pre>"));
        assert_eq!(answer.header("content-type"), Some("text/html;charset=iso-8859-1"));
        assert_eq!(answer.header("connection"), Some("close"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_length_is_said_once() {
    let world = World::start().await;
    let hidden = "GET /client/api?command=hidden HTTP/1.1\r\nHost: x\r\n\r\n";
    for lengths in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Content-Length: 6\r\nContent-Length: 60",
        "Content-Length: 6, 60",
        "Content-Length: +6",
        "Content-Length: 0x6",
        "Content-Length : 6",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: \x0bchunked",
        " Transfer-Encoding: chunked",
    ] {
        let request = format!(
            "POST /client/api HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n{lengths}\r\n\r\n\
             0\r\n\r\n{hidden}"
        );
        let bytes = send_and_hang_up(world.address, request.as_bytes()).await;
        let text = String::from_utf8_lossy(&bytes);
        assert!(text.starts_with("HTTP/1.1 400 "), "{lengths}: {text}");
        assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{lengths}: what was hidden is answered: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_sent_ahead_are_answered_in_their_order() {
    let world = World::start().await;
    let mut request = Vec::new();
    for name in ["listZones", "listPods", "listClusters"] {
        let query = escape_pairs(&signed("admin", &[("command", name), ("response", "json")]));
        request.extend(format!("GET /client/api?{query} HTTP/1.1\r\nHost: x\r\n\r\n").into_bytes());
    }
    let bytes = send_and_hang_up(world.address, &request).await;
    let text = String::from_utf8_lossy(&bytes);
    let at = |part: &str| text.find(part).unwrap_or_else(|| panic!("{part} is missing: {text}"));
    assert!(at("listzonesresponse") < at("listpodsresponse") && at("listpodsresponse") < at("listclustersresponse"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_place_beyond_the_last() {
    let limits = Limits { connections_per_address: 3, ..Limits::default() };
    let world = World::with_everything(Policy::default(), None, limits, None).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut stream = TcpStream::connect(world.address).await.unwrap();
        // An answer on each, so that it is known to have its place.
        stream.write_all(&good(&world)).await.unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).await.unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
        open.push(stream);
    }
    let mut fourth = TcpStream::connect(world.address).await.unwrap();
    let refused = until_closed(&mut fourth).await;
    assert_eq!(parse(refused.as_bytes()).status, 503);
    drop(open);
    // The places become free; when, is the system's matter.
    let freed = async {
        loop {
            let mut stream = TcpStream::connect(world.address).await.unwrap();
            let mut first = [0; 12];
            if stream.write_all(&good(&world)).await.is_ok()
                && stream.read_exact(&mut first).await.is_ok()
                && &first == b"HTTP/1.1 200"
            {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(DEADLINE, freed).await.expect("places are not freed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_not_looked_at_for_ever_and_good_ones_are() {
    let world = World::start().await;
    let good_call = || world.get("admin", &CALL);
    assert_eq!(good_call().await.status, 200);
    let mut refused = None;
    for number in 0..2000 {
        let target = format!("/client/api?command=listZones&response=json&apikey=unknown-{number}&signature=x");
        let answer = RawRequest::get(target).send(world.address).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
        assert_eq!(answer.status, 401);
    }
    let refused = refused.expect("wrong keys are looked up for ever");
    assert!(refused.body.contains("Too many calls from this address had wrong credentials"), "{}", refused.body);
    // Whoever was good lately goes on, from the same address.
    for _ in 0..20 {
        assert_eq!(good_call().await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_open_to_all_makes_nobody_known() {
    let world = World::start().await;
    let open = async |more: &str| {
        let target = format!("/client/api?command=listGuiThemes&response=json{more}");
        RawRequest::get(target).send(world.address).await.status
    };
    // A key that a stranger has thought of, shown with a call that everybody may make.
    assert_eq!(open("&apikey=thought-of&signature=x").await, 200);
    let wrong = async |key: &str| {
        let target = format!("/client/api?command=listZones&response=json&apikey={key}&signature=x");
        RawRequest::get(target).send(world.address).await.status
    };
    let mut number = 0;
    while wrong(&format!("unknown-{number}")).await == 401 {
        number += 1;
        assert!(number < 2000, "wrong keys are looked up for ever");
    }
    let mut statuses = Vec::new();
    for _ in 0..20 {
        statuses.push(wrong("thought-of").await);
    }
    assert!(statuses.contains(&429), "it passes for one that was good: {statuses:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_sessions_count_whatever_is_called() {
    let world = World::start().await;
    let with_cookie = async |request: RawRequest, number: usize| {
        let mut request = request;
        request.headers.push(("Cookie".to_owned(), format!("JSESSIONID=node0dead{number}")));
        request.send(world.address).await.status
    };
    let mut number = 0;
    loop {
        let signed = escape_pairs(&signed("alice", &CALL));
        let status = match number % 3 {
            0 => with_cookie(RawRequest::get("/client/api?command=listGuiThemes"), number).await,
            1 => with_cookie(RawRequest::get("/client/api?command=login"), number).await,
            _ => with_cookie(RawRequest::get(format!("/client/api?{signed}")), number).await,
        };
        if status == 429 {
            break;
        }
        assert!(matches!(status, 200 | 405), "{status}");
        number += 1;
        assert!(number < 2000, "dead sessions are looked for for ever");
    }
    // Who shows a key that was good lately beside one goes on.
    let signed = escape_pairs(&signed("alice", &CALL));
    assert_eq!(with_cookie(RawRequest::get(format!("/client/api?{signed}")), number).await, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_packed_where_the_client_asks_and_nowhere_else() {
    let world = World::start().await;
    let send = async |target: String, accepts: Option<&str>| {
        let mut request = RawRequest::get(target);
        request.headers.extend(accepts.map(|text| ("Accept-Encoding".to_owned(), text.to_owned())));
        request.send(world.address).await
    };
    let target = || format!("/client/api?{}", escape_pairs(&signed("admin", &CALL)));
    let (plain, packed) = (send(target(), None).await, send(target(), Some("gzip, deflate")).await);
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert_eq!(plain.body, packed.body);
    for answer in [&plain, &packed] {
        assert_eq!(answer.header("vary"), Some("Accept-Encoding, User-Agent"));
    }
    let error = send("/client/api?command=listZones".to_owned(), Some("gzip")).await;
    assert_eq!((error.status, error.header("content-encoding"), error.header("vary")), (401, None, None));
    // A login's answer holds a secret beside what the caller chose: its length must not tell of it.
    let mut login =
        RawRequest::form("/client/api", "command=login&username=alice&password=password-alice&response=json");
    login.headers.push(("Accept-Encoding".into(), "gzip".into()));
    let answer = login.send(world.address).await;
    assert_eq!((answer.status, answer.header("content-encoding")), (200, None));
}
