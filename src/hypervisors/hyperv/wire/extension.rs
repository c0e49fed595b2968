//! Additions of ours to the agent's wire. A stock agent answers 404 to each of them, and ignores the
//! context that moves carry; so the gateway asks for the capabilities first and does without if need be.

use serde::{Deserialize, Serialize};

use super::{Base, answers, commands, lenient};

/// Header of a request with a mark for it, a UUID. An agent that gives it back in the head of its answer may be asked again
/// over the same connection.
pub const MARK_HEADER: &str = "stackmotion-mark";

/// Key in `contextMap` of Migrate, MigrateVolume, MigrateWithStorage and Copy: the motion's id.
pub const MOTION_KEY: &str = "motion";

/// The agent can tell how far a motion is, and cancel it.
pub const MOTION_STATUS: &str = "motion-status";
/// The agent can tell which disks a VM has and where.
pub const VM_DISKS: &str = "vm-disks";
/// The agent can tell facts about disk files in a pool.
pub const FILE_FACTS: &str = "file-facts";

/// Asks what the agent can do beyond the stock protocol.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CapabilitiesCommand {
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks how far a motion is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MotionStatusCommand {
    /// The id that the command which started the motion carried in its context.
    pub motion_id: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks to stop a motion. It ends as cancelled unless it is past the switch. One that the agent has not heard of is refused
/// from then on: a request that was still on its way when its sender died does nothing any more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelMotionCommand {
    /// The id that the command which started the motion carried in its context.
    pub motion_id: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Asks which disks a VM has and where they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmDisksCommand {
    /// Instance name, which is the display name in Hyper-V.
    pub vm_name: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// Which pool a [`FileFactsCommand`] looks into, as moves name it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PoolPlace {
    /// `SMB` or `Filesystem`.
    #[serde(rename = "type")]
    pub pool_type: String,
    /// File server; not read for `Filesystem`.
    pub host: String,
    /// Share path or folder, as in a pool object.
    pub path: String,
}

/// Asks which files of a given stem lie in a pool, and what they are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FileFactsCommand {
    /// Where to look.
    pub pool: PoolPlace,
    /// File name without folder and extension.
    pub stem: String,
    /// Common members.
    #[serde(flatten)]
    pub base: Base,
}

/// State of a motion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MotionState {
    /// Under way.
    Running,
    /// Ended well: disks and VM are at the target.
    Done,
    /// Ended badly: disks and VM are at the source.
    Failed,
    /// Stopped by request: disks and VM are at the source.
    Cancelled,
}

/// One disk of a VM.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VmDisk {
    /// File name without folder and extension; empty of a disk that is no file, such as one that is passed through.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub stem: String,
    /// File name.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub file: String,
    /// Folder as the host names it: `\\host\share` or `D:\VHDs`.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub folder: String,
    /// Size that the guest sees.
    #[serde(default, deserialize_with = "lenient::number")]
    pub virtual_bytes: Option<u64>,
    /// Bytes that the file takes up in its pool.
    #[serde(default, deserialize_with = "lenient::number")]
    pub allocated_bytes: Option<u64>,
    /// The disk's own id, kept across moves: the VHDX virtual disk id or the VHD unique id.
    #[serde(default, deserialize_with = "lenient::text")]
    pub identity: Option<String>,
}

/// One file that a [`FileFactsCommand`] found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FileFact {
    /// File name.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub file: String,
    /// Size that a guest would see; absent when the file is no whole image.
    #[serde(default, deserialize_with = "lenient::number")]
    pub virtual_bytes: Option<u64>,
    /// Length of the file.
    #[serde(default, deserialize_with = "lenient::number")]
    pub file_bytes: Option<u64>,
    /// Bytes that the file takes up in its pool.
    #[serde(default, deserialize_with = "lenient::number")]
    pub allocated_bytes: Option<u64>,
    /// The disk's own id, see [`VmDisk::identity`].
    #[serde(default, deserialize_with = "lenient::text")]
    pub identity: Option<String>,
    /// False for a copy that is not finished, or was left behind half done.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub complete: bool,
}

answers! {
    /// What the agent can do beyond the stock protocol.
    CapabilitiesAnswer = "stackmotion.CapabilitiesAnswer" {
        /// Names of additions, for instance [`MOTION_STATUS`].
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        extensions: Vec<String>,
    }
    /// How far a motion is.
    MotionStatusAnswer = "stackmotion.MotionStatusAnswer" {
        /// False when the agent knows nothing of the motion: it never began, or the agent was
        /// started anew since.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        known: bool,
        /// State; absent when unknown.
        #[serde(default)]
        state: Option<MotionState>,
        /// What is being done at the moment, in a word: `copy`, `switch`...
        #[serde(default)]
        phase: Option<String>,
        /// Bytes to copy in all, holes not counted.
        #[serde(default, deserialize_with = "lenient::number")]
        bytes_total: Option<u64>,
        /// Bytes copied so far.
        #[serde(default, deserialize_with = "lenient::number")]
        bytes_done: Option<u64>,
    }
    /// Whether the motion was told to stop.
    CancelMotionAnswer = "stackmotion.CancelMotionAnswer" {
        /// False when the agent knew nothing of the motion. It is refused should it still come.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        known: bool,
    }
    /// The disks of a VM. An unknown VM is a result of false.
    VmDisksAnswer = "stackmotion.VmDisksAnswer" {
        /// The VM asked for.
        #[serde(default)]
        vm_name: Option<String>,
        /// `PowerOn`, `PowerOff` or `PowerUnknown`.
        #[serde(default)]
        powerstate: Option<String>,
        /// Its disks in order of attachment.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        disks: Vec<VmDisk>,
    }
    /// The files of that stem.
    FileFactsAnswer = "stackmotion.FileFactsAnswer" {
        /// Files found; empty when there is none.
        #[serde(default, deserialize_with = "lenient::null_as_default")]
        files: Vec<FileFact>,
    }
}

commands! {
    CapabilitiesCommand = "stackmotion.CapabilitiesCommand" => CapabilitiesAnswer;
    MotionStatusCommand = "stackmotion.MotionStatusCommand" => MotionStatusAnswer;
    CancelMotionCommand = "stackmotion.CancelMotionCommand" => CancelMotionAnswer;
    VmDisksCommand = "stackmotion.VmDisksCommand" => VmDisksAnswer;
    FileFactsCommand = "stackmotion.FileFactsCommand" => FileFactsAnswer;
}

#[cfg(test)]
mod tests {
    use super::super::decode;
    use super::*;

    /// One odd disk does not hide where the others are.
    #[test]
    fn a_disk_without_a_file_and_an_id_that_is_no_text_are_read() {
        let body = br#"[{"stackmotion.VmDisksAnswer":{"result":true,"disks":[
            {"stem":"a","file":"a.vhdx","folder":"D:\\VHDs","identity":17},
            {"stem":null,"folder":null,"identity":{}}]}}]"#;
        let answer = decode::<VmDisksCommand>(body).unwrap();
        let [disk, passed_through] = answer.disks.as_slice() else { panic!("{answer:?}") };
        assert_eq!((disk.folder.as_str(), disk.identity.as_deref()), (r"D:\VHDs", Some("17")));
        assert_eq!(passed_through, &VmDisk::default());
    }
}
