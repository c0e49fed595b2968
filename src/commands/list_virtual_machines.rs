//! `listVirtualMachines` (`contract/entities.md 1.6`).

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::filters::{self, NowhereId};
use super::{Ctx, SyncCommand, long};
use crate::api::{ApiError, Id, OwnerScope, Page, Reply};
use crate::auth::Caller;
use crate::model::entity::{
    AffinityGroupRef, ClusterRef, HostRef, NetworkRef, PodRef, ServiceOfferingRef, StoragePoolRef, TemplateRef,
    UserRef, VmRef, ZoneRef,
};
use crate::store::{Store, StoreError, VirtualMachineFilter};
use crate::views::{self, VIRTUAL_MACHINE_DETAILS, VirtualMachineView, Words};

crate::params! {
    /// Which machines are listed.
    pub struct MachineChoice {
        /// Only this machine.
        id: Option<Id<VmRef>>,
        /// Only these machines. Not together with `id`.
        ids: Option<Vec<Id<VmRef>>> [since("4.4")],
        /// Only machines with exactly this name.
        name: Option<String>,
        /// Only machines in this state; `Present` means all that are neither destroyed nor being expunged.
        state: Option<String>,
        /// Only machines in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only machines in this pod. Root admins only.
        pod_id "podid": Option<Id<PodRef>> [root_only(true)],
        /// Only machines on hosts of this cluster. Root admins only.
        cluster_id "clusterid": Option<Id<ClusterRef>> [since("4.16.0"), root_only(true)],
        /// Only machines on this host. Root admins only.
        host_id "hostid": Option<Id<HostRef>> [root_only(true)],
        /// Only machines with a disk in this pool. Root admins only.
        storage_id "storageid": Option<Id<StoragePoolRef>> [root_only(true)],
        /// Only machines of this group. There are no groups here.
        group_id "groupid": Option<NowhereId>,
        /// Only machines that use virtual networks. Has no effect.
        for_virtual_network "forvirtualnetwork": Option<bool>,
        /// Only machines in this network.
        network_id "networkid": Option<Id<NetworkRef>>,
        /// Only machines of this hypervisor.
        hypervisor: Option<String>,
        /// Groups of fields to show, separated by commas: `all`, `group`, `nics`, `stats`, `secgrp`, `tmpl`, `servoff`,
        /// `diskoff`, `backoff`, `iso`, `volume`, `min`, `affgrp`, `vnfnics`. All of them without it.
        details: Option<Vec<String>> [java("viewDetails")],
        /// Only machines made from this template.
        template_id "templateid": Option<Id<TemplateRef>>,
        /// Only machines with this image in their drive.
        iso_id "isoid": Option<Id<TemplateRef>>,
        /// Only machines in this VPC. There are none here.
        vpc_id "vpcid": Option<NowhereId>,
        /// Only machines of this affinity group.
        affinity_group_id "affinitygroupid": Option<Id<AffinityGroupRef>>,
        /// Only machines made with this key.
        key_pair "keypair": Option<String>,
        /// Only machines with this service offering.
        service_offering_id "serviceofferingid": Option<Id<ServiceOfferingRef>> [since("4.4")],
        /// Only machines that are backed up this way. None is here.
        backup_offering_id "backupofferingid": Option<NowhereId> [since("4.17")],
        /// Only machines that ordinary users see, or do not see. Root admins only.
        display_vm "displayvm": Option<bool> [since("4.4"), root_only(true)],
        /// Only machines made by this user.
        user_id "userid": Option<Id<UserRef>>,
        /// Only machines of this security group. There are none here.
        security_group_id "securitygroupid": Option<NowhereId> [since("4.15")],
        /// Only machines that are started again after failures, or only others.
        ha_enabled "haenable": Option<bool> [since("4.15")],
        /// Only machines of this group of growing size. There are none here.
        autoscale_group_id "autoscalevmgroupid": Option<NowhereId> [since("4.18.0")],
        /// Also pictures. There are none here.
        show_icon "showicon": Option<bool> [since("4.16.0.0")],
        /// Sums of statistics. None are kept here.
        accumulate: Option<bool> [since("4.17.0")],
        /// Also what machines were told at their first start.
        user_data "userdata": Option<bool> [since("4.18.0.0")],
        /// Only machines that were told this registered text. There are none here.
        user_data_id "userdataid": Option<NowhereId> [since("4.20.1")],
        /// Only machines for processors of this kind.
        arch: Option<String> [since("4.20.1")],
        /// Only leased machines. None is here.
        leased: Option<bool> [since("4.21.0")],
        /// Only machines with graphics cards. None has one here.
        gpu_enabled "gpuenabled": Option<bool> [since("4.21.0")],
        /// Only machines of this extension. There are none here.
        extension_id "extensionid": Option<NowhereId> [since("4.21.0")],
        /// Only appliances, or only others.
        is_vnf "isvnf": Option<bool> [since("4.19.0")],
        /// Only the number of machines.
        count_only "retrieveonlyresourcecount": Option<bool>,
        /// Whose machines.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
    }
}

crate::command! {
    /// Lists machines of users.
    pub struct ListVirtualMachines {
        /// Which machines.
        choice: MachineChoice,
    }
    name "listVirtualMachines", kind Sync, http Get, response [VirtualMachineView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.vm.ListVMsCmd"
    admin "org.apache.cloudstack.api.command.admin.vm.ListVMsCmdByAdmin"
}

impl SyncCommand for ListVirtualMachines {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let found = self.choice.looked_up(ctx).await?;
        let (store, caller) = (ctx.store.clone(), Arc::clone(&ctx.caller));
        let (details, with_user_data) = (Arc::new(found.details), found.with_user_data);
        long::list(found.count, found.ids, move |ids| {
            let (store, caller, details) = (store.clone(), Arc::clone(&caller), Arc::clone(&details));
            async move { machines(&store, &caller, &ids, (&details, with_user_data)).await }.boxed()
        })
        .await
    }
}

/// What a choice comes to.
struct Found {
    count: i64,
    ids: Vec<i64>,
    details: Words,
    with_user_data: bool,
}

/// What is shown of machines: which groups of fields, and whether with what they were told at their start.
async fn machines(
    store: &Store,
    caller: &Caller,
    ids: &[i64],
    (details, with_user_data): (&Words, bool),
) -> Result<Vec<VirtualMachineView>, StoreError> {
    let mut machines = views::virtual_machines_with(store, caller, ids, details).await?;
    if !with_user_data {
        machines.iter_mut().for_each(|machine| machine.user_data = None);
    }
    Ok(machines)
}

impl MachineChoice {
    /// How many there are in all, and a page of them.
    ///
    /// # Errors
    /// 431 for parameters that are not accepted, 531 for owners who are none of the caller's.
    pub(super) async fn found(self, ctx: &Ctx) -> Result<(i64, Vec<VirtualMachineView>), ApiError> {
        let found = self.looked_up(ctx).await?;
        let shown = (&found.details, found.with_user_data);
        Ok((found.count, machines(&ctx.store, &ctx.caller, &found.ids, shown).await?))
    }

    async fn looked_up(self, ctx: &Ctx) -> Result<Found, ApiError> {
        let details = Words::parse(self.details.as_deref(), VIRTUAL_MACHINE_DETAILS)
            .map_err(|error| ApiError::invalid_parameter(error.to_string()))?;
        let window = filters::window(&self.page, self.count_only);
        let with_user_data = self.user_data.unwrap_or_default();
        let filter = self.filter(ctx).await?;
        let (count, ids) = ctx.store.virtual_machines_page(&filter, window).await?;
        Ok(Found { count, ids, details, with_user_data })
    }
}

/// The setting that lets ordinary users see their destroyed machines.
const SHOW_DESTROYED: &str = "allow.user.view.destroyed.vm";

impl MachineChoice {
    async fn filter(self, ctx: &Ctx) -> Result<VirtualMachineFilter, ApiError> {
        let hypervisor = match &self.hypervisor {
            Some(word) => Some(
                filters::hypervisor(word)
                    .ok_or_else(|| ApiError::invalid_parameter(format!("Invalid HypervisorType {word}")))?,
            ),
            None => None,
        };
        let is_root = ctx.caller.is_root_admin();
        let is_admin = is_root || ctx.caller.is_domain_admin();
        let shown = async || -> Result<bool, ApiError> {
            let settings = ctx.store.settings(&[SHOW_DESTROYED]).await?;
            Ok(settings.get(SHOW_DESTROYED).is_some_and(|value| value.trim().eq_ignore_ascii_case("true")))
        };
        let mut filter = VirtualMachineFilter {
            owners: filters::owners(ctx, &self.owner, self.id.is_some()).await?,
            ids: filters::ids(self.id, self.ids.as_deref())?,
            keyword: self.page.keyword,
            keyword_in_instance_name: is_root,
            name: self.name,
            state: self.state,
            zone_id: self.zone_id.map(|id| id.number()),
            network_id: self.network_id.map(|id| id.number()),
            hypervisor: hypervisor.map(str::to_owned),
            template_id: self.template_id.map(|id| id.number()),
            iso_id: self.iso_id.map(|id| id.number()),
            service_offering_id: self.service_offering_id.map(|id| id.number()),
            affinity_group_id: self.affinity_group_id.map(|id| id.number()),
            user_id: self.user_id.map(|id| id.number()),
            ha_enabled: self.ha_enabled,
            arch: self.arch,
            hide_destroyed: !is_admin && !shown().await?,
            appliances: self.is_vnf,
            // No machine here has a key, a lease or a graphics card.
            nothing: self.key_pair.is_some() || self.leased == Some(true) || self.gpu_enabled == Some(true),
            tags: filters::tags(self.owner.tags.as_ref()),
            ..VirtualMachineFilter::default()
        };
        if is_root {
            filter.pod_id = self.pod_id.map(|id| id.number());
            filter.cluster_id = self.cluster_id.map(|id| id.number());
            filter.host_id = self.host_id.map(|id| id.number());
            filter.pool_id = self.storage_id.map(|id| id.number());
            filter.displayed = self.display_vm;
        }
        Ok(filter)
    }
}
