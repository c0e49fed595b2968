//! What a measurement was robbed of: the part of the processors' time that the host of a virtual machine gave to others.

use std::fs;

/// How far the processors' clocks were at some moment, in the kernel's ticks since the machine's start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Clocks {
    taken: u64,
    all: u64,
}

impl Clocks {
    /// Now; all zero where the kernel does not tell.
    pub(super) fn now() -> Self {
        Self::read(&fs::read_to_string("/proc/stat").unwrap_or_default())
    }

    /// The first line of `/proc/stat`: user, nice, system, idle, waiting, interrupts of either kind, taken by the host. What
    /// follows is guests' time, which is in the first two already.
    fn read(stat: &str) -> Self {
        let line = stat.lines().next().unwrap_or_default();
        let mut ticks = [0_u64; 8];
        for (tick, word) in ticks.iter_mut().zip(line.split_ascii_whitespace().skip(1)) {
            *tick = word.parse().unwrap_or_default();
        }
        Self { taken: ticks[7], all: ticks.iter().sum() }
    }

    /// The share of the time since then that others were given, from 0 to 1.
    pub(super) fn taken_since(self, then: Self) -> f64 {
        let all = self.all.saturating_sub(then.all);
        if all == 0 { 0.0 } else { self.taken.saturating_sub(then.taken) as f64 / all as f64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_that_others_were_given() {
        let then = Clocks::read("cpu  100 0 50 800 10 0 20 20 7 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        assert_eq!(then, Clocks { taken: 20, all: 1000 });
        let now = Clocks::read("cpu  180 0 60 860 10 0 20 70 7 0\n");
        assert!((now.taken_since(then) - 0.25).abs() < 1e-9);
        assert!(then.taken_since(then).abs() < 1e-9 && Clocks::read("").taken_since(now).abs() < 1e-9);
    }
}
