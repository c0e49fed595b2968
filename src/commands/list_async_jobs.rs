//! `listAsyncJobs`: the jobs that have not ended (`contract/api-protocol.md 7.5`).

use super::filters;
use super::job_resource::ResourceType;
use super::{Ctx, SyncCommand};
use crate::api::{AccountScope, ApiError, Id, Page, Reply};
use crate::model::Timestamp;
use crate::model::entity::ManagementServerRef;
use crate::store::JobFilter;
use crate::views::{self, JobView};

crate::command! {
    /// Lists background jobs that have not ended.
    pub struct ListAsyncJobs {
        /// Only jobs accepted at this time or later.
        start_date "startdate": Option<Timestamp>,
        /// Only jobs that this server runs.
        management_server_id "managementserverid": Option<Id<ManagementServerRef>> [since("4.19")],
        /// Only jobs about this thing. Needs `resourcetype`.
        resource_id "resourceid": Option<String> [since("4.22.1"), like_id(true)],
        /// Only jobs about things of this kind, such as `Volume` or `VirtualMachine`.
        resource_type "resourcetype": Option<String> [since("4.22.1")],
        /// Whose jobs.
        owner: AccountScope,
        /// Page and search word.
        page: Page,
    }
    name "listAsyncJobs", kind Sync, http Get, response [JobView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.job.ListAsyncJobsCmd"
}

impl SyncCommand for ListAsyncJobs {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = self.filter(ctx).await?;
        let (count, rows) = ctx.store.jobs_list(&filter, window.limit.unwrap_or(i64::MAX), window.offset).await?;
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let motions = ctx.store.motions_of_jobs(&ids).await?;
        let jobs = rows.into_iter().map(|row| {
            let motion = motions.get(&row.id);
            views::job(row, motion, &ctx.caller)
        });
        Ok(Reply::list(count, jobs))
    }
}

impl ListAsyncJobs {
    async fn filter(self, ctx: &Ctx) -> Result<JobFilter, ApiError> {
        let instance = self.instance(ctx).await?;
        let (account_id, domain) = filters::account_scope(ctx, self.owner).await?;
        let server_id = match self.management_server_id {
            Some(id) => Some(ctx.store.server_number(id.number()).await?.unwrap_or_default()),
            None => None,
        };
        Ok(JobFilter { account_id, domain, since: self.start_date, keyword: self.page.keyword, instance, server_id })
    }

    async fn instance(&self, ctx: &Ctx) -> Result<Option<(String, Option<i64>)>, ApiError> {
        match (&self.resource_type, &self.resource_id) {
            (None, None) => Ok(None),
            (None, Some(_)) => {
                Err(ApiError::invalid_parameter("resourceid parameter must be used with resourcetype parameter"))
            }
            (Some(word), None) => Ok(Some((ResourceType::parse(word)?.word.to_owned(), None))),
            (Some(word), Some(uuid)) => {
                let kind = ResourceType::parse(word)?;
                // A thing that never was has no jobs; no row has the number 0.
                let number = kind.number(ctx, "listasyncjobs", uuid).await?.unwrap_or_default();
                Ok(Some((kind.word.to_owned(), Some(number))))
            }
        }
    }
}
