//! `listStoragePoolsMetrics` (`contract/entities.md 1.5`).

use super::list_storage_pools::PoolChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::views::{self, PoolFiguresView};

crate::command! {
    /// Lists primary storage pools with figures.
    pub struct ListStoragePoolsMetrics {
        /// Which pools.
        choice: PoolChoice,
    }
    name "listStoragePoolsMetrics", since "4.9.3", kind Sync, http Get, response [PoolFiguresView],
    roles [Admin],
    java "org.apache.cloudstack.api.ListStoragePoolsMetricsCmd"
}

impl SyncCommand for ListStoragePoolsMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let choice = self.choice;
        let (count, found) = choice.found(ctx).await?;
        Ok(Reply::list(count, views::pool_figures(&ctx.store, found).await?))
    }
}
