//! What is new: events by their numbers, and jobs that have not ended or have lately.

use super::Condition;
use crate::args;
use crate::model::{Timestamp, signed};
use crate::store::{Row, Store, StoreError};

/// An event, with what decides who may see it.
#[derive(Clone, Debug)]
pub struct EventMark {
    /// Its internal number.
    pub id: i64,
    /// The event that began its chain; 0 for the first.
    pub start_id: i64,
    /// The account that it belongs to.
    pub account_id: i64,
    /// The path of its domain.
    pub domain_path: String,
    /// Whether its account is that of a project.
    pub is_of_project: bool,
    /// Whether only root admins see it.
    pub is_internal: bool,
    /// When it was written.
    pub created: Timestamp,
}

/// Whose news are read, as the lists of events and jobs are narrowed (`contract/api-protocol.md 6.2`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewsFilter {
    /// Only what is this account's. Without it events of projects are left out.
    pub account_id: Option<i64>,
    /// Only what is in the domain with this path or, when the flag is set, below it.
    pub domain: Option<(String, bool)>,
    /// True to leave out events that only root admins see.
    pub hide_internal: bool,
    /// Only the event with this number and those that followed it.
    pub chain: Option<i64>,
}

impl NewsFilter {
    /// Adds whose they are, by the columns with the numbers of account and domain.
    fn owned(&self, condition: &mut Condition, account: &str, domain: &str) {
        condition.equal(account, self.account_id);
        match &self.domain {
            None => {}
            Some((path, true)) => condition.in_tree(domain, Some(path.as_str())),
            Some((path, false)) => {
                condition.and(&format!("{domain} IN (SELECT id FROM domain WHERE path = ?)"), [path.into()]);
            }
        }
    }

    fn events(&self, (after, until): (i64, i64)) -> Condition {
        let mut condition = Condition::default();
        condition.and("t.id > ? AND t.id <= ? AND t.archived = 0", args![after, until]);
        self.owned(&mut condition, "t.account_id", "t.domain_id");
        if self.hide_internal {
            condition.and("t.display = 1", []);
        }
        if self.account_id.is_none() {
            condition.and("t.account_id NOT IN (SELECT id FROM account WHERE type = 5)", []);
        }
        if let Some(start) = self.chain {
            // Not OR: either half of this one comes from an index.
            let text = "t.id IN (SELECT ? UNION SELECT id FROM event WHERE start_id = ?)";
            condition.and(text, args![start, start]);
        }
        condition
    }

    fn jobs(&self, ended_since: Option<Timestamp>, (after, until): (i64, i64)) -> Condition {
        let mut condition = Condition::default();
        condition.and("j.id > ? AND j.id <= ?", args![after, until]);
        match ended_since {
            None => condition.and("j.job_status = 0 AND j.removed IS NULL", []),
            Some(since) => condition.and("j.job_status <> 0 AND j.last_updated >= ?", args![since]),
        }
        self.owned(&mut condition, "j.account_id", "a.domain_id");
        condition
    }
}

const MARK: &str = "SELECT t.id, t.start_id, t.account_id, t.display, t.created, a.type AS account_type, d.path FROM event t \
    LEFT JOIN account a ON a.id = t.account_id LEFT JOIN domain d ON d.id = t.domain_id";

fn mark(row: &Row) -> Result<EventMark, StoreError> {
    Ok(EventMark {
        id: row.get("id")?,
        start_id: row.get("start_id")?,
        account_id: row.get("account_id")?,
        domain_path: row.get::<Option<String>>("path")?.unwrap_or_default(),
        is_of_project: row.get::<Option<i64>>("account_type")? == Some(5),
        is_internal: !row.get::<bool>("display")?,
        created: row.get("created")?,
    })
}

/// Jobs that lists show (`contract/api-protocol.md 7.5`).
const LISTED: &str = "FROM async_job j JOIN account a ON a.id = j.account_id \
    WHERE j.job_dispatcher = 'ApiAsyncJobDispatcher' AND a.type <> 5";

impl Store {
    /// The highest numbers of events and of jobs; 0 where there are none.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn feed_ends(&self) -> Result<(i64, i64), StoreError> {
        let last = async |table: &str| -> Result<i64, StoreError> {
            let row = self.db().row(&format!("SELECT MAX(id) FROM {table}"), vec![]).await?;
            Ok(row.map_or(Ok(None), |row| row.at::<Option<i64>>(0))?.unwrap_or_default())
        };
        Ok((last("event").await?, last("async_job").await?))
    }

    /// The next events after this one that are not put away, in the order of their numbers.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn events_after(&self, id: i64, limit: usize) -> Result<Vec<EventMark>, StoreError> {
        let sql = format!("{MARK} WHERE t.id > ? AND t.archived = 0 ORDER BY t.id LIMIT ?");
        self.db().rows(&sql, args![id, signed(limit)]).await?.iter().map(mark).collect()
    }

    /// The first of the events that a filter lets through, that are not put away and whose numbers lie between two, the second
    /// included, in the order of their numbers. A part of the numbers costs so much at the most, however few of its events are
    /// meant.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn events_within(
        &self,
        filter: &NewsFilter,
        part: (i64, i64),
        limit: usize,
    ) -> Result<Vec<EventMark>, StoreError> {
        let mut condition = filter.events(part);
        let sql = format!("{MARK} WHERE {} ORDER BY t.id LIMIT ?", condition.shown());
        condition.args.push(signed(limit).into());
        self.db().rows(&sql, condition.args).await?.iter().map(mark).collect()
    }

    /// The same of jobs, and of those their numbers alone: of the jobs that have not ended, or of those that have since.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn jobs_within(
        &self,
        filter: &NewsFilter,
        ended_since: Option<Timestamp>,
        part: (i64, i64),
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let mut condition = filter.jobs(ended_since, part);
        let sql = format!("SELECT j.id {LISTED} AND {} ORDER BY j.id LIMIT ?", condition.shown());
        condition.args.push(signed(limit).into());
        self.db().rows(&sql, condition.args).await?.iter().map(|row| row.at(0)).collect()
    }

    async fn job_ids(&self, more: &str, args: Vec<crate::store::Value>) -> Result<Vec<i64>, StoreError> {
        let sql = format!("SELECT j.id {LISTED} AND {more} ORDER BY j.id");
        self.db().rows(&sql, args).await?.iter().map(|row| row.at(0)).collect()
    }

    /// The jobs with higher numbers than this one.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn jobs_after(&self, id: i64) -> Result<Vec<i64>, StoreError> {
        self.job_ids("j.id > ?", args![id]).await
    }

    /// The jobs that have not ended.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn jobs_open(&self) -> Result<Vec<i64>, StoreError> {
        self.job_ids("j.job_status = 0 AND j.removed IS NULL", vec![]).await
    }

    /// The event that announced a job of a gateway; 0 for another's.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn job_start_event(&self, job_id: i64) -> Result<i64, StoreError> {
        let row = self.db().row("SELECT start_event_id FROM motion_job WHERE job_id = ?", args![job_id]).await?;
        Ok(row.map_or(Ok(None), |row| row.at::<Option<i64>>(0))?.unwrap_or_default())
    }
}
