//! `streamEvents`: news of jobs and events as they happen, as server-sent events. CloudStack has no such thing.
//!
//! Nothing is lost between two streams: each piece of news has a place, and who comes back with the last one goes on from
//! there. Some things may be told twice.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, timeout, timeout_at};

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

/// How far a stream is.
enum Stage {
    /// Nothing has been sent.
    Greeting,
    /// It is not sure yet that everything from now on will be told.
    Waiting,
    /// Events that were written before are told, from this one on.
    Events { after: i64, low: i64 },
    /// Jobs are told as they are now.
    Jobs { ids: Vec<i64>, low: i64 },
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
    until: Instant,
}

impl Telling {
    /// The next piece; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        loop {
            let mut out = String::new();
            match &self.stage {
                Stage::Greeting => {
                    self.stage = Stage::Waiting;
                    // Who is told nothing before the connection breaks goes on from here too.
                    out = format!("retry: {COME_BACK_MS}\nid: {}\n\n", self.from);
                }
                Stage::Waiting => match timeout(HEARTBEAT, self.subscription.begin()).await {
                    Ok(Some(low)) => self.stage = Stage::Events { after: self.from.event_id, low },
                    Ok(None) => return Ok(None),
                    Err(_) => out.push_str(":\n\n"),
                },
                Stage::Events { after, low } => self.past_events(*after, *low, &mut out).await?,
                Stage::Jobs { low, .. } => self.jobs_now(*low, &mut out).await?,
                Stage::Present => {
                    if !self.present(&mut out).await {
                        return Ok(None);
                    }
                }
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
    }

    async fn past_events(&mut self, after: i64, low: i64, out: &mut String) -> Result<(), StoreError> {
        let marks = self.store.events_after(after, AT_ONCE).await?;
        let last = marks.last().map(|mark| mark.id);
        let is_last = marks.len() < AT_ONCE;
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
        self.stage = match last {
            Some(after) if !is_last => Stage::Events { after, low },
            _ => Stage::Jobs { ids: self.jobs_to_tell().await?, low },
        };
        Ok(())
    }

    /// The jobs that have not ended, and to who comes back those that have meanwhile.
    async fn jobs_to_tell(&self) -> Result<Vec<i64>, StoreError> {
        if let Some(job) = self.scope.job {
            return Ok(vec![job.id]);
        }
        let mut ids = self.store.jobs_open().await?;
        if self.is_resumed
            && let Some(since) = Timestamp::from_unix(self.from.at - OVERLAP_S)
        {
            ids.extend(self.store.jobs_ended_since(since).await?);
            ids.sort_unstable();
            ids.dedup();
        }
        Ok(ids)
    }

    async fn jobs_now(&mut self, low: i64, out: &mut String) -> Result<(), StoreError> {
        let Stage::Jobs { ids, .. } = std::mem::replace(&mut self.stage, Stage::Present) else { return Ok(()) };
        let (now, later) = ids.split_at(ids.len().min(AT_ONCE));
        let rows = self.store.jobs_by_ids(now).await?;
        let mut motions = self.store.motions_of_jobs(now).await?;
        for row in rows {
            let news = News::Job(Box::new(JobNews { motion: motions.remove(&row.id), row }));
            if self.scope.covers(&news) {
                // The others have not been told yet.
                let cursor = Cursor { event_id: low, at: self.from.at };
                self.write(cursor, &news, out);
            }
        }
        if !later.is_empty() {
            self.stage = Stage::Jobs { ids: later.to_vec(), low };
        }
        Ok(())
    }

    /// What happens next, or a sign of life; false at the end.
    async fn present(&mut self, out: &mut String) -> bool {
        match timeout_at(self.until.min(Instant::now() + HEARTBEAT), self.subscription.next()).await {
            Ok(None) => return false,
            Ok(Some(item)) => {
                let is_old = matches!(&item.news, News::Event(event) if self.told.remove(&event.mark.id));
                if !is_old {
                    self.write(item.cursor, &item.news, out);
                }
            }
            Err(_) => out.push_str(":\n\n"),
        }
        Instant::now() < self.until
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
