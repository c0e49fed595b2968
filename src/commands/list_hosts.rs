//! `listHosts` (`contract/entities.md 1.4`).

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::filters;
use super::find_hosts_for_migration::root_admins_only;
use super::{Ctx, SyncCommand, long};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{ClusterRef, HostRef, ManagementServerRef, PodRef, VmRef, ZoneRef};
use crate::model::signed;
use crate::motion::candidates;
use crate::store::HostFilter;
use crate::views::{self, HOST_DETAILS, HostView, Words};

crate::params! {
    /// Which hosts are listed.
    pub struct HostChoice {
        /// Only hosts of this cluster.
        cluster_id "clusterid": Option<Id<ClusterRef>>,
        /// Only this host.
        id: Option<Id<HostRef>>,
        /// Only hosts with exactly this name.
        name: Option<String> [java("hostName")],
        /// Only hosts in this pod.
        pod_id "podid": Option<Id<PodRef>>,
        /// Only hosts in this state.
        state: Option<String>,
        /// Only hosts of this type; `Routing` hosts run machines.
        kind "type": Option<String>,
        /// Only hosts in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// The hosts that this machine could move to, each with whether it suits; all other filters count for nothing.
        virtual_machine_id "virtualmachineid": Option<Id<VmRef>>,
        /// Only hosts whose power can be switched, or only others. No host's can be here.
        out_of_band_management_enabled "outofbandmanagementenabled": Option<bool>,
        /// Only hosts whose power is `On`, `Off` or `Unknown`. It is of none here.
        out_of_band_management_power_state "outofbandmanagementpowerstate": Option<String>,
        /// Only hosts in this resource state.
        resource_state "resourcestate": Option<String>,
        /// Groups of fields to show, separated by commas: `all`, `capacity`, `core`, `events`, `stats`, `min`. All of them
        /// without it.
        details: Option<Vec<String>> [java("viewDetails")],
        /// Only hosts that are kept free for machines of failed hosts, or only others.
        ha_host "hahost": Option<bool>,
        /// Only hosts of this hypervisor.
        hypervisor: Option<String>,
        /// Only hosts that this server talks to.
        management_server_id "managementserverid": Option<Id<ManagementServerRef>> [since("4.21.0")],
        /// Only hosts with processors of this kind.
        arch: Option<String> [since("4.20.1")],
        /// Only hosts with this access group.
        storage_access_group "storageaccessgroup": Option<String> [since("4.21.0")],
        /// Only hosts managed by software of this version.
        version: Option<String> [since("4.20.3")],
        /// Page and search word.
        page: Page,
    }
}

crate::command! {
    /// Lists hosts.
    pub struct ListHosts {
        /// Which hosts.
        choice: HostChoice,
    }
    name "listHosts", kind Sync, http Get, response [HostView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.host.ListHostsCmd"
}

impl SyncCommand for ListHosts {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        if self.choice.virtual_machine_id.is_some() {
            let (count, views) = self.choice.found(ctx).await?;
            return Ok(Reply::list(count, views));
        }
        let details = Arc::new(self.choice.words()?);
        let (count, ids) = self.choice.looked_up(ctx).await?;
        let (store, caller) = (ctx.store.clone(), Arc::clone(&ctx.caller));
        long::list(count, ids, move |ids| {
            let (store, caller, details) = (store.clone(), Arc::clone(&caller), Arc::clone(&details));
            async move { views::hosts_with(&store, &caller, &ids, &details).await }.boxed()
        })
        .await
    }
}

/// The hosts that a machine could move to, each with whether it suits: how many, and a page.
async fn targets(ctx: &Ctx, vm_id: i64, page: &Page, details: &Words) -> Result<(i64, Vec<HostView>), ApiError> {
    root_admins_only(ctx)?;
    let found = candidates::hosts(&ctx.store, vm_id, None).await?;
    let count = signed(found.len());
    let found = page.cut(found);
    let ids: Vec<i64> = found.iter().map(|candidate| candidate.host.id).collect();
    let mut views = views::hosts_with(&ctx.store, &ctx.caller, &ids, details).await?;
    for (view, candidate) in views.iter_mut().zip(&found) {
        view.suitable_for_migration = Some(candidate.suitable);
    }
    Ok((count, views))
}

impl HostChoice {
    /// How many there are in all, and a page of them.
    ///
    /// # Errors
    /// 431 for parameters that are not accepted, 531 for owners who are none of the caller's.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<(i64, Vec<HostView>), ApiError> {
        let details = self.words()?;
        if let Some(vm_id) = self.virtual_machine_id {
            return targets(ctx, vm_id.number(), &self.page, &details).await;
        }
        let (count, ids) = self.looked_up(ctx).await?;
        Ok((count, views::hosts_with(&ctx.store, &ctx.caller, &ids, &details).await?))
    }

    /// The groups of fields to show.
    fn words(&self) -> Result<Words, ApiError> {
        Words::parse(self.details.as_deref(), HOST_DETAILS)
            .map_err(|error| ApiError::invalid_parameter(error.to_string()))
    }

    async fn looked_up(self, ctx: &Ctx) -> Result<(i64, Vec<i64>), ApiError> {
        let window = filters::window(&self.page, None);
        Ok(ctx.store.hosts_page(&self.filter(ctx).await?, window).await?)
    }
}

impl HostChoice {
    async fn filter(self, ctx: &Ctx) -> Result<HostFilter, ApiError> {
        let switched = self.out_of_band_management_enabled == Some(true)
            || self.out_of_band_management_power_state.is_some_and(|state| !state.is_empty());
        let ha_tag = match self.ha_host {
            Some(_) => ctx.store.settings_named(&["ha.tag"]).await?.remove("ha.tag"),
            None => None,
        };
        Ok(HostFilter {
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            name: self.name,
            state: self.state,
            kind: self.kind,
            resource_state: self.resource_state,
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            cluster_id: self.cluster_id.map(|id| id.number()),
            hypervisor: self.hypervisor,
            server_id: self.management_server_id.map(|id| id.number()),
            arch: self.arch,
            version: self.version,
            storage_access_group: self.storage_access_group,
            tag: self.ha_host.map(|wanted| (ha_tag.unwrap_or_default(), wanted)),
            nothing: switched,
        })
    }
}
