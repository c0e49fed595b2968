//! `queryAsyncJobResult`: how far a job is and what came of it (`contract/api-protocol.md 7.2, 7.3, 7.6`).

use std::sync::Arc;

use super::job_resource::ResourceType;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Bare, Id, Reply};
use crate::auth::AccountType;
use crate::model::entity::AsyncJobRef;
use crate::store::{JobRow, JobSight};
use crate::views::JobView;

crate::command! {
    /// Tells how far a background job is, and its result once it has ended.
    pub struct QueryAsyncJobResult {
        /// The job.
        job_id "jobid": Option<Id<AsyncJobRef>>,
        /// Instead of a job: the thing whose newest job is meant. Needs `resourcetype`.
        resource_id "resourceid": Option<String> [since("4.22.1"), like_id(true)],
        /// The kind of that thing, such as `Volume` or `VirtualMachine`.
        resource_type "resourcetype": Option<String> [since("4.22.1")],
    }
    name "queryAsyncJobResult", kind Sync, http Get, response Bare<JobView>,
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.job.QueryAsyncJobResultCmd"
}

impl SyncCommand for QueryAsyncJobResult {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let sight = self.find(ctx).await?;
        authorize(ctx, &sight.job)?;
        Ok(ctx.answers.reply(sight, &ctx.caller))
    }
}

impl QueryAsyncJobResult {
    async fn find(&self, ctx: &Ctx) -> Result<Arc<JobSight>, ApiError> {
        let found = match (self.job_id, &self.resource_type, &self.resource_id) {
            (Some(id), _, _) => ctx.store.job_sight(id.number()).await?,
            (None, None, None) => {
                return Err(ApiError::invalid_parameter(
                    "Expected parameter job id or parameters resource type and resource id",
                ));
            }
            (None, Some(word), Some(uuid)) => {
                let kind = ResourceType::parse(word)?;
                let number = kind.number(ctx, "queryasyncjobresult", uuid).await?;
                let number = number.ok_or_else(|| ApiError::invalid_parameter("Invalid resourceid"))?;
                match ctx.store.job_of_instance(kind.word, number).await? {
                    Some(job) => Some(ctx.store.sight_of(job).await?),
                    None => None,
                }
            }
            _ => return Err(ApiError::invalid_parameter("Both resourceid and resourcetype required")),
        };
        found.ok_or_else(|| {
            let printed = |text: &Option<String>| text.clone().unwrap_or_else(|| "null".to_owned());
            let id = self.job_id.map_or_else(|| "null".to_owned(), |id| id.number().to_string());
            ApiError::invalid_parameter(format!(
                "Unable to find a job by id {id} resource type {} resource id {}",
                printed(&self.resource_type),
                printed(&self.resource_id)
            ))
        })
    }
}

/// Who may see a job (`contract/api-protocol.md 7.6`): root admins and resource domain admins any, domain admins those of
/// their domain and below, others their account's.
pub(super) fn authorize(ctx: &Ctx, row: &JobRow) -> Result<(), ApiError> {
    let caller = &ctx.caller;
    match caller.account_type {
        AccountType::Admin | AccountType::ResourceDomainAdmin => Ok(()),
        AccountType::DomainAdmin if row.domain_path.starts_with(&caller.domain_path) => Ok(()),
        AccountType::DomainAdmin => {
            Err(ApiError::permission_denied("Caller does not have permission to operate with provided resource."))
        }
        _ if row.account_id == caller.account_id => Ok(()),
        _ => Err(ApiError::permission_denied(format!(
            "Account Account [{}] is not authorized to see job id={}",
            caller.account_dump(),
            row.id
        ))),
    }
}
