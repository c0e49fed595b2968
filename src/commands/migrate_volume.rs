//! `migrateVolume` (`contract/migration.md` 1, 2.1).

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node, Response};
use crate::model::entity::{DiskOfferingRef, EntityKind, StoragePoolRef, VolumeRef};
use crate::motion::VolumeRequest;
use crate::views::{self, VolumeView};

crate::command! {
    /// Moves a volume to another primary storage pool: in place while a virtual machine runs on it, or by a copy.
    pub struct MigrateVolume {
        /// The volume to move.
        volume_id "volumeid": Id<VolumeRef>,
        /// The pool that receives it.
        storage_id "storageid": Id<StoragePoolRef>,
        /// Says that moving the volume under a running virtual machine is meant. Needed for that case only.
        live_migrate "livemigrate": Option<bool>,
        /// A disk offering that the volume gets with the move.
        new_disk_offering_id "newdiskofferingid": Option<Id<DiskOfferingRef>>,
    }
    name "migrateVolume", since "3.0.0", kind Async, http Post, response VolumeView, roles [Admin],
    java "org.apache.cloudstack.api.command.user.volume.MigrateVolumeCmd"
    admin "org.apache.cloudstack.api.command.admin.volume.MigrateVolumeCmdByAdmin"
}

impl AsyncCommand for MigrateVolume {
    const JOINS_EQUAL: bool = true;

    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let volume_id = self.volume_id.number();
        let volume = ctx.store.label(EntityKind::Volume, volume_id).await?;
        let pool = ctx.public_id(EntityKind::StoragePool, self.storage_id.number()).await?;
        let uuid = volume.as_ref().and_then(|volume| volume.uuid.clone());
        Ok(EventDraft {
            event_type: "VOLUME.MIGRATE",
            description: format!(
                "Attempting to migrate volume with ID: {} to storage pool: {pool}",
                uuid.unwrap_or_else(|| "null".to_owned())
            ),
            owner_account_id: volume.map_or(ctx.caller.account_id, |volume| volume.account_id),
            resource: Some((InstanceType::Volume, volume_id)),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::Volume, self.volume_id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("migrating volume").await?;
        let request = VolumeRequest {
            volume_id: self.volume_id.number(),
            pool_id: self.storage_id.number(),
            live: self.live_migrate == Some(true),
            new_offering_id: self.new_disk_offering_id.map(|id| id.number()),
        };
        let volume_id = ctx.ctx.motion.migrate_volume(ctx.job_id, &ctx.mover(), &request).await?;
        // What comes after the motion should not take room as long as that lasts.
        let views = Box::pin(views::volumes(&ctx.ctx.store, &ctx.ctx.caller, &[volume_id])).await?;
        let view = views.into_iter().next().ok_or_else(|| ApiError::command_failed("Failed to migrate volume"))?;
        Ok(Node::wrap(VolumeView::SPEC.object, view.into_node()))
    }
}
