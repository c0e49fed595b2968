//! What the Hyper-V monitor asks for and writes down, answered by the store.

use futures_util::future::BoxFuture;

use super::node::Lead;
use crate::hypervisors::hyperv::discovery::{HostFacts, HostLoad, KnownHost, PoolUsage};
use crate::hypervisors::hyperv::monitor::{HostStatus, Inventory, Kept};
use crate::hypervisors::hyperv::pin::{Fingerprint, Pins};
use crate::model::{HYPERV, Scope, signed};
use crate::motion::hypervisor::PoolRef;
use crate::motion::pool_ref;
use crate::store::{Absence, HostLoadRow, Store, StoreError};

/// The hosts and pools of the database.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) store: Store,
    pub(super) server_id: i64,
    pub(super) lead: Lead,
}

impl Estate {
    /// Whether a management server that works on the same database has this host, and writes down what it hears of it.
    async fn is_left(&self, host_id: i64) -> Kept<bool> {
        self.store.host_is_elsewhere(host_id).await.map_err(words)
    }
}

fn words(error: StoreError) -> String {
    crate::telemetry::chain(&error)
}

impl Inventory for Estate {
    fn hosts(&self) -> BoxFuture<'_, Kept<Vec<KnownHost>>> {
        Box::pin(async move {
            let mut known = Vec::new();
            if !self.lead.is_mine() {
                return Ok(known);
            }
            for host in self.store.hosts_of_hypervisor(HYPERV).await.map_err(words)? {
                known.extend(KnownHost::of(&self.store, &host).await.map_err(|refusal| refusal.text)?);
            }
            Ok(known)
        })
    }

    fn pools_of<'a>(&'a self, host: &'a KnownHost) -> BoxFuture<'a, Kept<Vec<PoolRef>>> {
        Box::pin(async move {
            let connected = self.store.pools_of_host(host.host.id).await.map_err(words)?;
            let pools =
                self.store.pools_around(host.place.zone_id, Some(host.place.cluster_id)).await.map_err(words)?;
            let reached = pools.iter().filter(|pool| match pool.scope {
                Scope::Zone | Scope::Cluster => pool.is_shared_with(Some(host.place.cluster_id), HYPERV),
                Scope::Host | Scope::Other => connected.contains(&pool.id),
            });
            Ok(reached.map(pool_ref).collect())
        })
    }

    fn record_status<'a>(&'a self, host_id: i64, status: &'a HostStatus) -> BoxFuture<'a, Kept<()>> {
        Box::pin(async move {
            if self.is_left(host_id).await? {
                return Ok(());
            }
            match status {
                HostStatus::Up => self.store.host_up(host_id, self.server_id).await,
                HostStatus::Disconnected { reason } => {
                    tracing::warn!(host = host_id, %reason, "the host does not answer");
                    self.store.host_away(host_id, Absence::Silent, reason).await
                }
                HostStatus::Alert { reason } => {
                    tracing::error!(host = host_id, %reason, "somebody else answers for the host");
                    self.store.host_away(host_id, Absence::Stranger, reason).await
                }
            }
            .map_err(words)
        })
    }

    fn record_host_facts<'a>(&'a self, host_id: i64, facts: &'a HostFacts) -> BoxFuture<'a, Kept<()>> {
        Box::pin(async move {
            if self.is_left(host_id).await? {
                return Ok(());
            }
            self.store.host_report(host_id, &facts.report()).await.map_err(words)
        })
    }

    fn record_capacity(&self, pool_id: i64, usage: PoolUsage) -> BoxFuture<'_, Kept<()>> {
        Box::pin(async move {
            if self.store.pool_is_elsewhere(pool_id).await.map_err(words)? {
                return Ok(());
            }
            let (capacity, used) = (signed(usage.capacity_bytes), signed(usage.used_bytes));
            self.store.pool_usage(pool_id, capacity, used).await.map_err(words)
        })
    }

    fn record_reach<'a>(&'a self, host_id: i64, pool_id: i64, folder: &'a str) -> BoxFuture<'a, Kept<()>> {
        Box::pin(async move {
            if self.is_left(host_id).await? {
                return Ok(());
            }
            self.store.pool_reached(pool_id, host_id, folder).await.map_err(words)
        })
    }

    fn record_load(&self, host_id: i64, load: HostLoad) -> BoxFuture<'_, Kept<()>> {
        Box::pin(async move {
            let row = HostLoadRow {
                cpu_percent: load.cpu_percent,
                memory_bytes: signed(load.memory_bytes),
                free_memory_bytes: signed(load.free_memory_bytes),
                received_bytes: signed(load.received_bytes),
                sent_bytes: signed(load.sent_bytes),
            };
            self.store.host_load_write(host_id, &row).await.map_err(words)
        })
    }
}

impl Pins for Store {
    fn load<'a>(&'a self, address: &'a str) -> BoxFuture<'a, Result<Option<Fingerprint>, String>> {
        Box::pin(async move {
            let kept = self.pin(address).await.map_err(words)?;
            kept.map(|text| text.parse().map_err(|_| format!("the fingerprint kept for {address} is not one")))
                .transpose()
        })
    }

    fn store<'a>(&'a self, address: &'a str, seen: Fingerprint) -> BoxFuture<'a, Result<Fingerprint, String>> {
        Box::pin(async move {
            let kept = self.pin_keep(address, &seen.to_string()).await.map_err(words)?;
            kept.parse().map_err(|_| format!("the fingerprint kept for {address} is not one"))
        })
    }
}
