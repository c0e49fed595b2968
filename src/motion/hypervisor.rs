//! What a motion asks of a hypervisor: the port that `hypervisors/*` implement.
//!
//! Facts go in, facts come out; an implementation never sees the database. Every question has an honest "cannot tell":
//! stock agents know no more than whether a VM is there. An [`AgentError`] says whether the command can have had an
//! effect, because that decides whether "it failed" may be believed or has to be asked.

use std::fmt;

use futures_util::future::BoxFuture;

/// A host to talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRef {
    /// Internal id, for logs and CloudStack's texts.
    pub id: i64,
    /// Name, for texts.
    pub name: String,
    /// Address literal at which the agent listens; also what a source host is told as its peer's address.
    pub ip: String,
    /// Port of the agent, when it is not the one in the settings.
    pub port: Option<u16>,
    /// The agent's guid.
    pub guid: String,
}

/// A pool as an agent is told it (`contract/hyperv-wire.md` 2.13: StorageFilerTO).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolRef {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// `SMB` or `Filesystem`.
    pub kind: String,
    /// Server of a share; the host's address for local storage.
    pub host: String,
    /// Path, without what follows `?`.
    pub path: String,
    /// Port.
    pub port: i64,
}

/// A disk as an agent is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskRef {
    /// Internal id of the volume.
    pub volume_id: i64,
    /// Public id of the volume.
    pub uuid: String,
    /// Name of the volume.
    pub name: String,
    /// `ROOT` or `DATADISK`.
    pub kind: String,
    /// File name without folder and extension.
    pub stem: String,
    /// `VHDX` or `VHD`.
    pub format: String,
    /// Size in bytes.
    pub size_bytes: i64,
    /// Position in the VM.
    pub device_id: i64,
    /// The pool that holds it.
    pub pool: PoolRef,
}

/// A VM as an agent is told it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmRef {
    /// Internal id.
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name at the hypervisor.
    pub name: String,
    /// Number of CPUs.
    pub cpus: i64,
    /// Speed of each, MHz.
    pub speed_mhz: i64,
    /// Memory in bytes.
    pub memory_bytes: i64,
}

/// One disk of a running VM to another pool, the VM stays.
#[derive(Clone, Debug)]
pub struct VolumeMove {
    /// Id of the motion; an agent that knows our extension answers questions about it.
    pub motion: String,
    /// The VM.
    pub vm: VmRef,
    /// The disk, where it is now.
    pub disk: DiskRef,
    /// Where it goes.
    pub target: PoolRef,
}

/// A running VM to another host, with its disks.
#[derive(Clone, Debug)]
pub struct VmMove {
    /// Id of the motion.
    pub motion: String,
    /// The VM.
    pub vm: VmRef,
    /// The host that receives it.
    pub target_host: HostRef,
    /// Every disk, where it is now and where it goes. Empty: the VM alone moves, its disks are reachable from both hosts.
    pub disks: Vec<(DiskRef, PoolRef)>,
}

/// A disk that no running VM uses, copied under a new file name.
#[derive(Clone, Debug)]
pub struct VolumeCopy {
    /// Id of the motion.
    pub motion: String,
    /// The disk, where it is now.
    pub disk: DiskRef,
    /// The copy: its row's ids, its file name, and the pool in which it is made.
    pub copy: DiskRef,
}

/// What an agent said of a command that it carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The agent's words.
    pub details: Option<String>,
    /// File names that it named, by volume id. The stock agent repeats what it was sent.
    pub stems: Vec<(i64, String)>,
}

/// Whether a VM is on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VmPresence {
    /// It runs there.
    Running,
    /// It is defined there and switched off.
    Off,
    /// It is defined there in another state.
    Other,
    /// The host does not know it.
    Absent,
}

/// A disk of a VM as its host sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VmDisk {
    /// File name without folder and extension.
    pub stem: String,
    /// The folder: a UNC name, or a path of the host.
    pub folder: String,
    /// Size of the disk inside, bytes.
    pub size_bytes: u64,
    /// The identity that is written in the image.
    pub identity: Option<String>,
}

/// A file in a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFact {
    /// File name with extension.
    pub file: String,
    /// Size of the disk inside, bytes.
    pub size_bytes: u64,
    /// Bytes on disk.
    pub allocated_bytes: u64,
    /// The identity that is written in the image.
    pub identity: Option<String>,
    /// False for a half copy.
    pub complete: bool,
}

/// How far a motion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MotionState {
    /// It runs.
    Running,
    /// It is over and what was asked has been done.
    Done,
    /// It is over and nothing was changed.
    Failed,
    /// The agent has not heard of it, or forgot it.
    Unknown,
}

/// What an agent tells of a motion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MotionStatus {
    /// How far.
    pub state: MotionState,
    /// The agent's word for what it is doing.
    pub phase: String,
    /// Bytes to move in all.
    pub bytes_total: u64,
    /// Bytes moved.
    pub bytes_done: u64,
    /// What the agent says of the end, once it is over: its answer, once more.
    pub end: Option<Answer<Told>>,
}

/// What an agent says to the order to stop a motion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// It stops, and everything stays where it was.
    Told,
    /// The agent has not heard of the motion, and refuses it from now on, should its request still come.
    Barred,
    /// It does not stop, for this reason: it has ended or is past its point of no return.
    Refused(String),
}

/// Whether a command that failed can have had an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing was changed: it never went out, or the agent said so.
    None,
    /// It went out and the answer is missing or of no use: only the host can tell.
    Unknown,
}

/// A command to an agent failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentError {
    /// Whether it can have had an effect.
    pub effect: Effect,
    /// What happened, in words: the agent's own where there are some.
    pub text: String,
}

impl fmt::Display for AgentError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl std::error::Error for AgentError {}

/// The result of a command or question.
pub type Answer<T> = Result<T, AgentError>;

/// What a motion asks of a hypervisor. `None` from a question means "this agent cannot tell".
///
/// Commands that move data return when the host says that it is over, however long that takes; no clock ends them.
pub trait Hypervisor: Send + Sync {
    /// Whether the VM is on the host.
    fn vm_presence<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<VmPresence>>;

    /// The disks of a VM on its host.
    fn vm_disks<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<Option<Vec<VmDisk>>>>;

    /// The files of that name in a pool, as the host sees it.
    fn files<'a>(
        &'a self,
        host: &'a HostRef,
        pool: &'a PoolRef,
        stem: &'a str,
    ) -> BoxFuture<'a, Answer<Option<Vec<FileFact>>>>;

    /// How far a motion is, asked of the host that it was sent to.
    fn motion_status<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<MotionStatus>>>;

    /// Tells the host that a motion was sent to that it is to stop, or never to begin.
    fn stop_motion<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<Stopping>>>;

    /// The folder of a pool, spelled as [`VmDisk::folder`] spells it on the host.
    fn folder(&self, pool: &PoolRef) -> String;

    /// Moves one disk of a running VM. Sent to the host that runs it.
    fn move_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeMove) -> BoxFuture<'a, Answer<Told>>;

    /// Moves a running VM, with disks when the order has any. Sent to the host that runs it.
    fn move_vm<'a>(&'a self, host: &'a HostRef, order: &'a VmMove) -> BoxFuture<'a, Answer<Told>>;

    /// Copies a disk that no running VM uses. Sent to a host that reaches both pools.
    fn copy_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeCopy) -> BoxFuture<'a, Answer<Told>>;

    /// Deletes the file of a disk. A file that is not there counts as deleted.
    fn delete_volume<'a>(&'a self, host: &'a HostRef, disk: &'a DiskRef) -> BoxFuture<'a, Answer<()>>;
}

/// Whether two folders are the same to Windows: letter case and the direction of slashes do not matter, nor does a slash at
/// the end.
#[must_use]
pub fn same_folder(one: &str, other: &str) -> bool {
    let plain = |folder: &str| folder.replace('/', "\\").trim_end_matches('\\').to_lowercase();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_compared_as_windows_does() {
        assert!(same_folder(r"\\FS1\share\", r"\\fs1/share"));
        assert!(!same_folder(r"\\fs1\share", r"\\fs1\share2"));
    }
}
