//! Tags on their own: the filters of `listTags` and the rows.

use super::{Condition, Owners, Window};
use crate::store::{Row, Store, StoreError};

/// What tags can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct TagListFilter {
    /// Whose.
    pub owners: Owners,
    /// On things of this kind: the word in the table.
    pub kind: Option<&'static str>,
    /// On the thing with this public id.
    pub resource: Option<String>,
    /// With this key.
    pub key: Option<String>,
    /// With this value.
    pub value: Option<String>,
    /// Written for this customer.
    pub customer: Option<String>,
    /// A word in key or value.
    pub keyword: Option<String>,
}

const TAG: &str = "SELECT g.id, g.`key`, g.value, g.resource_uuid, g.resource_type, g.customer, a.account_name, \
    a.type AS account_type, p.uuid AS project_uuid, p.name AS project_name, d.uuid AS domain_uuid, d.name AS domain_name, \
    d.path AS domain_path FROM resource_tags g LEFT JOIN account a ON a.id = g.account_id \
    LEFT JOIN projects p ON p.project_account_id = a.id LEFT JOIN domain d ON d.id = g.domain_id WHERE g.id IN ({ids})";

impl Store {
    /// A page of tags, oldest first, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn tags_page(&self, filter: &TagListFilter, window: Window) -> Result<(i64, Vec<Row>), StoreError> {
        let mut condition = Condition::default();
        filter.owners.narrow(&mut condition);
        for (column, text) in [
            ("t.resource_uuid", filter.resource.as_deref()),
            ("t.resource_type", filter.kind),
            ("t.`key`", filter.key.as_deref()),
            ("t.value", filter.value.as_deref()),
            ("t.customer", filter.customer.as_deref()),
        ] {
            condition.equal(column, text);
        }
        condition.contains(&["t.`key`", "t.value"], filter.keyword.as_deref());
        let (count, ids) = self.page("resource_tags t", &condition, "t.id", window).await?;
        Ok((count, self.wide_rows(TAG, &ids).await?))
    }
}
