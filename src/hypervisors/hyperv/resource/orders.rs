//! Orders of a motion as commands of the wire, checked for what an agent would misunderstand.
//!
//! A stock agent passes over a disk that it does not find and says that all went well (`contract/hyperv-wire.md` 3.1),
//! so whatever can be seen to be wrong is refused here, before anything is sent.

use std::collections::BTreeSet;
use std::net::IpAddr;

use serde_json::Value;

use super::super::wire::objects::{CopyCommand, DataObject, DataStore, DeleteCommand, PrimaryDataStore, VolumeObject};
use super::super::wire::pools::{FILESYSTEM, SMB, StorageFiler};
use super::super::wire::vms::{
    MigrateCommand, MigrateVolumeCommand, MigrateWithStorageCommand, PrepareForMigrationCommand, VirtualMachine,
    Volume, VolumeToFiler,
};
use super::super::wire::{Base, Other, naming};
use super::paths;
use crate::motion::hypervisor::{
    AgentError, Answer, DiskRef, Effect, PoolRef, VmMove, VmRef, VolumeCopy, VolumeMove, same_folder,
};

/// An order that is not sent.
fn refused(text: String) -> AgentError {
    AgentError { effect: Effect::None, text: format!("{text}; nothing was sent") }
}

/// A pool as commands name it. Only shares and folders can be named to an agent.
pub(in crate::hypervisors::hyperv) fn filer_of(pool: &PoolRef) -> Answer<StorageFiler> {
    let path = naming::path_without_query(&pool.path);
    if pool.kind != SMB && pool.kind != FILESYSTEM {
        return Err(refused(format!(
            "the pool {} is of type {}, and Hyper-V agents know {SMB} and {FILESYSTEM} only",
            pool.name, pool.kind
        )));
    }
    let wrong = if pool.kind == SMB {
        let server = paths::wrong_with_server(&pool.host).map(|why| ("host", pool.host.as_str(), why));
        server.or_else(|| paths::wrong_with_share(path).map(|why| ("path", path, why)))
    } else {
        paths::wrong_with_folder(path).map(|why| ("path", path, why))
    };
    if let Some((column, value, why)) = wrong {
        return Err(refused(format!(
            "the pool {} has the {column} {value:?}, and {why}: a share needs a server's name or address and a path that \
             begins with a slash, a folder needs a path such as D:\\disks; correct the {column} of the pool {}",
            pool.name, pool.uuid
        )));
    }
    Ok(StorageFiler {
        id: pool.id,
        uuid: Some(pool.uuid.clone()),
        host: pool.host.clone(),
        path: path.to_owned(),
        port: pool.port,
        pool_type: pool.kind.clone(),
    })
}

/// Agents compare disks by the file name without folder and extension, letter for letter.
pub(super) fn check_stem(stem: &str) -> Answer<()> {
    let lower = stem.to_lowercase();
    let whole_name = lower.ends_with(".vhd") || lower.ends_with(".vhdx");
    let wrong = if whole_name { Some("it has the extension") } else { paths::wrong_with_name(stem) };
    match wrong {
        None => Ok(()),
        Some(why) => Err(refused(format!(
            "a disk is named to an agent by its file name without folder and extension, not by {stem:?}: {why}; correct the \
             path of the volume"
        ))),
    }
}

/// Agents put the name into a query as it is, so these signs would change the query (`contract/hyperv-wire.md` 7.10).
fn check_vm(vm: &VmRef) -> Answer<()> {
    if vm.name.is_empty() || vm.name.contains(['"', '\'', '\\']) {
        return Err(refused(format!(
            "an agent cannot find a VM by the name {:?}: quotes and backslashes break it",
            vm.name
        )));
    }
    Ok(())
}

/// Agents take an address, never a name, and look up the name themselves.
fn check_target(order: &VmMove) -> Answer<()> {
    if order.target_host.ip.parse::<IpAddr>().is_err() {
        return Err(refused(format!(
            "the host {} has the address {:?}, which is no IP address; agents take nothing else",
            order.target_host.name, order.target_host.ip
        )));
    }
    Ok(())
}

fn vm_of(vm: &VmRef) -> VirtualMachine {
    let mut other = Other::new();
    other.insert("state".to_owned(), Value::from("Running"));
    other.insert("minSpeed".to_owned(), Value::from(vm.speed_mhz));
    other.insert("maxSpeed".to_owned(), Value::from(vm.speed_mhz));
    VirtualMachine {
        id: vm.id,
        name: vm.name.clone(),
        vm_type: Some("User".to_owned()),
        cpus: vm.cpus,
        min_ram: vm.memory_bytes,
        max_ram: vm.memory_bytes,
        uuid: Some(vm.uuid.clone()),
        disks: Vec::new(),
        nics: Vec::new(),
        other,
    }
}

fn volume_of(disk: &DiskRef) -> Volume {
    Volume {
        id: disk.volume_id,
        name: disk.name.clone(),
        mount_point: Some(naming::path_without_query(&disk.pool.path).to_owned()),
        path: disk.stem.clone(),
        size: disk.size_bytes,
        volume_type: disk.kind.clone(),
        storage_pool_type: Some(disk.pool.kind.clone()),
        storage_pool_uuid: Some(disk.pool.uuid.clone()),
        device_id: disk.device_id,
        other: Other::new(),
    }
}

/// A disk of a running VM to another pool.
pub(super) fn disk_move_of(order: &VolumeMove) -> Answer<MigrateVolumeCommand> {
    check_vm(&order.vm)?;
    check_stem(&order.disk.stem)?;
    Ok(MigrateVolumeCommand {
        volume_id: order.disk.volume_id,
        volume_path: order.disk.stem.clone(),
        pool: filer_of(&order.target)?,
        attached_vm_name: Some(order.vm.name.clone()),
        volume_type: Some(order.disk.kind.clone()),
        base: Base::for_motion(&order.motion),
    })
}

/// A VM with its disks to another host.
pub(super) fn storage_move_of(order: &VmMove) -> Answer<MigrateWithStorageCommand> {
    check_vm(&order.vm)?;
    check_target(order)?;
    let mut stems = BTreeSet::new();
    let mut list = Vec::with_capacity(order.disks.len());
    for (disk, target) in &order.disks {
        check_stem(&disk.stem)?;
        if !stems.insert(&disk.stem) {
            return Err(refused(format!(
                "two disks of the VM {} have the file name {}, and an agent cannot tell them apart",
                order.vm.name, disk.stem
            )));
        }
        list.push(VolumeToFiler { t: volume_of(disk), u: filer_of(target)? });
    }
    Ok(MigrateWithStorageCommand {
        vm: vm_of(&order.vm),
        volume_to_filer_as_list: list,
        tgt_host: order.target_host.ip.clone(),
        base: Base::for_motion(&order.motion),
    })
}

/// A VM to another host; its disks stay.
pub(super) fn plain_move_of(order: &VmMove) -> Answer<MigrateCommand> {
    check_vm(&order.vm)?;
    check_target(order)?;
    let mut command = MigrateCommand::new(&order.vm.name, &order.target_host.ip, Base::for_motion(&order.motion));
    command.host_guid = Some(order.target_host.guid.clone());
    Ok(command)
}

/// Tells the target of [`plain_move_of`] what comes.
pub(super) fn preparation_of(order: &VmMove) -> PrepareForMigrationCommand {
    PrepareForMigrationCommand { vm: vm_of(&order.vm), rollback: false, base: Base::for_motion(&order.motion) }
}

fn object_of(disk: &DiskRef) -> Answer<DataObject> {
    check_stem(&disk.stem)?;
    // Agents put no extension behind a name that has a point in it, so they would look for another file.
    if disk.stem.contains('.') {
        return Err(refused(format!(
            "an agent cannot copy or delete the disk {:?}: its name has a point in it",
            disk.stem
        )));
    }
    let filer = filer_of(&disk.pool)?;
    let mut store = Other::new();
    store.insert("isManaged".to_owned(), Value::from(false));
    let store = PrimaryDataStore {
        uuid: filer.uuid,
        name: Some(disk.pool.name.clone()),
        id: filer.id,
        pool_type: filer.pool_type,
        host: filer.host,
        path: filer.path,
        port: filer.port,
        other: store,
    };
    let mut other = Other::new();
    other.insert("id".to_owned(), Value::from(disk.volume_id));
    other.insert("volumeId".to_owned(), Value::from(disk.volume_id));
    other.insert("volumeType".to_owned(), Value::from(disk.kind.clone()));
    other.insert("poolId".to_owned(), Value::from(disk.pool.id));
    other.insert("deviceId".to_owned(), Value::from(disk.device_id));
    other.insert("hypervisorType".to_owned(), Value::from("Hyperv"));
    Ok(DataObject::Volume(Box::new(VolumeObject {
        uuid: Some(disk.uuid.clone()),
        data_store: Some(DataStore::Primary(Box::new(store))),
        name: Some(disk.name.clone()),
        size: Some(u64::try_from(disk.size_bytes).unwrap_or_default()),
        path: Some(disk.stem.clone()),
        format: Some(disk.format.clone()),
        other,
    })))
}

/// A copy of a disk under another name.
///
/// An agent deletes a file of the copy's name before it copies, so a copy onto itself would be the end of the disk.
pub(super) fn copy_of(order: &VolumeCopy) -> Answer<CopyCommand> {
    let (from, to) = (filer_of(&order.disk.pool)?.folder(), filer_of(&order.copy.pool)?.folder());
    let same_pool = order.disk.pool.id == order.copy.pool.id || same_folder(&from, &to);
    if same_pool && order.disk.stem.to_lowercase() == order.copy.stem.to_lowercase() {
        return Err(refused(format!("the disk {} cannot be copied onto itself", order.disk.stem)));
    }
    Ok(CopyCommand {
        source: object_of(&order.disk)?,
        target: object_of(&order.copy)?,
        execute_in_sequence: true,
        base: Base::for_motion(&order.motion),
    })
}

/// The end of a disk's file.
pub(super) fn deletion_of(disk: &DiskRef) -> Answer<DeleteCommand> {
    Ok(DeleteCommand { data: object_of(disk)?, delete_chain: false, base: Base::default() })
}
