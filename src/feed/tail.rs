//! The end of a table that grows: which rows are new, although rows do not appear in the order of their numbers.
//!
//! A number is taken when a row is written and seen when its transaction is committed, so that 8 may be seen before 7. A gap
//! is therefore looked at for a while before it counts as one that nothing will fill.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a number that is missing is waited for: longer than a transaction may wait for a lock.
const GAP_STAYS_OPEN: Duration = Duration::from_secs(60);

/// Which rows of a table have been seen.
#[derive(Debug)]
pub struct Tail {
    low: i64,
    seen: BTreeMap<i64, Instant>,
}

impl Tail {
    /// A table of which every row up to this one counts as seen.
    pub fn from(low: i64) -> Self {
        Self { low, seen: BTreeMap::new() }
    }

    /// Every row up to this one has been seen, or will never be.
    pub fn low(&self) -> i64 {
        self.low
    }

    /// Whether a row has been seen.
    pub fn has(&self, id: i64) -> bool {
        id <= self.low || self.seen.contains_key(&id)
    }

    /// Notes a row; true when it is seen for the first time.
    pub fn see(&mut self, id: i64, now: Instant) -> bool {
        if self.has(id) {
            return false;
        }
        self.seen.insert(id, now);
        self.close_gaps(now);
        true
    }

    /// Goes on over gaps that have been open for long enough.
    pub fn close_gaps(&mut self, now: Instant) {
        while let Some(first) = self.seen.first_entry() {
            let is_next = *first.key() == self.low + 1;
            if !is_next && now.duration_since(*first.get()) < GAP_STAYS_OPEN {
                return;
            }
            self.low = *first.key();
            first.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_new_once_in_whatever_order_they_appear() {
        let start = Instant::now();
        let mut tail = Tail::from(5);
        assert!(!tail.see(5, start) && !tail.see(1, start), "before the beginning");
        assert!(tail.see(6, start) && tail.see(8, start));
        assert_eq!(tail.low(), 6, "7 may still come");
        assert!(!tail.see(8, start) && !tail.see(6, start));
        assert!(tail.see(7, start));
        assert_eq!(tail.low(), 8);
    }

    #[test]
    fn a_gap_that_nothing_fills_is_left_behind() {
        let start = Instant::now();
        let mut tail = Tail::from(0);
        assert!(tail.see(3, start) && tail.see(6, start + GAP_STAYS_OPEN / 2));
        tail.close_gaps(start + GAP_STAYS_OPEN / 2);
        assert_eq!(tail.low(), 0);
        tail.close_gaps(start + GAP_STAYS_OPEN);
        assert_eq!(tail.low(), 3);
        assert!(!tail.see(2, start + GAP_STAYS_OPEN), "too late");
        tail.close_gaps(start + 2 * GAP_STAYS_OPEN);
        assert_eq!(tail.low(), 6);
    }
}
