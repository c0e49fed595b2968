//! Aside: a job that waits for what others are to end lets them have its place among those that run.
//!
//! Who waits for a place may hold a lock, so nobody who has a place may wait for a lock: all waiting for turns goes through here.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::refusal::Refusal;
use super::saga::Motion;

/// The place of a job among those that run at the same time.
pub trait Place: Send + Sync {
    /// Gives it to another job.
    fn give(&self);

    /// Waits for one again.
    fn take(&self) -> BoxFuture<'_, ()>;
}

impl Motion {
    /// The same room, for a job that has this place.
    #[must_use]
    pub fn with_place(mut self, place: Arc<dyn Place>) -> Self {
        self.place = Some(place);
        self
    }

    /// Waits without the job's place, and then for one again. Who is told to stop meanwhile needs none to end.
    pub(super) async fn aside<T>(&self, waiting: impl Future<Output = Result<T, Refusal>>) -> Result<T, Refusal> {
        let Some(place) = &self.place else { return waiting.await };
        place.give();
        let waited = waiting.await?;
        place.take().await;
        Ok(waited)
    }
}
