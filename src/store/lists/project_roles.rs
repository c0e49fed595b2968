//! Roles inside projects: how somebody stands in a project (`contract/api-protocol.md 9.2`).

use crate::args;
use crate::store::value::Value;
use crate::store::{Rule, Store, StoreError};

/// A living project, and how somebody stands in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectPlace {
    /// The public id of the project.
    pub project_uuid: String,
    /// The membership; none for a stranger.
    pub member: Option<ProjectMember>,
}

/// What a membership says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProjectMember {
    /// Whether the member administers the project.
    pub is_admin: bool,
    /// The rules of the member's role in the project, in the order in which they are to be tried; none without a role.
    pub rules: Vec<Rule>,
}

/// The row of the user comes before that of the whole account. A role that was removed, or is another project's, is none.
const PLACE: &str = "SELECT p.id AS project_id, p.uuid, m.account_role, r.id AS role_id FROM projects p \
    LEFT JOIN project_account m ON m.project_id = p.id AND m.account_id = ? AND (m.user_id = ? OR m.user_id IS NULL) \
    LEFT JOIN project_role r ON r.id = m.project_role_id AND r.project_id = p.id AND r.removed IS NULL";

impl Store {
    /// How a user of an account stands in the project that a call names: by its public id or, as ids of parameters are
    /// understood, by its internal number. `None` when there is no such project.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn place_in_project(
        &self,
        project: &str,
        account_id: i64,
        user_id: i64,
    ) -> Result<Option<ProjectPlace>, StoreError> {
        let (column, key) = match project.parse::<i64>() {
            Ok(number) => ("id", Value::from(number)),
            Err(_) => ("uuid", Value::from(project)),
        };
        let sql =
            format!("{PLACE} WHERE p.{column} = ? AND p.removed IS NULL ORDER BY m.user_id IS NULL, m.id LIMIT 1");
        let Some(row) = self.db().row(&sql, args![account_id, user_id, key]).await? else { return Ok(None) };
        let project_uuid = row.get::<Option<String>>("uuid")?.unwrap_or_default();
        let Some(role) = row.get::<Option<String>>("account_role")? else {
            return Ok(Some(ProjectPlace { project_uuid, member: None }));
        };
        let rules = match row.get::<Option<i64>>("role_id")? {
            Some(role_id) => {
                let sql = "SELECT rule, permission FROM project_role_permissions \
                    WHERE project_role_id = ? AND project_id = ? ORDER BY sort_order, id";
                self.rules(sql, args![role_id, row.get::<i64>("project_id")?]).await?
            }
            None => Vec::new(),
        };
        let member = ProjectMember { is_admin: role.eq_ignore_ascii_case("Admin"), rules };
        Ok(Some(ProjectPlace { project_uuid, member: Some(member) }))
    }
}
