//! Commands about a host: greeting, start-up exchange, health, power report, statistics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codec::{elements, keyed, members_of, shape};
use super::{Answer, Base, Other, Outcome, PlainAnswer, WireError, answers, commands, lenient};

/// Class under which the start-up exchange carries the host (`contract/hyperv-wire.md` 2.5).
pub const STARTUP_ROUTING: &str = "com.cloud.agent.api.StartupRoutingCommand";
/// Class of the second element of the start-up answer: the host's local pool.
pub const STARTUP_STORAGE: &str = "com.cloud.agent.api.StartupStorageCommand";

/// Greets an agent; with a host id it also says under which identity the host is known
/// (`contract/hyperv-wire.md` 2.7).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadyCommand {
    /// Id of the zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dc_id: Option<i64>,
    /// Id of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_id: Option<i64>,
    /// Public id of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_uuid: Option<String>,
    /// Name of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Initialises an agent and asks for the host's facts. Must be sent once after each start of an
/// agent, else its statistics fail (`contract/hyperv-wire.md` 2.5 and 2.10).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartupCommand {
    /// Physical cores; 0 in the request.
    #[serde(default)]
    pub cpus: i64,
    /// MHz; 0 in the request.
    #[serde(default)]
    pub speed: i64,
    /// Bytes; 0 in the request.
    #[serde(default)]
    pub memory: i64,
    /// Bytes kept for the parent partition; 0 in the request.
    #[serde(default)]
    pub dom0_min_memory: i64,
    /// Guid of the cluster.
    pub pool: String,
    /// Always `Hyperv`.
    pub hypervisor_type: String,
    /// Must be there, and must not hold `product_version` nor `rdp.server.port`: the agent adds them.
    pub host_details: BTreeMap<String, Value>,
    /// Always `Routing`.
    #[serde(rename = "type")]
    pub host_type: String,
    /// Id of the zone as text.
    pub data_center: String,
    /// Id of the pod as text.
    pub pod: String,
    /// Id of the cluster as text.
    pub cluster: String,
    /// Host guid, see [`super::naming::host_guid`].
    pub guid: String,
    /// Name of the host; the address when it is first added.
    pub name: String,
    /// Address of the agent.
    pub private_ip_address: String,
    /// Address for storage traffic; the same here.
    pub storage_ip_address: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

impl StartupCommand {
    /// The exchange for a host in a zone, pod and cluster (ids as in the database).
    pub fn new(ip: &str, name: &str, zone_id: i64, pod_id: i64, cluster_id: i64) -> Self {
        let strategy = "com.cloud.network.Networks.RouterPrivateIpStrategy".to_owned();
        Self {
            cpus: 0,
            speed: 0,
            memory: 0,
            dom0_min_memory: 0,
            pool: super::naming::cluster_guid(cluster_id),
            hypervisor_type: "Hyperv".to_owned(),
            host_details: BTreeMap::from([(strategy, Value::from("HostLocal"))]),
            host_type: "Routing".to_owned(),
            data_center: zone_id.to_string(),
            pod: pod_id.to_string(),
            cluster: cluster_id.to_string(),
            guid: super::naming::host_guid(ip),
            name: name.to_owned(),
            private_ip_address: ip.to_owned(),
            storage_ip_address: ip.to_owned(),
            base: Base::default(),
        }
    }
}

/// What an agent says of its host in the start-up exchange.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostFacts {
    /// Physical cores.
    #[serde(default, deserialize_with = "lenient::number")]
    pub cpus: Option<u64>,
    /// MHz.
    #[serde(default, deserialize_with = "lenient::number")]
    pub speed: Option<u64>,
    /// Total memory in bytes.
    #[serde(default, deserialize_with = "lenient::number")]
    pub memory: Option<u64>,
    /// Bytes kept for the parent partition.
    #[serde(default, deserialize_with = "lenient::number")]
    pub dom0_min_memory: Option<u64>,
    /// Sockets.
    #[serde(default, deserialize_with = "lenient::number")]
    pub cpu_sockets: Option<u64>,
    /// `6.2` and so on, see `contract/hyperv-wire.md` 6.1.
    #[serde(default, deserialize_with = "lenient::text")]
    pub hypervisor_version: Option<String>,
    /// Echo of the guid that was sent.
    #[serde(default)]
    pub guid: Option<String>,
    /// Echo of the address that was sent.
    #[serde(default)]
    pub private_ip_address: Option<String>,
    /// Netmask of that address.
    #[serde(default)]
    pub private_netmask: Option<String>,
    /// MAC of that address, twelve digits.
    #[serde(default)]
    pub private_mac_address: Option<String>,
    /// Details; holds `product_version`.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub host_details: Other,
    /// VMs by name with `state` and `host`; there only together with the storage element.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub vms: Other,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// The host's local pool in the start-up answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LocalPool {
    /// The pool.
    pub pool_info: super::pools::PoolInfo,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// Both elements of the start-up answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StartupAnswer {
    /// Always a success: a failed exchange is no 200.
    pub outcome: Outcome,
    /// The host's facts.
    pub host: HostFacts,
    /// The local pool; a host without a default disk folder sends none.
    pub local_pool: Option<LocalPool>,
}

impl<'de> Deserialize<'de> for StartupAnswer {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Value::deserialize(deserializer)?;
        Self::from_body(body).map_err(serde::de::Error::custom)
    }
}

impl Answer for StartupAnswer {
    const CLASS: &'static str = STARTUP_ROUTING;

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn from_body(body: Value) -> Result<Self, WireError> {
        let mut parts = elements(body)?.into_iter();
        let (class, members) = keyed(parts.next().ok_or(WireError::Empty)?)?;
        if class != STARTUP_ROUTING {
            return Err(WireError::WrongClass {
                expected: STARTUP_ROUTING,
                got: class,
                details: "no details".to_owned(),
            });
        }
        let host = members_of(STARTUP_ROUTING, members)?;
        let local_pool = match parts.next() {
            None | Some(Value::Null) => None,
            Some(element) => {
                let (class, members) = keyed(element)?;
                (class == STARTUP_STORAGE).then(|| members_of(STARTUP_STORAGE, members)).transpose()?
            }
        };
        let outcome = Outcome { result: true, ..Outcome::default() };
        Ok(Self { outcome, host, local_pool })
    }
}

/// Part of the connection sequence; the agent does nothing (`contract/hyperv-wire.md` 2.8).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetupCommand {
    /// Always empty here.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Always false here.
    #[serde(default)]
    pub multipath: bool,
    /// Whether the host is new.
    #[serde(default)]
    pub need_setup: bool,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Part of the connection sequence; the agent does nothing (`contract/hyperv-wire.md` 2.8).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckNetworkCommand {
    /// Names of virtual switches by physical network. Always empty here: agents do not look at it.
    #[serde(default)]
    pub network_info_list: Vec<Value>,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks whether the agent is alive.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckHealthCommand {
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Periodic ping after a power report (`contract/hyperv-wire.md` 2.9).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PingRoutingCommand {
    /// Always `Routing`.
    pub host_type: String,
    /// Id of the host.
    pub host_id: i64,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks which VMs run. **Not harmless**: the agent deletes the definitions of switched-off CloudStack
/// VMs on the way (`contract/hyperv-wire.md` 2.9). The body is `{}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostVmStateReportCommand {}

/// Running VMs by name, in the agent's order; the value is `PowerOn` from every known agent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HostVmStateReport {
    /// Always a success: a failed report is no 200.
    pub outcome: Outcome,
    /// VM name and power state.
    pub vms: Vec<(String, String)>,
}

impl<'de> Deserialize<'de> for HostVmStateReport {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let body = Value::deserialize(deserializer)?;
        Self::from_body(body).map_err(serde::de::Error::custom)
    }
}

impl Answer for HostVmStateReport {
    /// A bare array of one-key objects has no class; this is the command's own.
    const CLASS: &'static str = "org.apache.cloudstack.HostVmStateReportCommand";

    fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn from_body(body: Value) -> Result<Self, WireError> {
        let mut vms = Vec::new();
        for element in elements(body)? {
            let (name, state) = keyed(element)?;
            match state {
                Value::String(state) => vms.push((name, state)),
                other => return Err(shape(&other)),
            }
        }
        let outcome = Outcome { result: true, ..Outcome::default() };
        Ok(Self { outcome, vms })
    }
}

/// Asks for CPU, memory and network figures. Fails until a [`StartupCommand`] came
/// (`contract/hyperv-wire.md` 2.10).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetHostStatsCommand {
    /// Host guid.
    #[serde(default)]
    pub host_guid: String,
    /// Host name.
    #[serde(default)]
    pub host_name: String,
    /// Host id; the agent needs it and gives it back.
    pub host_id: i64,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Figures of a host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStats {
    /// Percent.
    #[serde(default)]
    pub cpu_utilization: f64,
    /// Bytes since start, in spite of the name.
    #[serde(rename = "networkReadKBs", default)]
    pub network_read_bytes: f64,
    /// Bytes since start, in spite of the name.
    #[serde(rename = "networkWriteKBs", default)]
    pub network_write_bytes: f64,
    /// KiB.
    #[serde(rename = "totalMemoryKBs", default)]
    pub total_memory_kib: f64,
    /// KiB.
    #[serde(rename = "freeMemoryKBs", default)]
    pub free_memory_kib: f64,
}

/// Asks for the CPU load of VMs; unknown names are left out of the answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetVmStatsCommand {
    /// Instance names.
    pub vm_names: Vec<String>,
    /// Host guid.
    #[serde(default)]
    pub host_guid: String,
    /// Host name.
    #[serde(default)]
    pub host_name: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Figures of a VM; network figures are always 1 and say nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmStats {
    /// Percent.
    #[serde(default)]
    pub cpu_utilization: f64,
    /// Virtual CPUs.
    #[serde(rename = "numCPUs", default)]
    pub cpus: i64,
}

answers! {
    /// The agent is there.
    ReadyAnswer = "com.cloud.agent.api.ReadyAnswer" {}
    /// Nothing was done.
    SetupAnswer = "com.cloud.agent.api.SetupAnswer" {}
    /// Nothing was looked at.
    CheckNetworkAnswer = "com.cloud.agent.api.CheckNetworkAnswer" {}
    /// The agent is alive.
    CheckHealthAnswer = "com.cloud.agent.api.CheckHealthAnswer" {}
    /// Figures of the host.
    GetHostStatsAnswer = "com.cloud.agent.api.GetHostStatsAnswer" {
        /// Absent on failure.
        #[serde(default)]
        host_stats: Option<HostStats>,
    }
    /// Figures of the VMs that the host knows.
    GetVmStatsAnswer = "com.cloud.agent.api.GetVmStatsAnswer" {
        /// By instance name.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        vm_stats_map: BTreeMap<String, VmStats>,
    }
}

commands! {
    ReadyCommand = "com.cloud.agent.api.ReadyCommand" => ReadyAnswer;
    SetupCommand = "com.cloud.agent.api.SetupCommand" => SetupAnswer;
    CheckNetworkCommand = "com.cloud.agent.api.CheckNetworkCommand" => CheckNetworkAnswer;
    CheckHealthCommand = "com.cloud.agent.api.CheckHealthCommand" => CheckHealthAnswer;
    PingRoutingCommand = "com.cloud.agent.api.PingRoutingCommand" => PlainAnswer;
    HostVmStateReportCommand = "org.apache.cloudstack.HostVmStateReportCommand" => HostVmStateReport;
    GetHostStatsCommand = "com.cloud.agent.api.GetHostStatsCommand" => GetHostStatsAnswer;
    GetVmStatsCommand = "com.cloud.agent.api.GetVmStatsCommand" => GetVmStatsAnswer;
}

impl super::Command for StartupCommand {
    const CLASS: &'static str = "com.cloud.agent.api.StartupCommand";
    const WRAPPED_AS: Option<&'static str> = Some(STARTUP_ROUTING);
    type Answer = StartupAnswer;
}
