//! The objects `projectrole` and `projectrolepermission` (CloudStack's `ProjectRoleResponse` and
//! `ProjectRolePermissionResponse`).

use super::role::permission;
use super::row::text;
use crate::store::{Row, Store, StoreError};

crate::response! {
    /// A role inside a project.
    pub struct ProjectRoleView as "projectrole" {
        /// The id of the project.
        project_id "projectid": Option<String>,
        /// Its id.
        id: String,
        /// Its name.
        name: Option<String>,
        /// A text about it.
        description: Option<String>,
        /// Always true: everybody in the project may see it.
        is_public "ispublic": bool,
    }
}

crate::response! {
    /// A rule of a role inside a project.
    pub struct ProjectRolePermissionView as "projectrolepermission" {
        /// Its id.
        id: Option<String>,
        /// The id of the role.
        role_id "projectroleid": Option<String>,
        /// The id of the project.
        project_id "projectid": Option<String>,
        /// The name of the role.
        role_name "projectrolename": Option<String>,
        /// The name of a command; `*` stands for any letters.
        rule: Option<String>,
        /// `allow` or `deny`.
        permission: Option<String>,
        /// A text about it.
        description: Option<String>,
    }
}

/// The roles inside projects with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn project_roles(store: &Store, ids: &[i64]) -> Result<Vec<ProjectRoleView>, StoreError> {
    let view = |row: &Row| {
        Ok(ProjectRoleView {
            project_id: text(row, "project_uuid")?,
            id: text(row, "uuid")?.unwrap_or_default(),
            name: text(row, "name")?,
            description: text(row, "description")?,
            is_public: true,
        })
    };
    store.project_role_rows(ids).await?.iter().map(view).collect()
}

/// The rules of one role or of all roles of a project, in the order in which they are tried.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn project_role_permissions(
    store: &Store,
    project_id: i64,
    role_id: Option<i64>,
) -> Result<Vec<ProjectRolePermissionView>, StoreError> {
    let view = |row: &Row| {
        Ok(ProjectRolePermissionView {
            id: text(row, "uuid")?,
            role_id: text(row, "role_uuid")?,
            project_id: text(row, "project_uuid")?,
            role_name: text(row, "role_name")?,
            rule: text(row, "rule")?,
            permission: permission(row)?,
            description: text(row, "description")?,
        })
    };
    store.project_role_permission_rows(project_id, role_id).await?.iter().map(view).collect()
}
