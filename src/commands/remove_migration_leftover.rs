//! `removeMigrationLeftover`: an addition to CloudStack's API.

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::entity::MotionFileRef;

crate::command! {
    /// Removes a file that a migration left behind. It is removed only when the database says that no volume has it, no migration
    /// of its volume is under way or of unknown outcome, and the host of its machine shows that the machine has another file; else
    /// it stays, and the error says why.
    pub struct RemoveMigrationLeftover {
        /// The file, as `listMigrationLeftovers` shows it.
        id: Id<MotionFileRef>,
    }
    name "removeMigrationLeftover", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.stackmotion.api.command.RemoveMigrationLeftoverCmd"
}

impl SyncCommand for RemoveMigrationLeftover {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let done = ctx.motion.remove_leftover(self.id.number()).await?;
        Ok(Reply::bare(SuccessView { success: true, display_text: Some(done) }))
    }
}
