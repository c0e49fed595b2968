//! Jobs as those see them who poll: many who ask about the same job cost one question to the database, and a gateway that
//! runs a job tells how far it is without any.
//!
//! A sight is used for [`FRESH`], by the others while one reads it again for as long once more. So what another gateway writes
//! is seen within half a second, and what this one writes at once: a commit forgets the sight of the job that it is about. One of a
//! job that has ended, or whose motion this gateway watches, is used for [`FRESH_AT_HOME`] and longer.
//! How far a motion is comes often and matters little once more is known; it is shown at once and written down a moment
//! later, together with that of the other motions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::jobs::jobs_accepting;
use super::kept::{Kept, Look};
use super::writes::{TableSet, Touched};
use super::{Claim, JobRow, MotionProgress, MotionRow, Store, StoreError, Value, transact};
use crate::args;
use crate::model::{JobEvent, Timestamp};

/// For how long a sight is used of a job that another gateway may change.
const FRESH: Duration = Duration::from_millis(250);
/// For how long a sight is used of a job that has ended, or that this gateway is moving: only a name in it can be another by
/// then, or its row be gone. News of a motion count for as long. Ten thousand motions that are polled would be the better part
/// of what the database has to do if this were shorter.
const FRESH_AT_HOME: Duration = NEWS_COUNT;
/// How long ago a sight of a job that this gateway is moving may have been read to be confirmed: each writing of its news finds that the
/// job goes on and is still this gateway's. Then only that somebody elsewhere wishes it to stop is not seen before.
const FRESH_WHILE_MINE: Duration = Duration::from_secs(60);
/// For how long the number of a job is used: it never has another one, and what is read under it may be nothing.
const FRESH_NUMBER: Duration = Duration::from_secs(60);
/// How many jobs are kept in sight.
const MOST_JOBS: usize = 16_384;
/// How long after its first news progress is written down.
const WRITTEN_AFTER: Duration = Duration::from_millis(500);
/// How many motions share a transaction: on SQLite whoever submits waits for it.
const WRITTEN_AT_ONCE: usize = 256;
/// For how long the last news of a motion counts as its state, although another gateway may have taken its job over.
const NEWS_COUNT: Duration = Duration::from_secs(15);

const MOTION_SQL: &str = "UPDATE motion_migration SET bytes_done = ?, bytes_total = ?, bytes_per_second = ?, host_phase = ?, \
    progress_source = ?, changed_at = ?, updated = ? WHERE id = ? AND phase = 'sent'";

const OWNERS_SQL: &str = "SELECT m.job_id, m.epoch FROM motion_job m JOIN async_job j ON j.id = m.job_id \
    WHERE j.job_status = 0 AND m.job_id IN ({ids})";

/// A job with the newest motion that it carries out.
#[derive(Clone, Debug)]
pub struct JobSight {
    /// The job.
    pub job: JobRow,
    /// The motion; none for jobs that move nothing, or nothing yet.
    pub motion: Option<MotionRow>,
}

/// Which motion of which job moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moving {
    /// The job, internal id.
    pub job_id: i64,
    /// The motion, internal id.
    pub motion_id: i64,
}

/// What is in sight. One for each database.
#[derive(Debug)]
pub(super) struct Sights {
    jobs: Kept<i64, Arc<JobSight>>,
    numbers: Kept<String, i64>,
    /// Advanced by what may concern any job.
    changes: AtomicU64,
    news: Mutex<HashMap<i64, News>>,
    is_writing: AtomicBool,
}

/// How far a motion is, as this gateway has been told.
#[derive(Clone, Debug)]
struct News {
    moving: Moving,
    claim: Option<Claim>,
    progress: MotionProgress,
    at: Instant,
    changed: Timestamp,
    is_first: bool,
    is_written: bool,
}

impl Default for Sights {
    fn default() -> Self {
        Self {
            jobs: Kept::new(MOST_JOBS),
            numbers: Kept::new(MOST_JOBS),
            changes: AtomicU64::default(),
            news: Mutex::default(),
            is_writing: AtomicBool::default(),
        }
    }
}

/// Which jobs a transaction changes something about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum About {
    /// It was not said: any.
    #[default]
    Unsaid,
    /// This one.
    Job(i64),
    /// Several.
    Several,
    /// What is written is known here already.
    Known,
}

impl About {
    /// This job too.
    pub(super) fn with(self, job_id: i64) -> Self {
        match self {
            Self::Unsaid => Self::Job(job_id),
            Self::Job(known) if known == job_id => self,
            _ => Self::Several,
        }
    }
}

/// The tables that a sight is read from. Of the others it has names only.
static SEEN: LazyLock<TableSet> = LazyLock::new(|| TableSet::of(&["async_job", "motion_migration", "motion_cancel"]));

/// See [`Sights::once_done`].
#[must_use]
pub(super) struct Seen<'a> {
    sights: &'a Sights,
    about: About,
}

impl Drop for Seen<'_> {
    fn drop(&mut self) {
        match self.about {
            About::Unsaid | About::Several => {
                self.sights.changes.fetch_add(1, Ordering::AcqRel);
            }
            About::Job(job_id) => self.sights.jobs.forget(&job_id),
            About::Known => {}
        }
    }
}

impl Sights {
    /// Takes what may have changed out of sight when the guard is dropped: also when the change failed, or nobody waits for
    /// its end any more, as it may have been made all the same.
    pub(super) fn once_done(&self, touched: Touched, about: About) -> Seen<'_> {
        Seen { sights: self, about: if touched.is_any_of(*SEEN) { about } else { About::Known } }
    }

    fn stamp(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    fn news(&self) -> MutexGuard<'_, HashMap<i64, News>> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, moving: Moving, claim: Option<Claim>, progress: MotionProgress) {
        let (at, changed) = (Instant::now(), Timestamp::now());
        let mut all = self.news();
        // The first is the first until it is written, however often more is told meanwhile.
        let is_first = all.get(&moving.job_id).is_none_or(|known| known.is_first && !known.is_written);
        let news = News { moving, claim, progress, at, changed, is_first, is_written: false };
        self.jobs.change(&moving.job_id, |sight| *sight = Arc::new(news.shown_in(sight)));
        all.insert(moving.job_id, news);
    }

    /// The latest news of a job that counts.
    fn news_of(&self, job_id: i64) -> Option<News> {
        self.news().get(&job_id).filter(|news| news.at.elapsed() < NEWS_COUNT).cloned()
    }

    /// What is not written down yet.
    fn unwritten(&self) -> Vec<News> {
        let mut all = self.news();
        all.retain(|_, news| !news.is_written || news.at.elapsed() < NEWS_COUNT);
        all.values().filter(|news| !news.is_written).cloned().collect()
    }

    /// Drops news of a job that another gateway has claimed.
    fn drop_news(&self, job_id: i64) {
        self.news().remove(&job_id);
        self.jobs.forget(&job_id);
    }

    fn written(&self, written: &[News]) {
        let mut all = self.news();
        for news in written {
            self.jobs.confirm(&news.moving.job_id, FRESH_WHILE_MINE);
            if let Some(known) = all.get_mut(&news.moving.job_id)
                && known.at == news.at
            {
                known.is_written = true;
            }
        }
    }
}

impl News {
    /// The arguments of [`MOTION_SQL`].
    fn motion_args(&self) -> Vec<Value> {
        let progress = &self.progress;
        args![
            progress.bytes_done,
            progress.bytes_total,
            progress.bytes_per_second,
            progress.host_phase.as_deref().map(|word| super::changes::clipped(word, 32)),
            progress.source,
            self.changed,
            self.changed,
            self.moving.motion_id
        ]
    }

    /// The sight with this news, if the motion is still the one that it is about and has not ended.
    fn shown_in(&self, sight: &JobSight) -> JobSight {
        let mut seen = sight.clone();
        let Some(motion) = seen.motion.as_mut() else { return seen };
        if seen.job.status != 0 || motion.id != self.moving.motion_id || motion.phase != "sent" {
            return seen;
        }
        seen.job.percent = self.progress.percent();
        motion.bytes_done = self.progress.bytes_done;
        motion.bytes_total = self.progress.bytes_total;
        motion.bytes_per_second = self.progress.bytes_per_second;
        motion.host_phase.clone_from(&self.progress.host_phase);
        motion.progress_source = Some(self.progress.source.to_owned());
        motion.changed = Some(self.changed);
        motion.updated = self.changed;
        seen
    }
}

impl Store {
    /// The internal number of a job with this public id; `None` when there never was one.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub(super) async fn job_number(&self, uuid: &str) -> Result<Option<i64>, StoreError> {
        let sights = self.db().sights();
        let reading = match sights.numbers.look(uuid, sights.stamp()) {
            Look::Known(number) => return Ok(Some(number)),
            Look::Read(reading) => reading,
        };
        let row = self.db().row("SELECT id FROM async_job WHERE uuid = ?", args![uuid]).await?;
        let number = row.map(|row| row.at(0)).transpose()?;
        if let Some(number) = number {
            reading.keep(number, FRESH_NUMBER);
        }
        Ok(number)
    }

    /// The job with this internal id and its newest motion, as they are here, or were half a second ago elsewhere.
    ///
    /// # Errors
    /// See [`Store::job_by_id`].
    pub async fn job_sight(&self, job_id: i64) -> Result<Option<Arc<JobSight>>, StoreError> {
        let sights = self.db().sights();
        let reading = match sights.jobs.look(&job_id, sights.stamp()) {
            Look::Known(sight) => return Ok(Some(sight)),
            Look::Read(reading) => reading,
        };
        let Some(job) = self.job_by_id(job_id).await? else { return Ok(None) };
        let sight = self.sight_of(job).await?;
        if let Look::Read(number) = sights.numbers.look(&sight.job.uuid, sights.stamp()) {
            number.keep(job_id, FRESH_NUMBER);
        }
        let is_home = sight.job.status != 0 || sights.news_of(job_id).is_some();
        reading.keep(Arc::clone(&sight), if is_home { FRESH_AT_HOME } else { FRESH });
        Ok(Some(sight))
    }

    /// A job that has just been read, with its newest motion.
    ///
    /// # Errors
    /// See [`Store::motions_of_job`].
    pub async fn sight_of(&self, job: JobRow) -> Result<Arc<JobSight>, StoreError> {
        let motion = self.motions_of_job(job.id).await?.pop();
        let news = self.db().sights().news_of(job.id);
        let sight = JobSight { job, motion };
        Ok(Arc::new(match news {
            Some(news) => news.shown_in(&sight),
            None => sight,
        }))
    }

    /// Tells how far a motion is: at once to those who ask this gateway, and to all once it is written down with that of other
    /// motions. What was told last before a gateway dies may be lost; where the disk is never depends on it.
    pub fn motion_progress(&self, moving: Moving, progress: MotionProgress) {
        let sights = self.db().sights();
        sights.tell(moving, self.claim, progress);
        if !sights.is_writing.swap(true, Ordering::AcqRel) {
            tokio::spawn(self.clone().write_progress());
        }
    }

    /// Writes down at once what was told last of the motion of a job: it is over, and how far it came belongs to its history.
    ///
    /// # Errors
    /// See [`Store::job_by_id`].
    pub async fn motion_progress_end(&self, job_id: i64) -> Result<(), StoreError> {
        let sights = self.db().sights();
        let last = sights.news().get(&job_id).filter(|news| !news.is_written).cloned();
        let Some(last) = last else { return Ok(()) };
        self.write_some(std::slice::from_ref(&last)).await?;
        sights.written(&[last]);
        Ok(())
    }

    /// Writes down what is not, until nothing is left.
    async fn write_progress(self) {
        loop {
            tokio::time::sleep(WRITTEN_AFTER).await;
            let sights = self.db().sights();
            let unwritten = sights.unwritten();
            if unwritten.is_empty() {
                sights.is_writing.store(false, Ordering::Release);
                // Somebody may have told something between the two and seen that there is a writer.
                if sights.unwritten().is_empty() || sights.is_writing.swap(true, Ordering::AcqRel) {
                    return;
                }
                continue;
            }
            for some in unwritten.chunks(WRITTEN_AT_ONCE) {
                match self.write_some(some).await {
                    Ok(()) => {
                        sights.written(some);
                        let first = some.iter().filter(|news| news.is_first);
                        let first: Vec<i64> = first.map(|news| news.moving.job_id).collect();
                        if !first.is_empty() {
                            tokio::spawn(self.clone().look_at(first));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(cause = %crate::telemetry::chain(&error), "progress could not be noted");
                        break;
                    }
                }
            }
        }
    }

    /// Whoever asked for a motion will ask how far it is: what thousands ask for in the same second is known then. What cannot
    /// be read is read by them.
    async fn look_at(self, jobs: Vec<i64>) {
        for job_id in jobs {
            let _ = self.job_sight(job_id).await;
        }
    }

    /// Writes the news of some jobs down, but of those only that have not ended and that no other gateway has claimed since.
    async fn write_some(&self, some: &[News]) -> Result<(), StoreError> {
        let store = Self { claim: None, ..self.clone() };
        let job_ids: Vec<i64> = some.iter().map(|news| news.moving.job_id).collect();
        let rows = store.rows_of(OWNERS_SQL, &job_ids, &[]).await?;
        let epochs = rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?)));
        let epochs = epochs.collect::<Result<HashMap<i64, i64>, StoreError>>()?;
        let is_mine = |news: &&News| news.claim.is_none_or(|claim| epochs.get(&claim.job_id) == Some(&claim.epoch));
        let (mut mine, theirs): (Vec<&News>, Vec<&News>) = some.iter().partition(is_mine);
        theirs.iter().for_each(|news| self.db().sights().drop_news(news.moving.job_id));
        // Always in the same order, so that two who write wait for each other instead of both for ever.
        mine.sort_unstable_by_key(|news| news.moving.job_id);
        let job_sql = format!(
            "UPDATE async_job SET job_process_status = ? WHERE id = ? AND job_process_status <> ? AND {}",
            jobs_accepting(JobEvent::Advance)
        );
        transact!(store, StoreError, |tx| {
            tx.tells_nothing_new();
            for news in &mine {
                tx.run(MOTION_SQL, news.motion_args()).await?;
                let percent = news.progress.percent();
                tx.run(&job_sql, args![percent, news.moving.job_id, percent]).await?;
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::JobStatus;
    use crate::store::{NewJob, NewMotion, Server, Submission};

    /// A job that has sent its motion.
    async fn moving(store: &Store) -> Moving {
        let job = NewJob {
            uuid: "job".to_owned(),
            command: "migrateVolume".to_owned(),
            class: "MigrateVolumeCmd".to_owned(),
            parameters: "{}".to_owned(),
            user_id: 2,
            account_id: 2,
            instance: None,
            request_id: "test".to_owned(),
            submission: Submission { digest: "0".repeat(64), key: None, custom_id: None, joins_equal: false },
        };
        let motion = |job_id| NewMotion {
            uuid: "motion".to_owned(),
            job_id,
            kind: "live-volume".to_owned(),
            strategy: "test".to_owned(),
            vm: None,
            source_host_id: 1,
            target_host_id: None,
            bytes_total: 100,
            stall_s: 600,
            stall_origin: "test".to_owned(),
            unreachable_s: 300,
            unreachable_origin: String::new(),
            disks: Vec::new(),
        };
        let server = Server { id: 1, uuid: String::new(), name: String::new(), epoch: 1 };
        let moving = transact!(store, StoreError, |tx| {
            let job_id = tx.job_insert(&job, 1, &server).await?.job_id;
            Ok(Moving { job_id, motion_id: tx.motion_insert(&motion(job_id)).await? })
        });
        let moving = moving.unwrap();
        store.motion_sent(moving.motion_id, &[]).await.unwrap();
        moving
    }

    fn progress(bytes_done: i64) -> MotionProgress {
        MotionProgress { bytes_done, bytes_total: 100, bytes_per_second: Some(1), host_phase: None, source: "host" }
    }

    async fn written(store: &Store, moving: Moving) -> i64 {
        store.motion_by_id(moving.motion_id).await.unwrap().unwrap().bytes_done
    }

    #[tokio::test]
    async fn progress_is_shown_at_once_and_written_at_the_end() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let moving = moving(&store).await;
        assert_eq!(store.job_sight(moving.job_id).await.unwrap().unwrap().job.percent, 0);
        store.motion_progress(moving, progress(40));
        let seen = store.job_sight(moving.job_id).await.unwrap().unwrap();
        assert_eq!((seen.job.percent, seen.motion.as_ref().map(|motion| motion.bytes_done)), (40, Some(40)));
        store.motion_progress_end(moving.job_id).await.unwrap();
        assert_eq!(written(&store, moving).await, 40);
    }

    #[tokio::test]
    async fn what_is_written_here_is_seen_at_once() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let moving = moving(&store).await;
        store.motion_progress(moving, progress(40));
        assert_eq!(store.job_sight(moving.job_id).await.unwrap().unwrap().job.status, 0);
        let ended =
            transact!(store, StoreError, |tx| { tx.job_finish(moving.job_id, JobStatus::Failed, 530, "x").await });
        assert!(ended.unwrap());
        let seen = store.job_sight(moving.job_id).await.unwrap().unwrap();
        assert_eq!((seen.job.status, seen.job.percent), (2, 0), "what was told before is not shown of what has ended");
        store.db().run("DELETE FROM async_job WHERE id = ?", args![moving.job_id]).await.unwrap();
        assert!(store.job_sight(moving.job_id).await.unwrap().is_none());
        assert_eq!(store.job_number("job").await.unwrap(), None);
    }

    #[tokio::test]
    async fn what_a_superseded_gateway_tells_is_not_written() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let moving = moving(&store).await;
        let earlier = store.under(Claim { job_id: moving.job_id, epoch: 7 });
        earlier.motion_progress(moving, progress(40));
        earlier.motion_progress_end(moving.job_id).await.unwrap();
        assert_eq!(written(&store, moving).await, 0);
        let seen = store.job_sight(moving.job_id).await.unwrap().unwrap();
        assert_eq!(seen.job.percent, 0, "nor shown any longer");
    }
}
