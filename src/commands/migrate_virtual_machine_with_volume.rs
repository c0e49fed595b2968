//! `migrateVirtualMachineWithVolume` (`contract/migration.md` 1, 2.4, 2.5).

use super::migrate_virtual_machine::{vm_event, vm_node};
use super::{AsyncCommand, Ctx, EventDraft, InstanceType, JobCtx};
use crate::api::{ApiError, Id, Node, Rows};
use crate::model::entity::{EntityKind, HostRef, VmRef};
use crate::model::{Vm, VmState};
use crate::motion::{OfflineRequest, OfflineTarget, StorageRequest};
use crate::views::VirtualMachineView;

crate::command! {
    /// Moves a running virtual machine to another host together with its disks, or the disks of a stopped one.
    pub struct MigrateVirtualMachineWithVolume {
        /// The virtual machine to move.
        virtual_machine_id "virtualmachineid": Id<VmRef>,
        /// The host that receives it.
        host_id "hostid": Option<Id<HostRef>>,
        /// Which disk goes to which pool, as `migrateto[0].volume=...` and `migrateto[0].pool=...`. Disks that are not
        /// named stay where they are if the host reaches them, else they go to the pool with the most room.
        migrate_to "migrateto": Option<Rows>,
        /// Whether the planner chooses the host of a running virtual machine.
        auto_select "autoselect": Option<bool> [since("4.19.0")],
    }
    name "migrateVirtualMachineWithVolume", kind Async, http Post, response VirtualMachineView, roles [Admin],
    java "org.apache.cloudstack.api.command.admin.vm.MigrateVirtualMachineWithVolumeCmd"
}

impl AsyncCommand for MigrateVirtualMachineWithVolume {
    const JOINS_EQUAL: bool = true;

    async fn event(&self, ctx: &Ctx) -> Result<EventDraft, ApiError> {
        let vm_id = self.virtual_machine_id.number();
        let vm = ctx.public_id(EntityKind::Vm, vm_id).await?;
        let host = match self.host_id {
            Some(host) => ctx.public_id(EntityKind::Host, host.number()).await?,
            None => "null".to_owned(),
        };
        let description = format!("Attempting to migrate Instance with ID: {vm} to host with ID: {host}");
        vm_event(ctx, vm_id, description).await
    }

    fn instance(&self) -> Option<(InstanceType, i64)> {
        Some((InstanceType::VirtualMachine, self.virtual_machine_id.number()))
    }

    async fn run(self, ctx: &JobCtx) -> Result<Node, ApiError> {
        let map = self.map();
        let host_id = self.host_id.map(|host| host.number());
        let auto_select = self.auto_select == Some(true);
        let vm_id = self.virtual_machine_id.number();
        if host_id.is_none() && map.is_empty() && !auto_select {
            return Err(ApiError::invalid_parameter(
                "Either hostid or migrateto must be passed or autoselect must be true for migrating the Instance.",
            ));
        }
        // Here and below: what is over before the motion is under way should not take room as long as that lasts.
        Box::pin(self.check(ctx)).await?;
        let motion = &ctx.ctx.motion;
        if host_id.is_none() && !auto_select {
            let request = OfflineRequest { vm_id, to: OfflineTarget::Map(map) };
            ctx.take_up().await?;
            Box::pin(motion.migrate_stopped_vm(ctx.job_id, &ctx.mover(), &request)).await?;
            return vm_node(ctx, vm_id).await;
        }
        ctx.begin("migrating VM").await?;
        motion.migrate_vm_with_volumes(ctx.job_id, &ctx.mover(), &StorageRequest { vm_id, host_id, map }).await?;
        vm_node(ctx, vm_id).await
    }
}

impl MigrateVirtualMachineWithVolume {
    /// The rows of the map that name a volume, in the order of their index.
    fn map(&self) -> Vec<(String, Option<String>)> {
        let rows = self.migrate_to.as_ref().map(|rows| rows.0.as_slice()).unwrap_or_default();
        let text = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        rows.iter()
            .map(|row| (text(row.get("volume")).unwrap_or_else(|| "null".to_owned()), text(row.get("pool"))))
            .collect()
    }

    /// VM and host exist, and the VM is in the right state, unless the job goes on with what it has begun.
    async fn check(&self, ctx: &JobCtx) -> Result<(), ApiError> {
        let vm_id = self.virtual_machine_id.number();
        if ctx.ctx.motion.has_begun(ctx.job_id, vm_id).await? {
            return Ok(());
        }
        let vm = ctx.ctx.store.vm_by_id(vm_id).await?.filter(|vm| !vm.removed);
        let vm = vm.ok_or_else(|| ApiError::invalid_parameter(format!("Unable to find the VM by ID {vm_id}")))?;
        self.check_state(&vm)?;
        self.check_host(ctx).await
    }

    /// Checks 2 and 3 of `contract/migration.md` 2.5.
    fn check_state(&self, vm: &Vm) -> Result<(), ApiError> {
        let to_host = self.host_id.is_some() || self.auto_select == Some(true);
        if vm.state != VmState::Running && to_host {
            return Err(ApiError::invalid_parameter(format!(
                "{} is not in the Running state to migrate it to the new host.",
                vm.dump()
            )));
        }
        if vm.state != VmState::Stopped && self.host_id.is_none() && self.auto_select == Some(false) {
            return Err(ApiError::invalid_parameter(format!(
                "{} is not in the Stopped state to migrate, use the hostid or autoselect parameter to migrate it to a new host.",
                vm.dump()
            )));
        }
        Ok(())
    }

    /// Check 4 of `contract/migration.md` 2.5.
    async fn check_host(&self, ctx: &JobCtx) -> Result<(), ApiError> {
        let Some(host_id) = self.host_id.map(|host| host.number()) else { return Ok(()) };
        let host = ctx.ctx.store.host_by_id(host_id).await?;
        if host.is_some_and(|host| !host.removed) {
            return Ok(());
        }
        Err(ApiError::invalid_parameter("Unable to find the specified host to migrate the Instance."))
    }
}
