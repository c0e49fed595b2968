//! `listClustersMetrics` (`contract/entities.md 1.3`).

use super::list_clusters::ClusterChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::views::{self, ClusterFiguresView};

crate::command! {
    /// Lists clusters with figures: what their hosts have and what of it is promised.
    pub struct ListClustersMetrics {
        /// Which clusters.
        choice: ClusterChoice,
    }
    name "listClustersMetrics", since "4.9.3", kind Sync, http Get, response [ClusterFiguresView],
    roles [Admin],
    java "org.apache.cloudstack.api.ListClustersMetricsCmd"
}

impl SyncCommand for ListClustersMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let choice = self.choice;
        let (count, found) = choice.found(ctx).await?;
        Ok(Reply::list(count, views::cluster_figures(&ctx.store, found).await?))
    }
}
