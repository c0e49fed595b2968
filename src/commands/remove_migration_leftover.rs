//! `removeMigrationLeftover`: an addition to CloudStack's API.

use super::{Ctx, SyncCommand, filters};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::entity::MotionFileRef;

crate::command! {
    /// Removes a file that a migration left behind. It is removed only when the database says that no volume has it, no migration
    /// of its volume is under way or of unknown outcome, and the host of its machine shows that the machine has another file; else
    /// it stays, and the error says why.
    pub struct RemoveMigrationLeftover {
        /// The file, as `listMigrationLeftovers` shows it.
        id: Id<MotionFileRef>,
        /// True to say that the file is not there any more: it is taken from the list, unless its host shows it, and nothing is
        /// deleted. For agents that cannot list files.
        is_gone "isgone": Option<bool>,
    }
    name "removeMigrationLeftover", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.stackmotion.api.command.RemoveMigrationLeftoverCmd"
}

impl SyncCommand for RemoveMigrationLeftover {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        filters::root_admins_only(ctx)?;
        let id = self.id.number();
        let done = match self.is_gone {
            Some(true) => ctx.motion.forget_leftover(id, &ctx.caller.username).await?,
            _ => ctx.motion.remove_leftover(id).await?,
        };
        Ok(Reply::bare(SuccessView { success: true, display_text: Some(done) }))
    }
}
