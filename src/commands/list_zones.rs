//! `listZones` (`contract/entities.md 1.1`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply, Rows};
use crate::model::entity::{DomainRef, ZoneRef};
use crate::store::ZoneFilter;
use crate::views::{self, ZoneView};

crate::params! {
    /// Which zones are listed.
    pub struct ZoneChoice {
        /// Only this zone.
        id: Option<Id<ZoneRef>>,
        /// Only these zones. Not together with `id`.
        ids: Option<Vec<Id<ZoneRef>>> [since("4.19.0")],
        /// `false` for only those zones where the caller has a router.
        available: Option<bool>,
        /// Only zones that are open to this domain.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// Only zones with exactly this name.
        name: Option<String>,
        /// Only zones of this kind: `Basic` or `Advanced`.
        network_type "networktype": Option<String>,
        /// Also how much is left. Has no effect here.
        show_capacities "showcapacities": Option<bool>,
        /// Only zones with one of these tags, as `tags[0].key=...` and `tags[0].value=...`.
        tags: Option<Rows> [since("4.3")],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool>,
        /// Only zones with this access group.
        storage_access_group "storageaccessgroup": Option<String> [since("4.21.0")],
        /// Page and search word.
        page: Page,
    }
}

crate::command! {
    /// Lists zones.
    pub struct ListZones {
        /// Which zones.
        choice: ZoneChoice,
    }
    name "listZones", kind Sync, http Get, response [ZoneView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.zone.ListZonesCmd"
    admin "org.apache.cloudstack.api.command.admin.zone.ListZonesCmdByAdmin"
}

impl SyncCommand for ListZones {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let (count, views) = self.choice.found(ctx).await?;
        Ok(Reply::list(count, views))
    }
}

impl ZoneChoice {
    /// How many there are in all, and a page of them.
    ///
    /// # Errors
    /// 431 for parameters that are not accepted, 531 for owners who are none of the caller's.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<(i64, Vec<ZoneView>), ApiError> {
        let caller = &ctx.caller;
        let window = filters::window(&self.page, None);
        let ids = filters::ids(self.id, self.ids.as_deref())?;
        let mut filter = ZoneFilter {
            network_type: self.network_type,
            domain_id: self.domain_id.map(|id| id.number()),
            storage_access_group: self.storage_access_group,
            tags: filters::tags(self.tags.as_ref()),
            ..ZoneFilter::default()
        };
        // The id counts before the name, and the name before the word. Zones that are off or kept for others can only be
        // found by one of the two.
        if ids.is_some() {
            filter.ids = ids;
        } else if self.name.is_some() {
            filter.name = self.name;
        } else {
            filter.keyword = self.page.keyword;
            filter.router_of = (self.available == Some(false)).then_some(caller.account_id);
            if !caller.is_root_admin() {
                filter.enabled_only = true;
                filter.visible_from = Some(caller.domain_path.clone());
            }
        }
        let (count, ids) = ctx.store.zones_page(&filter, window).await?;
        Ok((count, views::zones(&ctx.store, caller, &ids).await?))
    }
}
