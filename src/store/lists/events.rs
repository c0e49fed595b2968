//! What happened and what wants attention: the filters of the lists (`contract/entities.md 1.17, 1.19`), the wide rows, and
//! putting them away.

use std::collections::HashMap;

use super::{Condition, Owners, Window};
use crate::model::entity::EntityKind;
use crate::model::{Timestamp, signed};
use crate::store::{Row, Store, StoreError, Value, transact};

/// What `listEvents` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Whose events.
    pub owners: Owners,
    /// Only this one.
    pub id: Option<i64>,
    /// A word in type, description or level.
    pub keyword: Option<String>,
    /// `INFO`, `WARN` or `ERROR`.
    pub level: Option<String>,
    /// Exactly this type.
    pub kind: Option<String>,
    /// `Created`, `Scheduled`, `Started` or `Completed`.
    pub state: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Not after.
    pub until: Option<Timestamp>,
    /// The event that began a chain, and those that followed it.
    pub chain: Option<i64>,
    /// About a thing of this kind: CloudStack's word.
    pub resource_type: Option<String>,
    /// About the thing with this internal id.
    pub resource_id: Option<i64>,
    /// True for those that were put away, else the others.
    pub archived: bool,
    /// True to leave out what only root admins see.
    pub hide_internal: bool,
}

impl EventFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::default();
        let few = self.id.is_some() || self.chain.is_some() || self.resource_id.is_some();
        if few {
            condition.rare();
        }
        // Few events are meant: a sign keeps the index of all pages out of the way, as for `removed`.
        condition.equal(if few { "+t.archived" } else { "t.archived" }, Some(self.archived));
        self.owners.narrow(&mut condition);
        condition.equal("t.id", self.id);
        condition.contains(&["t.type", "t.description", "t.level"], self.keyword.as_deref());
        condition.equal("t.level", self.level.as_ref());
        condition.equal("t.type", self.kind.as_ref());
        condition.equal("t.state", self.state.as_ref());
        condition.equal("t.resource_type", self.resource_type.as_ref());
        condition.equal("t.resource_id", self.resource_id);
        condition.between("t.created", self.from, self.until);
        if let Some(start) = self.chain {
            // Not OR: either half of this one comes from an index.
            let text = "t.id IN (SELECT ? UNION SELECT id FROM event WHERE start_id = ?)";
            condition.and(text, [start.into(), start.into()]);
        }
        if self.hide_internal {
            condition.and("t.display = 1", []);
        }
        condition
    }
}

/// What `listAlerts` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// A word in the subject.
    pub keyword: Option<String>,
    /// The number of its type.
    pub kind: Option<i64>,
    /// The name of its type.
    pub name: Option<String>,
}

impl AlertFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::default();
        condition.and("t.archived = 0", []);
        condition.equal("t.id", self.id);
        condition.contains(&["t.subject"], self.keyword.as_deref());
        condition.equal("t.type", self.kind);
        condition.equal("t.name", self.name.as_ref());
        condition
    }
}

/// The column with the name of a thing.
const fn name_column(kind: EntityKind) -> Option<&'static str> {
    match kind {
        EntityKind::Account => Some("account_name"),
        EntityKind::User => Some("username"),
        EntityKind::AsyncJob | EntityKind::HypervisorCapabilities => None,
        _ => Some("name"),
    }
}

/// What `archiveEvents`, `deleteEvents` and their fellows for alerts mean.
#[derive(Clone, Debug, Default)]
pub struct PutAway {
    /// Only these.
    pub ids: Option<Vec<i64>>,
    /// Only those of this type: a word for events, a number for alerts.
    pub kind: Option<Value>,
    /// From this moment on.
    pub from: Option<Timestamp>,
    /// Until this moment.
    pub until: Option<Timestamp>,
    /// Whose; alerts belong to nobody.
    pub owners: Owners,
}

impl PutAway {
    fn condition(&self, time_column: &str) -> Condition {
        let mut condition = Condition::default();
        condition.equal("t.archived", Some(false));
        self.owners.narrow(&mut condition);
        condition.one_of("t.id", self.ids.as_deref());
        condition.equal("t.type", self.kind.clone());
        condition.between(time_column, self.from, self.until);
        condition
    }
}

impl Store {
    /// How many events there are, and the ids of a page. The first page holds the newest; inside a page they stand by who caused
    /// them, those of one user oldest first, as in CloudStack's recorded pages.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn events_page(&self, filter: &EventFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        let (count, mut ids) = self.page("event t", &filter.condition(), "t.created DESC, t.id DESC", window).await?;
        let rows = self.rows_of("SELECT id, user_id FROM event WHERE id IN ({ids})", &ids, &[]).await?;
        let users: HashMap<i64, i64> =
            rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect::<Result<_, StoreError>>()?;
        ids.sort_unstable_by_key(|id| (users.get(id).copied(), *id));
        Ok((count, ids))
    }

    /// Events with who caused and who owns them, and the event that began their chain.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn event_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT t.id, t.uuid, t.type, t.level, t.description, t.state, t.created, t.archived, t.resource_type, \
            t.resource_id, u.username, a.account_name, a.type AS account_type, d.uuid AS domain_uuid, \
            d.name AS domain_name, d.path AS domain_path, p.uuid AS project_uuid, p.name AS project_name, \
            s.uuid AS start_uuid FROM event t LEFT JOIN user u ON u.id = t.user_id \
            LEFT JOIN account a ON a.id = t.account_id LEFT JOIN domain d ON d.id = t.domain_id \
            LEFT JOIN projects p ON p.project_account_id = t.account_id \
            LEFT JOIN event s ON s.id = t.start_id AND t.start_id > 0 WHERE t.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }

    /// Public id and name of things of one kind, by internal id. A thing that gave its public id away has none.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn names_of(
        &self,
        kind: EntityKind,
        ids: &[i64],
    ) -> Result<HashMap<i64, (Option<String>, Option<String>)>, StoreError> {
        let name = name_column(kind).unwrap_or("NULL");
        let sql = format!("SELECT id, uuid, {name} AS name FROM `{}` WHERE id IN ({{ids}})", kind.table());
        self.rows_of(&sql, ids, &[]).await?.iter().map(|row| Ok((row.at(0)?, (row.at(1)?, row.at(2)?)))).collect()
    }

    /// How many alerts there are, and the ids of a page: the one that was sent last comes first.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn alerts_page(&self, filter: &AlertFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("alert t", &filter.condition(), "t.last_sent DESC, t.id DESC", window).await
    }

    /// Alerts.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn alert_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT id, uuid, type, name, subject, last_sent FROM alert WHERE id IN ({ids})";
        self.wide_rows(sql, ids).await
    }

    /// Puts events away, so that lists do not show them; gives how many.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn events_archive(&self, which: &PutAway) -> Result<u64, StoreError> {
        self.put_away("UPDATE event SET archived = 1 WHERE", "event", which, "t.created").await
    }

    /// Deletes events; gives how many.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn events_delete(&self, which: &PutAway) -> Result<u64, StoreError> {
        self.put_away("DELETE FROM event WHERE", "event", which, "t.created").await
    }

    /// Puts alerts away, so that lists do not show them; gives how many.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn alerts_archive(&self, which: &PutAway) -> Result<u64, StoreError> {
        self.put_away("UPDATE alert SET archived = 1 WHERE", "alert", which, "t.last_sent").await
    }

    /// Deletes alerts; gives how many.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn alerts_delete(&self, which: &PutAway) -> Result<u64, StoreError> {
        self.put_away("DELETE FROM alert WHERE", "alert", which, "t.last_sent").await
    }

    /// Asked for ids, it changes all of them or nothing.
    async fn put_away(&self, change: &str, table: &str, which: &PutAway, time_column: &str) -> Result<u64, StoreError> {
        let condition = which.condition(time_column);
        transact!(self, StoreError, |tx| {
            tx.may_take_long();
            if let Some(ids) = &which.ids {
                let sql = format!("SELECT COUNT(*) FROM {table} t WHERE {}", condition.shown());
                let found: i64 = tx.row(&sql, condition.args.clone()).await?.map_or(Ok(0), |row| row.at(0))?;
                if found != signed(ids.len()) {
                    return Ok(0);
                }
            }
            // The ids go through a table of their own: MySQL does not let a statement read what it changes.
            let sql = format!(
                "{change} id IN (SELECT id FROM (SELECT t.id FROM {table} t WHERE {}) AS found)",
                condition.shown()
            );
            Ok(tx.run(&sql, condition.args.clone()).await?.rows)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn plan(store: &Store, filter: &EventFilter) -> String {
        filter.condition().plan(store, "event").await
    }

    #[tokio::test]
    async fn pages_come_from_an_index_in_their_order() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let owned = Owners { accounts: Some(vec![3]), ..Owners::default() };
        for (filter, index) in [
            (EventFilter::default(), "COVERING INDEX i_event__page"),
            (EventFilter { owners: owned, ..EventFilter::default() }, "COVERING INDEX i_event__account_page"),
            (
                EventFilter { kind: Some("VM.MIGRATE".into()), ..EventFilter::default() },
                "COVERING INDEX i_event__type_page",
            ),
            (
                EventFilter { level: Some("ERROR".into()), ..EventFilter::default() },
                "COVERING INDEX i_event__level_page",
            ),
        ] {
            let plan = plan(&store, &filter).await;
            assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
        }
        let about =
            EventFilter { resource_type: Some("Volume".into()), resource_id: Some(5), ..EventFilter::default() };
        let begun = EventFilter { chain: Some(7), ..EventFilter::default() };
        for (filter, index) in [(about, "i_event__resource"), (begun, "i_event__start_id")] {
            let plan = plan(&store, &filter).await;
            assert!(plan.contains(index), "{filter:?}: {plan}");
        }
    }
}
