//! `listManagementServersMetrics` (`contract/entities.md 1.22`).

use super::list_management_servers::ServerChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Group, Reply};
use crate::views::{ManagementServerMetricsView, ManagementServerView};

crate::command! {
    /// Lists the servers that work on this database, with how many hosts each talks to. Their machines are not measured.
    pub struct ListManagementServersMetrics {
        /// Which servers.
        choice: ServerChoice,
        /// Also figures of the machines. Has no effect here.
        system: Option<bool>,
    }
    name "listManagementServersMetrics", since "4.17.0", kind Sync, http Get, response [ManagementServerMetricsView],
    roles [Admin],
    java "org.apache.cloudstack.api.ListMgmtsMetricsCmd"
}

impl SyncCommand for ListManagementServersMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let servers = self.choice.found(ctx).await?;
        let view = |server: ManagementServerView| ManagementServerMetricsView {
            agent_count: server.agents_count,
            plain: Group(server),
        };
        Ok(Reply::all(servers.into_iter().map(view)))
    }
}
