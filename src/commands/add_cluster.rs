//! `addCluster` (`contract/entities.md 2.3`).

use super::estate_words::{self, allocation_state, joined};
use super::filters;
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply, java_double};
use crate::model::entity::{PodRef, ZoneRef};
use crate::model::{HYPERV, Secret};
use crate::store::{NewCluster, Pod, Zone, transact};
use crate::views::{self, ClusterView};

crate::command! {
    /// Makes a cluster: hosts of one hypervisor that share storage.
    pub struct AddCluster {
        /// Its name; no other cluster of the pod has it.
        cluster_name "clustername": String,
        /// The password of what manages it from outside. Not for clusters that are managed here.
        password: Option<Secret>,
        /// Its pod.
        pod_id "podid": Id<PodRef>,
        /// The address of what manages it from outside. Not for clusters that are managed here.
        url: Option<String>,
        /// The user of what manages it from outside. Not for clusters that are managed here.
        username: Option<String>,
        /// Its zone.
        zone_id "zoneid": Id<ZoneRef>,
        /// Its hypervisor: `Hyperv`.
        hypervisor: String,
        /// The kind of its processors: `x86_64`.
        arch: Option<String> [since("4.20")],
        /// `CloudManaged`.
        cluster_type "clustertype": String,
        /// `Enabled`, which it is without a word, or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// Access groups of its storage.
        storage_access_groups "storageaccessgroups": Option<Vec<String>> [since("4.21.0")],
    }
    name "addCluster", kind Sync, http Post, response [ClusterView], roles [Admin],
    java "org.apache.cloudstack.api.command.admin.cluster.AddClusterCmd"
}

/// Settings with the ratios that a new cluster gets, CPU before memory.
const RATIOS: [&str; 2] = ["cpu.overprovisioning.factor", "mem.overprovisioning.factor"];

impl SyncCommand for AddCluster {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.make(ctx).await?;
        let views = views::clusters(&ctx.store, &[id]).await?;
        Ok(Reply::list(1, views))
    }
}

impl AddCluster {
    async fn make(&self, ctx: &Ctx) -> Result<i64, ApiError> {
        let (zone, pod) = place(ctx, self.zone_id.number(), self.pod_id.number()).await?;
        if self.cluster_name.trim().is_empty() {
            return Err(ApiError::invalid_parameter("Please specify cluster name"));
        }
        let hypervisor = hypervisor(&self.hypervisor, &zone)?;
        match self.cluster_type.to_ascii_lowercase().as_str() {
            "cloudmanaged" => {}
            "externalmanaged" => {
                return Err(ApiError::invalid_parameter(
                    "Clusters that something else manages are not served here; say CloudManaged",
                ));
            }
            _ => {
                return Err(ApiError::invalid_parameter(format!(
                    "Unable to resolve {} to a supported clusterType",
                    self.cluster_type
                )));
            }
        }
        let arch = self.arch.as_deref().filter(|arch| !arch.is_empty()).unwrap_or("x86_64");
        if !arch.eq_ignore_ascii_case("x86_64") {
            return Err(ApiError::invalid_parameter(format!(
                "Hyper-V hosts have processors of the kind x86_64, not {arch}"
            )));
        }
        let cluster = NewCluster {
            allocation_state: allocation_state(self.allocation_state.as_deref(), "Enabled")?,
            access_groups: joined(self.storage_access_groups.as_ref(), "storageaccessgroups")?,
            ..new_cluster(ctx, &self.cluster_name, hypervisor, &pod).await?
        };
        let id = transact!(ctx.store, ApiError, |tx| {
            tx.estate_hold().await?;
            if tx.cluster_name_taken(&cluster.name, pod.id).await? {
                return Err(ApiError::command_failed(format!(
                    "Unable to create cluster {} in pod and data center with specified ids",
                    cluster.name
                )));
            }
            let id = tx.cluster_insert(&cluster).await?;
            Ok(id)
        })?;
        Ok(id)
    }
}

/// A cluster of that name with the ratios of the settings, to be written.
///
/// # Errors
/// 530 when the database fails.
pub(super) async fn new_cluster(ctx: &Ctx, name: &str, hypervisor: &str, pod: &Pod) -> Result<NewCluster, ApiError> {
    let cpu = ctx.store.setting_number(RATIOS[0], 1.0).await?;
    let memory = ctx.store.setting_number(RATIOS[1], 1.0).await?;
    Ok(NewCluster {
        uuid: uuid::Uuid::new_v4().to_string(),
        name: name.to_owned(),
        zone_id: pod.zone_id,
        pod_id: pod.id,
        hypervisor: hypervisor.to_owned(),
        allocation_state: "Enabled",
        arch: "x86_64".to_owned(),
        access_groups: None,
        overcommit: (java_double(cpu), java_double(memory)),
    })
}

/// A living zone and a pod in it.
///
/// # Errors
/// 431 when there is no such zone, no such pod, or the pod is in another zone.
pub(super) async fn place(ctx: &Ctx, zone_id: i64, pod_id: i64) -> Result<(Zone, Pod), ApiError> {
    let zone = estate_words::zone(ctx, zone_id, "Can't find zone by the id specified").await?;
    let no_pod = || ApiError::invalid_parameter(format!("Can't find pod by id {pod_id}"));
    let pod = ctx.store.pod_by_id(pod_id).await?.ok_or_else(no_pod)?;
    if pod.zone_id != zone.id {
        return Err(ApiError::invalid_parameter(format!(
            "Pod with specified id doesn't belong to the zone {}",
            zone.dump()
        )));
    }
    Ok((zone, pod))
}

/// The hypervisor of hosts that can be driven here, in CloudStack's spelling.
///
/// # Errors
/// 431 for none, and for one that is not driven here or not in such a zone.
pub(super) fn hypervisor(word: &str, zone: &Zone) -> Result<&'static str, ApiError> {
    let known = filters::hypervisor(word).filter(|known| *known != "None");
    let known = known.ok_or_else(|| ApiError::invalid_parameter("Please specify a hypervisor"))?;
    if zone.advanced && zone.security_groups {
        return Err(ApiError::invalid_parameter(format!(
            "Don't support hypervisor type {known} in advanced security enabled zone"
        )));
    }
    if known != HYPERV {
        return Err(ApiError::invalid_parameter(format!("Could not find corresponding resource manager for {known}")));
    }
    Ok(known)
}
