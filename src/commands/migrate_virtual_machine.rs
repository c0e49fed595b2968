//! `migrateVirtualMachine` (`contract/migration.md` 1, 2.2 to 2.4).

use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node, Response};
use crate::model::entity::{EntityKind, HostRef, StoragePoolRef, VmRef};
use crate::motion::{OfflineRequest, OfflineTarget, PlainRequest};
use crate::views::{self, VirtualMachineView};

crate::command! {
    /// Moves a running virtual machine to another host while its disks stay, or the disks of a stopped one to a pool.
    pub struct MigrateVirtualMachine {
        /// The virtual machine to move.
        virtual_machine_id "virtualmachineid": Id<VmRef>,
        /// The host that receives it. Without a host and a pool the planner chooses a host.
        host_id "hostid": Option<Id<HostRef>>,
        /// The pool that receives all disks of a stopped virtual machine.
        storage_id "storageid": Option<Id<StoragePoolRef>>,
        /// Whether the planner may choose a host when none is given. It may, unless this is false.
        auto_select "autoselect": Option<bool> [since("4.16.0")],
    }
    name "migrateVirtualMachine", kind Async, http Post, response VirtualMachineView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.vm.MigrateVMCmd"
}

impl AsyncCommand for MigrateVirtualMachine {
    const JOINS_EQUAL: bool = true;

    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let vm_id = self.virtual_machine_id.number();
        let vm = ctx.public_id(EntityKind::Vm, vm_id).await?;
        let description = match (self.host_id, self.storage_id) {
            (Some(host), _) => {
                let host = ctx.public_id(EntityKind::Host, host.number()).await?;
                format!("Attempting to migrate Instance with ID: {vm} to host with ID: {host}")
            }
            // CloudStack loses the first half of this sentence; here it is whole (docs/api-compat.md).
            (None, Some(pool)) => {
                let pool = ctx.public_id(EntityKind::StoragePool, pool.number()).await?;
                format!("Attempting to migrate Instance with ID: {vm} to storage pool with ID: {pool}")
            }
            (None, None) => format!("Attempting to migrate Instance with ID: {vm}"),
        };
        vm_event(ctx, vm_id, description).await
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::VirtualMachine, self.virtual_machine_id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        let vm_id = self.virtual_machine_id.number();
        // Here and below: what is over before the motion is under way, or comes after it, should not take room as long as that lasts.
        let description = Box::pin(self.check(ctx)).await?;
        let motion = &ctx.ctx.motion;
        if let Some(pool) = self.storage_id {
            let request = OfflineRequest { vm_id, to: OfflineTarget::Pool(pool.number()) };
            ctx.take_up().await?;
            Box::pin(motion.migrate_stopped_vm(ctx.job_id, &ctx.mover(), &request)).await?;
            return vm_node(ctx, vm_id).await;
        }
        ctx.begin(&description).await?;
        let host_id = self.host_id.map(|host| host.number());
        motion.migrate_vm(ctx.job_id, &ctx.mover(), PlainRequest { vm_id, host_id }).await?;
        vm_node(ctx, vm_id).await
    }
}

impl MigrateVirtualMachine {
    /// Checks 1 to 7 of `contract/migration.md` 2.2, unless the job goes on with what it has begun. Gives what the event says that is
    /// done.
    async fn check(&self, ctx: &JobCtx) -> Result<String, ApiError> {
        if self.host_id.is_some() && self.storage_id.is_some() {
            return Err(ApiError::bad_parameter("Only one of hostId and storageId can be specified"));
        }
        let vm_id = self.virtual_machine_id.number();
        if !ctx.ctx.motion.has_begun(ctx.job_id, vm_id).await? {
            let vm = ctx.ctx.store.vm_by_id(vm_id).await?;
            if !vm.is_some_and(|vm| !vm.removed && vm.is_user()) {
                return Err(ApiError::invalid_parameter(format!("Unable to find the Instance by id={vm_id}")));
            }
            if self.storage_id.is_none() {
                self.check_host(ctx).await?;
            }
        }
        let Some(host_id) = self.host_id.map(|host| host.number()) else { return Ok("migrating VM".to_owned()) };
        let host = ctx.ctx.public_id(EntityKind::Host, host_id).await?;
        Ok(format!("migrating VM. Instance Id: {vm_id} to host with ID: {host}"))
    }

    /// Checks 5 to 7 of `contract/migration.md` 2.2.
    async fn check_host(&self, ctx: &JobCtx) -> Result<(), ApiError> {
        let Some(host_id) = self.host_id.map(|host| host.number()) else {
            if self.auto_select == Some(false) {
                return Err(ApiError::invalid_parameter(
                    "Please specify a host or storage as destination, or pass 'autoselect=true' to automatically select a \
                     destination host which do not require storage migration",
                ));
            }
            return Ok(());
        };
        let host = ctx.ctx.store.host_by_id(host_id).await?;
        match host.filter(|host| !host.removed) {
            None => Err(ApiError::invalid_parameter(format!(
                "Unable to find the host to migrate the Instance, host id={host_id}"
            ))),
            Some(host) if host.kind != "Routing" => Err(ApiError::invalid_parameter(format!(
                "The specified host({}) is not suitable to migrate the Instance, please specify another one",
                host.name
            ))),
            Some(_) => Ok(()),
        }
    }
}

/// The event that announces a move of a VM. It belongs to the VM's owner.
pub(super) async fn vm_event(ctx: &Ctx, vm_id: i64, description: String) -> Result<EventDraft, ApiError> {
    let vm = ctx.store.label(EntityKind::Vm, vm_id).await?;
    Ok(EventDraft {
        event_type: "VM.MIGRATE",
        description,
        owner_account_id: vm.map_or(ctx.caller.account_id, |vm| vm.account_id),
        resource: Some((InstanceType::VirtualMachine, vm_id)),
    })
}

/// The VM as a job's result shows it.
pub(super) async fn vm_node(ctx: &JobCtx, vm_id: i64) -> Result<Node, ApiError> {
    let views = Box::pin(views::virtual_machines(&ctx.ctx.store, &ctx.ctx.caller, &[vm_id])).await?;
    let mut view = views.into_iter().next().ok_or_else(|| ApiError::command_failed("Failed to migrate Instance"))?;
    // User data may hold secrets; it is shown only to those who ask for it.
    view.user_data = None;
    Ok(Node::wrap(VirtualMachineView::SPEC.object, view.into_node()))
}
