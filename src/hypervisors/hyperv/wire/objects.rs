//! Commands about disk files outside of VMs: create, copy, delete (`contract/hyperv-wire.md` 2.21, 2.22).

use serde::{Deserialize, Serialize};

use super::{Base, Other, PlainAnswer, answers, commands, lenient};

/// A thing that can be copied or deleted; on the wire an object with one key, its class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DataObject {
    /// A volume.
    #[serde(rename = "org.apache.cloudstack.storage.to.VolumeObjectTO")]
    Volume(Box<VolumeObject>),
    /// A template.
    #[serde(rename = "org.apache.cloudstack.storage.to.TemplateObjectTO")]
    Template(Box<TemplateObject>),
}

/// A place where volumes and templates lie; on the wire an object with one key, its class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum DataStore {
    /// Primary storage: a share or a folder on a host.
    #[serde(rename = "org.apache.cloudstack.storage.to.PrimaryDataStoreTO")]
    Primary(Box<PrimaryDataStore>),
    /// Secondary storage, also when it is a share.
    #[serde(rename = "com.cloud.agent.api.to.NfsTO")]
    Secondary(Box<SecondaryDataStore>),
}

/// A volume (`VolumeObjectTO`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeObject {
    /// Public id; names the file when there is no path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_store: Option<DataStore>,
    /// Name of the volume.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Size in bytes; agents need a number.
    #[serde(default, deserialize_with = "lenient::number", skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// File name without folder and extension. After a copy from primary to primary the agent answers
    /// `<path>/<uuid>.<format>`, which names no file (`contract/hyperv-wire.md` 2.22).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `VHDX` or `VHD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// A template (`TemplateObjectTO`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TemplateObject {
    /// Public id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Where it lies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_data_store: Option<DataStore>,
    /// Name of the template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// File name without folder and extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `VHDX`, `VHD` or `ISO`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// Primary storage (`PrimaryDataStoreTO`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PrimaryDataStore {
    /// Public id of the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Name of the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Id of the pool.
    #[serde(default)]
    pub id: i64,
    /// `Filesystem`; everything else counts as `SMB`.
    pub pool_type: String,
    /// File server or the host's address.
    #[serde(default)]
    pub host: String,
    /// Share path or folder; never with a query.
    #[serde(default)]
    pub path: String,
    /// 445 for shares.
    #[serde(default)]
    pub port: i64,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// Secondary storage (`NfsTO`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SecondaryDataStore {
    /// `cifs://host/share`; agents make nothing of `nfs://`.
    #[serde(rename = "_url", default)]
    pub url: String,
    /// `Image` or `ImageCache`.
    #[serde(rename = "_role", default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

/// Creates an empty dynamic VHDX named after the volume's uuid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CreateObjectCommand {
    /// The volume.
    pub data: DataObject,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Deletes the file of a volume; a missing file is a success.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteCommand {
    /// The volume.
    pub data: DataObject,
    /// Always false here.
    #[serde(default)]
    pub delete_chain: bool,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Copies a volume or template to another store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CopyCommand {
    /// What is copied.
    #[serde(rename = "srcTO")]
    pub source: DataObject,
    /// What it becomes.
    #[serde(rename = "destTO")]
    pub target: DataObject,
    /// Always false here.
    #[serde(default)]
    pub execute_in_sequence: bool,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

answers! {
    /// The new volume.
    CreateObjectAnswer = "org.apache.cloudstack.storage.command.CreateObjectAnswer" {
        /// Echo with the path of the new file.
        #[serde(default)]
        data: Option<DataObject>,
    }
    /// The copy.
    CopyCmdAnswer = "org.apache.cloudstack.storage.command.CopyCmdAnswer" {
        /// Echo of the target with the path as the agent sees it, see [`VolumeObject::path`].
        #[serde(default)]
        new_data: Option<DataObject>,
    }
}

commands! {
    CreateObjectCommand = "org.apache.cloudstack.storage.command.CreateObjectCommand" => CreateObjectAnswer;
    DeleteCommand = "org.apache.cloudstack.storage.command.DeleteCommand" => PlainAnswer;
    CopyCommand = "org.apache.cloudstack.storage.command.CopyCommand" => CopyCmdAnswer;
}
