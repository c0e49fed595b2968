//! Commands about storage pools (`contract/hyperv-wire.md` 2.12 and 2.13).

use serde::{Deserialize, Serialize};

use super::{Base, Other, PlainAnswer, answers, commands, lenient, naming};

/// Pool type of a share.
pub const SMB: &str = "SMB";
/// Pool type of a folder on a host.
pub const FILESYSTEM: &str = "Filesystem";

/// A pool as moves and pool commands name it (`StorageFilerTO`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct StorageFiler {
    /// Id of the pool.
    #[serde(default)]
    pub id: i64,
    /// Public id of the pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// File server; for a local pool the host's address.
    #[serde(default)]
    pub host: String,
    /// Share path with a leading slash, or folder on the host. Never with a query.
    #[serde(default)]
    pub path: String,
    /// 445 for shares, 0 for folders.
    #[serde(default)]
    pub port: i64,
    /// [`SMB`] or [`FILESYSTEM`], letter for letter; agents refuse others.
    #[serde(rename = "type")]
    pub pool_type: String,
}

impl StorageFiler {
    /// The folder that the pool is to Hyper-V: UNC name of the share, or the local path as it is.
    pub fn folder(&self) -> String {
        if self.pool_type == SMB { naming::smb_unc(&self.host, &self.path) } else { self.path.clone() }
    }
}

/// Announces a new pool to one host; the agent does nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CreateStoragePoolCommand {
    /// Always true.
    pub add: bool,
    /// The pool.
    pub pool: StorageFiler,
    /// A mount path that means nothing on Windows.
    #[serde(default)]
    pub local_path: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Registers a pool on a host: the agent looks at it and remembers where the share is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModifyStoragePoolCommand {
    /// True to register.
    pub add: bool,
    /// The pool.
    pub pool: StorageFiler,
    /// For a folder, its path; else a mount path that means nothing on Windows.
    #[serde(default)]
    pub local_path: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Takes a pool away; the agent does nothing. The leading underscores are part of the names.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeleteStoragePoolCommand {
    /// The pool.
    #[serde(rename = "_pool")]
    pub pool: StorageFiler,
    /// A mount path that means nothing on Windows.
    #[serde(rename = "_localPath", default)]
    pub local_path: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks for capacity and use of a pool. A share must have been registered since the agent was
/// installed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetStorageStatsCommand {
    /// Public id of the pool, under which a share was registered.
    pub id: String,
    /// The folder, for a local pool.
    #[serde(default)]
    pub local_path: String,
    /// [`SMB`] or [`FILESYSTEM`]. The name is all in lower case.
    #[serde(rename = "pooltype")]
    pub pool_type: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// What an agent says of a pool.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PoolInfo {
    /// Id of a local pool: the host's guid. Null for registered pools.
    #[serde(default)]
    pub uuid: Option<String>,
    /// File server or the host's address.
    #[serde(default)]
    pub host: Option<String>,
    /// Share path or folder.
    #[serde(default)]
    pub host_path: Option<String>,
    /// UNC name or folder.
    #[serde(default)]
    pub local_path: Option<String>,
    /// [`SMB`] or [`FILESYSTEM`].
    #[serde(default)]
    pub pool_type: Option<String>,
    /// Size of the pool.
    #[serde(default, deserialize_with = "lenient::number")]
    pub capacity_bytes: Option<u64>,
    /// Free bytes.
    #[serde(default, deserialize_with = "lenient::number")]
    pub available_bytes: Option<u64>,
}

answers! {
    /// The pool was looked at. On an unknown pool type a plain answer comes instead.
    ModifyStoragePoolAnswer = "com.cloud.agent.api.ModifyStoragePoolAnswer" {
        /// UNC name or folder.
        #[serde(default)]
        local_path: Option<String>,
        /// Always empty.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        template_info: Other,
        /// Sizes and place.
        #[serde(default)]
        pool_info: Option<PoolInfo>,
    }
    /// Capacity and use. Agents say `capacity` and `used`; newer names are read as well.
    GetStorageStatsAnswer = "com.cloud.agent.api.GetStorageStatsAnswer" {
        /// The agent's name for the size of the pool.
        #[serde(default, deserialize_with = "lenient::number")]
        capacity: Option<u64>,
        /// The agent's name for the bytes in use.
        #[serde(default, deserialize_with = "lenient::number")]
        used: Option<u64>,
        /// The management server's newer name for the size of the pool.
        #[serde(default, deserialize_with = "lenient::number")]
        capacity_bytes: Option<u64>,
        /// The management server's newer name for the bytes in use.
        #[serde(default, deserialize_with = "lenient::number")]
        used_bytes: Option<u64>,
    }
}

impl GetStorageStatsAnswer {
    /// Size of the pool in bytes, under whichever name it came (`contract/hyperv-wire.md` 0.2).
    pub fn size_bytes(&self) -> Option<u64> {
        self.capacity.or(self.capacity_bytes)
    }

    /// Bytes in use, under whichever name they came.
    pub fn in_use_bytes(&self) -> Option<u64> {
        self.used.or(self.used_bytes)
    }
}

commands! {
    CreateStoragePoolCommand = "com.cloud.agent.api.CreateStoragePoolCommand" => PlainAnswer;
    ModifyStoragePoolCommand = "com.cloud.agent.api.ModifyStoragePoolCommand" => ModifyStoragePoolAnswer;
    DeleteStoragePoolCommand = "com.cloud.agent.api.DeleteStoragePoolCommand" => PlainAnswer;
    GetStorageStatsCommand = "com.cloud.agent.api.GetStorageStatsCommand" => GetStorageStatsAnswer;
}
