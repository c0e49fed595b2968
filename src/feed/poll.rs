//! One look at the database after the other: which events are new, and which jobs are no longer what they were.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::{Duration, Instant};

use super::Cursor;
use super::tail::Tail;
use crate::api::Response as _;
use crate::model::Timestamp;
use crate::store::{EventMark, JobRow, MotionRow, Store, StoreError};
use crate::views;

/// Numbers that may be seen late at the beginning: more than are ever written while one transaction is open.
const LATE: i64 = 1000;
/// Events that are looked up at once.
const AT_ONCE: usize = 500;

/// A job as it is now.
#[derive(Debug)]
pub struct JobNews {
    /// The job.
    pub row: JobRow,
    /// The newest motion that it carries out.
    pub motion: Option<MotionRow>,
}

/// An event as `listEvents` shows it, and what decides who may see it.
#[derive(Debug)]
pub struct EventNews {
    /// What it is about.
    pub mark: EventMark,
    /// The object of the list.
    pub json: String,
}

/// Something that has happened.
#[derive(Debug)]
pub enum News {
    /// A job is new, or not what it was.
    Job(Box<JobNews>),
    /// An event was written.
    Event(EventNews),
}

/// News with their place.
#[derive(Debug)]
pub struct Item {
    /// Who has been told this goes on from here.
    pub cursor: Cursor,
    /// What has happened.
    pub news: News,
}

/// Looks at the database, and knows what it has seen.
#[derive(Debug)]
pub(super) struct Poller {
    store: Store,
    events: Tail,
    jobs: Tail,
    /// A fingerprint of every job that has not ended, as it was told last.
    known: HashMap<i64, u64>,
}

impl Poller {
    /// Begins with the present: what is there already is no news.
    pub async fn start(store: Store) -> Result<Self, StoreError> {
        let (event_id, job_id) = store.feed_ends().await?;
        let mut poller = Self {
            store,
            events: Tail::from((event_id - LATE).max(0)),
            jobs: Tail::from((job_id - LATE).max(0)),
            known: HashMap::new(),
        };
        poller.skip_events().await?;
        poller.look_at_jobs(0, &mut Vec::new()).await?;
        Ok(poller)
    }

    /// Counts what is there as seen, since it was written.
    async fn skip_events(&mut self) -> Result<(), StoreError> {
        let (now, today) = (Instant::now(), Timestamp::now().unix());
        let mut after = self.events.low();
        loop {
            let marks = self.store.events_after(after, AT_ONCE).await?;
            for mark in &marks {
                let age = Duration::from_secs(u64::try_from(today - mark.created.unix()).unwrap_or_default());
                self.events.see(mark.id, now.checked_sub(age).unwrap_or(now));
            }
            self.events.close_gaps(now);
            match marks.last() {
                Some(last) if marks.len() == AT_ONCE => after = last.id,
                _ => return Ok(()),
            }
        }
    }

    /// Every event up to this one has been told.
    pub fn low(&self) -> i64 {
        self.events.low()
    }

    /// Adds what is new. What was added before a failure will not be added again.
    pub async fn look(&mut self, news: &mut Vec<Item>) -> Result<(), StoreError> {
        let at = Timestamp::now().unix();
        self.look_at_events(at, news).await?;
        self.look_at_jobs(at, news).await
    }

    async fn look_at_events(&mut self, at: i64, news: &mut Vec<Item>) -> Result<(), StoreError> {
        let mut after = self.events.low();
        loop {
            let marks = self.store.events_after(after, AT_ONCE).await?;
            let is_last = marks.len() < AT_ONCE;
            after = marks.last().map_or(after, |mark| mark.id);
            let fresh = marks.into_iter().filter(|mark| !self.events.has(mark.id)).collect();
            for event in event_news(&self.store, fresh).await? {
                self.events.see(event.mark.id, Instant::now());
                let cursor = Cursor { event_id: self.events.low(), at };
                news.push(Item { cursor, news: News::Event(event) });
            }
            if is_last {
                self.events.close_gaps(Instant::now());
                return Ok(());
            }
        }
    }

    async fn look_at_jobs(&mut self, at: i64, news: &mut Vec<Item>) -> Result<(), StoreError> {
        let new = self.store.jobs_after(self.jobs.low()).await?;
        let new: Vec<i64> = new.into_iter().filter(|id| !self.jobs.has(*id)).collect();
        // Those that had not ended, those that have not, and those that began and ended in between.
        let mut ids: BTreeSet<i64> = self.known.keys().copied().collect();
        ids.extend(self.store.jobs_open().await?);
        ids.extend(&new);
        let ids: Vec<i64> = ids.into_iter().collect();
        let rows = self.store.jobs_by_ids(&ids).await?;
        let mut motions = self.store.motions_of_jobs(&ids).await?;
        let mut known = HashMap::with_capacity(rows.len());
        for row in rows {
            let job = JobNews { motion: motions.remove(&row.id), row };
            let (id, print) = (job.row.id, fingerprint(&job));
            if job.row.status == 0 {
                known.insert(id, print);
            }
            if self.known.get(&id) != Some(&print) {
                let cursor = Cursor { event_id: self.events.low(), at };
                news.push(Item { cursor, news: News::Job(Box::new(job)) });
            }
        }
        self.known = known;
        for id in new {
            self.jobs.see(id, Instant::now());
        }
        self.jobs.close_gaps(Instant::now());
        Ok(())
    }
}

/// Changes with everything that a listener is shown of a job.
fn fingerprint(job: &JobNews) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{job:?}").hash(&mut hasher);
    hasher.finish()
}

/// Events as they are told.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn event_news(store: &Store, marks: Vec<EventMark>) -> Result<Vec<EventNews>, StoreError> {
    let ids: Vec<i64> = marks.iter().map(|mark| mark.id).collect();
    let shown = views::events(store, &ids).await?;
    // One that was deleted meanwhile leaves a hole in the list, and nobody knows whose it was.
    if shown.len() != marks.len() {
        let mut news = Vec::with_capacity(shown.len());
        for mark in marks {
            let one = views::events(store, &[mark.id]).await?;
            news.extend(one.into_iter().map(|view| told(mark.clone(), view)));
        }
        return Ok(news);
    }
    Ok(marks.into_iter().zip(shown).map(|(mark, view)| told(mark, view)).collect())
}

fn told(mark: EventMark, view: views::EventView) -> EventNews {
    EventNews { mark, json: view.into_node().to_json() }
}
