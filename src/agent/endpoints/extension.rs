//! Our additions to the protocol, see [`crate::hypervisors::hyperv::wire::extension`].

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Call, Reply, Thrown, answer, member};
use crate::agent::image::{Image, allocated_bytes};
use crate::agent::pools::folder_of_filer;
use crate::agent::spec::{Addition, HostSpec};
use crate::agent::state::Disk;
use crate::hypervisors::hyperv::wire::extension::{
    CancelMotionCommand, CapabilitiesCommand, FILE_FACTS, FileFactsCommand, MOTION_STATUS, MotionStatusCommand,
    VM_DISKS, VmDisksCommand,
};
use crate::hypervisors::hyperv::wire::{Answer, Command, naming};

/// All additions, by the names that capabilities give them, with their commands.
const ADDITIONS: [(Addition, &str, &[&str]); 3] = [
    (Addition::MotionStatus, MOTION_STATUS, &[MotionStatusCommand::CLASS, CancelMotionCommand::CLASS]),
    (Addition::VmDisks, VM_DISKS, &[VmDisksCommand::CLASS]),
    (Addition::FileFacts, FILE_FACTS, &[FileFactsCommand::CLASS]),
];

/// The additions that a host has.
fn additions_of(host: &HostSpec) -> impl Iterator<Item = (&'static str, &'static [&'static str])> + '_ {
    let had = ADDITIONS.into_iter().filter(|(addition, _, _)| host.has(*addition));
    had.map(|(_, name, classes)| (name, classes))
}

/// The commands that a host knows beyond the stock protocol.
pub(super) fn classes_of(host: &HostSpec) -> impl Iterator<Item = &'static str> + '_ {
    let capabilities = (!host.plain).then_some(CapabilitiesCommand::CLASS);
    capabilities.into_iter().chain(additions_of(host).flat_map(|(_, classes)| classes.iter().copied()))
}

/// Class of the answer to a command of ours.
fn class_of<C: Command>() -> &'static str {
    C::Answer::CLASS
}

/// Answers a command; `last` is the last part of its class.
pub(super) fn answer_to(call: &Call, last: &str) -> Result<Reply, Thrown> {
    match last {
        "CapabilitiesCommand" => Ok(answer(
            class_of::<CapabilitiesCommand>(),
            json!({
                "result": true,
                "details": null,
                "extensions": additions_of(&call.host.spec).map(|(name, _)| name).collect::<Vec<_>>(),
                "contextMap": {},
            }),
        )),
        "MotionStatusCommand" => status(call),
        "CancelMotionCommand" => cancel(call),
        "VmDisksCommand" => vm_disks(call),
        _ => file_facts(call),
    }
}

fn status(call: &Call) -> Result<Reply, Thrown> {
    let motion = call.process.motion(call.text("motionId")?);
    let view = motion.map(|motion| motion.view());
    Ok(answer(
        class_of::<MotionStatusCommand>(),
        json!({
            "result": true,
            "known": view.is_some(),
            "state": view.as_ref().map(|view| view.state),
            "phase": view.as_ref().map(|view| &view.phase),
            "bytesTotal": view.as_ref().map(|view| view.bytes_total),
            "bytesDone": view.as_ref().map(|view| view.bytes_done),
            "details": view.as_ref().and_then(|view| view.details.as_ref()),
            "contextMap": {},
        }),
    ))
}

fn cancel(call: &Call) -> Result<Reply, Thrown> {
    let motion = call.process.motion_or_bar(call.text("motionId")?);
    let details = match &motion {
        Some(motion) if !motion.cancel() => Some("the motion has ended or is past its point of no return"),
        _ => None,
    };
    Ok(answer(
        class_of::<CancelMotionCommand>(),
        json!({"result": details.is_none(), "details": details, "known": motion.is_some(), "contextMap": {}}),
    ))
}

fn vm_disks(call: &Call) -> Result<Reply, Thrown> {
    let name = call.text("vmName")?;
    let vm = call.world.read(|state| state.vm(call.host.ip(), name).cloned());
    let details = match vm {
        Some(_) => None,
        None => Some(format!("{} requested unknown VM {name}", call.class)),
    };
    let disks: Vec<Value> = vm.iter().flat_map(|vm| &vm.disks).map(|disk| disk_facts(call, disk)).collect();
    Ok(answer(
        class_of::<VmDisksCommand>(),
        json!({
            "result": vm.is_some(),
            "details": details,
            "vmName": name,
            "powerstate": vm.as_ref().map(|vm| vm.power.report_name()),
            "disks": disks,
            "contextMap": {},
        }),
    ))
}

fn disk_facts(call: &Call, disk: &Disk) -> Value {
    let file = call.world.disk_file(call.host.ip(), disk);
    let facts = file.as_deref().map(Facts::of);
    json!({
        "stem": disk.stem(),
        "file": disk.file,
        "folder": disk.folder,
        "virtualBytes": facts.as_ref().and_then(|facts| facts.virtual_bytes),
        "allocatedBytes": facts.as_ref().and_then(|facts| facts.allocated_bytes),
        "identity": facts.as_ref().and_then(|facts| facts.identity.as_ref()),
    })
}

/// What can be said of an image file; little of a half copy.
struct Facts {
    virtual_bytes: Option<u64>,
    allocated_bytes: Option<u64>,
    identity: Option<String>,
    is_whole: bool,
}

impl Facts {
    fn of(path: &Path) -> Self {
        let image = Image::open(path, false).ok();
        Self {
            virtual_bytes: image.as_ref().map(Image::virtual_bytes),
            allocated_bytes: allocated_bytes(path).ok(),
            identity: image.as_ref().map(Image::identity),
            is_whole: image.is_some_and(|image| image.is_whole().unwrap_or(false)),
        }
    }
}

fn file_facts(call: &Call) -> Result<Reply, Thrown> {
    let pool = call.member("pool")?;
    let text = |name: &str| Ok::<_, Thrown>(member(pool, name)?.as_str().unwrap_or(""));
    let folder = folder_of_filer(text("type")?, text("host")?, text("path")?);
    let stem = call.text("stem")?;
    let class = class_of::<FileFactsCommand>();
    let Some(pool) = call.world.pools.find(call.host.ip(), &folder) else {
        let details = format!("no pool at {folder}: The network path was not found.");
        return Ok(answer(class, json!({"result": false, "details": details, "files": [], "contextMap": {}})));
    };
    let mut files = Vec::new();
    let entries = fs::read_dir(&pool.folder).map_err(|error| Thrown(error.to_string()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if naming::stem_of(&name) != stem || !path.is_file() {
            continue;
        }
        let facts = Facts::of(&path);
        let copying = call.world.pools.is_in_flight(&path);
        files.push(json!({
            "file": name,
            "virtualBytes": facts.virtual_bytes,
            "fileBytes": entry.metadata().ok().map(|metadata| metadata.len()),
            "allocatedBytes": facts.allocated_bytes,
            "identity": facts.identity,
            "complete": facts.is_whole && !copying,
        }));
    }
    Ok(answer(class, json!({"result": true, "details": null, "files": files, "contextMap": {}})))
}
