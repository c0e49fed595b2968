//! Compares database and hosts, round after round, on the gateway that looks after the hosts.

use std::time::{Duration, Instant};

use super::node::Lead;
use crate::drift::Drift;

/// Between two looks whether it is this gateway's turn.
const TURN: Duration = Duration::from_secs(5);

/// Compares until the future is dropped. A round takes `interval`; so does the wait after one that ended early.
pub(super) async fn compare(drift: Drift, lead: Lead, interval: Duration) {
    loop {
        if !lead.is_mine() {
            tokio::time::sleep(TURN).await;
            continue;
        }
        let begun = Instant::now();
        if let Err(error) = drift.round(interval, || lead.is_mine()).await {
            tracing::warn!(cause = %crate::telemetry::chain(&error), "database and hosts could not be compared");
        }
        if lead.is_mine() {
            tokio::time::sleep(interval.saturating_sub(begun.elapsed())).await;
        }
    }
}
