//! Pools: written down, announced to a host, registered on every host that is to reach them; taken away
//! (`contract/entities.md 2.5`, `contract/hyperv-wire.md` 2.13, 6.3).

use super::address::Url;
use super::{Estate, EstateRefusal, PoolUsage};
use crate::model::{HYPERV, Host, Machine as _, Pool, PoolEvent, PoolState, Scope, Secret, signed};
use crate::motion::hypervisor::{AgentError, Answer, PoolRef};
use crate::motion::{host_ref, pool_ref, port};
use crate::store::{Alert, Cluster, PoolRows, Zone, transact};

/// The port of a share.
const SMB_PORT: i64 = 445;
/// What the column of a pool's path holds, with user and domain behind `?`.
const LONGEST_PATH: usize = 255;
/// Where the disks of a new pool are.
#[derive(Clone, Debug)]
pub enum PoolSource {
    /// A share, with the user, password and domain that CloudStack wants to know although no agent does.
    Share {
        /// User.
        user: String,
        /// Password.
        password: Secret,
        /// Domain.
        domain: Option<String>,
    },
    /// A folder of one host.
    Folder,
}

/// A pool to be added: where, and what its administrator typed.
#[derive(Clone, Debug)]
pub struct NewPool {
    /// Its name.
    pub name: String,
    /// Its zone.
    pub zone: Zone,
    /// Its cluster; none for a pool of the whole zone.
    pub cluster: Option<Cluster>,
    /// Its reach.
    pub scope: Scope,
    /// Server and path.
    pub url: Url,
    /// What kind of place that is.
    pub source: PoolSource,
    /// The most operations per second.
    pub capacity_iops: Option<i64>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether the tag is a rule.
    pub tag_is_rule: bool,
    /// Further rows of `storage_pool_details`.
    pub details: Vec<(String, String)>,
}

/// The beginning of every text of the part that knows storage.
fn not_added(text: impl std::fmt::Display) -> EstateRefusal {
    EstateRefusal::command(format!("Failed to add data store: {text}"))
}

impl NewPool {
    /// The rows of the pool.
    fn rows(&self, uuid: String, path: &str) -> PoolRows {
        let mut details = self.details.clone();
        let (kind, port, path, password) = match &self.source {
            PoolSource::Share { user, password, domain } => {
                details.push(("user".to_owned(), user.clone()));
                details.extend(domain.clone().map(|domain| ("domain".to_owned(), domain)));
                let domain = domain.as_deref().unwrap_or("null");
                ("SMB", SMB_PORT, format!("{path}?user={user}&domain={domain}"), Some(password.clone()))
            }
            PoolSource::Folder => ("Filesystem", 0, path.to_owned(), None),
        };
        let cluster = self.cluster.as_ref().filter(|_| self.scope != Scope::Zone);
        PoolRows {
            uuid,
            name: self.name.clone(),
            kind,
            host_address: self.url.server.clone(),
            port,
            path,
            scope: self.scope,
            place: (self.zone.id, cluster.map(|cluster| cluster.pod_id), cluster.map(|cluster| cluster.id)),
            capacity_bytes: 0,
            used_bytes: 0,
            capacity_iops: self.capacity_iops,
            tags: self.tags.clone(),
            tag_is_rule: self.tag_is_rule,
            details,
            password,
        }
    }

    /// The folder of a URL `filesystem://<host>/D:/VHDs`, as Windows writes it.
    fn folder_path(&self) -> Result<String, EstateRefusal> {
        let path = self.url.path.trim_start_matches('/').replace('/', "\\");
        let mut letters = path.chars();
        let drive = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic()) && letters.next() == Some(':');
        if drive && letters.next() == Some('\\') {
            return Ok(path);
        }
        Err(not_added(
            "filesystem URI has no folder of a drive. Make sure it's of the format filesystem://host-address/D:/folder",
        ))
    }
}

impl Estate {
    /// Adds a pool and gives its number.
    ///
    /// # Errors
    /// [`EstateRefusal`] in CloudStack's words; nothing is left of the pool then. When no host reaches it, an alert says so
    /// for each host that was asked.
    pub async fn add_pool(&self, new: &NewPool) -> Result<i64, EstateRefusal> {
        let path = match new.source {
            PoolSource::Share { .. } => new.url.path.clone(),
            PoolSource::Folder => new.folder_path()?,
        };
        let rows = new.rows(self.agents.pool_uuid(&new.url.server, &path), &path);
        if rows.path.chars().count() > LONGEST_PATH {
            return Err(not_added(format!("path, user and domain have more than {LONGEST_PATH} characters together")));
        }
        let hosts = self.hosts_to_ask(new).await?;
        let factor = self.store.overprovisioning().await?;

        let id = transact!(self.store, EstateRefusal, |tx| {
            tx.estate_hold().await?;
            if tx.pool_uuid_taken(&rows.uuid).await? {
                return Err(not_added("Another active pool with the same uuid already exists"));
            }
            let id = tx.pool_insert(&rows).await?;
            Ok(id)
        })?;

        let pool = PoolRef {
            id,
            uuid: rows.uuid.clone(),
            name: rows.name.clone(),
            kind: rows.kind.to_owned(),
            host: rows.host_address.clone(),
            path,
            port: rows.port,
        };
        match self.register(&pool, &hosts).await {
            Ok(reached) => {
                let (_, usage) = reached[0];
                let size = (signed(usage.capacity_bytes), signed(usage.used_bytes));
                transact!(self.store, EstateRefusal, |tx| {
                    tx.pool_ready(id, &rows, size, factor).await?;
                    for (host_id, _) in &reached {
                        tx.pool_connect(id, *host_id, &self.agents.folder(&pool)).await?;
                    }
                    Ok(())
                })?;
                Ok(id)
            }
            Err(refused) => {
                transact!(self.store, EstateRefusal, |tx| {
                    tx.pool_forget(id).await?;
                    for host in &refused.asked {
                        let alert = unreached(host, &new.name, &refused.reason.text);
                        tx.alert_insert(&alert).await?;
                    }
                    Ok(())
                })?;
                Err(not_added(refused.text).because(refused.reason))
            }
        }
    }

    /// The hosts that are to reach a new pool: those that are `Up` in its cluster or zone, or the one whose folder it is.
    async fn hosts_to_ask(&self, new: &NewPool) -> Result<Vec<Host>, EstateRefusal> {
        let all = self.store.hosts_of_zone(new.zone.id).await?;
        let cluster_id = new.cluster.as_ref().map(|cluster| cluster.id);
        let up: Vec<Host> = all
            .into_iter()
            .filter(|host| host.status == "Up" && host.hypervisor.eq_ignore_ascii_case(HYPERV))
            .filter(|host| match new.scope {
                Scope::Cluster => host.cluster_id == cluster_id,
                Scope::Host => {
                    host.private_ip == new.url.server && cluster_id.is_none_or(|id| host.cluster_id == Some(id))
                }
                Scope::Zone | Scope::Other => true,
            })
            .collect();
        if !up.is_empty() {
            return Ok(up);
        }
        Err(match (&new.cluster, new.scope) {
            (_, Scope::Host) => not_added(format!("No host up with the address {}", new.url.server)),
            (Some(cluster), Scope::Cluster) => {
                not_added(format!("No host up to associate a storage pool with in cluster: {}", cluster.dump()))
            }
            _ => not_added(format!("No host up to associate a storage pool with in zone: {}", new.zone.dump())),
        })
    }

    /// Announces a pool to the first host that takes it and registers it on all. Gives the hosts that reach it.
    async fn register(&self, pool: &PoolRef, hosts: &[Host]) -> Result<Vec<(i64, PoolUsage)>, Unreached> {
        let mut announced = false;
        let mut refusals: Vec<(usize, AgentError)> = Vec::new();
        let mut targets = Vec::new();
        for host in hosts {
            let port = port(&self.store, Some(host)).await.ok().flatten();
            targets.push(host_ref(host, port));
        }
        for (at, target) in targets.iter().enumerate() {
            match self.agents.announce_pool(target, pool).await {
                Ok(()) => {
                    announced = true;
                    break;
                }
                Err(error) => refusals.push((at, error)),
            }
        }
        if !announced {
            let (at, reason) = refusals.pop().unwrap_or_else(|| (0, nothing_said()));
            let text = format!("Can not create storage pool through host {} due to {reason}", hosts[at].dump());
            return Err(Unreached { text, reason, asked: Vec::new() });
        }
        let mut reached = Vec::new();
        let mut last = None;
        for target in &targets {
            match self.agents.register_pool(target, pool).await {
                Ok(usage) => reached.push((target.id, usage)),
                Err(error) => {
                    tracing::warn!(host = target.name, pool = pool.name, %error, "the host does not reach a new pool");
                    last = Some(error);
                }
            }
        }
        if reached.is_empty() {
            let reason = last.unwrap_or_else(nothing_said);
            return Err(Unreached { text: "Failed to access storage pool".to_owned(), reason, asked: hosts.to_vec() });
        }
        Ok(reached)
    }

    /// Takes a pool away and tells its hosts; nothing in it is touched.
    ///
    /// # Errors
    /// [`EstateRefusal`] while disks or motions need it; nothing is changed then.
    pub async fn remove_pool(&self, pool: &Pool) -> Result<(), EstateRefusal> {
        if PoolState::parse(&pool.status).and_then(|state| state.next(PoolEvent::Remove)).is_none() {
            return Err(EstateRefusal::command(format!(
                "Unable to delete storage due to it is not in Maintenance state, pool: {}",
                pool.dump()
            )));
        }
        let hosts = self.store.hosts_of_pool(pool.id).await?;
        transact!(self.store, EstateRefusal, |tx| {
            tx.estate_hold().await?;
            tx.pool_hold(pool.id).await?;
            if tx.pool_in_motion(pool.id).await? {
                return Err(EstateRefusal::command(format!(
                    "A motion that is not over takes something out of the pool or puts something in, so it stays: {}. Wait for \
                     the end of the motion and try again.",
                    pool.dump()
                )));
            }
            let volumes = tx.pool_volumes(pool.id).await?;
            if !volumes.is_empty() {
                return Err(EstateRefusal::command(format!(
                    "Cannot delete pool {} as there are associated non-destroyed vols for this pool",
                    pool.dump()
                )));
            }
            tx.pool_remove(pool.id, PoolEvent::Remove).await?;
            Ok(())
        })?;
        self.withdraw(pool, &hosts).await;
        Ok(())
    }

    /// Tells hosts that a pool is gone. What they say changes nothing: agents do nothing on it either.
    async fn withdraw(&self, pool: &Pool, hosts: &[i64]) {
        for host_id in hosts {
            let Ok(Some(host)) = self.store.host_by_id(*host_id).await else { continue };
            let port = port(&self.store, Some(&host)).await.ok().flatten();
            let told: Answer<()> = self.agents.withdraw_pool(&host_ref(&host, port), &pool_ref(pool)).await;
            if let Err(error) = told {
                tracing::warn!(host = host.name, pool = pool.name, %error, "the host was not told that a pool is gone");
            }
        }
    }
}

/// No host reaches a new pool.
struct Unreached {
    text: String,
    reason: AgentError,
    /// The hosts that were asked to look at it.
    asked: Vec<Host>,
}

fn nothing_said() -> AgentError {
    AgentError { effect: crate::motion::hypervisor::Effect::None, text: "no host was asked".to_owned() }
}

/// An alert of type 7 (`contract/entities.md 4.8`), as CloudStack writes one for each host that does not reach a new pool.
fn unreached(host: &Host, pool: &str, reason: &str) -> Alert {
    let subject = format!("Unable to attach storage pool {pool} to the host {}", host.name);
    let content = format!("Unable to attach storage pool {pool} to the host {}: {reason}", host.dump());
    Alert::at(host, Alert::HOST, subject, content)
}
