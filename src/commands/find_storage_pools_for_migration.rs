//! `findStoragePoolsForMigration` (`contract/migration.md` 5.4, 5.5).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::VolumeRef;
use crate::motion::candidates;
use crate::views::{self, StoragePoolView};

crate::command! {
    /// Lists the pools that a volume could move to, and says which of them `migrateVolume` would take.
    pub struct FindStoragePoolsForMigration {
        /// The volume to move.
        id: Id<VolumeRef>,
        /// Which page of the list.
        page: Page,
    }
    name "findStoragePoolsForMigration", kind Sync, http Get, response [StoragePoolView], roles [Admin],
    java "org.apache.cloudstack.api.command.admin.storage.FindStoragePoolsForMigrationCmd"
}

impl SyncCommand for FindStoragePoolsForMigration {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        if !ctx.caller.is_root_admin() {
            return Err(ApiError::permission_denied(
                "No permission to migrate volume, only root admin can migrate a volume",
            ));
        }
        let found = candidates::pools_for_volume(&ctx.store, self.id.number(), self.page.keyword.as_deref()).await?;
        let count = found.len() as i64;
        let found: Vec<_> = self.page.cut(found);
        let ids: Vec<i64> = found.iter().map(|candidate| candidate.pool.id).collect();
        let mut views = views::storage_pools(&ctx.store, &ctx.caller, &ids).await?;
        for (view, candidate) in views.iter_mut().zip(&found) {
            view.suitable_for_migration = Some(candidate.suitable);
            // This list has no details, and a job's status without a job (`corrections.md` 15, 51).
            view.details = None;
            view.has_annotations = None;
            view.used_iops = None;
            view.storage_capabilities = None;
            view.job_status = Some(0);
        }
        Ok(Reply::list(count, views))
    }
}
