//! `listDiskOfferings` (`contract/entities.md 1.8`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{DiskOfferingRef, DomainRef, VmRef, VolumeRef, ZoneRef};
use crate::model::{Pool, signed};
use crate::motion::tags_fit;
use crate::store::OfferingFilter;
use crate::views::{self, DiskOfferingView};

crate::command! {
    /// Lists disk offerings: what a disk may be like.
    pub struct ListDiskOfferings {
        /// Only this offering.
        id: Option<Id<DiskOfferingRef>>,
        /// Only offerings with exactly this name.
        name: Option<String> [java("diskOfferingName")],
        /// Only offerings for this zone, and those for all.
        zone_id "zoneid": Option<Id<ZoneRef>> [since("4.13")],
        /// Only offerings whose tags the pool of this disk has.
        volume_id "volumeid": Option<Id<VolumeRef>> [since("4.17")],
        /// Only offerings whose tags this pool has.
        storage_id "storageid": Option<String> [since("4.17")],
        /// Only encrypted offerings, or only others.
        encrypt: Option<bool> [since("4.18")],
        /// `local` or `shared`.
        storage_type "storagetype": Option<String> [since("4.19")],
        /// `Active`, which is meant without it, `Inactive` or `all`.
        state: Option<String> [since("4.19")],
        /// Say of each offering whether a disk for this machine can be like it.
        virtual_machine_id "virtualmachineid": Option<Id<VmRef>> [since("4.20.0")],
        /// Has no effect: offerings belong to nobody.
        list_all "listall": Option<bool>,
        /// Only offerings that are kept for this domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// Page and search word.
        page: Page,
    }
    name "listDiskOfferings", kind Sync, http Get, response [DiskOfferingView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.offering.ListDiskOfferingsCmd"
}

impl SyncCommand for ListDiskOfferings {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let pool = self.pool(ctx).await?;
        let reach = self.pools_of_machine(ctx).await?;
        let filter = self.filter(ctx).await?;
        if pool.is_none() && reach.is_none() {
            let (count, ids) = ctx.store.disk_offerings_page(&filter, filters::window(&self.page, None)).await?;
            return Ok(Reply::list(count, views::disk_offerings(&ctx.store, &ids).await?));
        }
        // Tags are a list in one column, which no index helps with; offerings are few.
        let mut found = ctx.store.disk_offerings_matching(&filter).await?;
        if let Some(pool) = &pool {
            found.retain(|offering| tags_fit(pool, offering));
        }
        let count = signed(found.len());
        let found = self.page.cut(found);
        let ids: Vec<i64> = found.iter().map(|offering| offering.id).collect();
        let mut views = views::disk_offerings(&ctx.store, &ids).await?;
        if let Some(pools) = &reach {
            for (view, offering) in views.iter_mut().zip(&found) {
                let suits = |pool: &Pool| pool.is_local() == offering.local && tags_fit(pool, offering);
                view.is_suitable = Some(pools.iter().any(suits));
            }
        }
        Ok(Reply::list(count, views))
    }
}

impl ListDiskOfferings {
    async fn filter(&self, ctx: &Ctx) -> Result<OfferingFilter, ApiError> {
        if let Some(id) = self.domain_id {
            filters::Domain::open(ctx, id.number()).await?;
        }
        Ok(OfferingFilter {
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword.clone(),
            name: self.name.clone(),
            state: filters::offering_state(self.state.clone()),
            local: self.storage_type.as_ref().map(|word| word.eq_ignore_ascii_case("local")),
            encrypted: self.encrypt,
            zone_id: self.zone_id.map(|id| id.number()),
            domain_id: self.domain_id.map(|id| id.number()),
            viewer: filters::viewer(&ctx.caller),
            system: false,
        })
    }

    /// The pool whose tags count: the one that is asked for, or that of the disk. The web interface sends an empty one
    /// before a pool is chosen.
    async fn pool(&self, ctx: &Ctx) -> Result<Option<Pool>, ApiError> {
        if let Some(uuid) = self.storage_id.as_deref().filter(|uuid| !uuid.is_empty() && *uuid != "undefined") {
            let found = ctx.store.pool_by_uuid(uuid).await?;
            let unknown = || ApiError::invalid_parameter(format!("Unable to find storage pool by uuid {uuid}"));
            return found.ok_or_else(unknown).map(Some);
        }
        let Some(id) = self.volume_id else { return Ok(None) };
        let Some(volume) = ctx.store.volume_by_id(id.number()).await? else { return Ok(None) };
        filters::may_look(ctx, volume.account_id, volume.domain_id).await?;
        // A disk that was never used is in no pool, so every offering may still do for it.
        match volume.pool_id {
            Some(pool_id) => Ok(ctx.store.pool_by_id(pool_id).await?),
            None => Ok(None),
        }
    }

    /// The pools that a new disk of the machine could be in: those of the host it runs or last ran on, or else those of its
    /// zone.
    async fn pools_of_machine(&self, ctx: &Ctx) -> Result<Option<Vec<Pool>>, ApiError> {
        let Some(id) = self.virtual_machine_id else { return Ok(None) };
        let Some(vm) = ctx.store.vm_by_id(id.number()).await? else { return Ok(Some(Vec::new())) };
        filters::may_look(ctx, vm.account_id, vm.domain_id).await?;
        let mut pools = match vm.host_id.or(vm.last_host_id) {
            Some(host_id) => ctx.store.pools_connected(host_id).await?,
            None => ctx.store.pools_of_zone(vm.zone_id).await?,
        };
        pools.retain(|pool| pool.status == "Up");
        Ok(Some(pools))
    }
}
