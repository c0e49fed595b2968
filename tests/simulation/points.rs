//! Where tasks stand still: every wait for the clock, the network or a host is a point, and only the schedule lets a task go
//! on from it. Between two points a task talks to the database alone, and nothing else runs meanwhile.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use stackmotion::motion::Clock;

use super::dice::Dice;
use super::tally::Tally;
use super::world::{Command, World};

/// What has to be before a task may go on from a point.
#[derive(Clone, Debug)]
pub enum Wait {
    /// Nothing: it goes on whenever the schedule says so.
    Go,
    /// This time.
    Until(Duration),
    /// A motion of the world is over.
    Over(usize),
    /// A request that lay unread has been read, or is lost.
    Read(usize),
}

/// The kinds of points. A task stands at most at one of each kind; the order makes a schedule repeatable, since those who
/// wait for several things begin to wait in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Step,
    Command,
    Question,
    Sleep,
}

/// A place where a task stands.
#[derive(Clone, Debug)]
pub struct Point {
    pub id: u64,
    pub task: usize,
    pub kind: Kind,
    pub label: String,
    pub wait: Wait,
    pub granted: bool,
    /// What is on its way to a host while the task stands here.
    pub request: Option<(usize, Command)>,
}

/// Everything that a seed changes, but for the database.
pub struct State {
    pub dice: Dice,
    pub now: Duration,
    pub points: Vec<Point>,
    /// The task that is running.
    pub task: usize,
    pub world: World,
    pub tally: Tally,
    pub trace: Vec<String>,
    /// What must not be.
    pub findings: Vec<String>,
    /// Nothing goes wrong any more.
    pub is_calm: bool,
    /// How many commands in a hundred go wrong.
    pub fault_percent: usize,
    next: u64,
}

impl State {
    pub fn new(dice: Dice, world: World) -> Self {
        Self {
            dice,
            now: Duration::ZERO,
            points: Vec::new(),
            task: usize::MAX,
            world,
            tally: Tally::default(),
            trace: Vec::new(),
            findings: Vec::new(),
            is_calm: false,
            fault_percent: 0,
            next: 0,
        }
    }

    pub fn note(&mut self, line: impl Into<String>) {
        let line = format!("{:>4}s {}", self.now.as_secs(), line.into());
        self.trace.push(line);
    }

    /// Notes what must not be.
    pub fn find(&mut self, finding: impl Into<String>) {
        let finding = finding.into();
        self.note(format!("FOUND {finding}"));
        self.findings.push(finding);
    }

    pub fn may_go(&self, point: &Point) -> bool {
        match point.wait {
            Wait::Go | Wait::Until(_) => true,
            Wait::Over(motion) => self.world.motions[motion].end.is_some(),
            Wait::Read(unread) => self.world.unread[unread].end.is_some(),
        }
    }
}

/// One simulated estate in one course of events.
pub struct Sim {
    state: Mutex<State>,
    begun: Instant,
}

impl fmt::Debug for Sim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sim")
    }
}

impl Sim {
    pub fn new(state: State) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), begun: Instant::now() })
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stands still until the schedule goes on with this task.
    pub fn pause(self: &Arc<Self>, kind: Kind, label: &str, wait: Wait) -> Pause {
        Pause { sim: Arc::clone(self), kind, label: label.to_owned(), wait, request: None, id: None }
    }
}

/// See [`Sim::pause`].
pub struct Pause {
    sim: Arc<Sim>,
    kind: Kind,
    label: String,
    wait: Wait,
    request: Option<(usize, Command)>,
    id: Option<u64>,
}

impl Pause {
    /// Says what is on its way meanwhile: who is killed here has sent it, or not.
    pub fn with_request(mut self, host: usize, command: Command) -> Self {
        self.request = Some((host, command));
        self
    }
}

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let sim = Arc::clone(&self.sim);
        let mut state = sim.state();
        let Some(id) = self.id else {
            let id = state.next;
            state.next += 1;
            let task = state.task;
            let (kind, label, wait) = (self.kind, self.label.clone(), self.wait.clone());
            let request = self.request.take();
            state.points.push(Point { id, task, kind, label, wait, granted: false, request });
            self.id = Some(id);
            return Poll::Pending;
        };
        match state.points.iter().position(|point| point.id == id) {
            Some(place) if state.points[place].granted => {
                state.points.remove(place);
                Poll::Ready(())
            }
            _ => Poll::Pending,
        }
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.sim.state().points.retain(|point| point.id != id);
        }
    }
}

/// The clock of a simulated estate: it goes on when the schedule lets somebody wake up.
#[derive(Debug)]
pub struct SimClock(pub Arc<Sim>);

impl Clock for SimClock {
    fn now(&self) -> Instant {
        self.0.begun + self.0.state().now
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        let until = self.0.state().now + time;
        Box::pin(self.0.pause(Kind::Sleep, "sleeps", Wait::Until(until)))
    }
}
