//! `readyForShutdown`: the user interface asks every five seconds (`contract/ui.md 0`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::ManagementServerRef;
use crate::views::{self, ReadyForShutdownView};

crate::command! {
    /// Says whether a server can be stopped without anything being lost.
    pub struct ReadyForShutdown {
        /// The server; any that works on this database without it.
        management_server_id "managementserverid": Option<Id<ManagementServerRef>>,
    }
    name "readyForShutdown", since "4.19.0", kind Sync, http Get, response ReadyForShutdownView,
    roles [Admin],
    java "org.apache.cloudstack.api.command.ReadyForShutdownCmd"
}

impl SyncCommand for ReadyForShutdown {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let rows = ctx.store.servers(self.management_server_id.map(|id| id.number()), (None, None, None)).await?;
        let servers = views::management_servers(&ctx.store, &rows).await?;
        let unknown = || ApiError::invalid_parameter("There is no such server, or none at all");
        let server = servers.into_iter().next().ok_or_else(unknown)?;
        Ok(Reply::one(ReadyForShutdownView {
            id: server.id,
            state: server.state,
            maintenance_initiated: false,
            shutdown_triggered: false,
            is_ready: server.pending_jobs == 0,
            pending_jobs: server.pending_jobs,
            agents_count: server.agents_count,
            agents: server.agents,
        }))
    }
}
