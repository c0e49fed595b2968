//! What is new: events by their numbers, and jobs that have not ended or have lately.

use crate::args;
use crate::model::{Timestamp, signed};
use crate::store::{Store, StoreError};

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
        let sql = "SELECT t.id, t.start_id, t.account_id, t.display, t.created, a.type AS account_type, d.path FROM event t \
            LEFT JOIN account a ON a.id = t.account_id LEFT JOIN domain d ON d.id = t.domain_id \
            WHERE t.id > ? AND t.archived = 0 ORDER BY t.id LIMIT ?";
        let rows = self.db().rows(sql, args![id, signed(limit)]).await?;
        rows.iter()
            .map(|row| {
                Ok(EventMark {
                    id: row.get("id")?,
                    start_id: row.get("start_id")?,
                    account_id: row.get("account_id")?,
                    domain_path: row.get::<Option<String>>("path")?.unwrap_or_default(),
                    is_of_project: row.get::<Option<i64>>("account_type")? == Some(5),
                    is_internal: !row.get::<bool>("display")?,
                    created: row.get("created")?,
                })
            })
            .collect()
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

    /// The jobs that have ended since.
    ///
    /// # Errors
    /// See [`Store::feed_ends`].
    pub async fn jobs_ended_since(&self, since: Timestamp) -> Result<Vec<i64>, StoreError> {
        self.job_ids("j.job_status <> 0 AND j.last_updated >= ?", args![since]).await
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
