//! VMs: check, start, stop, reboot, attach, detach (`contract/hyperv-wire.md` 2.14, 2.19, 2.20, 2.23).

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Call, NULL_REFERENCE, Reply, Thrown, answer, member, plain};
use crate::agent::state::{CLOUDSTACK_NOTES, Disk, Power, Vm};
use crate::hypervisors::hyperv::wire::vms::{CheckVirtualMachineAnswer, GetVmConfigAnswer, StartAnswer, StopAnswer};
use crate::hypervisors::hyperv::wire::{Answer, naming};

const VOLUME: &str = "org.apache.cloudstack.storage.to.VolumeObjectTO";
const PRIMARY: &str = "org.apache.cloudstack.storage.to.PrimaryDataStoreTO";

/// Answers a command about a VM; `last` is the last part of its class.
pub(super) fn answer_to(call: &Call, last: &str) -> Result<Reply, Thrown> {
    match last {
        "CheckVirtualMachineCommand" => check(call),
        "StartCommand" => Ok(start(call)),
        "StopCommand" => stop(call),
        "RebootCommand" => reboot(call),
        "AttachCommand" => Ok(attach(call)),
        "DettachCommand" => Ok(detach(call)),
        "GetVncPortCommand" => Ok(console(call)),
        "ModifyVmNicConfigCommand" => modify_card(call),
        "PlugNicCommand" => {
            let details = "Hot Nic plug not supported, change any empty virtual network adapter network settings";
            Ok(plain("com.cloud.agent.api.PlugNicAnswer", true, Some(details)))
        }
        _ => config(call),
    }
}

/// The VM of that name on this host.
fn find(call: &Call, name: &str) -> Option<Vm> {
    call.world.read(|state| state.vm(call.host.ip(), name).cloned())
}

fn check(call: &Call) -> Result<Reply, Thrown> {
    let name = call.text("vmName")?;
    let power = find(call, name).map(|vm| vm.power.report_name());
    let details = match power {
        Some(_) => None,
        None => Some(format!("{} requested unknown VM {name}", call.class)),
    };
    let mut members = json!({
        "result": power.is_some(),
        "details": details,
        "powerstate": power,
        "contextMap": {},
    });
    if !call.host.spec.strict {
        members["state"] = json!(power);
    }
    Ok(answer(CheckVirtualMachineAnswer::CLASS, members))
}

/// Network cards; simulated VMs have none. An unknown VM is a crash of the agent.
fn config(call: &Call) -> Result<Reply, Thrown> {
    let name = call.text("vmName")?;
    find(call, name).ok_or_else(|| Thrown::new(NULL_REFERENCE))?;
    Ok(answer(GetVmConfigAnswer::CLASS, json!({"vmName": name, "nics": [], "result": true, "contextMap": {}})))
}

/// Where the console of a VM is: its id, and a port that stands for remote desktop.
fn console(call: &Call) -> Reply {
    const USE_REMOTE_DESKTOP: i32 = -9;
    let name = call.body.get("name").and_then(Value::as_str).unwrap_or("");
    let class = "com.cloud.agent.api.GetVncPortAnswer";
    let vm = find(call, name);
    let details = match vm {
        Some(_) => None,
        None => Some(format!("{class} failed due to {NULL_REFERENCE}")),
    };
    answer(
        class,
        json!({
            "result": vm.is_some(),
            "details": details,
            "address": vm.as_ref().map(|vm| format!("instanceId={}", vm.guid)),
            "port": vm.map_or(0, |_| USE_REMOTE_DESKTOP),
        }),
    )
}

/// Simulated VMs have no network card that could be changed.
fn modify_card(call: &Call) -> Result<Reply, Thrown> {
    let missing = ["index", "enable"].into_iter().find(|name| call.body.get(*name).is_none());
    if missing.is_some() {
        return Err(Thrown::new(NULL_REFERENCE));
    }
    Ok(answer(
        "com.cloud.agent.api.ModifyVmNicConfigAnswer",
        json!({"vmName": call.text("vmName")?, "result": false, "contextMap": {}}),
    ))
}

fn stop_answer(result: bool, details: Option<&str>, vm: Option<&str>) -> Reply {
    answer(StopAnswer::CLASS, json!({"result": result, "details": details, "vm": vm, "contextMap": {}}))
}

/// Deletes the definition of a VM. Its disks stay.
fn stop(call: &Call) -> Result<Reply, Thrown> {
    let check = call.member("checkBeforeCleanup")?.as_bool();
    let check =
        check.ok_or_else(|| Thrown::new("Cannot convert null to 'bool' because it is a non-nullable value type"))?;
    let name = call.text("vmName")?;
    let power = find(call, name).map(|vm| vm.power);
    if check && power != Some(Power::Off) {
        let details = "VM is not available or vm is not running on host, bailing out";
        return Ok(stop_answer(false, Some(details), Some(name)));
    }
    if power.is_none() {
        return Ok(stop_answer(true, None, None));
    }
    if call.world.gate(name).is_moving() {
        let details = format!("{} fail on exceptionFailed to delete VM {name} due to InvalidState", call.class);
        return Ok(stop_answer(false, Some(&details), None));
    }
    call.world.halt_guest(name);
    call.world.change(|state| state.remove(call.host.ip(), name))?;
    Ok(stop_answer(true, None, None))
}

fn reboot(call: &Call) -> Result<Reply, Thrown> {
    let name = call.text("vmName")?;
    let class = "com.cloud.agent.api.RebootAnswer";
    if find(call, name).is_some() {
        return Ok(plain(class, true, None));
    }
    let details = format!("{} requested unknown VM {name}", call.class);
    Ok(plain(class, false, Some(&details)))
}

/// Defines and starts a VM from the disks that the request names.
fn start(call: &Call) -> Reply {
    let echo = call.body.get("vm").cloned().unwrap_or(Value::Null);
    let details = match define(call) {
        Ok(()) => None,
        Err(thrown) => Some(format!("{} fail on exception{}", call.class, thrown.0)),
    };
    answer(StartAnswer::CLASS, json!({"result": details.is_none(), "details": details, "vm": echo, "contextMap": {}}))
}

fn define(call: &Call) -> Result<(), Thrown> {
    let vm = call.member("vm")?;
    let name = member(vm, "name")?.as_str().unwrap_or("").to_owned();
    match find(call, &name).map(|vm| vm.power) {
        Some(Power::On) => return Ok(()),
        Some(Power::Off) if call.world.gate(&name).is_moving() => {
            let text = format!("Create VM failing, because there exists a VM with name {name}, state Migrating");
            return Err(Thrown(text));
        }
        _ => {}
    }
    let mut disks = Vec::new();
    for disk in member(vm, "disks")?.as_array().into_iter().flatten() {
        if let Some(volume) = member(disk, "data")?.get(VOLUME) {
            disks.push(attached_disk(call, volume)?);
        }
    }
    let number = |name: &str| vm.get(name).and_then(Value::as_u64).unwrap_or(0);
    let defined = Vm {
        name: name.clone(),
        guid: Uuid::new_v4().to_string().to_uppercase(),
        power: Power::On,
        notes: CLOUDSTACK_NOTES.to_owned(),
        cpus: u32::try_from(number("cpus")).unwrap_or(1),
        memory_bytes: number("maxRam"),
        disks,
        guest: None,
    };
    let ip = call.host.ip();
    call.world.change(|state| {
        state.remove(ip, &name);
        state.hosts.entry(ip.to_owned()).or_default().vms.push(defined);
    })?;
    Ok(())
}

/// The image of a volume in a request; it must exist.
fn attached_disk(call: &Call, volume: &Value) -> Result<Disk, Thrown> {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).unwrap_or("").to_owned();
    let store = volume.get("dataStore").and_then(|store| store.get(PRIMARY));
    let store = store.ok_or_else(|| Thrown::new(NULL_REFERENCE))?;
    let folder = match text(store, "poolType").as_str() {
        "Filesystem" => text(store, "path"),
        _ => naming::smb_unc(&text(store, "host"), &text(store, "path")),
    };
    let path = text(volume, "path");
    let stem = if path.is_empty() { text(volume, "uuid") } else { path };
    let format = Some(text(volume, "format")).filter(|format| !format.is_empty());
    let file = naming::file_name(&stem, format.as_deref().unwrap_or("VHDX"));
    let missing = || Thrown(format!("The image {} does not exist.", naming::join(&folder, &file)));
    let pool = call.world.pools.find(call.host.ip(), &folder).ok_or_else(missing)?;
    let real = call.world.pools.file(call.host.ip(), &folder, &file);
    real.filter(|real| real.exists()).ok_or_else(missing)?;
    Ok(Disk { folder: pool.name.clone(), file, on_host: pool.on_host.clone() })
}

/// Attaches an existing image to a VM. An unknown VM is a silent success, as with the real agent.
fn attach(call: &Call) -> Reply {
    let disk = call.body.get("disk").cloned().unwrap_or(Value::Null);
    let work = || -> Result<(), Thrown> {
        let name = call.text("vmName")?;
        let kind = disk.get("type").and_then(Value::as_str).unwrap_or("");
        if kind != "DATADISK" && kind != "ISO" {
            return Err(Thrown(format!("Invalid disk type to be attached to vm {name}")));
        }
        let Some(volume) = disk.get("data").and_then(|data| data.get(VOLUME)) else {
            return Ok(());
        };
        let attached = attached_disk(call, volume)?;
        call.world.change(|state| {
            if let Some(vm) = state.vm_mut(call.host.ip(), name)
                && !vm.disks.contains(&attached)
            {
                vm.disks.push(attached);
            }
        })?;
        Ok(())
    };
    let details = work().err().map(|thrown| format!("{} failed due to {}", call.class, thrown.0));
    answer(
        "org.apache.cloudstack.storage.command.AttachAnswer",
        json!({"result": details.is_none(), "details": details, "disk": disk, "contextMap": {}}),
    )
}

/// Detaches an image from the VM that has it.
fn detach(call: &Call) -> Reply {
    let work = || -> Result<(), Thrown> {
        let name = call.text("vmName")?;
        let volume = call.body.pointer("/disk/data").and_then(|data| data.get(VOLUME));
        let volume = volume.ok_or_else(|| Thrown::new(NULL_REFERENCE))?;
        let wanted = attached_disk(call, volume)?;
        if call.world.gate(name).is_moving() {
            return Err(Thrown::new("The disk image is in use by a migration."));
        }
        let detached = call.world.change(|state| {
            let vm = state.vm_mut(call.host.ip(), name)?;
            let at = vm.disks.iter().position(|disk| *disk == wanted)?;
            Some(vm.disks.remove(at))
        })?;
        let guid = find(call, name).map(|vm| vm.guid).unwrap_or_default();
        let path = wanted.path();
        detached.map(|_| ()).ok_or_else(|| {
            Thrown(format!(
                "Failed to remove disk image {path} from VM {name} (GUID {guid}): the disk image is not attached."
            ))
        })
    };
    let details = work().err().map(|thrown| format!("{} failed due to {}", call.class, thrown.0));
    let class = "org.apache.cloudstack.storage.command.DettachAnswer";
    plain(class, details.is_none(), details.as_deref())
}
