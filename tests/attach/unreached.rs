//! Servers that do not let the gateway in: what is said, in words that help.

use std::net::TcpListener;
use std::time::Duration;

use stackmotion::store::{Store, StoreError};
use stackmotion::telemetry::chain;

/// What a look at the database at this address says.
pub async fn words(url: &str) -> String {
    let error = Store::survey(url, Duration::from_secs(1)).await.expect_err("nobody lets us in");
    let attached = Store::attach(url, Duration::from_secs(1)).await.expect_err("nobody lets us in");
    assert_eq!(chain(&error), chain(&attached));
    assert!(matches!(error, StoreError::Reach { .. } | StoreError::Url), "{error:?}");
    chain(&error)
}

#[tokio::test]
async fn a_server_that_is_not_there() {
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let said = words(&format!("mysql://cloud:word@127.0.0.1:{port}/cloud")).await;
    assert!(said.contains("the server does not answer; check host and port"), "{said}");
    assert!(!said.contains("word"), "{said}");
}

#[tokio::test]
async fn a_url_of_another_kind() {
    let said = words("sqlite://cloud.db").await;
    assert!(said.contains("mysql://"), "{said}");
    let said = words("mysql://cloud:word@127.0.0.1:port/cloud").await;
    assert!(said.contains("write mysql://user:password@host:3306/cloud") && !said.contains("cloud:word"), "{said}");
}
