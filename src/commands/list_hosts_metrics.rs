//! `listHostsMetrics` (`contract/entities.md 1.4`).

use super::list_hosts::HostChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::views::{self, HostFiguresView};

crate::command! {
    /// Lists the hosts that run machines, with figures.
    pub struct ListHostsMetrics {
        /// Which hosts.
        choice: HostChoice,
    }
    name "listHostsMetrics", since "4.9.3", kind Sync, http Get, response [HostFiguresView],
    roles [Admin],
    java "org.apache.cloudstack.api.ListHostsMetricsCmd"
}

impl SyncCommand for ListHostsMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let mut choice = self.choice;
        // CloudStack lists no others here, whatever is asked for.
        choice.kind = Some("Routing".to_owned());
        let (count, found) = choice.found(ctx).await?;
        Ok(Reply::list(count, views::host_figures(&ctx.store, found).await?))
    }
}
