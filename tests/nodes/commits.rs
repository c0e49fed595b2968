//! Commits whose connection breaks, and transactions that collide, on a real MariaDB behind a line that a test can cut.

use std::time::Duration;

use stackmotion::args;
use stackmotion::store::Store;

use crate::support::database;
use crate::support::line::{FAULTS, Line};

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_whose_connection_breaks_has_happened_exactly_once() {
    let database = database::mariadb().await;
    let line = Line::to(&database.url).await;
    let store = Store::open(&line.url).await.expect("a store");
    for (number, fault) in FAULTS.into_iter().cycle().take(9).enumerate() {
        let node = format!("node{number}");
        line.arm(fault);
        let registered = store.server_register(&node, "1", "127.0.0.1", Duration::from_secs(60)).await;
        assert!(line.has_struck(), "{fault:?}");
        let registered = registered.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        // Every registration counts one up: a second one would show.
        let rows = database.store.db().rows("SELECT epoch FROM motion_node WHERE name = ?", args![&node]).await;
        let epochs: Vec<i64> = rows.expect("rows").iter().map(|row| row.at(0).expect("a number")).collect();
        assert_eq!(epochs, [1], "{fault:?}");
        assert_eq!(registered.epoch, 1, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_about_a_commit_that_never_came_keeps_it_from_coming() {
    let database = database::mariadb().await;
    let store = &database.store;
    // What the asking side writes when a transaction is lost: its row has no time.
    store.db().run("INSERT INTO motion_commit (id, at) VALUES ('w', -1)", vec![]).await.expect("the asker");
    let mut tx = store.begin().await.expect("a transaction");
    let late = tx.run("INSERT INTO motion_commit (id, at) VALUES ('w', 1)", vec![]).await;
    assert!(late.is_err_and(|error| error.is_duplicate()));
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_block_each_other_both_happen() {
    let database = database::mariadb().await;
    let store = &database.store;
    let lease = Duration::from_secs(60);
    let mut servers = Vec::new();
    for name in ["a", "b", "c", "d"] {
        servers.push(store.server_register(name, "1", "127.0.0.1", lease).await.expect("a server"));
    }
    let before: i64 = epochs(store).await;
    // Each touches rows of all: the database finds circles among them and rolls some back.
    let mut running = tokio::task::JoinSet::new();
    for round in 0..80 {
        let (store, name) = (store.clone(), ["a", "b", "c", "d"][round % 4]);
        let beating = servers[(round + 1) % 4].clone();
        running.spawn(async move {
            store.server_register(name, "1", "127.0.0.1", lease).await.expect("a server");
            store.server_beat(&beating, lease).await.expect("a beat");
        });
    }
    running.join_all().await;
    assert_eq!(epochs(store).await - before, 80, "every one of them, once");
}

async fn epochs(store: &Store) -> i64 {
    let row = store.db().row("SELECT CAST(SUM(epoch) AS SIGNED) FROM motion_node", vec![]).await;
    row.expect("the database").expect("a row").at(0).expect("a number")
}
