//! Connections that are kept between questions: only for agents that mark their answers, and never with the wrong answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use stackmotion::hypervisors::hyperv::wire::extension::{CancelMotionCommand, MotionStatusCommand};
use stackmotion::hypervisors::hyperv::wire::vms::{MigrateAnswer, MigrateCommand};
use stackmotion::hypervisors::hyperv::wire::{Answer, Base, host::ReadyCommand};
use stackmotion::hypervisors::hyperv::{AgentClient, ClientError, ClientSettings};
use stackmotion::motion::hypervisor::Effect;

use super::server::{Reply, Seen, Server, client, modern};

/// What a server does instead of giving this answer with its mark.
type Strange = fn(String) -> Reply;
/// What a server does with a command.
type StrangeTo = fn(&Seen) -> Reply;

/// What the agent says of the motion that it is asked for: its id, so that a mixed-up answer shows.
fn status(question: &Seen) -> String {
    let id = question.json()["motionId"].as_str().unwrap_or_default().to_owned();
    format!(r#"[{{"stackmotion.MotionStatusAnswer":{{"result":true,"known":true,"phase":"{id}"}}}}]"#)
}

/// Asks for a motion, and gives what was said of which.
async fn ask(client: &AgentClient, server: &Server, id: usize) -> String {
    let question = MotionStatusCommand { motion_id: format!("m{id}"), base: Base::default() };
    client.send(&server.host(), &question).await.unwrap().phase.unwrap()
}

/// A server that marks its answers but does something else with the question of this number, counted from one.
fn strange_at(number: usize, reply: impl Fn(String) -> Reply + Send + Sync + 'static) -> Server {
    let asked = Arc::new(AtomicUsize::new(0));
    Server::start(modern(), move |question| match asked.fetch_add(1, Ordering::SeqCst) + 1 {
        now if now == number => reply(status(question)),
        _ => Reply::Marked(vec![status(question)]),
    })
}

#[tokio::test]
async fn questions_share_a_connection_where_answers_are_marked() {
    let server = Server::start(modern(), |question| match question.command() {
        "MotionStatusCommand" => Reply::Marked(vec![status(question)]),
        _ => Reply::ok("[]"),
    });
    let client = client(ClientSettings::default());
    for id in 1..=9 {
        assert_eq!(ask(&client, &server, id).await, format!("m{id}"));
    }
    assert_eq!(server.connections(), 2, "the first question finds out that answers are marked");

    let host = server.host();
    let _ = client.send(&host, &ReadyCommand::default()).await;
    let _ = client.send(&host, &CancelMotionCommand::default()).await;
    assert_eq!(server.connections(), 4, "other questions have a connection each");
    let seen = server.seen();
    assert!(seen[9..].iter().all(|request| request.header("stackmotion-mark").is_none()));
    let marks: std::collections::BTreeSet<_> =
        seen[..9].iter().map(|question| question.header("stackmotion-mark").unwrap()).collect();
    assert_eq!(marks.len(), 9, "each question has a mark of its own");
}

fn order(number: usize) -> MigrateCommand {
    MigrateCommand::new(&format!("i-2-{number}-VM"), "192.0.2.22", Base::default())
}

/// The answer to the move of a machine, with its name in it.
fn moved_answer(name: &str) -> String {
    format!(r#"[{{"com.cloud.agent.api.MigrateAnswer":{{"result":true,"details":"{name}","contextMap":{{}}}}}}]"#)
}

fn moved(order: &Seen) -> String {
    moved_answer(order.json()["vmName"].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_command_uses_a_connection_only_just_after_a_question() {
    let server = Server::start(modern(), |request| match request.command() {
        "MotionStatusCommand" => Reply::Marked(vec![status(request)]),
        _ => Reply::Marked(vec![moved(request)]),
    });
    let (client, host) = (client(ClientSettings::default()), server.host());
    let details = |answer: MigrateAnswer| answer.outcome().details.clone().unwrap();
    assert_eq!(details(client.send(&host, &order(1)).await.unwrap()), "i-2-1-VM");
    ask(&client, &server, 1).await;
    assert_eq!(details(client.send(&host, &order(2)).await.unwrap()), "i-2-2-VM");
    assert_eq!(server.connections(), 3, "none is kept yet");
    let begun = Instant::now();
    ask(&client, &server, 2).await;
    assert_eq!(details(client.send(&host, &order(3)).await.unwrap()), "i-2-3-VM");
    let known = server.connections();
    // A machine that is very busy may take longer than "just" lasts.
    assert!(known == 4 || begun.elapsed() > Duration::from_millis(400), "that of the question: {known}");
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(details(client.send(&host, &order(4)).await.unwrap()), "i-2-4-VM");
    assert_eq!(server.connections(), known + 1, "a while later it has one of its own");
}

/// A command is sent once, whatever comes back; what is not marked as its answer is none.
#[tokio::test]
async fn a_command_is_neither_sent_again_nor_believed_by_a_wrong_answer() {
    let strange: [(&str, StrangeTo); 4] = [
        ("closed", |_| Reply::Drop),
        ("half", |_| Reply::Half),
        ("unmarked", |order| Reply::ok(moved(order))),
        ("crashed without a mark", |_| Reply::Say(500, String::new())),
    ];
    for (word, reply) in strange {
        let server = Server::start(modern(), move |request| match request.command() {
            "MotionStatusCommand" => Reply::Marked(vec![status(request)]),
            _ => reply(request),
        });
        let (client, host) = (client(ClientSettings::default()), server.host());
        for id in 1..=2 {
            ask(&client, &server, id).await;
        }
        let error = client.send(&host, &order(1)).await.unwrap_err();
        assert!(matches!(error, ClientError::Lost { .. }) && error.effect() == Effect::Unknown, "{word}: {error}");
        let orders = server.seen().iter().filter(|request| request.command() == "MigrateCommand").count();
        assert_eq!((orders, server.connections()), (1, 2), "{word}");
    }
}

#[tokio::test]
async fn a_command_is_not_answered_by_what_came_before_it() {
    for _ in 0..20 {
        let server = Server::start(modern(), |request| match request.command() {
            // Behind the second answer to a question comes one that would do for a move, of another machine.
            "MotionStatusCommand" if request.json()["motionId"] == "m2" => {
                Reply::Marked(vec![status(request), moved_answer("i-2-9-VM")])
            }
            "MotionStatusCommand" => Reply::Marked(vec![status(request)]),
            _ => Reply::Marked(vec![moved(request)]),
        });
        let (client, host) = (client(ClientSettings::default()), server.host());
        for id in 1..=2 {
            ask(&client, &server, id).await;
        }
        match client.send(&host, &order(1)).await {
            Ok(answer) => assert_eq!(answer.outcome().details.as_deref(), Some("i-2-1-VM")),
            Err(error) => assert!(matches!(error, ClientError::Lost { .. }), "{error}"),
        }
    }
}

#[tokio::test]
async fn without_marks_each_question_has_a_connection_of_its_own() {
    let server = Server::start(modern(), |question| Reply::ok(status(question)));
    let client = client(ClientSettings::default());
    for id in 1..=4 {
        assert_eq!(ask(&client, &server, id).await, format!("m{id}"));
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn an_answer_that_comes_twice_is_not_taken_for_the_next_one() {
    for at in 1..=4 {
        let server = strange_at(at, |answer| Reply::Marked(vec![answer.clone(), answer]));
        let client = client(ClientSettings::default());
        for id in 1..=9 {
            assert_eq!(ask(&client, &server, id).await, format!("m{id}"), "question {at} is answered twice");
        }
    }
}

#[tokio::test]
async fn what_fails_on_a_kept_connection_is_asked_anew() {
    let strange: [(&str, Strange); 6] = [
        ("closed", |_| Reply::Drop),
        ("half", |_| Reply::Half),
        ("stuck", |_| Reply::Stuck),
        ("silent", |_| Reply::Silence),
        ("unmarked", Reply::ok),
        ("crashed", |answer| Reply::Say(500, answer)),
    ];
    let each = strange.map(|(word, reply)| async move {
        let server = strange_at(3, reply);
        let client = client(ClientSettings::default());
        for id in 1..=6 {
            assert_eq!(ask(&client, &server, id).await, format!("m{id}"), "{word}");
        }
        assert_eq!(server.seen().len(), 7, "{word}: one question was asked twice");
        // The first, the kept one, that of the question anew; then one that is kept again, or one each.
        assert_eq!(server.connections(), if word == "silent" { 6 } else { 4 }, "{word}");
    });
    futures_util::future::join_all(each).await;
}
