//! The port to the hosts of a simulated estate, and what goes wrong on the way to them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use stackmotion::motion::hypervisor::{
    AgentError, Answer, DiskRef, Effect, FileFact, HostRef, Hypervisor, MotionState, MotionStatus, PoolRef, Stopping,
    Told, VmDisk, VmMove, VmPresence, VolumeCopy, VolumeMove,
};

use super::points::{Kind, Sim, State, Wait};
use super::world::{Command, End, Mishap, Phase, Unread};

/// The hosts, as a gateway reaches them.
pub struct SimHyperV(pub Arc<Sim>);

/// What comes of a command that has reached its host.
enum Arrived {
    /// The answer, at once.
    Answer(Answer<Told>),
    /// A motion begins, and its answer fares so.
    Motion(usize, Way),
    /// It lies there unread.
    Unread(usize, Way),
}

/// How the answer to a command fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Good,
    /// The connection breaks at once, and the motion goes on.
    BreaksAtOnce,
    /// The connection breaks at the end.
    BreaksAfter,
    /// It comes late.
    Late(u64),
    /// The agent is started anew before it answers.
    RestartsAfter,
}

fn lost<T>(text: &str) -> Answer<T> {
    Err(AgentError { effect: Effect::Unknown, text: text.to_owned() })
}

fn refused<T>(text: impl Into<String>) -> Answer<T> {
    Err(AgentError { effect: Effect::None, text: text.into() })
}

impl State {
    /// Draws what goes wrong with a command: the answer when nothing comes of it, else what becomes of the motion and of
    /// its answer.
    fn draw(&mut self, host: usize, command: &Command) -> Result<(Mishap, Way), Answer<Told>> {
        if self.is_calm || !self.dice.chance(self.fault_percent) {
            return Ok((Mishap::None, Way::Good));
        }
        let at = self.dice.between(0, 5);
        let faults = [
            "refused",
            "fails in the copy",
            "agent dies in the copy",
            "dropped before",
            "dropped after",
            "dropped at once",
            "answers late",
            "lies",
            "skips a disk",
            "restarts before",
            "restarts after",
            "stalls",
            "stalls for ever",
        ];
        let fault = self.dice.pick(&faults);
        let fault = match (fault, command) {
            ("skips a disk", Command::Machine(order))
                if order.disks.iter().any(|(disk, _)| disk.pool.kind != "Filesystem") =>
            {
                fault
            }
            // A stock agent is believed about a copy, and the original deleted: a lie would lose the disk. Left out.
            ("lies", Command::Copy(_)) if self.world.hosts[host].is_stock => "fails in the copy",
            ("skips a disk", _) => "fails in the copy",
            _ => fault,
        };
        self.tally.count("faults of commands", fault);
        self.note(format!("fault: {fault}"));
        Ok(match fault {
            "refused" => return Err(refused("The agent does not want to")),
            "dropped before" => return Err(lost("The connection was closed before anything was done")),
            "restarts before" => {
                self.world.restart(host, false, &mut self.tally);
                return Err(lost("The agent was started anew"));
            }
            "fails in the copy" => (Mishap::Fail(at), Way::Good),
            "agent dies in the copy" => (Mishap::Die(at), Way::Good),
            "stalls" => (Mishap::Stall { at, obeys: true }, Way::Good),
            "stalls for ever" => (Mishap::Stall { at, obeys: false }, Way::Good),
            "lies" => (Mishap::Lie, Way::Good),
            "skips a disk" => {
                let Command::Machine(order) = command else { return Ok((Mishap::None, Way::Good)) };
                let skip = order.disks.iter().position(|(disk, _)| disk.pool.kind != "Filesystem");
                (skip.map_or(Mishap::None, Mishap::Skip), Way::Good)
            }
            "dropped after" => (Mishap::None, Way::BreaksAfter),
            "dropped at once" => (Mishap::None, Way::BreaksAtOnce),
            "answers late" => (Mishap::None, Way::Late(self.dice.between(1, 9) as u64)),
            _ => (Mishap::None, Way::RestartsAfter),
        })
    }

    /// A command has reached its host.
    fn arrive(&mut self, host: usize, command: &Command) -> Arrived {
        let name = self.world.hosts[host].name.clone();
        let word = command.word();
        if self.world.hosts[host].is_away {
            self.note(format!("{name} is away: {word}"));
            return Arrived::Answer(refused("The host cannot be reached"));
        }
        if self.is_forgotten(host, command) {
            return Arrived::Answer(lost("The connection was closed"));
        }
        let (mishap, way) = match self.draw(host, command) {
            Ok(drawn) => drawn,
            Err(answer) => return Arrived::Answer(answer),
        };
        if !self.is_calm && self.dice.chance(6) {
            self.tally.count("faults of commands", "lies unread");
            self.note(format!("{name} has {word} unread"));
            self.world.unread.push(Unread { host, command: command.clone(), end: None });
            return Arrived::Unread(self.world.unread.len() - 1, way);
        }
        match self.take_up(host, command, mishap) {
            Ok(motion) => Arrived::Motion(motion, way),
            Err(text) => Arrived::Answer(refused(text)),
        }
    }

    /// A gateway that stood still for so long that its motion was given up, barred, and the bar forgotten by an agent that
    /// started anew: nothing can keep such a request from being carried out, so it is not looked at.
    fn is_forgotten(&mut self, host: usize, command: &Command) -> bool {
        let is_forgotten = self.world.hosts[host].forgotten.contains(command.motion());
        if is_forgotten {
            self.tally.count("left out", "a request whose bar was forgotten");
            self.note("a request whose bar was forgotten is left out");
        }
        is_forgotten
    }

    fn take_up(&mut self, host: usize, command: &Command, mishap: Mishap) -> Result<usize, String> {
        let name = self.world.hosts[host].name.clone();
        let taken = self.world.receive(host, command, mishap);
        match &taken {
            Ok(motion) => {
                let moving = &self.world.motions[*motion];
                let line = format!("{name} takes up {}: motion {motion} {mishap:?} {:?}", command.word(), moving.end);
                self.note(line);
            }
            Err(text) => {
                self.tally.count("refused by the bar", command.word());
                self.note(format!("{name} refuses {}: {text}", command.word()));
            }
        }
        taken
    }

    /// An agent reads a request that lay there.
    pub fn read(&mut self, number: usize) {
        let Unread { host, command, .. } = self.world.unread[number].clone();
        let end = if self.is_forgotten(host, &command) {
            Err(None)
        } else {
            self.take_up(host, &command, Mishap::None).map_err(Some)
        };
        self.world.unread[number].end = Some(end);
    }
}

impl SimHyperV {
    fn host(&self, host: &HostRef) -> usize {
        self.0.state().world.host(&host.ip)
    }

    /// Asks something; `None` from an agent that cannot tell, which a gateway remembers.
    async fn ask<T>(
        &self,
        host: &HostRef,
        what: &str,
        ask: impl FnOnce(&mut State, usize) -> Answer<T>,
    ) -> Answer<Option<T>> {
        let host = self.host(host);
        if self.0.state().world.hosts[host].is_stock {
            return Ok(None);
        }
        self.question(host, what, ask).await.map(Some)
    }

    async fn question<T>(
        &self,
        host: usize,
        what: &str,
        ask: impl FnOnce(&mut State, usize) -> Answer<T>,
    ) -> Answer<T> {
        self.0.pause(Kind::Question, what, Wait::Go).await;
        let (answer, is_slow) = {
            let mut state = self.0.state();
            if state.world.hosts[host].is_away {
                state.tally.count("faults of questions", "host away");
                (refused("The host cannot be reached"), false)
            } else {
                let answer = ask(&mut state, host);
                let is_slow = !state.is_calm && state.dice.chance(20);
                if !state.is_calm && state.dice.chance(2) {
                    state.tally.count("faults of questions", "answer dropped");
                    (lost("The connection was closed"), false)
                } else {
                    (answer, is_slow)
                }
            }
        };
        if is_slow {
            self.0.pause(Kind::Question, &format!("{what} answered"), Wait::Go).await;
        }
        answer
    }

    async fn command(&self, host: &HostRef, command: Command) -> Answer<Told> {
        let host = self.host(host);
        let word = command.word();
        self.0.pause(Kind::Command, &format!("sends {word}"), Wait::Go).with_request(host, command.clone()).await;
        let arrived = self.0.state().arrive(host, &command);
        let (motion, way) = match arrived {
            Arrived::Answer(answer) => return answer,
            Arrived::Motion(motion, way) => (motion, way),
            Arrived::Unread(number, way) => {
                if way == Way::BreaksAtOnce {
                    return lost("The connection was closed");
                }
                self.0.pause(Kind::Command, &format!("{word} unread"), Wait::Read(number)).await;
                let end = self.0.state().world.unread[number].end.clone();
                match end {
                    Some(Ok(motion)) => (motion, way),
                    Some(Err(Some(text))) => return refused(text),
                    Some(Err(None)) | None => return lost("The connection was closed"),
                }
            }
        };
        if way == Way::BreaksAtOnce {
            return lost("The connection was closed");
        }
        self.0.pause(Kind::Command, &format!("{word} at work"), Wait::Over(motion)).await;
        let wait = {
            let mut state = self.0.state();
            match way {
                Way::BreaksAfter => return lost("The connection was closed without an answer"),
                Way::RestartsAfter if state.world.motions[motion].end != Some(End::Lost) => {
                    let State { world, tally, .. } = &mut *state;
                    world.restart(host, true, tally);
                    state.note("the agent is started anew before it answers");
                    return lost("The agent was started anew");
                }
                Way::Late(seconds) => Wait::Until(state.now + Duration::from_secs(seconds)),
                _ => Wait::Go,
            }
        };
        self.0.pause(Kind::Command, &format!("{word} answered"), wait).await;
        let end = self.0.state().world.motions[motion].end.clone();
        match end {
            Some(End::Done) => Ok(Told::default()),
            Some(End::Failed(text)) => refused(text),
            Some(End::Lost) | None => lost("The connection was closed"),
        }
    }
}

impl Hypervisor for SimHyperV {
    fn vm_presence<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<VmPresence>> {
        let number = self.host(host);
        Box::pin(self.question(number, "asks for the machine", move |state, host| {
            let found = state.world.machine(vm).map(|machine| &state.world.machines[machine]);
            Ok(match found.filter(|machine| machine.host == host) {
                Some(machine) if machine.is_running => VmPresence::Running,
                Some(_) => VmPresence::Off,
                None => VmPresence::Absent,
            })
        }))
    }

    fn vm_disks<'a>(&'a self, host: &'a HostRef, vm: &'a str) -> BoxFuture<'a, Answer<Option<Vec<VmDisk>>>> {
        Box::pin(self.ask(host, "asks for the disks", move |state, host| {
            let world = &state.world;
            let found = world.machine(vm).map(|machine| &world.machines[machine]);
            let Some(machine) = found.filter(|machine| machine.host == host) else {
                return refused("requested unknown VM");
            };
            let forged = |stem: &str| {
                let moves = world.motions.iter().rev().filter(|_| world.is_forging);
                moves.flat_map(|motion| &motion.relocations).find(|moved| moved.to.1 == stem).map(|moved| moved.to.0)
            };
            let seen = |(pool, stem): &(i64, String)| {
                let file = world.file(*pool, stem);
                VmDisk {
                    stem: stem.clone(),
                    folder: world.folder(forged(stem).unwrap_or(*pool)),
                    size_bytes: file.map_or(0, |file| file.size),
                    identity: file.map(|file| file.identity.clone()),
                }
            };
            Ok(machine.disks.iter().map(seen).collect())
        }))
    }

    fn files<'a>(
        &'a self,
        host: &'a HostRef,
        pool: &'a PoolRef,
        stem: &'a str,
    ) -> BoxFuture<'a, Answer<Option<Vec<FileFact>>>> {
        Box::pin(self.ask(host, "asks for files", move |state, host| {
            let pool = state.world.pool_seen(host, pool);
            let fact = |file: &super::world::File| FileFact {
                file: format!("{}.vhdx", file.stem),
                size_bytes: if file.is_complete { file.size } else { 0 },
                allocated_bytes: file.allocated,
                identity: file.is_complete.then(|| file.identity.clone()),
                complete: file.is_complete,
            };
            Ok(state.world.file(pool, stem).map(fact).into_iter().collect())
        }))
    }

    fn motion_status<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<MotionStatus>>> {
        Box::pin(self.ask(host, "asks how far", move |state, host| {
            let Some(known) = state.world.known(host, motion) else {
                let phase = String::new();
                let state = MotionState::Unknown;
                return Ok(MotionStatus { state, phase, bytes_total: 0, bytes_done: 0, end: None });
            };
            let moving = &state.world.motions[known];
            let (phase, part) = match moving.phase {
                Phase::Copy(step) => ("copy", step as u64),
                Phase::Switch => ("switch", 100),
                Phase::Clean => ("clean", 100),
                Phase::Over => ("end", 100),
            };
            let (state, end) = match &moving.end {
                None => (MotionState::Running, None),
                Some(End::Done) => (MotionState::Done, Some(Ok(Told::default()))),
                Some(End::Failed(text)) => (MotionState::Failed, Some(refused(text))),
                Some(End::Lost) => (MotionState::Failed, Some(lost("It was lost sight of."))),
            };
            Ok(MotionStatus {
                state,
                phase: phase.to_owned(),
                bytes_total: moving.bytes,
                bytes_done: (moving.bytes * part / 16).min(moving.bytes),
                end,
            })
        }))
    }

    fn stop_motion<'a>(&'a self, host: &'a HostRef, motion: &'a str) -> BoxFuture<'a, Answer<Option<Stopping>>> {
        Box::pin(self.ask(host, "tells to stop", move |state, host| {
            let said = match state.world.known(host, motion) {
                None => {
                    state.world.hosts[host].barred.insert(motion.to_owned());
                    Stopping::Barred
                }
                Some(known) => {
                    let moving = &mut state.world.motions[known];
                    match moving.phase {
                        Phase::Copy(_) | Phase::Switch => {
                            moving.is_stopped = true;
                            Stopping::Told
                        }
                        Phase::Clean => Stopping::Refused("It is past its point of no return".to_owned()),
                        Phase::Over => Stopping::Refused("It has ended".to_owned()),
                    }
                }
            };
            state.tally.count("told to stop", format!("{said:?}").split('(').next().unwrap_or("?"));
            state.note(format!("told to stop: {said:?}"));
            Ok(said)
        }))
    }

    fn folder(&self, pool: &PoolRef) -> String {
        self.0.state().world.folder(pool.id)
    }

    fn move_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeMove) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(self.command(host, Command::Volume(order.clone())))
    }

    fn move_vm<'a>(&'a self, host: &'a HostRef, order: &'a VmMove) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(async move {
            let target = self.host(&order.target_host);
            if order.disks.is_empty() && self.0.state().world.hosts[target].is_away {
                return refused("The target host is not ready to receive the VM");
            }
            self.command(host, Command::Machine(order.clone())).await
        })
    }

    fn copy_volume<'a>(&'a self, host: &'a HostRef, order: &'a VolumeCopy) -> BoxFuture<'a, Answer<Told>> {
        Box::pin(self.command(host, Command::Copy(order.clone())))
    }

    fn delete_volume<'a>(&'a self, host: &'a HostRef, disk: &'a DiskRef) -> BoxFuture<'a, Answer<()>> {
        let number = self.host(host);
        Box::pin(self.question(number, "deletes", move |state, host| {
            let pool = state.world.pool_seen(host, &disk.pool);
            if !state.is_calm && state.dice.chance(15) {
                state.tally.count("faults of commands", "delete refused");
                return refused("Access to the path is denied");
            }
            if state.world.is_in_use(pool, &disk.stem) {
                state.tally.count("deletes of files in use, refused by Hyper-V", "all");
                state.note(format!("refuses to delete {} in pool {pool}, which is in use", disk.stem));
                return refused("The process cannot access the file because it is being used by another process");
            }
            state.world.files.retain(|file| file.pool != pool || file.stem != disk.stem);
            state.note(format!("deletes {} in pool {pool}", disk.stem));
            Ok(())
        }))
    }
}
