//! What somebody may do inside a project (`contract/api-protocol.md 9.2`).
//!
//! A call that names a project is asked about there, after the role of the caller's account has let it in. A role inside a
//! project takes away and never gives: where none of its rules speaks, the call is let in.

use super::roles::{Rule, Verdict};
use crate::store::{ProjectMember, ProjectPlace, Store, StoreError};

/// How somebody stands in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProjectStanding {
    /// Does not belong to it.
    Stranger,
    /// Administers it, and may call everything.
    Admin,
    /// A member, with the rules of the role there in their order; none without a role.
    Member(Vec<Rule>),
}

/// A project, and how somebody stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InProject {
    /// The public id of the project.
    pub uuid: String,
    /// The standing.
    pub standing: ProjectStanding,
}

impl ProjectStanding {
    /// Whether the project lets its member call the command. The first rule that matches decides; strangers may call nothing.
    #[must_use]
    pub fn lets(&self, command: &str) -> bool {
        match self {
            Self::Stranger => false,
            Self::Admin => true,
            Self::Member(rules) => Verdict::of(rules, command) != Verdict::Denied,
        }
    }
}

impl InProject {
    /// How a user of an account stands in the project with this id, public or internal; `None` when there is no such project.
    ///
    /// # Errors
    /// See [`Store::place_in_project`].
    pub async fn read(store: &Store, project: &str, account_id: i64, user_id: i64) -> Result<Option<Self>, StoreError> {
        Ok(store.place_in_project(project, account_id, user_id).await?.map(Self::from))
    }
}

impl From<ProjectMember> for ProjectStanding {
    fn from(member: ProjectMember) -> Self {
        if member.is_admin {
            return Self::Admin;
        }
        Self::Member(member.rules.into_iter().map(Rule::from).collect())
    }
}

impl From<ProjectPlace> for InProject {
    fn from(place: ProjectPlace) -> Self {
        let standing = place.member.map_or(ProjectStanding::Stranger, ProjectStanding::from);
        Self { uuid: place.project_uuid, standing }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(rules: &[(&str, bool)]) -> ProjectStanding {
        let rule = |(pattern, allow): &(&str, bool)| Rule { pattern: (*pattern).to_owned(), allow: *allow };
        ProjectStanding::Member(rules.iter().map(rule).collect())
    }

    #[test]
    fn a_role_takes_away_and_never_gives() {
        for (standing, command, lets) in [
            (ProjectStanding::Stranger, "listVolumes", false),
            (ProjectStanding::Admin, "listVolumes", true),
            (member(&[]), "listVolumes", true),
            (member(&[("listVolumes", false)]), "listVolumes", false),
            (member(&[("LISTVOLUMES", false)]), "listVolumes", false),
            (member(&[("listVolumes", false)]), "listVolumesMetrics", true),
            (member(&[("listVolumes", true), ("*", false)]), "listVolumes", true),
            (member(&[("*", false), ("listVolumes", true)]), "listVolumes", false),
            (member(&[("list*Metrics", false)]), "listVolumesMetrics", false),
            (member(&[("list*Metrics", false)]), "listVolumes", true),
        ] {
            assert_eq!(standing.lets(command), lets, "{standing:?} {command}");
        }
    }

    #[test]
    fn an_administrator_of_the_project_has_no_rules() {
        let rules = vec![crate::store::Rule { pattern: "*".to_owned(), allow: false }];
        let place = |member| ProjectPlace { project_uuid: "p".to_owned(), member };
        let standing =
            |is_admin| InProject::from(place(Some(ProjectMember { is_admin, rules: rules.clone() }))).standing;
        assert_eq!(standing(true), ProjectStanding::Admin);
        assert_eq!(standing(false), member(&[("*", false)]));
        assert_eq!(InProject::from(place(None)).standing, ProjectStanding::Stranger);
    }
}
