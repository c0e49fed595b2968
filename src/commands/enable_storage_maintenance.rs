//! `enableStorageMaintenance` (`contract/migration.md` 1.1, 2.11, 7.2).

use std::time::Duration;

use super::create_storage_pool::in_short;
use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node, Response};
use crate::evacuation;
use crate::model::entity::{EntityKind, StoragePoolRef};
use crate::model::{Pool, PoolState};
use crate::store::Store;
use crate::views::{self, StoragePoolView};

crate::command! {
    /// Empties a pool, so that it may be worked on: every disk of a machine that runs is moved to another pool. No machine is
    /// stopped. Disks that nothing runs from stay. The job ends when the pool is in maintenance.
    pub struct EnableStorageMaintenance {
        /// The pool.
        id: Id<StoragePoolRef>,
    }
    name "enableStorageMaintenance", envelope "prepareprimarystorageformaintenanceresponse", kind Async, http Post, response StoragePoolView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.storage.PreparePrimaryStorageForMaintenanceCmd"
}

/// Between two looks at how far it is.
const PAUSE: Duration = Duration::from_millis(500);

impl AsyncCommand for EnableStorageMaintenance {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let uuid = ctx.public_id(EntityKind::StoragePool, self.id.number()).await?;
        Ok(EventDraft {
            event_type: "MAINT.PREPARE.PS",
            description: format!("Preparing storage pool with ID: {uuid} for maintenance"),
            owner_account_id: ctx.caller.account_id,
            resource: Some((InstanceType::StoragePool, self.id.number())),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::StoragePool, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        let (id, store) = (self.id.number(), &ctx.ctx.store);
        let was_begun = ctx.begin("preparing storage pool for maintenance").await?;
        ctx.ctx.estate.is_ours()?;
        let pool = pool(store, id).await?;
        // An earlier life of the job may have asked for it already.
        let is_asked = was_begun && pool.status == PoolState::PrepareForMaintenance.as_str();
        if !is_asked {
            check(store, &pool).await?;
            if !evacuation::ask_pool(store, &pool).await? {
                return Err(not_ready(&pool));
            }
        }
        // It waits for moves, which are jobs and need places to run. What comes afterwards are a few reads.
        ctx.place.give();
        loop {
            let pool = self::pool(store, id).await?;
            match PoolState::parse(&pool.status) {
                Some(PoolState::Maintenance) => return pool_node(ctx, id).await,
                Some(PoolState::PrepareForMaintenance) => tokio::time::sleep(PAUSE).await,
                Some(PoolState::ErrorInMaintenance) => return Err(stuck(store, &pool).await?),
                _ => {
                    return Err(ApiError::command_failed(format!(
                        "The maintenance of storage pool {} was cancelled: its state is {}. What had been moved stays where it is now.",
                        pool.name, pool.status
                    )));
                }
            }
        }
    }
}

async fn pool(store: &Store, id: i64) -> Result<Pool, ApiError> {
    let unknown = || {
        ApiError::invalid_parameter(
            "Unable to obtain lock on the storage pool record in preparePrimaryStorageForMaintenance()",
        )
    };
    store.pool_by_id(id).await?.filter(|pool| !pool.removed).ok_or_else(unknown)
}

fn not_ready(pool: &Pool) -> ApiError {
    ApiError::invalid_parameter(format!(
        "Primary storage {} is not ready for migration, as the status is:{}",
        pool.dump(),
        pool.status
    ))
}

/// CloudStack's checks, in its order (`contract/migration.md` 2.11).
async fn check(store: &Store, pool: &Pool) -> Result<(), ApiError> {
    if !matches!(PoolState::parse(&pool.status), Some(PoolState::Up | PoolState::ErrorInMaintenance)) {
        return Err(not_ready(pool));
    }
    let others = store.pools_in_preparation().await?;
    if let Some(other) = others.iter().find(|other| other.id != pool.id && other.cluster_id == pool.cluster_id) {
        return Err(ApiError::command_failed(format!(
            "Only one storage pool in a cluster can be in PrepareForMaintenance mode, {} is already in  PrepareForMaintenance mode ",
            other.dump()
        )));
    }
    Ok(())
}

/// What could not be moved out of a pool.
async fn stuck(store: &Store, pool: &Pool) -> Result<ApiError, ApiError> {
    let names: Vec<String> = store.volumes_in_use(pool.id).await?.into_iter().map(|volume| volume.name).collect();
    Ok(ApiError::command_failed(format!(
        "Storage pool {} could not be emptied: {} could not be moved and is used on. The alert says why. Make room elsewhere and try \
         again, or call cancelStorageMaintenance.",
        pool.name,
        names.join(", ")
    )))
}

/// The pool as a job's result shows it.
pub(super) async fn pool_node(ctx: &JobCtx, id: i64) -> Result<Node, ApiError> {
    let views = views::storage_pools(&ctx.ctx.store, &ctx.ctx.caller, &[id]).await?;
    let gone = || ApiError::command_failed("The storage pool is gone");
    let mut view = views.into_iter().next().map(in_short).ok_or_else(gone)?;
    // Lists have them, these answers do not (`contract/corrections.md` 51).
    view.details = None;
    Ok(Node::wrap(StoragePoolView::SPEC.object, view.into_node()))
}
