//! `listManagementServers` (`contract/entities.md 1.22`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::ManagementServerRef;
use crate::views::{self, ManagementServerView};

crate::params! {
    /// Which servers are listed.
    pub struct ServerChoice {
        /// Only this server.
        id: Option<Id<ManagementServerRef>>,
        /// Only the server with exactly this name.
        name: Option<String>,
        /// Also what each server thinks of the others. Has no effect here.
        peers: Option<bool> [since("4.20.1.0")],
        /// Only servers of this version.
        version: Option<String> [since("4.20.3")],
        /// Search word; pages have no effect, as in CloudStack.
        page: Page,
    }
}

crate::command! {
    /// Lists the servers that work on this database. They are shown all at once.
    pub struct ListManagementServers {
        /// Which servers.
        choice: ServerChoice,
    }
    name "listManagementServers", kind Sync, http Get, response [ManagementServerView],
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.management.ListMgmtsCmd"
}

impl SyncCommand for ListManagementServers {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        Ok(Reply::all(self.choice.found(ctx).await?))
    }
}

impl ServerChoice {
    /// The servers that match.
    ///
    /// # Errors
    /// 530 when the database fails.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<Vec<ManagementServerView>, ApiError> {
        let words = (self.name.as_deref(), self.version.as_deref(), self.page.keyword.as_deref());
        let rows = ctx.store.servers(self.id.map(|id| id.number()), words).await?;
        Ok(views::management_servers(&ctx.store, &rows).await?)
    }
}
