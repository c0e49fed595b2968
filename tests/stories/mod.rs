//! What people do with the gateway, told once and played on every kind of database that it lives on: an SQLite file, a MariaDB
//! of its own, CloudStack's database used in place, a Galera cluster. Each has the same rows at the beginning and has to give
//! the same answers, word for word.

mod looking;
mod moving;
mod people;
mod teller;

use serde_json::{Map, Value as Json, json};

use crate::attach::recorded::hyperv_rows;
use crate::motion_golden::replay::Gateway;
use crate::support::database::{self, Database};
use crate::support::world::{put, stored_password};
use teller::Teller;

/// The recorded estate with Hyper-V hosts, and a password for every user.
fn rows() -> Map<String, Json> {
    let mut tables = hyperv_rows();
    for user in tables["user"].as_array_mut().expect("users") {
        user["password"] = json!(stored_password(user["username"].as_str().expect("a name")));
    }
    tables
}

/// A gateway on a database of its own.
async fn own(database: &Database) -> Gateway {
    put(&database.store, &rows()).await;
    Gateway::on(database, rows()).await
}

/// Everything that was answered, in order.
async fn told(gateway: Gateway) -> Vec<String> {
    let mut teller = Teller::new(gateway, &rows());
    looking::tell(&mut teller).await;
    moving::tell(&mut teller).await;
    people::tell(&mut teller).await;
    looking::tell(&mut teller).await;
    teller.end().await
}

/// Where two tales part.
fn first_difference(one: &[String], other: &[String]) -> Option<String> {
    let at = (0..one.len().max(other.len())).find(|at| one.get(*at) != other.get(*at))?;
    Some(format!(
        "{}\n--- but ---\n{}",
        one.get(at).map_or("the end", |line| line),
        other.get(at).map_or("the end", |line| line)
    ))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_database_tells_the_same() {
    let mut tales = Vec::new();
    for (kind, database) in database::each().await {
        tales.push((kind, told(own(&database).await).await));
    }
    #[cfg(feature = "mariadb-tests")]
    {
        let cloud = crate::attach::cloud::Cloud::with(&rows(), true).await;
        tales.push(("attached", told(Gateway::attached(&cloud.0.url(), rows(), &[]).await).await));
        let cluster = tokio::task::spawn_blocking(stackmotion::bench::galera::Cluster::start).await;
        let cluster = cluster.expect("no panic").expect("a cluster");
        let database = Database::at(&cluster.url(0)).await;
        tales.push(("galera", told(own(&database).await).await));
        database.store.db().close().await;
    }
    let (first, rest) = tales.split_first().expect("a tale");
    assert!(first.1.len() > 100, "only {} answers", first.1.len());
    for (kind, tale) in rest {
        if let Some(difference) = first_difference(&first.1, tale) {
            panic!("{} and {kind} tell different things: {difference}", first.0);
        }
    }
}
