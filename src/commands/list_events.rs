//! `listEvents` (`contract/entities.md 1.17`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, OwnerScope, Page, Reply};
use crate::model::Timestamp;
use crate::model::entity::{EntityKind, EventRef};
use crate::store::EventFilter;
use crate::views::{self, EventView};

/// What events can be about, as clients name it.
const RESOURCES: &[(&str, EntityKind)] = &[
    ("VirtualMachine", EntityKind::Vm),
    ("Volume", EntityKind::Volume),
    ("User", EntityKind::User),
    ("Account", EntityKind::Account),
    ("Host", EntityKind::Host),
    ("StoragePool", EntityKind::StoragePool),
    ("Cluster", EntityKind::Cluster),
];

crate::command! {
    /// Lists events: what was done, by whom, and how it ended.
    pub struct ListEvents {
        /// Whose events.
        owner: OwnerScope,
        /// Page and search word.
        page: Page,
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
        /// Only events about this thing. Needs `resourcetype`.
        resource_id "resourceid": Option<String> [since("4.17.0")],
        /// What that thing is, such as `VirtualMachine` or `Volume`.
        resource_type "resourcetype": Option<String> [since("4.17.0")],
        /// Only those that were put away.
        archived: Option<bool> [since("4.19.0")],
        /// Only events in this state: `Scheduled`, `Started` or `Completed`.
        state: Option<String> [since("4.21.0")],
    }
    name "listEvents", kind Sync, http Get, response [EventView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.command.user.event.ListEventsCmd"
}

impl SyncCommand for ListEvents {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let window = filters::window(&self.page, None);
        let resource = self.resource(ctx).await?;
        if self.resource_type.is_some() && self.resource_id.is_some() && resource.is_none() {
            return Ok(Reply::list(0, Vec::<EventView>::new()));
        }
        let filter = EventFilter {
            owners: filters::owners(ctx, &self.owner, self.id.is_some()).await?,
            id: self.id.map(|id| id.number()),
            keyword: self.page.keyword,
            level: self.level,
            kind: self.kind,
            state: self.state,
            from: self.start_date,
            until: self.end_date,
            chain: self.start_id.map(|id| id.number()),
            resource,
            archived: self.archived.unwrap_or_default(),
        };
        let (count, ids) = ctx.store.events_page(&filter, window).await?;
        Ok(Reply::list(count, views::events(&ctx.store, &ids).await?))
    }
}

impl ListEvents {
    /// The thing that the events are to be about; `None` also when there is no such thing.
    async fn resource(&self, ctx: &Ctx) -> Result<Option<(String, i64)>, ApiError> {
        let Some(uuid) = &self.resource_id else { return Ok(None) };
        let Some(word) = &self.resource_type else {
            let text = "resourceid parameter must be used with resourcetype parameter";
            return Err(ApiError::invalid_parameter(text));
        };
        let Some((word, kind)) = RESOURCES.iter().find(|(known, _)| known.eq_ignore_ascii_case(word)) else {
            return Err(ApiError::invalid_parameter(format!("Invalid resource type: {word}")));
        };
        Ok(ctx.store.internal_id(*kind, uuid).await?.map(|id| ((*word).to_owned(), id)))
    }
}
