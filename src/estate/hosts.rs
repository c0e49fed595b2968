//! Hosts: found, written down, welcomed; taken away (`contract/entities.md 2.4`, `contract/hyperv-wire.md` 6.1, 6.2).

use std::collections::BTreeMap;

use super::address::{Network, Url};
use super::{Estate, EstateRefusal, HostFacts, KnownHost, Place};
use crate::model::{HYPERV, Host, PoolEvent, Scope, Secret, signed};
use crate::motion::hypervisor::{AgentError, Effect, HostRef, PoolRef};
use crate::motion::{Refusal, host_ref, pool_ref, port};
use crate::store::{Absence, Cluster, HostRows, Pod, PoolRows, Store, StoreError, Tx, Zone, transact};

/// A host to be added: where, and what its administrator typed.
#[derive(Clone, Debug)]
pub struct NewHost {
    /// Its zone.
    pub zone: Zone,
    /// Its pod.
    pub pod: Pod,
    /// Its cluster.
    pub cluster: Cluster,
    /// `http://<name or address>`.
    pub url: String,
    /// The user of the host; no agent is told.
    pub username: String,
    /// That user's password.
    pub password: Secret,
    /// Whether it is to be given work.
    pub enabled: bool,
    /// Its tags.
    pub tags: Vec<String>,
    /// Access groups of storage, separated by commas.
    pub access_groups: Option<String>,
    /// The CloudStack version that clients are told.
    pub version: String,
    /// Names of further rows of `host_details` with their values.
    pub details: BTreeMap<String, String>,
}

/// How a host is taken away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Removal {
    /// Also one that is not in maintenance.
    pub forced: bool,
}

impl NewHost {
    fn place(&self) -> Place {
        Place { zone_id: self.zone.id, pod_id: self.pod.id, cluster_id: self.cluster.id }
    }

    /// The text that CloudStack has for every way in which no host is found (`contract/hyperv-e2e.md`).
    fn not_found(&self) -> EstateRefusal {
        EstateRefusal::command(format!("Unable to add the host: Cannot find the server resources at {}", self.url))
    }

    fn not_found_because(&self, text: impl Into<String>) -> EstateRefusal {
        self.not_found().because(AgentError { effect: Effect::None, text: text.into() })
    }

    /// The rows of the host, from what it says of itself.
    fn rows(&self, server: &str, ip: &str, cluster_guid: &str, facts: &HostFacts, server_id: Option<i64>) -> HostRows {
        let mut details = facts.details.clone();
        details.extend(self.details.clone());
        for (name, value) in [("url", server), ("username", &self.username), ("cluster.guid", cluster_guid)] {
            details.insert(name.to_owned(), value.to_owned());
        }
        HostRows {
            uuid: uuid::Uuid::new_v4().to_string(),
            name: ip.to_owned(),
            ip: ip.to_owned(),
            netmask: facts.netmask.clone(),
            mac: facts.mac.clone(),
            place: (self.zone.id, self.pod.id, self.cluster.id),
            sockets: facts.sockets.map(signed),
            cpus: signed(facts.cpus),
            speed_mhz: signed(facts.speed_mhz),
            memory_bytes: signed(facts.memory_bytes),
            reserved_memory_bytes: signed(facts.reserved_memory_bytes),
            hypervisor: HYPERV.to_owned(),
            hypervisor_version: facts.version.clone(),
            version: self.version.clone(),
            capabilities: facts.capabilities.clone(),
            guid: facts.guid.clone(),
            cluster_guid: cluster_guid.to_owned(),
            server_id,
            enabled: self.enabled,
            tags: self.tags.clone(),
            access_groups: self.access_groups.clone(),
            details,
            password: self.password.clone(),
        }
    }

    /// The host's own folder as a pool, where the zone wants that (`contract/hyperv-wire.md` 6.2).
    fn local_pool(&self, name: &str, facts: &HostFacts) -> Option<PoolRows> {
        let pool = facts.local_pool.as_ref().filter(|_| self.zone.local_storage)?;
        let block = pool.uuid.split('-').next().unwrap_or_default();
        Some(PoolRows {
            uuid: pool.uuid.clone(),
            name: format!("{name}-local-{block}"),
            kind: "Filesystem",
            host_address: pool.host.clone(),
            port: 0,
            path: pool.path.clone(),
            scope: Scope::Host,
            place: (self.zone.id, Some(self.pod.id), Some(self.cluster.id)),
            capacity_bytes: signed(pool.usage.capacity_bytes),
            used_bytes: signed(pool.usage.used_bytes),
            capacity_iops: None,
            tags: Vec::new(),
            tag_is_rule: false,
            details: Vec::new(),
            password: None,
        })
    }

    /// The address of a host must lie in the management network of its pod (`contract/hyperv-wire.md` 2.5).
    fn check_network(&self, ip: &str, facts: &HostFacts) -> Result<(), EstateRefusal> {
        let bits = u8::try_from(self.pod.cidr_size).ok();
        let network = bits.and_then(|bits| Network::parse(&format!("{}/{bits}", self.pod.cidr_address)));
        let Some(network) = network else { return Ok(()) };
        let own = facts.netmask.as_deref().and_then(|netmask| Network::around(ip, netmask));
        if network.has(ip) && own.is_none_or(|own| own.bits >= network.bits) {
            return Ok(());
        }
        let text = format!(
            "The private ip address of the server ({ip}) is not compatible with the CIDR of pod: {} and zone: {}",
            self.pod.name, self.zone.name
        );
        Err(EstateRefusal::command("Failed to add host").because(AgentError { effect: Effect::None, text }))
    }
}

impl Estate {
    /// Adds a host and gives its number.
    ///
    /// # Errors
    /// [`EstateRefusal`] in CloudStack's words (`contract/hyperv-e2e.md`); nothing is written then.
    pub async fn add_host(&self, new: &NewHost) -> Result<i64, EstateRefusal> {
        let url = Url::parse(&new.url).filter(|url| url.scheme == "http").ok_or_else(|| new.not_found())?;
        let ip = resolve(&url.server).await.map_err(|reason| new.not_found_because(reason))?;
        let place = new.place();
        let facts = self.agents.discover(&ip, place).await.map_err(|error| new.not_found().because(error))?;
        new.check_network(&ip, &facts)?;
        let cluster_guid = new.cluster.guid.clone().unwrap_or_else(|| self.agents.cluster_guid(new.cluster.id));
        let rows = new.rows(&url.server, &ip, &cluster_guid, &facts, self.server_id);
        let local = new.local_pool(&rows.name, &facts);
        let factor = self.store.overprovisioning().await?;

        let id = transact!(self.store, EstateRefusal, |tx| {
            tx.estate_hold().await?;
            if tx.host_guid_taken(&rows.guid).await? {
                return Err(new.not_found_because(format!("the host with the address {ip} is there already")));
            }
            let id = tx.host_insert(&rows).await?;
            if let Some(pool) = &local {
                add_local_pool(tx, id, pool, factor).await?;
            }
            Ok(id)
        })?;

        let host = HostRef { id, name: rows.name.clone(), ip, port: None, guid: rows.guid.clone() };
        let known = KnownHost { host, uuid: rows.uuid.clone(), place };
        match self.introduce(&known).await {
            Ok(()) => Ok(id),
            Err(refusal) => {
                transact!(self.store, EstateRefusal, |tx| {
                    tx.host_forget(id).await?;
                    Ok(())
                })?;
                Err(match refusal {
                    Introduction::Agent(error) => new.not_found().because(error),
                    Introduction::Store(error) => error.into(),
                })
            }
        }
    }

    /// Tells an agent under which identity its host is known and which shares there are, and writes down what it reaches.
    async fn introduce(&self, known: &KnownHost) -> Result<(), Introduction> {
        let pools = self.shares_of(known.place).await?;
        let reached = self.agents.welcome(known, &pools).await.map_err(Introduction::Agent)?;
        transact!(self.store, StoreError, |tx| {
            for (pool_id, usage) in &reached {
                let pool = pools.iter().find(|pool| pool.id == *pool_id);
                match (usage, pool) {
                    (Ok(_), Some(pool)) => {
                        tx.pool_connect(*pool_id, known.host.id, &self.agents.folder(pool)).await?;
                    }
                    (Err(error), Some(pool)) => {
                        tracing::warn!(host = known.host.name, pool = pool.name, %error, "the host does not reach a share");
                    }
                    (_, None) => {}
                }
            }
            tx.host_connected(known.host.id).await?;
            Ok(())
        })?;
        Ok(())
    }

    /// The shares that hosts at a place are to reach.
    async fn shares_of(&self, place: Place) -> Result<Vec<PoolRef>, StoreError> {
        let pools = self.store.pools_around(place.zone_id, Some(place.cluster_id)).await?;
        let reached = pools.iter().filter(|pool| pool.is_shared_with(Some(place.cluster_id), HYPERV));
        Ok(reached.map(pool_ref).collect())
    }

    /// A host that is in the inventory, as its agent is spoken to.
    ///
    /// # Errors
    /// [`EstateRefusal`] when the database fails or the host is in no cluster.
    pub async fn known_host(&self, host: &Host) -> Result<KnownHost, EstateRefusal> {
        let known = KnownHost::of(&self.store, host).await.map_err(|refusal| EstateRefusal::command(refusal.text))?;
        known.ok_or_else(|| EstateRefusal::parameter(format!("The host {} is in no cluster", host.name)))
    }

    /// Connects a host anew: greeting, facts, set-up, shares, identity. What it says of itself is written down; a host that
    /// does not answer as it should is `Disconnected`.
    ///
    /// # Errors
    /// [`EstateRefusal`] with the agent's reason.
    pub async fn reconnect_host(&self, host: &Host) -> Result<(), EstateRefusal> {
        let known = self.known_host(host).await?;
        let outcome = match self.agents.reconnect(&known).await {
            Ok(facts) => {
                self.store.host_report(host.id, &facts.report()).await?;
                match self.introduce(&known).await {
                    Ok(()) => return self.connected(host.id).await,
                    Err(Introduction::Store(error)) => return Err(error.into()),
                    Err(Introduction::Agent(error)) => error,
                }
            }
            Err(error) => error,
        };
        self.store.host_away(host.id, Absence::Silent, &outcome.text).await?;
        let text = format!("Failed to reconnect host {}: {outcome}", host.dump());
        Err(EstateRefusal::command(text).because(outcome))
    }

    async fn connected(&self, host_id: i64) -> Result<(), EstateRefusal> {
        if let Some(server_id) = self.server_id {
            self.store.host_up(host_id, server_id).await?;
        }
        Ok(())
    }

    /// Takes a host away, with its local pools. Nothing is told to its agent.
    ///
    /// # Errors
    /// [`EstateRefusal`] while machines, disks or motions need it; nothing is changed then.
    pub async fn remove_host(&self, host: &Host, removal: Removal) -> Result<(), EstateRefusal> {
        let calm = ["Maintenance", "Degraded"].contains(&host.resource_state.as_str());
        if !calm && !removal.forced {
            return Err(EstateRefusal::command(format!(
                "Host with UUID [{}] is not in maintenance mode and no forced deletion was requested.",
                host.uuid
            )));
        }
        let local = transact!(self.store, EstateRefusal, |tx| { Ok(tx.local_pools_of(host.id).await?) })?;
        transact!(self.store, EstateRefusal, |tx| {
            tx.estate_hold().await?;
            tx.host_hold(host.id).await?;
            for pool_id in &local {
                tx.pool_hold(*pool_id).await?;
            }
            if tx.host_in_motion(host.id).await? {
                return Err(EstateRefusal::command(format!(
                    "The host {} is the source or the target of a motion that is not over, so it stays. Wait for the end of the \
                     motion and try again.",
                    host.dump()
                )));
            }
            let machines = tx.host_machines(host.id).await?;
            if !machines.is_empty() {
                return Err(EstateRefusal::command(format!(
                    "The host {} stays, since machines are on it: {}. A machine that runs is not called stopped because its host is \
                     taken out of the inventory: move or stop them first.",
                    host.dump(),
                    machines.join(", ")
                )));
            }
            for pool_id in tx.local_pools_of(host.id).await? {
                if tx.pool_in_motion(pool_id).await? {
                    return Err(EstateRefusal::command(format!(
                        "The host {} stays, since a motion that is not over takes something out of its local storage or puts \
                         something in. Wait for the end of the motion and try again.",
                        host.dump()
                    )));
                }
                let volumes = tx.pool_volumes(pool_id).await?;
                if !volumes.is_empty() {
                    return Err(EstateRefusal::command(format!(
                        "The host {} stays, since its local storage holds volumes: {}. Move them to another pool first.",
                        host.dump(),
                        volumes.join(", ")
                    )));
                }
                tx.pool_remove(pool_id, PoolEvent::HostRemoved).await?;
            }
            tx.host_remove(host.id, &host.private_ip).await?;
            Ok(())
        })?;
        Ok(())
    }
}

impl KnownHost {
    /// A host that is in the inventory; none when it is in no cluster.
    ///
    /// # Errors
    /// A [`Refusal`] when the database fails.
    pub async fn of(store: &Store, host: &Host) -> Result<Option<Self>, Refusal> {
        let (Some(pod_id), Some(cluster_id)) = (host.pod_id, host.cluster_id) else { return Ok(None) };
        let port = port(store, Some(host)).await?;
        let place = Place { zone_id: host.zone_id, pod_id, cluster_id };
        Ok(Some(Self { host: host_ref(host, port), uuid: host.uuid.clone(), place }))
    }
}

/// Why a host was not introduced.
enum Introduction {
    Agent(AgentError),
    Store(StoreError),
}

impl From<StoreError> for Introduction {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Writes the pool of a host's own folder. One that another host left behind under the same id and folder is none of it.
async fn add_local_pool(tx: &mut Tx, host_id: i64, pool: &PoolRows, factor: f64) -> Result<(), EstateRefusal> {
    if tx.pool_uuid_taken(&pool.uuid).await? {
        let text = format!("Unable to setup the local storage pool for {}", pool.host_address);
        return Err(EstateRefusal::command("Failed to add host").because(AgentError { effect: Effect::None, text }));
    }
    let id = tx.pool_insert(pool).await?;
    tx.pool_ready(id, pool, (pool.capacity_bytes, pool.used_bytes), factor).await?;
    tx.pool_connect(id, host_id, &pool.path).await?;
    Ok(())
}

/// The address literal of a server; of several addresses an IPv4 one where there is one.
async fn resolve(server: &str) -> Result<String, String> {
    if server.parse::<std::net::IpAddr>().is_ok() {
        return Ok(server.to_owned());
    }
    let found = tokio::net::lookup_host((server, 0_u16)).await;
    let found: Vec<_> = found.map_err(|error| format!("the name {server} has no address: {error}"))?.collect();
    let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
    first.map(|address| address.ip().to_string()).ok_or_else(|| format!("the name {server} has no address"))
}
