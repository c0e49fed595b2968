//! The estate: hosts and pools as they are added, looked after and taken away. What agents are asked for that is the port
//! [`Agents`], what is written the room `store`.
//!
//! An addition has three parts: ask the agent, write everything in one transaction (the host `Connecting`, the pool
//! `Initial`), tell the agent. Where the last part fails, one transaction takes back what the second wrote. A process that
//! dies in between leaves whole rows that nothing is placed on; the monitor connects such a host by itself.

pub mod address;
pub mod agents;
mod hosts;
mod pools;
mod refusal;

pub use agents::{
    AdoptedDisk, Agents, HostFacts, HostLoad, KnownHost, LocalPool, NoAgents, Place, PoolUsage, Reached, Report,
    ReportedVm,
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
        Self { store, agents, server_id }
    }

    /// An estate whose hosts nobody can speak to: adding one is refused.
    pub fn without_agents(store: Store) -> Self {
        Self::new(store, Arc::new(NoAgents), None)
    }

    /// Who speaks to the hosts.
    pub fn agents(&self) -> &dyn Agents {
        &*self.agents
    }
}
