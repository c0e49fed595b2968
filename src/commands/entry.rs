//! One entry of the table of commands: declaration and code, of one size for all.

use futures_util::future::BoxFuture;

use super::draft::{EventDraft, InstanceType};
use super::{AsyncCommand, Ctx, JobCtx, SyncCommand, find};
use crate::api::{ApiError, Args, Command, CommandSpec, Node, Reply};

/// Declaration and code of a command, of one size for all.
#[derive(Debug)]
pub struct Entry {
    /// The declaration.
    pub spec: &'static CommandSpec,
    /// The code.
    pub action: Action,
    /// Whether it only stands in for a management server: with one behind the gateway, that one is asked.
    pub stands_in: bool,
}

type SyncFn = for<'a> fn(Call<'a>) -> BoxFuture<'a, Result<Reply, ApiError>>;
/// Reads the parameters of a call and says what its job is about.
pub type DraftFn = for<'a> fn(Call<'a>) -> BoxFuture<'a, Result<Prepared, ApiError>>;
type JobFn = for<'a> fn(&'a Args<'a>, &'a JobCtx) -> BoxFuture<'a, Result<Node, ApiError>>;

/// The code of a command.
#[derive(Debug, Clone, Copy)]
pub enum Action {
    /// Reads the parameters and answers.
    Sync(SyncFn),
    /// Served by the rim itself, before it is asked who calls: logging in and out.
    Rim,
    /// Reads the parameters and prepares a job, and does the job later.
    Async {
        /// Reads the parameters and says what the job is about.
        prepare: DraftFn,
        /// Reads the stored parameters again and works.
        run: JobFn,
        /// See [`AsyncCommand::JOINS_EQUAL`].
        joins_equal: bool,
    },
}

/// One call of a command.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// Its parameters.
    pub args: &'a Args<'a>,
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
        Self { spec: C::SPEC, action: Action::Sync(run_sync::<C>), stands_in: false }
    }

    /// The entry of a command that answers for a management server where there is none.
    pub const fn stand_in<C: SyncCommand>() -> Self {
        Self { stands_in: true, ..Self::sync::<C>() }
    }

    /// The entry of a command that is done by a job where there is no management server to do it.
    pub const fn stand_in_job<C: AsyncCommand>() -> Self {
        Self { stands_in: true, ..Self::job::<C>() }
    }

    /// The entry of a command that the rim serves itself; the declaration is for `listApis` and OpenAPI.
    pub const fn rim<C: Command>() -> Self {
        Self { spec: C::SPEC, action: Action::Rim, stands_in: false }
    }

    /// The entry of a command that is done by a job.
    pub const fn job<C: AsyncCommand>() -> Self {
        let action = Action::Async { prepare: prepare::<C>, run: run_job::<C>, joins_equal: C::JOINS_EQUAL };
        Self { spec: C::SPEC, action, stands_in: false }
    }
}

/// Reads the parameters of a command for a call.
async fn decode<C: Command>(args: &Args<'_>, ctx: &Ctx) -> Result<C, ApiError> {
    let lower = find(C::SPEC.name).map_or(C::SPEC.name, |known| known.lower.as_str());
    C::decode(&ctx.input(lower, args)).await
}

fn run_sync<C: SyncCommand>(call: Call<'_>) -> BoxFuture<'_, Result<Reply, ApiError>> {
    Box::pin(async move {
        let reply = decode::<C>(call.args, call.ctx).await?.run(call.ctx).await?;
        let is_declared = reply.shape().map_or(C::SPEC.media.is_some(), |shape| shape == C::SPEC.shape);
        debug_assert!(is_declared, "{} answers in another shape than declared", C::SPEC.name);
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

fn run_job<'a, C: AsyncCommand>(args: &'a Args<'a>, ctx: &'a JobCtx) -> BoxFuture<'a, Result<Node, ApiError>> {
    Box::pin(async move { decode::<C>(args, &ctx.ctx).await?.run(ctx).await })
}
