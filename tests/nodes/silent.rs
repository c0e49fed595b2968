//! A server of the database that is gone without a word: connections that stay open, and over which nothing comes any more.

use std::time::{Duration, Instant};

use stackmotion::args;
use stackmotion::model::Timestamp;
use stackmotion::store::Store;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::motion::bench::{Bench, plan};
use crate::secrets::support::start;
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};
use crate::support::line::{Fault, Line};
use crate::support::raw_http::RawRequest;

/// As many connections as a gateway has at the most.
const ALL: usize = 32;
/// How long a statement may take here.
const LIMIT: Duration = Duration::from_secs(1);
/// Sooner than a gateway stops to wait for a connection when all are in use.
const SOON: Duration = Duration::from_secs(4);
/// How long a gateway counts as alive after a sign of life.
const LEASE: Duration = Duration::from_secs(12);

async fn answers_soon(store: &Store) -> bool {
    let asked = store.db().row("SELECT 1", vec![]);
    timeout(SOON, asked).await.is_ok_and(|row| row.is_ok_and(|row| row.is_some()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_nobody_answers_is_given_up_with_its_connection() {
    let database = database::mariadb().await;
    let line = Line::to(&database.url).await;
    let store = Store::open(&line.url).await.expect("a store").with_statement_limit(LIMIT);
    let sql = "INSERT INTO motion_pin (address, fingerprint, created) VALUES (?, ?, ?)";
    let mut tx = store.begin().await.expect("a transaction");
    tx.run(sql, args!["a", "f", Timestamp::now()]).await.expect("a row");
    line.hush();
    let begun = Instant::now();
    let error = tx.run(sql, args!["b", "f", Timestamp::now()]).await.expect_err("nobody answers");
    assert!(begun.elapsed() >= LIMIT && error.had_no_effect(), "{error:?} after {:?}", begun.elapsed());
    let error = tx.run(sql, args!["c", "f", Timestamp::now()]).await.expect_err("it is not used again");
    assert!(error.had_no_effect(), "{error:?}");
    tx.roll_back().await;
    assert!(answers_soon(&store).await, "over another connection");
    let rows = store.db().rows("SELECT address FROM motion_pin", vec![]).await.expect("rows");
    assert!(rows.is_empty(), "{rows:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_takes_no_place_among_the_connections() {
    let store = database::mariadb().await.store.with_statement_limit(LIMIT);
    let mut asking = JoinSet::new();
    for _ in 0..ALL {
        let store = store.clone();
        asking.spawn(async move { store.db().run("DO SLEEP(30)", vec![]).await });
    }
    for done in asking.join_all().await {
        let error = done.expect_err("it takes longer than it may");
        assert!(error.had_no_effect(), "{error:?}");
    }
    assert!(answers_soon(&store).await, "after statements that took too long");

    // Whoever asked is gone before the answer.
    let mut asking = JoinSet::new();
    for _ in 0..ALL {
        let store = store.clone();
        asking.spawn(async move { timeout(LIMIT / 2, store.db().rows("SELECT SLEEP(30)", vec![])).await.is_err() });
    }
    assert!(asking.join_all().await.into_iter().all(|is_given_up| is_given_up));
    assert!(answers_soon(&store).await, "after statements that nobody waited for");

    let asked = store.db().within(LIMIT / 2, store.db().rows("SELECT SLEEP(30)", vec![])).await;
    assert!(asked.is_err_and(|error| error.had_no_effect()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_answers_has_happened_exactly_once() {
    let database = database::mariadb().await;
    let line = Line::to(&database.url).await;
    let store = Store::open(&line.url).await.expect("a store").with_statement_limit(LIMIT);
    for number in 0..3 {
        let node = format!("node{number}");
        line.arm(Fault::Silent);
        let registered = store.server_register(&node, "1", "127.0.0.1", Duration::from_secs(60)).await;
        assert!(line.has_struck(), "{node}");
        let registered = registered.unwrap_or_else(|error| panic!("{node}: {error}"));
        // Every registration counts one up: a second one would show.
        let rows = database.store.db().rows("SELECT epoch FROM motion_node WHERE name = ?", args![&node]).await;
        let epochs: Vec<i64> = rows.expect("rows").iter().map(|row| row.at(0).expect("a number")).collect();
        assert_eq!((epochs, registered.epoch), (vec![1], 1), "{node}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_fell_silent_while_nobody_used_them_are_not_waited_for() {
    let database = database::mariadb().await;
    let line = Line::to(&database.url).await;
    let store = Store::open(&line.url).await.expect("a store");
    // At the same time, so that there are several connections.
    let mut asking = JoinSet::new();
    for _ in 0..8 {
        let store = store.clone();
        asking.spawn(async move { store.db().rows("SELECT SLEEP(0.3)", vec![]).await.map(drop) });
    }
    for read in asking.join_all().await {
        read.expect("an answer");
    }
    // One that was used a moment ago is taken for one that works.
    sleep(Duration::from_secs(2)).await;
    line.hush();
    for number in 0..3 {
        assert!(answers_soon(&store).await, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_connections_fall_silent_keeps_its_lease() {
    let database = database::mariadb().await;
    let line = Line::to(&database.url).await;
    let folder = tempfile::tempdir().expect("a folder");
    let bench = Bench::start(&plan(88), database).await;
    let lease = format!("node.lease_s={}", LEASE.as_secs());
    let settings = ["node.name=only", &lease];
    let gateway = Gateway::start(&bench, folder.path(), &line.url, &settings, Ambush::None).await;
    let db = bench.store.db();
    let sql = format!("SELECT lease_until >= {} FROM motion_node WHERE name = 'only'", db.clock());
    line.hush();
    let hushed = Instant::now();
    while hushed.elapsed() < LEASE + SOON {
        let row = db.row(&sql, vec![]).await.expect("the database").expect("the gateway");
        assert!(row.at::<bool>(0).expect("a number"), "after {:?}", hushed.elapsed());
        sleep(Duration::from_millis(200)).await;
    }
    drop(gateway);
    bench.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_gateways_health_hears_of_it_before_others_are_answered() {
    let database = database::mariadb().await;
    let line = Line::to(&database.url).await;
    let folder = tempfile::tempdir().expect("a folder");
    let app = start(&line.url, folder.path()).await.expect("a gateway");
    let health = RawRequest::get("/healthz");
    line.freeze();
    tokio::select! {
        answer = health.send(app.address) => assert_eq!(answer.status, 503),
        row = app.store.db().row("SELECT 1", vec![]) => panic!("{row:?}"),
    }
}
