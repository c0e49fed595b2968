//! A Hyper-V host as a motion sees it: the port [`Hypervisor`] spoken over the agent's wire.

mod orders;
mod paths;

pub(super) use orders::filer_of;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use self::orders::{copy_of, deletion_of, disk_move_of, plain_move_of, preparation_of, storage_move_of};
use super::client::{AgentClient, ClientError};
use super::wire::extension::{
    self as ours, CancelMotionCommand, FileFactsCommand, MotionStatusCommand, PoolPlace, VmDisksCommand,
};
use super::wire::objects::DataObject;
use super::wire::vms::CheckVirtualMachineCommand;
use super::wire::{Base, Command, naming};
use crate::motion::hypervisor::{
    AgentError, Answer, DiskRef, FileFact, HostRef, Hypervisor, MotionState, MotionStatus, PoolRef, Stopping, Told,
    VmDisk, VmMove, VmPresence, VolumeCopy, VolumeMove,
};

/// How long it is believed that an agent lacks one of our additions. A newer agent may have been installed since.
const LACKING_FOR: Duration = Duration::from_secs(600);

/// The text in which a stock agent says that it has no VM of a name (`contract/hyperv-wire.md` 2.14).
const UNKNOWN_VM: &str = "requested unknown VM";

/// What the name service of a Windows host says when an address has no name (`contract/hyperv-wire.md` 2.17).
const NO_SUCH_HOST: &str = "No such host is known";

/// Hyper-V hosts, through their agents.
pub struct HyperV {
    client: Arc<AgentClient>,
    /// Which additions of ours an address lacks, and since when that is known.
    lacking: Mutex<HashMap<(String, &'static str), Instant>>,
}

impl HyperV {
    /// Hosts to which `client` talks.
    pub fn new(client: Arc<AgentClient>) -> Self {
        Self { client, lacking: Mutex::default() }
    }

    /// The client that talks to the agents.
    pub fn client(&self) -> &Arc<AgentClient> {
        &self.client
    }

    /// Forgets what an agent was found to lack. Called when the agent was started anew: it may be another one.
    pub fn forget_abilities(&self, host: &HostRef) {
        let address = self.client.address_of(host);
        self.lacking.lock().unwrap_or_else(PoisonError::into_inner).retain(|(lacking, _), _| *lacking != address);
    }

    /// Asks something that only our agent knows; `None` from a stock agent, which is asked once and then left alone
    /// for a while.
    async fn ask<C: Command>(&self, host: &HostRef, command: &C) -> Answer<Option<C::Answer>> {
        Ok(self.ask_raw(host, command).await?)
    }

    /// The same, with the client's own error.
    async fn ask_raw<C: Command>(&self, host: &HostRef, command: &C) -> Result<Option<C::Answer>, ClientError> {
        let key = (self.client.address_of(host), C::CLASS);
        let known = self.lacking.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        if known.is_some_and(|since| since.elapsed() < LACKING_FOR) {
            return Ok(None);
        }
        match self.client.send(host, command).await {
            Ok(answer) => Ok(Some(answer)),
            Err(ClientError::UnknownEndpoint { .. }) => {
                self.lacking.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Instant::now());
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn presence(&self, host: &HostRef, vm: &str) -> Answer<VmPresence> {
        let command = CheckVirtualMachineCommand { vm_name: vm.to_owned(), base: Base::default() };
        match self.client.send(host, &command).await {
            Ok(answer) => Ok(match answer.power() {
                Some("PowerOn" | "Running") => VmPresence::Running,
                Some("PowerOff" | "Stopped") => VmPresence::Off,
                _ => VmPresence::Other,
            }),
            Err(ClientError::Refused { details: Some(details), .. }) if says_unknown(&details, vm) => {
                Ok(VmPresence::Absent)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn carry_out<C: Command>(&self, host: &HostRef, command: &C) -> Answer<C::Answer> {
        self.client.send(host, command).await.map_err(|error| with_advice(error.into()))
    }

    async fn move_whole(&self, host: &HostRef, order: &VmMove) -> Answer<Told> {
        if order.disks.is_empty() {
            let command = plain_move_of(order)?;
            // The agent does nothing on this; what counts is that the target can be asked afterwards at all.
            self.carry_out(&order.target_host, &preparation_of(order)).await.map_err(never_sent)?;
            let answer = self.carry_out(host, &command).await?;
            return Ok(Told { details: answer.outcome.details, stems: Vec::new() });
        }
        let answer = self.carry_out(host, &storage_move_of(order)?).await?;
        let stems = answer.volume_tos.into_iter().map(|volume| (volume.id, volume.path)).collect();
        Ok(Told { details: answer.outcome.details, stems })
    }
}

/// Whether a refusal says that the VM asked for, and no other, is unknown.
fn says_unknown(details: &str, vm: &str) -> bool {
    details.split_once(UNKNOWN_VM).is_some_and(|(_, named)| named.trim() == vm.trim())
}

/// Adds what to do to texts of the agent that do not say it.
fn with_advice(mut error: AgentError) -> AgentError {
    if error.text.contains(NO_SUCH_HOST) {
        error.text.push_str(
            " (the source host looks up the target's name by its address before it moves a VM: give the target's address a \
             reverse DNS entry, and try again)",
        );
    }
    error
}

/// Whatever became of the question to the target, the move itself was not sent.
fn never_sent(error: AgentError) -> AgentError {
    AgentError {
        effect: crate::motion::hypervisor::Effect::None,
        text: format!("the target host is not ready to receive the VM: {}; the move was not begun", error.text),
    }
}

impl Hypervisor for HyperV {
    /// `CheckVirtualMachineCommand` (`contract/hyperv-wire.md` 2.14). Only the text that names this VM as unknown means
    /// absent; any other refusal is an error, since it says nothing about the VM.
    fn vm_presence<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<VmPresence>> {
        Box::pin(self.presence(host, vm))
    }

    fn vm_disks<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<Option<Vec<VmDisk>>>> {
        Box::pin(async move {
            let command = VmDisksCommand { vm_name: vm.to_owned(), base: Base::default() };
            let answer = self.ask(host, &command).await?;
            Ok(answer.map(|answer| answer.disks.into_iter().map(disk_seen).collect()))
        })
    }

    fn files<'a>(
        &'a self,
        host: &'a HostRef,
        pool: &'a PoolRef,
        stem: &'a str,
    ) -> BoxFuture<'a, Answer<Option<Vec<FileFact>>>> {
        Box::pin(async move {
            orders::check_stem(stem)?;
            let pool = filer_of(pool)?;
            let place = PoolPlace { pool_type: pool.pool_type, host: pool.host, path: pool.path };
            let command = FileFactsCommand { pool: place, stem: stem.to_owned(), base: Base::default() };
            let answer = self.ask(host, &command).await?;
            Ok(answer.map(|answer| answer.files.into_iter().map(file_seen).collect()))
        })
    }

    fn motion_status<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<MotionStatus>>> {
        Box::pin(async move {
            let command = MotionStatusCommand { motion_id: motion.to_owned(), base: Base::default() };
            let answer = self.ask(host, &command).await?;
            Ok(answer.map(|answer| {
                let state = state_seen(answer.state.filter(|_| answer.known));
                MotionStatus {
                    state,
                    phase: answer.phase.unwrap_or_default(),
                    bytes_total: answer.bytes_total.unwrap_or_default(),
                    bytes_done: answer.bytes_done.unwrap_or_default(),
                    end: end_seen(state, answer.outcome.details),
                }
            }))
        })
    }

    fn stop_motion<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<Stopping>>> {
        Box::pin(async move {
            let command = CancelMotionCommand { motion_id: motion.to_owned(), base: Base::default() };
            match self.ask_raw(host, &command).await {
                Ok(answer) => Ok(answer.map(|answer| if answer.known { Stopping::Told } else { Stopping::Barred })),
                Err(ClientError::Refused { details, .. }) => {
                    let text = details.unwrap_or_else(|| "the agent gave no reason".to_owned());
                    Ok(Some(Stopping::Refused(text)))
                }
                Err(error) => Err(error.into()),
            }
        })
    }

    /// UNC name for a share, with the server in lower case; the path as it is for a folder
    /// (`contract/hyperv-wire.md` 3.1). Compare folders with [`same_folder`](crate::motion::hypervisor::same_folder), not letter for letter.
    fn folder(&self, pool: &PoolRef) -> String {
        let path = naming::path_without_query(&pool.path);
        if pool.kind == super::wire::pools::FILESYSTEM { path.to_owned() } else { naming::smb_unc(&pool.host, path) }
    }

    /// `MigrateVolumeCommand` (`contract/hyperv-wire.md` 4).
    fn move_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeMove) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(async move {
            let answer = self.carry_out(host, &disk_move_of(order)?).await?;
            let stems = answer.volume_path.map(|stem| (order.disk.volume_id, stem)).into_iter().collect();
            Ok(Told { details: answer.outcome.details, stems })
        })
    }

    /// `MigrateWithStorageCommand` when there are disks (`contract/hyperv-wire.md` 3), else
    /// `PrepareForMigrationCommand` to the target and `MigrateCommand` to the source (2.16, 2.17).
    fn move_vm<'a>(&'a self, host: &'a HostRef, order: &'a VmMove) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(self.move_whole(host, order))
    }

    /// `CopyCommand` from primary to primary storage (`contract/hyperv-wire.md` 2.22). The path that a stock agent
    /// answers names no file, so it is not passed on unless it is a bare stem.
    fn copy_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeCopy) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(async move {
            let answer = self.carry_out(host, &copy_of(order)?).await?;
            let path = match answer.new_data {
                Some(DataObject::Volume(volume)) => volume.path,
                _ => None,
            };
            let bare = path.filter(|path| orders::check_stem(path).is_ok());
            let stems = bare.map(|stem| (order.copy.volume_id, stem)).into_iter().collect();
            Ok(Told { details: answer.outcome.details, stems })
        })
    }

    /// `DeleteCommand` (`contract/hyperv-wire.md` 2.21).
    fn delete_volume<'a>(&'a self, host: &'a HostRef, disk: &'a DiskRef) -> BoxFuture<'a, Answer<()>> {
        Box::pin(async move {
            self.carry_out(host, &deletion_of(disk)?).await?;
            Ok(())
        })
    }
}

fn disk_seen(disk: ours::VmDisk) -> VmDisk {
    VmDisk {
        stem: disk.stem,
        folder: disk.folder,
        size_bytes: disk.virtual_bytes.unwrap_or_default(),
        identity: disk.identity,
    }
}

fn file_seen(file: ours::FileFact) -> FileFact {
    FileFact {
        file: file.file,
        // Only a file that is no whole image has no size of a disk; that is told by `complete`.
        size_bytes: file.virtual_bytes.unwrap_or_default(),
        allocated_bytes: file.allocated_bytes.or(file.file_bytes).unwrap_or_default(),
        identity: file.identity,
        complete: file.complete,
    }
}

/// What the answer of a motion that is over was, by what its agent says of it now.
fn end_seen(state: MotionState, details: Option<String>) -> Option<Answer<Told>> {
    match state {
        MotionState::Done => Some(Ok(Told { details, stems: Vec::new() })),
        MotionState::Failed => {
            Some(Err(with_advice(ClientError::said_no(MotionStatusCommand::CLASS, false, details).into())))
        }
        MotionState::Running | MotionState::Unknown => None,
    }
}

/// Cancelled and failed are the same to a motion: over, and everything is at the source.
fn state_seen(state: Option<ours::MotionState>) -> MotionState {
    match state {
        Some(ours::MotionState::Running) => MotionState::Running,
        Some(ours::MotionState::Done) => MotionState::Done,
        Some(ours::MotionState::Failed | ours::MotionState::Cancelled) => MotionState::Failed,
        None => MotionState::Unknown,
    }
}
