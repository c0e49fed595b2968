//! `findHostsForMigration` (`contract/migration.md` 5.1 to 5.3).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::VmRef;
use crate::motion::candidates;
use crate::views::{self, HostView};

crate::command! {
    /// Lists the hosts that a running virtual machine could move to, and says which of them suit.
    pub struct FindHostsForMigration {
        /// The virtual machine to move.
        virtual_machine_id "virtualmachineid": Id<VmRef>,
        /// Which page of the list.
        page: Page,
    }
    name "findHostsForMigration", kind Sync, http Get, response [HostView], roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.FindHostsForMigrationCmd"
}

/// Where machines could move is for those who move them.
///
/// # Errors
/// 531 for others than root admins.
pub(super) fn root_admins_only(ctx: &Ctx) -> Result<(), ApiError> {
    let text = "No permission to migrate instance, Only Root Admin can migrate an instance!";
    if ctx.caller.is_root_admin() { Ok(()) } else { Err(ApiError::permission_denied(text)) }
}

impl SyncCommand for FindHostsForMigration {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        root_admins_only(ctx)?;
        let vm_id = self.virtual_machine_id.number();
        let found = candidates::hosts(&ctx.store, vm_id, self.page.keyword.as_deref()).await?;
        let count = found.len() as i64;
        let found: Vec<_> = self.page.cut(found);
        let ids: Vec<i64> = found.iter().map(|candidate| candidate.host.id).collect();
        let mut views = views::hosts(&ctx.store, &ctx.caller, &ids).await?;
        for (view, candidate) in views.iter_mut().zip(&found) {
            view.suitable_for_migration = Some(candidate.suitable);
            view.requires_storage_motion = Some(candidate.requires_storage_motion);
        }
        Ok(Reply::list(count, views))
    }
}
