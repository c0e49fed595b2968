//! Commands about VMs and their moves (`contract/hyperv-wire.md` 2.14 to 2.20, 3 and 4).

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::pools::StorageFiler;
use super::{Base, Other, answers, commands, lenient};

/// A VM as commands carry it (`VirtualMachineTO`). For moves agents read the name only.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VirtualMachine {
    /// Id of the VM.
    #[serde(default)]
    pub id: i64,
    /// Instance name, which is the display name in Hyper-V.
    pub name: String,
    /// `User`, `DomainRouter`...
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub vm_type: Option<String>,
    /// Virtual CPUs.
    #[serde(default)]
    pub cpus: i64,
    /// Least memory in bytes.
    #[serde(default)]
    pub min_ram: i64,
    /// Memory in bytes.
    #[serde(default)]
    pub max_ram: i64,
    /// Public id of the VM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Disks, for a start (`DiskTO`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Value>,
    /// Network cards, for a start (`NicTO`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nics: Vec<Value>,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// A volume as a move with storage names it (`VolumeTO`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Id of the volume; the echo in the answer is matched by it.
    pub id: i64,
    /// Name of the volume.
    #[serde(default)]
    pub name: String,
    /// Path of the pool where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mount_point: Option<String>,
    /// File name without folder and extension. Must be unique within a command.
    pub path: String,
    /// Size in bytes.
    #[serde(default)]
    pub size: i64,
    /// `ROOT` or `DATADISK`.
    #[serde(rename = "type", default)]
    pub volume_type: String,
    /// Type of the pool where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_pool_type: Option<String>,
    /// Public id of the pool where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_pool_uuid: Option<String>,
    /// Place at the VM.
    #[serde(default)]
    pub device_id: i64,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// Which volume goes to which pool: one entry of `volumeToFilerAsList`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeToFiler {
    /// The volume.
    pub t: Volume,
    /// The pool it goes to.
    pub u: StorageFiler,
}

/// Asks for the power state of one VM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckVirtualMachineCommand {
    /// Instance name.
    pub vm_name: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Told to the target host before [`MigrateCommand`]; the agent does nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PrepareForMigrationCommand {
    /// The VM.
    pub vm: VirtualMachine,
    /// Always false here.
    #[serde(default)]
    pub rollback: bool,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Moves a running VM to another host; its disks stay where they are and must be reachable from both.
/// Sent to the source host.
///
/// Agents read `destIp`, management servers since 4.21 say `destinationIp`; both are sent
/// (`contract/hyperv-wire.md` 2.17).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrateCommand {
    /// Instance name.
    pub vm_name: String,
    /// Address of the target host, a literal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dest_ip: Option<String>,
    /// The same, for agents that know the newer name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_ip: Option<String>,
    /// Guid of the target host; agents ignore it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_guid: Option<String>,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

impl MigrateCommand {
    /// Moves `vm_name` to the host at `target_ip`.
    pub fn new(vm_name: &str, target_ip: &str, base: Base) -> Self {
        Self {
            vm_name: vm_name.to_owned(),
            dest_ip: Some(target_ip.to_owned()),
            destination_ip: Some(target_ip.to_owned()),
            host_guid: Some(super::naming::host_guid(target_ip)),
            base,
        }
    }
}

/// Moves one disk of a VM to another pool; the VM stays. Sent to the host where the VM runs. For
/// detached volumes agents refuse it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrateVolumeCommand {
    /// Id of the volume.
    #[serde(default)]
    pub volume_id: i64,
    /// File name without folder and extension.
    pub volume_path: String,
    /// The pool it goes to.
    pub pool: StorageFiler,
    /// Instance name of the VM that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_vm_name: Option<String>,
    /// `ROOT` or `DATADISK`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume_type: Option<String>,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Moves a running VM with its disks to another host. Sent to the source host. Entries for volumes
/// that the VM has not got are passed over in silence, and echoed as if they had been moved.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MigrateWithStorageCommand {
    /// The VM.
    pub vm: VirtualMachine,
    /// Which volume goes where.
    pub volume_to_filer_as_list: Vec<VolumeToFiler>,
    /// Address of the target host, a literal.
    pub tgt_host: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Shuts a VM down and **deletes its definition**; disks stay. An unknown VM is a success.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopCommand {
    /// Instance name.
    pub vm_name: String,
    /// When set, a VM that is missing or running is refused (`contract/hyperv-wire.md` 2.20). Agents
    /// crash when it is absent.
    pub check_before_cleanup: bool,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Defines, wires and starts a VM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartCommand {
    /// The VM with its disks and network cards.
    pub vm: VirtualMachine,
    /// Address of the host.
    #[serde(default)]
    pub host_ip: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks for the network cards of a VM; an unknown VM is a server error.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetVmConfigCommand {
    /// Instance name.
    pub vm_name: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// A network card in [`GetVmConfigAnswer`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NicConfig {
    /// Twelve digits.
    #[serde(default)]
    pub mac_address: String,
    /// Number of the VLAN as text, `-1` for none.
    #[serde(default, deserialize_with = "lenient::text")]
    pub vlanid: Option<String>,
    /// Whether it is connected.
    #[serde(default)]
    pub state: bool,
}

answers! {
    /// Power state of a VM. An unknown VM is a result of false.
    CheckVirtualMachineAnswer = "com.cloud.agent.api.CheckVirtualMachineAnswer" {
        /// The agent's name for the power state.
        #[serde(default)]
        powerstate: Option<String>,
        /// The management server's name for it.
        #[serde(default)]
        state: Option<String>,
    }
    /// Nothing was done.
    PrepareForMigrationAnswer = "com.cloud.agent.api.PrepareForMigrationAnswer" {}
    /// Whether the VM is at the target host.
    MigrateAnswer = "com.cloud.agent.api.MigrateAnswer" {}
    /// Whether the disk is in the target pool.
    MigrateVolumeAnswer = "com.cloud.agent.api.storage.MigrateVolumeAnswer" {
        /// Echo of the request, also on failure.
        #[serde(default)]
        volume_path: Option<String>,
    }
    /// Whether the VM and its disks are at the target. The volumes are an echo of the request and
    /// prove nothing.
    MigrateWithStorageAnswer = "com.cloud.agent.api.MigrateWithStorageAnswer" {
        /// The `t` objects of the request.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        volume_tos: Vec<Volume>,
    }
    /// Whether the VM is gone.
    StopAnswer = "com.cloud.agent.api.StopAnswer" {}
    /// Whether the VM runs.
    StartAnswer = "com.cloud.agent.api.StartAnswer" {
        /// Echo of the request.
        #[serde(default)]
        vm: Option<VirtualMachine>,
    }
    /// Network cards of a VM.
    GetVmConfigAnswer = "com.cloud.agent.api.GetVmConfigAnswer" {
        /// Echo of the request.
        #[serde(default)]
        vm_name: Option<String>,
        /// Cards in order.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        nics: Vec<NicConfig>,
    }
}

impl CheckVirtualMachineAnswer {
    /// The power state under whichever name it came (`contract/hyperv-wire.md` 0.3).
    pub fn power(&self) -> Option<&str> {
        self.powerstate.as_deref().or(self.state.as_deref())
    }
}

commands! {
    CheckVirtualMachineCommand = "com.cloud.agent.api.CheckVirtualMachineCommand" => CheckVirtualMachineAnswer;
    PrepareForMigrationCommand = "com.cloud.agent.api.PrepareForMigrationCommand" => PrepareForMigrationAnswer;
    MigrateCommand = "com.cloud.agent.api.MigrateCommand" => MigrateAnswer;
    MigrateVolumeCommand = "com.cloud.agent.api.storage.MigrateVolumeCommand" => MigrateVolumeAnswer;
    MigrateWithStorageCommand = "com.cloud.agent.api.MigrateWithStorageCommand" => MigrateWithStorageAnswer;
    StopCommand = "com.cloud.agent.api.StopCommand" => StopAnswer;
    StartCommand = "com.cloud.agent.api.StartCommand" => StartAnswer;
    GetVmConfigCommand = "com.cloud.agent.api.GetVmConfigCommand" => GetVmConfigAnswer;
}
