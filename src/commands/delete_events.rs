//! `deleteEvents` (`contract/entities.md 1.17`).

use super::{Ctx, SyncCommand, filters, put_away};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::Timestamp;
use crate::model::entity::EventRef;

crate::command! {
    /// Deletes events for good. One of the parameters is needed.
    pub struct DeleteEvents {
        /// Only these. All of them must be there, or nothing is done.
        ids: Option<Vec<Id<EventRef>>>,
        /// Only those until then.
        end_date "enddate": Option<Timestamp>,
        /// Only those from then on. Needs `enddate`.
        start_date "startdate": Option<Timestamp>,
        /// Only those of exactly this type, such as `VOLUME.MIGRATE`.
        kind "type": Option<String>,
    }
    name "deleteEvents", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.event.DeleteEventsCmd"
}

impl SyncCommand for DeleteEvents {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let kind = self.kind.map(Into::into);
        let which = put_away::which(self.ids, kind, (self.start_date, self.end_date), filters::reach(&ctx.caller))?;
        let done = ctx.store.events_delete(&which).await?;
        put_away::reply(&which, done)
    }
}
