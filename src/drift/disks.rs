//! A disk as its row says it, beside what a host says of it.

use super::Kind;
use super::look::Subject;
use crate::model::{Host, Pool, Scope, Volume};
use crate::motion::hypervisor::{FileFact, VmDisk, same_folder};
use crate::store::NewDrift;

/// The disks of a thing, beside what one host says of them.
pub(super) struct Disks<'a> {
    /// What the rows say.
    pub subject: &'a Subject,
    /// Who speaks.
    pub host: &'a Host,
    /// The folder of a pool, as the host spells it.
    pub folder: &'a (dyn Fn(&Pool) -> String + Sync),
}

impl Disks<'_> {
    /// Whether each disk that the host lists of a machine that runs is in the pool that its row says. One that is not listed is in
    /// no other.
    pub fn are_in_place(&self, listed: &[VmDisk]) -> bool {
        self.compared().all(|volume| of_volume(listed, volume).is_none_or(|disk| self.is_in_place(volume, disk)))
    }

    /// What differs where the host lists the disks of a machine that runs. `reached` are the pools that are there for the machines
    /// of the host; they are not looked at where all disks are in place.
    pub fn listed(&self, listed: &[VmDisk], reached: &[Pool]) -> Vec<NewDrift> {
        self.compared().flat_map(|volume| self.in_list(volume, listed, reached)).collect()
    }

    fn compared(&self) -> impl Iterator<Item = &Volume> {
        self.subject.volumes.iter().filter(|volume| Subject::compares(volume))
    }

    fn is_in_place(&self, volume: &Volume, disk: &VmDisk) -> bool {
        self.subject.pool(volume).is_some_and(|pool| self.holds(pool, disk))
    }

    fn holds(&self, pool: &Pool, disk: &VmDisk) -> bool {
        is_on(pool, self.host) && same_folder(&(self.folder)(pool), &disk.folder)
    }

    fn in_list(&self, volume: &Volume, listed: &[VmDisk], reached: &[Pool]) -> Vec<NewDrift> {
        let stem = volume.path.as_deref().unwrap_or_default();
        let host = &self.host.name;
        let Some(found) = of_volume(listed, volume) else {
            let others: Vec<&str> = listed.iter().map(|disk| disk.stem.as_str()).collect();
            let has = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            let name = self.subject.vm.as_ref().map(|vm| vm.instance_name.as_str()).unwrap_or_default();
            let text = format!("Host {host} lists no disk {stem} of {name}; its disks are: {has}.");
            return vec![self.missing(volume, text)];
        };
        let elsewhere = (!self.is_in_place(volume, found)).then(|| {
            let holding: Vec<&Pool> = reached.iter().filter(|pool| self.holds(pool, found)).collect();
            self.elsewhere(volume, &found.folder, &holding)
        });
        elsewhere.into_iter().chain(self.size(volume, found.size_bytes)).collect()
    }

    /// What differs where the host lists the files of a disk that no running machine uses, in its pool and, when they are not
    /// there, in others.
    pub fn filed(&self, volume: &Volume, files: &[FileFact], others: &[Pool]) -> Option<NewDrift> {
        let stem = volume.path.as_deref().unwrap_or_default();
        let host = &self.host.name;
        if let Some(file) = files.iter().find(|file| file.complete) {
            return self.size(volume, file.size_bytes);
        }
        if let Some(half) = files.first() {
            return Some(self.missing(volume, format!("Host {host} lists {}, which is not a whole disk.", half.file)));
        }
        match others {
            [] => Some(self.missing(volume, format!("Host {host} lists no file {stem} in any pool that it tells of."))),
            [one, ..] => Some(self.elsewhere(volume, &(self.folder)(one), &Vec::from_iter(others))),
        }
    }

    /// The disk has another size.
    fn size(&self, volume: &Volume, size_bytes: u64) -> Option<NewDrift> {
        if size_bytes == 0 || i64::try_from(size_bytes) == Ok(volume.size_bytes) {
            return None;
        }
        let stem = volume.path.as_deref().unwrap_or_default();
        let text = format!("Host {} lists the disk {stem} with {size_bytes} bytes.", self.host.name);
        Some(self.finding(Kind::DiskSize, volume, format!("size {size_bytes}"), text))
    }

    fn missing(&self, volume: &Volume, text: String) -> NewDrift {
        self.finding(Kind::DiskMissing, volume, "missing".to_owned(), text)
    }

    /// The disk is in this folder, which is that of these pools.
    fn elsewhere(&self, volume: &Volume, folder: &str, holding: &[&Pool]) -> NewDrift {
        let (place, found_pool_id) = match holding {
            [one] => (format!("the folder of pool {}", one.name), Some(one.id)),
            [] => ("which is the folder of no pool that the host reaches".to_owned(), None),
            _ => {
                let names: Vec<&str> = holding.iter().map(|pool| pool.name.as_str()).collect();
                (format!("and more than one pool has it: {}", names.join(", ")), None)
            }
        };
        let stem = volume.path.as_deref().unwrap_or_default();
        let text = format!("Host {} lists the disk {stem} in {folder}, {place}.", self.host.name);
        // Two hosts may have a folder of the same name each.
        let mark = format!("host {} folder {}", self.host.id, folder.to_lowercase().replace('/', "\\"));
        NewDrift { found_pool_id, ..self.finding(Kind::DiskElsewhere, volume, mark, text) }
    }

    fn finding(&self, kind: Kind, volume: &Volume, mark: String, host_says: String) -> NewDrift {
        let place = self.subject.pool(volume).map_or_else(
            || "a pool that is not in the inventory".to_owned(),
            |pool| format!("pool {} ({})", pool.name, (self.folder)(pool)),
        );
        let stem = volume.path.as_deref().unwrap_or_default();
        let of = self.subject.vm.as_ref().map(|vm| format!(" of {}", vm.instance_name)).unwrap_or_default();
        let runs_at = self.subject.runs_at();
        NewDrift {
            kind: kind.word(),
            mark: mark.chars().take(512).collect(),
            vm_id: self.subject.vm.as_ref().map(|vm| vm.id),
            volume_id: Some(volume.id),
            host_id: runs_at.map_or(self.host.id, |host| host.id),
            found_host_id: runs_at.filter(|host| host.id != self.host.id).map(|_| self.host.id),
            pool_id: volume.pool_id,
            found_pool_id: None,
            database_says: format!(
                "Volume {}{of} is the file {stem} in {place}, {} bytes.",
                volume.name, volume.size_bytes
            ),
            host_says,
        }
    }
}

/// The disk in a host's list that has the file of a volume.
fn of_volume<'a>(listed: &'a [VmDisk], volume: &Volume) -> Option<&'a VmDisk> {
    let stem = volume.path.as_deref().unwrap_or_default();
    listed.iter().find(|disk| disk.stem.eq_ignore_ascii_case(stem))
}

/// Whether the folder of a pool is the same on this host: every host has a `D:` of its own, a share is one for all.
fn is_on(pool: &Pool, host: &Host) -> bool {
    pool.scope != Scope::Host || pool.host_address == host.private_ip
}

/// Whether a pool is there for the machines of a host.
pub(super) fn is_for(pool: &Pool, host: &Host) -> bool {
    match pool.scope {
        Scope::Host => is_on(pool, host),
        Scope::Cluster | Scope::Zone | Scope::Other => pool.is_shared_with(host.cluster_id, &host.hypervisor),
    }
}
