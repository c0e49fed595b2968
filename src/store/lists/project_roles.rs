//! Roles inside projects: how somebody stands in a project, and the rows of `listProjectRoles` and
//! `listProjectRolePermissions` (`contract/api-protocol.md 9.2`).

use std::collections::HashMap;

use super::{Condition, Window};
use crate::args;
use crate::store::value::{Row, Value};
use crate::store::{Rule, Store, StoreError};

/// What `listProjectRoles` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct ProjectRoleFilter {
    /// Of this project.
    pub project_id: i64,
    /// Only this one.
    pub id: Option<i64>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in the name.
    pub keyword: Option<String>,
}

impl ProjectRoleFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.equal("t.project_id", Some(self.project_id));
        condition.equal("t.id", self.id);
        condition.equal("t.name", self.name.as_ref());
        condition.contains(&["t.name"], self.keyword.as_deref());
        condition
    }
}

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
const PLACE: &str = "SELECT p.id AS project_id, p.uuid, p.project_account_id, m.account_role, r.id AS role_id FROM projects p \
    LEFT JOIN project_account m ON m.project_id = p.id AND m.account_id = ? AND (m.user_id = ? OR m.user_id IS NULL) \
    LEFT JOIN project_role r ON r.id = m.project_role_id AND r.project_id = p.id AND r.removed IS NULL";

const WIDE: &str = "SELECT r.id, r.uuid, r.name, r.description, p.uuid AS project_uuid FROM project_role r \
    JOIN projects p ON p.id = r.project_id WHERE r.id IN ({ids})";

const RULES: &str = "SELECT q.uuid, q.rule, q.permission, q.description, r.uuid AS role_uuid, r.name AS role_name, \
    p.uuid AS project_uuid FROM project_role_permissions q JOIN projects p ON p.id = q.project_id \
    JOIN project_role r ON r.id = q.project_role_id AND r.project_id = q.project_id \
    WHERE r.removed IS NULL AND q.project_id = ?";

impl Store {
    /// How a user of an account stands in the project that a call names: by its public id or, as ids of parameters are
    /// understood, by its internal number. `None` when there is no such project.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
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

    /// The living projects that an account, or one user of it, is a member of: the account behind each, and the membership.
    ///
    /// # Errors
    /// See [`Store::place_in_project`].
    pub async fn own_projects(&self, account_id: i64, user_id: i64) -> Result<Vec<(i64, ProjectMember)>, StoreError> {
        let sql =
            format!("{PLACE} WHERE m.id IS NOT NULL AND p.removed IS NULL ORDER BY p.id, m.user_id IS NULL, m.id");
        let mut places = self.db().rows(&sql, args![account_id, user_id]).await?;
        let project = |row: &Row| row.get::<i64>("project_id").ok();
        // Of several memberships in a project the first counts.
        places.dedup_by(|later, first| project(later) == project(first));
        let roles = places.iter().filter_map(|row| row.get::<Option<i64>>("role_id").transpose());
        let mut rules = self.rules_of_project_roles(&roles.collect::<Result<Vec<i64>, StoreError>>()?).await?;
        places
            .iter()
            .map(|row| {
                let rules = row.get::<Option<i64>>("role_id")?.and_then(|role| rules.remove(&role)).unwrap_or_default();
                let is_admin = row.get::<String>("account_role")?.eq_ignore_ascii_case("Admin");
                Ok((row.get("project_account_id")?, ProjectMember { is_admin, rules }))
            })
            .collect()
    }

    /// The rules of roles in projects, by role, in the order in which they are tried.
    async fn rules_of_project_roles(&self, roles: &[i64]) -> Result<HashMap<i64, Vec<Rule>>, StoreError> {
        let sql = "SELECT q.project_role_id, q.rule, q.permission FROM project_role_permissions q \
            JOIN project_role r ON r.id = q.project_role_id AND r.project_id = q.project_id \
            WHERE q.project_role_id IN ({ids}) ORDER BY q.sort_order, q.id";
        let mut rules: HashMap<i64, Vec<Rule>> = HashMap::new();
        for row in self.rows_of(sql, roles, &[]).await? {
            let allow = row.get::<String>("permission")?.eq_ignore_ascii_case("ALLOW");
            rules.entry(row.get("project_role_id")?).or_default().push(Rule { pattern: row.get("rule")?, allow });
        }
        Ok(rules)
    }

    /// The ids of a page of roles of a project in their order, and how many match in all.
    ///
    /// # Errors
    /// See [`Store::place_in_project`].
    pub async fn project_roles_page(
        &self,
        filter: &ProjectRoleFilter,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("project_role t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a role of a project needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::place_in_project`].
    pub async fn project_role_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The rules of one role or of all roles of a project, in the order in which they are tried: rows with `uuid`, `rule`,
    /// `permission`, `description`, `role_uuid`, `role_name` and `project_uuid`.
    ///
    /// # Errors
    /// See [`Store::place_in_project`].
    pub async fn project_role_permission_rows(
        &self,
        project_id: i64,
        role_id: Option<i64>,
    ) -> Result<Vec<Row>, StoreError> {
        match role_id {
            Some(id) => {
                let sql = format!("{RULES} AND r.id = ? ORDER BY q.sort_order, q.id");
                self.db().rows(&sql, args![project_id, id]).await
            }
            None => self.db().rows(&format!("{RULES} ORDER BY r.id, q.sort_order, q.id"), args![project_id]).await,
        }
    }
}
