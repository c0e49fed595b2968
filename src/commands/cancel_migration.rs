//! `cancelMigration`: an addition to CloudStack's API. A migration that goes on is told to stop.

use super::audit::{Deed, watched};
use super::query_async_job_result::authorize;
use super::{Ctx, InstanceType, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply};
use crate::model::entity::AsyncJobRef;
use crate::store::{CancelState, JobRow, transact};

/// The commands whose jobs can be cancelled.
const MOVES: [&str; 3] = ["migrateVolume", "migrateVirtualMachine", "migrateVirtualMachineWithVolume"];

crate::command! {
    /// Tells a migration to stop. The host is told once and has the last word: up to its point of no return everything goes back
    /// to where it was, and after it the migration comes to its end; either way the job's own result says which. Answers when
    /// the host has said something, or after a few seconds.
    pub struct CancelMigration {
        /// The job of the migration.
        job_id "jobid": Id<AsyncJobRef>,
    }
    name "cancelMigration", kind Sync, http Post, response Bare<CancelView>, roles [Admin],
    java "org.stackmotion.api.command.CancelMigrationCmd"
}

crate::response! {
    /// What became of the wish that a migration stop.
    pub struct CancelView as "cancelmigration" {
        /// True: a refusal is an error.
        success: bool,
        /// `wanted` while the job waits for its turn or the host has not answered, `asked` when the host has been told, `ended` when
        /// the job has ended.
        state: &'static str,
        /// The same in words.
        display_text "displaytext": String,
    }
}

impl SyncCommand for CancelMigration {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let id = self.job_id.number();
        let unknown = || ApiError::invalid_parameter(format!("Unable to find a job by id {id}"));
        let row = ctx.store.job_by_id(id).await?.ok_or_else(unknown)?;
        authorize(ctx, &row)?;
        let command = ctx.store.job_queued(id).await?.map(|job| job.command);
        match command.as_deref() {
            Some(command) if MOVES.contains(&command) => {}
            Some(command) => {
                return Err(ApiError::invalid_parameter(format!(
                    "Job {} is of {command}, which moves nothing: only a migration can be cancelled",
                    row.uuid
                )));
            }
            None => return Err(too_late(&row)),
        }
        let deed = Deed::new("MIGRATION.CANCEL", format!("cancelling the migration of job {}", row.uuid));
        let wished = wish(ctx, &row, &deed).await;
        watched(ctx, &[deed], wished).await?;
        let wish = ctx.motion.wish_heard(id).await?.ok_or_else(|| too_late(&row))?;
        let told = match wish.state {
            CancelState::Refused => {
                let why = wish.answer.unwrap_or_else(|| "the host gave no reason".to_owned());
                return Err(ApiError::command_failed(format!(
                    "The migration of job {} goes on: {why}. Its result will say where everything is",
                    row.uuid
                )));
            }
            CancelState::Wanted => "The wish is written down. The migration stops as soon as its gateway hears of it.",
            CancelState::Asked => "The host has been told to stop. The job ends when it has.",
            CancelState::Ended => "The job has ended. Its result says where everything is.",
        };
        let state = wish.state.word();
        Ok(Reply::bare(CancelView { success: true, state, display_text: told.to_owned() }))
    }
}

async fn wish(ctx: &Ctx, row: &JobRow, deed: &Deed) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    let reason = format!("Cancelled at the request of {}.", caller.username);
    let subject = ctx.store.job_subject(row.id).await?.and_then(|(word, id)| Some((InstanceType::parse(&word)?, id)));
    transact!(ctx.store, ApiError, |tx| {
        if tx.cancel_wish(row.id, Some(caller.user_id), &reason).await?
            && let Some(subject) = subject
        {
            deed.done(tx, ctx, subject).await?;
        }
        Ok(())
    })
}

fn too_late(row: &JobRow) -> ApiError {
    ApiError::invalid_parameter(format!("Job {} has ended: there is nothing left to cancel", row.uuid))
}
