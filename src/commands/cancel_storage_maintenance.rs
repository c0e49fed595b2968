//! `cancelStorageMaintenance` (`contract/migration.md` 1.1, 2.11, 7.2).

use super::enable_storage_maintenance::pool_node;
use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node};
use crate::evacuation;
use crate::model::entity::{EntityKind, StoragePoolRef};
use crate::views::StoragePoolView;

crate::command! {
    /// Takes a pool back into use, also while it is still being emptied. Disks that were moved away are not moved back.
    pub struct CancelStorageMaintenance {
        /// The pool.
        id: Id<StoragePoolRef>,
    }
    name "cancelStorageMaintenance", envelope "cancelprimarystoragemaintenanceresponse", kind Async, http Post, response StoragePoolView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.storage.CancelPrimaryStorageMaintenanceCmd"
}

impl AsyncCommand for CancelStorageMaintenance {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let uuid = ctx.public_id(EntityKind::StoragePool, self.id.number()).await?;
        Ok(EventDraft {
            event_type: "MAINT.CANCEL.PS",
            description: format!("Canceling maintenance mode for primary storage pool with ID: {uuid}"),
            owner_account_id: ctx.caller.account_id,
            resource: Some((InstanceType::StoragePool, self.id.number())),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::StoragePool, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("canceling maintenance for primary storage pool").await?;
        ctx.ctx.estate.is_ours()?;
        let (id, store) = (self.id.number(), &ctx.ctx.store);
        let unknown = || {
            ApiError::invalid_parameter(
                "Unable to obtain lock on the storage pool in cancelPrimaryStorageForMaintenance()",
            )
        };
        let pool = store.pool_by_id(id).await?.filter(|pool| !pool.removed).ok_or_else(unknown)?;
        if !evacuation::release_pool(store, &pool).await? {
            return Err(ApiError::command_failed(format!(
                "Resource [StoragePool:{id}] is unreachable: Primary storage {} is not ready to complete migration, as the status is:{}",
                pool.dump(),
                pool.status
            )));
        }
        pool_node(ctx, id).await
    }
}
