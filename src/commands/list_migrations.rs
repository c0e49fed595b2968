//! `listMigrations`: what is being moved and was moved. CloudStack has no such list; its jobs forget.

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Page, Reply};
use crate::model::Timestamp;
use crate::model::entity::{HostRef, StoragePoolRef, VmRef, VolumeRef};
use crate::motion::{Kind, Outcome};
use crate::store::MotionFilter;
use crate::views::{self, MotionView};

crate::params! {
    /// What lists of migrations can be narrowed to.
    pub struct MotionScope {
        /// Only this migration.
        id: Option<String>,
        /// Only those of this job, also when the job is not known any more.
        job_id "jobid": Option<String>,
        /// Only those of this machine.
        vm_id "virtualmachineid": Option<Id<VmRef>>,
        /// Only those of this disk.
        volume_id "volumeid": Option<Id<VolumeRef>>,
        /// Only those from or to this host.
        host_id "hostid": Option<Id<HostRef>>,
        /// Only those from or to this pool.
        pool_id "storageid": Option<Id<StoragePoolRef>>,
        /// Only those of this kind: `live-volume`, `live-vm`, `live-vm-with-storage` or `cold-volume`.
        kind: Option<String>,
        /// Only those that ended so: `done`, `not-done`, `partly` or `unknown`.
        outcome: Option<String>,
        /// Only those that began on this day or second, or later.
        start_date "startdate": Option<Timestamp>,
        /// Only those that began on this day or second, or earlier.
        end_date "enddate": Option<Timestamp>,
    }
}

crate::command! {
    /// Lists migrations: those that go on and those that are over, with where every disk was found in the end.
    pub struct ListMigrations {
        /// Which migrations.
        scope: MotionScope,
        /// True for those that are over, false for those that go on.
        is_over "isover": Option<bool>,
        /// Page, and a word in the machine's name or the reason.
        page: Page,
    }
    name "listMigrations", kind Sync, http Get, response [MotionView],
    roles [Admin],
    java "org.stackmotion.api.command.ListMigrationsCmd"
}

impl SyncCommand for ListMigrations {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        filters::root_admins_only(ctx)?;
        let window = filters::window(&self.page, None);
        let filter = self.scope.filter(self.is_over, self.page.keyword)?;
        let (count, ids) = ctx.store.motions_page(&filter, window).await?;
        Ok(Reply::list(count, views::motions(&ctx.store, &ids).await?))
    }
}

impl MotionScope {
    /// The filter that says this.
    ///
    /// # Errors
    /// 431 for words that mean no kind or outcome.
    pub(super) fn filter(self, is_over: Option<bool>, keyword: Option<String>) -> Result<MotionFilter, ApiError> {
        Ok(MotionFilter {
            id: self.id,
            job: self.job_id,
            vm_id: self.vm_id.map(|id| id.number()),
            volume_id: self.volume_id.map(|id| id.number()),
            host_id: self.host_id.map(|id| id.number()),
            pool_id: self.pool_id.map(|id| id.number()),
            kind: filters::one_of("kind", self.kind, &Kind::ALL.map(Kind::word))?,
            outcome: filters::one_of("outcome", self.outcome, &Outcome::ALL.map(Outcome::word))?,
            is_over,
            from: self.start_date,
            until: self.end_date,
            keyword,
        })
    }
}
