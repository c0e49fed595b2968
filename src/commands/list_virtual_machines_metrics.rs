//! `listVirtualMachinesMetrics` (`contract/entities.md 1.6`).

use super::list_virtual_machines::MachineChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::views::{self, MachineFiguresView};

crate::command! {
    /// Lists machines with figures.
    pub struct ListVirtualMachinesMetrics {
        /// Which machines.
        choice: MachineChoice,
    }
    name "listVirtualMachinesMetrics", kind Sync, http Get, response [MachineFiguresView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.ListVMsMetricsCmd"
}

impl SyncCommand for ListVirtualMachinesMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let choice = self.choice;
        let (count, found) = choice.found(ctx).await?;
        Ok(Reply::list(count, views::machine_figures(found)))
    }
}
