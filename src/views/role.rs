//! The objects `role`, `rolepermission` and `keypermission` (`contract/entities.md 3.21, 3.22`).

use super::row::{flag, text};
use crate::store::{Row, Store, StoreError};

crate::response! {
    /// A role.
    pub struct RoleView as "role" {
        /// `Admin`, `ResourceAdmin`, `DomainAdmin` or `User`.
        kind "type": Option<String>,
        /// Whether it came with the installation.
        is_default "isdefault": bool,
        /// `enabled` or `disabled`.
        state: Option<String>,
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// A text about it.
        description: Option<String>,
        /// Whether others than root admins may see it.
        is_public "ispublic": bool,
    }
}

crate::response! {
    /// A rule of a role.
    pub struct RolePermissionView as "rolepermission" {
        /// Its id.
        id: Option<String>,
        /// The id of the role.
        role_id "roleid": Option<String>,
        /// The name of the role.
        role_name "rolename": Option<String>,
        /// The name of a command; `*` stands for any letters.
        rule: Option<String>,
        /// `allow` or `deny`.
        permission: Option<String>,
        /// A text about it.
        description: Option<String>,
    }
}

crate::response! {
    /// A rule of a key pair.
    pub struct KeyPermissionView as "keypermission" {
        /// The name of a command; `*` stands for any letters.
        rule: Option<String>,
        /// `allow` or `deny`.
        permission: Option<String>,
        /// A text about it.
        description: Option<String>,
    }
}

/// The roles with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn roles(store: &Store, ids: &[i64]) -> Result<Vec<RoleView>, StoreError> {
    let view = |row: &Row| {
        Ok(RoleView {
            kind: text(row, "role_type")?,
            is_default: flag(row, "is_default")?,
            state: text(row, "state")?,
            id: text(row, "uuid")?.unwrap_or_default(),
            name: text(row, "name")?,
            description: text(row, "description")?,
            is_public: flag(row, "public_role")?,
        })
    };
    store.role_rows(ids).await?.iter().map(view).collect()
}

/// The rules of a role, or of all roles, in the order in which they are tried.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn role_permissions(store: &Store, role_id: Option<i64>) -> Result<Vec<RolePermissionView>, StoreError> {
    let view = |row: &Row| {
        Ok(RolePermissionView {
            id: text(row, "uuid")?,
            role_id: text(row, "role_uuid")?,
            role_name: text(row, "role_name")?,
            rule: text(row, "rule")?,
            permission: permission(row)?,
            description: text(row, "description")?,
        })
    };
    store.role_permission_rows(role_id).await?.iter().map(view).collect()
}

/// The rules of a key pair: its own, else those of its role.
pub(super) async fn key_permissions(
    store: &Store,
    own: Option<&Vec<Row>>,
    role_id: i64,
) -> Result<Vec<KeyPermissionView>, StoreError> {
    let view = |row: &Row| {
        let (rule, permission) = (text(row, "rule")?, permission(row)?);
        Ok(KeyPermissionView { rule, permission, description: text(row, "description")? })
    };
    match own {
        Some(rows) => rows.iter().map(view).collect(),
        None => store.role_permission_rows(Some(role_id)).await?.iter().map(view).collect(),
    }
}

/// `allow` or `deny`.
pub(super) fn permission(row: &Row) -> Result<Option<String>, StoreError> {
    Ok(text(row, "permission")?.map(|word| word.to_lowercase()))
}
