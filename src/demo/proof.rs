//! Proof that a motion did what it says: by files, by the hosts, by the database.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use super::cases::Case;
use super::estate::{Estate, VM_SIZE};
use crate::agent::guest::RECORD_BYTES;
use crate::agent::image::{Image, allocated_bytes};
use crate::agent::{World, WorldError};
use crate::model::{CapacityKind, VmState, VolumeState};
use crate::store::{Store, StoreError};

/// Something could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// A file or a host.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading broke down.
    #[error("reading the disks broke down")]
    Task(#[from] tokio::task::JoinError),
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    /// Whether it is as it should be.
    pub(super) ok: bool,
    /// What was looked at, and what was seen.
    pub(super) text: String,
}

impl Check {
    /// All is well when there is no trouble.
    fn new(text: String, trouble: &[String]) -> Self {
        let ok = trouble.is_empty();
        Self { ok, text: if ok { text } else { trouble.join("; ") } }
    }
}

/// A disk before its motion.
#[derive(Clone, Debug)]
pub(super) struct Before {
    file: PathBuf,
    content: String,
    identity: String,
    /// Bytes that the file takes up.
    pub(super) allocated_bytes: u64,
    virtual_bytes: u64,
}

/// Looks at the disks of a case before they are moved, in the order of its moves.
pub(super) async fn before(case: &Case<'_>, world: &Arc<World>) -> Result<Vec<Before>, ProofError> {
    let mut disks = Vec::new();
    for one in &case.moves {
        let (vm, stem) = (case.vm.instance_name.clone(), one.disk.uuid.clone());
        let world = Arc::clone(world);
        disks.push(tokio::task::spawn_blocking(move || look_at(&world, &vm, &stem)).await??);
    }
    Ok(disks)
}

/// A disk as the host has it attached.
fn look_at(world: &World, vm: &str, stem: &str) -> Result<Before, WorldError> {
    let unknown = || WorldError::Unknown(format!("no disk {stem} is attached to {vm}"));
    let (ip, found) = world.vm(vm).ok_or_else(unknown)?;
    let disk = found.disks.iter().find(|disk| disk.stem() == stem).ok_or_else(unknown)?;
    let file = world.disk_file(&ip, disk).ok_or_else(unknown)?;
    let image = Image::open(&file, false)?;
    let content = image.content_hash_without(written_by_guest(&found.guest, stem))?;
    let allocated = allocated_bytes(&file);
    let allocated_bytes =
        allocated.map_err(|source| WorldError::Io { action: "look at", path: file.clone(), source })?;
    Ok(Before { content, identity: image.identity(), allocated_bytes, virtual_bytes: image.virtual_bytes(), file })
}

/// The part of a disk that a guest may be writing to while it is read.
fn written_by_guest(guest: &Option<crate::agent::state::GuestPlan>, stem: &str) -> Range<u64> {
    let plan = guest.as_ref().filter(|plan| plan.stem == stem);
    plan.map_or(0..0, |plan| plan.region_offset..plan.region_offset + plan.slots * RECORD_BYTES as u64)
}

/// Looks at everything after the job has ended well.
pub(super) async fn after(
    case: &Case<'_>,
    before: &[Before],
    estate: &Estate,
    seen: (&Arc<World>, &Store),
) -> Result<Vec<Check>, ProofError> {
    let (world, store) = seen;
    let now = self::before(case, world).await?;
    let mut checks = vec![content(case, before, &now), guest(case, world).await?];
    checks.push(files(case, before, world).await?);
    if case.source_host.id != case.target_host.id {
        checks.push(hosts(case, world, estate));
    }
    checks.push(rows(case, &now, seen).await?);
    checks.push(states(estate, store).await?);
    checks.push(capacity(estate, store).await?);
    Ok(checks)
}

fn content(case: &Case<'_>, before: &[Before], now: &[Before]) -> Check {
    let mut trouble = Vec::new();
    for ((one, old), new) in case.moves.iter().zip(before).zip(now) {
        let name = &one.disk.plan.name;
        if old.content != new.content || old.virtual_bytes != new.virtual_bytes {
            trouble.push(format!("the content of {name} has changed"));
        }
        if old.identity != new.identity {
            trouble.push(format!("{name} is another disk: {} became {}", old.identity, new.identity));
        }
        // Copies may be aligned otherwise, but what was a hole must not be data now.
        if new.allocated_bytes > old.allocated_bytes + old.allocated_bytes / 10 + (1 << 20) {
            trouble
                .push(format!("{name} has lost holes: {} bytes became {}", old.allocated_bytes, new.allocated_bytes));
        }
    }
    let hashes: Vec<&str> = now.iter().map(|disk| disk.content.get(..12).unwrap_or(&disk.content)).collect();
    Check::new(format!("content equal, holes kept (sha256 {})", hashes.join(", ")), &trouble)
}

async fn guest(case: &Case<'_>, world: &Arc<World>) -> Result<Check, ProofError> {
    let (world, name) = (Arc::clone(world), case.vm.instance_name.clone());
    let proof = tokio::task::spawn_blocking(move || world.verify(&name)).await??;
    let mut trouble = proof.problems;
    if !proof.ok && trouble.is_empty() {
        trouble.push("writes of the guest are missing".to_owned());
    }
    let text = format!("guest writes complete: all {} acknowledged so far are on the disk", proof.acknowledged);
    Ok(Check::new(text, &trouble))
}

async fn files(case: &Case<'_>, before: &[Before], world: &Arc<World>) -> Result<Check, ProofError> {
    let owned = Arc::clone(world);
    let oracle = tokio::task::spawn_blocking(move || owned.oracle()).await??;
    let mut trouble: Vec<String> = before
        .iter()
        .filter(|disk| disk.file.exists())
        .map(|disk| format!("{} is still there", disk.file.display()))
        .collect();
    trouble.extend(oracle.strays.iter().map(|file| format!("{} belongs to no VM", file.display())));
    trouble.extend(oracle.disks.iter().filter(|disk| !disk.exists).map(|disk| format!("{} is missing", disk.path)));
    let text = if case.moves.len() == 1 { "source file gone" } else { "source files gone" };
    Ok(Check::new(format!("{text}, nothing left over in any pool"), &trouble))
}

fn hosts(case: &Case<'_>, world: &World, estate: &Estate) -> Check {
    let name = &case.vm.instance_name;
    let has = |ip: &str| world.read(|state| state.vm(ip, name).is_some());
    let having: Vec<&str> =
        estate.hosts.iter().filter(|host| has(&host.plan.ip)).map(|host| host.plan.name.as_str()).collect();
    let (source, target) = (&case.source_host.plan.name, &case.target_host.plan.name);
    let trouble = if having == [target.as_str()] { vec![] } else { vec![format!("{name} is on the hosts {having:?}")] };
    Check::new(format!("{name} runs on {target}, and is gone from {source}"), &trouble)
}

/// The database says of every disk and of the VM where they really are.
async fn rows(case: &Case<'_>, now: &[Before], seen: (&Arc<World>, &Store)) -> Result<Check, ProofError> {
    let (world, store) = seen;
    let mut trouble = Vec::new();
    for (one, disk) in case.moves.iter().zip(now) {
        let name = &one.disk.plan.name;
        let row = store.volume_by_uuid(&one.disk.uuid).await?;
        let Some(row) = row.filter(|row| !row.removed) else {
            trouble.push(format!("the database has lost {name}"));
            continue;
        };
        if row.pool_id != Some(one.target.id) {
            trouble.push(format!("the database has {name} in pool {:?}, not in {}", row.pool_id, one.target.name));
        }
        let file = format!("{}.{}", row.path.unwrap_or_default(), one.disk.plan.format.extension());
        let ip = one.target.host_ip().unwrap_or(&case.target_host.plan.ip);
        let said = world.pools.file(ip, &one.target.unc_or_folder(), &file);
        if said.as_ref() != Some(&disk.file) {
            trouble.push(format!("the database has {name} at {said:?}, it is at {}", disk.file.display()));
        }
    }
    let host = store.vm_by_id(case.vm.id).await?.and_then(|vm| vm.host_id);
    if host != Some(case.target_host.id) {
        trouble.push(format!("the database has {} on host {host:?}", case.vm.instance_name));
    }
    Ok(Check::new("database and files agree on host, pools and paths".to_owned(), &trouble))
}

async fn states(estate: &Estate, store: &Store) -> Result<Check, ProofError> {
    let mut trouble = Vec::new();
    for vm in &estate.vms {
        if store.vm_by_id(vm.id).await?.is_some_and(|row| row.state == VmState::Migrating) {
            trouble.push(format!("{} is still Migrating", vm.name));
        }
        for disk in store.volumes_of_vm(vm.id).await? {
            if disk.state != VolumeState::Ready {
                trouble.push(format!("{} is {}", disk.name, disk.state.as_str()));
            }
        }
    }
    Ok(Check::new("nothing is left in the state Migrating".to_owned(), &trouble))
}

async fn capacity(estate: &Estate, store: &Store) -> Result<Check, ProofError> {
    let (memory_mib, cores, speed_mhz) = VM_SIZE;
    let mut trouble = Vec::new();
    for pool in &estate.pools {
        let used = store.capacity_used(CapacityKind::StorageAllocated, pool.id).await?;
        let disks = store.pool_allocated_bytes(pool.id).await?;
        if used != Some(disks) {
            trouble.push(format!("{} is charged {used:?} bytes, its disks have {disks}", pool.name));
        }
    }
    for host in &estate.hosts {
        let vms = store.vms_on_host(host.id).await?;
        for (kind, each) in [
            (CapacityKind::Memory, memory_mib << 20),
            (CapacityKind::Cpu, cores * speed_mhz),
            (CapacityKind::CpuCore, cores),
        ] {
            let used = store.capacity_used(kind, host.id).await?;
            if used != Some(vms * each) {
                trouble.push(format!("{} is charged {used:?} of {kind:?} for {vms} VMs", host.plan.name));
            }
        }
    }
    Ok(Check::new("capacity adds up on all hosts and pools".to_owned(), &trouble))
}
