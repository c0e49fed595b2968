//! `cancelHostMaintenance` (`contract/migration.md` 1.1, 2.11, 7.1).

use super::prepare_host_for_maintenance::host_node;
use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node};
use crate::evacuation;
use crate::model::entity::{EntityKind, HostRef};
use crate::views::HostView;

crate::command! {
    /// Takes a host back into use. Machines that were moved away are not moved back, and one that is on its way arrives.
    pub struct CancelHostMaintenance {
        /// The host.
        id: Id<HostRef>,
    }
    name "cancelHostMaintenance", kind Async, http Post, response HostView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.CancelHostMaintenanceCmd"
}

impl AsyncCommand for CancelHostMaintenance {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let uuid = ctx.public_id(EntityKind::Host, self.id.number()).await?;
        Ok(EventDraft {
            event_type: "MAINT.CANCEL",
            description: format!("Canceling maintenance for host with ID: {uuid}"),
            owner_account_id: ctx.caller.account_id,
            resource: Some((InstanceType::Host, self.id.number())),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::Host, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("cancel maintenance for host").await?;
        ctx.ctx.estate.is_ours()?;
        let (id, store) = (self.id.number(), &ctx.ctx.store);
        let unknown = || ApiError::invalid_parameter(format!("Host with id {id} doesn't exist"));
        let host = store.host_by_id(id).await?.filter(|host| !host.removed).ok_or_else(unknown)?;
        if !evacuation::release_host(store, &host).await? {
            return Err(ApiError::command_failed(format!(
                "Cannot perform cancelMaintenance when resource state is {}, host: {}",
                host.resource_state,
                host.dump()
            )));
        }
        host_node(ctx, id).await
    }
}
