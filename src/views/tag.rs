//! The object `tag`, inside others and on its own: what people wrote on a thing.

use std::collections::HashMap;

use super::row::{Owner, text};
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// A tag: a key with a value.
    pub struct TagView as "tag" {
        /// The key.
        key: Option<String>,
        /// The value.
        value: Option<String>,
        /// The kind of thing it is on.
        resource_type "resourcetype": String,
        /// The thing it is on.
        resource_id "resourceid": Option<String>,
        /// The account that wrote it, unless a project did.
        account: Option<String>,
        /// The project that wrote it.
        project_id "projectid": Option<String>,
        /// The name of that project.
        project: Option<String>,
        /// The domain of who wrote it.
        domain_id "domainid": Option<String>,
        /// The name of that domain.
        domain: Option<String>,
        /// The path of that domain.
        domain_path "domainpath": Option<String>,
        /// For whom it was written.
        customer: Option<String>,
    }
}

/// The tags of things, by internal id.
pub(super) async fn tags(
    store: &Store,
    kind: ResourceKind,
    ids: &[i64],
) -> Result<HashMap<i64, Vec<TagView>>, StoreError> {
    let groups = store.tags_of(kind, ids).await?;
    groups
        .into_iter()
        .map(|(id, rows)| {
            Ok((id, rows.iter().map(|row| tag(kind.tag_word(), row)).collect::<Result<_, StoreError>>()?))
        })
        .collect()
}

/// Tags on their own: rows of [`Store::tags_page`].
///
/// # Errors
/// [`StoreError::Column`] for a row without the columns.
pub fn tag_list(rows: &[Row]) -> Result<Vec<TagView>, StoreError> {
    rows.iter().map(|row| tag(&row.get::<String>("resource_type")?, row)).collect()
}

fn tag(kind: &str, row: &Row) -> Result<TagView, StoreError> {
    let owner = Owner::read(row)?;
    Ok(TagView {
        key: text(row, "key")?,
        value: text(row, "value")?,
        resource_type: kind.to_owned(),
        resource_id: text(row, "resource_uuid")?,
        account: owner.account,
        project_id: owner.project_id,
        project: owner.project,
        domain_id: owner.domain_id,
        domain: owner.domain,
        domain_path: owner.domain_path,
        customer: text(row, "customer")?,
    })
}
