//! How accounts, users and key pairs are looked at before they are changed, and how they are changed.

use std::collections::{BTreeMap, HashMap};

use super::value::Row;
use super::{Rule, Sealed, Store, StoreError, Tx};
use crate::args;
use crate::model::{Secret, Timestamp, signed};

/// CloudStack's words for resources; a new account has a count of each.
const RESOURCES: [&str; 17] = [
    "user_vm",
    "public_ip",
    "volume",
    "snapshot",
    "template",
    "project",
    "network",
    "vpc",
    "cpu",
    "memory",
    "primary_storage",
    "secondary_storage",
    "backup",
    "backup_storage",
    "bucket",
    "object_storage",
    "gpu",
];

/// An account, as far as changing it or its users needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// 0 user, 1 root admin, 2 domain admin, 3 resource domain admin, 5 project.
    pub kind: i64,
    /// Role, internal id; 0 when there is none.
    pub role_id: i64,
    /// `Admin`, `ResourceAdmin`, `DomainAdmin` or `User`; empty when there is none.
    pub role_type: String,
    /// Domain, internal id.
    pub domain_id: i64,
    /// Domain's path, `/` or `/a/b/`.
    pub domain_path: String,
    /// `enabled`, `disabled` or `locked`.
    pub state: String,
}

/// A living user, as far as changing it needs it.
#[derive(Clone, Debug)]
pub struct User {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub username: String,
    /// The stored form of the password.
    pub password: Secret,
    /// Where the user comes from, `NATIVE`, `LDAP`, `SAML2`...
    pub source: String,
    /// The account.
    pub account: Account,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Internal id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// `Admin`, `ResourceAdmin`, `DomainAdmin` or `User`.
    pub kind: String,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// Type, as in [`Account::kind`].
    pub kind: i64,
    /// Role, internal id.
    pub role_id: i64,
    /// Domain, internal id.
    pub domain_id: i64,
    /// Suffix of the names in its networks.
    pub network_domain: Option<String>,
    /// What is set for it alone.
    pub details: BTreeMap<String, String>,
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub username: String,
    /// The stored form of the password.
    pub password: Secret,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// Address.
    pub email: String,
    /// Time zone.
    pub timezone: Option<String>,
    /// Whether the password has to be changed with the next login.
    pub change_password: bool,
}

/// What is to be different about a user. What is `None` stays as it is.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Name.
    pub username: Option<String>,
    /// The stored form of the password.
    pub password: Option<Secret>,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Address.
    pub email: Option<String>,
    /// Time zone.
    pub timezone: Option<String>,
    /// Whether keys may be used; `Some(None)` leaves that to the account.
    pub key_access: Option<Option<bool>>,
}

/// A key pair to be made.
#[derive(Clone, Debug, Default)]
pub struct NewKey {
    /// Public id.
    pub uuid: String,
    /// Name; that of CloudStack when there is none.
    pub name: Option<String>,
    /// Text about it.
    pub description: Option<String>,
    /// Not valid before.
    pub starts: Option<Timestamp>,
    /// Not valid after.
    pub ends: Option<Timestamp>,
    /// Rules of its own in their order, each with a text; none to have those of the role.
    pub rules: Vec<(Rule, Option<String>)>,
}

const ACCOUNT: &str = "a.id AS account_id, a.uuid AS account_uuid, a.account_name, a.type AS account_type, a.role_id, \
    r.role_type, a.domain_id, d.path, a.state AS account_state";
const OF_ACCOUNT: &str = "JOIN domain d ON d.id = a.domain_id LEFT JOIN roles r ON r.id = a.role_id";

fn account(row: &Row) -> Result<Account, StoreError> {
    let text = |name: &str| Ok::<_, StoreError>(row.get::<Option<String>>(name)?.unwrap_or_default());
    Ok(Account {
        id: row.get("account_id")?,
        uuid: text("account_uuid")?,
        name: text("account_name")?,
        kind: row.get("account_type")?,
        role_id: row.get::<Option<i64>>("role_id")?.unwrap_or_default(),
        role_type: text("role_type")?,
        domain_id: row.get("domain_id")?,
        domain_path: text("path")?,
        state: text("account_state")?,
    })
}

impl Store {
    /// A living account.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn account_by_id(&self, id: i64) -> Result<Option<Account>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM account a {OF_ACCOUNT} WHERE a.id = ? AND a.removed IS NULL");
        self.db().row(&sql, args![id]).await?.as_ref().map(account).transpose()
    }

    /// The living accounts of these, by internal id.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn accounts_by_ids(&self, ids: &[i64]) -> Result<HashMap<i64, Account>, StoreError> {
        let sql = format!("SELECT {ACCOUNT} FROM account a {OF_ACCOUNT} WHERE a.id IN ({{ids}}) AND a.removed IS NULL");
        let rows = self.rows_of(&sql, ids, &[]).await?;
        rows.iter().map(|row| account(row).map(|account| (account.id, account))).collect()
    }

    /// A living user with its account.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn user_by_id(&self, id: i64) -> Result<Option<User>, StoreError> {
        let sql = format!(
            "SELECT u.id, u.uuid, u.username, u.password, u.source, {ACCOUNT} FROM user u \
             JOIN account a ON a.id = u.account_id {OF_ACCOUNT} WHERE u.id = ? AND u.removed IS NULL"
        );
        let row = self.db().row(&sql, args![id]).await?;
        row.map(|row| {
            Ok(User {
                id: row.get("id")?,
                uuid: row.get::<Option<String>>("uuid")?.unwrap_or_default(),
                username: row.get("username")?,
                password: Secret::new(row.get("password")?),
                source: row.get("source")?,
                account: account(&row)?,
            })
        })
        .transpose()
    }

    /// A living role.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn role_by_id(&self, id: i64) -> Result<Option<Role>, StoreError> {
        let sql = "SELECT id, name, role_type FROM roles WHERE id = ? AND removed IS NULL";
        let row = self.db().row(sql, args![id]).await?;
        row.map(|row| {
            let name = row.get::<Option<String>>("name")?.unwrap_or_default();
            Ok(Role { id: row.get("id")?, name, kind: row.get("role_type")? })
        })
        .transpose()
    }

    /// The user of a living key pair.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn key_user(&self, key_id: i64) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT user_id FROM api_keypair WHERE id = ? AND removed IS NULL";
        self.db().row(sql, args![key_id]).await?.map(|row| row.at(0)).transpose()
    }

    /// The users of key pairs, each once: user and account.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn users_of_keys(&self, key_ids: &[i64]) -> Result<Vec<(i64, i64)>, StoreError> {
        let sql = "SELECT DISTINCT u.id, u.account_id FROM api_keypair k JOIN user u ON u.id = k.user_id WHERE k.id IN ({ids})";
        self.rows_of(sql, key_ids, &[]).await?.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect()
    }

    /// The newest living key pair of a user.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn newest_key(&self, user_id: i64) -> Result<Option<i64>, StoreError> {
        let sql =
            "SELECT id FROM api_keypair WHERE user_id = ? AND removed IS NULL ORDER BY created DESC, id DESC LIMIT 1";
        self.db().row(sql, args![user_id]).await?.map(|row| row.at(0)).transpose()
    }

    /// Whether a domain has a zone that is kept for it.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn has_private_zone(&self, domain_id: i64) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM data_center WHERE domain_id = ? AND removed IS NULL LIMIT 1";
        Ok(self.db().row(sql, args![domain_id]).await?.is_some())
    }
}

impl Tx {
    /// Whether a living user of a domain, other than `except`, has this name.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn username_taken(&mut self, name: &str, domain_id: i64, except: i64) -> Result<bool, StoreError> {
        let sql = "SELECT u.id FROM user u JOIN account a ON a.id = u.account_id \
            WHERE u.username = ? AND a.domain_id = ? AND u.id <> ? AND u.removed IS NULL LIMIT 1";
        Ok(self.row(sql, args![name, domain_id, except]).await?.is_some())
    }

    /// Whether a living account of a domain has this name.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn account_name_taken(&mut self, name: &str, domain_id: i64) -> Result<bool, StoreError> {
        let sql = "SELECT id FROM account WHERE account_name = ? AND domain_id = ? AND removed IS NULL LIMIT 1";
        Ok(self.row(sql, args![name, domain_id]).await?.is_some())
    }

    /// Whether an account and a user with these public ids would be the first.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn identity_uuids_free(&mut self, account: Option<&str>, user: &str) -> Result<bool, StoreError> {
        let account_taken = match account {
            Some(uuid) => self.row("SELECT id FROM account WHERE uuid = ?", args![uuid]).await?.is_some(),
            None => false,
        };
        Ok(!account_taken && self.row("SELECT id FROM user WHERE uuid = ?", args![user]).await?.is_none())
    }

    /// Writes an account with its counts, and gives its internal id.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn account_insert(&mut self, new: &NewAccount) -> Result<i64, StoreError> {
        let sql = "INSERT INTO account (uuid, account_name, type, role_id, domain_id, state, created, network_domain) \
            VALUES (?, ?, ?, ?, ?, 'enabled', ?, ?)";
        let args = args![
            &new.uuid,
            &new.name,
            new.kind,
            new.role_id,
            new.domain_id,
            Timestamp::now(),
            new.network_domain.clone()
        ];
        let id = self.run(sql, args).await?.id;
        for (name, value) in &new.details {
            let sql = "INSERT INTO account_details (account_id, name, value) VALUES (?, ?, ?)";
            self.run(sql, args![id, name, value]).await?;
        }
        for resource in RESOURCES {
            let sql = "INSERT INTO resource_count (account_id, type, count) VALUES (?, ?, 0)";
            self.run(sql, args![id, resource]).await?;
        }
        Ok(id)
    }

    /// Writes a user, and gives its internal id.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn user_insert(&mut self, account_id: i64, new: &NewUser) -> Result<i64, StoreError> {
        let sql = "INSERT INTO user (uuid, username, password, account_id, firstname, lastname, email, state, created, timezone, \
            source) VALUES (?, ?, ?, ?, ?, ?, ?, 'enabled', ?, ?, 'UNKNOWN')";
        let args = args![
            &new.uuid,
            &new.username,
            new.password.expose(),
            account_id,
            &new.first_name,
            &new.last_name,
            &new.email,
            Timestamp::now(),
            new.timezone.clone()
        ];
        let id = self.run(sql, args).await?.id;
        if new.change_password {
            let sql = "INSERT INTO user_details (user_id, name, value) VALUES (?, 'PasswordChangeRequired', 'true')";
            self.run(sql, args![id]).await?;
        }
        Ok(id)
    }

    /// Changes a user.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn user_change(&mut self, id: i64, change: &UserChange) -> Result<(), StoreError> {
        let texts = [
            ("username", change.username.as_deref()),
            ("password", change.password.as_ref().map(Secret::expose)),
            ("firstname", change.first_name.as_deref()),
            ("lastname", change.last_name.as_deref()),
            ("email", change.email.as_deref()),
            ("timezone", change.timezone.as_deref()),
        ];
        for (column, value) in texts {
            if let Some(value) = value {
                self.run(&format!("UPDATE user SET {column} = ? WHERE id = ?"), args![value, id]).await?;
            }
        }
        if let Some(access) = change.key_access {
            if !self.schema().has("user", "api_key_access") {
                return Err(StoreError::Absent { what: "Whether a user's keys may be used", since: "4.20.1" });
            }
            self.run("UPDATE user SET api_key_access = ? WHERE id = ?", args![access, id]).await?;
        }
        if change.password.is_some() {
            // Whoever was to change it has done so.
            self.run("DELETE FROM user_details WHERE user_id = ? AND name = 'PasswordChangeRequired'", args![id])
                .await?;
        }
        Ok(())
    }

    /// Sets the state of a user: `enabled`, `disabled` or `locked`. An enabled one may fail to log in from the start again.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn user_set_state(&mut self, id: i64, state: &str) -> Result<(), StoreError> {
        self.run("UPDATE user SET state = ? WHERE id = ?", args![state, id]).await?;
        if state == "enabled" {
            self.run("UPDATE user SET incorrect_login_attempts = 0 WHERE id = ?", args![id]).await?;
        }
        Ok(())
    }

    /// Sets the state of an account: `enabled`, `disabled` or `locked`.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn account_set_state(&mut self, id: i64, state: &str) -> Result<(), StoreError> {
        self.run("UPDATE account SET state = ? WHERE id = ?", args![state, id]).await?;
        Ok(())
    }

    /// Writes a key pair of a user, and gives its internal id. The secret half was sealed for `new.uuid`
    /// ([`Store::seal_api_secret`]).
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn key_insert(
        &mut self,
        user: &User,
        api_key: &str,
        secret: &Sealed,
        new: &NewKey,
    ) -> Result<i64, StoreError> {
        if !self.schema().has_table("api_keypair") {
            return self.key_of_user(user.id, Some((api_key, secret)), new).await;
        }
        let sql = "INSERT INTO api_keypair (uuid, name, domain_id, account_id, user_id, start_date, end_date, description, \
            api_key, secret_key, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
        let args = args![
            &new.uuid,
            new.name.clone().unwrap_or_else(|| format!("{} - API key pair", user.id)),
            user.account.domain_id,
            user.account.id,
            user.id,
            new.starts,
            new.ends,
            new.description.clone(),
            api_key,
            secret.text(),
            Timestamp::now()
        ];
        let id = self.run(sql, args).await?.id;
        for (order, (rule, text)) in new.rules.iter().enumerate() {
            let sql = "INSERT INTO api_keypair_permissions (uuid, sort_order, rule, api_keypair_id, permission, description) \
                VALUES (?, ?, ?, ?, ?, ?)";
            let permission = if rule.allow { "ALLOW" } else { "DENY" };
            let order = signed(order);
            let args = args![uuid::Uuid::new_v4().to_string(), order, &rule.pattern, id, permission, text.clone()];
            self.run(sql, args).await?;
        }
        Ok(id)
    }

    /// Takes a key pair out of use, for good. Its rules stay, so that nothing it signed is ever allowed more.
    ///
    /// # Errors
    /// See [`Store::account_by_id`].
    pub async fn key_remove(&mut self, id: i64) -> Result<(), StoreError> {
        if !self.schema().has_table("api_keypair") {
            return self.key_of_user(id, None, &NewKey::default()).await.map(drop);
        }
        self.run("UPDATE api_keypair SET removed = ? WHERE id = ? AND removed IS NULL", args![Timestamp::now(), id])
            .await?;
        Ok(())
    }
}
