//! `listVolumesMetrics` (`contract/entities.md 1.7`).

use super::list_volumes::VolumeChoice;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Reply};
use crate::views::{self, DiskFiguresView};

crate::command! {
    /// Lists disks with figures. Answers under the name of `listVolumes`, as CloudStack does.
    pub struct ListVolumesMetrics {
        /// Which disks.
        choice: VolumeChoice,
    }
    name "listVolumesMetrics", since "4.9.3", envelope "listvolumesresponse", kind Sync, http Get, response [DiskFiguresView],
    roles [Admin, ResourceAdmin, DomainAdmin, User],
    java "org.apache.cloudstack.api.ListVolumesMetricsCmd"
}

impl SyncCommand for ListVolumesMetrics {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let choice = self.choice;
        let (count, found) = choice.found(ctx).await?;
        Ok(Reply::list(count, views::disk_figures(found)))
    }
}
