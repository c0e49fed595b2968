//! `createPod` (`contract/entities.md 2.2`).

use std::net::Ipv4Addr;

use super::audit::{Deed, watched};
use super::estate_words::{self, allocation_state, joined, said};
use super::{Ctx, InstanceType, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::estate::address::Network;
use crate::model::entity::ZoneRef;
use crate::store::{NewPod, Zone, transact};
use crate::views::{self, PodView};

crate::command! {
    /// Makes a pod: a part of a zone whose hosts share a management network.
    pub struct CreatePod {
        /// Its name; no other pod of the zone has it.
        name: String [java("podName")],
        /// Its zone.
        zone_id "zoneid": Id<ZoneRef>,
        /// The first address of the management network that may be given away.
        start_ip "startip": Option<String>,
        /// The last one; the first without it.
        end_ip "endip": Option<String>,
        /// The mask of the management network.
        netmask: Option<String>,
        /// The way out of the management network.
        gateway: Option<String>,
        /// `Enabled`, which it is without a word, or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// Access groups of its storage.
        storage_access_groups "storageaccessgroups": Option<Vec<String>> [since("4.21.0")],
    }
    name "createPod", kind Sync, http Post, response PodView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.pod.CreatePodCmd"
}

/// The management network of a pod.
struct Plan {
    gateway: String,
    network: Option<Network>,
    range: Option<(String, String)>,
}

impl SyncCommand for CreatePod {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let deed = Deed::new("POD.CREATE", "creating pod");
        let made = watched(ctx, std::slice::from_ref(&deed), self.make(ctx, &deed).await).await?;
        let views = views::pods(&ctx.store, &[made]).await?;
        let failed = || ApiError::command_failed("Failed to create pod");
        Ok(Reply::one(views.into_iter().next().ok_or_else(failed)?))
    }
}

impl CreatePod {
    async fn make(&self, ctx: &Ctx, deed: &Deed) -> Result<i64, ApiError> {
        let zone = estate_words::zone(ctx, self.zone_id.number(), "Please specify a valid zone.").await?;
        let plan = self.plan(&zone)?;
        let pod = NewPod {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: self.name.clone(),
            zone_id: zone.id,
            gateway: plan.gateway,
            cidr_address: plan.network.map(|network| network.first.to_string()).unwrap_or_default(),
            cidr_size: plan.network.map_or(0, |network| i64::from(network.bits)),
            range: plan.range,
            allocation_state: allocation_state(self.allocation_state.as_deref(), "Enabled")?,
            access_groups: joined(self.storage_access_groups.as_ref(), "storageaccessgroups")?,
        };
        let id = transact!(ctx.store, ApiError, |tx| {
            tx.estate_hold().await?;
            if tx.pod_name_taken(&pod.name, zone.id).await? {
                return Err(ApiError::invalid_parameter(format!(
                    "A pod with name: {} already exists in zone {}. Please specify a different pod name. ",
                    pod.name, zone.name
                )));
            }
            for (other, address, bits) in tx.pod_networks(zone.id).await? {
                let known = Network::parse(&format!("{address}/{bits}"));
                if let (Some(known), Some(own)) = (known, plan.network)
                    && known.overlaps(&own)
                {
                    return Err(ApiError::invalid_parameter(format!(
                        "The subnet of the pod you are adding conflicts with the subnet of the Pod: {other} in zone {}. Please \
                         specify a different gateway/netmask in which all the IPs are not in the pod's subnet",
                        zone.name
                    )));
                }
            }
            let id = tx.pod_insert(&pod).await?;
            deed.done(tx, ctx, (InstanceType::Pod, id)).await?;
            Ok(id)
        })?;
        Ok(id)
    }

    /// The management network, in the order of CloudStack's checks.
    fn plan(&self, zone: &Zone) -> Result<Plan, ApiError> {
        let refuse = |text: &str| Err(ApiError::invalid_parameter(text));
        let (gateway, netmask) = (said(self.gateway.as_ref()), said(self.netmask.as_ref()));
        let (start, end) = (said(self.start_ip.as_ref()), said(self.end_ip.as_ref()));
        if zone.edge {
            if gateway.is_some() || netmask.is_some() || start.is_some() || end.is_some() {
                return refuse("IP range parameters can not be specified for a pod in an edge zone");
            }
            return Ok(Plan { gateway: String::new(), network: None, range: None });
        }
        let gateway = gateway.unwrap_or_default();
        let Ok(way_out) = gateway.parse::<Ipv4Addr>() else {
            return refuse("The gateway is not a valid IP address.");
        };
        let Some(network) = netmask.as_deref().and_then(|netmask| Network::around(&gateway, netmask)) else {
            return Err(ApiError::invalid_parameter(format!("Please enter a valid CIDR for pod: {}", self.name)));
        };
        let Some(start) = start else { return Ok(Plan { gateway, network: Some(network), range: None }) };
        let Ok(first) = start.parse::<Ipv4Addr>() else {
            return refuse("The start address of the IP range is not a valid IP address.");
        };
        if !network.has(&start) {
            return refuse("The start address of the IP range is not in the CIDR subnet.");
        }
        let end = end.unwrap_or_else(|| start.clone());
        let Ok(last) = end.parse::<Ipv4Addr>() else {
            return refuse("The end address of the IP range is not a valid IP address.");
        };
        if !network.has(&end) {
            return refuse("The end address of the IP range is not in the CIDR subnet.");
        }
        if first > last {
            return refuse("The start IP address must have a lower value than the end IP address.");
        }
        if (first..=last).contains(&way_out) {
            return refuse("The gateway shouldn't overlap start/end IP addresses");
        }
        Ok(Plan { gateway, network: Some(network), range: Some((start, end)) })
    }
}
