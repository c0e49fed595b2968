//! The composition root: the only room that knows all others and puts them together.

mod desk;
mod drift;
mod estate;
mod evacuation;
#[cfg(debug_assertions)]
mod kill;
mod node;
mod ports;
mod rounds;
mod vault;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;

use crate::commands::{JobDesk, Policy};
use crate::dispatch::Gateway;
use crate::drift::{Drift, Manner};
use crate::estate::{Agents, Estate};
use crate::evacuation::Evacuation;
use crate::feed::Feed;
use crate::http::{HttpError, HttpServer, Limits, Listener, Options, Probe, TlsFiles, Ui};
use crate::hypervisors::hyperv::{self, client, monitor, pin};
use crate::jobs::{self, Jobs};
use crate::model::HYPERV;
use crate::motion::hypervisor::Hypervisor;
use crate::motion::{Limit, Motion, Patience};
use crate::settings::{
    AgentSettings, DriftSettings, HttpSettings, MaintenanceSettings, SAME_AS_IN_CLOUDSTACK, Settings, SettingsError,
};
use crate::store::{KeyPair, Store, StoreError, Survey};
use crate::upstream::{HttpUpstream, TrustError};

/// Where a new installation's first API key is written, inside the data folder.
const FIRST_KEY_FILE: &str = "admin.key";

/// The gateway could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("cannot use the data folder {path}; check that it may be written to")]
    DataFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The web UI's folder cannot be used.
    #[error("cannot serve the web UI from {path} (ui.dir); it has to be a folder with an index.html")]
    UiFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// CloudStack's database key cannot be read.
    #[error(transparent)]
    CloudKey(#[from] SettingsError),
    /// The listener cannot be used.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The certificates for the management server cannot be used.
    #[error(transparent)]
    Upstream(#[from] TrustError),
    /// A pinned fingerprint in the settings is not one.
    #[error("agent.pins: the fingerprint of {address} is not 64 hexadecimal digits")]
    Pin {
        /// The address it stands under.
        address: String,
    },
}

/// A running gateway.
#[derive(Debug)]
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    /// Where it listens with HTTPS, if it does.
    pub https_address: Option<SocketAddr>,
    /// The key of a new installation's administrator, the first time only.
    pub first_key: Option<KeyPair>,
    /// What CloudStack's database that is used in place was found to be, if one is.
    pub attached: Option<Survey>,
    /// The database.
    pub store: Store,
    jobs: Arc<Jobs>,
    feed: Arc<Feed>,
    server: actix_web::dev::ServerHandle,
    tasks: Vec<JoinHandle<()>>,
    staying_alive: JoinHandle<()>,
    serving: JoinHandle<Result<(), HttpError>>,
}

impl App {
    /// Starts everything: database, agents, workers, listener. Jobs that an earlier process left are taken up again.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        Self::start_with(settings, Vec::new()).await
    }

    /// The same, with clients for hosts of further hypervisor types. One for Hyper-V takes the place of the gateway's own;
    /// then nobody watches the hosts, for their agents are not the gateway's to know.
    ///
    /// # Errors
    /// [`StartError`]; nothing runs then.
    pub async fn start_with(
        settings: &Settings,
        hypervisors: Vec<(&str, Arc<dyn Hypervisor>)>,
    ) -> Result<Self, StartError> {
        let folder = |cause| StartError::DataFolder { path: settings.data_dir.clone(), cause };
        std::fs::create_dir_all(&settings.data_dir).map_err(folder)?;
        let (store, attached) = open(settings).await?;
        // What is CloudStack's gets no administrator of ours.
        let first_key = if attached.is_some() { None } else { first_key(&store, &settings.data_dir).await? };
        if attached.is_none() {
            vault::verify(&store, &settings.secrets_key_file).await?;
        }
        let policy = policy(settings, &store).await?;
        let listener = Listener::bind(settings.address, None)?;
        let address = listener.address()?;
        let mut listeners = vec![listener];
        let mut https_address = None;
        if let Some(https) = &settings.https {
            let files = TlsFiles { certificate: https.certificate.clone(), key: https.key.clone() };
            let listener = Listener::bind(https.address, Some(&files))?;
            https_address = Some(listener.address()?);
            listeners.push(listener);
        }
        let lease = settings.node.lease;
        let name = settings.node.name.clone().unwrap_or_else(machine_name);
        let server = store.server_register(&name, &policy.cloudstack_version, &address.ip().to_string(), lease).await?;
        let hyperv = Arc::new(hyperv(&settings.agent, &store)?);
        let watched = !hypervisors.iter().any(|(kind, _)| kind.eq_ignore_ascii_case(HYPERV));
        let motion =
            Motion::new(store.clone(), patience(&settings.agent)).with_hypervisor(HYPERV, Arc::clone(&hyperv) as _);
        let add = |motion: Motion, (kind, client): (&str, _)| motion.with_hypervisor(kind, client);
        let motion = hypervisors.into_iter().fold(motion, add);
        let agents: Arc<dyn Agents> = Arc::clone(&hyperv) as _;
        let manager = Estate::new(store.clone(), agents, Some(server.id));
        let manager = Arc::new(if attached.is_some() { manager.of_somebody_else() } else { manager });
        let (jobs, woken) = Jobs::new(store.clone(), server.clone());
        #[cfg(debug_assertions)]
        let (motion, jobs) = kill::arm(motion, jobs);
        let (motion, jobs) = (Arc::new(motion), Arc::new(jobs));
        let desk: Arc<dyn JobDesk> = Arc::new(desk::Desk { jobs: Arc::clone(&jobs), store: store.clone() });
        let moves = Arc::new(evacuation::Desk(Arc::clone(&desk)));
        let mut gateway = Gateway::new(Arc::clone(&motion), desk, policy.clone())
            .of_server(&server.uuid)
            .with_estate(Arc::clone(&manager));
        let runner = desk::CommandRunner::new(Arc::clone(&motion), manager, policy, gateway.credentials());
        let workers = jobs::work(Arc::clone(&jobs), woken, Arc::new(runner), settings.job_workers);
        if let Some(upstream) = &settings.upstream {
            tracing::info!(upstream = upstream.target.address(), "passing on the commands that are not served here");
            gateway = gateway.with_upstream(Arc::new(HttpUpstream::new(upstream.clone())?));
        }
        let feed = Arc::clone(gateway.feed());
        let health = Arc::new(Health(store.clone()));
        let server_number = server.id;
        let http = HttpServer::start(listeners, gateway, health, http_options(&settings.http)?)?;
        let lead = node::Lead::default();
        node::beat(&store, &jobs, &lead, lease, lease).await?;
        let staying_alive = tokio::spawn(node::stay_alive(store.clone(), Arc::clone(&jobs), lead.clone(), lease));
        let estate = Arc::new(estate::Estate { store: store.clone(), server_id: server_number, lead: lead.clone() });
        let watch = monitor::MonitorSettings {
            ping_interval: Duration::from_secs(settings.agent.ping_interval_s.max(1)),
            ..monitor::MonitorSettings::default()
        };
        let interval = watch.ping_interval;
        let comparison = settings.drift.interval.zip(motion.client(HYPERV)).map(|(spread, client)| {
            let DriftSettings { hosts_at_once: at_once, pause, .. } = settings.drift;
            let manner = Manner { at_once, pause, ..Manner::default() };
            drift::compare(Drift::new(store.clone(), client, manner), lead.clone(), spread)
        });
        let mut tasks = vec![
            tokio::spawn(workers),
            tokio::spawn(Arc::clone(&feed).run()),
            tokio::spawn(node::forget_jobs(store.clone(), lead.clone())),
            tokio::spawn(rounds::take_up_orphans(Arc::clone(&motion), lead.clone(), interval)),
            tokio::spawn(rounds::ask_again(Arc::clone(&motion), lead.clone(), interval)),
            tokio::spawn(rounds::hear_wishes(motion, Duration::from_millis(settings.agent.poll_ms))),
        ];
        tasks.extend(comparison.map(tokio::spawn));
        // Where a management server is beside, the states of hosts and pools are its to act on.
        if attached.is_none() {
            let manner = evacuation_manner(&settings.maintenance);
            let evacuation = Evacuation::new(store.clone(), moves, manner);
            tasks.push(tokio::spawn(evacuation::empty(evacuation, lead.clone())));
        }
        if watched {
            tasks.push(tokio::spawn(monitor::Monitor::new(hyperv, estate, watch).run()));
        }
        tracing::info!(%address, version = env!("CARGO_PKG_VERSION"), "serving");
        let handle = http.handle();
        let serving = tokio::spawn(http.run());
        Ok(Self {
            address,
            https_address,
            first_key,
            attached,
            store,
            jobs,
            feed,
            server: handle,
            tasks,
            staying_alive,
            serving,
        })
    }

    /// Waits until another gateway has started under this one's name. There is nothing left to do then but to stop.
    pub async fn replaced(&mut self) {
        if let Err(cause) = (&mut self.staying_alive).await {
            tracing::error!(%cause, "the gateway does not show that it is alive any more");
        }
    }

    /// Stops: no new jobs, requests that run are answered, the rest is left to the next start.
    pub async fn stop(mut self) {
        self.jobs.close();
        // Streams would never end by themselves.
        self.feed.close();
        self.server.stop(true).await;
        self.staying_alive.abort();
        for task in &mut self.tasks {
            task.abort();
            // What it was writing is over then, and what it held is free.
            let _ = task.await;
        }
        if let Err(error) = self.store.server_leave(self.jobs.server()).await {
            tracing::warn!(cause = %crate::telemetry::chain(&error), "the others have to wait for the end of the lease");
        }
        if let Ok(Err(error)) = self.serving.await {
            tracing::error!(cause = %crate::telemetry::chain(&error), "the listener broke down");
        }
        self.store.db().close().await;
    }
}

/// The database: one of ours with its secrets sealed, or CloudStack's, whose secrets stay as CloudStack has them.
async fn open(settings: &Settings) -> Result<(Store, Option<Survey>), StartError> {
    let Some(attach) = &settings.attach else {
        let store = Store::open(&settings.database_url).await?;
        return Ok((vault::guarded(store, &settings.secrets_key_file).await?, None));
    };
    let cipher = settings.cloud_key.cipher()?;
    let (store, survey) = Store::attach(&attach.url, attach.lock_wait).await?;
    let store = match cipher {
        Some(cipher) => store.with_cloud_cipher(Arc::new(cipher)),
        None => store,
    };
    Ok((store, Some(survey)))
}

/// What is decided about calls and sessions: on a database of CloudStack's its own settings count where the operator has said nothing.
async fn policy(settings: &Settings, store: &Store) -> Result<Policy, StoreError> {
    if settings.attach.is_none() {
        return Ok(settings.policy.clone());
    }
    let names = SAME_AS_IN_CLOUDSTACK.map(|(theirs, _)| theirs);
    Ok(settings.policy_with(&store.settings(&names).await?))
}

/// Makes the administrator of a new installation and gives the key. It is in a file before the database knows it: a process that is
/// killed, or a disk that is full, would else leave an installation that nobody gets into. The file has a name of this process's
/// until then, as others may do the same in the same folder.
async fn first_key(store: &Store, folder: &Path) -> Result<Option<KeyPair>, StartError> {
    if !store.is_new().await? {
        return Ok(None);
    }
    let unusable = |cause| StartError::DataFolder { path: folder.to_owned(), cause };
    let keys = KeyPair::random();
    let (usual, file) = (folder.join(FIRST_KEY_FILE), folder.join(format!("{FIRST_KEY_FILE}.{}", std::process::id())));
    write_key(&file, &keys).map_err(unusable)?;
    match store.bootstrap_with(&keys).await {
        Ok(true) => {}
        // Another gateway did it in the same moment, and has told its key.
        Ok(false) => {
            std::fs::remove_file(&file).map_err(unusable)?;
            return Ok(None);
        }
        // What is not known may be: the key may be needed.
        Err(error @ StoreError::InDoubt(_)) => return Err(error.into()),
        Err(error) => {
            std::fs::remove_file(&file).map_err(unusable)?;
            return Err(error.into());
        }
    }
    match std::fs::rename(&file, &usual) {
        Ok(()) => {
            tracing::info!(file = %usual.display(), "a new installation: the administrator's API key is in this file")
        }
        Err(cause) => tracing::warn!(
            file = %file.display(),
            %cause,
            "a new installation: the administrator's API key is in this file, which could not be given its usual name"
        ),
    }
    Ok(Some(keys))
}

/// A key goes into a file that only the owner can read, never into a log.
fn write_key(path: &Path, key: &KeyPair) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    writeln!(file, "apikey = {}\nsecretkey = {}", key.api_key, key.secret_key.expose())?;
    file.sync_all()
}

fn hyperv(settings: &AgentSettings, store: &Store) -> Result<hyperv::HyperV, StartError> {
    let mut fixed = BTreeMap::new();
    for (address, text) in &settings.pins {
        let fingerprint = text.parse().map_err(|_| StartError::Pin { address: address.clone() })?;
        fixed.insert(client::written_address(address, settings.port), fingerprint);
    }
    let kept = Arc::new(pin::RememberedPins::of(Arc::new(store.clone())));
    let pins = pin::PinPolicy { fixed, trust_first_use: settings.pin_on_first_use, kept };
    let client = client::ClientSettings {
        port: settings.port,
        connect_timeout: Duration::from_millis(settings.connect_timeout_ms),
        tls: settings.tls,
        ..client::ClientSettings::default()
    };
    Ok(hyperv::HyperV::new(Arc::new(client::AgentClient::new(client, pins))))
}

fn http_options(settings: &HttpSettings) -> Result<Options, StartError> {
    let ui = settings
        .ui_dir
        .as_deref()
        .map(|folder| Ui::in_folder(folder).map_err(|cause| StartError::UiFolder { path: folder.to_owned(), cause }));
    Ok(Options {
        workers: settings.workers,
        drain: Duration::from_secs(settings.drain_s),
        limits: Limits {
            connections: settings.connections,
            connections_per_address: settings.connections_per_address,
            requests: settings.requests,
            head_time: Duration::from_secs(settings.head_s),
            keep_alive: Duration::from_secs(settings.keep_alive_s),
            grace: Duration::from_secs(settings.grace_s),
            min_rate: settings.min_rate,
            form_memory: settings.form_memory_mib.saturating_mul(1024 * 1024),
        },
        ui: ui.transpose()?,
        proxies: settings.proxies.clone(),
    })
}

/// The name of the machine, as the system has it.
fn machine_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

fn evacuation_manner(settings: &MaintenanceSettings) -> crate::evacuation::Manner {
    crate::evacuation::Manner {
        again_after: settings.again_after,
        attempts: settings.attempts,
        at_once: settings.moves_at_once,
    }
}

fn patience(settings: &AgentSettings) -> Patience {
    let limit =
        |(seconds, origin): &(u64, String)| Limit { limit: Duration::from_secs(*seconds), origin: origin.clone() };
    Patience {
        poll: Duration::from_millis(settings.poll_ms),
        unreachable: limit(&settings.unreachable),
        late_answer: Duration::from_millis(settings.late_answer_ms),
        stall: limit(&settings.stall),
        unseen: settings.unseen,
        open_commands: settings.open_commands,
        ..Patience::default()
    }
}

/// How long the database may take to answer whoever asks whether the gateway is well: balancers and supervisors wait for seconds,
/// other calls for longer.
const HEALTH_LIMIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Health(Store);

impl Probe for Health {
    fn check(&self) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let db = self.0.db();
            let asked = db.within(HEALTH_LIMIT, db.row("SELECT 1", vec![])).await;
            asked.map(|_| ()).map_err(|error| crate::telemetry::chain(&error))
        })
    }
}
