//! `listEvents` (`contract/entities.md 1.17`).

use super::filters;
use super::job_resource::ResourceType;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, OwnerScope, Page, Reply};
use crate::model::Timestamp;
use crate::model::entity::EventRef;
use crate::store::EventFilter;
use crate::views::{self, EventView};

crate::command! {
    /// Lists events: what was done, by whom, and how it ended.
    pub struct ListEvents {
        /// Only this event.
        id: Option<Id<EventRef>>,
        /// Has no effect without `entrytime`, as in CloudStack.
        duration: Option<i32>,
        /// Not after this day or second.
        end_date "enddate": Option<Timestamp>,
        /// Has no effect here.
        entry_time "entrytime": Option<i32>,
        /// Only events of this level: `INFO`, `WARN` or `ERROR`.
        level: Option<String>,
        /// Not before this day or second.
        start_date "startdate": Option<Timestamp>,
        /// Only events of exactly this type.
        kind "type": Option<String>,
        /// The event that began a chain, and those that followed it.
        start_id "startid": Option<Id<EventRef>>,
        /// Only events about the thing with this id. Needs `resourcetype`.
        resource_id "resourceid": Option<String> [since("4.17.0")],
        /// Only events about things of this kind, such as `VirtualMachine` or `Volume`.
        resource_type "resourcetype": Option<String> [since("4.17.0")],
        /// Only those that were put away.
        archived: Option<bool> [since("4.19.0")],
        /// Only events in this state: `Scheduled`, `Started` or `Completed`.
        state: Option<String> [since("4.21.0")],
        /// Whose events.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
    }
    name "listEvents", kind Sync, http Get, response [EventView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.event.ListEventsCmd"
}

impl SyncCommand for ListEvents {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let filter = self.filter(ctx).await?;
        let (count, ids) = ctx.store.events_page(&filter, window).await?;
        Ok(Reply::list(count, views::events(&ctx.store, &ids).await?))
    }
}

impl ListEvents {
    async fn filter(self, ctx: &Ctx) -> Result<EventFilter, ApiError> {
        let (resource_type, resource_id) = self.resource(ctx).await?;
        Ok(EventFilter {
            owners: filters::owners(ctx, &self.owner, self.id.is_some()).await?,
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            level: self.level,
            kind: self.kind,
            state: self.state,
            from: self.start_date,
            until: self.end_date,
            chain: self.start_id.map(|id| id.number()),
            resource_type,
            resource_id,
            archived: self.archived.unwrap_or_default(),
            hide_internal: !ctx.caller.is_root_admin(),
        })
    }

    /// The kind and the internal id of the thing that events are to be about.
    async fn resource(&self, ctx: &Ctx) -> Result<(Option<String>, Option<i64>), ApiError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (id, word) = (given(&self.resource_id), given(&self.resource_type));
        let Some(word) = word else {
            return match id {
                Some(_) => {
                    Err(ApiError::invalid_parameter("resourceid parameter must be used with resourcetype parameter"))
                }
                None => Ok((None, None)),
            };
        };
        let kind = ResourceType::parse(&word)?;
        let Some(id) = id else { return Ok((Some(kind.word.to_owned()), None)) };
        let found = match kind.number(ctx, "listevents", &id).await? {
            Some(found) => found,
            // No row has the number 0.
            None if !kind.is_kept() => 0,
            None => return Err(ApiError::invalid_parameter("Invalid resourceid")),
        };
        Ok((Some(kind.word.to_owned()), Some(found)))
    }
}
