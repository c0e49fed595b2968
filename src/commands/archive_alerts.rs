//! `archiveAlerts` (`contract/entities.md 1.19`).

use super::{Ctx, SyncCommand, filters, put_away};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::Timestamp;
use crate::model::entity::AlertRef;
use crate::store::Owners;

crate::command! {
    /// Puts alerts away: lists do not show them any more. One of the parameters is needed.
    pub struct ArchiveAlerts {
        /// Only these. All of them must be there, or nothing is done.
        ids: Option<Vec<Id<AlertRef>>>,
        /// Only those until then.
        end_date "enddate": Option<Timestamp>,
        /// Only those from then on. Needs `enddate`.
        start_date "startdate": Option<Timestamp>,
        /// Only those of the kind with this number.
        kind "type": Option<String>,
    }
    name "archiveAlerts", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.resource.ArchiveAlertsCmd"
}

impl SyncCommand for ArchiveAlerts {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let kind = filters::alert_kind(self.kind)?.map(Into::into);
        let which = put_away::which(self.ids, kind, (self.start_date, self.end_date), Owners::default())?;
        let done = ctx.store.alerts_archive(&which).await?;
        put_away::reply(&which, done)
    }
}
