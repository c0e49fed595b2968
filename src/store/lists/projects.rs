//! Projects: the filters of `listProjects` (`contract/entities.md 1.16`) and the wide rows.

use std::collections::HashMap;

use super::{Condition, ResourceKind, TagFilter, Window};
use crate::args;
use crate::store::value::{Row, Value};
use crate::store::{Store, StoreError};

/// What `listProjects` can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct ProjectFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// With this account as a member.
    pub member_account: Option<i64>,
    /// With this account, or this user of it, as a member.
    pub member_user: Option<(i64, i64)>,
    /// With a user of this name as a member.
    pub username: Option<String>,
    /// In this domain.
    pub domain_id: Option<i64>,
    /// In this domain or below it: its path.
    pub domain_tree: Option<String>,
    /// A word in name or text.
    pub keyword: Option<String>,
    /// With exactly this name.
    pub name: Option<String>,
    /// With exactly this text.
    pub display_text: Option<String>,
    /// In this state.
    pub state: Option<String>,
    /// With one of these tags.
    pub tags: Vec<TagFilter>,
}

impl ProjectFilter {
    fn condition(&self) -> Condition {
        let mut condition = Condition::living();
        condition.equal("t.id", self.id);
        let mut member = |text: &str, args: Vec<Value>| {
            condition.and(&format!("t.id IN (SELECT m.project_id FROM project_account m {text})"), args);
        };
        if let Some(account) = self.member_account {
            member("WHERE m.account_id = ?", args![account]);
        }
        if let Some((account, user)) = self.member_user {
            let text = "WHERE m.user_id = ? OR (m.account_id = ? AND m.user_id IS NULL)";
            member(text, args![user, account]);
        }
        if let Some(name) = &self.username {
            let text = "JOIN user u ON u.id = m.user_id OR (m.user_id IS NULL AND u.account_id = m.account_id) \
                WHERE u.username = ? AND u.removed IS NULL";
            member(text, args![name]);
        }
        condition.equal("t.domain_id", self.domain_id);
        condition.in_tree("t.domain_id", self.domain_tree.as_deref());
        condition.contains(&["t.name", "t.display_text"], self.keyword.as_deref());
        condition.equal("t.name", self.name.as_ref());
        condition.equal("t.display_text", self.display_text.as_ref());
        condition.equal("t.state", self.state.as_ref());
        condition.tagged(ResourceKind::Project, &self.tags);
        condition
    }
}

const WIDE: &str = "SELECT p.id, p.uuid, p.name, p.display_text, p.project_account_id, p.created, p.state, \
    a.account_name AS project_account, d.uuid AS domain_uuid, d.name AS domain_name FROM projects p \
    LEFT JOIN account a ON a.id = p.project_account_id LEFT JOIN domain d ON d.id = p.domain_id WHERE p.id IN ({ids})";

impl Store {
    /// The ids of a page of projects in their order, and how many match in all.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn projects_page(&self, filter: &ProjectFilter, window: Window) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("projects t", &filter.condition(), "t.id", window).await
    }

    /// Everything the view of a project needs, for these ids, in their order.
    ///
    /// # Errors
    /// See [`Store::projects_page`].
    pub async fn project_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows(WIDE, ids).await
    }

    /// The accounts behind the living projects that an account, or one user of it, is a member of.
    ///
    /// # Errors
    /// See [`Store::projects_page`].
    pub async fn accounts_of_own_projects(&self, account_id: i64, user_id: i64) -> Result<Vec<i64>, StoreError> {
        let sql = "SELECT DISTINCT p.project_account_id FROM project_account m JOIN projects p ON p.id = m.project_id \
            WHERE p.removed IS NULL AND (m.user_id = ? OR (m.account_id = ? AND m.user_id IS NULL))";
        self.db().rows(sql, args![user_id, account_id]).await?.iter().map(|row| row.at(0)).collect()
    }

    /// Who administers projects, by project: rows with `account_name` and, for a single user, `user_uuid` and `username`.
    ///
    /// # Errors
    /// See [`Store::projects_page`].
    pub async fn owners_of_projects(&self, ids: &[i64]) -> Result<HashMap<i64, Vec<Row>>, StoreError> {
        let sql = "SELECT m.project_id, a.account_name, u.uuid AS user_uuid, u.username FROM project_account m \
            JOIN account a ON a.id = m.account_id LEFT JOIN user u ON u.id = m.user_id \
            WHERE m.project_id IN ({ids}) AND m.account_role = 'Admin' ORDER BY m.id";
        super::extras::grouped(self.rows_of(sql, ids, &[]).await?, "project_id")
    }
}
