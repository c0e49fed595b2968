//! What is done for motions again and again, beside their jobs.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Interval, MissedTickBehavior};

use super::node::Lead;
use crate::motion::Motion;

/// Rounds in a steady rhythm. One that took long is not made up for.
pub(super) struct Rounds {
    ticks: Interval,
    /// Given where only the gateway that looks after the hosts has rounds.
    lead: Option<Lead>,
}

impl Rounds {
    pub fn new(interval: Duration, lead: Option<Lead>) -> Self {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { ticks, lead }
    }

    /// Waits until the next round of this gateway is due.
    pub async fn next(&mut self) {
        loop {
            self.ticks.tick().await;
            if self.lead.as_ref().is_none_or(Lead::is_mine) {
                return;
            }
        }
    }
}

/// Hears which jobs are to stop: the wish may have been made at another gateway.
pub(super) async fn hear_wishes(motion: Arc<Motion>, interval: Duration) {
    let mut rounds = Rounds::new(interval, None);
    loop {
        rounds.next().await;
        if let Err(error) = motion.hear_wishes().await {
            tracing::warn!(cause = %crate::telemetry::chain(&error), "it could not be read which jobs are to stop");
        }
    }
}

/// Ends motions that nobody ends. One that goes on may take days, so nothing else waits for it, not even the next round.
pub(super) async fn take_up_orphans(motion: Arc<Motion>, lead: Lead, interval: Duration) {
    let mut rounds = Rounds::new(interval, Some(lead));
    let mut under_way = JoinSet::new();
    loop {
        rounds.next().await;
        while under_way.try_join_next().is_some() {}
        let motion = Arc::clone(&motion);
        under_way.spawn(async move {
            if let Err(refusal) = motion.take_up_orphans().await {
                tracing::warn!(reason = %refusal.text, "motions that nobody ends could not be looked for");
            }
        });
    }
}

/// Asks the hosts again about motions whose outcome is not known, and about files.
pub(super) async fn ask_again(motion: Arc<Motion>, lead: Lead, interval: Duration) {
    let mut rounds = Rounds::new(interval, Some(lead));
    loop {
        rounds.next().await;
        if let Err(refusal) = motion.ask_again().await {
            tracing::warn!(reason = %refusal.text, "unknown outcomes could not be asked about");
        }
        if let Err(refusal) = motion.close_ledger().await {
            tracing::warn!(reason = %refusal.text, "the files of motions could not be looked for");
        }
    }
}
