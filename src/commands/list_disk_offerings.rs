//! `listDiskOfferings` (`contract/entities.md 1.8`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{DiskOfferingRef, DomainRef, EntityKind, VmRef, VolumeRef, ZoneRef};
use crate::store::OfferingFilter;
use crate::views::{self, DiskOfferingView};

crate::command! {
    /// Lists disk offerings: what a disk may be like.
    pub struct ListDiskOfferings {
        /// Page and search word.
        page: Page,
        /// Only this offering.
        id: Option<Id<DiskOfferingRef>>,
        /// Only offerings with exactly this name.
        name: Option<String> [java("diskOfferingName")],
        /// Has no effect: offerings are not tied to zones here.
        zone_id "zoneid": Option<Id<ZoneRef>> [since("4.13")],
        /// Has no effect here.
        volume_id "volumeid": Option<Id<VolumeRef>> [since("4.17")],
        /// Only offerings whose tags this pool has.
        storage_id "storageid": Option<String> [since("4.17")],
        /// Only encrypted offerings, or only others.
        encrypt: Option<bool> [since("4.18")],
        /// `local` or `shared`.
        storage_type "storagetype": Option<String> [since("4.19")],
        /// `Active`, which is meant without it, `Inactive` or `all`.
        state: Option<String> [since("4.19")],
        /// Has no effect here.
        virtual_machine_id "virtualmachineid": Option<Id<VmRef>> [since("4.20.0")],
        /// Has no effect: everybody sees all offerings.
        list_all "listall": Option<bool>,
        /// Has no effect: offerings are not tied to domains here.
        domain_id "domainid": Option<Id<DomainRef>>,
    }
    name "listDiskOfferings", kind Sync, http Get, response [DiskOfferingView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.offering.ListDiskOfferingsCmd"
}

impl SyncCommand for ListDiskOfferings {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = OfferingFilter {
            tags_within: self.tags_of_pool(ctx).await?,
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            name: self.name,
            state: filters::offering_state(self.state),
            local: self.storage_type.map(|word| word.eq_ignore_ascii_case("local")),
            encrypted: self.encrypt,
            system: false,
        };
        let (count, ids) = ctx.store.disk_offerings_page(&filter, window).await?;
        Ok(Reply::list(count, views::disk_offerings(&ctx.store, &ids).await?))
    }
}

impl ListDiskOfferings {
    /// The tags of the pool that is asked for. The web interface sends an empty one before a pool is chosen.
    async fn tags_of_pool(&self, ctx: &Ctx) -> Result<Option<Vec<String>>, ApiError> {
        let Some(uuid) = self.storage_id.as_deref().filter(|uuid| !uuid.is_empty() && *uuid != "undefined") else {
            return Ok(None);
        };
        let found = ctx.store.internal_id(EntityKind::StoragePool, uuid).await?;
        let unknown = || ApiError::invalid_parameter(format!("Unable to find storage pool by uuid {uuid}"));
        let pool = found.ok_or_else(unknown)?;
        let mut tags = ctx.store.storage_pool_tags_of(&[pool]).await?;
        let rows = tags.remove(&pool).unwrap_or_default();
        Ok(Some(rows.iter().map(|row| row.get("tag")).collect::<Result<_, _>>()?))
    }
}
