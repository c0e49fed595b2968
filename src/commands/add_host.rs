//! `addHost` (`contract/entities.md 2.4`, `contract/hyperv-wire.md` 6.1).

use std::collections::BTreeMap;

use super::add_cluster::{hypervisor, new_cluster, place};
use super::estate_words::{allocation_state, joined, said, trimmed};
use super::{Ctx, SyncCommand};
use crate::api::{ApiError, Id, Reply};
use crate::estate::NewHost;
use crate::model::Secret;
use crate::model::entity::{ClusterRef, PodRef, ZoneRef};
use crate::store::{Cluster, Pod, Zone, transact};
use crate::views::{self, HostView};

crate::command! {
    /// Adds a Hyper-V host: its agent is asked what the host is, and the host is connected. The folder for disks that the
    /// host has becomes a pool where the zone allows local storage.
    pub struct AddHost {
        /// Its cluster.
        cluster_id "clusterid": Option<Id<ClusterRef>>,
        /// The name of its cluster, which is made when there is none of that name. Not together with `clusterid`.
        cluster_name "clustername": Option<String>,
        /// A user of the host. It is kept; no agent is told.
        username: Option<String>,
        /// That user's password. It is kept; no agent is told.
        password: Option<Secret>,
        /// Its pod.
        pod_id "podid": Id<PodRef>,
        /// Where it is, as `http://name` or `http://address`. A port in it is not looked at.
        url: String,
        /// Its zone.
        zone_id "zoneid": Id<ZoneRef>,
        /// Its hypervisor: `Hyperv`.
        hypervisor: String,
        /// `Enabled`, which it is without a word, or `Disabled`.
        allocation_state "allocationstate": Option<String>,
        /// Its tags.
        host_tags "hosttags": Option<Vec<String>>,
        /// Access groups of its storage.
        storage_access_groups "storageaccessgroups": Option<Vec<String>> [since("4.21.0")],
    }
    name "addHost", kind Sync, http Post, response [HostView], roles [Admin],
    java "org.apache.cloudstack.api.command.admin.host.AddHostCmd"
}

impl SyncCommand for AddHost {
    async fn run(self, ctx: &Ctx) -> Result<Reply, ApiError> {
        ctx.estate.is_ours()?;
        let id = self.add(ctx).await?;
        let views = views::hosts(&ctx.store, &ctx.caller, &[id]).await?;
        Ok(Reply::list(1, views))
    }
}

impl AddHost {
    async fn add(self, ctx: &Ctx) -> Result<i64, ApiError> {
        let (zone, pod) = place(ctx, self.zone_id.number(), self.pod_id.number()).await?;
        let hypervisor = hypervisor(&self.hypervisor, &zone)?;
        let tags = self.host_tags.as_deref().map(trimmed).unwrap_or_default();
        let enabled = allocation_state(self.allocation_state.as_deref(), "Enabled")? == "Enabled";
        let access_groups = joined(self.storage_access_groups.as_ref(), "storageaccessgroups")?;
        if !self.url.contains("://") {
            return Err(ApiError::invalid_parameter(format!(
                "uri.scheme is null {}, add nfs:// (or cifs://) as a prefix",
                self.url
            )));
        }
        let username = said(self.username.as_ref());
        let (Some(username), Some(password)) = (username, self.password.clone()) else {
            return Err(ApiError::invalid_parameter("Username and Password need to be provided."));
        };
        let (cluster, made) = self.cluster(ctx, &zone, &pod, hypervisor).await?;
        let new = NewHost {
            zone,
            pod,
            cluster,
            url: self.url,
            username,
            password,
            enabled,
            tags,
            access_groups,
            version: ctx.policy.cloudstack_version.clone(),
            details: BTreeMap::new(),
        };
        match ctx.estate.add_host(&new).await {
            Ok(id) => Ok(id),
            Err(refusal) => {
                if made {
                    forget_cluster(ctx, new.cluster.id).await?;
                }
                Err(refusal.into())
            }
        }
    }

    /// The cluster of the host, and whether it was made for it.
    async fn cluster(
        &self,
        ctx: &Ctx,
        zone: &Zone,
        pod: &Pod,
        hypervisor: &'static str,
    ) -> Result<(Cluster, bool), ApiError> {
        let name = said(self.cluster_name.as_ref());
        if self.cluster_id.is_some() && name.is_some() {
            return Err(ApiError::invalid_parameter("Can't specify cluster by both id and name"));
        }
        if let Some(id) = self.cluster_id {
            let missing = || ApiError::invalid_parameter(format!("Can't find cluster by id {}", id.number()));
            let cluster = ctx.store.cluster_by_id(id.number()).await?.ok_or_else(missing)?;
            if cluster.pod_id != pod.id || cluster.zone_id != zone.id {
                return Err(ApiError::invalid_parameter(format!(
                    "The cluster {} is not in the given pod and zone",
                    cluster.dump()
                )));
            }
            return checked(cluster, hypervisor).map(|cluster| (cluster, false));
        }
        // Without a cluster CloudStack makes one for the host alone (`contract/entities.md 2.4`).
        let name = name.unwrap_or_else(|| format!("Standalone-{}", self.url));
        if let Some(cluster) = ctx.store.cluster_by_name(&name, pod.id).await? {
            return checked(cluster, hypervisor).map(|cluster| (cluster, false));
        }
        let new = new_cluster(ctx, &name, hypervisor, pod).await?;
        let id = transact!(ctx.store, ApiError, |tx| {
            tx.estate_hold().await?;
            if tx.cluster_name_taken(&name, pod.id).await? {
                return Err(ApiError::concurrent_operation(format!(
                    "The cluster {name} was made meanwhile. Try again."
                )));
            }
            let id = tx.cluster_insert(&new).await?;
            Ok(id)
        })?;
        let gone =
            || ApiError::concurrent_operation(format!("The cluster {name} was taken away meanwhile. Try again."));
        Ok((ctx.store.cluster_by_id(id).await?.ok_or_else(gone)?, true))
    }
}

fn checked(cluster: Cluster, hypervisor: &str) -> Result<Cluster, ApiError> {
    if cluster.hypervisor.eq_ignore_ascii_case(hypervisor) {
        return Ok(cluster);
    }
    Err(ApiError::invalid_parameter(format!(
        "The cluster {} is one of {} hosts, not of {hypervisor} hosts",
        cluster.dump(),
        cluster.hypervisor
    )))
}

/// Takes a cluster back that was made for a host that was not added, unless somebody else uses it already.
async fn forget_cluster(ctx: &Ctx, id: i64) -> Result<(), ApiError> {
    transact!(ctx.store, ApiError, |tx| {
        tx.estate_hold().await?;
        if tx.cluster_holds(id).await? == (0, 0) {
            tx.cluster_remove(id).await?;
        }
        Ok(())
    })?;
    Ok(())
}
