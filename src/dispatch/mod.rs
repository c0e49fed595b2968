//! The conductor: from the parameters of a request to its answer, in the order that decides which error wins
//! (`contract/api-protocol.md 0 and 2.4`).

mod foreign;
mod login;
mod long;
mod proof;
mod refused;
mod request;
mod second_factor;
mod submission;
mod upstream;

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;
use tracing::Instrument;

use login::{Authenticator, Logins};
pub use request::{Answer, Outgoing, RawRequest, Verb};

use crate::api::{ApiError, Args, Envelope, ErrorCode, Format, Reply, cs_code};
use crate::auth::distrust::Distrust;
use crate::auth::{Caller, Credentials, Known};
use crate::commands::{Action, Call, Ctx, DraftFn, JobDesk, JobDraft, Means, Policy, Registered, find};
use crate::estate::Estate;
use crate::feed::Feed;
use crate::motion::Motion;

/// The envelope of errors that belong to no known command.
const NO_COMMAND: &str = "errorresponse";

/// Everything that answering needs. One per process.
#[derive(Clone)]
pub struct Gateway {
    means: Arc<Means>,
    credentials: Arc<dyn Credentials>,
    jobs: Arc<dyn JobDesk>,
    logins: Arc<Logins>,
    distrust: Arc<Distrust>,
    server_uuid: Option<String>,
    onward: Option<upstream::Onward>,
    runtime: Handle,
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

impl Gateway {
    /// A gateway on the database of `motion` that hands background work to `jobs`. Long lists are read on the runtime that this
    /// is called in.
    pub fn new(motion: Arc<Motion>, jobs: Arc<dyn JobDesk>, policy: Policy) -> Self {
        let store = motion.store().clone();
        let means = Means {
            ids: Arc::new(store.clone()),
            estate: Arc::new(Estate::without_agents(store.clone())),
            feed: Arc::new(Feed::new(store.clone(), policy.feed)),
            policy: Arc::new(policy),
            calls: Arc::default(),
            answers: Arc::default(),
            motion,
            store,
        };
        Self {
            credentials: Arc::new(Known::new(means.store.clone(), means.store.letting_in())),
            means: Arc::new(means),
            jobs,
            logins: Arc::default(),
            distrust: Arc::default(),
            server_uuid: None,
            onward: None,
            runtime: Handle::current(),
        }
    }

    /// The same, saying which server it is: its public id, which root administrators are told when they log in.
    #[must_use]
    pub fn of_server(self, uuid: &str) -> Self {
        Self { server_uuid: Some(uuid.to_owned()), ..self }
    }

    /// The same, with hosts that can be spoken to.
    #[must_use]
    pub fn with_estate(self, estate: Arc<Estate>) -> Self {
        let means = Means { estate, ..(*self.means).clone() };
        Self { means: Arc::new(means), ..self }
    }

    /// What is known of those who call.
    #[must_use]
    pub fn credentials(&self) -> Arc<dyn Credentials> {
        Arc::clone(&self.credentials)
    }

    /// What tells its listeners news, once somebody runs it.
    #[must_use]
    pub fn feed(&self) -> &Arc<Feed> {
        &self.means.feed
    }

    /// Answers a request. Whatever goes wrong becomes an answer; the cause is logged here, once.
    pub async fn answer(&self, request: RawRequest) -> Outgoing {
        let span = tracing::info_span!("request", id = %request.request_id);
        self.answer_in_span(&request).instrument(span).await
    }

    /// The answer to a request whose body cannot be read: 400, in the envelope of the command that is named elsewhere, in `pairs`.
    pub fn unreadable(&self, pairs: &[(String, String)], text: &str) -> Outgoing {
        let value = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let envelope = value("command").and_then(find).map_or(NO_COMMAND, |known| known.envelope.as_str());
        let error = ApiError::new(ErrorCode::BadRequest, cs_code::COMMAND, text);
        Outgoing::Own(self.refuse(Refusal::new(envelope, error), Format::asked(value("response"))))
    }

    async fn answer_in_span(&self, request: &RawRequest) -> Outgoing {
        let started = Instant::now();
        let format = Format::asked(request.exact("response"));
        // What is seldom gone through lies in a box of its own: the path of every request is moved about, and should be small.
        let passed = if self.has_upstream() { Box::pin(self.passed(request, format)).await } else { None };
        let answer = match passed {
            Some(passed) => passed,
            None => self.answer_here(request, format).await,
        };
        tracing::debug!(
            command = request.exact("command").unwrap_or_default(),
            status = answer.status(),
            elapsed_us = started.elapsed().as_micros(),
            passed = matches!(answer, Outgoing::Passed(_)),
            "answered"
        );
        answer
    }

    async fn answer_here(&self, request: &RawRequest, format: Format) -> Outgoing {
        if let Some(which) = Authenticator::named(request) {
            return Outgoing::Own(Box::pin(self.authenticate(which, request, format)).await);
        }
        match self.handle(request).await {
            Ok((Reply::Flow(flow), ..)) => Outgoing::Flow(flow),
            Ok((Reply::Long(list), command, is_known)) => {
                let envelope = self.envelope(&command.envelope, format, is_known);
                Outgoing::List(format, long::pieces(list, &envelope, &self.runtime))
            }
            Ok((reply, command, is_known)) => {
                let reply = if self.has_upstream() {
                    Box::pin(self.joined(request, command, reply, format)).await
                } else {
                    reply
                };
                let envelope = self.envelope(&command.envelope, format, is_known);
                Outgoing::Own(Answer::new(200, format, envelope.reply(&reply)))
            }
            Err(refusal) => {
                // Who has to wait would else be looked at all the same, by the database here and by the management server.
                let has_to_wait = refusal.error.code == ErrorCode::ApiLimitExceeded;
                let passed = if has_to_wait { None } else { Box::pin(self.passed_job(request, format)).await };
                passed.unwrap_or_else(|| Outgoing::Own(self.refuse(refusal, format)))
            }
        }
    }

    fn envelope<'a>(&'a self, name: &'a str, format: Format, is_known_caller: bool) -> Envelope<'a> {
        Envelope { name, format, version: is_known_caller.then_some(self.means.policy.cloudstack_version.as_str()) }
    }

    fn refuse(&self, refusal: Refusal, format: Format) -> Answer {
        let Refusal { error, envelope, caller } = refusal;
        if let Some(cause) = &error.cause {
            // A text may repeat what the caller sent.
            let text = error.text.replace(char::is_control, " ");
            tracing::error!(cause = %crate::telemetry::chain(&**cause), "{text}");
        }
        let is_hidden_from = caller.as_ref().is_some_and(|caller| !caller.is_root_admin());
        let error = error.seen_by(!is_hidden_from);
        let name = if error.code == ErrorCode::UnsupportedAction { NO_COMMAND } else { envelope };
        let body = self.envelope(name, format, caller.is_some()).error(&error);
        let description = error.described.then(|| error.text.clone());
        Answer { description, ..Answer::new(error.code.number(), format, body) }
    }

    /// The path of every call: which command, who calls, may they, do it.
    async fn handle(&self, request: &RawRequest) -> Result<(Reply, &'static Registered, bool), Refusal> {
        let (command, caller) = self.admit(request).await?;
        match self.run(request, command, Arc::clone(&caller)).await {
            Ok(reply) => Ok((reply, command, caller.is_somebody())),
            Err(error) => Err(Refusal { error, envelope: &command.envelope, caller: Some(caller) }),
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
            means: Arc::clone(&self.means),
            command: command.entry.spec.name,
            caller,
            resume_after: request.resume_after.clone(),
            request_id: Arc::clone(&request.request_id),
        };
        let call = Call { args: &args, ctx: &ctx };
        match command.entry.action {
            Action::Sync(run) => run(call).await,
            // Answered before it is asked who calls; a request never comes here.
            Action::Rim => Err(ApiError::unknown_command(command.entry.spec.name)),
            Action::Async { prepare, joins_equal, .. } => {
                Box::pin(self.submit(call, command, joins_equal, prepare)).await.map(Reply::job)
            }
        }
    }

    /// Hands a job in, and gives its public id; that of an earlier one, if this call repeats what made it.
    async fn submit(
        &self,
        call: Call<'_>,
        command: &'static Registered,
        joins_equal: bool,
        prepare: DraftFn,
    ) -> Result<String, ApiError> {
        let Call { args, ctx } = call;
        let input = ctx.input(&command.lower, args);
        let submission = submission::read(&input, command, joins_equal).await;
        let caller = &ctx.caller;
        // What a repeated call is about may be gone by now; its job is not.
        if let Ok(known) = &submission
            && !known.is_nameless()
            && let Some(job) = self.jobs.earlier(caller.account_id, known).await?
        {
            return Ok(job);
        }
        let prepared = prepare(call).await?;
        let spec = command.entry.spec;
        let draft = JobDraft {
            command: spec.name,
            java_class: if caller.is_root_admin() { spec.java_class_admin } else { spec.java_class },
            params: submission::declared(args.pairs(), spec),
            user_id: caller.user_id,
            account_id: caller.account_id,
            instance: prepared.instance,
            event: prepared.event,
            submission: submission?,
            request_id: Arc::clone(&ctx.request_id),
        };
        self.jobs.submit(draft).await
    }
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
