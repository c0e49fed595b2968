//! What Hyper-V does when an agent asks it to move something.
//!
//! A move copies, switches under the VM's gate, and removes the sources. Up to the switch everything can
//! be taken back; from the switch on it is finished whatever comes.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::copy::{Copy, Course, data_bytes};
use super::guest::Gate;
use super::motion::Interruption;
use super::pools::Pool;
use super::state::{Disk, Vm};
use super::world::World;

/// Why Hyper-V did not move anything.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MoveError {
    /// The VM is not on this host.
    #[error("Object reference not set to an instance of an object")]
    NoSuchVm,
    /// The target address belongs to no host.
    #[error("No such host is known")]
    NoSuchHost,
    /// The call was refused; the text names the code (`contract/hyperv-wire.md` 5.4).
    #[error("{}", code_name(*.0))]
    Refused(u32),
    /// The job ended without success.
    #[error(transparent)]
    Interrupted(#[from] Interruption),
}

/// Invalid parameter, as the call returns it.
pub const INVALID_PARAMETER: u32 = 32773;
/// The VM is in a state that does not allow it, for instance being moved.
pub const INVALID_STATE: u32 = 32775;

/// Name of a return code in error texts (`contract/hyperv-wire.md` 5.4).
pub fn code_name(code: u32) -> &'static str {
    match code {
        0 => "Completed",
        4096 => "Started",
        32768 => "Failed",
        32769 => "AccessDenied",
        32770 => "NotSupported",
        32771 => "Unknown",
        32772 => "Timeout",
        INVALID_PARAMETER => "InvalidParameter",
        32774 => "SystemInUse",
        INVALID_STATE => "InvalidState",
        32776 => "IncorrectDataType",
        32777 => "SystemNotAvailable",
        32778 => "OutofMemory",
        _ => "Unknown return code",
    }
}

/// A disk that is to lie in another folder.
#[derive(Debug)]
struct Relocation {
    index: usize,
    stem: String,
    from: Disk,
    to: Disk,
    source: PathBuf,
    target: PathBuf,
    pool: Pool,
}

/// A VM taken for a move; given back when dropped.
struct Taken(Arc<Gate>);

impl Taken {
    fn take(world: &World, vm: &str) -> Result<Self, MoveError> {
        let gate = world.gate(vm);
        gate.begin_move().then(|| Self(Arc::clone(&gate))).ok_or(MoveError::Refused(INVALID_STATE))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.0.end_move();
    }
}

/// Moves one disk of a VM to another folder; the VM stays.
///
/// # Errors
/// [`MoveError`]; the disk is then where it was.
pub fn move_volume(course: &Course<'_>, vm: &str, stem: &str, folder: &str) -> Result<(), MoveError> {
    let host = course.host.ip();
    let found = vm_on(course.world, host, vm)?;
    if !found.disks.iter().any(|disk| disk.stem() == stem) {
        return Err(MoveError::Refused(INVALID_PARAMETER));
    }
    let taken = Taken::take(course.world, vm)?;
    let found = vm_on(course.world, host, vm)?;
    let wanted = |disk: &Disk| (disk.stem() == stem).then(|| folder.to_owned());
    let relocations = plan(course, host, &found, wanted)?;
    relocate(course, &taken.0, &found, host, &relocations)
}

/// Moves a running VM to another host, together with those of its disks that `folders` names.
///
/// # Errors
/// [`MoveError`]; VM and disks are then where they were.
pub fn move_vm(course: &Course<'_>, vm: &str, target_ip: &str, folders: &[(String, String)]) -> Result<(), MoveError> {
    vm_on(course.world, course.host.ip(), vm)?;
    let target = course.world.host(target_ip).ok_or(MoveError::NoSuchHost)?;
    let taken = Taken::take(course.world, vm)?;
    let found = vm_on(course.world, course.host.ip(), vm)?;
    if target.ip() == course.host.ip() {
        let text = format!("The virtual machine '{vm}' is on the destination host already.");
        return Err(Interruption::job(&text).into());
    }
    if course.world.read(|state| state.vm(target.ip(), vm).is_some()) {
        let text = format!("A virtual machine named '{vm}' exists on the destination host.");
        return Err(Interruption::job(&text).into());
    }
    let wanted = |disk: &Disk| {
        let entry = folders.iter().find(|(stem, _)| stem == disk.stem());
        entry.map(|(_, folder)| folder.clone())
    };
    let relocations = plan(course, target.ip(), &found, wanted)?;
    for (index, disk) in found.disks.iter().enumerate() {
        let stays = !relocations.iter().any(|relocation| relocation.index == index);
        // A skipped disk is a lie that the fault tells; the real Hyper-V would refuse here.
        if stays && disk.on_host.is_some() && !course.mishaps.skips(disk.stem()) {
            let text = format!(
                "Failed to open attachment '{}': The system cannot find the file specified. (0x80070002).",
                disk.path()
            );
            return Err(Interruption::job(&text).into());
        }
    }
    relocate(course, &taken.0, &found, target.ip(), &relocations)
}

/// The VM's definition as it is now.
fn vm_on(world: &World, host: &str, vm: &str) -> Result<Vm, MoveError> {
    let found = world.read(|state| state.vm(host, vm).cloned());
    found.ok_or(MoveError::NoSuchVm)
}

/// Which disks have to be copied where. Disks that are there already are left out.
fn plan(
    course: &Course<'_>,
    target_host: &str,
    vm: &Vm,
    wanted: impl Fn(&Disk) -> Option<String>,
) -> Result<Vec<Relocation>, Interruption> {
    let pools = &course.world.pools;
    let mut relocations = Vec::new();
    for (index, from) in vm.disks.iter().enumerate() {
        let Some(folder) = wanted(from).filter(|_| !course.mishaps.skips(from.stem())) else {
            continue;
        };
        let no_folder = || {
            Interruption::job(&format!(
                "Failed to create folder '{folder}': The network path was not found. (0x80070035)."
            ))
        };
        let pool = pools.find(target_host, &folder).ok_or_else(no_folder)?;
        let target = pools.file(target_host, &folder, &from.file).ok_or_else(no_folder)?;
        let source = course.world.disk_file(course.host.ip(), from);
        let source = source.filter(|source| source.exists()).ok_or_else(|| {
            let path = from.path();
            Interruption::job(&format!(
                "Failed to open attachment '{path}': The system cannot find the file specified. (0x80070002)."
            ))
        })?;
        if source == target {
            continue;
        }
        relocations.push(Relocation {
            index,
            stem: from.stem().to_owned(),
            from: from.clone(),
            to: Disk { folder: pool.name.clone(), file: from.file.clone(), on_host: pool.on_host.clone() },
            source,
            target,
            pool: pool.clone(),
        });
    }
    Ok(relocations)
}

/// Copies, switches, removes the sources.
fn relocate(
    course: &Course<'_>,
    gate: &Gate,
    vm: &Vm,
    target_host: &str,
    relocations: &[Relocation],
) -> Result<(), MoveError> {
    let mut begun = Vec::new();
    let outcome = copy_all(course, gate, relocations, &mut begun)
        .and_then(|()| switch(course, gate, vm, target_host, relocations));
    for relocation in &begun {
        // A dead agent tidies nothing up; a failed job removes what it made.
        if matches!(&outcome, Err(interruption) if *interruption != Interruption::Killed) {
            remove(&relocation.target);
        }
        course.world.pools.release(&relocation.target);
    }
    outcome?;
    course.mishaps.happen_after_switch(course.process);
    for relocation in relocations {
        remove(&relocation.source);
    }
    Ok(())
}

fn copy_all<'a>(
    course: &Course<'_>,
    gate: &Gate,
    relocations: &'a [Relocation],
    begun: &mut Vec<&'a Relocation>,
) -> Result<(), Interruption> {
    let mut sizes = Vec::new();
    for relocation in relocations {
        let bytes = data_bytes(&relocation.source)
            .map_err(|error| Interruption::job(&format!("Failed to read disk: {error}.")))?;
        course.motion.expect(bytes);
        sizes.push(bytes);
    }
    course.motion.enter("copy");
    for (relocation, bytes) in relocations.iter().zip(sizes) {
        if relocation.target.exists() {
            let (from, to) = (relocation.from.path(), relocation.to.path());
            let text = format!("Failed to copy disk '{from}' to '{to}': The file exists. (0x80070050).");
            return Err(Interruption::job(&text));
        }
        let pools = &course.world.pools;
        let fits = pools.reserve(&relocation.pool, &relocation.target, bytes);
        if !fits.map_err(|error| Interruption::job(&format!("{error}.")))? {
            return Err(Interruption::job("Failed to copy disk: There is not enough space on the disk. (0x80070070)."));
        }
        let gate = Some((gate, relocation.stem.as_str()));
        match Copy::begin(&relocation.source, &relocation.target, gate) {
            Ok(copy) => {
                begun.push(relocation);
                copy.run(course)?;
            }
            Err(interruption) => {
                pools.release(&relocation.target);
                return Err(interruption);
            }
        }
    }
    Ok(())
}

/// Makes the copies the disks and the target the host, all at once. The guest waits at the gate.
fn switch(
    course: &Course<'_>,
    gate: &Gate,
    vm: &Vm,
    target_host: &str,
    relocations: &[Relocation],
) -> Result<(), Interruption> {
    course.motion.enter("switch");
    // Faults and kills strike before the switch or not at all.
    course.go_on()?;
    let mut inner = gate.lock();
    let guest_disk = inner.guest_disk().map(str::to_owned);
    let moved = |stem: &str| relocations.iter().find(|relocation| relocation.stem == stem);
    let guest_file = guest_disk.as_deref().and_then(moved);
    course.motion.commit()?;
    let broken = |text: String| Interruption::job(&format!("{text}."));
    if let Some(relocation) = guest_file {
        let opened = inner.switch_guest(&relocation.target);
        opened.map_err(|error| broken(error.to_string()))?;
    }
    let source_host = course.host.ip();
    let saved = course.world.change(|state| {
        let Some(moved) = state.vm_mut(source_host, &vm.name) else {
            return false;
        };
        for relocation in relocations {
            moved.disks[relocation.index] = relocation.to.clone();
        }
        if target_host != source_host
            && let Some(moved) = state.remove(source_host, &vm.name)
        {
            let host = state.hosts.entry(target_host.to_owned()).or_default();
            host.vms.push(moved);
        }
        true
    });
    if matches!(saved, Ok(true)) {
        return Ok(());
    }
    // The old place still holds: the guest goes back to it.
    if let Some(relocation) = guest_file {
        let back = inner.switch_guest(&relocation.source);
        back.map_err(|error| broken(error.to_string()))?;
    }
    Err(match saved {
        Err(error) => broken(error.to_string()),
        Ok(_) => Interruption::job(&format!("The virtual machine '{}' is gone.", vm.name)),
    })
}

/// Removes a file; one that is gone already is fine.
fn remove(file: &PathBuf) {
    // Its name is gone at once. To give back the room of a large file takes a while, and nobody waits for that.
    let open = fs::File::open(file);
    if let Err(error) = fs::remove_file(file) {
        tracing::warn!(file = %file.display(), %error, "a simulated disk cannot be removed");
    }
    if let Ok(open) = open {
        // Without a thread for it, it is given back here.
        let _ = std::thread::Builder::new().spawn(move || drop(open));
    }
}
