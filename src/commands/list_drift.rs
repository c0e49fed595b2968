//! `listDrift`: what database and hosts do not agree about. CloudStack has no such list.

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::drift::Kind;
use crate::model::entity::{HostRef, VmRef, VolumeRef};
use crate::store::DriftFilter;
use crate::views::{self, DriftView};

crate::command! {
    /// Lists what database and hosts do not agree about: machines on other hosts than the database says or running though it calls
    /// them stopped, disks in other folders or of other sizes. Nothing of it is corrected by itself; `resolveDrift` does.
    pub struct ListDrift {
        /// Only this finding.
        id: Option<String>,
        /// Only those of this kind: `vm-elsewhere`, `vm-missing`, `vm-running`, `disk-elsewhere`, `disk-missing` or `disk-size`.
        kind: Option<String>,
        /// Only those of this machine and its disks.
        vm_id "virtualmachineid": Option<Id<VmRef>>,
        /// Only those of this disk.
        volume_id "volumeid": Option<Id<VolumeRef>>,
        /// Only those that speak of this host.
        host_id "hostid": Option<Id<HostRef>>,
        /// True for those that are resolved, false for those that are open.
        resolved: Option<bool>,
        /// Page, and a word in what database or host said.
        page: Page,
    }
    name "listDrift", kind Sync, http Get, response [DriftView],
    roles [Admin],
    java "org.stackmotion.api.command.ListDriftCmd"
}

impl SyncCommand for ListDrift {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        filters::root_admins_only(ctx)?;
        let window = filters::window(&self.page, None);
        let words = Kind::ALL.map(Kind::word);
        if let Some(kind) = self.kind.as_deref().filter(|kind| !words.contains(kind)) {
            let text = format!("{kind} is no kind of drift: say one of {}", words.join(", "));
            return Err(ApiError::invalid_parameter(text));
        }
        let filter = DriftFilter {
            id: self.id,
            kind: self.kind,
            vm_id: self.vm_id.map(|id| id.number()),
            volume_id: self.volume_id.map(|id| id.number()),
            host_id: self.host_id.map(|id| id.number()),
            resolved: self.resolved,
            keyword: self.page.keyword,
        };
        let (count, ids) = ctx.store.drift_page(&filter, window).await?;
        Ok(Reply::list(count, views::drifts(&ctx.store, &ids).await?))
    }
}
