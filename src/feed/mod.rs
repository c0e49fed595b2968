//! News of jobs and events for those who listen: one look at the database for all of them, and only while somebody listens.
//!
//! The database is where news come from, because other gateways write there too. Every listener has a place for a few news
//! that wait to be taken; who lets it run full is left behind, and comes back with the place where it was.

mod cursor;
mod poll;
mod scope;
mod tail;

pub use cursor::Cursor;
pub use poll::{EventNews, Item, JobNews, News, event_news};
pub use scope::{OneJob, Scope};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};

use crate::store::Store;
use poll::Poller;

/// Between two looks at the database.
const INTERVAL: Duration = Duration::from_millis(500);
/// After a look that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(2);
/// News that wait for one listener.
const WAITING: usize = 256;

/// How many may listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedLimits {
    /// In all.
    pub listeners: usize,
    /// Of one account.
    pub of_account: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { listeners: 200, of_account: 20 }
    }
}

/// Why somebody may not listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotHeard {
    /// The gateway is stopping.
    #[error("the gateway is stopping; listen at another one, or later")]
    Closed,
    /// Too many listen.
    #[error("too many listen to this gateway already; listen at another one, or later")]
    Full,
    /// Too many of the same account listen.
    #[error("too many listen for this account already; end one of these streams first")]
    AccountFull,
}

/// Where the looks at the database have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Progress {
    /// Nobody looks.
    Idle,
    /// What is written from now on is told; every event up to this one has been.
    Looking(i64),
    /// It is over.
    Closed,
}

/// Tells news. One per process.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    limits: FeedLimits,
    inner: Mutex<Inner>,
    wake: Notify,
    progress: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct Inner {
    is_closed: bool,
    next: u64,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    number: u64,
    account_id: i64,
    scope: Scope,
    sender: mpsc::Sender<Arc<Item>>,
}

impl Feed {
    /// News of the database, once [`Feed::run`] is awaited.
    #[must_use]
    pub fn new(store: Store, limits: FeedLimits) -> Self {
        Self { store, limits, inner: Mutex::default(), wake: Notify::new(), progress: watch::channel(Progress::Idle).0 }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database that is looked at.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Listens for an account.
    ///
    /// # Errors
    /// See [`NotHeard`].
    pub fn listen(self: &Arc<Self>, account_id: i64, scope: Scope) -> Result<Subscription, NotHeard> {
        let mut inner = self.inner();
        if inner.is_closed {
            return Err(NotHeard::Closed);
        }
        if inner.listeners.len() >= self.limits.listeners {
            return Err(NotHeard::Full);
        }
        let same = inner.listeners.iter().filter(|listener| listener.account_id == account_id).count();
        if same >= self.limits.of_account {
            return Err(NotHeard::AccountFull);
        }
        inner.next += 1;
        let (number, (sender, receiver)) = (inner.next, mpsc::channel(WAITING));
        inner.listeners.push(Listener { number, account_id, scope, sender });
        // Under the lock: what is idle now starts anew, what is not is heard from the next look on.
        let progress = self.progress.subscribe();
        drop(inner);
        self.wake.notify_one();
        Ok(Subscription { feed: Arc::clone(self), number, receiver, progress })
    }

    /// Ends all streams and lets nobody listen any more.
    pub fn close(&self) {
        let mut inner = self.inner();
        inner.is_closed = true;
        inner.listeners.clear();
        self.progress.send_replace(Progress::Closed);
        drop(inner);
        self.wake.notify_one();
    }

    /// Whether anybody listens; where nobody does, the next who does finds everything at its beginning.
    fn has_listeners(&self) -> bool {
        let inner = self.inner();
        let any = !inner.listeners.is_empty();
        if !any && !inner.is_closed {
            self.progress.send_replace(Progress::Idle);
        }
        any
    }

    /// Looks at the database while somebody listens, until [`Feed::close`].
    pub async fn run(self: Arc<Self>) {
        let mut poller = None;
        loop {
            if !self.has_listeners() {
                poller = None;
                if self.inner().is_closed {
                    return;
                }
                self.wake.notified().await;
                continue;
            }
            let mut news = Vec::new();
            let looked = match &mut poller {
                Some(poller) => Poller::look(poller, &mut news).await,
                None => Poller::start(self.store.clone()).await.map(|started| poller = Some(started)),
            };
            // What was found before a failure is not found again.
            self.tell(news);
            if let Some(poller) = &poller {
                self.advance(poller.low());
            }
            let pause = match looked {
                Ok(()) => INTERVAL,
                Err(cause) => {
                    tracing::warn!(cause = %crate::telemetry::chain(&cause), "no news of jobs and events; looking again");
                    AFTER_FAILURE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    fn advance(&self, low: i64) {
        let inner = self.inner();
        if !inner.is_closed {
            self.progress
                .send_if_modified(|now| std::mem::replace(now, Progress::Looking(low)) != Progress::Looking(low));
        }
    }

    fn tell(&self, news: Vec<Item>) {
        let mut inner = self.inner();
        for item in news.into_iter().map(Arc::new) {
            inner.listeners.retain(|listener| {
                let is_left = listener.scope.covers(&item.news) && listener.sender.try_send(Arc::clone(&item)).is_err();
                if is_left {
                    tracing::debug!(listener = listener.number, "left behind: it does not take its news");
                }
                !is_left
            });
        }
    }
}

/// A place among those who listen. Dropping it frees it.
#[derive(Debug)]
pub struct Subscription {
    feed: Arc<Feed>,
    number: u64,
    receiver: mpsc::Receiver<Arc<Item>>,
    progress: watch::Receiver<Progress>,
}

impl Subscription {
    /// Waits until everything that is written from now on will be told. Gives the event up to which all have been; `None` at
    /// the end.
    pub async fn begin(&mut self) -> Option<i64> {
        match *self.progress.wait_for(|progress| *progress != Progress::Idle).await.ok()? {
            Progress::Looking(low) => Some(low),
            Progress::Idle | Progress::Closed => None,
        }
    }

    /// The next news; `None` when there will be none: the gateway stops, or too many were not taken.
    pub async fn next(&mut self) -> Option<Arc<Item>> {
        self.receiver.recv().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.feed.inner().listeners.retain(|listener| listener.number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::store::EventMark;

    fn scope() -> Scope {
        Scope { account_id: None, domain: None, sees_internal: true, job: None }
    }

    fn event(id: i64) -> Item {
        let mark = EventMark {
            id,
            start_id: 0,
            account_id: 2,
            domain_path: "/".to_owned(),
            is_of_project: false,
            is_internal: false,
            created: Timestamp::now(),
        };
        let news = EventNews { mark, json: "{}".to_owned() };
        Item { cursor: Cursor { event_id: id, at: 0 }, news: News::Event(news) }
    }

    async fn feed(limits: FeedLimits) -> Arc<Feed> {
        Arc::new(Feed::new(Store::open("sqlite::memory:").await.unwrap(), limits))
    }

    #[tokio::test]
    async fn places_are_counted_in_all_and_by_account() {
        let feed = feed(FeedLimits { listeners: 3, of_account: 2 }).await;
        let first = feed.listen(1, scope()).unwrap();
        let _second = feed.listen(1, scope()).unwrap();
        assert_eq!(feed.listen(1, scope()).unwrap_err(), NotHeard::AccountFull);
        let _third = feed.listen(2, scope()).unwrap();
        assert_eq!(feed.listen(3, scope()).unwrap_err(), NotHeard::Full);
        drop(first);
        let mut again = feed.listen(1, scope()).unwrap();
        feed.close();
        assert!(again.next().await.is_none() && again.begin().await.is_none());
        assert_eq!(feed.listen(2, scope()).unwrap_err(), NotHeard::Closed);
    }

    #[tokio::test]
    async fn who_takes_nothing_is_left_behind_and_nobody_waits() {
        let feed = feed(FeedLimits::default()).await;
        let mut slow = feed.listen(1, scope()).unwrap();
        let mut other = feed.listen(2, scope()).unwrap();
        let many = i64::try_from(WAITING).unwrap() + 5;
        for id in 1..=many {
            feed.tell(vec![event(id)]);
            assert_eq!(other.next().await.unwrap().cursor.event_id, id);
        }
        let mut taken = 0;
        while slow.next().await.is_some() {
            taken += 1;
        }
        assert_eq!(taken, WAITING, "what waited is given, and then it is over");
        assert_eq!(feed.inner().listeners.len(), 1);
    }

    #[tokio::test]
    async fn nobody_looks_while_nobody_listens() {
        let feed = feed(FeedLimits::default()).await;
        let running = tokio::spawn(Arc::clone(&feed).run());
        let mut listener = feed.listen(1, scope()).unwrap();
        assert_eq!(listener.begin().await, Some(0));
        drop(listener);
        let mut progress = feed.progress.subscribe();
        progress.wait_for(|progress| *progress == Progress::Idle).await.unwrap();
        feed.close();
        running.await.unwrap();
    }
}
