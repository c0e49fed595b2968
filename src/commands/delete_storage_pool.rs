//! `deleteStoragePool` (`contract/entities.md 2.5`).

use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply, SuccessView};
use crate::model::entity::StoragePoolRef;

crate::command! {
    /// Takes a storage pool out of the inventory. It has to be switched off or in maintenance, and empty: no volume says
    /// that it is there, and no motion takes something out or puts something in. Files in it stay.
    pub struct DeleteStoragePool {
        /// The pool.
        id: Id<StoragePoolRef>,
        /// No effect here: a pool that holds volumes always stays.
        forced: Option<bool>,
    }
    name "deleteStoragePool", kind Sync, http Post, response Bare<SuccessView>, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.storage.DeletePoolCmd"
}

impl SyncCommand for DeleteStoragePool {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("Unable to find pool by id {id}"));
        let pool = ctx.store.pool_by_id(id).await?.filter(|pool| !pool.removed).ok_or_else(unknown)?;
        ctx.estate.remove_pool(&pool).await?;
        Ok(Reply::success())
    }
}
