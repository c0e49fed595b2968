//! Sessions of people who logged in, and what the database knows of a person who tries to (`contract/api-protocol.md 3`).

use super::accounts::{IDENTITY, identity};
use super::{Identity, SECOND_FACTOR, Store, StoreError};
use crate::args;
use crate::model::{Secret, Timestamp};

/// Whether a session has shown the second factor of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// The user has none, and needs none.
    NotNeeded,
    /// The user has none, and has to have one.
    Missing,
    /// It has not been shown yet.
    Awaited,
    /// The one guess that a session has is under way, or was when a gateway stopped.
    Tried,
    /// It has been shown.
    Shown,
}

impl SecondFactor {
    const ALL: [(Self, &'static str); 5] = [
        (Self::NotNeeded, "not-needed"),
        (Self::Missing, "missing"),
        (Self::Awaited, "awaited"),
        (Self::Tried, "tried"),
        (Self::Shown, "shown"),
    ];

    /// Whether the session may do nothing yet but what leads to the factor.
    pub fn is_due(self) -> bool {
        matches!(self, Self::Missing | Self::Awaited | Self::Tried)
    }

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(known, _)| *known == self).map_or("", |(_, word)| word)
    }

    /// A word that is not known is a second factor that was not shown: the fewest rights.
    fn parse(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Awaited, |(known, _)| *known)
    }
}

/// A session as it is kept.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// Fingerprint of its id.
    pub id_hash: String,
    /// Fingerprint of its key.
    pub key_hash: String,
    /// What makes the key from the id; none for sessions that another server made.
    pub secret: Option<Secret>,
    /// Whose it is, internal id.
    pub user_id: i64,
    /// The second factor.
    pub second_factor: SecondFactor,
    /// When it was last used, to the minute.
    pub last_used: Timestamp,
}

/// A user who tries to log in.
#[derive(Clone, Debug)]
pub struct LoginUser {
    /// Who it is.
    pub identity: Identity,
    /// The stored password, hashed.
    pub password: Secret,
    /// `UNKNOWN`, `NATIVE`, `LDAP`, `SAML2`...
    pub source: String,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Time zone, such as `Europe/Berlin`.
    pub time_zone: Option<String>,
    /// Whether the user has registered by a token.
    pub is_registered: bool,
    /// The second factor's provider and key, when it is on.
    pub second_factor: Option<(String, Secret)>,
    /// Whether the user's domain demands a second factor.
    pub factor_mandated: bool,
    /// Failed logins since the last one that succeeded.
    pub failed_logins: i64,
    /// Whether the password has to be changed.
    pub must_change_password: bool,
}

/// The condition for the living user with a name in a domain.
const BY_NAME: &str = "u.username = ? AND a.domain_id = ? AND u.removed IS NULL AND a.removed IS NULL AND a.type <> 5";

impl Store {
    /// Keeps a new session.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn session_create(&self, session: &SessionRow) -> Result<(), StoreError> {
        let sql = "INSERT INTO motion_session (id_hash, key_hash, secret, user_id, second_factor, created, last_used) \
            VALUES (?, ?, ?, ?, ?, ?, ?)";
        let args = args![
            &session.id_hash,
            &session.key_hash,
            session.secret.as_ref().map(Secret::expose),
            session.user_id,
            session.second_factor.word(),
            session.last_used,
            session.last_used
        ];
        self.db().run(sql, args).await.map(drop)
    }

    /// The session with this fingerprint, if it was used since `idle_since`.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn session_by_id_hash(
        &self,
        id_hash: &str,
        idle_since: Timestamp,
    ) -> Result<Option<SessionRow>, StoreError> {
        let sql = "SELECT id_hash, key_hash, secret, user_id, second_factor, last_used FROM motion_session \
            WHERE id_hash = ? AND last_used >= ?";
        let Some(row) = self.db().row(sql, args![id_hash, idle_since]).await? else { return Ok(None) };
        Ok(Some(SessionRow {
            id_hash: row.get("id_hash")?,
            key_hash: row.get("key_hash")?,
            secret: row.get::<Option<String>>("secret")?.map(Secret::new),
            user_id: row.get("user_id")?,
            second_factor: SecondFactor::parse(&row.get::<String>("second_factor")?),
            last_used: row.get("last_used")?,
        }))
    }

    /// Notes that a session is used.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn session_touch(&self, id_hash: &str, now: Timestamp) -> Result<(), StoreError> {
        let sql = "UPDATE motion_session SET last_used = ? WHERE id_hash = ? AND last_used < ?";
        self.db().run(sql, args![now, id_hash, now]).await.map(drop)
    }

    /// Takes the one guess at the second factor that a session has. False when it was taken before, or the session has ended: of
    /// several that come at once, through whatever gateways, one has it.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn session_second_factor_try(&self, id_hash: &str) -> Result<bool, StoreError> {
        let sql = "UPDATE motion_session SET second_factor = ? WHERE id_hash = ? AND second_factor <> ?";
        let tried = SecondFactor::Tried.word();
        Ok(self.db().run(sql, args![tried, id_hash, tried]).await?.rows > 0)
    }

    /// Notes that the second factor of a session was shown, if the factor still is what it was `before`.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn session_second_factor_shown(&self, id_hash: &str, before: SecondFactor) -> Result<bool, StoreError> {
        let sql = "UPDATE motion_session SET second_factor = ? WHERE id_hash = ? AND second_factor = ?";
        let args = args![SecondFactor::Shown.word(), id_hash, before.word()];
        Ok(self.db().run(sql, args).await?.rows > 0)
    }

    /// Notes that a user has shown the code of a time step. False when that one or a later one was shown before.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn second_factor_use(&self, user_id: i64, step: i64) -> Result<bool, StoreError> {
        let sql = "UPDATE motion_second_factor SET step = ? WHERE user_id = ? AND step < ?";
        if self.db().run(sql, args![step, user_id, step]).await?.rows > 0 {
            return Ok(true);
        }
        let sql = "INSERT INTO motion_second_factor (user_id, step) VALUES (?, ?)";
        match self.db().run(sql, args![user_id, step]).await {
            Ok(_) => Ok(true),
            // The user has a row, and its step is no earlier one.
            Err(error) if error.is_duplicate() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Ends a session; true when there was one.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn session_end(&self, id_hash: &str) -> Result<bool, StoreError> {
        let done = self.db().run("DELETE FROM motion_session WHERE id_hash = ?", args![id_hash]).await?;
        Ok(done.rows > 0)
    }

    /// Forgets sessions that nobody has used since `idle_since`.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn sessions_forget(&self, idle_since: Timestamp) -> Result<(), StoreError> {
        self.db().run("DELETE FROM motion_session WHERE last_used < ?", args![idle_since]).await.map(drop)
    }

    /// The living user with this name in a domain.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn login_user(&self, username: &str, domain_id: i64) -> Result<Option<LoginUser>, StoreError> {
        self.user_who_logs_in(BY_NAME, args![username, domain_id]).await
    }

    /// The internal id of the same user, and nothing that would have to be unsealed.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn login_user_id(&self, username: &str, domain_id: i64) -> Result<Option<i64>, StoreError> {
        let sql = format!(
            "SELECT u.id FROM user u JOIN account a ON a.id = u.account_id WHERE {BY_NAME} ORDER BY u.id LIMIT 1"
        );
        self.db().row(&sql, args![username, domain_id]).await?.map(|row| row.at(0)).transpose()
    }

    /// The same by the internal id.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn login_user_by_id(&self, user_id: i64) -> Result<Option<LoginUser>, StoreError> {
        self.user_who_logs_in("u.id = ?", args![user_id]).await
    }

    async fn user_who_logs_in(&self, wanted: &str, args: Vec<super::Value>) -> Result<Option<LoginUser>, StoreError> {
        let sql = format!(
            "SELECT u.password, u.source, u.firstname, u.lastname, u.timezone, u.is_registered, \
             u.incorrect_login_attempts, u.is_user_2fa_enabled, u.user_2fa_provider, u.key_for_2fa, {IDENTITY} \
             WHERE {wanted} ORDER BY u.id LIMIT 1"
        );
        let Some(row) = self.db().row(&sql, args).await? else { return Ok(None) };
        let second_factor = if row.get::<bool>("is_user_2fa_enabled")? {
            let text = |name: &str| Ok::<_, StoreError>(row.get::<Option<String>>(name)?.unwrap_or_default());
            let row_name = row.get::<i64>("user_id")?.to_string();
            let key = self.open_secret(&SECOND_FACTOR, &row_name, &text("key_for_2fa")?)?;
            Some((text("user_2fa_provider")?, key))
        } else {
            None
        };
        let identity = identity(&row)?;
        let must_change_password = self.must_change_password(identity.user_id).await?;
        let factor_mandated = self.second_factor_mandated(identity.domain_id).await?;
        Ok(Some(LoginUser {
            identity,
            password: Secret::new(row.get("password")?),
            source: row.get("source")?,
            first_name: row.get("firstname")?,
            last_name: row.get("lastname")?,
            time_zone: row.get("timezone")?,
            is_registered: row.get("is_registered")?,
            second_factor,
            factor_mandated,
            failed_logins: row.get("incorrect_login_attempts")?,
            must_change_password,
        }))
    }

    /// Whether a user was told to change the password and has not done so.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn must_change_password(&self, user_id: i64) -> Result<bool, StoreError> {
        let sql =
            "SELECT id FROM user_details WHERE user_id = ? AND name = 'PasswordChangeRequired' AND value = 'true'";
        Ok(self.db().row(sql, args![user_id]).await?.is_some())
    }

    /// Counts a failed login. With `disable` the user cannot log in any more until an administrator says so.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn login_failed(&self, user_id: i64, disable: bool) -> Result<(), StoreError> {
        let state = if disable { ", state = 'disabled'" } else { "" };
        let sql =
            format!("UPDATE `user` SET incorrect_login_attempts = incorrect_login_attempts + 1{state} WHERE id = ?");
        self.db().run(&sql, args![user_id]).await.map(drop)
    }

    /// Forgets the failed logins of a user.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn login_succeeded(&self, user_id: i64) -> Result<(), StoreError> {
        let sql = "UPDATE `user` SET incorrect_login_attempts = 0 WHERE id = ? AND incorrect_login_attempts <> 0";
        self.db().run(sql, args![user_id]).await.map(drop)
    }

    /// The living domain at a path such as `/` or `/a/b/`.
    ///
    /// # Errors
    /// See [`Store::session_create`].
    pub async fn domain_by_path(&self, path: &str) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT id FROM domain WHERE path = ? AND removed IS NULL";
        self.db().row(sql, args![path]).await?.map(|row| row.at(0)).transpose()
    }
}
