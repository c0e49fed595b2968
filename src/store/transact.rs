//! Transactions that are run again, as a whole, when the database says that they collided or was not there.
//!
//! Only what surely had no effect is run again: a transaction that the database rolled back, or whose connection broke
//! before the commit. A connection that breaks during the commit is another matter: see [`super::Tx::commit`].

use std::time::{Duration, Instant};

use super::StoreError;
use crate::model::random;

/// How long a transaction is run again for: longer than a cluster takes to agree that one of its servers is gone.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest wait before the next attempt.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// An error that may have come from the store.
pub trait StoreCause {
    /// The store's error, if that is what is behind it.
    fn store_cause(&self) -> Option<&StoreError>;
}

impl StoreCause for StoreError {
    fn store_cause(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// Counts the attempts of one transaction or statement.
#[derive(Debug)]
pub struct Attempts {
    until: Instant,
    wait: Duration,
    is_shared: bool,
}

impl Attempts {
    /// The first one. In a database that is shared with a management server a lock may be somebody else's: it has been waited
    /// for as long as is allowed when the database gives up. Among gateways it is that of one that is about to be gone.
    pub(super) fn new(is_shared: bool) -> Self {
        Self { until: Instant::now() + PATIENCE, wait: Duration::from_millis(2), is_shared }
    }

    /// Waits for the next attempt; false when there is none: the error is another kind, or it has been tried for too long.
    pub async fn again(&mut self, error: &impl StoreCause) -> bool {
        let Some(cause) = error.store_cause().filter(|cause| cause.had_no_effect()) else {
            return false;
        };
        if Instant::now() >= self.until || (self.is_shared && cause.is_locked_out()) {
            return false;
        }
        tracing::debug!(cause = %crate::telemetry::chain(cause), "a transaction had no effect and is run again");
        // Two that collide are not to meet again.
        let share = u32::from(random::<1>()[0]);
        tokio::time::sleep(self.wait / 2 + self.wait * share / 512).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        true
    }
}

/// Runs a transaction: `transact!(store, Error, |tx| { ...; Ok(value) })`. The block may run several times, so it must not use
/// up what it captures; `return` ends it. What it did is committed when it gives `Ok`, and was never there when it gives `Err`.
macro_rules! transact {
    ($store:expr, $error:ty, |$tx:ident| $body:block) => {{
        let mut attempts = $store.attempts();
        loop {
            let tried: Result<_, $error> = async {
                let mut open = $store.begin().await?;
                let done: Result<_, $error> = async {
                    let $tx = &mut open;
                    $body
                }
                .await;
                match done {
                    Ok(value) => {
                        open.commit().await?;
                        Ok(value)
                    }
                    Err(error) => {
                        open.roll_back().await;
                        Err(error)
                    }
                }
            }
            .await;
            match tried {
                Err(error) if attempts.again(&error).await => {}
                tried => break tried,
            }
        }
    }};
}
pub(crate) use transact;
