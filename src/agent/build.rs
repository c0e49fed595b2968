//! Making a world from its specification: folders, disks with content, VMs.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::guest::{RECORD_BYTES, fill};
use super::image::{Image, hex};
use super::pools::{Pool, Pools};
use super::spec::{DiskSpec, GuestSpec, LOCAL, VmSpec, WorldSpec};
use super::state::{CLOUDSTACK_NOTES, Disk, GuestPlan, HostState, Power, State, Vm};
use super::world::WorldError;

/// Data come in pieces of this size, so that a disk has holes between them.
const PIECE_BYTES: u64 = 1 << 20;

/// The folders of a world; they are made when they are not there.
pub(super) fn pools(spec: &WorldSpec, folder: &Path) -> Result<Pools, WorldError> {
    let mut pools = Vec::new();
    for share in &spec.shares {
        let unc = share.unc.replace('/', "\\");
        let bare = unc.trim_start_matches('\\');
        if !unc.starts_with("\\\\") || !bare.contains('\\') {
            let text = format!("{} is no UNC name such as \\\\server\\share", share.unc);
            return Err(WorldError::Spec(text));
        }
        let default = folder.join("pools").join(bare.to_lowercase().replace('\\', "-"));
        pools.push(Pool {
            name: unc,
            on_host: None,
            folder: share.folder.clone().unwrap_or(default),
            capacity_bytes: share.capacity_bytes,
        });
    }
    for host in &spec.hosts {
        if !host.ip.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            let text = format!("host address {} is no loopback address", host.ip);
            return Err(WorldError::Spec(text));
        }
        let default = folder.join("pools").join(format!("local-{}", host.ip));
        pools.push(Pool {
            name: host.local_path.clone(),
            on_host: Some(host.ip.clone()),
            folder: host.local_folder.clone().unwrap_or(default),
            capacity_bytes: host.capacity_bytes,
        });
    }
    for pool in &mut pools {
        make_folder(&pool.folder)?;
        // One spelling for each folder, since files are compared by their path.
        let real = fs::canonicalize(&pool.folder);
        pool.folder = real.map_err(|source| io_error("resolve", &pool.folder, source))?;
    }
    Ok(Pools::new(pools))
}

/// The state as it was left, or a new one with new disks.
pub(super) fn state(spec: &WorldSpec, folder: &Path, pools: &Pools) -> Result<State, WorldError> {
    make_folder(&folder.join("guests"))?;
    let path = folder.join("world.json");
    let known = State::load(&path).map_err(|source| io_error("read", &path, source))?;
    let is_new = known.is_none();
    let mut state = known.unwrap_or_default();
    for host in &spec.hosts {
        state.hosts.entry(host.ip.clone()).or_default();
    }
    if is_new {
        for vm in &spec.vms {
            let made = make_vm(vm, spec, pools)?;
            if state.find(&vm.name).is_some() {
                return Err(WorldError::Spec(format!("two VMs are named {}", vm.name)));
            }
            let host: Option<&mut HostState> = state.hosts.get_mut(&vm.host);
            let unknown = || WorldError::Spec(format!("VM {} is on no host of the world", vm.name));
            host.ok_or_else(unknown)?.vms.push(made);
        }
    }
    Ok(state)
}

fn make_vm(vm: &VmSpec, spec: &WorldSpec, pools: &Pools) -> Result<Vm, WorldError> {
    let host = spec.hosts.iter().find(|host| host.ip == vm.host);
    let host = host.ok_or_else(|| WorldError::Spec(format!("VM {} is on no host", vm.name)))?;
    let mut disks = Vec::new();
    let guest = vm.guest.as_ref();
    let guest_stem = guest.and_then(|guest| guest.disk.as_ref()).or(vm.disks.first().map(|disk| &disk.stem));
    let mut plan = None;
    for disk in &vm.disks {
        let is_local = disk.pool == LOCAL;
        let name = if is_local { &host.local_path } else { &disk.pool };
        let file = format!("{}.{}", disk.stem, disk.format.extension());
        let pool = pools.find(&host.ip, name);
        let unknown = || WorldError::Spec(format!("disk {} lies in no pool of {}", disk.stem, host.ip));
        let pool = pool.ok_or_else(unknown)?;
        let path = pools.file(&host.ip, name, &file).ok_or_else(unknown)?;
        let virtual_bytes = make_disk(disk, &path)?;
        if guest_stem == Some(&disk.stem) {
            plan = guest.map(|guest| plan_guest(guest, &disk.stem, virtual_bytes));
        }
        disks.push(Disk { folder: pool.name.clone(), file, on_host: pool.on_host.clone() });
    }
    let guid = vm.guid.clone();
    let guid = guid.unwrap_or_else(|| Uuid::new_v4().to_string());
    Ok(Vm {
        name: vm.name.clone(),
        guid: guid.to_uppercase(),
        power: if vm.running { Power::On } else { Power::Off },
        notes: vm.notes.clone().unwrap_or_else(|| CLOUDSTACK_NOTES.to_owned()),
        cpus: vm.cpus,
        memory_bytes: vm.memory_bytes,
        disks,
        guest: plan,
    })
}

/// The ring lies at the end of the disk, with half of the disk at most.
fn plan_guest(guest: &GuestSpec, stem: &str, virtual_bytes: u64) -> GuestPlan {
    let room = virtual_bytes / 2 / RECORD_BYTES as u64;
    let slots = guest.slots.clamp(1, room.max(1));
    let begin = virtual_bytes.saturating_sub(slots * RECORD_BYTES as u64);
    GuestPlan {
        stem: stem.to_owned(),
        region_offset: begin / RECORD_BYTES as u64 * RECORD_BYTES as u64,
        slots,
        interval_us: guest.interval_us,
        enabled: true,
    }
}

/// Makes a disk unless its file is there, and says how large it is.
fn make_disk(spec: &DiskSpec, path: &Path) -> Result<u64, WorldError> {
    if path.exists() {
        return Ok(Image::open(path, false)?.virtual_bytes());
    }
    let mut image = Image::create(path, spec.format, spec.virtual_bytes, Uuid::new_v4())?;
    write_content(&mut image, spec)?;
    Ok(spec.virtual_bytes)
}

/// Spreads pieces of data evenly over the disk.
fn write_content(image: &mut Image, spec: &DiskSpec) -> Result<(), WorldError> {
    let data_bytes = spec.data_bytes.min(spec.virtual_bytes);
    let pieces = data_bytes.div_ceil(PIECE_BYTES);
    if pieces == 0 {
        return Ok(());
    }
    let step = spec.virtual_bytes / pieces / RECORD_BYTES as u64 * RECORD_BYTES as u64;
    let salt = spec.stem.bytes().fold(7u64, |salt, byte| salt.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut left = data_bytes;
    let mut buffer = vec![0; PIECE_BYTES as usize];
    for number in 0..pieces {
        let bytes = left.min(PIECE_BYTES).min(step) as usize;
        fill(&mut buffer[..bytes], salt ^ (number << 32));
        image.write_at(&buffer[..bytes], number * step)?;
        left -= bytes as u64;
    }
    Ok(())
}

/// Creates a folder with its parents.
pub(super) fn make_folder(folder: &Path) -> Result<(), WorldError> {
    fs::create_dir_all(folder).map_err(|source| io_error("create the folder", folder, source))
}

/// An error of the file system.
pub(super) fn io_error(action: &'static str, path: &Path, source: std::io::Error) -> WorldError {
    WorldError::Io { action, path: PathBuf::from(path), source }
}

/// MAC address of a host, made from its address: twelve digits.
pub(super) fn mac_of(ip: &str) -> String {
    let octets = match ip.parse::<IpAddr>() {
        Ok(IpAddr::V4(ip)) => ip.octets(),
        _ => [0; 4],
    };
    format!("0215{}", hex(&octets).to_uppercase())
}
