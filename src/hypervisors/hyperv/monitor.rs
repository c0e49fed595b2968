//! Keeps hosts connected: connects them at the start, greets them again and again, and writes down what they say.
//!
//! A host that answers slowly keeps only itself waiting. Each host is visited in a task of its own, a host that is still
//! being visited is left out of the next round, and a visit that takes long gives its place among the few that may run
//! at once to another host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, Either, select};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::client::ClientError;
use super::discovery::{DiscoveryError, HostFacts, HostLoad, KnownHost, PoolUsage};
use super::resource::HyperV;
use crate::motion::hypervisor::{Hypervisor as _, PoolRef};

/// A host that could not be connected is given this share of the interval before it is tried once more.
const SECOND_LOOKS: u32 = 30;

/// How a host is found to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostStatus {
    /// Connected, and it answers.
    Up,
    /// It does not answer.
    Disconnected {
        /// Why, in words.
        reason: String,
    },
    /// Somebody answers, but it may not be the host: another certificate, another identity. A person has to look.
    Alert {
        /// Why, in words.
        reason: String,
    },
}

/// What was kept or could not be: a text.
pub type Kept<T> = Result<T, String>;

/// The hosts to keep connected, and where to write down what they say. Ids are internal ones.
pub trait Inventory: Send + Sync {
    /// Every host that should be connected now.
    fn hosts(&self) -> BoxFuture<'_, Kept<Vec<KnownHost>>>;

    /// The pools that a host should reach: shares of its cluster and zone, and its own folders.
    fn pools_of<'a>(&'a self, host: &'a KnownHost) -> BoxFuture<'a, Kept<Vec<PoolRef>>>;

    /// How a host is. Called after each visit that settles it, so also when nothing changed: "Up" again is its ping.
    fn record_status<'a>(&'a self, host_id: i64, status: &'a HostStatus) -> BoxFuture<'a, Kept<()>>;

    /// What a host said of itself when it was connected.
    fn record_host_facts<'a>(&'a self, host_id: i64, facts: &'a HostFacts) -> BoxFuture<'a, Kept<()>>;

    /// Size and use of a pool.
    fn record_capacity(&self, pool_id: i64, usage: PoolUsage) -> BoxFuture<'_, Kept<()>>;

    /// That a host reaches a share, and the name that it has for it. Called when the host is connected.
    fn record_reach<'a>(&'a self, host_id: i64, pool_id: i64, folder: &'a str) -> BoxFuture<'a, Kept<()>>;

    /// Load of a host.
    fn record_load(&self, host_id: i64, load: HostLoad) -> BoxFuture<'_, Kept<()>>;
}

/// How often and how many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorSettings {
    /// Time between two greetings of a host.
    pub ping_interval: Duration,
    /// Figures are asked for with every so many greetings; at least 1.
    pub figures_every: u32,
    /// Greetings in a row that may fail before a host counts as disconnected; at least 1.
    pub failures_allowed: u32,
    /// Hosts that are visited at the same time, slow ones not counted.
    pub at_once: usize,
    /// After how long a visit counts as slow.
    pub slow_after: Duration,
}

impl Default for MonitorSettings {
    fn default() -> Self {
        Self {
            ping_interval: Duration::from_secs(60),
            figures_every: 1,
            failures_allowed: 2,
            at_once: 32,
            slow_after: Duration::from_secs(2),
        }
    }
}

/// What is remembered of a host between visits.
#[derive(Default)]
struct Memory {
    /// The host as it was at the last visit; another address means another connection.
    known: Option<KnownHost>,
    connected: bool,
    visited_now: bool,
    failures: u32,
    greetings: u32,
}

/// Keeps the hosts of an inventory connected.
pub struct Monitor {
    hyperv: Arc<HyperV>,
    inventory: Arc<dyn Inventory>,
    settings: MonitorSettings,
    places: Arc<Semaphore>,
    hosts: Mutex<HashMap<i64, Memory>>,
    /// When a pool was last asked about: hosts share pools, and one answer is enough.
    asked: Mutex<HashMap<i64, Instant>>,
}

impl Monitor {
    /// A monitor of the hosts in `inventory`.
    pub fn new(hyperv: Arc<HyperV>, inventory: Arc<dyn Inventory>, settings: MonitorSettings) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(settings.at_once.max(1)));
        Arc::new(Self { hyperv, inventory, settings, places, hosts: Mutex::default(), asked: Mutex::default() })
    }

    /// Visits all hosts, again and again, until the future is dropped.
    pub async fn run(self: Arc<Self>) {
        let mut rounds = tokio::time::interval(self.settings.ping_interval);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut visits = JoinSet::new();
        loop {
            tokio::select! {
                _ = rounds.tick() => self.begin_round(&mut visits).await,
                Some(visit) = visits.join_next() => {
                    if let Err(error) = visit {
                        tracing::error!(%error, "the visit of a host broke down");
                    }
                }
            }
        }
    }

    /// Connects or greets one host now, whatever the round: after it was added, or on request.
    pub async fn visit_now(&self, known: &KnownHost) {
        self.look_after(known).await;
    }

    async fn begin_round(self: &Arc<Self>, visits: &mut JoinSet<()>) {
        let hosts = match self.inventory.hosts().await {
            Ok(hosts) => hosts,
            Err(reason) => {
                tracing::error!(reason, "cannot read which hosts to keep connected; they are left alone this time");
                return;
            }
        };
        self.memory().retain(|id, memory| memory.visited_now || hosts.iter().any(|known| known.host.id == *id));
        for known in hosts {
            let Some(visit) = Visit::begin(self, known) else { continue };
            visits.spawn(visit.make());
        }
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<i64, Memory>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of the interval, the same each time for a host, so that not all are visited at the same moment.
    fn offset_of(&self, host_id: i64) -> Duration {
        let spread = self.settings.ping_interval / 10;
        let scattered = host_id.unsigned_abs().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        spread.mul_f64(scattered as f64 / f64::from(1_u32 << 24))
    }

    async fn look_after(&self, known: &KnownHost) {
        let connected = {
            let mut hosts = self.memory();
            let memory = hosts.entry(known.host.id).or_default();
            memory.connected && memory.known.as_ref() == Some(known)
        };
        if connected { self.greet(known).await } else { self.connect(known).await }
    }

    async fn connect(&self, known: &KnownHost) {
        let id = known.host.id;
        let pools = match self.inventory.pools_of(known).await {
            Ok(pools) => pools,
            Err(reason) => return tracing::error!(host = known.host.name, reason, "cannot read the pools of a host"),
        };
        let connected = match self.hyperv.connect(known, &pools).await {
            // Once may be chance, and the next round is far.
            Err(error) if !is_stranger(&error) => {
                tracing::info!(host = known.host.name, reason = %error, "the host could not be connected; trying once more");
                tokio::time::sleep(self.settings.ping_interval / SECOND_LOOKS).await;
                self.hyperv.connect(known, &pools).await
            }
            connected => connected,
        };
        match connected {
            Ok(connected) => {
                let fresh = Memory { known: Some(known.clone()), connected: true, ..Memory::default() };
                if let Some(memory) = self.memory().get_mut(&id) {
                    *memory = Memory { visited_now: memory.visited_now, ..fresh };
                }
                note(self.inventory.record_host_facts(id, &connected.facts).await);
                for (pool_id, usage) in connected.pools {
                    match usage {
                        Ok(usage) => {
                            note(self.inventory.record_capacity(pool_id, usage).await);
                            if let Some(pool) = pools.iter().find(|pool| pool.id == pool_id) {
                                let folder = self.hyperv.folder(pool);
                                note(self.inventory.record_reach(id, pool_id, &folder).await);
                            }
                        }
                        Err(error) => {
                            tracing::warn!(host = known.host.name, pool_id, %error, "the host does not reach a share");
                        }
                    }
                }
                note(self.inventory.record_status(id, &HostStatus::Up).await);
                tracing::info!(host = known.host.name, "host connected");
                self.ask_figures(known, &pools).await;
            }
            Err(error) => self.lose(known, &error, true).await,
        }
    }

    async fn greet(&self, known: &KnownHost) {
        let id = known.host.id;
        if let Err(error) = self.hyperv.ping(&known.host).await {
            return self.lose(known, &error.into(), false).await;
        }
        let figures = {
            let mut hosts = self.memory();
            let memory = hosts.entry(id).or_default();
            memory.failures = 0;
            memory.greetings = memory.greetings.wrapping_add(1);
            memory.greetings.is_multiple_of(self.settings.figures_every.max(1))
        };
        note(self.inventory.record_status(id, &HostStatus::Up).await);
        if !figures {
            return;
        }
        match self.inventory.pools_of(known).await {
            Ok(pools) => self.ask_figures(known, &pools).await,
            Err(reason) => tracing::error!(host = known.host.name, reason, "cannot read the pools of a host"),
        }
    }

    /// Load of the host and size of the pools that no other host told of lately. Failures are written to the log only:
    /// whether a host is there is settled by greeting it.
    async fn ask_figures(&self, known: &KnownHost, pools: &[PoolRef]) {
        match self.hyperv.host_stats(known).await {
            Ok(load) => note(self.inventory.record_load(known.host.id, load).await),
            Err(error) => tracing::warn!(host = known.host.name, %error, "the host does not tell its load"),
        }
        for pool in pools.iter().filter(|pool| self.may_ask_about(pool.id)) {
            match self.hyperv.storage_stats(&known.host, pool).await {
                Ok(usage) => note(self.inventory.record_capacity(pool.id, usage).await),
                Err(error) => {
                    self.asked.lock().unwrap_or_else(PoisonError::into_inner).remove(&pool.id);
                    tracing::warn!(host = known.host.name, pool = pool.name, %error, "the host does not tell of a pool");
                }
            }
        }
    }

    fn may_ask_about(&self, pool_id: i64) -> bool {
        let lately = self.settings.ping_interval * self.settings.figures_every.max(1) / 2;
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if asked.get(&pool_id).is_some_and(|when| when.elapsed() < lately) {
            return false;
        }
        asked.insert(pool_id, Instant::now());
        true
    }

    /// A visit failed. Once or twice may be chance; another certificate is not.
    async fn lose(&self, known: &KnownHost, error: &DiscoveryError, at_once: bool) {
        let reason = error.to_string();
        let stranger = is_stranger(error);
        let lost = {
            let mut hosts = self.memory();
            let memory = hosts.entry(known.host.id).or_default();
            memory.failures = memory.failures.saturating_add(1);
            let lost = stranger || at_once || memory.failures >= self.settings.failures_allowed.max(1);
            memory.connected &= !lost;
            lost
        };
        tracing::warn!(host = known.host.name, lost, reason, "host does not answer as it should");
        if lost {
            let status = if stranger { HostStatus::Alert { reason } } else { HostStatus::Disconnected { reason } };
            note(self.inventory.record_status(known.host.id, &status).await);
        }
    }
}

/// Whether somebody answers who may not be the host.
fn is_stranger(error: &DiscoveryError) -> bool {
    matches!(error, DiscoveryError::OtherIdentity { .. } | DiscoveryError::Agent(ClientError::Pin(_)))
}

/// What cannot be written down is written to the log; the next visit tries again.
fn note(kept: Kept<()>) {
    if let Err(reason) = kept {
        tracing::error!(reason, "cannot write down what a host said");
    }
}

/// The visit of a host, which marks the host as being visited as long as it exists.
struct Visit {
    monitor: Arc<Monitor>,
    known: KnownHost,
}

impl Visit {
    /// `None` when the host is still being visited.
    fn begin(monitor: &Arc<Monitor>, known: KnownHost) -> Option<Self> {
        let mut hosts = monitor.memory();
        let memory = hosts.entry(known.host.id).or_default();
        if std::mem::replace(&mut memory.visited_now, true) {
            return None;
        }
        drop(hosts);
        Some(Self { monitor: monitor.clone(), known })
    }

    async fn make(self) {
        let monitor = &self.monitor;
        tokio::time::sleep(monitor.offset_of(self.known.host.id)).await;
        let place = monitor.places.acquire().await;
        let work = std::pin::pin!(monitor.look_after(&self.known));
        let patience = std::pin::pin!(tokio::time::sleep(monitor.settings.slow_after));
        if let Either::Right(((), work)) = select(work, patience).await {
            drop(place);
            work.await;
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(memory) = self.monitor.memory().get_mut(&self.known.host.id) {
            memory.visited_now = false;
        }
    }
}
