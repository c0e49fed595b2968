//! Evacuation: a host or a pool that is to be worked on is emptied, and no guest is stopped for it.
//!
//! `prepareHostForMaintenance` and `enableStorageMaintenance` only write down what is wanted: the state of the host or pool is
//! `PrepareForMaintenance`. The gateway that looks after the hosts comes by in rounds and hands in what is to be moved, as
//! ordinary jobs: each is journaled, verified and shown like any other migration. So whoever takes over after a crash goes
//! on from the state alone. CloudStack skips machines on local storage in silence, stops machines of which a pool is emptied,
//! and calls a move that failed a reason to stop a machine (`contract/hyperv-e2e.md`, Maintenance; `contract/migration.md` 7).
//!
//! | file | what it does |
//! | --- | --- |
//! | `hosts` | one round of a host |
//! | `pools` | one round of a pool |
//! | `tries` | what was tried, how often, and what came of it |

mod hosts;
mod pools;
mod tries;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{Host, Pool, Vm, Volume};
use crate::store::{Store, StoreError};
use tries::{HOST, POOL, Tries};

pub use hosts::{ask_host, release_host};
pub use pools::{ask_pool, release_pool};

/// A move that is to be made.
#[derive(Clone, Debug)]
pub enum Move {
    /// A machine that runs, to another host; with its disks where they do not reach there.
    Vm {
        /// The machine.
        vm: Box<Vm>,
        /// The host that receives it.
        to: Box<Host>,
        /// Whether disks have to move with it.
        with_disks: bool,
    },
    /// A disk of a machine that runs, to another pool.
    Disk {
        /// The disk.
        volume: Box<Volume>,
        /// The pool that receives it.
        to: Box<Pool>,
    },
}

/// Hands moves in as jobs of the system user.
pub trait Moves: Send + Sync {
    /// Hands one in.
    ///
    /// # Errors
    /// What was said to it; nothing was begun then.
    fn hand_in(&self, what: Move) -> BoxFuture<'_, Result<(), String>>;
}

/// How persistently things are moved away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Between two attempts at the same thing.
    pub again_after: Duration,
    /// How often each is attempted.
    pub attempts: u32,
    /// The most moves of one host or pool at the same time.
    pub at_once: usize,
}

impl Default for Manner {
    fn default() -> Self {
        Self { again_after: Duration::from_secs(60), attempts: 3, at_once: 2 }
    }
}

/// Empties hosts and pools: the room's front.
pub struct Evacuation {
    store: Store,
    moves: Arc<dyn Moves>,
    manner: Manner,
    tries: Tries,
}

impl fmt::Debug for Evacuation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Evacuation").field("manner", &self.manner).finish_non_exhaustive()
    }
}

impl Evacuation {
    /// A room that hands its moves in at `moves`.
    #[must_use]
    pub fn new(store: Store, moves: Arc<dyn Moves>, manner: Manner) -> Self {
        Self { store, moves, manner, tries: Tries::default() }
    }

    /// Comes by at every host and pool that is being emptied.
    ///
    /// # Errors
    /// [`StoreError`] when it cannot be read which there are. One that cannot be looked after now is logged, and does not keep
    /// the others waiting.
    pub async fn round(&self) -> Result<(), StoreError> {
        let (hosts, pools) = (self.store.hosts_in_preparation().await?, self.store.pools_in_preparation().await?);
        let emptied = hosts.iter().map(|host| (HOST, host.id)).chain(pools.iter().map(|pool| (POOL, pool.id)));
        self.tries.keep(&emptied.collect::<Vec<_>>());
        for host in hosts {
            if let Err(error) = self.empty_host(&host).await {
                tracing::warn!(host = %host.name, cause = %crate::telemetry::chain(&error), "a host could not be emptied further");
            }
        }
        for pool in pools {
            if let Err(error) = self.empty_pool(&pool).await {
                tracing::warn!(pool = %pool.name, cause = %crate::telemetry::chain(&error), "a pool could not be emptied further");
            }
        }
        Ok(())
    }
}
