//! The object `domain` (`contract/entities.md 1.15`).

use std::collections::BTreeMap;

use super::limits::{Limits, MachineLimitsView, StorageLimitsView};
use super::row::{domain_path, number, text, time};
use super::words::Words;
use crate::api::Group;
use crate::model::Timestamp;
use crate::store::{Holder, ResourceUse, Row, Store, StoreError};

/// The domain above all others.
const ROOT: i64 = 1;

crate::response! {
    /// A domain.
    pub struct DomainView as "domain", Default {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// How many steps it lies below the root.
        level: Option<i64>,
        /// The domain above it.
        parent_id "parentdomainid": Option<String>,
        /// The name of that one.
        parent_name "parentdomainname": Option<String>,
        /// Whether there are domains below it.
        has_child "haschild": bool,
        /// Suffix of the names in its networks.
        network_domain "networkdomain": Option<String>,
        /// Its path, such as `ROOT/eng`.
        path: Option<String>,
        /// Always `Active`.
        state: Option<String>,
        /// When it was made.
        created: Option<Timestamp>,
        /// Limits and counts.
        machines: Group<MachineLimitsView>,
        /// The most projects, or `Unlimited`.
        project_limit "projectlimit": Option<String>,
        /// How many projects there are in it.
        project_total "projecttotal": Option<i64>,
        /// How many more there may be, or `Unlimited`.
        project_available "projectavailable": Option<String>,
        /// Limits and counts.
        storage: Group<StorageLimitsView>,
        /// What is set for it alone.
        details "domaindetails": Option<BTreeMap<String, String>>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": bool,
    }
}

/// The domains with these internal ids. `words` are groups of [`super::OWNER_DETAILS`].
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn domains(store: &Store, ids: &[i64], words: &Words) -> Result<Vec<DomainView>, StoreError> {
    let rows = store.domain_rows(ids).await?;
    let mut details = store.details_of_domains(ids).await?;
    let with_limits = words.wants(&["resource"]);
    let mut used = if with_limits { store.resource_use(Holder::Domain, ids).await? } else { Default::default() };
    rows.iter()
        .map(|row| {
            let id: i64 = row.get("id")?;
            let mut view = domain(row)?;
            if with_limits {
                fill(&mut view, id, &used.remove(&id).unwrap_or_default());
            }
            view.details = details.remove(&id);
            Ok(view)
        })
        .collect()
}

fn domain(row: &Row) -> Result<DomainView, StoreError> {
    Ok(DomainView {
        id: text(row, "uuid")?.unwrap_or_default(),
        name: text(row, "name")?.unwrap_or_default(),
        level: number(row, "level")?,
        parent_id: text(row, "parent_uuid")?,
        parent_name: text(row, "parent_name")?,
        has_child: number(row, "child_count")?.is_some_and(|count| count > 0),
        network_domain: text(row, "network_domain")?,
        path: text(row, "path")?.map(|path| domain_path(&path)),
        state: text(row, "state")?,
        created: time(row, "created")?,
        ..DomainView::default()
    })
}

fn fill(view: &mut DomainView, id: i64, used: &ResourceUse) {
    let limits = if id == ROOT { Limits::Unlimited } else { Limits::Own };
    view.machines = Group(limits.machines(used));
    let (limit, total, available) = limits.projects(used);
    view.project_limit = Some(limit);
    view.project_total = Some(total);
    view.project_available = Some(available);
    view.storage = Group(limits.storage(used));
}
