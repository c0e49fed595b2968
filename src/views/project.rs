//! The object `project` (`contract/entities.md 1.16`).

use std::collections::HashMap;

use super::limits::{Limits, MachineLimitsView, StorageLimitsView, settings};
use super::row::{number, text, time};
use super::tag::{TagView, tags};
use super::words::Words;
use crate::api::Group;
use crate::model::Timestamp;
use crate::store::{Holder, ResourceKind, Row, Store, StoreError};

crate::response! {
    /// Who administers a project.
    pub struct ProjectOwnerView as "owner" {
        /// The name of the account.
        account: Option<String>,
        /// The id of the user, when it is not the whole account.
        user_id "userid": Option<String>,
        /// The name of that user.
        user: Option<String>,
    }
}

crate::response! {
    /// A project.
    pub struct ProjectView as "project", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// A text about it.
        display_text "displaytext": Option<String>,
        /// The id of its domain.
        domain_id "domainid": Option<String>,
        /// The name of its domain.
        domain: Option<String>,
        /// Who administers it.
        owners "owner": Vec<ProjectOwnerView>,
        /// The name of the account behind it.
        account_name "projectaccountname": Option<String>,
        /// `Active`, `Disabled` or `Suspended`.
        state: Option<String>,
        /// What people wrote on it.
        tags: Vec<TagView>,
        /// Limits and counts.
        storage: Group<StorageLimitsView>,
        /// Limits and counts.
        machines: Group<MachineLimitsView>,
        /// Machines that are stopped.
        vms_stopped "vmstopped": Option<i64>,
        /// Machines that run.
        vms_running "vmrunning": Option<i64>,
        /// When it was made.
        created: Option<Timestamp>,
    }
}

/// The projects with these internal ids. `words` are groups of [`super::OWNER_DETAILS`].
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn projects(store: &Store, ids: &[i64], words: &Words) -> Result<Vec<ProjectView>, StoreError> {
    let rows = store.project_rows(ids).await?;
    let mut tags = tags(store, ResourceKind::Project, ids).await?;
    let owners = store.owners_of_projects(ids).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in &rows {
        let id: i64 = row.get("id")?;
        let mut view = project(row)?;
        view.tags = tags.remove(&id).unwrap_or_default();
        view.owners = owners.get(&id).map_or(Ok(Vec::new()), |rows| rows.iter().map(owner).collect())?;
        views.push(view);
    }
    if words.wants(&["resource"]) {
        fill(store, &rows, &mut views).await?;
    }
    Ok(views)
}

fn project(row: &Row) -> Result<ProjectView, StoreError> {
    Ok(ProjectView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?.unwrap_or_default(),
        display_text: text(row, "display_text")?,
        domain_id: text(row, "domain_uuid")?,
        domain: text(row, "domain_name")?,
        account_name: text(row, "project_account")?,
        state: text(row, "state")?,
        created: time(row, "created")?,
        ..ProjectView::default()
    })
}

fn owner(row: &Row) -> Result<ProjectOwnerView, StoreError> {
    Ok(ProjectOwnerView {
        account: text(row, "account_name")?,
        user_id: text(row, "user_uuid")?,
        user: text(row, "username")?,
    })
}

/// What a project has is what the account behind it has.
async fn fill(store: &Store, rows: &[Row], views: &mut [ProjectView]) -> Result<(), StoreError> {
    let account = |row: &Row| Ok(number(row, "project_account_id")?.unwrap_or_default());
    let accounts = rows.iter().map(account).collect::<Result<Vec<i64>, StoreError>>()?;
    let mut used = store.resource_use(Holder::Account, &accounts).await?;
    let machines = store.machines_of_accounts(&accounts).await?;
    let names = settings("project");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let values: HashMap<String, String> = store.settings(&names).await?;
    let limits = Limits::Settings("project", &values);
    for (view, account) in views.iter_mut().zip(accounts) {
        let used = used.remove(&account).unwrap_or_default();
        let machines = machines.get(&account).copied().unwrap_or_default();
        view.machines = Group(limits.machines(&used));
        view.storage = Group(limits.storage(&used));
        view.vms_stopped = Some(machines.stopped);
        view.vms_running = Some(machines.running);
    }
    Ok(())
}
