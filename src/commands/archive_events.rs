//! `archiveEvents` (`contract/entities.md 1.17`).

use super::put_away::{self, EventsMeant};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Reply, SuccessView};

crate::command! {
    /// Puts events away: lists do not show them any more. One of the parameters is needed.
    pub struct ArchiveEvents {
        /// Which events.
        meant: EventsMeant,
    }
    name "archiveEvents", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.event.ArchiveEventsCmd"
}

impl SyncCommand for ArchiveEvents {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let which = self.meant.of(ctx)?;
        let done = ctx.store.events_archive(&which).await?;
        put_away::reply(&which, done)
    }
}
