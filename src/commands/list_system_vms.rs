//! `listSystemVms`: the dashboard counts them (`contract/entities.md 5.4`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::entity::{HostRef, PodRef, StoragePoolRef, VmRef, ZoneRef};
use crate::store::SystemMachineFilter;
use crate::views::{self, SystemVmView};

crate::command! {
    /// Lists machines that another control plane on the same database made for its own work. This gateway makes none.
    pub struct ListSystemVms {
        /// Only this machine.
        id: Option<Id<VmRef>>,
        /// Only the machine with exactly this name.
        name: Option<String>,
        /// Only machines on this host.
        host_id "hostid": Option<Id<HostRef>>,
        /// Only machines in this pod.
        pod_id "podid": Option<Id<PodRef>>,
        /// Only machines in this zone.
        zone_id "zoneid": Option<Id<ZoneRef>>,
        /// Only machines in this state.
        state: Option<String>,
        /// Only machines with a disk in this pool.
        storage_id "storageid": Option<Id<StoragePoolRef>> [since("3.0.1")],
        /// Only `consoleproxy` or only `secondarystoragevm`.
        kind "systemvmtype": Option<String>,
        /// Page and search word.
        page: Page,
    }
    name "listSystemVms", kind Sync, http Get, response [SystemVmView],
    roles [Admin, ResourceAdmin],
    java "org.apache.cloudstack.api.command.admin.systemvm.ListSystemVMsCmd"
}

/// The kinds of machines, as the table spells them.
const KINDS: [&str; 2] = ["ConsoleProxy", "SecondaryStorageVm"];

impl SyncCommand for ListSystemVms {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let wanted = self.kind.filter(|word| !word.is_empty());
        let kinds: Vec<_> = KINDS
            .into_iter()
            .filter(|kind| wanted.as_ref().is_none_or(|wanted| kind.eq_ignore_ascii_case(wanted)))
            .collect();
        if kinds.is_empty() {
            return Ok(Reply::list::<SystemVmView>(0, []));
        }
        let filter = SystemMachineFilter {
            kinds,
            id: self.id.map(|id| id.number()),
            name: self.name,
            keyword: self.page.keyword,
            state: self.state,
            zone_id: self.zone_id.map(|id| id.number()),
            pod_id: self.pod_id.map(|id| id.number()),
            host_id: self.host_id.map(|id| id.number()),
            pool_id: self.storage_id.map(|id| id.number()),
            ..SystemMachineFilter::default()
        };
        let (count, ids) = ctx.store.system_machines_page(&filter, window).await?;
        Ok(Reply::list(count, views::system_vms(&ctx.store, &ids).await?))
    }
}
