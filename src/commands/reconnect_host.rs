//! `reconnectHost` (`contract/entities.md 2.4`).

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node, Response};
use crate::model::entity::{EntityKind, HostRef};
use crate::views::{self, HostView};

crate::command! {
    /// Connects a host anew: its agent is greeted, asked what the host is, and told which shares there are.
    pub struct ReconnectHost {
        /// The host.
        id: Id<HostRef>,
    }
    name "reconnectHost", kind Async, http Post, response HostView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.ReconnectHostCmd"
}

impl AsyncCommand for ReconnectHost {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let uuid = ctx.public_id(EntityKind::Host, self.id.number()).await?;
        Ok(EventDraft {
            event_type: "HOST.RECONNECT",
            description: format!("reconnecting host: {uuid}"),
            owner_account_id: super::privilege::SYSTEM,
            resource: Some((InstanceType::Host, self.id.number())),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::Host, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("reconnecting host").await?;
        ctx.ctx.estate.is_ours()?;
        let (id, store) = (self.id.number(), &ctx.ctx.store);
        let unknown = || ApiError::invalid_parameter(format!("Host with id {id} doesn't exist"));
        let host = store.host_by_id(id).await?.filter(|host| !host.removed).ok_or_else(unknown)?;
        ctx.ctx.estate.reconnect_host(&host).await?;
        let views = views::hosts(store, &ctx.ctx.caller, &[id]).await?;
        let failed = || ApiError::command_failed("Failed to reconnect host");
        Ok(Node::wrap(HostView::SPEC.object, views.into_iter().next().ok_or_else(failed)?.into_node()))
    }
}
