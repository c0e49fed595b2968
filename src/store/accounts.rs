//! Users, accounts, roles and API keys, as far as a request needs them.

use std::sync::Arc;

use super::value::{Row, Value};
use super::writes::TableSet;
use super::{API_SECRET, Store, StoreError};
use crate::args;
use crate::model::{Secret, Timestamp};

/// Who calls: a user with its account, domain and role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User, internal id.
    pub user_id: i64,
    /// User, public id.
    pub user_uuid: String,
    /// User name.
    pub username: String,
    /// Account, internal id.
    pub account_id: i64,
    /// Account, public id.
    pub account_uuid: String,
    /// Account name.
    pub account: String,
    /// 0 user, 1 root admin, 2 domain admin, 3 resource domain admin, 5 project.
    pub account_type: i64,
    /// Domain, internal id.
    pub domain_id: i64,
    /// Domain, public id.
    pub domain_uuid: String,
    /// Domain's path, `/` or `/a/b/`.
    pub domain_path: String,
    /// Role, internal id; 0 when there is none, or it was removed.
    pub role_id: i64,
    /// `Admin`, `ResourceAdmin`, `DomainAdmin` or `User`; empty when there is no role, or it was removed.
    pub role_type: String,
    /// True while neither user nor account is disabled, locked or removed.
    pub enabled: bool,
}

/// An API key and whom it stands for.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Internal id of the key pair.
    pub key_id: i64,
    /// The secret; none when only the public half was ever made.
    pub secret: Option<Secret>,
    /// Whom the key stands for.
    pub identity: Identity,
    /// True when use of API keys is switched off for the user, else for the account, else for the domain.
    pub keys_off: bool,
    /// The networks from which the account may call, comma-separated; none when no check is made.
    pub networks: Option<String>,
    /// Not valid before.
    pub starts: Option<Timestamp>,
    /// Not valid after.
    pub ends: Option<Timestamp>,
    /// True when the key was removed.
    pub removed: bool,
}

/// One rule of a role or a key pair: a pattern and whether it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// A command name, `*` for any run of letters.
    pub pattern: String,
    /// True to allow, false to deny.
    pub allow: bool,
}

/// The columns of an [`Identity`] and where they come from.
pub(super) const IDENTITY: &str = "u.id AS user_id, u.uuid AS user_uuid, u.username, a.id AS account_id, a.uuid AS account_uuid, \
    a.account_name, a.type AS account_type, d.id AS domain_id, d.uuid AS domain_uuid, d.path, r.id AS role_id, r.role_type, \
    u.state AS user_state, a.state AS account_state, u.removed AS user_removed, a.removed AS account_removed \
    FROM user u JOIN account a ON a.id = u.account_id JOIN domain d ON d.id = a.domain_id LEFT JOIN roles r ON r.id = a.role_id AND r.removed IS NULL";

/// The networks that a row with the settings names; none when no check is made.
fn networks(row: &Row) -> Result<Option<String>, StoreError> {
    let is_checked = !says_no(row.get::<Option<String>>("checked")?.as_deref());
    let networks = row.get::<Option<String>>("networks")?.unwrap_or_else(|| ANYWHERE.to_owned());
    Ok(is_checked.then_some(networks))
}

/// Reads the columns of [`IDENTITY`].
pub(super) fn identity(row: &Row) -> Result<Identity, StoreError> {
    let text = |name: &str| Ok::<_, StoreError>(row.get::<Option<String>>(name)?.unwrap_or_default());
    let enabled = text("user_state")?.eq_ignore_ascii_case("enabled")
        && text("account_state")?.eq_ignore_ascii_case("enabled")
        && row.get::<Option<String>>("user_removed")?.is_none()
        && row.get::<Option<String>>("account_removed")?.is_none();
    Ok(Identity {
        user_id: row.get("user_id")?,
        user_uuid: text("user_uuid")?,
        username: text("username")?,
        account_id: row.get("account_id")?,
        account_uuid: text("account_uuid")?,
        account: text("account_name")?,
        account_type: row.get("account_type")?,
        domain_id: row.get("domain_id")?,
        domain_uuid: text("domain_uuid")?,
        domain_path: text("path")?,
        role_id: row.get::<Option<i64>>("role_id")?.unwrap_or_default(),
        role_type: text("role_type")?,
        enabled,
    })
}

/// Settings that say who may use a key, each the own one of the owner or else the global one (`contract/api-protocol.md`
/// 2.4, steps 8 and 9).
const SETTINGS: &str = "LEFT JOIN configuration g ON g.name = 'api.key.access' \
    LEFT JOIN configuration c ON c.name = 'api.source.cidr.checks.enabled' \
    LEFT JOIN configuration n ON n.name = 'api.allowed.source.cidr.list' \
    LEFT JOIN domain_details o ON o.domain_id = a.domain_id AND o.name = 'api.key.access' \
    LEFT JOIN account_details q ON q.account_id = a.id AND q.name = 'api.allowed.source.cidr.list'";

/// What CloudStack allows when nothing is set: every address.
const ANYWHERE: &str = "0.0.0.0/0,::/0";

/// Whether a setting says no. CloudStack reads anything but `true` as no; what is not set is a yes.
fn says_no(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.trim().eq_ignore_ascii_case("true"))
}

/// The tables that decide who may call what.
const LETTING_IN: [&str; 14] = [
    "account",
    "account_details",
    "api_keypair",
    "api_keypair_permissions",
    "configuration",
    "domain",
    "domain_details",
    "project_account",
    "project_role",
    "project_role_permissions",
    "projects",
    "role_permissions",
    "roles",
    "user",
];

impl Store {
    /// A number that is another one as soon as anything was written here that decides who may call what.
    #[must_use]
    pub fn letting_in(&self) -> Arc<dyn Fn() -> u64 + Send + Sync> {
        let (db, tables) = (self.db().clone(), TableSet::of(&LETTING_IN));
        Arc::new(move || db.writes().generation(tables))
    }

    /// The key pair with this API key, whoever it belongs to and whether or not it may still be used.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn credential_by_api_key(&self, api_key: &str) -> Result<Option<Credential>, StoreError> {
        let sql = format!(
            "SELECT k.id AS key_id, k.uuid AS key_uuid, k.api_key, k.secret_key, k.start_date, k.end_date, k.removed AS key_removed, \
             u.api_key_access AS user_access, a.api_key_access AS account_access, \
             COALESCE(o.value, g.value) AS domain_access, COALESCE(c.value, c.default_value) AS checked, \
             COALESCE(q.value, n.value) AS networks, {IDENTITY} JOIN api_keypair k ON k.user_id = u.id {SETTINGS} WHERE k.api_key = ? ORDER BY k.removed IS NOT NULL, k.id"
        );
        for row in self.db().rows(&sql, args![api_key]).await? {
            // Text compares without regard to case in both databases; a key does not.
            if row.get::<String>("api_key")? != api_key {
                continue;
            }
            let secret = match row.get::<String>("secret_key")? {
                text if text.is_empty() => None,
                text => Some(self.open_secret(&API_SECRET, &row.get::<String>("key_uuid")?, &text)?),
            };
            let access = row.get::<Option<bool>>("user_access")?.or(row.get("account_access")?);
            let domain_access = row.get::<Option<String>>("domain_access")?;
            return Ok(Some(Credential {
                key_id: row.get("key_id")?,
                secret,
                identity: identity(&row)?,
                keys_off: access.map_or_else(|| says_no(domain_access.as_deref()), |allowed| !allowed),
                networks: networks(&row)?,
                starts: row.get("start_date")?,
                ends: row.get("end_date")?,
                removed: row.get::<Option<String>>("key_removed")?.is_some(),
            }));
        }
        Ok(None)
    }

    /// The networks from which a user may call, comma-separated; none when no check is made.
    ///
    /// # Errors
    /// See [`Store::credential_by_api_key`].
    pub async fn networks_of_user(&self, user_id: i64) -> Result<Option<String>, StoreError> {
        let sql = format!(
            "SELECT COALESCE(c.value, c.default_value) AS checked, COALESCE(q.value, n.value) AS networks, {IDENTITY} \
             {SETTINGS} WHERE u.id = ?"
        );
        self.db().row(&sql, args![user_id]).await?.as_ref().map_or(Ok(None), networks)
    }

    /// Whether keys of a user may be used: what is set for the user, else for the account, else for the domain.
    ///
    /// # Errors
    /// See [`Store::credential_by_api_key`].
    pub async fn key_access_of(&self, user_id: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT u.api_key_access, a.api_key_access, COALESCE(o.value, g.value) FROM user u \
             JOIN account a ON a.id = u.account_id {SETTINGS} WHERE u.id = ?"
        );
        let Some(row) = self.db().row(&sql, args![user_id]).await? else { return Ok(false) };
        let set = row.at::<Option<bool>>(0)?.or(row.at(1)?);
        Ok(match set {
            Some(allowed) => allowed,
            None => !says_no(row.at::<Option<String>>(2)?.as_deref()),
        })
    }

    /// The user with the internal id.
    ///
    /// # Errors
    /// See [`Store::credential_by_api_key`].
    pub async fn identity_by_user(&self, user_id: i64) -> Result<Option<Identity>, StoreError> {
        let sql = format!("SELECT {IDENTITY} WHERE u.id = ?");
        self.db().row(&sql, args![user_id]).await?.as_ref().map(identity).transpose()
    }

    /// The rules of a role, in the order in which they are to be tried; none once it was removed.
    ///
    /// # Errors
    /// See [`Store::credential_by_api_key`].
    pub async fn rules_of_role(&self, role_id: i64) -> Result<Vec<Rule>, StoreError> {
        let sql = "SELECT p.rule, p.permission FROM role_permissions p JOIN roles r ON r.id = p.role_id \
            WHERE p.role_id = ? AND r.removed IS NULL ORDER BY p.sort_order, p.id";
        self.rules(sql, args![role_id]).await
    }

    /// The rules of a key pair, in the order in which they are to be tried; none when it inherits those of its role.
    ///
    /// # Errors
    /// See [`Store::credential_by_api_key`].
    pub async fn rules_of_key(&self, key_id: i64) -> Result<Vec<Rule>, StoreError> {
        let sql =
            "SELECT rule, permission FROM api_keypair_permissions WHERE api_keypair_id = ? ORDER BY sort_order, id";
        self.rules(sql, args![key_id]).await
    }

    /// Rules, from rows with `rule` and `permission`.
    pub(super) async fn rules(&self, sql: &str, args: Vec<Value>) -> Result<Vec<Rule>, StoreError> {
        let rows = self.db().rows(sql, args).await?;
        rows.iter()
            .map(|row| {
                let allow = row.get::<String>("permission")?.eq_ignore_ascii_case("ALLOW");
                Ok(Rule { pattern: row.get("rule")?, allow })
            })
            .collect()
    }

    /// The path of the domain of an account.
    ///
    /// # Errors
    /// See [`Store::credential_by_api_key`].
    pub async fn account_domain_path(&self, account_id: i64) -> Result<Option<String>, StoreError> {
        let sql = "SELECT d.path FROM account a JOIN domain d ON d.id = a.domain_id WHERE a.id = ?";
        self.db().row(sql, args![account_id]).await?.map(|row| row.at(0)).transpose()
    }
}
