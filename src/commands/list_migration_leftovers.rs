//! `listMigrationLeftovers`: an addition to CloudStack's API. Files that migrations left behind, or may have.

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{MotionFileRef, StoragePoolRef, VolumeRef};
use crate::store::{FileState, LeftoverFilter};
use crate::views::{self, LeftoverView};

crate::command! {
    /// Lists files that migrations left behind: those that were seen, and those that a migration that failed may have left where
    /// the agent cannot tell. Each with the verdict whether it can be removed, and why.
    pub struct ListMigrationLeftovers {
        /// Only this file.
        id: Option<Id<MotionFileRef>>,
        /// Only files in this state: `left`, `possible`, `unseen`, `expected`, `owned`, `gone` or `removed`.
        state: Option<String>,
        /// Only those in this pool.
        storage_id "storageid": Option<Id<StoragePoolRef>>,
        /// Only those that were this disk, or were to become it.
        volume_id "volumeid": Option<Id<VolumeRef>>,
        /// Only those of this migration.
        migration_id "migrationid": Option<String>,
        /// Page, and a word in the file's name.
        page: Page,
    }
    name "listMigrationLeftovers", kind Sync, http Get, response [LeftoverView], roles [Admin],
    java "org.stackmotion.api.command.ListMigrationLeftoversCmd"
}

impl SyncCommand for ListMigrationLeftovers {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        filters::root_admins_only(ctx)?;
        let window = filters::window(&self.page, None);
        let state = filters::one_of("state", self.state, &FileState::ALL.map(FileState::word))?;
        let filter = LeftoverFilter {
            id: self.id.map(|id| id.number()),
            state: state.as_deref().and_then(FileState::parse),
            pool_id: self.storage_id.map(|id| id.number()),
            volume_id: self.volume_id.map(|id| id.number()),
            migration: self.migration_id,
            keyword: self.page.keyword,
        };
        let (count, ids) = ctx.store.leftovers_page(&filter, window).await?;
        Ok(Reply::list(count, views::leftovers(&ctx.store, &ids).await?))
    }
}
