//! `prepareHostForMaintenance` (`contract/migration.md` 1.1, 2.11, 7.1).

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node, Response};
use crate::evacuation;
use crate::model::entity::{EntityKind, HostRef};
use crate::model::{Host, ResourceState, VmState};
use crate::store::Store;
use crate::views::{self, HostView};

crate::command! {
    /// Empties a host, so that it may be worked on: every machine that runs there is moved to another host, with its disks where
    /// they do not reach there. None is stopped. The answer comes when that has begun; `resourcestate` of the host becomes
    /// `Maintenance` when nothing is left, and `ErrorInMaintenance` when something cannot be moved.
    pub struct PrepareHostForMaintenance {
        /// The host.
        id: Id<HostRef>,
    }
    name "prepareHostForMaintenance", kind Async, http Post, response HostView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.PrepareForHostMaintenanceCmd"
}

/// What CloudStack says before every reason.
fn refused(reason: impl std::fmt::Display) -> ApiError {
    ApiError::command_failed(format!("Failed to prepare host for maintenance due to: {reason}"))
}

impl AsyncCommand for PrepareHostForMaintenance {
    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let uuid = ctx.public_id(EntityKind::Host, self.id.number()).await?;
        Ok(EventDraft {
            event_type: "MAINT.PREPARE",
            description: format!("Preparing host with ID: {uuid} for maintenance."),
            owner_account_id: ctx.caller.account_id,
            resource: Some((InstanceType::Host, self.id.number())),
        })
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::Host, self.id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        ctx.begin("prepare maintenance for host").await?;
        ctx.ctx.estate.is_ours()?;
        let (id, store) = (self.id.number(), &ctx.ctx.store);
        let unknown = || refused(format!("Unable to find host with ID: {id}. Please specify a valid host ID."));
        let host = store.host_by_id(id).await?.filter(|host| !host.removed).ok_or_else(unknown)?;
        check(store, &host).await?;
        if evacuation::ask_host(store, &host).await?.is_none() {
            return Err(refused(format!(
                "Cannot transit resource state of {} to MaintenanceUnable to transition to a new state from {} via AdminAskMaintenance",
                host.dump(),
                host.resource_state
            )));
        }
        host_node(ctx, id).await
    }
}

/// CloudStack's checks, in its order (`contract/migration.md` 2.11). What is about storage of other hypervisors is left out.
async fn check(store: &Store, host: &Host) -> Result<(), ApiError> {
    let state = ResourceState::parse(&host.resource_state);
    if matches!(
        state,
        Some(
            ResourceState::Maintenance
                | ResourceState::PrepareForMaintenance
                | ResourceState::ErrorInPrepareForMaintenance
        )
    ) {
        return Err(refused(format!(
            "Host is already in state {}. Cannot recall for maintenance until resolved.",
            host.resource_state
        )));
    }
    if !host.is_hyperv() {
        return Err(refused(format!("This gateway empties Hyper-V hosts, and {} runs {}", host.name, host.hypervisor)));
    }
    let others = store.hosts_in_preparation().await?;
    if let Some(cluster_id) = host.cluster_id.filter(|_| others.iter().any(|other| other.cluster_id == host.cluster_id))
    {
        return Err(refused(format!(
            "There are other servers attempting migrations for maintenance. Found hosts in PrepareForMaintenance OR \
             ErrorInPrepareForMaintenance STATUS in cluster {cluster_id}"
        )));
    }
    let vms = store.vms_of_host(host.id).await?;
    let any = |states: &[VmState]| vms.iter().any(|vm| vm.host_id == Some(host.id) && states.contains(&vm.state));
    if any(&[VmState::Migrating]) {
        return Err(refused(
            "Host contains incoming VMs migrating. Please wait for them to complete before putting to maintenance.",
        ));
    }
    if any(&[VmState::Starting, VmState::Stopping]) {
        return Err(refused(
            "Host contains VMs in starting/stopping state. Please wait for them to complete before putting to maintenance.",
        ));
    }
    if any(&[VmState::Error, VmState::Unknown]) {
        return Err(refused("Host contains VMs in error/unknown/shutdown state. Please fix errors to proceed."));
    }
    Ok(())
}

/// The host as a job's result shows it.
pub(super) async fn host_node(ctx: &JobCtx, id: i64) -> Result<Node, ApiError> {
    let views = views::hosts(&ctx.ctx.store, &ctx.ctx.caller, &[id]).await?;
    let gone = || ApiError::command_failed("The host is gone");
    Ok(Node::wrap(HostView::SPEC.object, views.into_iter().next().ok_or_else(gone)?.into_node()))
}
