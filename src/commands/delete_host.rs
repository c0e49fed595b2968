//! `deleteHost` (`contract/entities.md 2.4`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::estate::Removal;
use crate::model::entity::HostRef;

crate::command! {
    /// Takes a host out of the inventory, with its local pools. It has to be empty: no machine is on it, no disk in its
    /// local pools, and no motion comes from it or goes to it.
    pub struct DeleteHost {
        /// The host.
        id: Id<HostRef>,
        /// Also a host that is not in maintenance. Machines on it are not stopped.
        forced: Option<bool>,
        /// No effect here: disks are never destroyed with a host.
        forced_destroy_local_storage "forcedestroylocalstorage": Option<bool> [java("forceDestroyLocalStorage")],
    }
    name "deleteHost", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.DeleteHostCmd"
}

impl SyncCommand for DeleteHost {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("Host with id {id} doesn't exist"));
        let host = ctx.store.host_by_id(id).await?.filter(|host| !host.removed).ok_or_else(unknown)?;
        ctx.estate.remove_host(&host, Removal { forced: self.forced == Some(true) }).await?;
        Ok(Reply::success())
    }
}
