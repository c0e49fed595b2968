//! Roles, and the rules of roles: the filters of `listRoles` and the wide rows (`contract/entities.md 3.21`).

use super::{Condition, Window};
use crate::args;
use crate::store::value::Row;
use crate::store::{Store, StoreError};

/// What `listRoles` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct RoleFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// A word in the name.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// Of one of these types; none: of any type.
    pub types: Option<Vec<&'static str>>,
    /// In this state.
    pub state: Option<String>,
    /// Only those that others than root admins may see.
    pub public_only: bool,
}

impl RoleFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.equal("t.id", self.id);
        condition.contains(&["t.name"], self.keyword.as_deref());
        condition.equal("t.name", self.name.as_ref());
        if let Some(types) = &self.types {
            let marks = if types.is_empty() { "NULL".to_owned() } else { vec!["?"; types.len()].join(", ") };
            condition.and(&format!("t.role_type IN ({marks})"), types.iter().map(|word| (*word).into()));
        }
        condition.equal("t.state", self.state.as_ref());
        if self.public_only {
            condition.and("t.public_role = 1", []);
        }
        condition
    }
}

const WIDE: &str = "SELECT r.id, r.uuid, r.name, r.role_type, r.description, r.is_default, r.public_role, r.state FROM roles r \
    WHERE r.id IN ({ids})";

impl Store {
    /// The ids of a page of roles in their order, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn roles_page(&self, filter: &RoleFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("roles t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a role needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::roles_page`].
    pub async fn role_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The rules of a role, or of all roles, in the order in which they are tried: rows with `uuid`, `rule`, `permission`,
    /// `description`, `role_uuid` and `role_name`.
    ///
    /// # Errors
    /// See [`Store::roles_page`].
    pub async fn role_permission_rows(&self, role_id: Option<i64>) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT p.uuid, p.rule, p.permission, p.description, r.uuid AS role_uuid, r.name AS role_name \
            FROM role_permissions p JOIN roles r ON r.id = p.role_id WHERE r.removed IS NULL";
        match role_id {
            Some(id) => self.db().rows(&format!("{sql} AND r.id = ? ORDER BY p.sort_order, p.id"), args![id]).await,
            None => self.db().rows(&format!("{sql} ORDER BY r.id, p.sort_order, p.id"), args![]).await,
        }
    }
}
