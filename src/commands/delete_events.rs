//! `deleteEvents` (`contract/entities.md 1.17`).

use super::put_away::{self, EventsMeant};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Reply, SuccessView};

crate::command! {
    /// Deletes events for good. One of the parameters is needed.
    pub struct DeleteEvents {
        /// Which events.
        meant: EventsMeant,
    }
    name "deleteEvents", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.event.DeleteEventsCmd"
}

impl SyncCommand for DeleteEvents {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let which = self.meant.of(ctx)?;
        let done = ctx.store.events_delete(&which).await?;
        put_away::reply(&which, done)
    }
}
