//! How many calls an account may make, and how often a password may be guessed.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The most accounts, addresses or names that are watched at the same time. Beyond it those that are free to go on are
/// forgotten.
const MOST_WATCHED: usize = 50_000;
/// Failed logins in a row from one address that cost nothing: many people may share one.
const FREE_FROM_ADDRESS: u32 = 30;
/// Failed logins in a row for one name that cost nothing.
const FREE_FOR_USER: u32 = 10;
/// The longest time somebody who guesses has to wait for the next try.
const LONGEST_WAIT: Duration = Duration::from_secs(300);
/// After this long without a failure everything is forgiven.
const FORGIVEN_AFTER: Duration = Duration::from_secs(900);

/// How many calls an account may make (`contract/api-protocol.md 9.5`). Root admins are not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// Whether calls are counted at all.
    pub enabled: bool,
    /// The length of a window.
    pub interval: Duration,
    /// Calls in one window. A signed call counts as two.
    pub max: u32,
}

impl Default for Throttle {
    fn default() -> Self {
        Self { enabled: false, interval: Duration::from_secs(1), max: 25 }
    }
}

/// What an account has used of its window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Calls made in the open window.
    pub calls: u32,
    /// How long the window is still open; `None` when none is.
    pub left: Option<Duration>,
}

/// Counts calls.
#[derive(Debug, Default)]
pub struct CallCounter {
    windows: Mutex<HashMap<i64, (Instant, u32)>>,
}

impl CallCounter {
    /// Counts one call of an account; refused calls count too.
    ///
    /// # Errors
    /// How long the account has to wait when it has made too many.
    pub fn count(&self, account_id: i64, throttle: Throttle) -> Result<(), Duration> {
        self.count_at(account_id, throttle, Instant::now())
    }

    fn count_at(&self, account_id: i64, throttle: Throttle, now: Instant) -> Result<(), Duration> {
        let mut windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut windows, |(opened, _)| now.duration_since(*opened) < throttle.interval);
        let (opened, calls) = windows.entry(account_id).or_insert((now, 0));
        if now.duration_since(*opened) >= throttle.interval {
            (*opened, *calls) = (now, 0);
        }
        *calls = calls.saturating_add(1);
        if *calls <= throttle.max { Ok(()) } else { Err(throttle.interval - now.duration_since(*opened)) }
    }

    /// What an account has used.
    pub fn used(&self, account_id: i64, throttle: Throttle) -> Used {
        let windows = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        let open = windows.get(&account_id).filter(|(opened, _)| opened.elapsed() < throttle.interval);
        open.map_or(Used { calls: 0, left: None }, |(opened, calls)| Used {
            calls: *calls,
            left: Some(throttle.interval.saturating_sub(opened.elapsed())),
        })
    }

    /// Forgets the calls of an account.
    pub fn reset(&self, account_id: i64) {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner).remove(&account_id);
    }
}

/// Whom failed logins are held against: the address they come from, and the name that is tried. The second slows down those
/// who guess from many addresses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Guesser {
    Address(IpAddr),
    User(String, i64),
}

impl Guesser {
    /// Failed logins in a row that cost nothing.
    const fn free(&self) -> u32 {
        match self {
            Self::Address(_) => FREE_FROM_ADDRESS,
            Self::User(..) => FREE_FOR_USER,
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: Instant,
}

impl Failures {
    /// How long this guesser has to wait yet: twice as long for each failure beyond the free ones.
    fn wait(&self, free: u32, now: Instant) -> Option<Duration> {
        let beyond = self.count.checked_sub(free)?;
        let pause = Duration::from_secs(1 << beyond.min(16)).min(LONGEST_WAIT);
        pause.checked_sub(now.duration_since(self.last)).filter(|wait| !wait.is_zero())
    }
}

/// Remembers failed logins.
#[derive(Debug, Default)]
pub struct Guesses {
    failures: Mutex<HashMap<Guesser, Failures>>,
}

impl Guesses {
    /// Whether another try is looked at.
    ///
    /// # Errors
    /// How long to wait before the next.
    pub fn may_try(&self, address: IpAddr, username: &str, domain_id: i64) -> Result<(), Duration> {
        self.may_try_at(address, username, domain_id, Instant::now())
    }

    fn may_try_at(&self, address: IpAddr, username: &str, domain_id: i64, now: Instant) -> Result<(), Duration> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = guessers(address, username, domain_id)
            .iter()
            .filter_map(|guesser| failures.get(guesser)?.wait(guesser.free(), now))
            .max();
        wait.map_or(Ok(()), Err)
    }

    /// Notes that a login failed.
    pub fn failed(&self, address: IpAddr, username: &str, domain_id: i64) {
        self.failed_at(address, username, domain_id, Instant::now());
    }

    fn failed_at(&self, address: IpAddr, username: &str, domain_id: i64, now: Instant) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for guesser in guessers(address, username, domain_id) {
            make_room(&mut failures, |known| now.duration_since(known.last) < FORGIVEN_AFTER);
            let known = failures.entry(guesser).or_insert(Failures { count: 0, last: now });
            if now.duration_since(known.last) >= FORGIVEN_AFTER {
                known.count = 0;
            }
            *known = Failures { count: known.count.saturating_add(1), last: now };
        }
    }

    /// Notes that a login succeeded: address and name start afresh.
    pub fn succeeded(&self, address: IpAddr, username: &str, domain_id: i64) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        for guesser in guessers(address, username, domain_id) {
            failures.remove(&guesser);
        }
    }
}

fn guessers(address: IpAddr, username: &str, domain_id: i64) -> [Guesser; 2] {
    [Guesser::Address(address), Guesser::User(username.to_lowercase(), domain_id)]
}

/// Forgets what need not be kept when there is too much, and everything when that does not help: memory is bounded
/// whoever calls.
pub(super) fn make_room<K: Hash + Eq, V>(map: &mut HashMap<K, V>, needed: impl Fn(&V) -> bool) {
    if map.len() >= MOST_WATCHED {
        map.retain(|_, value| needed(value));
        if map.len() >= MOST_WATCHED {
            map.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn a_window_lets_its_calls_through_and_no_more() {
        let counter = CallCounter::default();
        let throttle = Throttle { enabled: true, interval: Duration::from_secs(1), max: 3 };
        let start = Instant::now();
        let call = |account, after_ms| counter.count_at(account, throttle, start + Duration::from_millis(after_ms));
        assert!((0..3).all(|_| call(1, 0).is_ok()));
        assert_eq!(call(1, 400), Err(Duration::from_millis(600)));
        assert_eq!(call(2, 400), Ok(()), "another account has a window of its own");
        assert_eq!(call(1, 1000), Ok(()), "a new window");
        assert_eq!(counter.used(1, throttle).calls, 1);
        counter.reset(1);
        assert_eq!(counter.used(1, throttle), Used { calls: 0, left: None });
    }

    #[test]
    fn guessing_gets_slower_from_one_address_and_for_one_name() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let fail = |address, name: &str| guesses.failed_at(address, name, 1, start);
        let wait = |address, name: &str, s| guesses.may_try_at(address, name, 1, start + Duration::from_secs(s));
        (0..FREE_FOR_USER - 1).for_each(|_| fail(ADDRESS, "admin"));
        assert_eq!(wait(ADDRESS, "admin", 0), Ok(()));
        (0..3).for_each(|_| fail(ADDRESS, "admin"));
        assert_eq!(wait(ADDRESS, "admin", 0), Err(Duration::from_secs(4)));
        assert_eq!(wait(OTHER, "ADMIN", 1), Err(Duration::from_secs(3)), "from anywhere, in any case");
        assert_eq!(wait(ADDRESS, "somebody", 0), Ok(()), "the address has some more");
        assert_eq!(wait(ADDRESS, "admin", 4), Ok(()));
        (0..FREE_FROM_ADDRESS).for_each(|number| fail(ADDRESS, &format!("user{number}")));
        assert_eq!(wait(ADDRESS, "somebody", 0), Err(LONGEST_WAIT));
        assert_eq!(wait(OTHER, "somebody", 0), Ok(()));
        guesses.succeeded(ADDRESS, "admin", 1);
        assert_eq!(wait(ADDRESS, "admin", 0), Ok(()));
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::default();
        let start = Instant::now();
        for number in 0..2 * MOST_WATCHED {
            guesses.failed_at(ADDRESS, &number.to_string(), 1, start);
        }
        assert!(guesses.failures.lock().unwrap().len() <= MOST_WATCHED);
    }
}
