//! A database that is held by somebody else, or goes away, while the gateway works on it: a clear answer, and nothing half
//! written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::Value as Json;
use sqlx::Connection as _;
use tokio::net::{TcpListener, TcpStream};

use super::cloud::{Cloud, differences};
use super::motions::{MOVE, submit};
use super::recorded::rows;
use crate::motion::bench::wait_for;
use crate::motion_golden::replay::Gateway;

/// A connection that has run a statement and stays as it is until it is dropped.
pub async fn hold(cloud: &Cloud, sql: &'static str) -> sqlx::MySqlConnection {
    let mut connection = sqlx::MySqlConnection::connect(&cloud.0.url()).await.expect("a connection");
    sqlx::raw_sql(sql).execute(&mut connection).await.expect("it is done");
    connection
}

/// The end of a job: its status and the text of its result.
pub async fn end_of(gateway: &Gateway, job: &str) -> (Json, String) {
    gateway.wait_for_job(job).await;
    let query = [("command", "queryAsyncJobResult"), ("jobid", job), ("response", "json")];
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let body: Json = serde_json::from_str(&gateway.send("GET", "admin", &query).await.body).expect("JSON");
    let answer = &body["queryasyncjobresultresponse"];
    (answer["jobstatus"].clone(), answer["jobresult"]["errortext"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds() {
    let cloud = Cloud::recorded().await;
    let gateway = Gateway::attached(&cloud.0.url(), rows(), &["database.lock_wait_s=1"]).await;
    let before = cloud.snapshot().await;
    gateway.answer(Ok(()));
    let holder = hold(&cloud, "BEGIN; UPDATE volumes SET name = name WHERE id = 166").await;
    let job = submit(&gateway, MOVE).await;
    let (status, text) = end_of(&gateway, &job).await;
    assert_eq!(status, 2, "{text}");
    assert!(text.contains("somebody held a lock") && text.contains("try again"), "{text}");
    drop(holder);
    let changed = differences(&before, &cloud.snapshot().await);
    let changed: Vec<&str> = changed.iter().map(String::as_str).collect();
    assert_eq!(changed, ["async_job: new", "event: new"], "a motion that did not begin leaves its job and events only");
    // The lock is gone: the same call is carried out.
    gateway.answer(Ok(()));
    let job = submit(&gateway, MOVE).await;
    let (status, text) = end_of(&gateway, &job).await;
    assert_eq!(status, 1, "{text}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_somebody_holds_when_the_disk_has_moved() {
    let cloud = Cloud::recorded().await;
    let gateway = Gateway::attached(&cloud.0.url(), rows(), &["database.lock_wait_s=1"]).await;
    gateway.hold();
    let job = submit(&gateway, MOVE).await;
    wait_for("the command", async || gateway.is_reached()).await;
    let holder = hold(&cloud, "BEGIN; UPDATE volumes SET name = name WHERE id = 166").await;
    gateway.release();
    // Whoever waits for the row, and then somebody else: the first has given up.
    let waiting = "SELECT trx_id FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'";
    let mut seen = BTreeSet::new();
    wait_for("two attempts to settle", async || {
        // The server tells the same again to whoever asks within a tenth of a second.
        tokio::time::sleep(std::time::Duration::from_millis(150)).await;
        seen.extend(cloud.0.sql(waiting).await.lines().skip(1).map(str::to_owned));
        seen.len() > 1
    })
    .await;
    drop(holder);
    let (status, text) = end_of(&gateway, &job).await;
    assert_eq!(status, 1, "the disk has moved, and the job says so: {text}");
    gateway.stop().await;
}

/// What stands between the gateway and the database, and can be cut.
pub struct Line {
    pub port: u16,
    pub is_cut: Arc<AtomicBool>,
    open: Arc<AtomicUsize>,
}

impl Line {
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        let open = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&open);
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.expect("a client");
                let (cut, count) = (Arc::clone(&cut), Arc::clone(&count));
                count.fetch_add(1, Ordering::AcqRel);
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", server)).await.expect("the server");
                    let broken = async {
                        while !cut.load(Ordering::Acquire) {
                            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
                        }
                    };
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        () = broken => {}
                    }
                    drop((client, server));
                    count.fetch_sub(1, Ordering::AcqRel);
                });
            }
        });
        Self { port, is_cut, open }
    }

    /// Cuts it, and comes back when no connection is left. Not to be called where it keeps the line from running.
    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        while self.open.load(Ordering::Acquire) > 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_and_comes_back() {
    let cloud = Cloud::recorded().await;
    let line = Line::to(cloud.0.port).await;
    let url = cloud.0.url().replace(&format!(":{}/", cloud.0.port), &format!(":{}/", line.port));
    let gateway = Gateway::attached(&url, rows(), &[]).await;
    let before = cloud.snapshot().await;
    // While the host has the command, the database goes.
    gateway.hold();
    let job = submit(&gateway, MOVE).await;
    wait_for("the command", async || gateway.is_reached()).await;
    let meanwhile = cloud.snapshot().await;
    line.is_cut.store(true, Ordering::Release);
    gateway.release();
    let query = [("command", "listVolumes"), ("response", "json")];
    let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = gateway.send("GET", "admin", &query).await;
    assert_ne!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("database did not answer") || answer.status == 503, "{}", answer.body);
    assert!(cloud.snapshot().await == meanwhile, "something was written without a database");
    // It comes back, and the motion is told to its end as if nothing had been.
    line.is_cut.store(false, Ordering::Release);
    let (status, text) = end_of(&gateway, &job).await;
    assert_eq!(status, 1, "{text}");
    let changed = differences(&before, &cloud.snapshot().await);
    assert!(changed.iter().any(|change| change.starts_with("volumes")), "{changed:?}");
    gateway.stop().await;
}
