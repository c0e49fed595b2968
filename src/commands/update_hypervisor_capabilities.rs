//! `updateHypervisorCapabilities` (`contract/migration.md 1.2, 2.11`).

use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::model::entity::HypervisorCapabilitiesRef;
use crate::store::CapabilityChange;
use crate::views::{self, CapabilitiesChangedView};

crate::command! {
    /// Changes what a version of a hypervisor is held to be able to do.
    pub struct UpdateHypervisorCapabilities {
        /// The row to change. Not together with `hypervisor` and `hypervisorversion`.
        id: Option<Id<HypervisorCapabilitiesRef>>,
        /// The hypervisor of the row to change. Needs `hypervisorversion`.
        hypervisor: Option<String> [since("4.19.1")],
        /// The version of the row to change. Needs `hypervisor`.
        hypervisor_version "hypervisorversion": Option<String> [since("4.19.1")],
        /// Whether security groups work.
        security_group_enabled "securitygroupenabled": Option<bool>,
        /// The most running machines of a host.
        max_guests_limit "maxguestslimit": Option<i64>,
        /// The most data disks of a machine.
        max_data_volumes_limit "maxdatavolumeslimit": Option<i32> [since("4.16.0")],
        /// Whether running machines can move together with their disks.
        storage_motion_enabled "storagemotionenabled": Option<bool> [since("4.16.0")],
        /// The most hosts of a cluster.
        max_hosts_per_cluster "maxhostspercluster": Option<i32> [since("4.16.0")],
        /// Whether machines can be snapshotted.
        vm_snapshot_enabled "vmsnapshotenabled": Option<bool> [since("4.16.0")],
    }
    name "updateHypervisorCapabilities", since "3.0.0", kind Sync, http Post, response CapabilitiesChangedView,
    roles [Admin],
    java "org.apache.cloudstack.api.command.admin.config.UpdateHypervisorCapabilitiesCmd"
}

impl SyncCommand for UpdateHypervisorCapabilities {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        let row = self.row(ctx).await?;
        let change = CapabilityChange {
            max_guests: self.max_guests_limit,
            security_groups: self.security_group_enabled,
            max_data_volumes: self.max_data_volumes_limit.map(i64::from),
            storage_motion: self.storage_motion_enabled,
            max_hosts_per_cluster: self.max_hosts_per_cluster.map(i64::from),
            vm_snapshot: self.vm_snapshot_enabled,
        };
        ctx.store.capability_change(row, &change).await?;
        let failed = || ApiError::command_failed("Failed to update hypervisor capabilities");
        let view = views::capabilities_changed(&ctx.store, row).await?.ok_or_else(failed)?;
        Ok(Reply::one(view))
    }
}

impl UpdateHypervisorCapabilities {
    /// The internal id of the row to change.
    async fn row(&self, ctx: &Ctx) -> Result<i64, ApiError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        let (hypervisor, version) = (given(&self.hypervisor), given(&self.hypervisor_version));
        let refuse = |text: &str| Err(ApiError::invalid_parameter(text));
        match (self.id, hypervisor, version) {
            (None, None, None) => refuse("Either ID or hypervisor and hypervisor version must be specified"),
            (Some(_), Some(_), _) | (Some(_), _, Some(_)) => {
                refuse("ID can not be specified together with hypervisor and hypervisor version")
            }
            (Some(id), None, None) => match ctx.store.capability_rows(&[id.number()]).await?.is_empty() {
                true => refuse("unable to find the hypervisor capabilities for specified id")
                    .map_err(|error: ApiError| error.about(id.number().to_string(), "Id")),
                false => Ok(id.number()),
            },
            (None, Some(hypervisor), Some(version)) => find(ctx, &hypervisor, &version).await,
            (None, _, _) => refuse("Hypervisor and hypervisor version must be specified together"),
        }
    }
}

/// The row of a hypervisor and a version. A version of VMware without a row of its own gets a copy of its parent's.
async fn find(ctx: &Ctx, hypervisor: &str, version: &str) -> Result<i64, ApiError> {
    let known = filters::hypervisor(hypervisor).filter(|known| *known != "None");
    let hypervisor = known.ok_or_else(|| ApiError::invalid_parameter("Invalid hypervisor specified"))?;
    if let Some(id) = ctx.store.capability_of(hypervisor, version).await? {
        return Ok(id);
    }
    if hypervisor == "VMware"
        && let Some(parent) = parent(version)
        && let Some(id) = ctx.store.capability_of(hypervisor, &parent).await?
    {
        return Ok(ctx.store.capability_copy(id, version).await?);
    }
    Err(ApiError::invalid_parameter(
        "Unable to find the hypervisor capabilities for specified hypervisor and hypervisor version",
    )
    .about(hypervisor, "hypervisor")
    .about(version, "hypervisorVersion"))
}

/// The version that another one came from: `8.0.1.5` from `8.0.1`, `8.0.0.5` from `8.0` (`contract/migration.md 6.3`).
fn parent(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let (major, minor) = (parts.next()?, parts.next()?);
    let parent = match parts.next() {
        Some(patch) if patch != "0" => format!("{major}.{minor}.{patch}"),
        _ => format!("{major}.{minor}"),
    };
    (parent != version).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn parents_of_versions() {
        assert_eq!(parent("8.0.1.5").as_deref(), Some("8.0.1"));
        assert_eq!(parent("8.0.0.5").as_deref(), Some("8.0"));
        assert_eq!(parent("8.0"), None);
        assert_eq!(parent("8"), None);
    }
}
