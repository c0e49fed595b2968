//! Every outcome of `contract/hyperv-wire.md` 1.3, and what it says about the effect.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use stackmotion::hypervisors::hyperv::wire::vms::{CheckVirtualMachineCommand, MigrateCommand};
use stackmotion::hypervisors::hyperv::wire::{Base, host::CheckHealthCommand, host::ReadyCommand};
use stackmotion::hypervisors::hyperv::{ClientError, ClientSettings};
use stackmotion::motion::hypervisor::Effect;

use super::server::{Reply, Server, client, host_at, modern};

const DONE: &str = r#"[{"com.cloud.agent.api.MigrateAnswer":{"result":true,"details":null,"contextMap":{}}}]"#;

fn order() -> MigrateCommand {
    MigrateCommand::new("i-2-5-VM", "192.0.2.22", Base::default())
}

/// Sends a move to a server that replies like this.
async fn outcome_of(reply: impl Fn() -> Reply + Send + Sync + 'static) -> (Result<(), ClientError>, usize) {
    let server = Server::start(modern(), move |_| reply());
    let answer = client(ClientSettings::default()).send(&server.host(), &order()).await;
    (answer.map(|_| ()), server.seen().len())
}

#[tokio::test]
async fn the_request_looks_as_agents_want_it() {
    let server = Server::start(modern(), |_| Reply::ok(DONE));
    let mut command = order();
    command.vm_name = "vm-é".to_owned();
    client(ClientSettings::default()).send(&server.host(), &command).await.unwrap();
    let seen = server.seen().remove(0);
    assert!(seen.head.starts_with("POST /api/HypervResource/com.cloud.agent.api.MigrateCommand HTTP/1.1\r\n"));
    let head = seen.head.to_lowercase();
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert!(head.contains(&format!("\r\ncontent-length: {}\r\n", seen.body.len())), "{head}");
    for unwanted in ["transfer-encoding", "authorization", "cookie", "accept-encoding", "expect", "xml"] {
        assert!(!head.contains(unwanted), "{unwanted} in {head}");
    }
    assert!(seen.body.is_ascii());
    assert_eq!(seen.json()["vmName"], "vm-é");
}

#[tokio::test]
async fn only_200_with_an_answer_that_says_yes_is_a_success() {
    let (answer, _) = outcome_of(|| Reply::ok(DONE)).await;
    answer.unwrap();
    let more = format!("{},{{\"other\":1}}]", DONE.strip_suffix(']').unwrap());
    let (answer, _) = outcome_of(move || Reply::ok(more.clone())).await;
    answer.unwrap();
}

#[tokio::test]
async fn every_other_outcome_says_whether_it_can_have_had_an_effect() {
    let plain = |answer: &str| format!("[{{\"com.cloud.agent.api.Answer\":{answer}}}]");
    let cases: Vec<(&str, u16, String, Effect)> = vec![
        ("unusable", 200, "[]".to_owned(), Effect::Unknown),
        ("unusable", 200, String::new(), Effect::Unknown),
        ("unusable", 200, "null".to_owned(), Effect::Unknown),
        ("unusable", 200, r#"{"result":true}"#.to_owned(), Effect::Unknown),
        ("unusable", 200, r#"[{"com.cloud.agent.api.OtherAnswer":{"result":true}}]"#.to_owned(), Effect::Unknown),
        ("unusable", 200, plain(r#"{"result":true}"#), Effect::Unknown),
        ("refused", 200, plain(r#"{"result":false,"details":"no"}"#), Effect::None),
        ("refused", 200, r#"[{"com.cloud.agent.api.MigrateAnswer":{}}]"#.to_owned(), Effect::None),
        // The agent lost sight of a job that may go on without it.
        ("refused", 200, plain(r#"{"details":"The RPC server is unavailable."}"#), Effect::Unknown),
        ("refused", 200, plain(r#"{"details":"Fehler (HRESULT: 0x800706BE)"}"#), Effect::Unknown),
        ("unknown-endpoint", 404, "\"no\"".to_owned(), Effect::None),
        ("unknown-endpoint", 405, String::new(), Effect::None),
        ("too-large", 413, String::new(), Effect::None),
        ("too-large", 400, String::new(), Effect::None),
        ("crashed", 500, r#"{"Message":"An error has occurred."}"#.to_owned(), Effect::Unknown),
        ("status", 503, String::new(), Effect::Unknown),
        ("status", 201, DONE.to_owned(), Effect::Unknown),
        ("status", 204, String::new(), Effect::Unknown),
        ("status", 302, DONE.to_owned(), Effect::Unknown),
    ];
    for (outcome, status, body, effect) in cases {
        let told = body.clone();
        let (answer, seen) = outcome_of(move || Reply::Say(status, body.clone())).await;
        let error = answer.expect_err(&told);
        assert_eq!((error.outcome(), error.effect()), (outcome, effect), "{status} {told}: {error}");
        assert_eq!(seen, 1, "{status} {told} was sent again");
    }
}

#[tokio::test]
async fn a_broken_connection_leaves_it_open_and_nothing_is_sent_twice() {
    for (name, reply) in [("drop", (|| Reply::Drop) as fn() -> Reply), ("half", || Reply::Half)] {
        let (answer, seen) = outcome_of(reply).await;
        let error = answer.unwrap_err();
        assert_eq!((error.outcome(), error.effect()), ("lost", Effect::Unknown), "{name}: {error}");
        assert_eq!(seen, 1, "{name}");
    }
}

#[tokio::test]
async fn what_never_went_out_had_no_effect() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = client(ClientSettings::default());
    let error = client.send(&host_at("127.0.0.1", closed), &order()).await.unwrap_err();
    assert_eq!((error.outcome(), error.effect()), ("unreachable", Effect::None), "{error}");

    let server = Server::start(modern(), |_| Reply::ok(DONE));
    let mut large = order();
    large.vm_name = "x".repeat(70_000);
    let error = client.send(&server.host(), &large).await.unwrap_err();
    assert_eq!((error.outcome(), error.effect()), ("unsendable", Effect::None), "{error}");
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn connecting_is_given_up_soon() {
    // Nobody accepts here, so the handshake gets no answer.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let settings = ClientSettings { connect_timeout: Duration::from_millis(200), ..ClientSettings::default() };
    let host = host_at("127.0.0.1", listener.local_addr().unwrap().port());
    let error = client(settings).send(&host, &order()).await.unwrap_err();
    assert_eq!((error.outcome(), error.effect()), ("unreachable", Effect::None), "{error}");
}

#[tokio::test]
async fn a_question_has_a_limit_and_a_move_has_none() {
    let gate = Arc::new(Barrier::new(2));
    let opened = gate.clone();
    let server = Server::start(modern(), move |seen| match seen.command() {
        "MigrateCommand" => {
            gate.wait();
            Reply::ok(DONE)
        }
        "CheckHealthCommand" => Reply::Stuck,
        _ => Reply::Silence,
    });
    let settings = ClientSettings { question_timeout: Duration::from_millis(150), ..ClientSettings::default() };
    let (client, host) = (client(settings), server.host());
    let (mover, target) = (client.clone(), host.clone());
    let moving = tokio::spawn(async move { mover.send(&target, &order()).await });
    // The move waits longer than two questions may, and is still waited for.
    for _ in 0..2 {
        let error = client.send(&host, &ReadyCommand::default()).await.unwrap_err();
        assert_eq!((error.outcome(), error.effect()), ("late", Effect::Unknown), "{error}");
    }
    // Nor is half an answer waited for without end.
    let error = client.send(&host, &CheckHealthCommand::default()).await.unwrap_err();
    assert_eq!((error.outcome(), error.effect()), ("late", Effect::Unknown), "{error}");
    assert!(!moving.is_finished());
    tokio::task::spawn_blocking(move || opened.wait()).await.unwrap();
    moving.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_question_that_is_refused_settles_nothing() {
    let server = Server::start(modern(), |_| {
        Reply::ok(r#"[{"com.cloud.agent.api.CheckVirtualMachineAnswer":{"result":false,"details":"busy"}}]"#)
    });
    let question = CheckVirtualMachineCommand { vm_name: "i-2-5-VM".to_owned(), base: Base::default() };
    let error = client(ClientSettings::default()).send(&server.host(), &question).await.unwrap_err();
    assert_eq!((error.effect(), error.to_string().as_str()), (Effect::Unknown, "busy"));
}
