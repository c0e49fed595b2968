//! Windows folders and the real folders behind them, and how much fits into them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{fs, io};

use super::image;
use crate::hypervisors::hyperv::wire::naming;

/// A folder that disks can lie in.
#[derive(Debug, Clone)]
pub struct Pool {
    /// UNC name or Windows path.
    pub name: String,
    /// Host that has it; absent for a share, which all hosts see.
    pub on_host: Option<String>,
    /// The real folder.
    pub folder: PathBuf,
    /// Size that it keeps to; absent for the file system's.
    pub capacity_bytes: Option<u64>,
}

/// Size of a pool and what is free in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Size.
    pub capacity_bytes: u64,
    /// Free bytes.
    pub available_bytes: u64,
}

/// All folders of a world.
#[derive(Debug, Default)]
pub struct Pools {
    pools: Vec<Pool>,
    /// Copies under way: target file and the bytes that it will take up.
    in_flight: Mutex<HashMap<PathBuf, u64>>,
}

/// A name in one spelling: backslashes, lower case, no separator at the end.
fn spelled(name: &str) -> String {
    let name = name.replace('/', "\\").to_lowercase();
    name.trim_end_matches('\\').to_owned()
}

impl Pools {
    /// Pools of a world; their real folders must exist.
    pub fn new(pools: Vec<Pool>) -> Self {
        Self { pools, in_flight: Mutex::default() }
    }

    /// All pools.
    pub fn all(&self) -> &[Pool] {
        &self.pools
    }

    /// The pool that a folder is to a host: a share by its UNC name, or one of the host's own.
    pub fn find(&self, host: &str, folder: &str) -> Option<&Pool> {
        let wanted = spelled(folder);
        self.pools
            .iter()
            .find(|pool| spelled(&pool.name) == wanted && pool.on_host.as_deref().is_none_or(|ip| ip == host))
    }

    /// The real file behind a file of a folder, seen from a host. The file need not exist.
    pub fn file(&self, host: &str, folder: &str, file: &str) -> Option<PathBuf> {
        let folder = &self.find(host, folder)?.folder;
        let is_plain = !file.contains(['/', '\\']);
        is_plain.then(|| inside(folder, file)).flatten()
    }

    /// Size of a pool and what is free in it, room for copies under way taken off.
    ///
    /// # Errors
    /// What the file system says.
    pub fn space(&self, pool: &Pool) -> io::Result<Space> {
        space_beside(&self.copies(), pool)
    }

    /// Sets room aside for a copy. False when the pool has not got it.
    ///
    /// # Errors
    /// What the file system says.
    pub fn reserve(&self, pool: &Pool, target: &Path, bytes: u64) -> io::Result<bool> {
        let mut copies = self.copies();
        let fits = space_beside(&copies, pool)?.available_bytes >= bytes;
        if fits {
            copies.insert(target.to_owned(), bytes);
        }
        Ok(fits)
    }

    /// Ends what [`Self::reserve`] began.
    pub fn release(&self, target: &Path) {
        self.copies().remove(target);
    }

    /// Whether a copy to this file is under way.
    pub fn is_in_flight(&self, target: &Path) -> bool {
        self.copies().contains_key(target)
    }

    fn copies(&self) -> MutexGuard<'_, HashMap<PathBuf, u64>> {
        self.in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file at or below a folder, named with slashes of either kind. `None` for a name that leads out.
pub fn inside(folder: &Path, name: &str) -> Option<PathBuf> {
    let parts: Vec<&str> = name.split(['/', '\\']).filter(|part| !part.is_empty()).collect();
    let is_harmless = |part: &&str| ![".", ".."].contains(part) && !part.contains([':', '\0']);
    let usable = !parts.is_empty() && parts.iter().all(is_harmless);
    usable.then(|| parts.iter().fold(folder.to_owned(), |path, part| path.join(part)))
}

/// Size of a pool and what is free in it beside the given copies under way.
fn space_beside(copies: &HashMap<PathBuf, u64>, pool: &Pool) -> io::Result<Space> {
    let Some(capacity_bytes) = pool.capacity_bytes else {
        let system = rustix::fs::statvfs(&pool.folder)?;
        return Ok(Space {
            capacity_bytes: system.f_blocks * system.f_frsize,
            available_bytes: system.f_bavail * system.f_frsize,
        });
    };
    let used = used_bytes(copies, &pool.folder)?;
    Ok(Space { capacity_bytes, available_bytes: capacity_bytes.saturating_sub(used) })
}

/// Bytes that the files of a folder take up, or will when they are copied.
fn used_bytes(copies: &HashMap<PathBuf, u64>, folder: &Path) -> io::Result<u64> {
    let mut used = 0;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        // A file may go away between listing and looking; then it takes up nothing.
        let now = image::allocated_bytes(&path).unwrap_or(0);
        used += copies.get(&path).map_or(now, |later| now.max(*later));
    }
    let announced = copies.iter().filter(|(path, _)| path.parent() == Some(folder) && !path.exists());
    Ok(used + announced.map(|(_, bytes)| bytes).sum::<u64>())
}

/// The Windows folder of a pool as moves name it.
pub fn folder_of_filer(pool_type: &str, host: &str, path: &str) -> String {
    if pool_type == "SMB" { naming::smb_unc(host, path) } else { path.to_owned() }
}
