//! `resolveMigration`: an administrator states what became of a migration whose hosts cannot tell. An addition to CloudStack's
//! API.

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx, filters};
use crate::api::{ApiError, Node, Response};
use crate::motion::{Found, Statement};
use crate::store::MotionRow;
use crate::views::{self, MotionView};

crate::command! {
    /// Settles a migration whose outcome is unknown (`listMigrations outcome=unknown`) as the administrator states. The hosts are
    /// asked once more: what they show is not overruled, and only where they are silent or cannot tell the statement counts. It
    /// is a job that works under the lock that migrations of the machine take; the statement stands in the migration's
    /// `verified`, with who made it.
    pub struct ResolveMigration {
        /// The migration.
        id: String,
        /// Where everything is that was to move: `source` or `target`.
        found: String,
        /// What is to be remembered about it.
        note: Option<String> [length(255)],
    }
    name "resolveMigration", kind Async, http Post, response MotionView, roles [Admin],
    java "org.stackmotion.api.command.ResolveMigrationCmd"
}

impl ResolveMigration {
    fn found(&self) -> Result<Found, ApiError> {
        match self.found.to_ascii_lowercase().as_str() {
            "source" => Ok(Found::Source),
            "target" => Ok(Found::Target),
            other => Err(ApiError::invalid_parameter(format!("{other} is no place: say source or target"))),
        }
    }

    async fn motion(&self, ctx: &Ctx) -> Result<MotionRow, ApiError> {
        let row = ctx.store.motion_by_uuid(&self.id).await?;
        row.ok_or_else(|| ApiError::invalid_parameter(format!("There is no migration {}; see listMigrations", self.id)))
    }
}

impl AsyncCommand for ResolveMigration {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        filters::root_admins_only(ctx)?;
        self.found()?;
        let row = self.motion(ctx).await?;
        let volume = ctx.store.motion_volume(row.id).await?.map(|id| (InstanceType::Volume, id));
        Ok(EventDraft {
            event_type: "MIGRATION.RESOLVE",
            description: format!("resolving migration {}: it is at its {}", row.uuid, self.found.to_ascii_lowercase()),
            owner_account_id: super::privilege::SYSTEM,
            resource: row.vm_id.map(|id| (InstanceType::VirtualMachine, id)).or(volume),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        None
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("resolving a migration").await?;
        let row = self.motion(&ctx.ctx).await?;
        let statement =
            Statement { found: self.found()?, by: ctx.ctx.caller.username.clone(), note: self.note.clone() };
        ctx.ctx.motion.resolve(ctx.job_id, row.id, &statement).await?;
        let views = views::motions(&ctx.ctx.store, &[row.id]).await?;
        let gone = || ApiError::command_failed("The migration was resolved and is gone from the list");
        Ok(Node::wrap(MotionView::SPEC.object, views.into_iter().next().ok_or_else(gone)?.into_node()))
    }
}
