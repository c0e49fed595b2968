//! The places of jobs: only so many run at the same time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The place of a job among those that run at the same time. While a job only waits for others it gives its place away: they may
/// be the very ones that wait for a place.
#[derive(Clone, Debug)]
pub struct Place(Arc<One>);

#[derive(Debug)]
struct One {
    places: Arc<Semaphore>,
    held: Mutex<Option<OwnedSemaphorePermit>>,
}

impl Place {
    /// One of these places, as soon as it is free.
    pub(super) async fn of(places: &Arc<Semaphore>) -> Self {
        let place = Self(Arc::new(One { places: Arc::clone(places), held: Mutex::default() }));
        place.take().await;
        place
    }

    /// Gives it to the next job that waits for one.
    pub fn give(&self) {
        drop(self.held().take());
    }

    /// Waits for one again, behind those who wait already; at once when it was not given away.
    pub async fn take(&self) {
        if self.held().is_some() {
            return;
        }
        // A semaphore that is never closed always gives one.
        if let Ok(place) = Arc::clone(&self.0.places).acquire_owned().await {
            *self.held() = Some(place);
        }
    }

    fn held(&self) -> MutexGuard<'_, Option<OwnedSemaphorePermit>> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_gives_a_place_away_waits_for_it_behind_the_others() {
        let places = Arc::new(Semaphore::new(1));
        let first = Place::of(&places).await;
        let second = tokio::spawn({
            let places = Arc::clone(&places);
            async move { Place::of(&places).await }
        });
        tokio::task::yield_now().await;
        assert!(!second.is_finished());
        first.give();
        let second = second.await.expect("a place");
        let again = tokio::spawn({
            let first = first.clone();
            async move { first.take().await }
        });
        tokio::task::yield_now().await;
        assert!(!again.is_finished());
        second.give();
        again.await.expect("a place");
        first.take().await;
        assert_eq!(places.available_permits(), 0, "one has it, and once");
        drop(first);
        assert_eq!(places.available_permits(), 1);
    }
}
