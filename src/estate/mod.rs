//! The estate: hosts and pools as they are added, looked after and taken away. What agents are asked for that is the port
//! [`Agents`], what is written the room `store`.
//!
//! An addition has three parts: ask the agent, write everything in one transaction (the host `Connecting`, the pool
//! `Initial`), tell the agent. Where the last part fails, one transaction takes back what the second wrote. A process that
//! dies in between leaves whole rows that nothing is placed on; the monitor connects such a host by itself.

pub mod address;
mod adopt;
pub mod agents;
mod hosts;
mod pools;
mod refusal;

pub use adopt::{Adoption, Judgement, Offer};
pub use agents::{
    AdoptedDisk, Agents, DiskFiles, HostFacts, HostLoad, KnownHost, LocalPool, NoAgents, Place, PoolUsage, Reached,
    Report, ReportedVm,
};
pub use hosts::{NewHost, Removal};
pub use pools::{NewPool, PoolSource};
pub use refusal::{EstateRefusal, Ground};

use std::sync::Arc;

use crate::store::Store;

/// Adds hosts and pools and takes them away: the room's front.
#[derive(Clone)]
pub struct Estate {
    store: Store,
    agents: Arc<dyn Agents>,
    server_id: Option<i64>,
    foreign: bool,
}

impl std::fmt::Debug for Estate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Estate").field("server_id", &self.server_id).finish_non_exhaustive()
    }
}

impl Estate {
    /// An estate in this database whose hosts are spoken to through `agents`. `server_id` is CloudStack's number of this
    /// server (`mshost.msid`), which the rows of its hosts name.
    pub fn new(store: Store, agents: Arc<dyn Agents>, server_id: Option<i64>) -> Self {
        Self { store, agents, server_id, foreign: false }
    }

    /// An estate whose hosts nobody can speak to: adding one is refused.
    pub fn without_agents(store: Store) -> Self {
        Self::new(store, Arc::new(NoAgents), None)
    }

    /// The same, in a database that a management server has made and keeps (`docs/attached.md`): nothing is added or taken away.
    #[must_use]
    pub fn of_somebody_else(self) -> Self {
        Self { foreign: true, ..self }
    }

    /// Lets those through who may change the estate here.
    ///
    /// # Errors
    /// [`EstateRefusal`] in a management server's database: its caches and counters would not learn of it
    /// (`contract/entities.md 3.0`).
    pub fn is_ours(&self) -> Result<(), EstateRefusal> {
        if !self.foreign {
            return Ok(());
        }
        Err(EstateRefusal::command(
            "The database is a management server's, and what is added or changed in it beside that server goes wrong. Make the \
             call at the management server, or let the gateway pass it on: set upstream.url.",
        ))
    }

    /// CloudStack's number of this server (`mshost.msid`), where it has one.
    pub fn server_id(&self) -> Option<i64> {
        self.server_id
    }

    /// Who speaks to the hosts.
    pub fn agents(&self) -> &dyn Agents {
        &*self.agents
    }
}
