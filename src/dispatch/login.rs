//! Logging in and out: with the second factor (`second_factor.rs`) the three commands that the rim serves itself
//! (`contract/api-protocol.md 3`).

use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::request::{Answer, RawRequest, SESSION_COOKIE, SESSION_KEY, Verb};
use super::{Gateway, NO_COMMAND, Refusal};
use crate::api::{ApiError, Envelope, ErrorCode, Format, Reply, cs_code};
use crate::auth::limit::{Guesses, Tried};
use crate::auth::password;
use crate::auth::session::{self, Ticket};
use crate::commands::login::LoginView;
use crate::commands::logout::LogoutView;
use crate::model::{Secret, Timestamp, signed};
use crate::store::{LoginUser, NewEvent, SecondFactor, SessionRow, transact};

/// What a client that logs in with GET is told, without an envelope.
const USE_POST: &str = "Please use HTTP POST to authenticate using this API";
/// Where cookies of sessions are sent to.
const COOKIE_PATH: &str = "/client";
/// The time zone of users who have none of their own: the server's.
const SERVER_TIME_ZONE: &str = "UTC";
/// The root domain.
const ROOT_DOMAIN: i64 = 1;
/// The account type of root administrators, who are never shut out by others' wrong guesses.
const ROOT_ADMIN: i64 = 1;
/// Passwords that are checked at the same time: each keeps a processor busy for a third of a second.
const PASSWORD_CHECKS: usize = 2;
/// Logins that may wait for their turn.
const WAITING_LOGINS: usize = 64;

/// What is kept about logins that are under way or have failed.
#[derive(Debug)]
pub(super) struct Logins {
    pub(super) guesses: Guesses,
    waiting: Semaphore,
    turns: Semaphore,
}

impl Default for Logins {
    fn default() -> Self {
        Self {
            guesses: Guesses::default(),
            waiting: Semaphore::new(WAITING_LOGINS),
            turns: Semaphore::new(PASSWORD_CHECKS),
        }
    }
}

/// A command that the rim serves itself. Its name is understood in any letter case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authenticator {
    Login,
    Logout,
    SecondFactor,
}

impl Authenticator {
    /// The one that a request names.
    pub(super) fn named(request: &RawRequest) -> Option<Self> {
        let name = request.exact("command")?;
        [Self::Login, Self::Logout, Self::SecondFactor].into_iter().find(|one| name.eq_ignore_ascii_case(one.name()))
    }

    /// The name as it is spelled in the list of commands.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Logout => "logout",
            Self::SecondFactor => "validateUserTwoFactorAuthenticationCode",
        }
    }

    const fn envelope(self) -> &'static str {
        match self {
            Self::Login => "loginresponse",
            Self::Logout => "logoutresponse",
            Self::SecondFactor => "validateusertwofactorauthenticationcoderesponse",
        }
    }

    /// The envelope of errors: only the name as it is spelled in the list of commands has one of its own.
    pub(super) fn error_envelope(self, request: &RawRequest) -> &'static str {
        if request.exact("command") == Some(self.name()) { self.envelope() } else { NO_COMMAND }
    }

    /// What is told where another web site has caused the request: a login is refused as one, and who logs out or shows a second
    /// factor has no session.
    pub(super) fn refusal_of_foreign(self) -> ApiError {
        match self {
            // Somebody else's page would log this browser in as somebody else.
            Self::Login => {
                ApiError::login_failed("A login has to come from this server's own pages, not from another site's.")
            }
            Self::Logout => ApiError::bad_parameter("Session not found for the logout process."),
            Self::SecondFactor => ApiError::bad_credentials(),
        }
    }
}

impl Gateway {
    /// Answers one of the rim's own commands.
    pub(super) async fn authenticate(&self, which: Authenticator, request: &RawRequest, format: Format) -> Answer {
        let mut cookies = Vec::new();
        // Logins have limits of their own.
        let shown = request.session_id().filter(|_| which != Authenticator::Login);
        let _leave = match shown {
            None => None,
            Some(id) => match self.distrust.may_show(request.peer, &[Some(id)]).await {
                Ok(leave) => Some(leave),
                Err(wait) => {
                    let refusal = Refusal::new(which.error_envelope(request), super::proof::too_many_refused(wait));
                    return self.refuse(refusal, format);
                }
            },
        };
        let done = match which {
            Authenticator::Login => self.login(request, &mut cookies).await,
            Authenticator::Logout => self.logout(request, &mut cookies).await,
            Authenticator::SecondFactor => self.second_factor(request).await,
        };
        let mut answer = match done {
            Ok(Some(reply)) => {
                let envelope = Envelope { name: which.envelope(), format, version: None };
                Answer::new(200, format, envelope.reply(&reply))
            }
            Ok(None) => Answer::new(ErrorCode::MethodNotAllowed.number(), format, USE_POST),
            Err(error) => self.refuse(Refusal::new(which.error_envelope(request), error), format),
        };
        answer.cookies = cookies;
        answer
    }

    /// Logs in. `None` says that GET is not the way.
    async fn login(&self, request: &RawRequest, cookies: &mut Vec<String>) -> Result<Option<Reply>, ApiError> {
        if self.is_foreign(request) {
            return Err(Authenticator::Login.refusal_of_foreign());
        }
        // A session that the client still has ends, and it gets a new cookie whatever becomes of the login: an id that
        // somebody else has put there is worth nothing.
        self.end_shown(request).await?;
        let ticket = Ticket::issue();
        cookies.push(self.session_cookie(request, ticket.id.expose()));
        if request.verb != Verb::Post {
            return Ok(None);
        }
        self.logins.guesses.may_come(request.peer).map_err(too_many_guesses)?;
        let domain_id = self.domain_of_login(request).await.inspect_err(|error| {
            // Who names a domain that there is not is guessing as well.
            if matches!(error.code, ErrorCode::Account | ErrorCode::Unauthorized) {
                self.logins.guesses.strayed(request.peer);
            }
        })?;
        let username = request.exact("username").unwrap_or_default();
        let user = self.authenticated(request, username, domain_id).await?;
        let known = self.credentials.known_user(user.identity.user_id).await.map_err(database_failed)?;
        let cidrs = known.map(|known| known.allowed_cidrs).unwrap_or_default();
        if !super::proof::is_allowed_place(&cidrs, request.peer) {
            return Err(ApiError::login_failed(format!(
                "Failed to authenticate user '{username}' in domain '{}' from ip {}; please provide valid credentials",
                user.identity.domain_path, request.peer
            )));
        }
        self.open_session(&user, &ticket, request.peer).await?;
        cookies.push(self.key_cookie(request, ticket.key.expose()));
        Ok(Some(Reply::bare(self.login_view(user, ticket.key.expose()))))
    }

    /// Ends the session that a login still shows. What is none costs a look, and counts among what was shown in vain.
    async fn end_shown(&self, request: &RawRequest) -> Result<(), ApiError> {
        let Some(id) = request.session_id() else { return Ok(()) };
        // Where too much was shown in vain only what was good lately is looked at. The login goes on without.
        let Ok(_leave) = self.distrust.may_show(request.peer, &[Some(id)]).await else { return Ok(()) };
        match self.session(request).await? {
            Some(session) => {
                self.means.store.session_end(&session.id_hash).await?;
            }
            None => self.distrust.refused(request.peer),
        }
        Ok(())
    }

    /// The domain that a login names by id or path; the root without either.
    pub(super) async fn domain_of_login(&self, request: &RawRequest) -> Result<i64, ApiError> {
        if let Some(id) = request.exact("domainid").or_else(|| request.exact("domainId")) {
            let found = match id.parse::<i64>() {
                Ok(number) => Some(number),
                Err(_) => self.means.store.internal_id(crate::model::entity::EntityKind::Domain, id).await?,
            };
            return found.ok_or_else(|| ApiError {
                cs_code: None,
                described: false,
                ..ApiError::new(
                    ErrorCode::Unauthorized,
                    cs_code::COMMAND,
                    "Invalid domain id entered, please enter a valid one",
                )
            });
        }
        let given = request.exact("domain").unwrap_or_default().trim_matches('/');
        if given.is_empty() {
            return Ok(ROOT_DOMAIN);
        }
        let path = format!("/{given}/");
        let found = self.means.store.domain_by_path(&path).await?;
        found.ok_or_else(|| ApiError::login_failed(format!("Unable to find the domain from the path {path}")))
    }

    /// The user, if name and password fit and the user may log in. A name that nobody has costs as much time as a wrong
    /// password, and is told the same.
    async fn authenticated(&self, request: &RawRequest, username: &str, domain_id: i64) -> Result<LoginUser, ApiError> {
        let failed = || {
            ApiError::login_failed(format!(
                "Failed to authenticate user {username} in domain {domain_id}; please provide valid credentials"
            ))
        };
        let given = request.exact("password").unwrap_or_default();
        if username.is_empty() || given.is_empty() {
            return Err(failed());
        }
        let user = self.means.store.login_user(username, domain_id).await?;
        let number = user.as_ref().map(|user| user.identity.user_id);
        let tried = number.map_or_else(|| Tried::name(username, domain_id), Tried::user);
        let attempt = self.logins.guesses.attempt(request.peer, tried).map_err(too_many_guesses)?;
        let stored = user.as_ref().map(|user| user.password.clone());
        let fits = match self.check_password(stored, given).await {
            Ok(fits) => fits,
            Err(error) => {
                // Nothing was compared.
                attempt.take_back();
                return Err(error);
            }
        };
        let Some(user) = user.filter(|_| fits) else {
            attempt.failed();
            // Asked for again, whoever it is: others may have failed meanwhile, and it takes as long for a name that nobody has.
            if let Some(user) = self.means.store.login_user(username, domain_id).await? {
                self.count_failure(&user).await?;
            }
            tracing::warn!(peer = %request.peer, user = %username.escape_debug(), domain_id, "a login failed");
            return Err(failed());
        };
        let is_saml = user.source.to_uppercase().starts_with("SAML2");
        if is_saml || !user.identity.enabled || second_factor_of(&user).is_due() {
            // A right password alone excuses no wrong one where it is not the whole proof: the second factor does, when it is shown.
            attempt.take_back();
        } else {
            attempt.succeeded();
            self.means.store.login_succeeded(user.identity.user_id).await?;
        }
        if is_saml {
            return Err(ApiError::login_failed("User is not allowed CloudStack login"));
        }
        if !user.identity.enabled {
            return Err(ApiError::login_failed(self.disabled_text(&user).await?));
        }
        Ok(user)
    }

    /// Whether the password fits the stored one, off the threads that answer requests. Few are checked at a time, and only
    /// so many may wait: a flood of logins slows down logins, nothing else.
    async fn check_password(&self, stored: Option<Secret>, given: &str) -> Result<bool, ApiError> {
        let busy = "Too many people are logging in at this moment. Wait a few seconds and try again.";
        let _waiting = self.logins.waiting.try_acquire().map_err(|_| ApiError::service_unavailable(busy))?;
        let _turn = self.logins.turns.acquire().await.map_err(|_| ApiError::service_unavailable(busy))?;
        let given = Secret::new(given.to_owned());
        let checked =
            tokio::task::spawn_blocking(move || password::lets_in(stored.as_ref().map(Secret::expose), given.expose()));
        checked.await.map_err(|cause| ApiError::internal("The password could not be checked.").caused_by(cause))
    }

    /// Notes a wrong password or second factor with the user, who is shut out after too many: but for root administrators, whom
    /// anybody could keep out then.
    pub(super) async fn count_failure(&self, user: &LoginUser) -> Result<(), ApiError> {
        if !user.identity.enabled || user.identity.account_type == ROOT_ADMIN {
            return Ok(());
        }
        let allowed = self.means.policy.session.failed_logins_allowed;
        let shut_out = allowed > 0 && user.failed_logins + 1 >= allowed;
        if shut_out {
            let who = &user.identity;
            let domain_id = who.domain_id;
            tracing::warn!(user = %who.username.escape_debug(), domain_id, "disabled after too many failed logins");
        }
        Ok(self.means.store.login_failed(user.identity.user_id, shut_out).await?)
    }

    async fn disabled_text(&self, user: &LoginUser) -> Result<String, ApiError> {
        let who = &user.identity;
        let account = crate::model::text::Dump::new("UserAccount")
            .text("accountName", Some(&who.account))
            .number("id", Some(who.user_id))
            .text("username", Some(&who.username))
            .end();
        let (domain_name, ..) = self.means.store.domain_by_id(who.domain_id).await?.unwrap_or_default();
        let domain = crate::model::text::Dump::new("Domain")
            .number("id", Some(who.domain_id))
            .text("name", Some(&domain_name))
            .text("path", Some(&who.domain_path))
            .text("uuid", Some(&who.domain_uuid))
            .end();
        Ok(format!(
            "User {account}. (or their account) in domain {domain} is disabled/locked. Please contact the administrator."
        ))
    }

    async fn open_session(&self, user: &LoginUser, ticket: &Ticket, peer: IpAddr) -> Result<(), ApiError> {
        self.means.store.sessions_forget(self.idle_since()).await?;
        let row = SessionRow {
            id_hash: session::id_fingerprint(ticket.id.expose()),
            key_hash: session::fingerprint(ticket.key.expose()),
            secret: Some(ticket.secret.clone()),
            user_id: user.identity.user_id,
            second_factor: second_factor_of(user),
            last_used: Timestamp::now(),
        };
        self.means.store.session_create(&row).await?;
        self.note(user, "USER.LOGIN", format!("user has logged in from IP Address /{peer}")).await
    }

    /// Writes the event of a login or logout.
    async fn note(&self, user: &LoginUser, kind: &str, description: String) -> Result<(), ApiError> {
        let who = &user.identity;
        let event = NewEvent {
            kind: kind.to_owned(),
            state: "Completed",
            level: "INFO",
            description,
            user_id: who.user_id,
            account_id: who.account_id,
            domain_id: who.domain_id,
            resource: Some(("User".to_owned(), who.user_id)),
            start_id: 0,
        };
        transact!(self.means.store, ApiError, |tx| {
            tx.event_insert(&event).await?;
            Ok(())
        })
    }

    fn login_view(&self, user: LoginUser, key: &str) -> LoginView {
        let who = user.identity;
        let needs_factor = user.second_factor.is_some() || user.factor_mandated;
        let provider = user.second_factor.map(|(provider, _)| provider);
        let time_zone = user.time_zone.filter(|zone| !zone.is_empty()).unwrap_or_else(|| SERVER_TIME_ZONE.to_owned());
        LoginView {
            username: who.username,
            user_id: who.user_uuid,
            domain_id: who.domain_uuid,
            timeout: signed(self.means.policy.session.idle_timeout.as_secs()),
            account: who.account,
            first_name: user.first_name,
            last_name: user.last_name,
            kind: who.account_type.to_string(),
            time_zone_offset: Some(hours_from_utc(&time_zone)),
            time_zone: Some(time_zone),
            registered: user.is_registered.to_string(),
            session_key: key.to_owned(),
            is_2fa_enabled: needs_factor.to_string(),
            is_2fa_verified: (!needs_factor).to_string(),
            provider_for_2fa: provider.filter(|provider| !provider.is_empty()),
            issuer_for_2fa: "CloudStack".to_owned(),
            management_server_id: self.server_uuid.clone().filter(|_| who.account_type == ROOT_ADMIN),
            must_change_password: user.must_change_password.then_some(true),
        }
    }

    async fn logout(&self, request: &RawRequest, cookies: &mut Vec<String>) -> Result<Option<Reply>, ApiError> {
        let session = self.session(request).await?;
        let (Some(session), Some(id)) = (session, request.session_id()) else {
            if request.session_id().is_some() {
                self.distrust.refused(request.peer);
            }
            return Err(Authenticator::Logout.refusal_of_foreign());
        };
        self.means.store.session_end(&session.id_hash).await?;
        if let Some(user) = self.means.store.login_user_by_id(session.user_id).await? {
            self.note(&user, "USER.LOGOUT", "user has logged out".to_owned()).await?;
        }
        if let Some(secret) = &session.secret {
            cookies.push(self.key_cookie(request, session::key_of(secret.expose(), id).expose()));
        }
        let expired = |name: &str| format!("{name}=; Expires=Thu, 01-Jan-1970 00:00:00 GMT; Max-Age=0");
        cookies.extend(request.cookies.iter().filter(|(name, _)| is_cookie_name(name)).map(|(name, _)| expired(name)));
        Ok(Some(Reply::bare(LogoutView { description: "success".to_owned() })))
    }

    /// The cookie with the id. Where nobody can read along, it is kept from scripts and from plain HTTP.
    fn session_cookie(&self, request: &RawRequest, id: &str) -> String {
        if self.means.policy.session.secure_cookie || request.is_encrypted {
            format!("{SESSION_COOKIE}={id};Secure;HttpOnly;Path={COOKIE_PATH}")
        } else {
            format!("{SESSION_COOKIE}={id}; Path={COOKIE_PATH}")
        }
    }

    /// The cookie with the key.
    fn key_cookie(&self, request: &RawRequest, key: &str) -> String {
        let site = self.means.policy.session.same_site.attribute();
        let is_secure = self.means.policy.session.secure_cookie || request.is_encrypted;
        let secure = if is_secure && !site.contains("Secure") { ";Secure" } else { "" };
        format!("{SESSION_KEY}={key};HttpOnly;{site}{secure}")
    }
}

/// A name that can stand in a cookie: what else a client has sent as one is not repeated to it.
fn is_cookie_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte))
}

/// What a session of this user has to show yet.
fn second_factor_of(user: &LoginUser) -> SecondFactor {
    match user.second_factor {
        Some(_) => SecondFactor::Awaited,
        None if user.factor_mandated => SecondFactor::Missing,
        None => SecondFactor::NotNeeded,
    }
}

pub(super) fn too_many_guesses(wait: Duration) -> ApiError {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    ApiError::new(
        ErrorCode::ApiLimitExceeded,
        cs_code::COMMAND,
        format!("Too many logins have failed for this user or from this address. Try again in {seconds} s."),
    )
}

fn database_failed(cause: crate::api::BoxError) -> ApiError {
    ApiError::internal("The user could not be looked up: the database did not answer. Try again.").caused_by(cause)
}

/// How far a time zone is from UTC now, in hours, as Java prints such a number: `5.5`, `-7.0`. As in Java, `GMT+5:30` is a zone, and
/// a name that nobody knows means Greenwich.
fn hours_from_utc(time_zone: &str) -> String {
    let seconds = match jiff::tz::TimeZone::get(time_zone) {
        Ok(zone) => zone.to_offset(jiff::Timestamp::now()).seconds(),
        Err(_) => custom_offset(time_zone).unwrap_or_default(),
    };
    format!("{:?}", f64::from(seconds) / 3600.0)
}

/// The seconds of `GMT+5`, `GMT-05:30` or `GMT+0530`; none for another text.
fn custom_offset(time_zone: &str) -> Option<i32> {
    let rest = time_zone.strip_prefix("GMT")?;
    let sign = match rest.chars().next()? {
        '+' => 1,
        '-' => -1,
        _ => return None,
    };
    let digits = &rest[1..];
    let (hours, minutes) = match (digits.split_once(':'), digits.len()) {
        (Some((hours, minutes)), _) if minutes.len() == 2 => (hours, minutes),
        (None, 1 | 2) => (digits, "0"),
        (None, 3 | 4) => digits.split_at_checked(digits.len() - 2)?,
        _ => return None,
    };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<i32>().ok()).flatten();
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours <= 23 && minutes <= 59).then_some(sign * (hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_of_time_zones() {
        for (time_zone, hours) in [
            ("UTC", "0.0"),
            ("Asia/Kolkata", "5.5"),
            ("Etc/GMT+7", "-7.0"),
            ("GMT+5", "5.0"),
            ("GMT+05:30", "5.5"),
            ("GMT-0730", "-7.5"),
            ("GMT+24:00", "0.0"),
            ("GMT+é", "0.0"),
            ("GMT", "0.0"),
            ("Nowhere/Land", "0.0"),
        ] {
            assert_eq!(hours_from_utc(time_zone), hours, "{time_zone}");
        }
    }

    #[test]
    fn only_names_of_cookies_are_repeated() {
        assert!(is_cookie_name("JSESSIONID") && is_cookie_name("a-b.c"));
        assert!(!is_cookie_name("") && !is_cookie_name("a\r\nSet-Cookie: b") && !is_cookie_name("a;b"));
    }
}
