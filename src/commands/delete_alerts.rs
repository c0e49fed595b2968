//! `deleteAlerts` (`contract/entities.md 1.19`).

use super::put_away::{self, AlertsMeant};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Reply, SuccessView};

crate::command! {
    /// Deletes alerts for good. One of the parameters is needed.
    pub struct DeleteAlerts {
        /// Which alerts.
        meant: AlertsMeant,
    }
    name "deleteAlerts", kind Sync, http Post, response Bare<SuccessView>,
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.resource.DeleteAlertsCmd"
}

impl SyncCommand for DeleteAlerts {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let which = self.meant.all()?;
        let done = ctx.store.alerts_delete(&which).await?;
        put_away::reply(&which, done)
    }
}
