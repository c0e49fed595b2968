//! What was read and is used again for a moment, so that many who ask the same cost one question.
//!
//! A value is used while its stamp is still that of what it was read from, and not for longer than it was kept for. While one
//! caller reads it again, the others go on with what is there, for as long again at the most. Thousands of values that were read
//! in the same second are not all read again in the same second: each is kept for up to a quarter less, always the same ones.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Parts that do not wait for each other.
const SHARDS: usize = 16;

/// Values by their keys.
#[derive(Debug)]
pub struct Kept<K, V> {
    shards: [Mutex<Shard<K, V>>; SHARDS],
    hasher: RandomState,
    most_in_shard: usize,
}

#[derive(Debug)]
struct Shard<K, V> {
    slots: HashMap<K, Slot<V>>,
    /// How often something was taken out because it had changed: what was being read meanwhile is not kept.
    changes: u64,
}

#[derive(Debug)]
struct Slot<V> {
    value: V,
    stamp: u64,
    read: Instant,
    /// When it was last read or confirmed.
    known: Instant,
    fresh: Duration,
    /// Since when somebody reads it again.
    awaited: Option<Instant>,
}

/// What a look for a value finds.
#[derive(Debug)]
pub enum Look<'a, K: Eq + Hash + Clone, V: Clone> {
    /// The value.
    Known(V),
    /// It has to be read.
    Read(Reading<'a, K, V>),
}

/// A value that is being read.
#[derive(Debug)]
pub struct Reading<'a, K: Eq + Hash + Clone, V: Clone> {
    kept: &'a Kept<K, V>,
    key: K,
    stamp: u64,
    changes: u64,
    begun: Instant,
}

impl<K: Eq + Hash + Clone, V: Clone> Kept<K, V> {
    /// Keeps at most about `most` values.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Shard { slots: HashMap::new(), changes: 0 })),
            hasher: RandomState::new(),
            most_in_shard: (most / SHARDS).max(1),
        }
    }

    /// So long, or up to a quarter less.
    fn spread<Q: Hash + ?Sized>(&self, key: &Q, long: Duration) -> Duration {
        let hash = self.hasher.hash_one(key);
        // The lowest bits say which shard it is.
        let part = u32::try_from(hash >> 32).unwrap_or_default() % 256;
        long - long / 1024 * part
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, Shard<K, V>> {
        let at = self.hasher.hash_one(key) as usize % SHARDS;
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The value of `key`, if there is one that was read under this stamp and is fresh.
    pub fn look<Q>(&self, key: &Q, stamp: u64) -> Look<'_, K, V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let now = Instant::now();
        let mut shard = self.shard(key);
        if let Some(slot) = shard.slots.get_mut(key).filter(|slot| slot.stamp == stamp) {
            let age = now.duration_since(slot.known);
            let is_awaited = slot.awaited.is_some_and(|since| now.duration_since(since) < slot.fresh);
            if age < slot.fresh || (is_awaited && age < slot.fresh * 2) {
                return Look::Known(slot.value.clone());
            }
            slot.awaited = Some(now);
        }
        let changes = shard.changes;
        drop(shard);
        Look::Read(Reading { kept: self, key: key.to_owned(), stamp, changes, begun: now })
    }

    /// Changes a value that is kept, if it is.
    pub fn change<Q>(&self, key: &Q, change: impl FnOnce(&mut V))
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(slot) = self.shard(key).slots.get_mut(key) {
            change(&mut slot.value);
        }
    }

    /// A value that is kept and still fresh is still so: it is used for as long again. It is not confirmed any more when it was read
    /// `most` ago, or up to a quarter less.
    pub fn confirm<Q>(&self, key: &Q, most: Duration)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (now, most) = (Instant::now(), self.spread(key, most));
        if let Some(slot) = self.shard(key).slots.get_mut(key)
            && now.duration_since(slot.read) < most
            && now.duration_since(slot.known) < slot.fresh
        {
            slot.known = now;
        }
    }

    /// Takes a value out because it is not so any more. One that is being read now is not kept either.
    pub fn forget<Q>(&self, key: &Q)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let mut shard = self.shard(key);
        shard.slots.remove(key);
        shard.changes += 1;
    }
}

impl<K: Eq + Hash + Clone, V: Clone> Reading<'_, K, V> {
    /// Keeps what was read for so long, unless it has changed meanwhile.
    pub fn keep(self, value: V, fresh: Duration) {
        let fresh = self.kept.spread(&self.key, fresh);
        let mut shard = self.kept.shard(&self.key);
        if shard.changes != self.changes {
            return;
        }
        if shard.slots.len() >= self.kept.most_in_shard && !shard.slots.contains_key(&self.key) {
            let now = Instant::now();
            shard.slots.retain(|_, slot| now.duration_since(slot.known) < slot.fresh);
            if shard.slots.len() >= self.kept.most_in_shard {
                shard.slots.clear();
            }
        }
        let slot = Slot { value, stamp: self.stamp, read: self.begun, known: self.begun, fresh, awaited: None };
        shard.slots.insert(self.key, slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn read<'a>(kept: &'a Kept<String, u32>, key: &str, stamp: u64) -> Reading<'a, String, u32> {
        match kept.look(key, stamp) {
            Look::Read(reading) => reading,
            Look::Known(value) => panic!("{value} was not to be known"),
        }
    }

    fn known(kept: &Kept<String, u32>, key: &str, stamp: u64) -> Option<u32> {
        match kept.look(key, stamp) {
            Look::Known(value) => Some(value),
            Look::Read(_) => None,
        }
    }

    #[test]
    fn a_value_is_used_under_its_stamp_only() {
        let kept = Kept::new(100);
        read(&kept, "a", 1).keep(7, LONG);
        assert_eq!(known(&kept, "a", 1), Some(7));
        assert_eq!(known(&kept, "a", 2), None);
        assert_eq!(known(&kept, "b", 1), None);
    }

    #[test]
    fn what_changes_while_it_is_read_is_not_kept() {
        let kept = Kept::new(100);
        let reading = read(&kept, "a", 1);
        kept.forget("a");
        reading.keep(7, LONG);
        assert_eq!(known(&kept, "a", 1), None);
    }

    #[test]
    fn one_reads_again_and_the_others_go_on() {
        let kept = Kept::new(100);
        read(&kept, "a", 1).keep(7, LONG);
        // As if it had been read a while ago: not fresh any more, and not old either.
        let aged = |kept: &Kept<String, u32>, by: Duration| {
            if let Some(slot) = kept.shard("a").slots.get_mut("a") {
                slot.known = Instant::now().checked_sub(by).unwrap();
            }
        };
        aged(&kept, LONG + LONG / 4);
        let again = read(&kept, "a", 1);
        assert_eq!(known(&kept, "a", 1), Some(7), "the others");
        again.keep(8, LONG);
        assert_eq!(known(&kept, "a", 1), Some(8));
        aged(&kept, LONG * 2);
        let _slow = read(&kept, "a", 1);
        assert_eq!(known(&kept, "a", 1), None, "but not for ever");
    }

    #[test]
    fn what_is_confirmed_is_used_on_but_not_for_ever() {
        let kept = Kept::new(100);
        read(&kept, "a", 1).keep(7, LONG);
        let read_ago = |by: Duration| {
            if let Some(slot) = kept.shard("a").slots.get_mut("a") {
                slot.known = Instant::now().checked_sub(LONG / 2).unwrap();
                slot.read = Instant::now().checked_sub(by).unwrap();
            }
        };
        let rested = |by: Duration| {
            if let Some(slot) = kept.shard("a").slots.get_mut("a") {
                slot.known = slot.known.checked_sub(by).unwrap();
            }
        };
        read_ago(LONG * 3);
        kept.confirm("a", LONG * 5);
        rested(LONG / 2);
        assert_eq!(known(&kept, "a", 1), Some(7), "half of its time is over again");
        assert_eq!(known(&kept, "a", 2), None, "the stamp counts as ever");
        read_ago(LONG * 5);
        kept.confirm("a", LONG * 5);
        rested(LONG / 2);
        assert_eq!(known(&kept, "a", 1), None, "it was read too long ago");
        rested(LONG * 2);
        kept.confirm("a", LONG * 9);
        assert_eq!(known(&kept, "a", 1), None, "what has gone stale is not brought back");
    }

    #[test]
    fn what_was_read_at_once_is_read_again_at_different_times() {
        let kept: Kept<String, u32> = Kept::new(100);
        let lives: std::collections::BTreeSet<_> = (0..100).map(|at| kept.spread(&at.to_string(), LONG)).collect();
        assert!(lives.len() > 50 && lives.iter().all(|life| *life > LONG / 2 && *life <= LONG), "{lives:?}");
    }

    #[test]
    fn a_value_that_is_kept_can_be_changed() {
        let kept = Kept::new(100);
        kept.change("a", |value| *value += 1);
        read(&kept, "a", 1).keep(7, LONG);
        kept.change("a", |value| *value += 1);
        assert_eq!(known(&kept, "a", 1), Some(8));
    }

    #[test]
    fn room_is_bounded() {
        let kept = Kept::new(160);
        for number in 0..10_000_u32 {
            read(&kept, &number.to_string(), 1).keep(number, LONG);
        }
        let all: usize = kept.shards.iter().map(|shard| shard.lock().unwrap().slots.len()).sum();
        assert!((1..=160).contains(&all), "{all}");
    }
}
