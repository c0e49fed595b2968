//! The objects `event` and `alert` (`contract/entities.md 1.17, 1.19`).

use std::collections::HashMap;

use super::row::{domain_path, flag, number, text, time};
use crate::model::Timestamp;
use crate::model::entity::EntityKind;
use crate::store::{Row, Store, StoreError};

/// Things by word and internal id: their public ids and names.
type Things<'a> = HashMap<(&'a str, i64), (Option<String>, Option<String>)>;

/// What events are about: CloudStack's word, our kind, and the column that holds the name.
const RESOURCES: &[(&str, EntityKind, &str)] = &[
    ("VirtualMachine", EntityKind::Vm, "name"),
    ("Volume", EntityKind::Volume, "name"),
    ("User", EntityKind::User, "username"),
    ("Account", EntityKind::Account, "account_name"),
    ("Host", EntityKind::Host, "name"),
    ("StoragePool", EntityKind::StoragePool, "name"),
    ("Cluster", EntityKind::Cluster, "name"),
];

crate::response! {
    /// Something that happened.
    pub struct EventView as "event" {
        /// Its id.
        id: Option<String>,
        /// Who caused it.
        username: Option<String>,
        /// What it was, such as `VOLUME.MIGRATE`.
        kind "type": Option<String>,
        /// `INFO`, `WARN` or `ERROR`.
        level: Option<String>,
        /// What it was, in a sentence.
        description: Option<String>,
        /// The account that it belongs to.
        account: Option<String>,
        /// The id of the project that it belongs to.
        project_id "projectid": Option<String>,
        /// The name of the project.
        project: Option<String>,
        /// The id of the account's domain.
        domain_id "domainid": Option<String>,
        /// The name of the domain.
        domain: Option<String>,
        /// The path of the domain.
        domain_path "domainpath": Option<String>,
        /// The id of the thing that it is about.
        resource_id "resourceid": Option<String>,
        /// What that thing is.
        resource_type "resourcetype": Option<String>,
        /// The name of the thing.
        resource_name "resourcename": Option<String>,
        /// When it happened.
        created: Option<Timestamp>,
        /// `Scheduled`, `Started` or `Completed`.
        state: Option<String>,
        /// The event that began the chain.
        parent_id "parentid": Option<String>,
        /// Whether it was put away; only when it was.
        archived: Option<bool>,
    }
}

crate::response! {
    /// Something that wants attention.
    pub struct AlertView as "alert" {
        /// Its id.
        id: Option<String>,
        /// The number of its type.
        kind "type": Option<i64>,
        /// The name of its type, such as `ALERT.STORAGE`.
        name: Option<String>,
        /// What it says.
        description: Option<String>,
        /// When it was sent last.
        sent: Option<Timestamp>,
    }
}

/// The events with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn events(store: &Store, ids: &[i64]) -> Result<Vec<EventView>, StoreError> {
    let rows = store.event_rows(ids).await?;
    let mut things: Things<'_> = HashMap::new();
    for (word, kind, column) in RESOURCES {
        let mut wanted = Vec::new();
        for row in &rows {
            if text(row, "resource_type")?.as_deref() == Some(*word) {
                wanted.extend(number(row, "resource_id")?);
            }
        }
        if wanted.is_empty() {
            continue;
        }
        for row in store.names_of(*kind, column, &wanted).await? {
            things.insert((word, row.get("id")?), (text(&row, "uuid")?, text(&row, "name")?));
        }
    }
    rows.iter().map(|row| event(row, &things)).collect()
}

fn event(row: &Row, things: &Things<'_>) -> Result<EventView, StoreError> {
    let resource_type = text(row, "resource_type")?;
    let thing = resource_type.as_deref().zip(number(row, "resource_id")?).and_then(|key| things.get(&key));
    let project_id = text(row, "project_uuid")?;
    Ok(EventView {
        id: text(row, "uuid")?,
        username: text(row, "username")?,
        kind: text(row, "type")?,
        level: text(row, "level")?,
        description: text(row, "description")?,
        account: if project_id.is_some() { None } else { text(row, "account_name")? },
        project_id,
        project: text(row, "project_name")?,
        domain_id: text(row, "domain_uuid")?,
        domain: text(row, "domain_name")?,
        domain_path: text(row, "domain_path")?.as_deref().map(domain_path),
        resource_id: thing.and_then(|(id, _)| id.clone()),
        resource_name: thing.and_then(|(_, name)| name.clone()),
        resource_type,
        created: time(row, "created")?,
        state: text(row, "state")?,
        parent_id: text(row, "start_uuid")?,
        archived: flag(row, "archived")?.then_some(true),
    })
}

/// The alerts with these internal ids.
///
/// # Errors
/// See [`events`].
pub async fn alerts(store: &Store, ids: &[i64]) -> Result<Vec<AlertView>, StoreError> {
    let view = |row: &Row| {
        Ok(AlertView {
            id: text(row, "uuid")?,
            kind: number(row, "type")?,
            name: text(row, "name")?,
            description: text(row, "subject")?,
            sent: time(row, "last_sent")?,
        })
    };
    store.alert_rows(ids).await?.iter().map(view).collect()
}
