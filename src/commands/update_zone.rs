//! `updateZone` (recorded in `hyperv.json`; columns of `contract/entities.md 3.1`).

use super::audit::{Deed, watched};
use super::create_zone::{check_addresses, name_taken};
use super::estate_words::{allocation_state, said};
use super::{Ctx, InstanceType, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::{EntityKind, ZoneRef};
use crate::store::{ZoneChange, transact};
use crate::views::{self, ZoneView};

crate::command! {
    /// Changes a zone.
    pub struct UpdateZone {
        /// The zone.
        id: Id<ZoneRef>,
        /// `Enabled` or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// The first name server.
        dns1: Option<String>,
        /// The second name server.
        dns2: Option<String>,
        /// The first name server with an IPv6 address.
        ip6_dns1 "ip6dns1": Option<String>,
        /// The second name server with an IPv6 address.
        ip6_dns2 "ip6dns2": Option<String>,
        /// Suffix of names in its networks.
        domain: Option<String>,
        /// The network of guests.
        guest_cidr "guestcidraddress": Option<String> [java("guestCidrAddress")],
        /// The first name server of system machines.
        internal_dns1 "internaldns1": Option<String>,
        /// The second name server of system machines.
        internal_dns2 "internaldns2": Option<String>,
        /// Whether folders of hosts that are added from now on become pools.
        local_storage_enabled "localstorageenabled": Option<bool>,
        /// Its name; no other zone has it.
        name: Option<String> [java("zoneName")],
        /// Its place in lists.
        sort_key "sortkey": Option<i32>,
    }
    name "updateZone", kind Sync, http Post, response ZoneView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.zone.UpdateZoneCmd"
}

impl SyncCommand for UpdateZone {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.id.number();
        let uuid = ctx.public_id(EntityKind::Zone, id).await?;
        let deed = Deed::new("ZONE.EDIT", format!("editing zone. Zone ID: {uuid}"));
        watched(ctx, std::slice::from_ref(&deed), self.change(ctx, &deed).await).await?;
        let views = views::zones(&ctx.store, &ctx.caller, &[id]).await?;
        let failed = || ApiError::command_failed("Failed to update zone; internal error.");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl UpdateZone {
    async fn change(&self, ctx: &Ctx, deed: &Deed) -> Result<(), ApiError> {
        let id = self.id.number();
        let unknown = || ApiError::invalid_parameter(format!("unable to find zone by id {id}"));
        ctx.store.zone_by_id(id).await?.ok_or_else(unknown)?;
        let change = ZoneChange {
            name: said(self.name.as_ref()),
            name_servers: [
                said(self.dns1.as_ref()),
                said(self.dns2.as_ref()),
                said(self.internal_dns1.as_ref()),
                said(self.internal_dns2.as_ref()),
                said(self.ip6_dns1.as_ref()),
                said(self.ip6_dns2.as_ref()),
            ],
            guest_cidr: said(self.guest_cidr.as_ref()),
            network_domain: said(self.domain.as_ref()),
            allocation_state: match said(self.allocation_state.as_ref()) {
                Some(word) => Some(allocation_state(Some(&word), "Enabled")?),
                None => None,
            },
            local_storage: self.local_storage_enabled,
            sort_key: self.sort_key.map(i64::from),
        };
        check_addresses(&change.name_servers, change.guest_cidr.as_deref())?;
        transact!(ctx.store, ApiError, |tx| {
            tx.estate_hold().await?;
            if let Some(name) = &change.name
                && tx.zone_name_taken(name, id).await?
            {
                return Err(name_taken());
            }
            tx.zone_change(id, &change).await?;
            deed.done(tx, ctx, (InstanceType::Zone, id)).await?;
            Ok(())
        })?;
        Ok(())
    }
}
