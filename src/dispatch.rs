//! The conductor: from the parameters of a request to its answer, in the order that decides which error wins
//! (`contract/api-protocol.md 0 and 2.4`).

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use time::OffsetDateTime;
use tracing::Instrument;

use crate::api::{ApiError, Args, CommandSpec, Envelope, ErrorCode, Format, Http, Ids, Reply, cs_code, flatten};
use crate::auth::{Caller, Credential, Credentials, Verdict, cidr, may_call, signature};
use crate::commands::{Action, Call, Ctx, JobDesk, JobDraft, Policy, Registered, find};
use crate::model::{Secret, Timestamp};
use crate::motion::Motion;
use crate::store::Store;

/// The envelope of errors that belong to no known command.
const NO_COMMAND: &str = "errorresponse";

/// The HTTP verb of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GET, and HEAD whose body is dropped later.
    Get,
    /// POST.
    Post,
}

/// A request after its parameters were decoded and merged.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// Parameters in the order they came, each name once.
    pub pairs: Vec<(String, String)>,
    /// The verb.
    pub verb: Verb,
    /// Where it came from.
    pub peer: IpAddr,
    /// The id that ties log lines together.
    pub request_id: Arc<str>,
}

impl RawRequest {
    /// The value of the parameter with exactly this name.
    fn exact(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of the last parameter with this name in any letter case.
    fn any_case(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    fn borrowed(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// What goes back to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON or XML.
    pub format: Format,
    /// The body.
    pub body: Vec<u8>,
    /// The text of `X-Description`.
    pub description: Option<String>,
}

/// Everything that answering needs. One per process.
#[derive(Clone)]
pub struct Gateway {
    store: Store,
    credentials: Arc<dyn Credentials>,
    ids: Arc<dyn Ids>,
    jobs: Arc<dyn JobDesk>,
    motion: Arc<Motion>,
    policy: Arc<Policy>,
}

/// An error with the envelope it is put into.
struct Refusal {
    error: ApiError,
    envelope: &'static str,
    caller: Option<Arc<Caller>>,
}

impl Refusal {
    fn new(envelope: &'static str, error: ApiError) -> Self {
        Self { error, envelope, caller: None }
    }
}

/// How a request proves whom it acts for. Sessions are a second way that will stand beside signatures.
enum Proof<'a> {
    Signed { api_key: &'a str, signature: &'a str },
}

impl Gateway {
    /// A gateway on the database of `motion` that hands background work to `jobs`.
    pub fn new(motion: Arc<Motion>, jobs: Arc<dyn JobDesk>, policy: Policy) -> Self {
        let store = motion.store().clone();
        Self {
            credentials: Arc::new(store.clone()),
            ids: Arc::new(store.clone()),
            store,
            jobs,
            motion,
            policy: Arc::new(policy),
        }
    }

    /// Answers a request. Whatever goes wrong becomes an answer; the cause is logged here, once.
    pub async fn answer(&self, request: RawRequest) -> Answer {
        let span = tracing::info_span!("request", id = %request.request_id);
        self.answer_in_span(&request).instrument(span).await
    }

    async fn answer_in_span(&self, request: &RawRequest) -> Answer {
        let started = Instant::now();
        let format = Format::asked(request.exact("response"));
        let answer = match self.handle(request).await {
            Ok((reply, command)) => {
                let envelope = self.envelope(&command.envelope, format, true);
                Answer { status: 200, format, body: envelope.reply(&reply), description: None }
            }
            Err(refusal) => self.refuse(refusal, format),
        };
        tracing::debug!(
            command = request.exact("command").unwrap_or_default(),
            status = answer.status,
            elapsed_us = started.elapsed().as_micros(),
            "answered"
        );
        answer
    }

    fn envelope<'a>(&'a self, name: &'a str, format: Format, is_known_caller: bool) -> Envelope<'a> {
        Envelope { name, format, version: is_known_caller.then_some(self.policy.cloudstack_version.as_str()) }
    }

    fn refuse(&self, refusal: Refusal, format: Format) -> Answer {
        let Refusal { error, envelope, caller } = refusal;
        if let Some(cause) = &error.cause {
            tracing::error!(cause = %crate::telemetry::chain(&**cause), "{}", error.text);
        }
        let is_hidden_from = caller.as_ref().is_some_and(|caller| !caller.is_root_admin());
        let error = error.seen_by(!is_hidden_from);
        let name = if error.code == ErrorCode::UnsupportedAction { NO_COMMAND } else { envelope };
        Answer {
            status: error.code.number(),
            format,
            body: self.envelope(name, format, caller.is_some()).error(&error),
            description: error.described.then(|| error.text.clone()),
        }
    }

    /// The path of every call: which command, who calls, may they, do it.
    async fn handle(&self, request: &RawRequest) -> Result<(Reply, &'static Registered), Refusal> {
        let command = named_command(request, &self.policy)?;
        let stranger = |error| Refusal::new(&command.envelope, error);
        let proof = proof(request).ok_or_else(|| stranger(ApiError::bad_credentials()))?;
        let caller = self.caller(request, command, proof).await.map_err(stranger)?;
        match self.run(request, command, Arc::clone(&caller)).await {
            Ok(reply) => Ok((reply, command)),
            Err(error) => Err(Refusal { error, envelope: &command.envelope, caller: Some(caller) }),
        }
    }

    /// Who calls, if the proof holds. A forbidden command is refused before the signature is looked at, as CloudStack does.
    async fn caller(
        &self,
        request: &RawRequest,
        command: &Registered,
        proof: Proof<'_>,
    ) -> Result<Arc<Caller>, ApiError> {
        let Proof::Signed { api_key, signature } = proof;
        let known = self.known_key(request, api_key).await?;
        let spec = command.entry.spec;
        let not_available = || ApiError::not_available(spec.name, &known.caller.account_name);
        if !may_call(&known.caller, spec) {
            return Err(not_available());
        }
        let secret = valid_secret(&known, Timestamp::now()).ok_or_else(ApiError::bad_credentials)?;
        if !signature::verify(secret, request.borrowed(), signature) {
            return Err(ApiError::bad_credentials());
        }
        if !known.key_rules.is_empty() && Verdict::of(&known.key_rules, spec.name) != Verdict::Allowed {
            return Err(not_available());
        }
        Ok(Arc::clone(&known.caller))
    }

    /// The key of a request, if its time limit, its owner and its origin let it in.
    async fn known_key(&self, request: &RawRequest, api_key: &str) -> Result<Arc<Credential>, ApiError> {
        let version = request.any_case("signatureversion");
        let expires = request.any_case("expires");
        if !signature::in_time(version, expires, OffsetDateTime::now_utc(), self.policy.enforce_post) {
            return Err(ApiError::bad_credentials());
        }
        let found = self.credentials.credential_by_api_key(api_key).await.map_err(|cause| {
            ApiError::internal("The API key could not be looked up: the database did not answer. Try again.")
                .caused_by(cause)
        })?;
        let known = found.ok_or_else(ApiError::bad_credentials)?;
        let is_from_allowed_place = known.allowed_cidrs.is_empty()
            || cidr::allowed(known.allowed_cidrs.iter().map(String::as_str), request.peer);
        if known.enabled && known.key_access && is_from_allowed_place {
            Ok(known)
        } else {
            Err(ApiError::bad_credentials())
        }
    }

    async fn run(
        &self,
        request: &RawRequest,
        command: &'static Registered,
        caller: Arc<Caller>,
    ) -> Result<Reply, ApiError> {
        refuse_control_characters(request)?;
        let args = Args::unpack(request.borrowed())?;
        let ctx = Ctx {
            store: self.store.clone(),
            motion: Arc::clone(&self.motion),
            ids: Arc::clone(&self.ids),
            jobs: Arc::clone(&self.jobs),
            policy: Arc::clone(&self.policy),
            caller,
            request_id: Arc::clone(&request.request_id),
        };
        let call = Call { args: &args, ctx: &ctx };
        match command.entry.action {
            Action::Sync(run) => run(call).await,
            Action::Async { prepare, .. } => {
                let prepared = prepare(call).await?;
                let custom_id = custom_job_id(&args)?;
                let caller = &ctx.caller;
                let spec = command.entry.spec;
                let draft = JobDraft {
                    command: spec.name,
                    java_class: if caller.is_root_admin() { spec.java_class_admin } else { spec.java_class },
                    params: stored_params(&args, spec),
                    user_id: caller.user_id,
                    account_id: caller.account_id,
                    instance: prepared.instance,
                    event: prepared.event,
                    custom_id,
                    request_id: Arc::clone(&ctx.request_id),
                };
                self.jobs.submit(draft).await.map(Reply::job)
            }
        }
    }
}

/// The command that a request names.
fn named_command(request: &RawRequest, policy: &Policy) -> Result<&'static Registered, Refusal> {
    let Some(name) = request.exact("command") else {
        let envelope = if request.pairs.is_empty() { NO_COMMAND } else { "null" };
        return Err(Refusal::new(envelope, ApiError::bad_credentials()));
    };
    let known = find(name);
    if policy.enforce_post && request.verb != Verb::Post && !may_use_get(name, known) {
        let envelope = known.map_or(NO_COMMAND, |known| known.envelope.as_str());
        return Err(Refusal::new(envelope, post_needed(name)));
    }
    // Whether a command exists is not told to strangers.
    known.ok_or_else(|| Refusal::new(NO_COMMAND, ApiError::bad_credentials()))
}

/// Whether a command may be sent with GET where POST is enforced (`contract/api-protocol.md 1.5`).
fn may_use_get(name: &str, known: Option<&Registered>) -> bool {
    let lower = name.to_lowercase();
    let reads = ["get", "list", "query", "find"]
        .iter()
        .any(|verb| lower.strip_prefix(verb).is_some_and(|rest| !rest.is_empty()));
    reads || known.is_some_and(|known| known.entry.spec.http == Http::Get)
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

fn proof(request: &RawRequest) -> Option<Proof<'_>> {
    let api_key = request.any_case("apikey")?;
    let signature = request.any_case("signature")?;
    Some(Proof::Signed { api_key, signature })
}

/// The secret of a key pair, if the pair has one and is valid now.
fn valid_secret(known: &Credential, now: Timestamp) -> Option<&str> {
    let has_begun = known.valid_from.is_none_or(|from| from <= now);
    let has_ended = known.valid_until.is_some_and(|until| until < now);
    known.secret.as_ref().map(Secret::expose).filter(|_| has_begun && !has_ended)
}

/// Refuses characters that cannot be seen, in any parameter but the one that carries programs. Line ends pass.
fn refuse_control_characters(request: &RawRequest) -> Result<(), ApiError> {
    let is_refused = |byte: u8| matches!(byte, 0..=9 | 11 | 12 | 14..=31 | 127);
    match request.pairs.iter().find(|(name, value)| name != "activationrule" && value.bytes().any(is_refused)) {
        None => Ok(()),
        Some((name, _)) => Err(ApiError::bad_parameter(format!(
            "Received value containing illegal ASCII non-printable characters for parameter {name}"
        ))),
    }
}

/// The id that the client chose for the job. Lower-case UUIDs only.
fn custom_job_id(args: &Args) -> Result<Option<String>, ApiError> {
    let Some(id) = args.text("customjobid") else {
        return Ok(None);
    };
    let is_uuid = id.len() == 36
        && id.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
        });
    if is_uuid {
        Ok(Some(id.to_owned()))
    } else {
        Err(ApiError::invalid_parameter(format!("UUID: {id} doesn't follow the UUID format")))
    }
}

/// What a job needs to remember of its parameters: those that the command declares. Whatever else a client sent, also what
/// proves who it is, is not written down.
fn stored_params(args: &Args, spec: &'static CommandSpec) -> Vec<(String, String)> {
    let is_declared = |name: &str| {
        let plain = name.split('[').next().unwrap_or(name);
        flatten(spec.params).any(|known| known.name == plain)
    };
    args.pairs().into_iter().filter(|(name, _)| is_declared(name)).collect()
}
