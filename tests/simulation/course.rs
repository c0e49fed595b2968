//! One course of events: clients, gateways, hosts and misfortune, in the order that a seed draws.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use stackmotion::args;
use stackmotion::model::HYPERV;
use stackmotion::motion::{Limit, Motion, Patience, Probe};
use stackmotion::store::Server;

use super::dice::Dice;
use super::ground::Ground;
use super::host::SimHyperV;
use super::jobs::{self, Job, Jobs, WISH, Worker};
use super::oracle;
use super::points::{Kind, Sim, SimClock, State, Wait};
use super::tally::Tally;
use super::tasks::Tasks;
use super::world::{Mishap, Unread, World};

/// Far longer than a course of events takes: gateways die when it is their turn.
const LEASE: Duration = Duration::from_secs(3600);
/// After so many steps nothing goes wrong any more.
const WILD_STEPS: usize = 700;
/// After so many steps it must have come to its end.
const MOST_STEPS: usize = 6000;

/// A defect that is planted, to see that it is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A disk moves by itself.
    DiskMoves,
    /// A machine moves by itself.
    MachineMoves,
    /// A row is edited.
    RowIsEdited,
    /// The file of a disk is gone.
    FileIsLost,
    /// A file turns up.
    FileTurnsUp,
    /// A charge is forgotten.
    ChargeIsWrong,
    /// A row stays in `Migrating`.
    RowStays,
    /// Hosts say that disks are where they were to go, whether or not they are.
    HostsForge,
}

/// What became of a seed.
pub struct Ending {
    pub findings: Vec<String>,
    pub trace: Vec<String>,
    pub tally: Tally,
    pub steps: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Life {
    Up,
    Frozen,
    Dead,
}

struct Node {
    server: Server,
    motion: Motion,
    life: Life,
    /// How many wishes it has heard of.
    heard: usize,
}

/// What happens at a step that was drawn beforehand.
#[derive(Clone, Copy, Debug)]
enum Event {
    Kill,
    Freeze { loses_lease: bool },
    Thaw,
    Restart(usize),
    Away(usize),
    Back(usize),
    AskAgain,
}

/// What may happen next.
#[derive(Clone, Copy, Debug)]
enum Choice {
    Go(u64),
    Advance(usize),
    Read(usize),
    Submit,
    Cancel,
    Hear(usize),
    Sweep(usize),
}

struct Course<'a> {
    ground: &'a Ground,
    sim: Arc<Sim>,
    tasks: Tasks,
    nodes: Vec<Node>,
    jobs: Arc<Jobs>,
    events: Vec<(usize, Event)>,
    to_submit: usize,
    to_cancel: usize,
    wishes: usize,
    /// How many commands of a gateway wait for their answers.
    open_commands: usize,
    step: usize,
}

/// Goes through the course of events of a seed.
pub async fn run(ground: &Ground, seed: u64, defect: Option<Defect>) -> Ending {
    ground.put_back().await;
    let mut dice = Dice::new(seed);
    let mut world = World::new(&ground.estate);
    let kind = dice.weighed([6, 2, 2].into_iter());
    for host in &mut world.hosts {
        host.is_stock = kind == 1 || (kind == 2 && dice.chance(50));
    }
    world.is_forging = defect == Some(Defect::HostsForge);
    let fault_percent = dice.pick(&[0, 25, 25, 50]);
    let mut state = State::new(dice, world);
    state.fault_percent = fault_percent;
    state.tally.count("seeds", ["our agents", "stock agents", "both kinds of agents"][kind]);
    state.note(format!("agents: {kind}, faults: {fault_percent} in a hundred"));
    let mut course = Course {
        ground,
        sim: Sim::new(state),
        tasks: Tasks::default(),
        nodes: Vec::new(),
        jobs: Arc::default(),
        events: Vec::new(),
        to_submit: 0,
        to_cancel: 0,
        wishes: 0,
        // By the seed and not by its dice, so that a course goes as it would without.
        open_commands: [0, 1, 500, 500][(seed % 4) as usize],
        step: 0,
    };
    course.draw_events();
    let nodes = course.sim.state().dice.between(2, 3);
    for _ in 0..nodes {
        course.start_node().await;
    }
    course.go_on().await;
    course.calm_down().await;
    if let Some(defect) = defect {
        course.plant(defect).await;
    }
    oracle::check(ground, &course.sim, "at the end").await;
    course.remove_leftovers().await;
    oracle::check(ground, &course.sim, "after the leftovers were removed").await;
    course.tasks = Tasks::default();
    let mut state = course.sim.state();
    let (findings, trace) = (std::mem::take(&mut state.findings), std::mem::take(&mut state.trace));
    Ending { findings, trace, tally: std::mem::take(&mut state.tally), steps: course.step }
}

impl Course<'_> {
    fn draw_events(&mut self) {
        let mut state = self.sim.state();
        let dice = &mut state.dice;
        self.to_submit = dice.between(3, 6);
        self.to_cancel = dice.weighed([4, 3, 2].into_iter());
        for _ in 0..dice.weighed([2, 4, 3].into_iter()) {
            let step = dice.between(5, 220);
            if dice.chance(60) {
                self.events.push((step, Event::Kill));
            } else {
                self.events.push((step, Event::Freeze { loses_lease: dice.chance(75) }));
                self.events.push((step + dice.between(5, 200), Event::Thaw));
            }
        }
        if dice.chance(30) {
            self.events.push((dice.between(5, 200), Event::Restart(dice.below(4))));
        }
        for _ in 0..dice.weighed([4, 2, 1].into_iter()) {
            let (step, host) = (dice.between(5, 200), dice.below(4));
            self.events.push((step, Event::Away(host)));
            self.events.push((step + dice.between(5, 80), Event::Back(host)));
        }
        for _ in 0..dice.weighed([2, 2, 1].into_iter()) {
            self.events.push((dice.between(20, 250), Event::AskAgain));
        }
        let events = format!("jobs: {}, cancels: {}, events: {:?}", self.to_submit, self.to_cancel, self.events);
        state.note(events);
    }

    async fn start_node(&mut self) {
        let number = self.nodes.len();
        let name = format!("g{number}");
        let store = &self.ground.store;
        let server = store.server_register(&name, "1", "127.0.0.1", LEASE).await.expect("a gateway");
        let patience = Patience {
            poll: Duration::from_secs(1),
            unreachable: Duration::from_secs(12).into(),
            late_answer: Duration::from_secs(3),
            unseen: None,
            stall: Limit { limit: Duration::from_secs(20), origin: "the simulation".to_owned() },
            cancel_answer: Duration::from_secs(10),
            open_commands: self.open_commands,
        };
        let (sim, at) = (Arc::clone(&self.sim), name.clone());
        let probe: Probe = Arc::new(move |step, before| {
            let label = format!("{at} {} {step:?}", if before { "before" } else { "after" });
            Box::pin(sim.pause(Kind::Step, &label, Wait::Go))
        });
        let motion = Motion::new(store.clone(), patience)
            .with_hypervisor(HYPERV, Arc::new(SimHyperV(Arc::clone(&self.sim))))
            .with_clock(Arc::new(SimClock(Arc::clone(&self.sim))))
            .with_probe(probe);
        self.nodes.push(Node { server, motion, life: Life::Up, heard: 0 });
    }

    fn up(&self) -> Vec<usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].life == Life::Up).collect()
    }

    fn begin_job(&mut self, node: usize, number: usize) {
        let worker = Worker {
            sim: Arc::clone(&self.sim),
            store: self.ground.store.clone(),
            server: self.nodes[node].server.clone(),
            motion: self.nodes[node].motion.clone(),
            jobs: Arc::clone(&self.jobs),
        };
        self.tasks.begin(node, Some(number), worker.run(number));
    }

    /// Goes on until nothing more can happen.
    async fn go_on(&mut self) {
        loop {
            self.tasks.settle(&self.sim, &self.ground.store).await;
            self.step += 1;
            if self.step == MOST_STEPS {
                let points: Vec<String> = self.sim.state().points.iter().map(|point| point.label.clone()).collect();
                self.sim.state().find(format!("it does not come to an end: {points:?}"));
                return;
            }
            if self.step == WILD_STEPS {
                self.be_calm().await;
            }
            let due: Vec<Event> =
                self.events.iter().filter(|(step, _)| *step == self.step).map(|(_, event)| *event).collect();
            for event in due {
                self.happen(event).await;
            }
            let choices = self.choices();
            if choices.is_empty() {
                if self.sim.state().is_calm {
                    return;
                }
                self.be_calm().await;
                continue;
            }
            let place = self.sim.state().dice.weighed(choices.iter().map(|(weight, _)| *weight));
            self.choose(choices[place].1).await;
        }
    }

    fn choices(&self) -> Vec<(usize, Choice)> {
        let state = self.sim.state();
        let mut choices = Vec::new();
        let mut points: Vec<_> = state.points.iter().filter(|point| state.may_go(point)).collect();
        points.retain(|point| self.tasks.node_of(point.task).is_some_and(|node| !self.tasks.is_frozen(node)));
        points.sort_by_key(|point| (point.task, point.kind));
        let wakes = |wait: &Wait| if let Wait::Until(time) = wait { Some(*time) } else { None };
        let earliest = points.iter().filter_map(|point| wakes(&point.wait)).min();
        for point in points {
            let weight = match wakes(&point.wait) {
                None => 4,
                Some(time) if Some(time) == earliest => 3,
                Some(_) => 1,
            };
            // A point that waits for the time is mostly one of a host that is at work.
            choices.push((weight, Choice::Go(point.id)));
        }
        let world = &state.world;
        choices.extend((0..world.motions.len()).filter(|it| world.can_advance(*it)).map(|it| (4, Choice::Advance(it))));
        let unread = world.unread.iter().enumerate().filter(|(_, unread)| unread.end.is_none());
        choices.extend(unread.map(|(number, _)| (1, Choice::Read(number))));
        let jobs = self.jobs.list();
        let up = self.up();
        if self.to_submit > 0 && !up.is_empty() {
            choices.push((if jobs.iter().all(|job| job.is_over) { 8 } else { 1 }, Choice::Submit));
        }
        if self.to_cancel > 0 && jobs.iter().any(|job| !job.is_over && !job.is_cancelled) {
            choices.push((1, Choice::Cancel));
        }
        let deaf = up.iter().filter(|node| self.nodes[**node].heard < self.wishes);
        choices.extend(deaf.map(|node| (2, Choice::Hear(*node))));
        let is_orphan =
            |number: usize, job: &Job| !job.is_over && !up.iter().any(|node| self.tasks.runs(*node, number));
        if jobs.iter().enumerate().any(|(number, job)| is_orphan(number, job)) {
            choices.extend(up.iter().map(|node| (2, Choice::Sweep(*node))));
        }
        choices
    }

    async fn choose(&mut self, choice: Choice) {
        match choice {
            Choice::Go(id) => {
                let mut state = self.sim.state();
                let place = state.points.iter().position(|point| point.id == id).expect("a point");
                state.points[place].granted = true;
                let (task, label, wait) = {
                    let point = &state.points[place];
                    (point.task, point.label.clone(), point.wait.clone())
                };
                if let Wait::Until(time) = wait {
                    state.now = state.now.max(time);
                }
                state.note(format!("task {task} {label}"));
                drop(state);
                self.tasks.wake(task);
            }
            Choice::Advance(motion) => {
                let mut state = self.sim.state();
                let State { world, tally, .. } = &mut *state;
                let line = world.advance(motion, tally);
                state.note(line);
            }
            Choice::Read(number) => self.sim.state().read(number),
            Choice::Submit => self.submit().await,
            Choice::Cancel => self.cancel().await,
            Choice::Hear(node) => {
                self.nodes[node].motion.hear_wishes().await.expect("the database");
                self.nodes[node].heard = self.wishes;
            }
            Choice::Sweep(node) => self.sweep(node).await,
        }
    }

    async fn submit(&mut self) {
        self.to_submit -= 1;
        let mut dice = self.sim.state().dice.clone();
        let node = dice.pick(&self.up());
        let ask = jobs::draw(&self.ground.store, &self.ground.estate, &mut dice).await;
        let server = self.nodes[node].server.clone();
        let claim = jobs::submit(&self.ground.store, &server, &ask).await;
        let number = self.jobs.list().len();
        {
            let mut state = self.sim.state();
            state.dice = dice;
            let kind = format!("{ask:?}");
            state.tally.count("jobs submitted", kind.split(' ').next().unwrap_or("?").to_lowercase());
            state.note(format!("job {number} for g{node}: {ask:?}"));
        }
        let accepted = Some((server, claim));
        self.jobs.list().push(Job { ask, id: claim.job_id, accepted, is_cancelled: false, is_over: false });
        self.begin_job(node, number);
    }

    async fn cancel(&mut self) {
        self.to_cancel -= 1;
        let open: Vec<usize> = {
            let jobs = self.jobs.list();
            (0..jobs.len()).filter(|number| !jobs[*number].is_over && !jobs[*number].is_cancelled).collect()
        };
        let number = self.sim.state().dice.pick(&open);
        let id = {
            let mut jobs = self.jobs.list();
            jobs[number].is_cancelled = true;
            jobs[number].id
        };
        let mut tx = self.ground.store.begin().await.expect("a transaction");
        tx.cancel_wish(id, Some(2), WISH).await.expect("a wish");
        tx.commit().await.expect("a wish");
        self.wishes += 1;
        let mut state = self.sim.state();
        state.tally.count("cancels", "by clients");
        state.note(format!("job {number} is to be cancelled"));
    }

    /// A gateway looks for jobs that nobody runs.
    async fn sweep(&mut self, node: usize) {
        let unfinished = self.ground.store.jobs_unfinished(&self.nodes[node].server).await.expect("the database");
        for id in unfinished {
            let number = self.jobs.list().iter().position(|job| job.id == id).expect("a known job");
            if !self.tasks.runs(node, number) {
                self.begin_job(node, number);
            }
        }
    }

    async fn happen(&mut self, event: Event) {
        if self.sim.state().is_calm && !matches!(event, Event::Thaw | Event::Back(_)) {
            return;
        }
        self.sim.state().note(format!("{event:?}"));
        match event {
            Event::Kill => self.kill().await,
            Event::Freeze { loses_lease } => self.freeze(loses_lease).await,
            Event::Thaw => self.thaw().await,
            Event::Restart(host) => {
                let mut state = self.sim.state();
                let State { world, tally, .. } = &mut *state;
                tally.count("faults of hosts", "agent started anew");
                world.restart(host, false, tally);
            }
            Event::Away(host) => {
                let mut state = self.sim.state();
                state.tally.count("faults of hosts", "away");
                state.world.hosts[host].is_away = true;
            }
            Event::Back(host) => self.sim.state().world.hosts[host].is_away = false,
            Event::AskAgain => {
                if let Some(node) = self.up().first().copied() {
                    self.ask_again(node);
                }
            }
        }
    }

    fn ask_again(&mut self, node: usize) {
        let motion = self.nodes[node].motion.clone();
        self.sim.state().tally.count("asked again", "all");
        self.tasks.begin(node, None, async move {
            motion.ask_again().await.expect("the database");
            motion.close_ledger().await.expect("the database");
        });
    }

    /// One of the gateways that are at work, if not all the others are gone.
    fn victim(&self) -> Option<usize> {
        let up = self.up();
        (up.len() > 1).then(|| self.sim.state().dice.pick(&up))
    }

    async fn kill(&mut self) {
        let Some(node) = self.victim() else { return };
        {
            let mut state = self.sim.state();
            let mut points = state.points.clone();
            points.retain(|point| self.tasks.node_of(point.task) == Some(node));
            points.sort_by_key(|point| (point.task, point.kind));
            for point in &points {
                state.tally.count("kills of tasks", format!("{:?}", point.kind).to_lowercase());
                state.note(format!("g{node} is killed where task {} {}", point.task, point.label));
            }
            state.tally.count("gateways", "killed");
            // What was on its way may have left already.
            for (host, command) in points.into_iter().filter_map(|point| point.request) {
                if state.dice.chance(50) {
                    state.tally.count("faults of commands", "read after its sender was killed");
                    state.note("its request has left");
                    state.world.unread.push(Unread { host, command, end: None });
                }
            }
        }
        self.nodes[node].life = Life::Dead;
        self.tasks.kill(node);
        self.ground.store.server_leave(&self.nodes[node].server).await.expect("the database");
    }

    async fn freeze(&mut self, loses_lease: bool) {
        let Some(node) = self.victim() else { return };
        self.sim
            .state()
            .tally
            .count("gateways", if loses_lease { "given up while they stood still" } else { "stood still" });
        self.sim.state().note(format!("g{node} stands still"));
        self.nodes[node].life = Life::Frozen;
        self.tasks.freeze(node, true);
        if loses_lease {
            self.ground.store.server_leave(&self.nodes[node].server).await.expect("the database");
        }
    }

    async fn thaw(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].life == Life::Frozen {
                self.sim.state().note(format!("g{node} goes on"));
                self.nodes[node].life = Life::Up;
                self.tasks.freeze(node, false);
                self.ground.store.server_beat(&self.nodes[node].server, LEASE).await.expect("the database");
            }
        }
    }

    /// From here on nothing goes wrong any more, and a fresh gateway is there.
    async fn be_calm(&mut self) {
        {
            let mut state = self.sim.state();
            state.is_calm = true;
            state.note("nothing goes wrong any more");
            state.world.hosts.iter_mut().for_each(|host| host.is_away = false);
            for motion in state.world.motions.iter_mut().filter(|motion| matches!(motion.mishap, Mishap::Stall { .. }))
            {
                motion.mishap = Mishap::None;
            }
        }
        self.thaw().await;
        self.start_node().await;
    }

    /// What is unknown is asked for until it is known, and the ledger is closed.
    async fn calm_down(&mut self) {
        for _ in 0..2 {
            self.ask_again(self.nodes.len() - 1);
            self.go_on().await;
        }
    }

    /// Removes every file that the ledger lists: whatever is needed has to survive that.
    async fn remove_leftovers(&mut self) {
        let sql = "SELECT id FROM motion_file WHERE state IN ('left', 'possible', 'unseen') ORDER BY id";
        let rows = self.ground.store.db().rows(sql, vec![]).await.expect("the ledger");
        let ids: Vec<i64> = rows.iter().map(|row| row.at(0).expect("an id")).collect();
        let (sim, node) = (Arc::clone(&self.sim), self.nodes.len() - 1);
        let motion = self.nodes[node].motion.clone();
        let refusals = "deletes of files in use, refused by Hyper-V";
        let before = sim.state().tally.of(refusals);
        self.tasks.begin(node, None, async move {
            for id in ids {
                let removed = motion.remove_leftover(id).await;
                let mut state = sim.state();
                state.tally.count("leftovers", if removed.is_ok() { "removed" } else { "not removed" });
                state.note(format!("leftover {id}: {removed:?}"));
            }
        });
        self.go_on().await;
        let mut state = self.sim.state();
        if state.tally.of(refusals) > before {
            state.find("a file that is in use was to be removed as a leftover");
        }
    }

    async fn plant(&mut self, defect: Defect) {
        let (pool, disk) = {
            let machine = &self.sim.state().world.machines[0];
            machine.disks[0].clone()
        };
        let other = self.ground.estate.pools.iter().map(|it| it.id).find(|id| *id != pool).expect("another pool");
        let db = self.ground.store.db();
        let mut sql = None;
        match defect {
            Defect::DiskMoves => self.sim.state().world.machines[0].disks[0].0 = other,
            Defect::MachineMoves => {
                let mut state = self.sim.state();
                state.world.machines[0].host = (state.world.machines[0].host + 1) % 4;
            }
            Defect::FileIsLost => {
                self.sim.state().world.files.retain(|file| file.pool != pool || file.stem != disk);
            }
            Defect::FileTurnsUp => {
                let mut state = self.sim.state();
                let mut file = state.world.files[0].clone();
                "stray".clone_into(&mut file.stem);
                state.world.files.push(file);
            }
            Defect::RowIsEdited => sql = Some("UPDATE volumes SET pool_id = pool_id % 4 + 1 WHERE uuid = ?"),
            Defect::RowStays => sql = Some("UPDATE volumes SET state = 'Migrating' WHERE uuid = ?"),
            Defect::ChargeIsWrong => {
                sql = Some(
                    "UPDATE op_host_capacity SET used_capacity = used_capacity + 1 WHERE capacity_type = 3 AND ? <> ''",
                );
            }
            Defect::HostsForge => {}
        }
        if let Some(sql) = sql {
            db.run(sql, args![&disk]).await.expect("the database");
        }
    }
}

/// A trace as it is printed.
pub fn printed(trace: &[String]) -> String {
    let mut text = String::new();
    for line in trace {
        writeln!(text, "    {line}").expect("memory");
    }
    text
}
