//! Drift: database and hosts are compared, and what differs is written down until somebody has decided.
//!
//! Machines are moved by hand, with Hyper-V's own tools, by a cluster that fails over; CloudStack follows a power report
//! without a word (`contract/hyperv-e2e.md`, claim 8.3 and demand 11). Here nothing is corrected by itself. Each machine that
//! runs is looked at once in a round: is it on the host that the database says, and are its disks in the pools and as large
//! as it says? What differs is looked at twice, some seconds apart, before it counts, and then raises one event and one alert.
//! A host that does not answer is no finding, and neither is anything of a machine with a motion that is not over.
//!
//! | file | what it does |
//! | --- | --- |
//! | `look` | one look at a machine: what the rows say, what the hosts say, what differs |
//! | `record` | findings are written down, told, and closed when they are gone |
//! | `resolve` | an administrator accepts a finding (the database follows the host) or dismisses it |

mod look;
mod record;
mod resolve;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

pub use resolve::{DriftRefusal, Resolver};

use crate::model::HYPERV;
use crate::motion::hypervisor::Hypervisor;
use crate::store::{Store, StoreError};
use look::Look;

/// What can differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Another host has the machine.
    VmElsewhere,
    /// The host that the database says has not got the machine, and no other host that answers has.
    VmMissing,
    /// The disk is in another folder than that of its pool.
    DiskElsewhere,
    /// The machine has no disk of that file name.
    DiskMissing,
    /// The disk has another size.
    DiskSize,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::VmElsewhere, Self::VmMissing, Self::DiskElsewhere, Self::DiskMissing, Self::DiskSize];

    /// The word in the database and on the wire.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::VmElsewhere => "vm-elsewhere",
            Self::VmMissing => "vm-missing",
            Self::DiskElsewhere => "disk-elsewhere",
            Self::DiskMissing => "disk-missing",
            Self::DiskSize => "disk-size",
        }
    }
}

/// How hosts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Between the two looks at something that differs.
    pub again_after: Duration,
    /// The most machines that are looked at, and so hosts that are asked, at the same time.
    pub at_once: usize,
}

impl Default for Manner {
    fn default() -> Self {
        // Longer than a machine is on its way between two hosts of a cluster, when nobody is told of it.
        Self { again_after: Duration::from_secs(15), at_once: 4 }
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

    /// Looks at every machine that runs, spread evenly over `spread`. Ends early when `go_on` says no: another gateway does
    /// it then.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read which machines run. A machine that cannot be looked at is logged, and does not
    /// keep the others waiting.
    pub async fn round(&self, spread: Duration, go_on: impl Fn() -> bool) -> Result<(), StoreError> {
        let vms = self.store.running_vms(HYPERV).await?;
        let pause = spread / u32::try_from(vms.len()).unwrap_or(u32::MAX).max(1);
        let begun = Instant::now();
        let mut looks = JoinSet::new();
        for (number, vm_id) in (1_u32..).zip(vms) {
            tokio::time::sleep(pause.saturating_mul(number).saturating_sub(begun.elapsed())).await;
            if !go_on() {
                return Ok(());
            }
            // Waits while as many are looked at as may be.
            let Ok(place) = Arc::clone(&self.places).acquire_owned().await else { return Ok(()) };
            drop(place);
            let drift = self.clone();
            looks.spawn(async move { drift.examine(vm_id).await });
            while looks.try_join_next().is_some() {}
        }
        while looks.join_next().await.is_some() {}
        self.store.drift_close_stopped().await
    }

    async fn examine(&self, vm_id: i64) {
        if let Err(error) = self.compare(vm_id).await {
            tracing::warn!(vm_id, cause = %crate::telemetry::chain(&error), "a machine could not be compared");
        }
    }

    /// Looks at one machine, twice when something differs, and writes down what there is to say.
    async fn compare(&self, vm_id: i64) -> Result<(), StoreError> {
        let Some(first) = self.look_in_turn(vm_id).await? else { return Ok(()) };
        if first.findings.is_empty() {
            return self.record(&first, &[]).await;
        }
        tokio::time::sleep(self.manner.again_after).await;
        let Some(second) = self.look_in_turn(vm_id).await? else { return Ok(()) };
        self.record(&second, &first.findings).await
    }

    async fn look_in_turn(&self, vm_id: i64) -> Result<Option<look::Seen>, StoreError> {
        let Ok(_place) = self.places.acquire().await else { return Ok(None) };
        match self.look(vm_id).await? {
            Look::Seen(seen) => Ok(Some(*seen)),
            Look::NotNow(reason) => {
                tracing::debug!(vm_id, reason, "a machine is not compared this time");
                Ok(None)
            }
        }
    }
}
