//! Who calls: a live session, or a signature (`contract/api-protocol.md 0, 2.4 and 3.4`).
//!
//! Both ways end in a command that exists and a caller who may call it. The order of the checks decides which error wins.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::refused::{Why, denied_in_project, refused, without_role};
use super::request::{RawRequest, SESSION_KEY, Verb};
use super::{Gateway, NO_COMMAND, Refusal};
use crate::api::{ApiError, ErrorCode, Http, cs_code};
use crate::auth::session::SameSite;
use crate::auth::{Caller, Credential, ProjectStanding, cidr, dialect, may_call, session, signature};
use crate::commands::{Registered, find};
use crate::model::{Secret, Timestamp, signed};
use crate::store::{SecondFactor, SessionRow};

/// How many seconds the noted use of a session may lie behind its last one: a poll every two seconds need not write a row.
const LAST_USED_TO: i64 = 60;
/// The same as a part of the time after which a session ends. It ends earlier by as much, so a short one has to be known better.
const LAST_USED_PART: i64 = 4;
/// Commands that a session may call before its second factor was shown.
const BEFORE_SECOND_FACTOR: [&str; 4] =
    ["listIdps", "listApis", "listUserTwoFactorAuthenticatorProviders", "setupUserTwoFactorAuthentication"];

/// Commands that the page for logging in calls, before anybody is known.
const OPEN: [&str; 2] = ["listGuiThemes", "listOauthProvider"];

/// The parameter that names a project.
const PROJECT: &str = "projectid";

/// A command and the caller who may call it.
pub(super) type Admitted = (&'static Registered, Arc<Caller>);

impl Gateway {
    /// Which command is called by whom, and that it may be called in the project that the request names. What a project refuses
    /// was proven all the same, and counts as that.
    pub(super) async fn admit(&self, request: &RawRequest) -> Result<Admitted, Refusal> {
        let (command, caller) = self.admit_trusted(request).await?;
        match self.must_be_let_in_project(request, command, &caller).await {
            Ok(()) => Ok((command, caller)),
            Err(error) => Err(Refusal { error, envelope: &command.envelope, caller: Some(caller) }),
        }
    }

    /// Which command is called by whom. Who has shown too much that was wrong is not looked at for a while.
    async fn admit_trusted(&self, request: &RawRequest) -> Result<Admitted, Refusal> {
        let shown = request.credentials();
        if shown == [None, None] {
            return self.admit_signature(request).await;
        }
        let _leave = self
            .distrust
            .may_show(request.peer, &shown)
            .await
            .map_err(|wait| Refusal::new(envelope_of(request), too_many_refused(wait)))?;
        let session = self.session(request).await.map_err(|error| Refusal::new(envelope_of(request), error))?;
        let [id, key] = shown;
        // A session that was looked for in vain has cost a question, whatever becomes of the call.
        let is_dead = id.is_some() && session.is_none() && !self.is_foreign(request);
        let (admitted, proof) = match &session {
            Some(session) => (self.admit_session(request, session).await, id),
            None => (self.admit_signature(request).await, key),
        };
        // Who calls what is open to all has proven nothing.
        if let (Ok((_, caller)), Some(proof)) = (&admitted, proof)
            && caller.is_somebody()
        {
            self.distrust.accepted(proof);
        }
        // Who is known has shown nothing that was wrong: there is just no role that lets anything in.
        let is_refused = admitted
            .as_ref()
            .is_err_and(|refusal| refusal.error.code == ErrorCode::Unauthorized && refusal.caller.is_none());
        if is_dead || is_refused {
            self.distrust.refused(request.peer);
        }
        admitted
    }

    /// Who names a project, whatever for, has to belong to it and to be let in by the role that it gives, or be an administrator
    /// (`contract/api-protocol.md` 9.2). A project that there is not is left to the command.
    ///
    /// CloudStack looks at `projectid` in exactly these letters and at public ids only, but its commands understand other
    /// letters and internal numbers too. Here nobody gets past the question that way.
    async fn must_be_let_in_project(
        &self,
        request: &RawRequest,
        command: &Registered,
        caller: &Caller,
    ) -> Result<(), ApiError> {
        if !caller.is_bound_in_projects() {
            return Ok(());
        }
        let name = command.entry.spec.name;
        for (_, project) in request.borrowed().filter(|(known, _)| known.eq_ignore_ascii_case(PROJECT)) {
            let found =
                self.credentials.in_project(project, caller.account_id, caller.user_id).await.map_err(|cause| {
                    let text = "The project could not be looked up: the database did not answer. Try again.";
                    ApiError::internal(text).caused_by(cause)
                })?;
            let Some(found) = found else { continue };
            if found.standing == ProjectStanding::Stranger {
                return Err(ApiError::not_in_project(name, &found.uuid));
            }
            if !found.standing.lets(name) {
                return Err(denied_in_project(request, caller, name, &found.uuid));
            }
        }
        Ok(())
    }

    /// The live session that a request belongs to.
    pub(super) async fn session(&self, request: &RawRequest) -> Result<Option<SessionRow>, ApiError> {
        if self.is_foreign(request) {
            return Ok(None);
        }
        let Some(id) = request.session_id() else { return Ok(None) };
        let idle_since = self.idle_since();
        let found = self.means.store.session_by_id_hash(&session::id_fingerprint(id), idle_since).await;
        found.map_err(|cause| {
            ApiError::internal("The session could not be looked up: the database did not answer. Try again.")
                .caused_by(cause)
        })
    }

    /// Whether another web site has caused the request, where the operator has not allowed that: the cookies that a browser
    /// sends with it prove nothing then.
    pub(super) fn is_foreign(&self, request: &RawRequest) -> bool {
        request.is_cross_site && self.means.policy.session.same_site != SameSite::NoneAndSecure
    }

    /// Sessions that were not used since then have ended.
    pub(super) fn idle_since(&self) -> Timestamp {
        let limit = signed(self.means.policy.session.idle_timeout.as_secs());
        Timestamp::from_unix(Timestamp::now().unix().saturating_sub(limit)).unwrap_or_else(Timestamp::now)
    }

    async fn admit_session(&self, request: &RawRequest, session: &SessionRow) -> Result<Admitted, Refusal> {
        let envelope = envelope_of(request);
        let stranger = |error| Refusal::new(envelope, error);
        let name = request.exact("command");
        let may_go_first = name.is_some_and(|name| BEFORE_SECOND_FACTOR.contains(&name));
        if session.second_factor.is_due() && !may_go_first {
            return self.end(session, stranger(second_factor_needed(session.second_factor))).await;
        }
        self.refuse_get(request).map_err(stranger)?;
        let parameter = request.exact(SESSION_KEY);
        if !self.means.policy.session.key_check.passes(&session.key_hash, request.cookie(SESSION_KEY), parameter) {
            return self.end(session, stranger(ApiError::unknown_caller())).await;
        }
        let user = self.credentials.known_user(session.user_id).await.map_err(|cause| {
            let text = "The user of the session could not be looked up: the database did not answer. Try again.";
            stranger(ApiError::internal(text).caused_by(cause))
        })?;
        let Some(user) = user.filter(|user| user.enabled) else {
            return self.end(session, stranger(ApiError::unknown_caller())).await;
        };
        let Some(name) = name else {
            return Err(stranger(ApiError::new(ErrorCode::BadRequest, cs_code::COMMAND, "no command specified")));
        };
        if !is_allowed_place(&user.allowed_cidrs, request.peer) {
            return self.end(session, stranger(ApiError::bad_credentials())).await;
        }
        let caller = &user.caller;
        let known = |error| Refusal { caller: Some(Arc::clone(caller)), ..Refusal::new(envelope, error) };
        self.count_call(caller).map_err(known)?;
        if caller.role_type.is_none() {
            return Err(known(without_role(request, caller, name)));
        }
        let command = find(name).filter(|command| may_call(caller, command.entry.spec));
        let command = command.ok_or_else(|| {
            known(match find(name) {
                None if caller.may_call_everything() => ApiError::unknown_command(name),
                _ => ApiError::not_available(name, &caller.account_name),
            })
        })?;
        self.touch(session).await;
        Ok((command, Arc::clone(caller)))
    }

    /// Ends a session and gives the refusal that was the reason.
    async fn end<T>(&self, session: &SessionRow, refusal: Refusal) -> Result<T, Refusal> {
        self.means
            .store
            .session_end(&session.id_hash)
            .await
            .map_err(|cause| Refusal::new(refusal.envelope, ApiError::from(cause)))?;
        Err(refusal)
    }

    /// Notes that a session is used.
    pub(super) async fn touch(&self, session: &SessionRow) {
        let now = Timestamp::now();
        if now.unix() - session.last_used.unix() < noted_after(self.means.policy.session.idle_timeout) {
            return;
        }
        // The call is answered all the same; the next one notes it again.
        if let Err(error) = self.means.store.session_touch(&session.id_hash, now).await {
            tracing::warn!(cause = %crate::telemetry::chain(&error), "the use of a session could not be noted");
        }
    }

    async fn admit_signature(&self, request: &RawRequest) -> Result<Admitted, Refusal> {
        let Some(name) = request.exact("command") else {
            let envelope = if request.pairs.is_empty() { NO_COMMAND } else { "null" };
            return Err(Refusal::new(envelope, refused(request, None, &Why::NoCommand)));
        };
        self.refuse_get(request).map_err(|error| Refusal::new(envelope_of(request), error))?;
        if let Some(command) = OPEN.iter().find(|open| open.eq_ignore_ascii_case(name)) {
            // Open as CloudStack spells it; in other letters it is a command that nobody knows, and that is said.
            let command = find(command).filter(|command| command.entry.spec.name == name);
            let unknown = || Refusal::new(NO_COMMAND, ApiError::unknown_command(name));
            return command.map(|command| (command, Arc::new(Caller::nobody()))).ok_or_else(unknown);
        }
        // Whether a command exists is not told to strangers.
        let command =
            find(name).ok_or_else(|| Refusal::new(NO_COMMAND, refused(request, None, &Why::UnknownCommand)))?;
        let caller = self.signer(request, command).await.map_err(|error| Refusal::new(&command.envelope, error))?;
        Ok((command, caller))
    }

    /// Who signed, if the signature holds. A forbidden command is refused before the signature is looked at, as CloudStack
    /// does.
    async fn signer(&self, request: &RawRequest, command: &Registered) -> Result<Arc<Caller>, ApiError> {
        let api_key = request.any_case("apikey").ok_or_else(|| refused(request, None, &Why::NoKey))?;
        let signed = request.any_case("signature").ok_or_else(|| refused(request, None, &Why::NoSignature))?;
        let known = self.known_key(request, api_key).await?;
        let spec = command.entry.spec;
        let not_available = || ApiError::not_available(spec.name, &known.caller.account_name);
        self.count_call(&known.caller)?;
        if known.caller.role_type.is_none() {
            return Err(without_role(request, &known.caller, spec.name));
        }
        if !may_call(&known.caller, spec) {
            return Err(not_available());
        }
        let secret =
            valid_secret(&known, Timestamp::now()).map_err(|why| refused(request, Some(&known.caller), &why))?;
        if dialect::verify(secret, request.borrowed(), signed).is_none() {
            return Err(refused(request, Some(&known.caller), &Why::Misfit { secret, signed }));
        }
        self.count_call(&known.caller)?;
        if !known.caller.key_lets(spec.name) {
            return Err(not_available());
        }
        Ok(Arc::clone(&known.caller))
    }

    /// The key of a request, if its time limit, its owner and its origin let it in.
    async fn known_key(&self, request: &RawRequest, api_key: &str) -> Result<Arc<Credential>, ApiError> {
        let version = request.any_case("signatureversion");
        let expires = request.any_case("expires");
        let now = OffsetDateTime::now_utc();
        if let Err(why) = signature::time_left(version, expires, now, self.means.policy.enforce_post) {
            // Only for the log: the limit is judged first, whoever calls.
            let owner = self.credentials.credential_by_api_key(api_key).await.ok().flatten();
            return Err(refused(request, owner.as_ref().map(|known| &*known.caller), &Why::Untimely(why)));
        }
        let found = self.credentials.credential_by_api_key(api_key).await.map_err(|cause| {
            ApiError::internal("The API key could not be looked up: the database did not answer. Try again.")
                .caused_by(cause)
        })?;
        let known = found.ok_or_else(|| refused(request, None, &Why::UnknownKey(api_key)))?;
        let why = match &known {
            known if !known.enabled => Why::OwnerDisabled,
            known if !known.key_access => Why::KeysOff,
            known if !is_allowed_place(&known.allowed_cidrs, request.peer) => Why::Address(&known.allowed_cidrs),
            _ => return Ok(known),
        };
        Err(refused(request, Some(&known.caller), &why))
    }

    /// Counts a call against the limit of the caller's account. A signed call is counted twice, as in CloudStack.
    fn count_call(&self, caller: &Caller) -> Result<(), ApiError> {
        let throttle = self.means.policy.throttle;
        if !throttle.enabled || caller.is_root_admin() {
            return Ok(());
        }
        self.means.calls.count(caller.account_id, throttle).map_err(limit_exceeded)
    }

    /// Refuses a command that changes something when it comes with GET and POST is enforced
    /// (`contract/api-protocol.md 1.5`).
    fn refuse_get(&self, request: &RawRequest) -> Result<(), ApiError> {
        match request.exact("command") {
            Some(name) if self.means.policy.enforce_post && request.verb != Verb::Post && !may_use_get(name) => {
                Err(post_needed(name))
            }
            _ => Ok(()),
        }
    }
}

/// How many seconds after the noted use of a session another one is noted, where sessions end after this time without one.
fn noted_after(idle_timeout: Duration) -> i64 {
    LAST_USED_TO.min(signed(idle_timeout.as_secs()) / LAST_USED_PART)
}

/// The envelope of the command that a request names.
fn envelope_of(request: &RawRequest) -> &'static str {
    request.exact("command").and_then(find).map_or(NO_COMMAND, |known| known.envelope.as_str())
}

/// Whether a call may come from this address. No list means any.
pub(super) fn is_allowed_place(cidrs: &[String], peer: IpAddr) -> bool {
    cidrs.is_empty() || cidr::allowed(cidrs.iter().map(String::as_str), peer)
}

/// Whether a command may be sent with GET where POST is enforced.
fn may_use_get(name: &str) -> bool {
    let lower = name.to_lowercase();
    let reads = ["get", "list", "query", "find"]
        .iter()
        .any(|verb| lower.strip_prefix(verb).is_some_and(|rest| !rest.is_empty()));
    reads || find(name).is_some_and(|known| known.entry.spec.http == Http::Get)
}

fn post_needed(name: &str) -> ApiError {
    ApiError {
        described: false,
        ..ApiError::new(
            ErrorCode::BadRequest,
            cs_code::COMMAND,
            format!("State changing command {name} needs to be sent using POST request"),
        )
    }
}

fn limit_exceeded(wait: Duration) -> ApiError {
    ApiError::new(
        ErrorCode::ApiLimitExceeded,
        cs_code::COMMAND,
        format!("The given user has reached his/her account api limit, please retry after [{}] ms.", wait.as_millis()),
    )
}

/// The refusal of a caller whose credentials are not even looked at. CloudStack knows 429 for accounts only; 401 would tell
/// a good client that its key is wrong.
pub(super) fn too_many_refused(wait: Duration) -> ApiError {
    ApiError::new(
        ErrorCode::ApiLimitExceeded,
        cs_code::COMMAND,
        format!(
            "Too many calls from this address had wrong credentials; this one was not looked at. Try again in {} ms.",
            wait.as_millis()
        ),
    )
}

fn second_factor_needed(second_factor: SecondFactor) -> ApiError {
    let text = if second_factor == SecondFactor::Missing {
        "Unable to process the API request due to :Two factor authentication is mandated by admin, user needs to setup 2FA \
         using setupUserTwoFactorAuthentication API and then verify 2FA using validateUserTwoFactorAuthenticationCode API \
         before calling other APIs. Existing session is invalidated."
    } else {
        "Unable to process the API request due to :Two factor authentication 2FA is enabled but not verified, please verify \
         2FA using validateUserTwoFactorAuthenticationCode API before calling other APIs. Existing session is invalidated."
    };
    ApiError { described: false, cs_code: None, ..ApiError::new(ErrorCode::SecondFactorNeeded, cs_code::COMMAND, text) }
}

/// The secret of a key pair, if the pair has one and is valid now.
fn valid_secret(known: &Credential, now: Timestamp) -> Result<&str, Why<'_>> {
    if let Some(from) = known.valid_from.filter(|from| *from > now) {
        return Err(Why::NotYetValid(from));
    }
    if let Some(until) = known.valid_until.filter(|until| *until < now) {
        return Err(Why::Ended(until));
    }
    known.secret.as_ref().map(Secret::expose).ok_or(Why::NoSecret)
}
