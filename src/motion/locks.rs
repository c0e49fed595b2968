//! One motion at a time for each VM, and for each volume that no VM uses: first come, first served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Locks by name. A waiting caller costs a few hundred bytes and no thread.
#[derive(Debug, Default)]
pub struct Locks(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

/// A held lock; dropping it lets the next one in.
#[derive(Debug)]
pub struct Held {
    _guard: OwnedMutexGuard<()>,
}

impl Locks {
    /// Waits until the name is free and holds it.
    pub async fn hold(&self, name: &str) -> Held {
        Held { _guard: self.named(name).lock_owned().await }
    }

    /// Holds the name if it is free and nobody waits for it.
    pub fn try_hold(&self, name: &str) -> Option<Held> {
        self.named(name).try_lock_owned().ok().map(|guard| Held { _guard: guard })
    }

    fn named(&self, name: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Locks that nobody holds or waits for are forgotten, so that the map does not grow with the estate.
        if locks.len() > 1024 {
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        Arc::clone(locks.entry(name.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_another_name_does_not() {
        let locks = Arc::new(Locks::default());
        let first = locks.hold("vm:1").await;
        let _other = locks.hold("vm:2").await;
        let waiting = tokio::spawn({
            let locks = Arc::clone(&locks);
            async move { locks.hold("vm:1").await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        assert!(locks.try_hold("vm:1").is_none());
        assert!(locks.try_hold("vm:3").is_some());
        drop(first);
        assert!(locks.try_hold("vm:1").is_none(), "who waits comes first");
        waiting.await.expect("the second gets the lock");
    }
}
