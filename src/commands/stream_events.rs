//! `streamEvents`: news of jobs and events as they happen, as server-sent events. CloudStack has no such thing.
//!
//! Nothing is lost between two streams: each piece of news has a place, and who comes back with the last one goes on from
//! there. Some things may be told twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, timeout_at};

use super::query_async_job_result::authorize;
use super::{Ctx, SyncCommand, filters};
use crate::api::{AccountScope, ApiError, BoxError, Flow, Id, Reply, Response as _, Streamed};
use crate::auth::Caller;
use crate::feed::{Cursor, EventNews, JobNews, News, NotHeard, OneJob, Scope, Subscription, event_news};
use crate::model::Timestamp;
use crate::model::entity::AsyncJobRef;
use crate::store::{Store, StoreError};
use crate::views::{self, JobView};

/// The content type on the wire.
const MEDIA: &str = "text/event-stream";
/// A sign of life when nothing happens.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// After this long a stream ends and its listener comes back: what it may see is asked again then.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long a listener waits before it comes back, in milliseconds.
const COME_BACK_MS: u32 = 2000;
/// Jobs that ended so long before a place are told again: the clocks of gateways differ, and commits take time.
const OVERLAP_S: i64 = 60;
/// What is looked up and told at once to who comes back.
const AT_ONCE: usize = 500;
/// How many numbers of events or jobs one look at the past goes over, however few of them are the listener's.
const PART: i64 = 20_000;
/// A sign of life, as it is sent.
const ALIVE: &str = ":\n\n";

crate::command! {
    /// Tells what happens to jobs and what events are written, as server-sent events, until the client goes. A piece of news is a
    /// `job`, as listAsyncJobs shows it, or an `event`, as listEvents shows it. With the header `Last-Event-ID`, or
    /// `lasteventid`, it goes on after that one.
    pub struct StreamEvents {
        /// Only this job and its events.
        job_id "jobid": Option<Id<AsyncJobRef>>,
        /// The id of the last piece of news that came; the header of that name counts before it.
        last_event_id "lasteventid": Option<String>,
        /// Whose jobs and events.
        owner: AccountScope,
    }
    name "streamEvents", kind Sync, http Get, response Streamed<JobView>, media MEDIA,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.stackmotion.api.command.StreamEventsCmd"
}

impl SyncCommand for StreamEvents {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let last = ctx.resume_after.as_deref().or(self.last_event_id.as_deref()).filter(|last| !last.is_empty());
        let wrong =
            || ApiError::invalid_parameter("The last event id is none of this stream's; leave it out to begin anew");
        let resumed = last.map(|last| Cursor::parse(last).ok_or_else(wrong)).transpose()?;
        let scope = self.scope(ctx).await?;
        let from = match resumed {
            Some(cursor) => cursor,
            None => Cursor { event_id: ctx.store.feed_ends().await?.0, at: Timestamp::now().unix() },
        };
        let subscription = ctx.feed.listen(ctx.caller.account_id, scope.clone()).map_err(refusal)?;
        let telling = Telling {
            subscription,
            store: ctx.store.clone(),
            caller: Arc::clone(&ctx.caller),
            scope,
            from,
            is_resumed: resumed.is_some(),
            stage: Stage::Greeting,
            told: HashSet::new(),
            sent: Instant::now(),
            until: Instant::now() + LONGEST,
        };
        let pieces = stream::try_unfold(telling, async |mut telling| {
            let piece = telling.next().await?;
            Ok::<_, BoxError>(piece.map(|piece| (piece, telling)))
        });
        Ok(Reply::Flow(Flow { media: MEDIA, file_name: None, pieces: Box::pin(pieces) }))
    }
}

fn refusal(cause: NotHeard) -> ApiError {
    match cause {
        NotHeard::AccountFull => ApiError::limit_exceeded(cause.to_string()),
        NotHeard::Full | NotHeard::Closed => ApiError::service_unavailable(cause.to_string()),
    }
}

impl StreamEvents {
    async fn scope(&self, ctx: &Ctx) -> Result<Scope, ApiError> {
        let sees_internal = ctx.caller.is_root_admin();
        if let Some(id) = self.job_id {
            let gone = || ApiError::invalid_parameter("The job is not known any more");
            let row = ctx.store.job_by_id(id.number()).await?.ok_or_else(gone)?;
            authorize(ctx, &row)?;
            let job = OneJob { id: row.id, start_event_id: ctx.store.job_start_event(row.id).await? };
            return Ok(Scope { account_id: None, domain: None, sees_internal, job: Some(job) });
        }
        let (account_id, domain) = filters::account_scope(ctx, self.owner.clone()).await?;
        Ok(Scope { account_id, domain, sees_internal, job: None })
    }
}

/// How far a stream is. `low` is the event up to which everything has been told to all who listen.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Nothing has been sent.
    Greeting,
    /// It is not sure yet that everything from now on will be told.
    Waiting,
    /// Events that were written before are told, from behind one to another.
    Events { after: i64, end: i64, low: i64 },
    /// Jobs that have not ended are told as they are now, from behind one on.
    Open { after: i64, low: i64 },
    /// Jobs that have ended meanwhile are told to who comes back, from behind one to another.
    Ended { after: i64, end: i64, low: i64 },
    /// What happens is told.
    Present,
}

/// A stream on its way.
struct Telling {
    subscription: Subscription,
    store: Store,
    caller: Arc<Caller>,
    scope: Scope,
    from: Cursor,
    is_resumed: bool,
    stage: Stage,
    /// Events of the past that may be told as present too.
    told: HashSet<i64>,
    /// When something was sent last.
    sent: Instant,
    until: Instant,
}

impl Telling {
    /// The next piece; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            // Whatever it is at: who listens may have lost the right to.
            if Instant::now() >= self.until {
                return Ok(None);
            }
            let mut out = String::new();
            if !self.step(&mut out).await? {
                return Ok(None);
            }
            if out.is_empty() && self.sent.elapsed() >= HEARTBEAT {
                out.push_str(ALIVE);
            }
            if !out.is_empty() {
                self.sent = Instant::now();
                return Ok(Some(out.into()));
            }
        }
    }

    /// Adds what is to be sent next, which may be nothing yet; false at the end.
    async fn step(&mut self, out: &mut String) -> Result<bool, StoreError> {
        match self.stage {
            Stage::Greeting => {
                self.stage = Stage::Waiting;
                // Who is told nothing before the connection breaks goes on from here too.
                out.push_str(&format!("retry: {COME_BACK_MS}\nid: {}\n\n", self.from));
            }
            Stage::Waiting => match timeout_at(self.pause(), self.subscription.begin()).await {
                Ok(Some(low)) => self.stage = self.past(low).await?,
                Ok(None) => return Ok(false),
                Err(_) => out.push_str(ALIVE),
            },
            Stage::Events { after, end, low } => self.past_events((after, end), low, out).await?,
            Stage::Open { after, low } => self.open_jobs(after, low, out).await?,
            Stage::Ended { after, end, low } => self.ended_jobs((after, end), low, out).await?,
            Stage::Present => return Ok(self.present(out).await),
        }
        Ok(true)
    }

    /// Until when something is waited for.
    fn pause(&self) -> Instant {
        self.until.min(Instant::now() + HEARTBEAT)
    }

    /// Where the past begins. What is written from now on is told as it happens.
    async fn past(&self, low: i64) -> Result<Stage, StoreError> {
        let after = match self.scope.job {
            // Nobody announced it here.
            Some(job) if job.start_event_id <= 0 => return Ok(Stage::Open { after: 0, low }),
            Some(job) => self.from.event_id.max(job.start_event_id - 1),
            None => self.from.event_id,
        };
        Ok(Stage::Events { after, end: self.store.feed_ends().await?.0, low })
    }

    async fn past_events(&mut self, (after, end): (i64, i64), low: i64, out: &mut String) -> Result<(), StoreError> {
        let until = after.saturating_add(PART).min(end);
        let marks = self.store.events_within(&self.scope.filter(), (after, until), AT_ONCE).await?;
        let after = behind(marks.len(), marks.last().map(|mark| mark.id), until);
        for event in event_news(&self.store, marks).await? {
            // A smaller number may still appear: who comes back has to go on before it.
            let cursor = Cursor { event_id: event.mark.id.min(low), at: self.from.at };
            if event.mark.id > low {
                self.told.insert(event.mark.id);
            }
            let news = News::Event(event);
            if self.scope.covers(&news) {
                self.write(cursor, &news, out);
            }
        }
        self.stage = if after < end { Stage::Events { after, end, low } } else { Stage::Open { after: 0, low } };
        Ok(())
    }

    async fn open_jobs(&mut self, after: i64, low: i64, out: &mut String) -> Result<(), StoreError> {
        if let Some(job) = self.scope.job {
            self.stage = Stage::Present;
            return self.jobs_now(&[job.id], low, out).await;
        }
        // They come from an index, and there are never very many.
        let ids = self.store.jobs_within(&self.scope.filter(), None, (after, i64::MAX), AT_ONCE).await?;
        self.stage = match ids.last() {
            Some(last) if ids.len() == AT_ONCE => Stage::Open { after: *last, low },
            _ if self.is_resumed => Stage::Ended { after: 0, end: self.store.feed_ends().await?.1, low },
            _ => Stage::Present,
        };
        self.jobs_now(&ids, low, out).await
    }

    async fn ended_jobs(&mut self, (after, end): (i64, i64), low: i64, out: &mut String) -> Result<(), StoreError> {
        let Some(since) = Timestamp::from_unix(self.from.at.saturating_sub(OVERLAP_S)) else {
            self.stage = Stage::Present;
            return Ok(());
        };
        let until = after.saturating_add(PART).min(end);
        let ids = self.store.jobs_within(&self.scope.filter(), Some(since), (after, until), AT_ONCE).await?;
        let after = behind(ids.len(), ids.last().copied(), until);
        self.stage = if after < end { Stage::Ended { after, end, low } } else { Stage::Present };
        self.jobs_now(&ids, low, out).await
    }

    /// Adds these jobs as they are now.
    async fn jobs_now(&self, ids: &[i64], low: i64, out: &mut String) -> Result<(), StoreError> {
        let rows = self.store.jobs_by_ids(ids).await?;
        let mut motions = self.store.motions_of_jobs(ids).await?;
        for row in rows {
            let news = News::Job(Box::new(JobNews { motion: motions.remove(&row.id), row }));
            if self.scope.covers(&news) {
                // The others have not been told yet.
                let cursor = Cursor { event_id: low, at: self.from.at };
                self.write(cursor, &news, out);
            }
        }
        Ok(())
    }

    /// What happens next, or a sign of life; false at the end.
    async fn present(&mut self, out: &mut String) -> bool {
        match timeout_at(self.pause(), self.subscription.next()).await {
            Ok(None) => return false,
            Ok(Some(item)) => {
                let is_old = matches!(&item.news, News::Event(event) if self.told.remove(&event.mark.id));
                if !is_old {
                    self.write(item.cursor, &item.news, out);
                }
            }
            Err(_) => out.push_str(ALIVE),
        }
        true
    }

    fn write(&self, cursor: Cursor, news: &News, out: &mut String) {
        let (kind, json) = match news {
            News::Job(job) => {
                let view = views::job(job.row.clone(), job.motion.as_ref(), &self.caller);
                ("job", view.into_node().to_json())
            }
            News::Event(EventNews { json, .. }) => ("event", json.clone()),
        };
        out.push_str(&format!("event: {kind}\nid: {cursor}\ndata: {json}\n\n"));
    }
}

/// Where a look at the past goes on: behind the last of a full page, else behind the part that it went over.
fn behind(found: usize, last: Option<i64>, until: i64) -> i64 {
    match last {
        Some(last) if found == AT_ONCE => last,
        _ => until,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::{Feed, FeedLimits};

    const OWN: i64 = 3;

    /// Two accounts of one domain, one of a domain below, one of a project, and the administrator's; each has an event in every
    /// part of the numbers, a job that goes on and one that has ended.
    async fn store() -> Store {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.bootstrap().await.unwrap();
        let run = async |sql: String| {
            store.db().run(&sql, vec![]).await.map(drop).unwrap_or_else(|error| panic!("{sql}: {error}"))
        };
        for (id, parent, path) in [(2, 1, "/eng/"), (3, 2, "/eng/lab/")] {
            run(format!(
                "INSERT INTO domain (id, parent, name, uuid, owner, path, level, state) VALUES \
                 ({id}, {parent}, 'd{id}', 'd{id}', 2, '{path}', 1, 'Active')"
            ))
            .await;
        }
        for (id, kind, domain) in [(OWN, 0, 2), (4, 0, 2), (5, 0, 3), (6, 5, 2)] {
            run(format!(
                "INSERT INTO account (id, uuid, account_name, type, role_id, domain_id, state) VALUES \
                 ({id}, 'a{id}', 'a{id}', {kind}, 4, {domain}, 'enabled')"
            ))
            .await;
        }
        for (account, domain) in [(2, 1), (OWN, 2), (4, 2), (5, 3), (6, 2)] {
            for part in 0..3 {
                let id = part * PART + account;
                run(format!(
                    "INSERT INTO event (id, uuid, type, state, description, user_id, account_id, domain_id, created, level) \
                     VALUES ({id}, 'e{id}', 'VM.START', 'Completed', 'x', 2, {account}, {domain}, '2026-11-23 18:00:00', 'INFO')"
                ))
                .await;
            }
            for status in 0..2 {
                let id = status * PART + account;
                run(format!(
                    "INSERT INTO async_job (id, uuid, user_id, account_id, job_cmd, job_status, job_process_status, \
                     job_result_code, job_dispatcher, created, last_updated, related) VALUES ({id}, 'j{id}', 2, {account}, \
                     'x.Cmd', {status}, 0, 0, 'ApiAsyncJobDispatcher', '2026-11-23 18:00:00', '2026-11-23 18:00:00', '')"
                ))
                .await;
            }
        }
        store
    }

    fn telling(store: &Store, scope: Scope, stage: Stage) -> Telling {
        let feed = Arc::new(Feed::new(store.clone(), FeedLimits::default()));
        Telling {
            subscription: feed.listen(OWN, scope.clone()).unwrap(),
            store: store.clone(),
            caller: Arc::new(Caller::nobody()),
            scope,
            from: Cursor { event_id: 0, at: 0 },
            is_resumed: true,
            stage,
            told: HashSet::new(),
            sent: Instant::now(),
            until: Instant::now() + LONGEST,
        }
    }

    fn scope(account_id: Option<i64>, domain: Option<(&str, bool)>) -> Scope {
        let domain = domain.map(|(path, below)| (path.to_owned(), below));
        Scope { account_id, domain, sees_internal: false, job: None }
    }

    #[tokio::test]
    async fn the_past_is_read_in_parts_and_of_those_whom_it_concerns() {
        let store = store().await;
        let end = store.feed_ends().await.unwrap().0;
        for (scope, accounts) in [
            (scope(Some(OWN), None), &[OWN][..]),
            (scope(None, Some(("/eng/", false))), &[OWN, 4]),
            (scope(None, Some(("/eng/", true))), &[OWN, 4, 5]),
            (scope(None, None), &[2, OWN, 4, 5]),
            (scope(Some(6), None), &[6]),
        ] {
            // What is read is what is told: nothing of others is looked up for nothing.
            let marks = store.events_within(&scope.filter(), (0, end), AT_ONCE).await.unwrap();
            let mut owners: Vec<i64> = marks.iter().map(|mark| mark.account_id).collect();
            assert_eq!(owners.len(), 3 * accounts.len(), "{scope:?}: {owners:?}");
            owners.sort_unstable();
            owners.dedup();
            assert_eq!(owners, accounts, "{scope:?}");
            for since in [None, Timestamp::from_unix(0)] {
                let jobs = store.jobs_within(&scope.filter(), since, (0, i64::MAX), AT_ONCE).await.unwrap();
                // Lists of jobs show none of projects.
                let expected: Vec<i64> = accounts.iter().copied().filter(|account| *account != 6).collect();
                assert_eq!(jobs.iter().map(|id| id % PART).collect::<Vec<_>>(), expected, "{scope:?} {since:?}");
            }

            let mut telling = telling(&store, scope, Stage::Events { after: 0, end, low: end });
            let (mut told, mut steps) = (String::new(), 0);
            while !matches!(telling.stage, Stage::Present) {
                assert!(telling.step(&mut told).await.unwrap());
                steps += 1;
            }
            assert_eq!(steps, 3 + 1 + 2, "parts of events, open jobs, parts of ended ones");
            assert_eq!(told.matches("event: event\n").count(), 3 * accounts.len(), "{told}");
            let jobs = accounts.iter().filter(|account| **account != 6).count();
            assert_eq!(told.matches("event: job\n").count(), 2 * jobs, "{told}");
        }
    }

    #[tokio::test]
    async fn no_stage_outlives_the_longest_stream() {
        let store = store().await;
        let (after, end, low) = (0, 3 * PART, 0);
        for stage in [
            Stage::Greeting,
            Stage::Waiting,
            Stage::Events { after, end, low },
            Stage::Open { after, low },
            Stage::Ended { after, end, low },
            Stage::Present,
        ] {
            let mut telling = telling(&store, scope(None, None), stage);
            telling.until = Instant::now();
            assert!(telling.next().await.unwrap().is_none(), "{stage:?}");
        }
    }
}
