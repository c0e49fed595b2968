//! Drift: database and hosts are compared, and what differs is written down until somebody has decided.
//!
//! Machines are moved by hand, with Hyper-V's own tools, by a cluster that fails over; CloudStack follows a power report
//! without a word (`contract/hyperv-e2e.md`, claim 8.3 and demand 11). Here nothing is corrected by itself. Each machine is
//! looked at once in a round, and each disk that belongs to none: does a machine that runs run on the host that the database
//! says, is one that is stopped stopped, and are the disks in the pools and as large as it says? What differs is looked at twice,
//! some seconds apart, before it counts, and then raises one event and one alert. A host that does not answer is no finding, and
//! neither is anything of a thing with a motion that is not over.
//!
//! | file | what it does |
//! | --- | --- |
//! | `look` | one look at a thing: what the rows say, what the hosts say, what differs |
//! | `idle` | the look at what does not run |
//! | `disks` | a disk as its row says it, beside what a host says of it |
//! | `record` | findings are written down, told, and closed when they are gone |
//! | `resolve` | an administrator accepts a finding (the database follows the host) or dismisses it |

mod disks;
mod idle;
mod look;
mod record;
mod resolve;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

pub use resolve::{DriftRefusal, Resolver};

use crate::model::HYPERV;
use crate::motion::hypervisor::Hypervisor;
use crate::motion::key_of;
use crate::store::{Compared, Store, StoreError};
use look::Look;

/// What can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another host has the machine.
    VmElsewhere,
    /// The host that the database says has not got the machine, and no other host that answers has.
    VmMissing,
    /// A host runs the machine, and the database says that it is stopped.
    VmRunning,
    /// The disk is in another folder than that of its pool.
    DiskElsewhere,
    /// The machine has no disk of that file name, or the pool of a disk that nothing runs from has no such file.
    DiskMissing,
    /// The disk has another size.
    DiskSize,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::VmElsewhere, Self::VmMissing, Self::VmRunning, Self::DiskElsewhere, Self::DiskMissing, Self::DiskSize];

    /// The word in the database and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::VmElsewhere => "vm-elsewhere",
            Self::VmMissing => "vm-missing",
            Self::VmRunning => "vm-running",
            Self::DiskElsewhere => "disk-elsewhere",
            Self::DiskMissing => "disk-missing",
            Self::DiskSize => "disk-size",
        }
    }
}

/// What is compared as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thing {
    /// A machine with its disks, internal id.
    Vm(i64),
    /// A disk that belongs to no machine, internal id.
    Disk(i64),
}

impl Thing {
    fn numbered(kind: Compared, id: i64) -> Self {
        match kind {
            Compared::Running | Compared::Stopped => Self::Vm(id),
            Compared::Loose => Self::Disk(id),
        }
    }

    /// What a finding is about.
    fn of(vm_id: Option<i64>, volume_id: Option<i64>) -> Self {
        match vm_id {
            Some(id) => Self::Vm(id),
            None => Self::Disk(volume_id.unwrap_or_default()),
        }
    }

    fn vm_id(self) -> Option<i64> {
        match self {
            Self::Vm(id) => Some(id),
            Self::Disk(_) => None,
        }
    }

    fn volume_id(self) -> Option<i64> {
        match self {
            Self::Vm(_) => None,
            Self::Disk(id) => Some(id),
        }
    }

    /// The lock that motions of it take.
    fn key(self) -> String {
        key_of(self.vm_id(), self.volume_id())
    }
}

/// So many things are read at a time: an estate may have millions.
const PER_PAGE: usize = 500;

/// How hosts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Between the two looks at something that differs.
    pub again_after: Duration,
    /// The most machines and disks that are looked at, and so hosts that are asked, at the same time.
    pub at_once: usize,
    /// Between the beginnings of two looks, at the least.
    pub pause: Duration,
}

impl Default for Manner {
    fn default() -> Self {
        // Longer than a machine is on its way between two hosts of a cluster, when nobody is told of it.
        Self { again_after: Duration::from_secs(15), at_once: 4, pause: Duration::from_millis(50) }
    }
}

/// Compares database and hosts: the room's front.
#[derive(Clone)]
pub struct Drift {
    store: Store,
    hypervisor: Arc<dyn Hypervisor>,
    manner: Manner,
    places: Arc<Semaphore>,
}

impl fmt::Debug for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Drift").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Drift {
    /// A room that asks Hyper-V hosts through `hypervisor`.
    #[must_use]
    pub fn new(store: Store, hypervisor: Arc<dyn Hypervisor>, manner: Manner) -> Self {
        let places = Arc::new(Semaphore::new(manner.at_once.max(1)));
        Self { store, hypervisor, manner, places }
    }

    /// Looks at every machine and every disk that belongs to none, spread evenly over `spread`, or longer where there are so many
    /// that they would be looked at faster than the room's manner allows. Ends early when `go_on` says no: another gateway does
    /// it then.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read which there are. What cannot be looked at is logged, and does not keep the others
    /// waiting.
    pub async fn round(&self, spread: Duration, go_on: impl Fn() -> bool) -> Result<(), StoreError> {
        let pause = (spread / self.number_of_things().await?.max(1)).max(self.manner.pause);
        let pause = pause.max(Duration::from_millis(1));
        let mut ticks = tokio::time::interval_at(Instant::now() + pause, pause);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looks = JoinSet::new();
        for kind in Compared::ALL {
            let mut last = 0;
            loop {
                let ids = self.store.compared(kind, HYPERV, last, PER_PAGE).await?;
                let Some(&newest) = ids.last() else { break };
                last = newest;
                for id in ids {
                    ticks.tick().await;
                    if !go_on() {
                        return Ok(());
                    }
                    // Waits while as many are looked at as may be.
                    let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return Ok(()) };
                    drop(place);
                    let (drift, thing) = (self.clone(), Thing::numbered(kind, id));
                    looks.spawn(async move { drift.examine(thing).await });
                    while looks.try_join_next().is_some() {}
                }
            }
        }
        while looks.join_next().await.is_some() {}
        self.store.drift_close_gone().await
    }

    async fn number_of_things(&self) -> Result<u32, StoreError> {
        let mut number = 0;
        for kind in Compared::ALL {
            number += self.store.count_compared(kind, HYPERV).await?;
        }
        Ok(u32::try_from(number).unwrap_or(u32::MAX))
    }

    async fn examine(&self, thing: Thing) {
        if let Err(error) = self.compare(thing).await {
            tracing::warn!(?thing, cause = %crate::telemetry::chain(&error), "it could not be compared");
        }
    }

    /// Looks at one thing, twice when something differs, and writes down what there is to say.
    async fn compare(&self, thing: Thing) -> Result<(), StoreError> {
        let Some(first) = self.look_in_turn(thing).await? else { return Ok(()) };
        if first.findings.is_empty() {
            return self.record(&first, &[]).await;
        }
        tokio::time::sleep(self.manner.again_after).await;
        let Some(second) = self.look_in_turn(thing).await? else { return Ok(()) };
        self.record(&second, &first.findings).await
    }

    async fn look_in_turn(&self, thing: Thing) -> Result<Option<look::Seen>, StoreError> {
        let Ok(_place) = self.places.acquire().await else { return Ok(None) };
        match self.look(thing).await? {
            Look::Seen(seen) => Ok(Some(*seen)),
            Look::NotNow(reason) => {
                tracing::debug!(?thing, reason, "it is not compared this time");
                Ok(None)
            }
        }
    }
}
