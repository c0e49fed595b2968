//! Hyper-V hosts as the estate sees them: the port [`Agents`] spoken over the agent's wire.

use futures_util::future::BoxFuture;

use super::discovery::DiscoveryError;
use super::resource::{HyperV, filer_of};
use super::wire::pools::{CreateStoragePoolCommand, DeleteStoragePoolCommand, FILESYSTEM, StorageFiler};
use super::wire::{Base, naming};
use crate::estate::{
    AdoptedDisk, Agents, DiskFiles, HostFacts, KnownHost, Place, PoolUsage, Reached, Report, ReportedVm,
};
use crate::motion::hypervisor::{AgentError, Answer, Effect, HostRef, Hypervisor, PoolRef};

/// What is said of disks by an agent that cannot tell (`contract/hyperv-wire.md` 2.1: no endpoint names a disk's file).
const NO_DISKS: &str = "the agent of the host cannot tell which disks a machine has and where they are";

impl From<DiscoveryError> for AgentError {
    fn from(error: DiscoveryError) -> Self {
        let effect = match &error {
            DiscoveryError::Agent(error) => error.effect(),
            DiscoveryError::OtherIdentity { .. } | DiscoveryError::Missing { .. } => Effect::None,
        };
        Self { effect, text: error.to_string() }
    }
}

/// The mount path that a management server sends with a pool; it means nothing on Windows.
fn mount_path(pool: &StorageFiler) -> String {
    if pool.pool_type == FILESYSTEM {
        return pool.path.clone();
    }
    format!("/mnt//{}", naming::name_uuid(&format!("{}{}", pool.host, pool.path)))
}

impl HyperV {
    async fn machine(&self, known: &KnownHost, name: String, state: String, cpus: Option<i64>) -> Answer<ReportedVm> {
        let disks = match self.vm_disks(&known.host, &name).await {
            Ok(Some(disks)) => Ok(disks.into_iter().map(disk_told).collect()),
            Ok(None) => Err(NO_DISKS.to_owned()),
            Err(error) => Err(error.text),
        };
        Ok(ReportedVm { name, state, cpus, disks })
    }
}

fn disk_told(disk: crate::motion::hypervisor::VmDisk) -> AdoptedDisk {
    AdoptedDisk { stem: disk.stem, folder: disk.folder, size_bytes: disk.size_bytes }
}

impl Agents for HyperV {
    fn discover<'a>(&'a self, ip: &'a str, place: Place) -> BoxFuture<'a, Answer<HostFacts>> {
        Box::pin(async move { Ok(Self::discover(self, ip, None, place).await?) })
    }

    fn welcome<'a>(&'a self, known: &'a KnownHost, pools: &'a [PoolRef]) -> BoxFuture<'a, Answer<Reached>> {
        Box::pin(async move { Ok(self.introduce(known, pools).await?) })
    }

    fn reconnect<'a>(&'a self, known: &'a KnownHost) -> BoxFuture<'a, Answer<HostFacts>> {
        Box::pin(async move { Ok(self.greet(known).await?) })
    }

    fn announce_pool<'a>(&'a self, host: &'a HostRef, pool: &'a PoolRef) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let pool = filer_of(pool)?;
            let local_path = mount_path(&pool);
            let command = CreateStoragePoolCommand { add: true, pool, local_path, base: Base::default() };
            self.client().send(host, &command).await?;
            Ok(())
        })
    }

    fn register_pool<'a>(&'a self, host: &'a HostRef, pool: &'a PoolRef) -> BoxFuture<'a, Answer<PoolUsage>> {
        Box::pin(Self::register_pool(self, host, pool))
    }

    fn withdraw_pool<'a>(&'a self, host: &'a HostRef, pool: &'a PoolRef) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            let pool = filer_of(pool)?;
            let local_path = mount_path(&pool);
            let command = DeleteStoragePoolCommand { pool, local_path, base: Base::default() };
            self.client().send(host, &command).await?;
            Ok(())
        })
    }

    /// The start-up exchange names all machines with their states (`contract/hyperv-wire.md` 2.5); disks are told by our
    /// extension only.
    fn report<'a>(&'a self, known: &'a KnownHost) -> BoxFuture<'a, Answer<Report>> {
        Box::pin(async move {
            let facts = self.greet(known).await?;
            let names: Vec<String> = facts.vms.keys().cloned().collect();
            let loads = if names.is_empty() { Default::default() } else { self.vm_stats(&known.host, &names).await? };
            let mut vms = Vec::with_capacity(names.len());
            for (name, state) in facts.vms {
                let cpus = loads.get(&name).map(|load| load.cpus).filter(|cpus| *cpus > 0);
                vms.push(self.machine(known, name, state, cpus).await?);
            }
            Ok(Report { vms })
        })
    }

    fn disk_files<'a>(
        &'a self,
        host: &'a HostRef,
        pool: &'a PoolRef,
        stem: &'a str,
    ) -> BoxFuture<'a, Answer<DiskFiles>> {
        Box::pin(async move {
            let files = self.files(host, pool, stem).await?;
            Ok(files.map(|files| files.into_iter().map(|file| (file.file, file.complete)).collect()))
        })
    }

    fn folder(&self, pool: &PoolRef) -> String {
        Hypervisor::folder(self, pool)
    }

    fn cluster_guid(&self, cluster_id: i64) -> String {
        naming::cluster_guid(cluster_id)
    }

    fn pool_uuid(&self, server: &str, path: &str) -> String {
        naming::name_uuid(&format!("{server}{path}"))
    }
}
