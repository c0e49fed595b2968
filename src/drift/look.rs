//! One look at a machine: what the rows say, what the hosts say, and what differs.

use super::{Drift, Kind};
use crate::model::{Host, Pool, Scope, Vm, VmState, Volume, VolumeState};
use crate::motion::hypervisor::{HostRef, VmDisk, VmPresence, same_folder};
use crate::motion::{host_ref, pool_ref, port};
use crate::store::{NewDrift, Store, StoreError};

/// What a look gave.
pub(super) enum Look {
    /// The hosts told, and the rows have not changed meanwhile.
    Seen(Box<Seen>),
    /// Nothing can be said now, for this reason.
    NotNow(String),
}

/// A machine as its rows and its hosts say it.
pub(super) struct Seen {
    /// What the rows say.
    pub subject: Subject,
    /// The hosts that have the machine: the one that the rows say, or all others that have it.
    pub at: Vec<(Host, VmPresence)>,
    /// Whether the agent told of disks.
    pub told_disks: bool,
    /// What differs.
    pub findings: Vec<NewDrift>,
}

/// A machine as its rows say it.
pub(super) struct Subject {
    pub vm: Vm,
    pub host: Host,
    pub volumes: Vec<Volume>,
    /// The pools of its zone.
    pub pools: Vec<Pool>,
}

impl Subject {
    /// A volume of the machine.
    pub fn volume(&self, id: i64) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.id == id)
    }

    /// Whether a volume is compared: its file has to be somewhere.
    pub fn compares(volume: &Volume) -> bool {
        volume.state == VolumeState::Ready && volume.pool_id.is_some() && volume.path.is_some()
    }

    /// Whether the rows are the same as in `other`.
    fn is_same(&self, other: &Self) -> bool {
        let rows = |subject: &Self| {
            let volumes: Vec<(i64, i64)> =
                subject.volumes.iter().map(|volume| (volume.id, volume.update_count)).collect();
            (subject.vm.update_count, subject.vm.host_id, volumes)
        };
        rows(self) == rows(other)
    }
}

/// What is asked of one host may fail without an end of the look.
type Silent = String;

impl Drift {
    /// Looks at a machine once. Asks its host; other hosts only when that one has not got it.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub(super) async fn look(&self, vm_id: i64) -> Result<Look, StoreError> {
        let subject = match self.subject(vm_id).await? {
            Ok(subject) => subject,
            Err(reason) => return Ok(Look::NotNow(reason)),
        };
        let name = &subject.vm.instance_name;
        if subject.host.status != "Up" {
            return Ok(Look::NotNow(format!("host {} is {}", subject.host.name, subject.host.status)));
        }
        let mut silent = Vec::new();
        let at = match self.presence(&subject.host, name).await? {
            Err(reason) => return Ok(Look::NotNow(reason)),
            Ok(VmPresence::Absent) => self.search(&subject, &mut silent).await?,
            Ok(presence) => vec![(subject.host.clone(), presence)],
        };
        let listed = match at.as_slice() {
            [(host, _)] => self.disks(host, name).await?,
            _ => None,
        };
        match self.subject(vm_id).await? {
            Ok(now) if now.is_same(&subject) => {}
            Ok(_) => return Ok(Look::NotNow("its rows changed while the hosts were asked".to_owned())),
            Err(reason) => return Ok(Look::NotNow(reason)),
        }
        let mut findings: Vec<NewDrift> = place_finding(&subject, &at, &silent).into_iter().collect();
        if let (Some(listed), [(host, _)]) = (&listed, at.as_slice()) {
            let folder = |pool: &Pool| self.hypervisor.folder(&pool_ref(pool));
            findings.extend(Disks { subject: &subject, host, listed, folder: &folder }.findings());
        }
        Ok(Look::Seen(Box::new(Seen { subject, at, told_disks: listed.is_some(), findings })))
    }

    /// The machine as its rows say it; a reason when it is not to be compared.
    async fn subject(&self, vm_id: i64) -> Result<Result<Subject, String>, StoreError> {
        let store = &self.store;
        let Some(vm) = store.vm_by_id(vm_id).await?.filter(|vm| !vm.removed) else {
            return Ok(Err("there is no such machine any more".to_owned()));
        };
        let (VmState::Running, Some(host_id)) = (vm.state, vm.host_id) else {
            return Ok(Err(format!("the machine is {}", vm.state)));
        };
        if store.vm_in_motion(vm_id).await? {
            return Ok(Err("a migration of the machine is under way, or what became of one is not known".to_owned()));
        }
        let Some(host) = store.host_by_id(host_id).await?.filter(|host| !host.removed) else {
            return Ok(Err(format!("its host {host_id} is not in the inventory")));
        };
        let volumes = store.volumes_of_vm(vm_id).await?;
        let pools = store.pools_of_zone(vm.zone_id).await?;
        Ok(Ok(Subject { vm, host, volumes, pools }))
    }

    async fn reference(&self, host: &Host) -> Result<HostRef, StoreError> {
        port_of(&self.store, host).await.map(|port| host_ref(host, port))
    }

    async fn presence(&self, host: &Host, vm: &str) -> Result<Result<VmPresence, Silent>, StoreError> {
        let asked = self.hypervisor.vm_presence(&self.reference(host).await?, vm).await;
        Ok(asked.map_err(|error| format!("host {} does not answer: {error}", host.name)))
    }

    /// The disks that a host lists; none when it cannot tell or does not answer.
    async fn disks(&self, host: &Host, vm: &str) -> Result<Option<Vec<VmDisk>>, StoreError> {
        Ok(self.hypervisor.vm_disks(&self.reference(host).await?, vm).await.ok().flatten())
    }

    /// The hosts of the zone that have the machine; those that do not say are named in `silent`.
    async fn search(&self, subject: &Subject, silent: &mut Vec<String>) -> Result<Vec<(Host, VmPresence)>, StoreError> {
        let mut found = Vec::new();
        for host in self.store.hosts_of_zone(subject.vm.zone_id).await? {
            if host.id == subject.host.id || !host.is_hyperv() {
                continue;
            }
            let told = match host.status.as_str() {
                "Up" => self.presence(&host, &subject.vm.instance_name).await?.ok(),
                _ => None,
            };
            match told {
                None => silent.push(host.name),
                Some(VmPresence::Absent) => {}
                Some(presence) => found.push((host, presence)),
            }
        }
        Ok(found)
    }
}

/// The port of a host's agent, when the row says another one than the settings do.
async fn port_of(store: &Store, host: &Host) -> Result<Option<u16>, StoreError> {
    match port(store, Some(host)).await {
        Ok(port) => Ok(port),
        Err(mut refusal) => match refusal.cause.take() {
            Some(cause) => Err(cause),
            None => Ok(None),
        },
    }
}

/// Whether the machine is where the rows say.
fn place_finding(subject: &Subject, at: &[(Host, VmPresence)], silent: &[String]) -> Option<NewDrift> {
    let (name, host) = (&subject.vm.instance_name, &subject.host);
    if at.iter().any(|(found, _)| found.id == host.id) {
        return None;
    }
    let names: Vec<&str> = at.iter().map(|(found, _)| found.name.as_str()).collect();
    let not_asked = if silent.is_empty() {
        String::new()
    } else {
        format!(" These hosts did not say whether they have it: {}.", silent.join(", "))
    };
    let (kind, mark, host_says) = if at.is_empty() {
        let text = format!(
            "Host {} does not have {name}, and no other host of the zone says that it has.{not_asked}",
            host.name
        );
        (Kind::VmMissing, "absent".to_owned(), text)
    } else {
        let mut ids: Vec<String> = at.iter().map(|(found, _)| found.id.to_string()).collect();
        ids.sort();
        let text = format!("Host {} does not have {name}; it is on {}.{not_asked}", host.name, names.join(" and on "));
        (Kind::VmElsewhere, format!("host {}", ids.join(" ")), text)
    };
    Some(NewDrift {
        kind: kind.word(),
        mark,
        vm_id: subject.vm.id,
        volume_id: None,
        host_id: host.id,
        found_host_id: match at {
            [(found, _)] => Some(found.id),
            _ => None,
        },
        pool_id: None,
        found_pool_id: None,
        database_says: format!("{name} runs on host {}.", host.name),
        host_says,
    })
}

/// The disks of a machine as a host lists them, beside the rows.
struct Disks<'a> {
    subject: &'a Subject,
    host: &'a Host,
    listed: &'a [VmDisk],
    folder: &'a (dyn Fn(&Pool) -> String + Sync),
}

impl Disks<'_> {
    fn findings(&self) -> Vec<NewDrift> {
        let compared = self.subject.volumes.iter().filter(|volume| Subject::compares(volume));
        compared.flat_map(|volume| self.of(volume)).collect()
    }

    fn of(&self, volume: &Volume) -> Vec<NewDrift> {
        let stem = volume.path.as_deref().unwrap_or_default();
        let pool = self.subject.pools.iter().find(|pool| Some(pool.id) == volume.pool_id);
        let host = &self.host.name;
        let Some(found) = self.listed.iter().find(|disk| disk.stem.eq_ignore_ascii_case(stem)) else {
            let others: Vec<&str> = self.listed.iter().map(|disk| disk.stem.as_str()).collect();
            let has = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
            let text =
                format!("Host {host} lists no disk {stem} of {}; its disks are: {has}.", self.subject.vm.instance_name);
            return vec![self.finding(Kind::DiskMissing, volume, "missing".to_owned(), text)];
        };
        let mut findings = Vec::new();
        let in_place = |pool: &Pool| is_on(pool, self.host) && same_folder(&(self.folder)(pool), &found.folder);
        if !pool.is_some_and(in_place) {
            let reached = self.subject.pools.iter().filter(|pool| is_for(pool, self.host));
            let holding: Vec<&Pool> = reached.filter(|pool| in_place(pool)).collect();
            let place = match holding.as_slice() {
                [one] => format!("the folder of pool {}", one.name),
                [] => "which is the folder of no pool that the host reaches".to_owned(),
                _ => "which is the folder of more than one pool".to_owned(),
            };
            let text = format!("Host {host} lists the disk {stem} in {}, {place}.", found.folder);
            // Two hosts may have a folder of the same name each.
            let mark = format!("host {} folder {}", self.host.id, found.folder.to_lowercase().replace('/', "\\"));
            let found_pool_id = match holding.as_slice() {
                [one] => Some(one.id),
                _ => None,
            };
            findings.push(NewDrift { found_pool_id, ..self.finding(Kind::DiskElsewhere, volume, mark, text) });
        }
        if found.size_bytes > 0 && i64::try_from(found.size_bytes) != Ok(volume.size_bytes) {
            let text = format!("Host {host} lists the disk {stem} with {} bytes.", found.size_bytes);
            findings.push(self.finding(Kind::DiskSize, volume, format!("size {}", found.size_bytes), text));
        }
        findings
    }

    fn finding(&self, kind: Kind, volume: &Volume, mark: String, host_says: String) -> NewDrift {
        let pool = self.subject.pools.iter().find(|pool| Some(pool.id) == volume.pool_id);
        let place = pool.map_or_else(
            || "a pool that is not in the inventory".to_owned(),
            |pool| format!("pool {} ({})", pool.name, (self.folder)(pool)),
        );
        let stem = volume.path.as_deref().unwrap_or_default();
        NewDrift {
            kind: kind.word(),
            mark: mark.chars().take(512).collect(),
            vm_id: self.subject.vm.id,
            volume_id: Some(volume.id),
            host_id: self.subject.host.id,
            found_host_id: (self.host.id != self.subject.host.id).then_some(self.host.id),
            pool_id: volume.pool_id,
            found_pool_id: None,
            database_says: format!(
                "Volume {} of {} is the file {stem} in {place}, {} bytes.",
                volume.name, self.subject.vm.instance_name, volume.size_bytes
            ),
            host_says,
        }
    }
}

/// Whether the folder of a pool is the same on this host: every host has a `D:` of its own, a share is one for all.
fn is_on(pool: &Pool, host: &Host) -> bool {
    pool.scope != Scope::Host || pool.host_address == host.private_ip
}

/// Whether a pool is there for the machines of a host.
fn is_for(pool: &Pool, host: &Host) -> bool {
    match pool.scope {
        Scope::Host => is_on(pool, host),
        Scope::Cluster => pool.cluster_id == host.cluster_id,
        Scope::Zone => true,
        Scope::Other => false,
    }
}
