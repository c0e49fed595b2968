//! One host: its agent process, which forgets when it is started anew, and the log of what it was asked.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use time::OffsetDateTime;

use super::motion::{Motion, MotionView};
use super::spec::HostSpec;
use super::throttle::Throttle;

/// Requests that a host remembers; older ones are counted only.
const LOG_LIMIT: usize = 20_000;
/// Motions that an agent remembers; the oldest go first.
const MOTION_LIMIT: usize = 20_000;

/// What an agent keeps in memory.
#[derive(Debug)]
pub struct Process {
    alive: AtomicBool,
    startup_ip: Mutex<Option<String>>,
    motions: Mutex<Motions>,
}

/// Motions by id, and their ids in order of arrival.
#[derive(Debug, Default)]
struct Motions {
    by_id: HashMap<String, Arc<Motion>>,
    order: VecDeque<String>,
    barred: HashSet<String>,
}

impl Process {
    fn new() -> Self {
        Self { alive: AtomicBool::new(true), startup_ip: Mutex::default(), motions: Mutex::default() }
    }

    /// Whether it still runs. What a dead process began must leave everything as it is.
    pub fn is_alive(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// Ends it.
    pub fn kill(&self) {
        self.alive.store(false, Ordering::SeqCst);
    }

    /// Remembers the address from the start-up exchange.
    pub fn started(&self, ip: &str) {
        *lock(&self.startup_ip) = Some(ip.to_owned());
    }

    /// Whether the start-up exchange took place.
    pub fn knows_its_address(&self) -> bool {
        lock(&self.startup_ip).is_some()
    }

    /// A motion by id.
    pub fn motion(&self, id: &str) -> Option<Arc<Motion>> {
        lock(&self.motions).by_id.get(id).cloned()
    }

    /// The motion with an id; if there is none, it is refused from now on.
    pub fn motion_or_bar(&self, id: &str) -> Option<Arc<Motion>> {
        let mut motions = lock(&self.motions);
        let known = motions.by_id.get(id).cloned();
        if known.is_none() {
            motions.barred.insert(id.to_owned());
        }
        known
    }

    /// Remembers a motion that begins; false when it was stopped before it came.
    pub fn remember(&self, motion: Arc<Motion>) -> bool {
        let mut motions = lock(&self.motions);
        if motions.barred.contains(&motion.id) {
            return false;
        }
        if motions.order.len() >= MOTION_LIMIT
            && let Some(oldest) = motions.order.pop_front()
        {
            motions.by_id.remove(&oldest);
        }
        motions.order.push_back(motion.id.clone());
        motions.by_id.insert(motion.id.clone(), motion);
        true
    }

    /// All motions since the process began.
    pub fn motions(&self) -> Vec<MotionView> {
        let mut views: Vec<_> = lock(&self.motions).by_id.values().map(|motion| motion.view()).collect();
        views.sort_by(|one, other| one.id.cmp(&other.id));
        views
    }
}

/// A request that a host received, with what it answered.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoggedRequest {
    /// Number in order of arrival, across all hosts.
    pub number: u64,
    /// Seconds since 1970 when it arrived.
    pub at: f64,
    /// Last segment of the path.
    pub class: String,
    /// Body as text.
    pub body: String,
    /// Status of the answer; absent while there is none, and when the connection was closed.
    pub status: Option<u16>,
    /// Answer as text.
    pub answer: Option<String>,
}

/// A simulated host.
#[derive(Debug)]
pub struct Host {
    /// What it is.
    pub spec: HostSpec,
    /// For its motions; the wider scope is the world.
    throttle: Throttle,
    process: Mutex<Arc<Process>>,
    log: Mutex<Log>,
}

/// The latest requests, and how many of each class there were in all.
#[derive(Debug, Default)]
struct Log {
    requests: VecDeque<LoggedRequest>,
    counts: BTreeMap<String, u64>,
}

impl Host {
    /// A host whose agent has just started.
    pub fn new(spec: HostSpec) -> Self {
        Self {
            spec,
            throttle: Throttle::default(),
            process: Mutex::new(Arc::new(Process::new())),
            log: Mutex::default(),
        }
    }

    /// Its address.
    pub fn ip(&self) -> &str {
        &self.spec.ip
    }

    /// The agent process; a dead one is replaced by a new one.
    pub fn process(&self) -> Arc<Process> {
        let mut process = lock(&self.process);
        if !process.is_alive() {
            *process = Arc::new(Process::new());
        }
        Arc::clone(&process)
    }

    /// Starts the agent anew: what it has in memory is lost, its motions stop where they are.
    pub fn restart(&self) {
        self.process().kill();
    }

    /// Sets the limit in bytes per second for its motions; `None` for the world's.
    pub fn set_throttle(&self, bytes_per_second: Option<u64>) {
        self.throttle.set(bytes_per_second);
    }

    /// Its limit.
    pub fn throttle(&self) -> Option<u64> {
        self.throttle.get()
    }

    /// Notes a request.
    pub fn log_request(&self, number: u64, class: &str, body: &[u8]) {
        let at = OffsetDateTime::now_utc().unix_timestamp_nanos() as f64 / 1e9;
        let mut log = lock(&self.log);
        *log.counts.entry(class.to_owned()).or_default() += 1;
        if log.requests.len() >= LOG_LIMIT {
            log.requests.pop_front();
        }
        log.requests.push_back(LoggedRequest {
            number,
            at,
            class: class.to_owned(),
            body: String::from_utf8_lossy(body).into_owned(),
            status: None,
            answer: None,
        });
    }

    /// Notes the answer to a request.
    pub fn log_answer(&self, number: u64, status: u16, answer: &str) {
        let mut log = lock(&self.log);
        let mut latest = log.requests.iter_mut().rev();
        if let Some(request) = latest.find(|request| request.number == number) {
            request.status = Some(status);
            request.answer = Some(answer.to_owned());
        }
    }

    /// What it was asked, the latest last.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        lock(&self.log).requests.iter().cloned().collect()
    }

    /// How often each class was asked for.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        lock(&self.log).counts.clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
