//! `createZone` (`contract/entities.md 2.1`).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::audit::{Deed, watched};
use super::estate_words::{allocation_state, joined, said};
use super::filters::Domain;
use super::{Ctx, InstanceType, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::estate::address::Network;
use crate::model::entity::DomainRef;
use crate::store::{NewZone, transact};
use crate::views::{self, ZoneView};

crate::command! {
    /// Makes a zone. It is switched off until `allocationstate` says otherwise.
    pub struct CreateZone {
        /// The first name server.
        dns1: String,
        /// The second name server.
        dns2: Option<String>,
        /// The first name server with an IPv6 address.
        ip6_dns1 "ip6dns1": Option<String>,
        /// The second name server with an IPv6 address.
        ip6_dns2 "ip6dns2": Option<String>,
        /// The network of guests in an Advanced zone, such as `10.1.1.0/24`.
        guest_cidr "guestcidraddress": Option<String> [java("guestCidrAddress")],
        /// The first name server of system machines.
        internal_dns1 "internaldns1": String,
        /// The second name server of system machines.
        internal_dns2 "internaldns2": Option<String>,
        /// Its name; no other zone has it.
        name: String [java("zoneName")],
        /// Suffix of names in its networks.
        domain: Option<String>,
        /// The domain that it is kept for.
        domain_id "domainid": Option<Id<DomainRef>>,
        /// `Basic` or `Advanced`.
        network_type "networktype": String,
        /// `Enabled` or `Disabled`, which it is without a word.
        allocation_state "allocationstate": Option<String>,
        /// Whether its networks have security groups. A Basic zone's always do.
        security_group_enabled "securitygroupenabled": Option<bool>,
        /// Whether folders of hosts become pools.
        local_storage_enabled "localstorageenabled": Option<bool>,
        /// Whether it is an edge zone. Only Advanced ones are.
        is_edge "isedge": Option<bool> [since("4.18.0")],
        /// Access groups of its storage.
        storage_access_groups "storageaccessgroups": Option<Vec<String>> [since("4.21.0")],
    }
    name "createZone", kind Sync, http Post, response ZoneView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.zone.CreateZoneCmd"
}

impl SyncCommand for CreateZone {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let deed = Deed::new("ZONE.CREATE", format!("creating zone. Zone Name: {}", self.name));
        let made = watched(ctx, std::slice::from_ref(&deed), self.make(ctx, &deed).await).await?;
        let views = views::zones(&ctx.store, &ctx.caller, &[made]).await?;
        let failed = || ApiError::command_failed("Failed to create a zone");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl CreateZone {
    async fn make(&self, ctx: &Ctx, deed: &Deed) -> Result<i64, ApiError> {
        let zone = self.checked(ctx).await?;
        let id = transact!(ctx.store, ApiError, |tx| {
            tx.estate_hold().await?;
            if tx.zone_name_taken(&zone.name, 0).await? {
                return Err(name_taken());
            }
            let id = tx.zone_insert(&zone).await?;
            deed.done(tx, ctx, (InstanceType::Zone, id)).await?;
            Ok(id)
        })?;
        Ok(id)
    }

    /// The zone, in the order of CloudStack's checks.
    async fn checked(&self, ctx: &Ctx) -> Result<NewZone, ApiError> {
        let invalid = |text: &str| ApiError::invalid_parameter(text);
        let known = ["Basic", "Advanced"].into_iter().find(|known| known.eq_ignore_ascii_case(&self.network_type));
        let network_type =
            known.ok_or_else(|| invalid("Invalid zone type; only Advanced and Basic values are supported"))?;
        let basic = network_type == "Basic";
        let guest_cidr = said(self.guest_cidr.as_ref());
        if basic && guest_cidr.is_some() {
            return Err(invalid("guestCidrAddress parameter is not supported for Basic zone"));
        }
        let edge = self.is_edge == Some(true);
        if basic && edge {
            return Err(invalid("Only advanced network type zones can be edge zones"));
        }
        let domain_id = match self.domain_id {
            Some(id) => {
                Some(Domain::read(ctx, id.number()).await.map_err(|_| invalid("Please specify a valid domain id"))?.id)
            }
            None => None,
        };
        let name_servers = [
            Some(self.dns1.clone()),
            said(self.dns2.as_ref()),
            Some(self.internal_dns1.clone()),
            said(self.internal_dns2.as_ref()),
            said(self.ip6_dns1.as_ref()),
            said(self.ip6_dns2.as_ref()),
        ];
        check_addresses(&name_servers, guest_cidr.as_deref())?;
        Ok(NewZone {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: self.name.clone(),
            name_servers,
            guest_cidr,
            network_domain: said(self.domain.as_ref()),
            domain_id,
            network_type,
            allocation_state: allocation_state(self.allocation_state.as_deref(), "Disabled")?,
            security_groups: basic || (self.security_group_enabled == Some(true) && !edge),
            local_storage: self.local_storage_enabled == Some(true),
            edge,
            access_groups: joined(self.storage_access_groups.as_ref(), "storageaccessgroups")?,
        })
    }
}

/// 431: another zone has the name.
pub(super) fn name_taken() -> ApiError {
    ApiError::invalid_parameter("A zone with that name already exists. Please specify a unique zone name.")
}

/// Checks name servers, in the order of [`NewZone::name_servers`], and the network of guests.
///
/// # Errors
/// 431 for the first that is no address.
pub(super) fn check_addresses(servers: &[Option<String>; 6], guest_cidr: Option<&str>) -> Result<(), ApiError> {
    let ipv4 = |text: &str| text.parse::<Ipv4Addr>().is_ok();
    for (at, what) in [(0, "DNS1"), (1, "DNS2"), (2, "internal DNS1"), (3, "internal DNS2")] {
        if servers[at].as_deref().is_some_and(|server| !ipv4(server)) {
            return Err(ApiError::invalid_parameter(format!("Please enter a valid IP address for {what}")));
        }
    }
    for (at, what) in [(4, "IP6 DNS1"), (5, "IP6 DNS2")] {
        if servers[at].as_deref().is_some_and(|server| server.parse::<Ipv6Addr>().is_err()) {
            return Err(ApiError::invalid_parameter(format!("Please enter a valid IPv6 address for {what}")));
        }
    }
    if guest_cidr.is_some_and(|text| Network::parse(text).is_none()) {
        return Err(ApiError::invalid_parameter("Please enter a valid guest cidr"));
    }
    Ok(())
}
