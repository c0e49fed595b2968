//! The caller of a command and the secret that proves it.

use futures_util::future::BoxFuture;

use super::project::InProject;
use super::roles::{Rule, Verdict, within};
use crate::api::{BoxError, RoleType};
use crate::model::{Secret, Timestamp};

/// The kind of an account (`account.type` in the database).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountType {
    /// An ordinary account.
    Normal,
    /// Owner of the installation.
    Admin,
    /// Owner of a domain.
    DomainAdmin,
    /// Owner of a domain with resources of its own.
    ResourceDomainAdmin,
    /// May look at everything.
    ReadOnlyAdmin,
    /// The account behind a project.
    Project,
}

impl AccountType {
    /// Reads the number in the database. Unknown numbers are ordinary accounts: the fewest rights.
    pub const fn from_number(number: i64) -> Self {
        match number {
            1 => Self::Admin,
            2 => Self::DomainAdmin,
            3 => Self::ResourceDomainAdmin,
            4 => Self::ReadOnlyAdmin,
            5 => Self::Project,
            _ => Self::Normal,
        }
    }

    /// CloudStack's word (`contract/entities.md 4.6`).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Normal => "NORMAL",
            Self::Admin => "ADMIN",
            Self::DomainAdmin => "DOMAIN_ADMIN",
            Self::ResourceDomainAdmin => "RESOURCE_DOMAIN_ADMIN",
            Self::ReadOnlyAdmin => "READ_ONLY_ADMIN",
            Self::Project => "PROJECT",
        }
    }

    /// The number in the database.
    pub const fn number(self) -> i64 {
        match self {
            Self::Normal => 0,
            Self::Admin => 1,
            Self::DomainAdmin => 2,
            Self::ResourceDomainAdmin => 3,
            Self::ReadOnlyAdmin => 4,
            Self::Project => 5,
        }
    }
}

/// Who calls. Made from the database for each call; cheap to clone behind an `Arc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Internal number of the user.
    pub user_id: i64,
    /// Public id of the user.
    pub user_uuid: String,
    /// Login name of the user.
    pub username: String,
    /// Internal number of the account.
    pub account_id: i64,
    /// Public id of the account.
    pub account_uuid: String,
    /// Name of the account.
    pub account_name: String,
    /// Kind of the account.
    pub account_type: AccountType,
    /// Internal number of the account's domain.
    pub domain_id: i64,
    /// Path of the account's domain, such as `/` or `/a/b/`.
    pub domain_path: String,
    /// Internal number of the account's role; 0 when there is none.
    pub role_id: i64,
    /// Kind of the account's role. `None` when the account has no role, one that was removed or one of a kind that nobody
    /// knows: whoever calls may call nothing then (`contract/api-protocol.md 9.2`).
    pub role_type: Option<RoleType>,
    /// The rules of the role, in their order.
    pub rules: Vec<Rule>,
    /// The key pair that signed the call; none for sessions and jobs.
    pub key: Option<CallingKey>,
}

/// The key pair that signed a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallingKey {
    /// Internal number of the pair.
    pub id: i64,
    /// Rules of the pair itself; empty when it inherits the role's.
    pub rules: Vec<Rule>,
}

impl Caller {
    /// Somebody who has not said who he is: no account, no rights.
    pub fn nobody() -> Self {
        Self {
            user_id: 0,
            user_uuid: String::new(),
            username: String::new(),
            account_id: 0,
            account_uuid: String::new(),
            account_name: String::new(),
            account_type: AccountType::Normal,
            domain_id: 0,
            domain_path: String::new(),
            role_id: 0,
            role_type: None,
            rules: Vec::new(),
            key: None,
        }
    }

    /// Whether anybody is behind it.
    pub fn is_somebody(&self) -> bool {
        self.user_id != 0
    }

    /// Whether the account is a root admin's (any role of type Admin).
    pub fn is_root_admin(&self) -> bool {
        self.account_type == AccountType::Admin
    }

    /// Whether the account is an admin's of a domain and those below it.
    pub fn is_domain_admin(&self) -> bool {
        matches!(self.account_type, AccountType::DomainAdmin | AccountType::ResourceDomainAdmin)
    }

    /// Whether what a project says of its members holds for the caller. Administrators stand above.
    pub fn is_bound_in_projects(&self) -> bool {
        self.is_somebody() && !self.is_root_admin() && !self.is_domain_admin()
    }

    /// Whether the caller's role is the one that may call everything, whatever its rules say.
    pub fn may_call_everything(&self) -> bool {
        self.role_id == super::roles::ROOT_ADMIN_ROLE
    }

    /// Whether the caller sees all fields of an object (`contract/api-protocol.md 9.4`).
    pub fn full_view(&self) -> bool {
        self.is_root_admin()
    }

    /// Whether the rules of the key pair that signed let a command through. A pair without rules lets through what its role does;
    /// what a pair's rules do not speak of is denied (`contract/api-protocol.md` 9.1).
    pub fn key_lets(&self, command: &str) -> bool {
        let rules = self.key.as_ref().map_or(&[][..], |key| &key.rules);
        rules.is_empty() || Verdict::of(rules, command) == Verdict::Allowed
    }

    /// Whether the caller may have the halves of a key pair with these rules (none: all of its role). A pair that was made to
    /// allow little must not give away one that allows more, nor make one (`contract/entities.md 2.9`).
    pub fn may_see_key(&self, id: i64, rules: &[Rule]) -> bool {
        match &self.key {
            Some(key) if !key.rules.is_empty() && key.id != id => !rules.is_empty() && within(rules, &key.rules),
            _ => true,
        }
    }

    /// The account in the form that error texts use.
    pub fn account_dump(&self) -> String {
        crate::model::text::Dump::bare()
            .text("accountName", Some(&self.account_name))
            .number("id", Some(self.account_id))
            .text("uuid", Some(&self.account_uuid))
            .end()
    }
}

/// What the database knows about an API key.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The secret that signs; absent when only the public half was ever made.
    pub secret: Option<Secret>,
    /// Whose key it is.
    pub caller: std::sync::Arc<Caller>,
    /// Whether user and account are enabled (neither disabled nor locked).
    pub enabled: bool,
    /// Whether keys may be used: the user's flag, else the account's, else the domain's setting.
    pub key_access: bool,
    /// The addresses calls may come from; empty when no check is made. CIDR notation.
    pub allowed_cidrs: Vec<String>,
    /// First moment of validity of the key pair.
    pub valid_from: Option<Timestamp>,
    /// Last moment of validity of the key pair.
    pub valid_until: Option<Timestamp>,
}

/// What the database knows about the user of a session.
#[derive(Debug, Clone)]
pub struct KnownUser {
    /// The user.
    pub caller: std::sync::Arc<Caller>,
    /// Whether user and account are enabled (neither disabled nor locked).
    pub enabled: bool,
    /// The addresses calls may come from; empty when no check is made. CIDR notation.
    pub allowed_cidrs: Vec<String>,
}

/// Where keys, users and members of projects are looked up. The database implements it.
pub trait Credentials: Send + Sync {
    /// What is known about a user, by internal number; `None` when there is no such user.
    fn known_user(&self, user_id: i64) -> BoxFuture<'_, Result<Option<KnownUser>, BoxError>>;

    /// What is known about a key; `None` when there is no such key.
    fn credential_by_api_key<'a>(
        &'a self,
        api_key: &'a str,
    ) -> BoxFuture<'a, Result<Option<std::sync::Arc<Credential>>, BoxError>>;

    /// How a user of an account stands in the project with this id, public or internal; `None` when there is no such project.
    fn in_project<'a>(
        &'a self,
        project: &'a str,
        account_id: i64,
        user_id: i64,
    ) -> BoxFuture<'a, Result<Option<std::sync::Arc<InProject>>, BoxError>>;
}
