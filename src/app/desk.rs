//! From a command's draft to a job, and from a job back to the command.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::Map;

use crate::api::{ApiError, Args, Ids, Name, Node};
use crate::auth::{Caller, Credentials};
use crate::commands::{Action, Ctx, JobCtx, JobDesk, JobDraft, Means, Policy, find};
use crate::estate::Estate;
use crate::feed::Feed;
use crate::jobs::{Ended, Failure, Jobs, Place, Runner, SubmitError};
use crate::model::text::shortened;
use crate::motion::{self, Motion};
use crate::store::{Claim, NewEvent, NewJob, QueuedJob, Store, StoreCause as _, StoreError, Submission};

/// CloudStack's package of the objects in answers, which a stored result names.
const RESPONSES: &str = "org.apache.cloudstack.api.response";

/// The most bytes of a result: its column is a `text`, which holds no more on MySQL. A job whose result is refused would not end.
const LONGEST_RESULT: usize = 65_535;

/// The most characters of an error's text in a result. Each may take six bytes there, and all of them fit.
const LONGEST_TEXT: usize = 10_000;

/// Where commands hand their jobs in.
#[derive(Debug)]
pub(super) struct Desk {
    pub(super) jobs: Arc<Jobs>,
    pub(super) store: Store,
}

impl JobDesk for Desk {
    fn earlier<'a>(
        &'a self,
        account_id: i64,
        submission: &'a Submission,
    ) -> BoxFuture<'a, Result<Option<String>, ApiError>> {
        Box::pin(async move { self.jobs.earlier(account_id, submission).await.map_err(not_written) })
    }

    fn submit<'a>(&'a self, draft: JobDraft) -> BoxFuture<'a, Result<String, ApiError>> {
        Box::pin(async move {
            let owner = draft.event.owner_account_id;
            let domain_id = self.store.account_domain(owner).await.map_err(|error| not_written(error.into()))?;
            let event = NewEvent {
                kind: draft.event.event_type.to_owned(),
                state: "Scheduled",
                level: "INFO",
                description: draft.event.description.clone(),
                user_id: draft.user_id,
                account_id: owner,
                domain_id,
                resource: draft.event.resource.map(|(kind, id)| (kind.word().to_owned(), id)),
                start_id: 0,
            };
            self.jobs.submit(new_job(draft), &event).await.map_err(not_written)
        })
    }
}

fn new_job(draft: JobDraft) -> NewJob {
    let parameters: Map<String, serde_json::Value> =
        draft.params.into_iter().map(|(name, value)| (name, value.into())).collect();
    NewJob {
        uuid: draft.submission.custom_id.clone().unwrap_or_else(|| uuid::Uuid::new_v4().to_string()),
        command: draft.command.to_owned(),
        class: draft.java_class.to_owned(),
        parameters: serde_json::Value::Object(parameters).to_string(),
        user_id: draft.user_id,
        account_id: draft.account_id,
        instance: draft.instance.map(|(kind, id)| (kind.word().to_owned(), id)),
        request_id: draft.request_id.to_string(),
        submission: draft.submission,
    }
}

fn not_written(error: SubmitError) -> ApiError {
    match error {
        SubmitError::Closed => ApiError::service_unavailable(error.to_string()),
        SubmitError::Exists => ApiError::command_failed(error.to_string()),
        SubmitError::KeyOf { .. } => ApiError::invalid_parameter(error.to_string()),
        SubmitError::Store(cause) => ApiError::internal(
            "The job could not be written down, so nothing was begun. Try again; the log has the cause.",
        )
        .caused_by(cause),
    }
}

/// The place of a job, as the room `motion` knows it.
struct Lent(Place);

impl motion::Place for Lent {
    fn give(&self) {
        self.0.give();
    }

    fn take(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.0.take())
    }
}

/// Runs the command that a job names.
pub(super) struct CommandRunner {
    /// What all jobs share. Each has the store that writes under its claim besides.
    means: Means,
    credentials: Arc<dyn Credentials>,
}

impl Runner for CommandRunner {
    fn run<'a>(&'a self, job: &'a QueuedJob, claim: Claim, place: &'a Place) -> BoxFuture<'a, Result<Ended, Failure>> {
        Box::pin(async move {
            match self.run_command(job, claim, place).await {
                Ok(node) => Ok(Ended { result: stored(&node) }),
                Err(error) => {
                    if let Some(cause) = error.store_cause().filter(|cause| cause.had_no_effect())
                        && !Box::pin(self.is_given_up(job, cause)).await
                    {
                        return Err(Failure::Interrupted);
                    }
                    let is_superseded = matches!(error.store_cause(), Some(StoreError::Superseded { .. }));
                    if let Some(cause) = error.cause.as_ref().filter(|_| !is_superseded) {
                        tracing::error!(cause = %crate::telemetry::chain(&**cause), "{}", error.text);
                    }
                    Err(failure(&error))
                }
            }
        })
    }
}

impl CommandRunner {
    pub(super) fn new(
        motion: Arc<Motion>,
        estate: Arc<Estate>,
        policy: Policy,
        credentials: Arc<dyn Credentials>,
    ) -> Self {
        let store = motion.store().clone();
        // A job tells nobody news.
        let feed = Arc::new(Feed::new(store.clone(), policy.feed));
        let (calls, answers) = (Arc::default(), Arc::default());
        let ids: Arc<dyn Ids> = Arc::new(store.clone());
        let means = Means { store, motion, estate, ids, policy: Arc::new(policy), calls, feed, answers };
        Self { means, credentials }
    }

    /// Whether the job ends because a management server holds what it needs: it can try again when it wants to. Once something
    /// may have moved, a job is not given up but finished.
    async fn is_given_up(&self, job: &QueuedJob, cause: &StoreError) -> bool {
        cause.is_locked_out()
            && self.means.store.db().schema().is_attached()
            && self.means.store.motions_of_job(job.id).await.is_ok_and(|motions| motions.is_empty())
    }

    async fn run_command(&self, job: &QueuedJob, claim: Claim, place: &Place) -> Result<Node, ApiError> {
        let store = self.means.store.under(claim);
        let command = find(&job.command).ok_or_else(|| unreadable(job))?;
        let Action::Async { run, .. } = command.entry.action else { return Err(unreadable(job)) };
        let parameters = parameters_of(job)?;
        let args = Args::unpack(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
        // What is over before the command runs should not take room as long as it runs.
        let caller = Box::pin(self.caller_of(job)).await?;
        let motion = Arc::new(self.means.motion.on(store.clone()).with_place(Arc::new(Lent(place.clone()))));
        let means = Means { store, motion, ..self.means.clone() };
        let ctx = Ctx {
            means: Arc::new(means),
            command: command.entry.spec.name,
            caller,
            resume_after: None,
            request_id: job.request_id.as_str().into(),
        };
        let ctx = JobCtx { ctx, job_id: job.id, start_event_id: job.start_event_id, place: place.clone() };
        run(&args, &ctx).await
    }

    /// Who submitted the job, as it is now or was a moment ago.
    async fn caller_of(&self, job: &QueuedJob) -> Result<Arc<Caller>, ApiError> {
        let user =
            self.credentials.known_user(job.user_id).await.map_err(|cause| match cause.downcast::<StoreError>() {
                Ok(cause) => ApiError::from(*cause),
                Err(cause) => {
                    ApiError::internal("The user who submitted the job could not be looked up").caused_by(cause)
                }
            })?;
        let gone = || ApiError::internal("The user who submitted the job does not exist any more");
        Ok(user.ok_or_else(gone)?.caller)
    }
}

fn unreadable(job: &QueuedJob) -> ApiError {
    ApiError::internal(format!("The job of {} cannot be read back", job.command))
}

/// What the job was submitted with. What is no text counts as an empty one.
fn parameters_of(job: &QueuedJob) -> Result<Vec<(String, String)>, ApiError> {
    let stored: Map<String, serde_json::Value> =
        serde_json::from_str(&job.parameters).map_err(|cause| unreadable(job).caused_by(cause))?;
    let text = |value| if let serde_json::Value::String(text) = value { text } else { String::new() };
    Ok(stored.into_iter().map(|(name, value)| (name, text(value))).collect())
}

/// A result as CloudStack stores it (`contract/entities.md` 3.23): `<class>/<object name>/<JSON>`.
fn stored(node: &Node) -> String {
    if let Node::Object(fields) = node
        && let [(object, inner)] = fields.as_slice()
        && matches!(inner, Node::Object(_))
    {
        let class = match &**object {
            "volume" => "VolumeResponse",
            "virtualmachine" => "UserVmResponse",
            "host" => "HostResponse",
            "storagepool" => "StoragePoolResponse",
            "user" => "UserResponse",
            "account" => "AccountResponse",
            "userkeys" => "ApiKeyPairResponse",
            _ => "ObjectResponse",
        };
        return fitted(&format!("{RESPONSES}.{class}/{object}/"), inner);
    }
    fitted(&format!("{RESPONSES}.SuccessResponse/"), node)
}

/// An object behind `head`, in no more bytes than are stored. What was done was done, whatever there is to tell of it: of one that is
/// too long the longest fields are left out, and never its id, by which a list tells the rest.
fn fitted(head: &str, node: &Node) -> String {
    let whole = format!("{head}{}", node.to_json());
    if whole.len() <= LONGEST_RESULT {
        return whole;
    }
    let mut fields = match node {
        Node::Object(fields) => fields.clone(),
        _ => Vec::new(),
    };
    while let Some(at) = longest(&fields) {
        let (name, _) = fields.remove(at);
        tracing::warn!(field = %name, "a result is too long to be stored; a field of it is left out");
        let text = format!("{head}{}", Node::Object(fields.clone()).to_json());
        if text.len() <= LONGEST_RESULT {
            return text;
        }
    }
    format!("{head}{{}}")
}

/// Where the longest field is that may be left out.
fn longest(fields: &[(Name, Node)]) -> Option<usize> {
    let others = fields.iter().enumerate().filter(|(_, (name, _))| name != "id");
    others.max_by_key(|(_, (_, value))| value.to_json().len()).map(|(at, _)| at)
}

/// An error as CloudStack stores it.
fn failure(error: &ApiError) -> Failure {
    let code = i64::from(error.job_code().number());
    let node = Node::Object(vec![
        ("errorcode".into(), Node::Int(code)),
        ("errortext".into(), shortened(&error.text, LONGEST_TEXT).into_owned().into()),
    ]);
    Failure::Final { code, result: format!("{RESPONSES}.ExceptionResponse/{}", node.to_json()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_text_of_an_error_is_stored() {
        // The letters that take most: six bytes in JSON, four in UTF-8.
        for letter in ["\u{1}", "\u{1f600}", "\"", "x"] {
            let error = ApiError::command_failed(format!("Failed: {}", letter.repeat(100_000)));
            let Failure::Final { code, result } = failure(&error) else { panic!("{letter:?}: it has not failed") };
            assert_eq!(code, 530);
            assert!(result.len() <= LONGEST_RESULT, "{letter:?}: {} bytes", result.len());
            let json = result.strip_prefix("org.apache.cloudstack.api.response.ExceptionResponse/").expect("its class");
            let told: serde_json::Value = serde_json::from_str(json).expect("JSON");
            let text = told["errortext"].as_str().expect("a text");
            assert!(text.starts_with("Failed: ") && text.ends_with('\u{2026}'), "{letter:?}");
            assert_eq!(text.chars().count(), LONGEST_TEXT, "{letter:?}");
        }
    }

    #[test]
    fn a_result_that_is_too_long_is_told_in_part() {
        let long = |letters: usize| Node::from("x".repeat(letters));
        let fields = vec![
            ("name".into(), "v".into()),
            ("details".into(), Node::Map(vec![("a".into(), long(60_000))])),
            ("id".into(), "7".into()),
            ("path".into(), long(50_000)),
            ("state".into(), "Ready".into()),
        ];
        let class = "org.apache.cloudstack.api.response.VolumeResponse/volume/";
        let kept = stored(&Node::wrap("volume", Node::Object(fields.clone())));
        assert!(kept.len() <= LONGEST_RESULT);
        let path = "x".repeat(50_000);
        assert_eq!(kept, format!(r#"{class}{{"name":"v","id":"7","path":"{path}","state":"Ready"}}"#));
        let short: Vec<_> = fields.into_iter().filter(|(name, _)| name != "details").collect();
        assert_eq!(stored(&Node::wrap("volume", Node::Object(short))), kept, "what fits is stored whole");

        let said = vec![("success".into(), Node::Bool(true)), ("displaytext".into(), long(70_000))];
        let class = "org.apache.cloudstack.api.response.SuccessResponse/";
        assert_eq!(stored(&Node::Object(said)), format!(r#"{class}{{"success":true}}"#));
        assert_eq!(stored(&Node::List(vec![long(70_000)])), format!("{class}{{}}"), "it has succeeded all the same");
    }
}
