//! What is for the management server behind the gateway: commands that are not served here, logins, and jobs and commands
//! that only it knows (`docs/adr/0009-pass-through.md`).
//!
//! A command that is passed on is not authenticated here: that is the management server's business, which sees the request as
//! it came.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::foreign::{self, ForeignLogin};
use super::login::{Authenticator, too_many_guesses};
use super::request::{Outgoing, RawRequest, SESSION_COOKIE, SESSION_KEY};
use super::{Gateway, NO_COMMAND, Refusal};
use crate::api::{ApiError, Format, Node, Reply};
use crate::auth::limit::{Attempt, Tried};
use crate::auth::session;
use crate::commands::{Registered, find};
use crate::model::entity::EntityKind;
use crate::model::{Timestamp, signed};
use crate::store::{SecondFactor, SessionRow};
use crate::upstream::{PassError, Passed, Passing, Upstream};

/// The largest answer to a login or a second factor that is read. Real ones have half a kilobyte.
const LOGIN_BYTES: usize = 64 * 1024;
/// The largest list of commands that is read. CloudStack's has 3.6 MB (`contract/ui.md 1`).
const LISTING_BYTES: usize = 32 * 1024 * 1024;
/// Lists of commands that are joined at the same time, since each is held whole.
const JOINS: usize = 4;
/// How long the management server's list of commands is waited for: a client that asks what it may call must get an answer.
const LISTING_PATIENCE: Duration = Duration::from_secs(30);
/// Statuses that say that the management server does not know the session.
const NO_SESSION: [u16; 2] = [401, 511];

/// Statuses of a login that failed, or that named no domain that there is (`contract/api-protocol.md 3.1 and 3.5`).
const LOGIN_FAILED: [u16; 2] = [401, 531];
/// The status of a second factor that was wrong (`contract/api-protocol.md 3.7`).
const FACTOR_FAILED: u16 = 511;
/// The number of no domain: which one a login means is the management server's to find out.
const NO_DOMAIN: i64 = 0;

const LIST_APIS: &str = "listApis";
const QUERY_JOB: &str = "queryAsyncJobResult";

/// The way to the management server.
#[derive(Clone)]
pub(super) struct Onward {
    upstream: Arc<dyn Upstream>,
    joins: Arc<Semaphore>,
}

impl Gateway {
    /// The same, passing on what it does not serve.
    #[must_use]
    pub fn with_upstream(self, upstream: Arc<dyn Upstream>) -> Self {
        Self { onward: Some(Onward { upstream, joins: Arc::new(Semaphore::new(JOINS)) }), ..self }
    }

    /// Whether anything is passed on, so that requests have to come with [`RawRequest::original`].
    pub const fn has_upstream(&self) -> bool {
        self.onward.is_some()
    }

    /// The upstream's answer to a request that is not for this gateway.
    pub(super) async fn passed(&self, request: &RawRequest, format: Format) -> Option<Outgoing> {
        self.onward.as_ref()?;
        let done = match Authenticator::named(request) {
            // The management server would go by the cookies alone.
            Some(which) if self.is_foreign(request) => {
                let refusal = Refusal::new(which.error_envelope(request), which.refusal_of_foreign());
                return Some(Outgoing::Own(self.refuse(refusal, format)));
            }
            Some(which) => self.pass_authenticator(which, request).await,
            None if is_for_upstream(request) => self.pass(request, false).await,
            None => return None,
        };
        Some(self.outgoing(done, format))
    }

    /// The upstream's answer about a job that is not in the database here.
    ///
    /// Asked only after the gateway itself has refused: polls of its own jobs cost nothing more, and callers whom only the
    /// upstream knows can follow the jobs that it has given them.
    pub(super) async fn passed_job(&self, request: &RawRequest, format: Format) -> Option<Outgoing> {
        self.onward.as_ref()?;
        let job = request.any_case("jobid").filter(|id| !id.is_empty())?;
        if request.exact("command") != Some(QUERY_JOB) {
            return None;
        }
        let is_here = match job.parse::<i64>() {
            Ok(number) => self.means.store.job_by_id(number).await.map(|row| row.is_some()),
            Err(_) => self.means.store.internal_id(EntityKind::AsyncJob, job).await.map(|number| number.is_some()),
        };
        // A database that does not answer is no reason to ask somebody else.
        if is_here.unwrap_or(true) {
            return None;
        }
        let done = self.pass(request, false).await;
        Some(self.outgoing(done, format))
    }

    /// The answer to `listApis` with the commands that only the upstream serves; the answer as it is when it cannot be asked.
    pub(super) async fn joined(
        &self,
        request: &RawRequest,
        command: &Registered,
        reply: Reply,
        format: Format,
    ) -> Reply {
        let Some(onward) = &self.onward else { return reply };
        let Reply::List { object, count, mut items } = reply else { return reply };
        // A name that got here is served here.
        let is_named = request.any_case("name").is_some_and(|name| !name.is_empty());
        if command.entry.spec.name == LIST_APIS && !is_named {
            let asked =
                tokio::time::timeout(LISTING_PATIENCE, self.commands_of_upstream(onward, request, format)).await;
            // What only stands in for the management server is its to tell.
            items.retain(|entry| is_ours(name_of(entry)));
            match asked.unwrap_or_else(|_| Err("it did not answer in time".to_owned())) {
                Ok(theirs) => {
                    items.extend(theirs);
                }
                Err(reason) => tracing::warn!(reason, "listApis without the management server's commands"),
            }
            let count = signed(items.len());
            return Reply::List { object, count, items };
        }
        Reply::List { object, count, items }
    }

    async fn commands_of_upstream(
        &self,
        onward: &Onward,
        request: &RawRequest,
        format: Format,
    ) -> Result<Vec<Node>, String> {
        let _turn = onward.joins.acquire().await.map_err(|error| error.to_string())?;
        let chain = |error: &(dyn std::error::Error + 'static)| crate::telemetry::chain(error);
        let mut passed = self.send(request, true).await.map_err(|error| chain(&error))?;
        if passed.status != 200 {
            return Err(format!("it answered {}", passed.status));
        }
        let body = passed.body.peek(LISTING_BYTES).await.map_err(|error| chain(&error))?;
        let body = body.ok_or_else(|| format!("its list has more than {LISTING_BYTES} bytes"))?;
        let theirs = foreign::commands_of(&body, format, is_ours);
        theirs.ok_or_else(|| "its list cannot be read".to_owned())
    }

    /// Logging in and out, and the second factor. The upstream decides; what it decides is noted here, so that commands that
    /// are served here accept its sessions.
    async fn pass_authenticator(&self, which: Authenticator, request: &RawRequest) -> Result<Passed, ApiError> {
        match which {
            Authenticator::Login => {
                self.forget_session(request).await?;
                self.pass_login(request).await
            }
            Authenticator::Logout => {
                // First here: whatever becomes of the upstream, the session is over.
                self.forget_session(request).await?;
                self.pass(request, false).await
            }
            // In other letters it is no second factor to CloudStack.
            Authenticator::SecondFactor if request.exact("command") != Some(which.name()) => {
                self.pass(request, false).await
            }
            Authenticator::SecondFactor => self.pass_second_factor(request).await,
        }
    }

    /// Guessing is slowed down here as it is without an upstream, which sees the gateway where a guesser is.
    async fn pass_login(&self, request: &RawRequest) -> Result<Passed, ApiError> {
        self.logins.guesses.may_come(request.peer).map_err(too_many_guesses)?;
        let tried = self.tried_there(request).await?;
        let (attempt, mut passed) = self.pass_attempt(request, tried).await?;
        match passed.status {
            200 => match self.adopt(&mut passed).await? {
                // The second factor excuses what was tried, when it is shown.
                Some(login) if login.awaits_factor => attempt.take_back(),
                Some(_) => attempt.succeeded(),
                // An answer that says nothing is no success: CloudStack has one for what it has not understood.
                None => attempt.failed(),
            },
            status if LOGIN_FAILED.contains(&status) => attempt.failed(),
            _ => attempt.take_back(),
        }
        Ok(passed)
    }

    /// Begins a try and passes it on. One that the management server does not answer was none.
    async fn pass_attempt(&self, request: &RawRequest, tried: Tried) -> Result<(Attempt<'_>, Passed), ApiError> {
        let attempt = self.logins.guesses.attempt(request.peer, tried).map_err(too_many_guesses)?;
        match self.pass(request, true).await {
            Ok(passed) => Ok((attempt, passed)),
            Err(error) => {
                attempt.take_back();
                Err(error)
            }
        }
    }

    /// Whom a login tries: a user of the database here, or a name, where it has none or not that domain.
    async fn tried_there(&self, request: &RawRequest) -> Result<Tried, ApiError> {
        let name = request.exact("username").unwrap_or_default();
        let user = match self.domain_of_login(request).await {
            Ok(domain_id) => self.means.store.login_user_id(name, domain_id).await?,
            Err(_) => None,
        };
        Ok(user.map_or_else(|| Tried::name(name, NO_DOMAIN), Tried::user))
    }

    /// A guess at a second factor counts as one at the password does. It is believed to be right only where the answer says so.
    async fn pass_second_factor(&self, request: &RawRequest) -> Result<Passed, ApiError> {
        let due = self.session(request).await?.filter(|session| session.second_factor.is_due());
        let Some(session) = due else { return self.pass(request, false).await };
        let (attempt, mut passed) = self.pass_attempt(request, Tried::user(session.user_id)).await?;
        match passed.status {
            200 => {
                let body = passed.body.peek(LOGIN_BYTES).await.map_err(|cause| {
                    let text = "The management server's answer to the second factor broke off. Log in again.";
                    ApiError::command_failed(text).caused_by(cause)
                })?;
                let is_right = body.is_some_and(|body| foreign::says_factor_was_right(&body));
                if is_right && self.shows_key_of(&session, request) {
                    attempt.succeeded();
                    let (id_hash, before) = (&session.id_hash, session.second_factor);
                    self.means.store.session_second_factor_shown(id_hash, before).await?;
                } else {
                    attempt.failed();
                }
            }
            FACTOR_FAILED => attempt.failed(),
            _ => attempt.take_back(),
        }
        Ok(passed)
    }

    async fn forget_session(&self, request: &RawRequest) -> Result<(), ApiError> {
        if let Some(id) = request.session_id() {
            self.means.store.session_end(&session::id_fingerprint(id)).await?;
        }
        Ok(())
    }

    /// Keeps a session that the upstream has begun. Gives who has logged in, if the answer says so.
    async fn adopt(&self, passed: &mut Passed) -> Result<Option<ForeignLogin>, ApiError> {
        let (Some(id), Some(key)) = (cookie_set(passed, SESSION_COOKIE), cookie_set(passed, SESSION_KEY)) else {
            return Ok(None);
        };
        let body = passed.body.peek(LOGIN_BYTES).await.map_err(|cause| {
            let text = "The management server's answer to the login broke off. Log in again.";
            ApiError::command_failed(text).caused_by(cause)
        })?;
        let Some(login) = body.and_then(|body| foreign::login_of(&body)) else {
            tracing::warn!(
                "a login at the management server has an answer without a user: served commands will refuse it"
            );
            return Ok(None);
        };
        let Some(user_id) = self.means.store.internal_id(EntityKind::User, &login.user_uuid).await? else {
            tracing::warn!(
                user = login.user_uuid,
                "a user of the management server is not in the database here: served commands will refuse the session"
            );
            return Ok(Some(login));
        };
        self.means.store.sessions_forget(self.idle_since()).await?;
        let row = SessionRow {
            id_hash: session::id_fingerprint(&id),
            key_hash: session::fingerprint(&key),
            secret: None,
            user_id,
            second_factor: if login.awaits_factor { SecondFactor::Awaited } else { SecondFactor::NotNeeded },
            last_used: Timestamp::now(),
        };
        self.means.store.session_create(&row).await?;
        Ok(Some(login))
    }

    /// Whether a request shows the key of the session that is meant here. The upstream has checked the key of the session that *it* took
    /// the request for, so the two are one then, however oddly the cookies were written.
    fn shows_key_of(&self, session: &SessionRow, request: &RawRequest) -> bool {
        let (cookie, parameter) = (request.cookie(SESSION_KEY), request.exact(SESSION_KEY));
        self.means.policy.session.key_check.passes(&session.key_hash, cookie, parameter)
    }

    /// Passes a request on. The session it belongs to is in use then, unless the upstream does not know it.
    async fn pass(&self, request: &RawRequest, is_read_here: bool) -> Result<Passed, ApiError> {
        let passed = self.send(request, is_read_here).await.map_err(not_passed)?;
        if !NO_SESSION.contains(&passed.status) {
            match self.session(request).await {
                Ok(Some(session)) => self.touch(&session).await,
                Ok(None) => {}
                // The answer is there; the next call notes it again.
                Err(error) => {
                    tracing::warn!(cause = %crate::telemetry::chain(&error), "the use of a session could not be noted")
                }
            }
        }
        Ok(passed)
    }

    async fn send(&self, request: &RawRequest, is_read_here: bool) -> Result<Passed, PassError> {
        let (Some(onward), Some(original)) = (&self.onward, &request.original) else {
            return Err(PassError::NotReached {
                address: "the upstream".to_owned(),
                cause: "the request was not kept as it came".into(),
            });
        };
        let session_in_path = request.session_in_path.as_deref();
        onward.upstream.pass(Passing { original, session_in_path, peer: request.peer, is_read_here }).await
    }

    fn outgoing(&self, done: Result<Passed, ApiError>, format: Format) -> Outgoing {
        match done {
            Ok(passed) => Outgoing::Passed(passed),
            Err(error) => Outgoing::Own(self.refuse(Refusal::new(NO_COMMAND, error), format)),
        }
    }
}

/// Whether a request is for the upstream alone: it names no command that is served here, or asks about one that is not.
fn is_for_upstream(request: &RawRequest) -> bool {
    match request.exact("command").and_then(find) {
        None => true,
        Some(known) if known.entry.spec.name == LIST_APIS => {
            request.any_case("name").is_some_and(|name| !name.is_empty() && !is_ours(name))
        }
        Some(known) => known.entry.stands_in,
    }
}

/// Whether a command is served here also with an upstream.
fn is_ours(name: &str) -> bool {
    find(name).is_some_and(|known| !known.entry.stands_in)
}

/// The name in an entry of `listApis`.
fn name_of(entry: &Node) -> &str {
    match entry.field("name") {
        Some(Node::Text(name)) => name,
        _ => "",
    }
}

/// The value of a cookie that an answer sets. The last one counts, as it does for browsers.
fn cookie_set(passed: &Passed, name: &str) -> Option<String> {
    let lines = passed.headers.get_all("set-cookie").iter().filter_map(|line| line.to_str().ok());
    let mut values = lines.filter_map(|line| line.split(';').next()?.trim().strip_prefix(name)?.strip_prefix('='));
    values.next_back().filter(|value| !value.is_empty()).map(str::to_owned)
}

/// What a client is told when there is no answer to pass back. The server's address is in the log only.
fn not_passed(error: PassError) -> ApiError {
    const SERVER: &str = "The management server behind this gateway (setting upstream.url)";
    match error {
        PassError::Busy => ApiError::service_unavailable(
            "Too many requests are with the management server behind this gateway at this moment. Nothing was done. Wait a few \
             seconds and try again.",
        ),
        PassError::Loop => ApiError::command_failed(
            "This gateway does not serve the command, and the setting upstream.url leads back to the gateway itself. Nothing \
             was done. An administrator has to correct the setting.",
        ),
        PassError::NotReached { .. } => ApiError::service_unavailable(format!(
            "{SERVER} cannot be reached. Nothing was done. Try again later; if it stays so, an administrator has to see whether \
             it runs."
        ))
        .caused_by(error),
        PassError::Lost { .. } | PassError::Silent { .. } => ApiError::command_failed(format!(
            "{SERVER} did not answer. It is not known whether the command was carried out: look before you repeat it."
        ))
        .caused_by(error),
    }
}
