//! `listVolumes` (`contract/entities.md 1.7`).

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::filters::{self, NowhereId};
use super::{Ctx, SyncCommand, long};
use crate::api::{ApiError, Id, OwnerScope, Page, Reply};
use crate::model::entity::{
    ClusterRef, DiskOfferingRef, EntityKind, HostRef, PodRef, ServiceOfferingRef, VmRef, VolumeRef, ZoneRef,
};
use crate::store::VolumeFilter;
use crate::views::{self, VolumeView};

crate::params! {
    /// Which disks are listed.
    pub struct VolumeChoice {
        /// Only this disk.
        id: Option<Id<VolumeRef>>,
        /// Only these disks. Not together with `id`.
        ids: Option<Vec<Id<VolumeRef>>> [since("4.9")],
        /// Only disks with exactly this name.
        name: Option<String> [java("volumeName")],
        /// Only disks in pools of this pod.
        pod_id "podid": Option<Id<PodRef>>,
        /// Has no effect, as in CloudStack.
        host_id "hostid": Option<Id<HostRef>>,
        /// Only disks in pools of this cluster. Root admins only.
        cluster_id "clusterid": Option<Id<ClusterRef>> [root_only(true)],
        /// Only disks whose type contains this: `ROOT` or `DATADISK`.
        kind "type": Option<String>,
        /// Only disks of this machine.
        virtual_machine_id "virtualmachineid": Option<Id<VmRef>>,
        /// Only disks in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only disks in this pool. Root admins only.
        storage_id "storageid": Option<String> [since("4.3"), root_only(true)],
        /// Only disks with the disk offering that belongs to this service offering.
        service_offering_id "serviceofferingid": Option<Id<ServiceOfferingRef>> [since("4.19.1")],
        /// Only disks with this disk offering.
        disk_offering_id "diskofferingid": Option<Id<DiskOfferingRef>> [since("4.4")],
        /// Only disks encrypted with this key. There are no keys here.
        kms_key_id "kmskeyid": Option<NowhereId> [since("4.23")],
        /// Only disks that ordinary users see, or do not see. Root admins only.
        display_volume "displayvolume": Option<bool> [since("4.4"), root_only(true)],
        /// Also disks of system machines. Root admins only.
        list_system_vms "listsystemvms": Option<bool> [since("4.18"), root_only(true)],
        /// Only disks in this state.
        state: Option<String>,
        /// Only encrypted disks, or only others. Root admins only.
        is_encrypted "isencrypted": Option<bool> [since("4.19.1"), root_only(true)],
        /// Only the number of disks.
        count_only "retrieveonlyresourcecount": Option<bool>,
        /// Whose disks.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
    }
}

crate::command! {
    /// Lists disks.
    pub struct ListVolumes {
        /// Which disks.
        choice: VolumeChoice,
    }
    name "listVolumes", kind Sync, http Get, response [VolumeView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.volume.ListVolumesCmd"
    admin "org.apache.cloudstack.api.command.admin.volume.ListVolumesCmdByAdmin"
}

impl SyncCommand for ListVolumes {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let (count, ids) = self.choice.looked_up(ctx).await?;
        let (store, caller) = (ctx.store.clone(), Arc::clone(&ctx.caller));
        long::list(count, ids, move |ids| {
            let (store, caller) = (store.clone(), Arc::clone(&caller));
            async move { views::volumes(&store, &caller, &ids).await }.boxed()
        })
        .await
    }
}

impl VolumeChoice {
    /// How many there are in all, and a page of them.
    ///
    /// # Errors
    /// 431 for parameters that are not accepted, 531 for owners who are none of the caller's.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<(i64, Vec<VolumeView>), ApiError> {
        let (count, ids) = self.looked_up(ctx).await?;
        Ok((count, views::volumes(&ctx.store, &ctx.caller, &ids).await?))
    }

    async fn looked_up(self, ctx: &Ctx) -> Result<(i64, Vec<i64>), ApiError> {
        let window = filters::window(&self.page, self.count_only);
        let asked = self.id.map(|id| id.number());
        let mut filter = self.filter(ctx).await?;
        let found = ctx.store.volumes_page(&filter, window).await?;
        let Some(asked) = asked.filter(|_| found.0 == 0) else { return Ok(found) };
        // A cold move that ended after the public id was looked up has given the disk another row, and it is not gone.
        let Some(now) = ctx.store.volume_since_copy(asked).await? else { return Ok(found) };
        filter.ids = Some(vec![now]);
        Ok(ctx.store.volumes_page(&filter, window).await?)
    }
}

impl VolumeChoice {
    async fn filter(self, ctx: &Ctx) -> Result<VolumeFilter, ApiError> {
        let mut filter = VolumeFilter {
            owners: filters::owners(ctx, &self.owner, self.id.is_some()).await?,
            ids: filters::ids(self.id, self.ids.as_deref())?,
            keyword: self.page.keyword,
            name: self.name,
            kind: self.kind,
            state: self.state,
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            vm_id: self.virtual_machine_id.map(|id| id.number()),
            disk_offering_id: self.disk_offering_id.map(|id| id.number()),
            service_offering_id: self.service_offering_id.map(|id| id.number()),
            hide_expunged: !ctx.caller.is_root_admin(),
            tags: filters::tags(self.owner.tags.as_ref()),
            ..VolumeFilter::default()
        };
        if ctx.caller.is_root_admin() {
            filter.cluster_id = self.cluster_id.map(|id| id.number());
            filter.displayed = self.display_volume;
            filter.encrypted = self.is_encrypted;
            filter.with_system = self.list_system_vms.unwrap_or_default();
            if let Some(uuid) = &self.storage_id {
                let found = ctx.store.internal_id(EntityKind::StoragePool, uuid).await?;
                let unknown = || ApiError::invalid_parameter(format!("Unable to find storage pool by uuid {uuid}"));
                filter.pool_id = Some(found.ok_or_else(unknown)?);
            }
        }
        Ok(filter)
    }
}
