//! A limit in bytes per second that can be changed while it is in force.

use std::sync::atomic::{AtomicU64, Ordering};

/// A limit of one host or one motion, or none of its own.
#[derive(Debug)]
pub(super) struct Throttle(AtomicU64);

/// What stands for no limit.
const NONE: u64 = u64::MAX;

impl Default for Throttle {
    fn default() -> Self {
        Self(AtomicU64::new(NONE))
    }
}

impl Throttle {
    /// Sets it, in bytes per second; `None` for the limit of the wider scope.
    pub(super) fn set(&self, bytes_per_second: Option<u64>) {
        self.0.store(bytes_per_second.unwrap_or(NONE), Ordering::Relaxed);
    }

    /// Bytes per second; `None` when the limit of the wider scope holds.
    pub(super) fn get(&self) -> Option<u64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|limit| *limit != NONE)
    }
}
