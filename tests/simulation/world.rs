//! The hosts of a simulated estate, in memory: who runs which machine, which file lies where, and the moves that go on
//! whether or not anybody waits for them.

use std::collections::BTreeSet;

use stackmotion::demo::{Estate, EstatePoolKind};
use stackmotion::motion::hypervisor::{PoolRef, VmMove, VolumeCopy, VolumeMove};

use super::tally::Tally;

/// Steps in which a file is copied.
const STEPS: usize = 4;

/// A host with its agent.
#[derive(Clone, Debug)]
pub struct SimHost {
    pub id: i64,
    pub ip: String,
    pub name: String,
    pub local_pool: i64,
    /// Without our additions to the protocol.
    pub is_stock: bool,
    /// Nobody reaches it.
    pub is_away: bool,
    /// How often its agent has been started anew.
    pub process: u32,
    /// The motions that its agent refuses.
    pub barred: BTreeSet<String>,
    /// Those that an earlier process of its agent refused.
    pub forgotten: BTreeSet<String>,
}

/// A virtual machine.
#[derive(Clone, Debug)]
pub struct Machine {
    pub id: i64,
    pub name: String,
    pub host: usize,
    pub is_running: bool,
    /// Pool and stem of every disk.
    pub disks: Vec<(i64, String)>,
}

/// A file.
#[derive(Clone, Debug)]
pub struct File {
    pub pool: i64,
    pub stem: String,
    pub identity: String,
    pub size: u64,
    pub allocated: u64,
    pub is_complete: bool,
}

/// A command that moves something.
#[derive(Clone, Debug)]
pub enum Command {
    Volume(VolumeMove),
    Machine(VmMove),
    Copy(VolumeCopy),
}

impl Command {
    pub fn motion(&self) -> &str {
        match self {
            Self::Volume(order) => &order.motion,
            Self::Machine(order) => &order.motion,
            Self::Copy(order) => &order.motion,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Volume(_) => "volume",
            Self::Machine(order) if order.disks.is_empty() => "machine",
            Self::Machine(_) => "machine with disks",
            Self::Copy(_) => "copy",
        }
    }
}

/// What goes wrong with a motion that the host has taken up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    None,
    /// The job fails at this step, and cleans up.
    Fail(usize),
    /// The agent dies at this step.
    Die(usize),
    /// The copy stands still at this step until it is told to stop, or not even then.
    Stall {
        at: usize,
        obeys: bool,
    },
    /// This disk is not moved, and nothing is said of it.
    Skip(usize),
    /// Nothing is moved, and it is said that it was.
    Lie,
}

/// How a motion ended, as the agent would say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Failed(String),
    /// The agent died or was started anew: nobody says anything.
    Lost,
}

/// How far a motion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Copy(usize),
    Switch,
    Clean,
    Over,
}

/// A disk on its way.
#[derive(Clone, Debug)]
pub struct Relocation {
    pub from: (i64, String),
    pub to: (i64, String),
}

/// A motion of the world.
#[derive(Clone, Debug)]
pub struct Moving {
    pub uuid: String,
    pub host: usize,
    pub process: u32,
    pub machine: Option<usize>,
    pub target: Option<usize>,
    pub relocations: Vec<Relocation>,
    pub is_copy: bool,
    pub phase: Phase,
    pub is_stopped: bool,
    pub mishap: Mishap,
    pub end: Option<End>,
    pub bytes: u64,
    /// How many of the targets it has made.
    made: usize,
}

/// A request that lies unread in an agent.
#[derive(Clone, Debug)]
pub struct Unread {
    pub host: usize,
    pub command: Command,
    /// What came of it: a motion, or a refusal; `Err(None)` when it is lost.
    pub end: Option<Result<usize, Option<String>>>,
}

/// All of it.
#[derive(Clone, Debug, Default)]
pub struct World {
    pub hosts: Vec<SimHost>,
    pub machines: Vec<Machine>,
    pub files: Vec<File>,
    pub motions: Vec<Moving>,
    pub unread: Vec<Unread>,
    /// Folder of every pool, and whether it is a host's own.
    pools: Vec<(i64, String, bool)>,
    /// Disks about which an agent that cannot be checked has lied: machine or nothing, and pool and stem that it named.
    pub lied: Vec<(i64, String)>,
    /// Hosts say that disks are where they were to go. They do it in a test only.
    pub is_forging: bool,
}

impl World {
    pub fn new(estate: &Estate) -> Self {
        let mut world = Self::default();
        for pool in &estate.pools {
            let is_local = matches!(pool.kind, EstatePoolKind::Local { .. });
            world.pools.push((pool.id, pool.unc_or_folder(), is_local));
        }
        for host in &estate.hosts {
            let local = estate.pools.iter().find(|pool| pool.host_ip() == Some(host.plan.ip.as_str()));
            world.hosts.push(SimHost {
                id: host.id,
                ip: host.plan.ip.clone(),
                name: host.plan.name.clone(),
                local_pool: local.expect("every host has a pool of its own").id,
                is_stock: false,
                is_away: false,
                process: 0,
                barred: BTreeSet::new(),
                forgotten: BTreeSet::new(),
            });
        }
        for vm in &estate.vms {
            let host = world.hosts.iter().position(|host| host.id == vm.host_id).expect("a host");
            let disks = estate.disks_of(vm).map(|disk| (disk.pool_id, disk.uuid.clone())).collect();
            let is_running = !vm.plan.stopped;
            world.machines.push(Machine { id: vm.id, name: vm.instance_name.clone(), host, is_running, disks });
        }
        for disk in &estate.disks {
            let size = disk.plan.virtual_bytes;
            let (pool, stem, identity) = (disk.pool_id, disk.uuid.clone(), disk.uuid.clone());
            world.files.push(File { pool, stem, identity, size, allocated: size, is_complete: true });
        }
        world
    }

    pub fn host(&self, ip: &str) -> usize {
        self.hosts.iter().position(|host| host.ip == ip).expect("a known host")
    }

    pub fn machine(&self, name: &str) -> Option<usize> {
        self.machines.iter().position(|machine| machine.name == name)
    }

    /// The pool that a host finds under a pool's name: a path is one of its own, whoever's it was meant to be.
    pub fn pool_seen(&self, host: usize, pool: &PoolRef) -> i64 {
        if pool.kind == "Filesystem" { self.hosts[host].local_pool } else { pool.id }
    }

    pub fn folder(&self, pool: i64) -> String {
        self.pools.iter().find(|(id, ..)| *id == pool).expect("a known pool").1.clone()
    }

    pub fn file(&self, pool: i64, stem: &str) -> Option<&File> {
        self.files.iter().find(|file| file.pool == pool && file.stem == stem)
    }

    fn file_mut(&mut self, place: &(i64, String)) -> Option<&mut File> {
        self.files.iter_mut().find(|file| file.pool == place.0 && file.stem == place.1)
    }

    /// The motion of that id which the present agent of a host knows.
    pub fn known(&self, host: usize, uuid: &str) -> Option<usize> {
        let process = self.hosts[host].process;
        self.motions.iter().position(|it| it.uuid == uuid && it.host == host && it.process == process)
    }

    /// Whether Hyper-V has the file open.
    pub fn is_in_use(&self, pool: i64, stem: &str) -> bool {
        let is_it = |place: &(i64, String)| place.0 == pool && place.1 == stem;
        self.machines.iter().any(|machine| machine.is_running && machine.disks.iter().any(is_it))
            || self
                .motions
                .iter()
                .filter(|motion| motion.end.is_none())
                .any(|motion| motion.relocations.iter().any(|moved| is_it(&moved.from) || is_it(&moved.to)))
    }

    /// Takes a command up. Gives the number of its motion, or what the agent says instead.
    pub fn receive(&mut self, host: usize, command: &Command, mishap: Mishap) -> Result<usize, String> {
        let uuid = command.motion().to_owned();
        if self.hosts[host].barred.contains(&uuid) {
            return Err("The motion was stopped before it came".to_owned());
        }
        let mut moving = Moving {
            uuid,
            host,
            process: self.hosts[host].process,
            machine: None,
            target: None,
            relocations: Vec::new(),
            is_copy: matches!(command, Command::Copy(_)),
            phase: Phase::Copy(0),
            is_stopped: false,
            mishap,
            end: None,
            bytes: 0,
            made: 0,
        };
        if let Err(text) = self.plan(&mut moving, command) {
            (moving.phase, moving.end) = (Phase::Over, Some(End::Failed(text)));
        } else if mishap == Mishap::Lie {
            self.believe(&moving);
            (moving.phase, moving.end) = (Phase::Over, Some(End::Done));
        }
        self.motions.push(moving);
        Ok(self.motions.len() - 1)
    }

    /// Remembers what cannot be checked by anybody.
    fn believe(&mut self, moving: &Moving) {
        let target = moving.target.unwrap_or(moving.host);
        if self.hosts[moving.host].is_stock || self.hosts[target].is_stock {
            let skipped = |(number, _): &(usize, &Relocation)| match moving.mishap {
                Mishap::Skip(disk) => *number == disk,
                _ => true,
            };
            self.lied.extend(moving.relocations.iter().enumerate().filter(skipped).map(|(_, it)| it.from.clone()));
        }
    }

    /// What Hyper-V looks at before it begins.
    fn plan(&self, moving: &mut Moving, command: &Command) -> Result<(), String> {
        let host = moving.host;
        match command {
            Command::Volume(order) => {
                let machine = self.machine_on(host, &order.vm.name)?;
                moving.machine = Some(machine);
                let found = self.machines[machine].disks.iter().find(|(_, stem)| *stem == order.disk.stem);
                let from = found.ok_or("InvalidParameter")?.clone();
                let to = (self.pool_seen(host, &order.target), from.1.clone());
                moving.relocations.push(Relocation { from, to });
            }
            Command::Machine(order) => {
                let machine = self.machine_on(host, &order.vm.name)?;
                let target = self.host(&order.target_host.ip);
                (moving.machine, moving.target) = (Some(machine), Some(target));
                for from in &self.machines[machine].disks {
                    let wish = order.disks.iter().find(|(disk, _)| disk.stem == from.1);
                    let pool = wish.map_or(from.0, |(_, pool)| self.pool_seen(target, pool));
                    if pool != from.0 {
                        moving.relocations.push(Relocation { from: from.clone(), to: (pool, from.1.clone()) });
                    }
                }
            }
            Command::Copy(order) => {
                let from = (self.pool_seen(host, &order.disk.pool), order.disk.stem.clone());
                let to = (self.pool_seen(host, &order.copy.pool), order.copy.stem.clone());
                moving.relocations.push(Relocation { from, to });
            }
        }
        if moving.machine.is_some()
            && self.motions.iter().any(|other| other.end.is_none() && other.machine == moving.machine)
        {
            return Err("InvalidState".to_owned());
        }
        moving.relocations.retain(|moved| moved.from != moved.to);
        for moved in &moving.relocations {
            let source = self.file(moved.from.0, &moved.from.1).filter(|file| file.is_complete);
            moving.bytes += source.ok_or("Hyper-V Job failed: the system cannot find the file specified")?.size;
        }
        Ok(())
    }

    fn machine_on(&self, host: usize, name: &str) -> Result<usize, String> {
        let found = self.machine(name).filter(|machine| self.machines[*machine].host == host);
        found.ok_or_else(|| "Object reference not set to an instance of an object".to_owned())
    }

    /// Whether a motion would do anything if it had its turn.
    pub fn can_advance(&self, number: usize) -> bool {
        let motion = &self.motions[number];
        if motion.end.is_some() {
            return false;
        }
        match (motion.mishap, motion.phase) {
            (Mishap::Stall { at, obeys }, Phase::Copy(step)) if step == at => obeys && motion.is_stopped,
            _ => true,
        }
    }

    /// Lets a motion do its next step, and says what it was.
    pub fn advance(&mut self, number: usize, tally: &mut Tally) -> String {
        let motion = self.motions[number].clone();
        let steps = STEPS * motion.relocations.len().max(1);
        let said = match motion.phase {
            Phase::Copy(_) | Phase::Switch if motion.is_stopped => self.undo(number, "The operation was cancelled"),
            Phase::Copy(step) => match motion.mishap {
                Mishap::Fail(at) if step >= at => self.undo(number, "Hyper-V Job failed, Error Code:32784"),
                Mishap::Die(at) if step >= at => {
                    self.restart(motion.host, true, tally);
                    "its agent dies".to_owned()
                }
                _ if step == steps => {
                    self.motions[number].phase = Phase::Switch;
                    "has copied".to_owned()
                }
                _ => self.copy(number, step),
            },
            Phase::Switch => self.switch(number),
            Phase::Clean => {
                if !motion.is_copy {
                    for moved in self.moved(&motion) {
                        self.files.retain(|file| file.pool != moved.from.0 || file.stem != moved.from.1);
                    }
                }
                self.finish(number, End::Done);
                "has cleaned up".to_owned()
            }
            Phase::Over => String::new(),
        };
        format!("motion {number} {said}")
    }

    /// The disks that the motion does move.
    fn moved(&self, motion: &Moving) -> Vec<Relocation> {
        let is_skipped = |number: usize| motion.mishap == Mishap::Skip(number);
        let moved = motion.relocations.iter().enumerate().filter(|(number, _)| !is_skipped(*number));
        moved.map(|(_, moved)| moved.clone()).collect()
    }

    fn copy(&mut self, number: usize, step: usize) -> String {
        let motion = self.motions[number].clone();
        let moved = self.moved(&motion);
        let (disk, part) = (step / STEPS, step % STEPS);
        self.motions[number].phase = Phase::Copy(step + 1);
        let Some(moved) = moved.get(disk) else { return "copies what is no file".to_owned() };
        let Some(source) = self.file(moved.from.0, &moved.from.1).cloned() else {
            return self.undo(number, "Hyper-V Job failed: the source is gone");
        };
        if part == 0 {
            if self.file(moved.to.0, &moved.to.1).is_some() {
                return self.undo(number, "Hyper-V Job failed: the file exists (0x80070050)");
            }
            self.motions[number].made = disk + 1;
            let (pool, stem) = moved.to.clone();
            self.files.push(File { pool, stem, allocated: 0, is_complete: false, ..source.clone() });
        }
        let Some(target) = self.file_mut(&moved.to) else {
            return self.undo(number, "Hyper-V Job failed: the target is gone");
        };
        target.allocated = source.size * (part as u64 + 1) / STEPS as u64;
        target.is_complete = part + 1 == STEPS;
        format!("copies {} of {STEPS} of {}", part + 1, moved.to.1)
    }

    /// Up to the switch everything can be taken back.
    fn undo(&mut self, number: usize, text: &str) -> String {
        let motion = self.motions[number].clone();
        for moved in self.moved(&motion).iter().take(motion.made) {
            self.files.retain(|file| file.pool != moved.to.0 || file.stem != moved.to.1);
        }
        self.finish(number, End::Failed(text.to_owned()));
        format!("fails: {text}")
    }

    fn switch(&mut self, number: usize) -> String {
        let motion = self.motions[number].clone();
        for moved in self.moved(&motion) {
            if self.file(moved.to.0, &moved.to.1).is_none_or(|file| !file.is_complete) {
                return self.undo(number, "Hyper-V Job failed: the target is gone");
            }
        }
        if let Some(machine) = motion.machine {
            for moved in self.moved(&motion) {
                let disks = self.machines[machine].disks.iter_mut();
                disks.filter(|disk| **disk == moved.from).for_each(|disk| *disk = moved.to.clone());
            }
            if let Some(target) = motion.target {
                self.machines[machine].host = target;
            }
        }
        if matches!(motion.mishap, Mishap::Skip(_)) {
            self.believe(&motion);
        }
        self.motions[number].phase = Phase::Clean;
        "switches".to_owned()
    }

    fn finish(&mut self, number: usize, end: End) {
        let motion = &mut self.motions[number];
        (motion.phase, motion.end) = (Phase::Over, Some(end));
    }

    /// The agent of a host starts anew: it knows nothing any more, and its motions stay as they are. `cleans` says whether
    /// those that have switched still remove their sources.
    pub fn restart(&mut self, host: usize, cleans: bool, tally: &mut Tally) {
        for number in 0..self.motions.len() {
            let motion = self.motions[number].clone();
            if motion.host != host || motion.end.is_some() {
                continue;
            }
            if motion.phase == Phase::Clean && cleans && !motion.is_copy {
                for moved in self.moved(&motion) {
                    self.files.retain(|file| file.pool != moved.from.0 || file.stem != moved.from.1);
                }
            }
            tally.count(
                "motions cut off by their agent",
                format!("{:?}", motion.phase).split('(').next().unwrap_or("?"),
            );
            self.finish(number, End::Lost);
        }
        for unread in self.unread.iter_mut().filter(|unread| unread.host == host && unread.end.is_none()) {
            unread.end = Some(Err(None));
        }
        let host = &mut self.hosts[host];
        host.process += 1;
        let barred = std::mem::take(&mut host.barred);
        host.forgotten.extend(barred);
    }
}
