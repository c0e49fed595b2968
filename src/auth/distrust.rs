//! Keeps those who send credentials that nobody has from being a burden to those who send good ones.
//!
//! A wrong key or session costs what a right one costs: a question to the database. Each address has some wrong ones for
//! nothing, and gets new ones as time passes. When they are used up, only keys and sessions that were good lately are still
//! looked at, a few at a time; so people who share the address with an attacker go on working. Everything else from there is
//! told to wait, unseen.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::cidr::neighbourhood;
use super::limit::make_room;

/// Wrong credentials in a row that cost an address nothing: a dashboard whose session has ended sends a few dozen.
const FREE: f64 = 200.0;
/// How many of them it gets back in a second.
const REGAINED_A_SECOND: f64 = 10.0;
/// How long credentials that were good are remembered as such.
const GOOD_FOR: Duration = Duration::from_secs(900);
/// How exactly it is known when they were good last: a client that polls need not be noted each time.
const NOTED_EVERY: Duration = Duration::from_secs(60);
/// How many credentials from addresses under suspicion are looked at in the same moment.
const LOOKED_AT: usize = 2;
/// How many may wait for that.
const WAITING: usize = 1024;

/// Credentials are kept as a digest only, under a key that this process has drawn: nobody can look for others with the same one.
type Fingerprint = u64;

#[derive(Debug, Clone, Copy)]
struct Credit {
    left: f64,
    at: Instant,
}

impl Credit {
    fn now(self, now: Instant) -> f64 {
        (self.left + now.duration_since(self.at).as_secs_f64() * REGAINED_A_SECOND).min(FREE)
    }
}

/// Remembers from where wrong credentials come, and which ones were good.
#[derive(Debug)]
pub struct Distrust {
    credits: Mutex<HashMap<IpAddr, Credit>>,
    good: Mutex<HashMap<Fingerprint, Instant>>,
    key: RandomState,
    waiting: Semaphore,
    turns: Semaphore,
}

impl Default for Distrust {
    fn default() -> Self {
        Self {
            credits: Mutex::default(),
            good: Mutex::default(),
            key: RandomState::new(),
            waiting: Semaphore::new(WAITING),
            turns: Semaphore::new(LOOKED_AT),
        }
    }
}

/// Leave to look at credentials. It is held while they are looked at.
#[derive(Debug)]
pub struct Leave<'a> {
    _turn: Option<SemaphorePermit<'a>>,
}

impl Distrust {
    /// Whether credentials from this address are looked at: API keys or ids of sessions, of which one that was good is enough.
    ///
    /// # Errors
    /// How long to wait before the next.
    pub async fn may_show(&self, address: IpAddr, shown: &[Option<&str>]) -> Result<Leave<'_>, Duration> {
        let now = Instant::now();
        if self.credit_at(address, now) >= 1.0 {
            return Ok(Leave { _turn: None });
        }
        let wait = Duration::from_secs_f64(1.0 / REGAINED_A_SECOND);
        if !shown.iter().flatten().any(|shown| self.was_good_at(shown, now)) {
            return Err(wait);
        }
        let _waiting = self.waiting.try_acquire().map_err(|_| wait)?;
        let turn = self.turns.acquire().await.map_err(|_| wait)?;
        Ok(Leave { _turn: Some(turn) })
    }

    fn credit_at(&self, address: IpAddr, now: Instant) -> f64 {
        let credits = self.credits.lock().unwrap_or_else(PoisonError::into_inner);
        credits.get(&neighbourhood(address)).map_or(FREE, |credit| credit.now(now))
    }

    fn was_good_at(&self, shown: &str, now: Instant) -> bool {
        let good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        good.get(&self.key.hash_one(shown)).is_some_and(|at| now.duration_since(*at) < GOOD_FOR)
    }

    /// Notes that credentials were wrong.
    pub fn refused(&self, address: IpAddr) {
        self.refused_at(address, Instant::now());
    }

    fn refused_at(&self, address: IpAddr, now: Instant) {
        let mut credits = self.credits.lock().unwrap_or_else(PoisonError::into_inner);
        make_room(&mut credits, |credit| credit.now(now) < FREE);
        let credit = credits.entry(neighbourhood(address)).or_insert(Credit { left: FREE, at: now });
        *credit = Credit { left: (credit.now(now) - 1.0).max(0.0), at: now };
    }

    /// Notes that credentials were good: that they have shown who somebody is. What was never looked at is not good.
    pub fn accepted(&self, shown: &str) {
        self.accepted_at(shown, Instant::now());
    }

    fn accepted_at(&self, shown: &str, now: Instant) {
        let fingerprint: Fingerprint = self.key.hash_one(shown);
        let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
        if good.get(&fingerprint).is_some_and(|at| now.saturating_duration_since(*at) < NOTED_EVERY) {
            return;
        }
        make_room(&mut good, |at| now.duration_since(*at) < GOOD_FOR);
        good.insert(fingerprint, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn credit_is_used_up_and_regained() {
        let distrust = Distrust::default();
        let start = Instant::now();
        (0..250).for_each(|_| distrust.refused_at(ADDRESS, start));
        assert!(distrust.credit_at(ADDRESS, start) < 1.0);
        assert!(distrust.credit_at(OTHER, start) >= FREE);
        assert!(distrust.credit_at(ADDRESS, start + Duration::from_secs(1)) >= 9.9);
        assert!(distrust.credit_at(ADDRESS, start + Duration::from_secs(3600)) <= FREE);
    }

    #[tokio::test]
    async fn what_was_good_is_still_looked_at() {
        let distrust = Distrust::default();
        distrust.accepted("good");
        // A year ahead, so that nothing is regained while the test runs.
        let far = Instant::now() + Duration::from_secs(31_536_000);
        (0..250).for_each(|_| distrust.refused_at(ADDRESS, far));
        assert!(distrust.may_show(ADDRESS, &[Some("good")]).await.is_ok());
        assert!(distrust.may_show(ADDRESS, &[Some("unheard of"), Some("good")]).await.is_ok());
        assert!(distrust.may_show(ADDRESS, &[Some("unheard of"), None]).await.is_err());
        assert!(distrust.may_show(OTHER, &[Some("unheard of")]).await.is_ok());
        assert!(!distrust.was_good_at("good", far), "not for ever");
    }

    #[test]
    fn memory_is_bounded() {
        let distrust = Distrust::default();
        let now = Instant::now();
        for number in 0..120_000_u32 {
            distrust.refused_at(IpAddr::V4(number.into()), now);
        }
        assert!(distrust.credits.lock().unwrap().len() <= 50_000);
    }
}
