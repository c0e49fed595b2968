//! What the gateway can do. One file per command, one line in [`COMMANDS`].
//!
//! A command declares itself with [`crate::command!`] and implements [`SyncCommand`] or [`AsyncCommand`].

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, LazyLock};

use futures_util::future::BoxFuture;

use crate::api::{ApiError, Args, Command, CommandSpec, Ids, Input, Node, Reply, openapi};
use crate::auth::Caller;
use crate::model::entity::EntityKind;
use crate::motion::{Motion, Mover, Refusal, RefusalKind};
use crate::store::Store;

mod failure;
pub mod filters;
pub mod find_hosts_for_migration;
pub mod find_storage_pools_for_migration;
mod job_resource;
pub mod list_apis;
pub mod list_async_jobs;
pub mod list_capabilities;
pub mod list_clusters;
pub mod list_hosts;
pub mod list_hypervisor_capabilities;
pub mod list_pods;
pub mod list_storage_pools;
pub mod list_virtual_machines;
pub mod list_volumes;
pub mod list_zones;
pub mod migrate_virtual_machine;
pub mod migrate_virtual_machine_with_volume;
pub mod migrate_volume;
pub mod query_async_job_result;
pub mod update_hypervisor_capabilities;

/// Every command that is served. The order is that of `listApis`.
pub static COMMANDS: &[Entry] = &[
    Entry::sync::<find_hosts_for_migration::FindHostsForMigration>(),
    Entry::sync::<find_storage_pools_for_migration::FindStoragePoolsForMigration>(),
    Entry::sync::<list_apis::ListApis>(),
    Entry::sync::<list_async_jobs::ListAsyncJobs>(),
    Entry::sync::<list_capabilities::ListCapabilities>(),
    Entry::sync::<list_clusters::ListClusters>(),
    Entry::sync::<list_hosts::ListHosts>(),
    Entry::sync::<list_hypervisor_capabilities::ListHypervisorCapabilities>(),
    Entry::sync::<list_pods::ListPods>(),
    Entry::sync::<list_storage_pools::ListStoragePools>(),
    Entry::sync::<list_virtual_machines::ListVirtualMachines>(),
    Entry::sync::<list_volumes::ListVolumes>(),
    Entry::sync::<list_zones::ListZones>(),
    Entry::job::<migrate_virtual_machine::MigrateVirtualMachine>(),
    Entry::job::<migrate_virtual_machine_with_volume::MigrateVirtualMachineWithVolume>(),
    Entry::job::<migrate_volume::MigrateVolume>(),
    Entry::sync::<query_async_job_result::QueryAsyncJobResult>(),
    Entry::sync::<update_hypervisor_capabilities::UpdateHypervisorCapabilities>(),
];

static BY_NAME: LazyLock<HashMap<&'static str, Registered>> = LazyLock::new(|| {
    COMMANDS
        .iter()
        .map(|entry| {
            let lower = entry.spec.name.to_lowercase();
            let envelope = format!("{lower}response");
            (entry.spec.name, Registered { entry, lower, envelope })
        })
        .collect()
});

/// The command with exactly this name: letter case matters, as in CloudStack.
pub fn find(name: &str) -> Option<&'static Registered> {
    BY_NAME.get(name)
}

/// A command with the names that every answer of it needs.
#[derive(Debug)]
pub struct Registered {
    /// Declaration and code.
    pub entry: &'static Entry,
    /// The name in lower case, for error texts.
    pub lower: String,
    /// The name of the envelope.
    pub envelope: String,
}

/// What a command works with.
#[derive(Clone)]
pub struct Ctx {
    /// The database.
    pub store: Store,
    /// Moves things.
    pub motion: Arc<Motion>,
    /// Looks ids up.
    pub ids: Arc<dyn Ids>,
    /// Accepts background work.
    pub jobs: Arc<dyn JobDesk>,
    /// What the operator decided.
    pub policy: Arc<Policy>,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// The id that ties log lines of one request, its job and its calls to agents together.
    pub request_id: Arc<str>,
}

impl Ctx {
    /// The public id of a thing, for texts; `null` when it has none or does not exist.
    ///
    /// # Errors
    /// 530 when the database fails.
    pub async fn public_id(&self, entity: EntityKind, id: i64) -> Result<String, ApiError> {
        let uuid = self.store.public_id(entity, id).await?;
        Ok(uuid.unwrap_or_else(|| "null".to_owned()))
    }
}

/// What answers say about the installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// The CloudStack version that clients are told.
    pub cloudstack_version: String,
    /// Rows of a page when none are asked for, and the most that may be asked for.
    pub default_page_size: i64,
    /// Whether commands that change something need a POST and a bounded `expires` (`contract/api-protocol.md 1.5`).
    pub enforce_post: bool,
}

impl Default for Policy {
    fn default() -> Self {
        Self { cloudstack_version: "4.23.0.0-SNAPSHOT".to_owned(), default_page_size: 500, enforce_post: false }
    }
}

/// What a job works with.
#[derive(Clone)]
pub struct JobCtx {
    /// The same as for the call that submitted it.
    pub ctx: Ctx,
    /// The internal number of the job.
    pub job_id: i64,
    /// The public id of the job.
    pub job_uuid: String,
    /// The internal number of the event that announced the job.
    pub start_event_id: i64,
}

impl JobCtx {
    /// Writes the event that says that the work has begun; its fellow that says how it ended follows by itself.
    ///
    /// `description` is CloudStack's, with a small letter: `migrating volume` (`contract/migration.md` 1.4).
    ///
    /// # Errors
    /// 530 when the database fails; nothing was begun then.
    pub async fn begin(&self, description: &str) -> Result<(), ApiError> {
        let begun = async {
            let mut tx = self.ctx.store.begin().await?;
            tx.event_begin(self.start_event_id, self.ctx.caller.account_id, description).await?;
            tx.commit().await
        };
        begun.await.map_err(ApiError::from)
    }

    /// Who moves, as the room `motion` asks.
    #[must_use]
    pub fn mover(&self) -> Mover {
        let caller = &self.ctx.caller;
        Mover {
            account_id: caller.account_id,
            domain_path: caller.domain_path.clone(),
            root_admin: caller.is_root_admin(),
            domain_admin: caller.is_domain_admin(),
        }
    }
}

/// A refusal of the room `motion`, as a job's result shows it.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = match refusal.kind {
            RefusalKind::Parameter => Self::invalid_parameter(refusal.text),
            RefusalKind::Failed => Self::internal(refusal.text),
        };
        let error = match refusal.subject.map(|subject| *subject) {
            Some((id, what)) => error.about(id, what),
            None => error,
        };
        match refusal.cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}

/// A command that answers at once.
pub trait SyncCommand: Command {
    /// Does it.
    fn run(self, ctx: &Ctx) -> impl Future<Output = Result<Reply, ApiError>> + Send;
}

/// A command that is done by a job.
pub trait AsyncCommand: Command {
    /// What the event log says when the job is accepted.
    fn event(&self, ctx: &Ctx) -> impl Future<Output = Result<EventDraft, ApiError>> + Send;

    /// The thing that the job works on, shown as `jobinstancetype` and `jobinstanceid`.
    fn instance(&self) -> Option<(InstanceType, i64)>;

    /// Does it, inside the job. The node becomes `jobresult`.
    fn run(self, ctx: &JobCtx) -> impl Future<Output = Result<Node, ApiError>> + Send;
}

/// What a job works on, in CloudStack's words (`jobinstancetype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceType {
    /// A disk.
    Volume,
    /// A machine.
    VirtualMachine,
    /// A host.
    Host,
    /// A pool.
    StoragePool,
    /// A cluster.
    Cluster,
}

impl InstanceType {
    /// The word on the wire and in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Volume => "Volume",
            Self::VirtualMachine => "VirtualMachine",
            Self::Host => "Host",
            Self::StoragePool => "StoragePool",
            Self::Cluster => "Cluster",
        }
    }

    /// Reads the word, in any letter case.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Volume, Self::VirtualMachine, Self::Host, Self::StoragePool, Self::Cluster]
            .into_iter()
            .find(|known| known.word().eq_ignore_ascii_case(word))
    }
}

/// An event to be written together with a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventDraft {
    /// The type, such as `VOLUME.MIGRATE`.
    pub event_type: &'static str,
    /// What the job is about to do.
    pub description: String,
    /// The account that owns the thing it is about.
    pub owner_account_id: i64,
    /// The thing it is about.
    pub resource: Option<(InstanceType, i64)>,
}

/// A job to be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDraft {
    /// The name of the command.
    pub command: &'static str,
    /// The Java class that `cmd` shows.
    pub java_class: &'static str,
    /// The parameters as [`Args::pairs`] gives them; the job reads them again.
    pub params: Vec<(String, String)>,
    /// The user who asked.
    pub user_id: i64,
    /// The account of that user.
    pub account_id: i64,
    /// What it works on.
    pub instance: Option<(InstanceType, i64)>,
    /// What the event log says.
    pub event: EventDraft,
    /// The id the client chose for the job.
    pub custom_id: Option<String>,
    /// The id that ties log lines together.
    pub request_id: Arc<str>,
}

/// Accepts jobs: row and event in one transaction.
pub trait JobDesk: Send + Sync {
    /// Accepts a job and returns its public id.
    ///
    /// # Errors
    /// 530/9999 `Entity already exists ` when the chosen id is taken; 503 when no new work is taken.
    fn submit<'a>(&'a self, draft: JobDraft) -> BoxFuture<'a, Result<String, ApiError>>;
}

/// Declaration and code of a command, of one size for all.
#[derive(Debug)]
pub struct Entry {
    /// The declaration.
    pub spec: &'static CommandSpec,
    /// The code.
    pub action: Action,
}

type SyncFn = for<'a> fn(Call<'a>) -> BoxFuture<'a, Result<Reply, ApiError>>;
type DraftFn = for<'a> fn(Call<'a>) -> BoxFuture<'a, Result<Prepared, ApiError>>;
type JobFn = for<'a> fn(&'a Args, &'a JobCtx) -> BoxFuture<'a, Result<Node, ApiError>>;

/// The code of a command.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Reads the parameters and answers.
    Sync(SyncFn),
    /// Reads the parameters and prepares a job, and does the job later.
    Async {
        /// Reads the parameters and says what the job is about.
        prepare: DraftFn,
        /// Reads the stored parameters again and works.
        run: JobFn,
    },
}

/// One call of a command.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Its parameters.
    pub args: &'a Args,
    /// What it works with.
    pub ctx: &'a Ctx,
}

/// What an async command says about the job to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// What the event log says.
    pub event: EventDraft,
    /// What the job works on.
    pub instance: Option<(InstanceType, i64)>,
}

impl Entry {
    /// The entry of a command that answers at once.
    pub const fn sync<C: SyncCommand>() -> Self {
        Self { spec: C::SPEC, action: Action::Sync(run_sync::<C>) }
    }

    /// The entry of a command that is done by a job.
    pub const fn job<C: AsyncCommand>() -> Self {
        Self { spec: C::SPEC, action: Action::Async { prepare: prepare::<C>, run: run_job::<C> } }
    }
}

/// Reads the parameters of a command for a call.
async fn decode<C: Command>(args: &Args, ctx: &Ctx) -> Result<C, ApiError> {
    let lower = find(C::SPEC.name).map_or(C::SPEC.name, |known| known.lower.as_str());
    let input = Input { command: lower, args, ids: &*ctx.ids, default_page_size: ctx.policy.default_page_size };
    C::decode(&input).await
}

fn run_sync<C: SyncCommand>(call: Call<'_>) -> BoxFuture<'_, Result<Reply, ApiError>> {
    Box::pin(async move {
        let reply = decode::<C>(call.args, call.ctx).await?.run(call.ctx).await?;
        debug_assert_eq!(reply.shape(), C::SPEC.shape, "{} answers in another shape than declared", C::SPEC.name);
        Ok(reply)
    })
}

fn prepare<C: AsyncCommand>(call: Call<'_>) -> BoxFuture<'_, Result<Prepared, ApiError>> {
    Box::pin(async move {
        let command = decode::<C>(call.args, call.ctx).await?;
        let event = command.event(call.ctx).await?;
        Ok(Prepared { event, instance: command.instance() })
    })
}

fn run_job<'a, C: AsyncCommand>(args: &'a Args, ctx: &'a JobCtx) -> BoxFuture<'a, Result<Node, ApiError>> {
    Box::pin(async move { decode::<C>(args, &ctx.ctx).await?.run(ctx).await })
}

/// The OpenAPI document of everything that is served, as it lies in `openapi/stackmotion.json`.
pub fn openapi() -> String {
    let specs: Vec<_> = COMMANDS.iter().map(|entry| entry.spec).collect();
    openapi::text(&specs, env!("CARGO_PKG_VERSION"))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::api::{Http, Kind, Shape, flatten};

    #[test]
    fn names_are_unique_and_declarations_agree_with_them() {
        assert_eq!(BY_NAME.len(), COMMANDS.len());
        for entry in COMMANDS {
            let spec = entry.spec;
            let reads = ["list", "find", "query", "get"].iter().any(|verb| spec.name.starts_with(verb));
            assert_eq!(spec.http == Http::Get, reads, "{}", spec.name);
            assert_eq!(spec.kind == Kind::Async, matches!(entry.action, Action::Async { .. }), "{}", spec.name);
            let is_list =
                ["list", "find"].iter().any(|verb| spec.name.starts_with(verb)) && spec.name != "listCapabilities";
            assert_eq!(spec.shape == Shape::List, is_list, "{}: write `response [View]` for a list", spec.name);
            assert!(!spec.roles.is_empty(), "{}", spec.name);
        }
    }

    #[test]
    fn everything_is_described() {
        for entry in COMMANDS {
            let spec = entry.spec;
            assert!(!spec.description.is_empty(), "{}", spec.name);
            let mut seen = HashSet::new();
            for param in flatten(spec.params) {
                assert!(!param.description.is_empty(), "{} {}", spec.name, param.name);
                assert!(seen.insert(param.name), "{} has {} twice", spec.name, param.name);
                assert_eq!(param.name, param.name.to_lowercase(), "{}: names are matched in lower case", spec.name);
            }
            for field in spec.response.fields {
                assert!(!field.description.is_empty(), "{} {}", spec.name, field.name);
            }
        }
    }
}
