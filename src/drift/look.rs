//! One look at a thing: what the rows say, what the hosts say, and what differs.

use std::collections::BTreeSet;

use super::disks::{Disks, is_for};
use super::{Drift, Kind, Thing};
use crate::model::{Host, Pool, Vm, VmState, Volume, VolumeState};
use crate::motion::hypervisor::{HostRef, VmDisk, VmPresence};
use crate::motion::{host_ref, pool_ref, port};
use crate::store::{NewDrift, StoreError};

/// What a look gave.
pub(super) enum Look {
    /// The hosts told, and the rows have not changed meanwhile.
    Seen(Box<Seen>),
    /// Nothing can be said now, for this reason.
    NotNow(String),
}

/// A thing as its rows and its hosts say it.
pub(super) struct Seen {
    /// What the rows say.
    pub subject: Subject,
    /// The hosts that have the machine: the one that the rows say, or all others that have it.
    pub at: Vec<(Host, VmPresence)>,
    /// A host that told: what is written about the thing goes to its zone, pod and cluster.
    pub teller: Host,
    /// Whether it was told where the machine is.
    pub told_place: bool,
    /// The disks of which something was told, internal ids.
    pub told_disks: BTreeSet<i64>,
    /// What differs.
    pub findings: Vec<NewDrift>,
}

/// A thing as its rows say it.
pub(super) struct Subject {
    /// The machine; none where a disk belongs to none.
    pub vm: Option<Vm>,
    /// The host that the machine runs on, or that it ran on last.
    pub host: Option<Host>,
    /// The disks of the machine, or the disk alone.
    pub volumes: Vec<Volume>,
    /// The pools of these disks.
    pub pools: Vec<Pool>,
}

impl Subject {
    /// What it is.
    pub fn thing(&self) -> Thing {
        Thing::of(self.vm.as_ref().map(|vm| vm.id), self.volumes.first().map(|volume| volume.id))
    }

    /// A disk of it.
    pub fn volume(&self, id: i64) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.id == id)
    }

    /// The pool of a disk.
    pub fn pool(&self, volume: &Volume) -> Option<&Pool> {
        self.pools.iter().find(|pool| Some(pool.id) == volume.pool_id)
    }

    /// The machine with its host, when it runs.
    pub fn running(&self) -> Option<(&Vm, &Host)> {
        self.vm.as_ref().filter(|vm| vm.state == VmState::Running).zip(self.host.as_ref())
    }

    /// The host that the machine runs on.
    pub fn runs_at(&self) -> Option<&Host> {
        self.running().map(|(_, host)| host)
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
            (subject.vm.as_ref().map(|vm| (vm.update_count, vm.host_id)), volumes)
        };
        rows(self) == rows(other)
    }
}

/// What is asked of one host may fail without an end of the look.
type Silent = String;

impl Drift {
    /// Looks at a thing once. Of a machine that runs its host is asked, and others only when that one has not got it; of what
    /// does not run, a host that reaches its pools.
    ///
    /// # Errors
    /// [`StoreError`] when the database fails.
    pub(super) async fn look(&self, thing: Thing) -> Result<Look, StoreError> {
        let subject = match self.subject(thing).await? {
            Ok(subject) => subject,
            Err(reason) => return Ok(Look::NotNow(reason)),
        };
        let look = if subject.runs_at().is_some() { self.running(subject).await? } else { self.idle(subject).await? };
        let Look::Seen(seen) = look else { return Ok(look) };
        match self.subject(thing).await? {
            Ok(now) if now.is_same(&seen.subject) => Ok(Look::Seen(seen)),
            Ok(_) => Ok(Look::NotNow("its rows changed while the hosts were asked".to_owned())),
            Err(reason) => Ok(Look::NotNow(reason)),
        }
    }

    /// Looks at a machine that runs.
    async fn running(&self, subject: Subject) -> Result<Look, StoreError> {
        let Some((vm, host)) = subject.running() else {
            return Ok(Look::NotNow("the machine does not run".to_owned()));
        };
        if host.status != "Up" {
            return Ok(Look::NotNow(format!("host {} is {}", host.name, host.status)));
        }
        let mut silent = Vec::new();
        let at = match self.presence(host, &vm.instance_name).await? {
            Err(reason) => return Ok(Look::NotNow(reason)),
            Ok(VmPresence::Absent) => self.search(vm, host, &mut silent).await?,
            Ok(presence) => vec![(host.clone(), presence)],
        };
        let listed = match at.as_slice() {
            [(host, _)] => self.disks(host, &vm.instance_name).await?,
            _ => None,
        };
        let mut findings: Vec<NewDrift> = place_finding(vm, host, &at, &silent).into_iter().collect();
        let mut told_disks = BTreeSet::new();
        if let (Some(listed), [(host, _)]) = (&listed, at.as_slice()) {
            let folder = |pool: &Pool| self.hypervisor.folder(&pool_ref(pool));
            let disks = Disks { subject: &subject, host, folder: &folder };
            let reached = if disks.are_in_place(listed) { Vec::new() } else { self.reached(host).await? };
            findings.extend(disks.listed(listed, &reached));
            let compared = subject.volumes.iter().filter(|volume| Subject::compares(volume));
            told_disks.extend(compared.map(|volume| volume.id));
        }
        let teller = host.clone();
        Ok(Look::Seen(Box::new(Seen { subject, at, teller, told_place: true, told_disks, findings })))
    }

    /// The thing as its rows say it; a reason when it is not to be compared.
    async fn subject(&self, thing: Thing) -> Result<Result<Subject, String>, StoreError> {
        let store = &self.store;
        if store.thing_in_motion(thing.vm_id(), thing.volume_id()).await? {
            return Ok(Err("a migration of it is under way, or what became of one is not known".to_owned()));
        }
        let (vm, volumes) = match thing {
            Thing::Vm(id) => {
                let Some(vm) = store.vm_by_id(id).await?.filter(|vm| !vm.removed) else {
                    return Ok(Err("there is no such machine any more".to_owned()));
                };
                (Some(vm), store.volumes_of_vm(id).await?)
            }
            Thing::Disk(id) => match store.volume_by_id(id).await?.filter(|disk| !disk.removed) {
                Some(disk) if disk.vm_id.is_none() => (None, vec![disk]),
                _ => return Ok(Err("there is no such disk without a machine any more".to_owned())),
            },
        };
        let host_id = match &vm {
            Some(vm) if vm.state == VmState::Running => vm.host_id,
            Some(vm) if vm.state == VmState::Stopped => vm.last_host_id,
            Some(vm) => return Ok(Err(format!("the machine is {}", vm.state))),
            None => None,
        };
        let host = match host_id {
            Some(id) => store.host_by_id(id).await?.filter(|host| !host.removed),
            None => None,
        };
        if vm.as_ref().is_some_and(|vm| vm.state == VmState::Running) && host.is_none() {
            return Ok(Err("its host is not in the inventory".to_owned()));
        }
        let pool_ids: BTreeSet<i64> = volumes.iter().filter_map(|volume| volume.pool_id).collect();
        let mut pools = store.pools_by_id(&Vec::from_iter(pool_ids)).await?;
        pools.retain(|pool| !pool.removed);
        Ok(Ok(Subject { vm, host, volumes, pools }))
    }

    /// A host as its agent is asked.
    pub(super) async fn reference(&self, host: &Host) -> Result<HostRef, StoreError> {
        port(&self.store, Some(host)).await.map(|port| host_ref(host, port))
    }

    /// Whether a host has a machine.
    pub(super) async fn presence(&self, host: &Host, vm: &str) -> Result<Result<VmPresence, Silent>, StoreError> {
        let asked = self.hypervisor.vm_presence(&self.reference(host).await?, vm).await;
        Ok(asked.map_err(|error| format!("host {} does not answer: {error}", host.name)))
    }

    /// The disks that a host lists; none when it cannot tell or does not answer.
    async fn disks(&self, host: &Host, vm: &str) -> Result<Option<Vec<VmDisk>>, StoreError> {
        Ok(self.hypervisor.vm_disks(&self.reference(host).await?, vm).await.ok().flatten())
    }

    /// The pools that are there for the machines of a host.
    pub(super) async fn reached(&self, host: &Host) -> Result<Vec<Pool>, StoreError> {
        let mut pools = self.store.pools_around(host.zone_id, host.cluster_id).await?;
        pools.retain(|pool| is_for(pool, host));
        Ok(pools)
    }

    /// The other hosts of the zone that have the machine; those that do not say are named in `silent`.
    async fn search(
        &self,
        vm: &Vm,
        known: &Host,
        silent: &mut Vec<String>,
    ) -> Result<Vec<(Host, VmPresence)>, StoreError> {
        let mut found = Vec::new();
        for host in self.store.hosts_of_zone(vm.zone_id).await? {
            if host.id == known.id || !host.is_hyperv() {
                continue;
            }
            let told = match host.status.as_str() {
                "Up" => self.presence(&host, &vm.instance_name).await?.ok(),
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

/// Whether a machine that runs is where the rows say.
fn place_finding(vm: &Vm, host: &Host, at: &[(Host, VmPresence)], silent: &[String]) -> Option<NewDrift> {
    let name = &vm.instance_name;
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
    let found_host_id = match at {
        [(found, _)] => Some(found.id),
        _ => None,
    };
    let database_says = format!("{name} runs on host {}.", host.name);
    Some(NewDrift { found_host_id, ..of_machine(kind, mark, vm, host, database_says, host_says) })
}

/// A finding about a machine itself.
pub(super) fn of_machine(
    kind: Kind,
    mark: String,
    vm: &Vm,
    host: &Host,
    database_says: String,
    host_says: String,
) -> NewDrift {
    NewDrift {
        kind: kind.word(),
        mark,
        vm_id: Some(vm.id),
        volume_id: None,
        host_id: host.id,
        found_host_id: None,
        pool_id: None,
        found_pool_id: None,
        database_says,
        host_says,
    }
}
