//! Getting to know a host, connecting it, and asking it for figures (`contract/hyperv-wire.md` 2.5 to 2.12, 6).
//!
//! The power report is never asked for: an agent deletes switched-off VMs while it makes one (2.9). Whether a VM is
//! there is asked by name instead.

use std::collections::BTreeMap;

use thiserror::Error;

use super::client::ClientError;
use super::resource::{HyperV, filer_of};
use super::wire::host::{
    CheckNetworkCommand, GetHostStatsCommand, GetVmStatsCommand, PingRoutingCommand, ReadyCommand, SetupCommand,
    StartupAnswer, StartupCommand,
};
use super::wire::pools::{FILESYSTEM, GetStorageStatsCommand, ModifyStoragePoolCommand, PoolInfo};
use super::wire::{Base, naming};
pub use crate::estate::{HostFacts, HostLoad, KnownHost, LocalPool, Place, PoolUsage};
use crate::motion::hypervisor::{AgentError, HostRef, PoolRef};

/// Load of a VM.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct VmLoad {
    /// CPU in use, percent.
    pub cpu_percent: f64,
    /// Virtual CPUs.
    pub cpus: i64,
}

/// Each share by its internal id: size and use, or why the host does not reach it.
pub type Registered = Vec<(i64, Result<PoolUsage, AgentError>)>;

/// A host that was connected.
#[derive(Debug)]
pub struct Connected {
    /// What it says of itself.
    pub facts: HostFacts,
    /// Each share by its internal id: size and use, or why the host does not reach it.
    pub pools: Registered,
}

/// A host could not be discovered or connected.
#[derive(Debug, Error)]
pub enum DiscoveryError {
    /// The agent did not answer as it should.
    #[error(transparent)]
    Agent(#[from] ClientError),
    /// The agent repeats another identity than the one it was told.
    #[error(
        "the agent at {address} answers for another host: it was told {member} {told:?} and repeats {repeated:?}; the host is \
         not connected; check that the address belongs to this host alone"
    )]
    OtherIdentity {
        /// Where the agent is.
        address: String,
        /// The member that differs.
        member: &'static str,
        /// What it was told.
        told: String,
        /// What it says.
        repeated: Option<String>,
    },
    /// A figure that a host cannot do without is missing.
    #[error("the agent at {address} does not say its {member}; the host is not connected; check the agent's version")]
    Missing {
        /// Where the agent is.
        address: String,
        /// What is missing.
        member: &'static str,
    },
}

impl HyperV {
    /// Greets the agent at an address and asks for its host's facts, before the host is in the inventory
    /// (`contract/hyperv-wire.md` 6.1). Initialises the agent on the way. `port` is the settings' one when absent.
    ///
    /// # Errors
    /// [`DiscoveryError`]; the agent is as good as untouched then.
    pub async fn discover(&self, ip: &str, port: Option<u16>, place: Place) -> Result<HostFacts, DiscoveryError> {
        let guid = naming::host_guid(ip);
        let host = HostRef { id: 0, name: ip.to_owned(), ip: ip.to_owned(), port, guid };
        self.client().send(&host, &ReadyCommand::default()).await?;
        self.startup(&host, place).await
    }

    /// Connects a host that is in the inventory: greeting, start-up exchange, set-up, one registration for each share of
    /// `pools`, and the host's identity (`contract/hyperv-wire.md` 2.6). A share that the host does not reach is
    /// reported and does not keep the host from being connected.
    ///
    /// # Errors
    /// [`DiscoveryError`] when the host cannot be used.
    pub async fn connect(&self, known: &KnownHost, pools: &[PoolRef]) -> Result<Connected, DiscoveryError> {
        let facts = self.greet(known).await?;
        let pools = self.introduce(known, pools).await?;
        Ok(Connected { facts, pools })
    }

    /// The first half of connecting: greeting and start-up exchange.
    pub(super) async fn greet(&self, known: &KnownHost) -> Result<HostFacts, DiscoveryError> {
        self.client().send(&known.host, &ReadyCommand::default()).await?;
        self.startup(&known.host, known.place).await
    }

    /// The second half: set-up, registration of shares, and the host's identity.
    pub(super) async fn introduce(&self, known: &KnownHost, pools: &[PoolRef]) -> Result<Registered, DiscoveryError> {
        let host = &known.host;
        self.client().send(host, &SetupCommand::default()).await?;
        self.client().send(host, &CheckNetworkCommand::default()).await?;
        let mut registered = Vec::new();
        for pool in pools.iter().filter(|pool| pool.kind != FILESYSTEM) {
            registered.push((pool.id, self.register_pool(host, pool).await));
        }
        let identity = ReadyCommand {
            dc_id: Some(known.place.zone_id),
            host_id: Some(host.id),
            host_uuid: Some(known.uuid.clone()),
            host_name: Some(host.name.clone()),
            base: Base::default(),
        };
        self.client().send(host, &identity).await?;
        Ok(registered)
    }

    /// The start-up exchange. What was known of the agent's abilities is forgotten: it may be another agent.
    async fn startup(&self, host: &HostRef, place: Place) -> Result<HostFacts, DiscoveryError> {
        self.forget_abilities(host);
        let told = StartupCommand::new(&host.ip, &host.name, place.zone_id, place.pod_id, place.cluster_id);
        let answer = self.client().send(host, &told).await?;
        facts_of(&told, answer)
    }

    /// Registers a pool on a host, so that the agent knows it by its public id (`contract/hyperv-wire.md` 2.13).
    ///
    /// # Errors
    /// [`AgentError`] when the host does not reach it.
    pub async fn register_pool(&self, host: &HostRef, pool: &PoolRef) -> Result<PoolUsage, AgentError> {
        let filer = filer_of(pool)?;
        let local_path = if filer.pool_type == FILESYSTEM {
            filer.path.clone()
        } else {
            // Means nothing on Windows; it is what a management server sends.
            format!("/mnt//{}", naming::name_uuid(&format!("{}{}", filer.host, filer.path)))
        };
        let command = ModifyStoragePoolCommand { add: true, pool: filer, local_path, base: Base::default() };
        let answer = self.client().send(host, &command).await?;
        answer.pool_info.as_ref().and_then(usage_of).ok_or_else(|| AgentError {
            effect: crate::motion::hypervisor::Effect::Unknown,
            text: format!("the host {} took the pool {} but does not say how large it is", host.name, pool.name),
        })
    }

    /// Tells a connected host that it is not forgotten, and so learns whether its agent is there. Nothing is changed.
    ///
    /// # Errors
    /// [`ClientError`] when the agent does not answer as it should.
    pub async fn ping(&self, host: &HostRef) -> Result<(), ClientError> {
        let command = PingRoutingCommand { host_type: "Routing".to_owned(), host_id: host.id, base: Base::default() };
        self.client().send(host, &command).await.map(|_| ())
    }

    /// Load of a host. An agent that was started anew has forgotten its own address and refuses; it is then told again
    /// by a start-up exchange, and asked once more (`contract/hyperv-wire.md` 2.10).
    ///
    /// # Errors
    /// [`DiscoveryError`] when it does not say all the same.
    pub async fn host_stats(&self, known: &KnownHost) -> Result<HostLoad, DiscoveryError> {
        let host = &known.host;
        let question = GetHostStatsCommand {
            host_guid: host.guid.clone(),
            host_name: host.name.clone(),
            host_id: host.id,
            base: Base::default(),
        };
        let answer = match self.client().send(host, &question).await {
            Err(ClientError::Refused { .. }) => {
                tracing::info!(
                    host = host.name,
                    "the agent seems to have been started anew: repeating the start-up exchange"
                );
                self.startup(host, known.place).await?;
                self.client().send(host, &question).await?
            }
            other => other?,
        };
        let stats = answer
            .host_stats
            .ok_or_else(|| DiscoveryError::Missing { address: self.client().address_of(host), member: "load" })?;
        Ok(HostLoad {
            cpu_percent: stats.cpu_utilization,
            memory_bytes: whole(stats.total_memory_kib * 1024.0),
            free_memory_bytes: whole(stats.free_memory_kib * 1024.0),
            received_bytes: whole(stats.network_read_bytes),
            sent_bytes: whole(stats.network_write_bytes),
        })
    }

    /// Load of VMs by name. A VM that the host does not know is left out.
    ///
    /// # Errors
    /// [`ClientError`] when the agent does not answer as it should.
    pub async fn vm_stats(&self, host: &HostRef, vms: &[String]) -> Result<BTreeMap<String, VmLoad>, ClientError> {
        let question = GetVmStatsCommand {
            vm_names: vms.to_vec(),
            host_guid: host.guid.clone(),
            host_name: host.name.clone(),
            base: Base::default(),
        };
        let answer = self.client().send(host, &question).await?;
        let load = |stats: super::wire::host::VmStats| VmLoad { cpu_percent: stats.cpu_utilization, cpus: stats.cpus };
        Ok(answer.vm_stats_map.into_iter().map(|(name, stats)| (name, load(stats))).collect())
    }

    /// Size and use of a pool as a host sees it. A share that the agent has not heard of is registered first.
    ///
    /// # Errors
    /// [`AgentError`] when the host does not reach it.
    pub async fn storage_stats(&self, host: &HostRef, pool: &PoolRef) -> Result<PoolUsage, AgentError> {
        let filer = filer_of(pool)?;
        let question = GetStorageStatsCommand {
            id: pool.uuid.clone(),
            local_path: filer.path,
            pool_type: filer.pool_type.clone(),
            base: Base::default(),
        };
        match self.client().send(host, &question).await {
            Ok(answer) => {
                let usage = answer.size_bytes().zip(answer.in_use_bytes());
                let usage = usage.map(|(capacity_bytes, used_bytes)| PoolUsage { capacity_bytes, used_bytes });
                usage.ok_or_else(|| AgentError {
                    effect: crate::motion::hypervisor::Effect::Unknown,
                    text: format!("the host {} does not say how large the pool {} is", host.name, pool.name),
                })
            }
            Err(ClientError::Refused { .. }) if filer.pool_type != FILESYSTEM => self.register_pool(host, pool).await,
            Err(error) => Err(error.into()),
        }
    }
}

/// The facts in a start-up answer, when it repeats the identity that was told (`contract/hyperv-wire.md` 2.5).
fn facts_of(told: &StartupCommand, answer: StartupAnswer) -> Result<HostFacts, DiscoveryError> {
    let host = answer.host;
    let text = |member: &str| host.other.get(member).and_then(|value| value.as_str()).map(str::to_owned);
    let capabilities = text("caps");
    for (member, told_value, repeated) in [
        ("guid", &told.guid, host.guid.clone()),
        ("privateIpAddress", &told.private_ip_address, host.private_ip_address.clone()),
        ("name", &told.name, text("name")),
        ("dataCenter", &told.data_center, text("dataCenter")),
        ("pod", &told.pod, text("pod")),
        ("cluster", &told.cluster, text("cluster")),
    ] {
        if repeated.as_ref() != Some(told_value) {
            let (address, told) = (told.private_ip_address.clone(), told_value.clone());
            return Err(DiscoveryError::OtherIdentity { address, member, told, repeated });
        }
    }
    let needed = |figure: Option<u64>, member| {
        let address = told.private_ip_address.clone();
        figure.filter(|figure| *figure > 0).ok_or(DiscoveryError::Missing { address, member })
    };
    Ok(HostFacts {
        guid: told.guid.clone(),
        version: host.hypervisor_version,
        cpus: needed(host.cpus, "number of cores")?,
        sockets: host.cpu_sockets,
        speed_mhz: needed(host.speed, "speed")?,
        memory_bytes: needed(host.memory, "memory")?,
        reserved_memory_bytes: host.dom0_min_memory.unwrap_or_default(),
        netmask: host.private_netmask,
        mac: host.private_mac_address,
        capabilities,
        details: host.host_details.iter().filter_map(|(name, value)| Some((name.clone(), plain(value)?))).collect(),
        vms: host.vms.iter().filter_map(|(name, vm)| Some((name.clone(), plain(vm.get("state")?)?))).collect(),
        local_pool: answer.local_pool.and_then(|pool| local_pool_of(told, pool.pool_info)),
    })
}

fn local_pool_of(told: &StartupCommand, pool: PoolInfo) -> Option<LocalPool> {
    let usage = usage_of(&pool)?;
    Some(LocalPool {
        uuid: pool.uuid.unwrap_or_else(|| told.guid.clone()),
        host: pool.host.unwrap_or_else(|| told.private_ip_address.clone()),
        path: pool.host_path.or(pool.local_path).filter(|path| !path.is_empty())?,
        usage,
    })
}

fn usage_of(pool: &PoolInfo) -> Option<PoolUsage> {
    let capacity_bytes = pool.capacity_bytes?;
    Some(PoolUsage { capacity_bytes, used_bytes: capacity_bytes.saturating_sub(pool.available_bytes?) })
}

/// A value as a text: texts and numbers are, nothing else is.
fn plain(value: &serde_json::Value) -> Option<String> {
    match value {
        serde_json::Value::String(text) => Some(text.clone()),
        serde_json::Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A count that the wire writes with a point. Negative and absurd ones become the nearest count.
fn whole(number: f64) -> u64 {
    number as u64
}
