//! Events: what happened, in the order and the words of CloudStack (`contract/migration.md` 1.3, 1.4).

use super::{StoreError, Tx};
use crate::args;
use crate::model::{ROOT_DOMAIN, SYSTEM_ACCOUNT, SYSTEM_USER, Timestamp};

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

impl NewEvent {
    /// One of what nobody has asked for: it belongs to the system.
    #[must_use]
    pub fn of_system(
        kind: &str,
        (state, level): (&'static str, &'static str),
        description: String,
        resource: Option<(String, i64)>,
    ) -> Self {
        Self {
            kind: kind.to_owned(),
            state,
            level,
            description,
            user_id: SYSTEM_USER,
            account_id: SYSTEM_ACCOUNT,
            domain_id: ROOT_DOMAIN,
            resource,
            start_id: 0,
        }
    }
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
            self.fitting(&event.description, 1024),
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

/// What an event of a chain is about, read from the event that began it.
struct Chain {
    kind: String,
    user_id: i64,
    resource: Option<(String, i64)>,
    /// The domain of the account that its next event belongs to.
    domain_id: i64,
}

impl Tx {
    async fn chain(&mut self, start_id: i64, account_id: i64) -> Result<Option<Chain>, StoreError> {
        let sql = "SELECT e.type, e.user_id, e.resource_type, e.resource_id, a.domain_id FROM event e \
            LEFT JOIN account a ON a.id = ? WHERE e.id = ?";
        let Some(row) = self.row(sql, args![account_id, start_id]).await? else { return Ok(None) };
        let resource = row.get::<Option<String>>("resource_type")?.zip(row.get::<Option<i64>>("resource_id")?);
        let domain_id = row.get::<Option<i64>>("domain_id")?.unwrap_or(ROOT_DOMAIN);
        Ok(Some(Chain { kind: row.get("type")?, user_id: row.get("user_id")?, resource, domain_id }))
    }

    /// Writes that a job has begun its work, once: `description` with a capital letter. The event belongs to the caller. True when it
    /// had begun before.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn event_begin(&mut self, start_id: i64, account_id: i64, description: &str) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM event WHERE start_id = ? AND state = 'Started' LIMIT 1";
        if self.row(sql, args![start_id]).await?.is_some() {
            return Ok(true);
        }
        let mut letters = description.chars();
        let text = letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
        self.event_follow(start_id, account_id, ("Started", "INFO"), &text).await?;
        Ok(false)
    }

    /// Writes how a job has ended, if it had begun its work.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn event_complete(&mut self, start_id: i64, account_id: i64, succeeded: bool) -> Result<(), StoreError> {
        let sql = "SELECT description FROM event WHERE start_id = ? AND state = 'Started' LIMIT 1";
        let Some(row) = self.row(sql, args![start_id]).await? else { return Ok(()) };
        let started: String = row.at(0)?;
        let mut letters = started.chars();
        let text: String =
            letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect());
        let (level, text) = if succeeded {
            ("INFO", format!("Successfully completed {text}"))
        } else {
            ("ERROR", format!("Error while {text}"))
        };
        self.event_follow(start_id, account_id, ("Completed", level), &text).await
    }

    async fn event_follow(
        &mut self,
        start_id: i64,
        account_id: i64,
        (state, level): (&'static str, &'static str),
        text: &str,
    ) -> Result<(), StoreError> {
        let Some(chain) = self.chain(start_id, account_id).await? else { return Ok(()) };
        let event = NewEvent {
            kind: chain.kind,
            state,
            level,
            description: text.to_owned(),
            user_id: chain.user_id,
            account_id,
            domain_id: chain.domain_id,
            resource: chain.resource,
            start_id,
        };
        self.event_insert(&event).await?;
        Ok(())
    }
}
