//! The three moves (`contract/hyperv-wire.md` 2.17, 3 and 4).

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Call, NULL_REFERENCE, Reply, Thrown, answer, member, plain};
use crate::agent::copy::Course;
use crate::agent::faults::vm_of;
use crate::agent::motion::{Interruption, Motion};
use crate::agent::moves::{MoveError, code_name, move_vm, move_volume};
use crate::agent::pools::folder_of_filer;
use crate::hypervisors::hyperv::wire::vms::{
    MigrateAnswer, MigrateVolumeAnswer, MigrateVolumeCommand, MigrateWithStorageAnswer, MigrateWithStorageCommand,
};
use crate::hypervisors::hyperv::wire::{Answer, Command};

/// Pool types whose names the agent knows, beside the two that it can move to.
const OTHER_POOL_TYPES: [&str; 14] = [
    "NetworkFilesystem",
    "IscsiLUN",
    "Iscsi",
    "ISO",
    "LVM",
    "CLVM",
    "RBD",
    "SharedMountPoint",
    "VMFS",
    "PreSetup",
    "EXT",
    "OCFS2",
    "Gluster",
    "ManagedNFS",
];

/// Runs a move in a thread of its own, with a motion that can be asked for. It goes on to its end
/// even when nobody waits for the answer any more.
pub(super) async fn in_motion<F>(call: &Call, work: F) -> Result<(), MoveError>
where
    F: FnOnce(&Course<'_>) -> Result<(), MoveError> + Send + 'static,
{
    let made_up = format!("request-{}", call.world.next_number());
    let id = call.motion_id().map_or(made_up, str::to_owned);
    let vm = vm_of(&call.body).unwrap_or("");
    let motion = Arc::new(Motion::new(&id, call.class, vm));
    if !call.process.remember(Arc::clone(&motion)) {
        return Err(MoveError::Interrupted(Interruption::Cancelled));
    }
    let mishaps = call.mishaps();
    if let Err(interruption) = mishaps.feign(&motion, &call.process).await {
        motion.end(&Err(interruption.clone()));
        return Err(MoveError::Interrupted(interruption));
    }
    let (done, wait) = oneshot::channel();
    let call = call.clone();
    thread::spawn(move || {
        let course =
            Course { world: &call.world, host: &call.host, process: &call.process, motion: &motion, mishaps: &mishaps };
        let outcome = work(&course);
        motion.end(&match &outcome {
            Ok(()) => Ok(()),
            Err(MoveError::Interrupted(interruption)) => Err(interruption.clone()),
            Err(other) => Err(Interruption::job(&format!("{other}."))),
        });
        // Nobody may be waiting any more.
        let _ = done.send(outcome);
    });
    wait.await.unwrap_or(Err(MoveError::Interrupted(Interruption::Killed)))
}

/// Text after `failed due to` of a move that did not succeed.
fn reason(error: &MoveError, what: &str) -> String {
    match error {
        MoveError::Refused(_) => format!("{what} due to {error}"),
        other => other.to_string(),
    }
}

/// Id of the VM in Hyper-V, for error texts.
fn guid(call: &Call, vm: &str) -> String {
    let found = call.world.read(|state| {
        let vm = state.vm(call.host.ip(), vm)?;
        Some(vm.guid.clone())
    });
    found.unwrap_or_default()
}

fn is_killed(outcome: &Result<(), MoveError>) -> bool {
    matches!(outcome, Err(MoveError::Interrupted(Interruption::Killed)))
}

/// The target address, under the name that this agent reads.
fn target_of(call: &Call) -> Result<String, Thrown> {
    let mut target = call.member("destIp")?.as_str();
    if target.is_none() && !call.host.spec.strict {
        target = call.member("destinationIp")?.as_str();
    }
    address(target)
}

/// An address literal, or the exceptions for none and a wrong one.
fn address(text: Option<&str>) -> Result<String, Thrown> {
    let text = text.ok_or_else(|| Thrown::new("Value cannot be null.\nParameter name: ipString"))?;
    let wrong = || Thrown::new("An invalid IP address was specified.");
    text.parse::<IpAddr>().map_err(|_| wrong())?;
    Ok(text.to_owned())
}

/// Moves a VM whose disks stay.
pub(super) async fn migrate(call: &Call) -> Result<Reply, Thrown> {
    let vm = call.text("vmName")?.to_owned();
    let outcome = match target_of(call) {
        Err(thrown) => Err(thrown.0),
        Ok(target) => {
            let name = vm.clone();
            let outcome = in_motion(call, move |course| move_vm(course, &name, &target, &[])).await;
            if is_killed(&outcome) {
                return Ok(Reply::Close);
            }
            let what = format!("Failed migrating VM {vm} (GUID {})", guid(call, &vm));
            outcome.map_err(|error| reason(&error, &what))
        }
    };
    Ok(match outcome {
        Ok(()) => plain(MigrateAnswer::CLASS, true, None),
        Err(text) => failure(call, &text),
    })
}

/// A failure of a command, with the class in front of the text.
fn failure(call: &Call, text: &str) -> Reply {
    let details = format!("{} failed due to {text}", call.class);
    match call.class {
        class if class == MigrateVolumeCommand::CLASS => volume_answer(call, Some(&details)),
        class if class == MigrateWithStorageCommand::CLASS => storage_answer(call, Some(&details)),
        class => plain(&class.replace("Command", "Answer"), false, Some(&details)),
    }
}

/// Answer to a volume move; `details` is the text of a failure.
pub(super) fn volume_answer(call: &Call, details: Option<&str>) -> Reply {
    let path = call.body.get("volumePath").cloned().unwrap_or(Value::Null);
    answer(
        MigrateVolumeAnswer::CLASS,
        json!({"result": details.is_none(), "volumePath": path, "details": details, "contextMap": {}}),
    )
}

/// Answer to a move with storage; `details` is the text of a failure. The volumes are the request's.
pub(super) fn storage_answer(call: &Call, details: Option<&str>) -> Reply {
    let list = call.body.get("volumeToFilerAsList").and_then(Value::as_array);
    let volumes: Vec<Value> = list.into_iter().flatten().filter_map(|entry| entry.get("t").cloned()).collect();
    answer(
        MigrateWithStorageAnswer::CLASS,
        json!({"result": details.is_none(), "volumeTos": volumes, "details": details, "contextMap": {}}),
    )
}

/// What a refused call reads like, for a fault that refuses it.
pub(super) fn wmi_refusal(call: &Call, code: u32) -> Reply {
    let vm = vm_of(&call.body).unwrap_or("");
    let of_vm = format!("(GUID {}) due to {}", guid(call, vm), code_name(code));
    let member = |name: &str| call.body.get(name).and_then(Value::as_str).unwrap_or("");
    let text = match call.class {
        class if class == MigrateVolumeCommand::CLASS => {
            format!("Failed migrating volume {} of VM {vm} {of_vm}", member("volumePath"))
        }
        class if class == MigrateWithStorageCommand::CLASS => {
            let target = member("tgtHost");
            format!("Failed migrating VM {vm} and its volumes to destination {target} {of_vm}")
        }
        _ => format!("Failed migrating VM {vm} {of_vm}"),
    };
    failure(call, &text)
}

/// The target folder of a pool object, or the exception for a type that cannot be moved to.
fn folder_of(pool: &Value) -> Result<String, Thrown> {
    let named = member(pool, "type")?.as_str().unwrap_or("");
    let text = |name: &str| Ok::<_, Thrown>(member(pool, name)?.as_str().unwrap_or(""));
    match named {
        "SMB" | "Filesystem" => Ok(folder_of_filer(named, text("host")?, text("path")?)),
        other if OTHER_POOL_TYPES.contains(&other) => Err(Thrown(format!("Couldn't parse path for pool type {other}"))),
        other => Err(Thrown(format!("Invalid pool type {other}"))),
    }
}

/// Moves a disk of a VM.
pub(super) async fn migrate_volume(call: &Call) -> Result<Reply, Thrown> {
    let read = || -> Result<(String, String, String), Thrown> {
        let stem = call.text("volumePath")?.to_owned();
        let folder = folder_of(call.member("pool")?)?;
        Ok((stem, folder, call.text("attachedVmName")?.to_owned()))
    };
    let (stem, folder, vm) = match read() {
        Ok(read) => read,
        Err(thrown) => return Ok(failure(call, &thrown.0)),
    };
    let what = format!("Failed migrating volume {stem} of VM {vm} (GUID {})", guid(call, &vm));
    let work = move |course: &Course<'_>| move_volume(course, &vm, &stem, &folder);
    let outcome = in_motion(call, work).await;
    if is_killed(&outcome) {
        return Ok(Reply::Close);
    }
    Ok(match outcome {
        Ok(()) => volume_answer(call, None),
        Err(error) => failure(call, &reason(&error, &what)),
    })
}

/// What a move with storage is asked for.
struct Request {
    vm: String,
    target: Option<String>,
    folders: Vec<(String, String)>,
}

/// Reads a request in the agent's order, so that the first thing wrong is the one that is told.
fn read_request(call: &Call) -> Result<Request, Thrown> {
    let vm = member(call.member("vm")?, "name")?.as_str().unwrap_or("").to_owned();
    let target = call.member("tgtHost")?.as_str().map(str::to_owned);
    let list = call.member("volumeToFilerAsList")?.as_array();
    let mut folders: Vec<(String, String)> = Vec::new();
    for entry in list.ok_or_else(|| Thrown::new(NULL_REFERENCE))? {
        let stem = member(member(entry, "t")?, "path")?.as_str().unwrap_or("").to_owned();
        let folder = folder_of(member(entry, "u")?)?;
        if folders.iter().any(|(known, _)| *known == stem) {
            return Err(Thrown::new("An item with the same key has already been added."));
        }
        folders.push((stem, folder));
    }
    Ok(Request { vm, target, folders })
}

/// Moves a VM with its disks.
pub(super) async fn migrate_with_storage(call: &Call) -> Result<Reply, Thrown> {
    let request = match read_request(call) {
        Ok(request) => request,
        Err(thrown) => return Ok(failure(call, &thrown.0)),
    };
    let known = call.world.read(|state| state.vm(call.host.ip(), &request.vm).is_some());
    if !known {
        return Ok(failure(call, NULL_REFERENCE));
    }
    let target = match address(request.target.as_deref()) {
        Ok(target) => target,
        Err(thrown) => return Ok(failure(call, &thrown.0)),
    };
    let what = format!(
        "Failed migrating VM {} and its volumes to destination {target} (GUID {})",
        request.vm,
        guid(call, &request.vm)
    );
    let work = move |course: &Course<'_>| move_vm(course, &request.vm, &target, &request.folders);
    let outcome = in_motion(call, work).await;
    if is_killed(&outcome) {
        return Ok(Reply::Close);
    }
    Ok(match outcome {
        Ok(()) => storage_answer(call, None),
        Err(error) => failure(call, &reason(&error, &what)),
    })
}
