//! `archiveAlerts` (`contract/entities.md 1.19`).

use super::put_away::{self, AlertsMeant};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Reply, SuccessView};

crate::command! {
    /// Puts alerts away: lists do not show them any more. One of the parameters is needed.
    pub struct ArchiveAlerts {
        /// Which alerts.
        meant: AlertsMeant,
    }
    name "archiveAlerts", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.resource.ArchiveAlertsCmd"
}

impl SyncCommand for ArchiveAlerts {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let which = self.meant.all()?;
        let done = ctx.store.alerts_archive(&which).await?;
        put_away::reply(&which, done)
    }
}
