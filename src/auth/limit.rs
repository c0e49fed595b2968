//! How many calls an account may make, and how often a password may be guessed.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};

use super::cidr::neighbourhood;

/// The most accounts, addresses or names that are watched at the same time. Beyond it those that are free to go on are
/// forgotten.
const MOST_WATCHED: usize = 50_000;
/// Failed logins in a row from one address that cost nothing: many people may share one.
const FREE_FROM_ADDRESS: u32 = 30;
/// Failed logins in a row for one user that cost nothing.
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

/// Whom a login is tried for. A database may take several spellings for one user's name, so users that there are go by their number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tried(Whom);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whom {
    User(i64),
    /// The digest of a name and its domain: whoever sends names decides how long they are.
    Name([u8; 32]),
}

impl Tried {
    /// A user, by the internal id.
    pub const fn user(user_id: i64) -> Self {
        Self(Whom::User(user_id))
    }

    /// A name that no user is known to have.
    pub fn name(username: &str, domain_id: i64) -> Self {
        let digest = Sha256::new().chain_update(domain_id.to_be_bytes()).chain_update(username.to_lowercase());
        Self(Whom::Name(digest.finalize().into()))
    }
}

/// Whom failed logins are held against: the network that they come from, and the user who is tried. The second slows down those
/// who guess from many addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Guesser {
    Network(IpAddr),
    User(Tried),
    /// What one network has tried for one user: that much is forgiven when the user logs in from there.
    Both(IpAddr, Tried),
}

impl Guesser {
    /// Those who have tried this user from this address.
    fn all(address: IpAddr, tried: Tried) -> [Self; 3] {
        let network = neighbourhood(address);
        [Self::Network(network), Self::User(tried), Self::Both(network, tried)]
    }

    /// Failed logins in a row that cost nothing; none where they are counted only.
    const fn free(&self) -> Option<u32> {
        match self {
            Self::Network(_) => Some(FREE_FROM_ADDRESS),
            Self::User(_) => Some(FREE_FOR_USER),
            Self::Both(..) => None,
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

type Counted = HashMap<Guesser, Failures>;

/// Remembers failed logins, and those that are under way.
#[derive(Debug, Default)]
pub struct Guesses {
    failures: Mutex<Counted>,
}

/// A try that is under way. It counts as failed from its beginning, so that many at once are no more than many in a row; dropped,
/// it goes on counting.
#[derive(Debug)]
pub struct Attempt<'a> {
    guesses: &'a Guesses,
    address: IpAddr,
    tried: Tried,
}

impl Guesses {
    fn counted(&self) -> MutexGuard<'_, Counted> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this address may try anybody, before it is asked whom.
    ///
    /// # Errors
    /// How long to wait before the next try.
    pub fn may_come(&self, address: IpAddr) -> Result<(), Duration> {
        wait_of(&self.counted(), &[Guesser::Network(neighbourhood(address))], Instant::now()).map_or(Ok(()), Err)
    }

    /// Begins a try.
    ///
    /// # Errors
    /// How long to wait before the next. Nothing was counted then.
    pub fn attempt(&self, address: IpAddr, tried: Tried) -> Result<Attempt<'_>, Duration> {
        self.attempt_at(address, tried, Instant::now())
    }

    fn attempt_at(&self, address: IpAddr, tried: Tried, now: Instant) -> Result<Attempt<'_>, Duration> {
        let guessers = Guesser::all(address, tried);
        let mut failures = self.counted();
        if let Some(wait) = wait_of(&failures, &guessers, now) {
            return Err(wait);
        }
        guessers.into_iter().for_each(|guesser| count(&mut failures, guesser, now));
        Ok(Attempt { guesses: self, address, tried })
    }

    /// Notes that an address has tried somebody who cannot be, such as a user of no domain.
    pub fn strayed(&self, address: IpAddr) {
        count(&mut self.counted(), Guesser::Network(neighbourhood(address)), Instant::now());
    }
}

impl Attempt<'_> {
    /// It has failed, and counts.
    pub fn failed(self) {}

    /// It was no guess: nothing was compared, or what was right is not the whole proof. What failed before still counts.
    pub fn take_back(self) {
        self.forgive(|_| 1);
    }

    /// It has succeeded: what was tried for this user from this network is forgiven, and nothing else. What the network has tried for
    /// others counts on, and what others have tried for this user.
    pub fn succeeded(self) {
        self.forgive(|of_both| of_both);
    }

    /// Takes away from all who are counted: how much, is said of what this network has tried for this user.
    fn forgive(self, much: impl FnOnce(u32) -> u32) {
        let mut failures = self.guesses.counted();
        let guessers = Guesser::all(self.address, self.tried);
        let [.., both] = guessers;
        let much = much(failures.get(&both).map_or(0, |known| known.count));
        for guesser in guessers {
            let Some(known) = failures.get_mut(&guesser) else { continue };
            known.count = known.count.saturating_sub(much);
            if known.count == 0 {
                failures.remove(&guesser);
            }
        }
    }
}

/// The longest time that one of them has to wait yet.
fn wait_of(failures: &Counted, guessers: &[Guesser], now: Instant) -> Option<Duration> {
    guessers.iter().filter_map(|guesser| failures.get(guesser)?.wait(guesser.free()?, now)).max()
}

fn count(failures: &mut Counted, guesser: Guesser, now: Instant) {
    make_room(failures, |known| now.duration_since(known.last) < FORGIVEN_AFTER);
    let known = failures.entry(guesser).or_insert(Failures { count: 0, last: now });
    if now.duration_since(known.last) >= FORGIVEN_AFTER {
        known.count = 0;
    }
    *known = Failures { count: known.count.saturating_add(1), last: now };
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

    /// A try that fails, if it may be made.
    fn fail(guesses: &Guesses, address: IpAddr, tried: Tried, at: Instant) -> Result<(), Duration> {
        guesses.attempt_at(address, tried, at).map(Attempt::failed)
    }

    /// Whether one may be made. It leaves nothing behind.
    fn look(guesses: &Guesses, address: IpAddr, tried: Tried, at: Instant) -> Result<(), Duration> {
        guesses.attempt_at(address, tried, at).map(Attempt::take_back)
    }

    #[test]
    fn guessing_gets_slower_from_one_address_and_for_one_name() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let later = |seconds| start + Duration::from_secs(seconds);
        let (admin, somebody) = (Tried::user(2), Tried::name("somebody", 1));
        (0..FREE_FOR_USER).for_each(|_| assert_eq!(fail(&guesses, ADDRESS, admin, start), Ok(())));
        assert_eq!(look(&guesses, ADDRESS, admin, start), Err(Duration::from_secs(1)));
        assert_eq!(fail(&guesses, ADDRESS, admin, later(1)), Ok(()));
        assert_eq!(fail(&guesses, ADDRESS, admin, later(3)), Ok(()));
        assert_eq!(look(&guesses, ADDRESS, admin, later(3)), Err(Duration::from_secs(4)));
        assert_eq!(look(&guesses, OTHER, admin, later(4)), Err(Duration::from_secs(3)), "from anywhere");
        assert_eq!(look(&guesses, ADDRESS, somebody, later(3)), Ok(()), "the address has some more");
        let rest = FREE_FROM_ADDRESS - FREE_FOR_USER - 2;
        (0..rest).for_each(|number| {
            let name = Tried::name(&format!("user{number}"), 1);
            assert_eq!(fail(&guesses, ADDRESS, name, later(3)), Ok(()));
        });
        assert_eq!(look(&guesses, ADDRESS, somebody, later(3)), Err(Duration::from_secs(1)));
        assert_eq!(look(&guesses, OTHER, somebody, later(3)), Ok(()));
        assert_eq!(look(&guesses, ADDRESS, admin, later(2000)), Ok(()), "all is forgiven in the end");
    }

    #[test]
    fn names_are_alike_in_any_letters() {
        assert_eq!(Tried::name("Nobody", 1), Tried::name("nOBODY", 1));
        assert_ne!(Tried::name("nobody", 1), Tried::name("nobody", 2));
        assert_ne!(Tried::name("2", 1), Tried::user(2));
    }

    #[test]
    fn half_an_address_of_ipv6_is_one_guesser() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let from = |number: u32| format!("2001:db8:0:1::{number:x}").parse::<IpAddr>().unwrap();
        for number in 0..FREE_FROM_ADDRESS {
            let tried = Tried::user(i64::from(number));
            assert_eq!(fail(&guesses, from(number), tried, start), Ok(()));
        }
        assert_eq!(look(&guesses, from(4711), Tried::user(4711), start), Err(Duration::from_secs(1)));
        let elsewhere = "2001:db8:0:2::1".parse().unwrap();
        assert_eq!(look(&guesses, elsewhere, Tried::user(4711), start), Ok(()));
    }

    #[test]
    fn tries_that_are_under_way_count() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let open: Vec<_> = (0..64).filter_map(|_| guesses.attempt_at(ADDRESS, Tried::user(2), start).ok()).collect();
        assert_eq!(open.len(), 10, "as many as may fail in a row");
        open.into_iter().for_each(Attempt::take_back);
        assert!(guesses.counted().is_empty(), "what was no guess leaves nothing behind");
    }

    #[test]
    fn a_success_forgives_what_was_tried_for_that_user_from_there() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let (mallory, admin) = (Tried::user(7), Tried::user(2));
        // A guesser who has a user of its own, and a user who is guessed at from elsewhere.
        (0..9).for_each(|_| assert_eq!(fail(&guesses, ADDRESS, admin, start), Ok(())));
        for _ in 0..30 {
            if let Ok(attempt) = guesses.attempt_at(ADDRESS, mallory, start) {
                attempt.succeeded();
            }
        }
        (0..4).for_each(|_| assert_eq!(fail(&guesses, OTHER, mallory, start), Ok(())));
        (0..3).for_each(|_| assert_eq!(fail(&guesses, ADDRESS, mallory, start), Ok(())));
        guesses.attempt_at(ADDRESS, mallory, start).unwrap().succeeded();
        let count = |guesser: Guesser| guesses.counted().get(&guesser).map_or(0, |known| known.count);
        assert_eq!(count(Guesser::Network(ADDRESS)), 9);
        assert_eq!(count(Guesser::User(mallory)), 4);
        assert_eq!(count(Guesser::User(admin)), 9);
        guesses.attempt_at(OTHER, admin, start).unwrap().succeeded();
        assert_eq!(count(Guesser::User(admin)), 9, "a login from elsewhere excuses nobody");
    }

    #[test]
    fn memory_is_bounded() {
        let guesses = Guesses::default();
        let start = Instant::now();
        for number in 0..2 * MOST_WATCHED {
            let address = IpAddr::V4(u32::try_from(number).unwrap().into());
            guesses.attempt_at(address, Tried::name(&number.to_string(), 1), start).unwrap().failed();
        }
        assert!(guesses.counted().len() <= MOST_WATCHED);
    }
}
