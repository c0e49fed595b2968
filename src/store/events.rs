//! Events: what happened, in the order and the words of CloudStack (`contract/migration.md` 1.3, 1.4).

use super::changes::clipped;
use super::{StoreError, Tx};
use crate::args;
use crate::model::Timestamp;

/// An event to be written.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// `VOLUME.MIGRATE`, `VM.MIGRATE`...
    pub kind: String,
    /// `Scheduled`, `Started` or `Completed`.
    pub state: &'static str,
    /// `INFO` or `ERROR`.
    pub level: &'static str,
    /// The text.
    pub description: String,
    /// The caller's user.
    pub user_id: i64,
    /// The account that the event belongs to.
    pub account_id: i64,
    /// That account's domain.
    pub domain_id: i64,
    /// What it is about: CloudStack's type name and the internal id.
    pub resource: Option<(String, i64)>,
    /// The event that began the chain; 0 for the first.
    pub start_id: i64,
}

impl Tx {
    /// Writes an event and gives its internal id.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn event_insert(&mut self, event: &NewEvent) -> Result<i64, StoreError> {
        let sql = "INSERT INTO event (uuid, type, state, description, user_id, account_id, domain_id, resource_id, resource_type, \
            created, level, start_id, archived, display) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, 1)";
        let (resource_type, resource_id) = event.resource.clone().unzip();
        let args = args![
            uuid::Uuid::new_v4().to_string(),
            &event.kind,
            event.state,
            clipped(&event.description, 1024),
            event.user_id,
            event.account_id,
            event.domain_id,
            resource_id,
            resource_type,
            Timestamp::now(),
            event.level,
            event.start_id
        ];
        Ok(self.run(sql, args).await?.id)
    }
}
