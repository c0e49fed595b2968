//! What happened and what wants attention: the filters of the lists (`contract/entities.md 1.17, 1.19`) and the wide rows.

use super::{Condition, Owners, Window};
use crate::model::Timestamp;
use crate::model::entity::EntityKind;
use crate::store::{Row, Store, StoreError};

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
    /// About this thing: its type and internal id.
    pub resource: Option<(String, i64)>,
    /// True for those that were put away, else the others.
    pub archived: bool,
}

impl EventFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::default();
        condition.equal("t.archived", Some(self.archived));
        condition.and("t.display = 1", []);
        self.owners.narrow(&mut condition);
        condition.equal("t.id", self.id);
        condition.contains(&["t.type", "t.description", "t.level"], self.keyword.as_deref());
        condition.equal("t.level", self.level.as_ref());
        condition.equal("t.type", self.kind.as_ref());
        condition.equal("t.state", self.state.as_ref());
        if let Some(from) = self.from {
            condition.and("t.created >= ?", [from.into()]);
        }
        if let Some(until) = self.until {
            condition.and("t.created <= ?", [until.into()]);
        }
        if let Some(start) = self.chain {
            condition.and("(t.id = ? OR t.start_id = ?)", [start.into(), start.into()]);
        }
        if let Some((kind, id)) = &self.resource {
            condition.and("t.resource_type = ? AND t.resource_id = ?", [kind.into(), (*id).into()]);
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

impl Store {
    /// How many events there are, and the ids of a page: the newest first.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn events_page(&self, filter: &EventFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("event t", &filter.condition(), "t.created DESC, t.id DESC", window).await
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
            LEFT JOIN event s ON s.id = t.start_id WHERE t.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }

    /// Public id and name of things of one kind, by their internal ids. The name is that of the column.
    ///
    /// # Errors
    /// See [`Store::events_page`].
    pub async fn names_of(&self, kind: EntityKind, name: &str, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = format!("SELECT id, uuid, {name} AS name FROM `{}` WHERE id IN ({{ids}})", kind.table());
        self.rows_of(&sql, ids, &[]).await
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
}
