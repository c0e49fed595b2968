//! `listServiceOfferings` (`contract/entities.md 1.9`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{DomainRef, ServiceOfferingRef, VmRef, ZoneRef};
use crate::model::signed;
use crate::store::OfferingFilter;
use crate::views::{self, ServiceOfferingView};

crate::command! {
    /// Lists service offerings: what a machine may be like.
    pub struct ListServiceOfferings {
        /// Only this offering.
        id: Option<Id<ServiceOfferingRef>>,
        /// Only offerings with exactly this name.
        name: Option<String> [java("serviceOfferingName")],
        /// Only offerings that this machine may change to.
        virtual_machine_id "virtualmachineid": Option<Id<VmRef>>,
        /// Only offerings for system machines. Root admins only.
        is_system "issystem": Option<bool>,
        /// Only offerings for this zone, and those for all.
        zone_id "zoneid": Option<Id<ZoneRef>> [since("4.13")],
        /// `Active`, which is meant without it, `Inactive` or `all`.
        state: Option<String> [since("4.19")],
        /// Has no effect: offerings belong to nobody.
        list_all "listall": Option<bool>,
        /// Only offerings that are kept for this domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// Page and search word.
        page: Page,
    }
    name "listServiceOfferings", kind Sync, http Get, response [ServiceOfferingView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.offering.ListServiceOfferingsCmd"
}

impl SyncCommand for ListServiceOfferings {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        if let Some(id) = self.domain_id {
            filters::Domain::open(ctx, id.number()).await?;
        }
        let filter = OfferingFilter {
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword.clone(),
            name: self.name,
            state: filters::offering_state(self.state),
            system: self.is_system.unwrap_or_default() && ctx.caller.is_root_admin(),
            zone_id: self.zone_id.map(|id| id.number()),
            domain_id: self.domain_id.map(|id| id.number()),
            viewer: filters::viewer(&ctx.caller),
            ..OfferingFilter::default()
        };
        let (count, ids) = match self.virtual_machine_id {
            None => ctx.store.service_offerings_page(&filter, window).await?,
            Some(id) => {
                let all = offerings_for(ctx, id, &filter).await?;
                (signed(all.len()), self.page.cut(all))
            }
        };
        Ok(Reply::list(count, views::service_offerings(&ctx.store, &ids).await?))
    }
}

/// What a machine may change to. Offerings are few, so pages are cut here.
async fn offerings_for(ctx: &Ctx, id: Id<VmRef>, filter: &OfferingFilter) -> Result<Vec<i64>, ApiError> {
    let unknown = || ApiError::invalid_parameter(format!("unable to find a virtual machine with id {}", id.number()));
    let vm = ctx.store.vm_by_id(id.number()).await?.filter(|vm| !vm.removed).ok_or_else(unknown)?;
    filters::may_look(ctx, vm.account_id, vm.domain_id).await?;
    let disks = ctx.store.volumes_of_vm(vm.id).await?;
    let root = disks.into_iter().find(|disk| disk.kind == "ROOT");
    let pool = match root.and_then(|disk| disk.pool_id) {
        Some(pool_id) => ctx.store.pool_by_id(pool_id).await?,
        None => None,
    };
    Ok(ctx.store.service_offerings_for(filter, &vm, pool.is_some_and(|pool| pool.is_local())).await?)
}
