//! The clock that a motion is watched by, so that three days can go by in a test.

use std::fmt;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

/// Tells the time and waits.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now. It never goes back.
    fn now(&self) -> Instant;

    /// Waits for so long.
    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()>;
}

/// The machine's own clock.
#[derive(Clone, Copy, Debug)]
pub struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
