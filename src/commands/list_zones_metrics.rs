//! `listZonesMetrics` (`contract/entities.md 1.1`).

use super::list_zones::ZoneChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::views::{self, ZoneFiguresView};

crate::command! {
    /// Lists zones with figures: what their hosts have and what of it is promised.
    pub struct ListZonesMetrics {
        /// Which zones.
        choice: ZoneChoice,
    }
    name "listZonesMetrics", since "4.9.3", kind Sync, http Get, response [ZoneFiguresView],
    roles [Admin],
    java "org.apache.cloudstack.api.ListZonesMetricsCmd"
}

impl SyncCommand for ListZonesMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let choice = self.choice;
        let (count, found) = choice.found(ctx).await?;
        Ok(Reply::list(count, views::zone_figures(&ctx.store, found).await?))
    }
}
