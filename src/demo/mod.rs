//! `stackmotion demo`: a gateway, a database and six simulated hosts in one process, and three use cases that are
//! played through the signed API and proved. Its estates serve tests as well.
//!
//! ```text
//! Plan -> Estate -> world_spec() -> hosts with real disk images
//!               \-> seed()       -> rows of the database
//! cases (what to move) -> play (request, wait) -> proof (files, hosts, database)
//! ```

mod cases;
mod estate;
mod folder;
mod plan;
mod play;
mod proof;
mod seed;
mod show;

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};

pub use cases::CaseError;
pub use estate::{
    Estate, EstateCluster, EstateDisk, EstateHost, EstatePool, EstatePoolKind, EstateVm, LOCAL_PATH, PlanError,
};
pub use folder::FolderError;
pub use plan::{ClusterPlan, DiskPlace, DiskPlan, HostPlan, POOL_BYTES, Plan, PoolPlan, VmPlan};
pub use play::PlayError;
pub use proof::ProofError;
pub use seed::seed;

use self::cases::{Case, Kind};
use self::folder::{Folder, Memory};
use self::play::{Played, Stage};
use crate::agent::{RunningWorld, World, WorldError};
use crate::app::{App, StartError};
use crate::client::{Client, ClientError};
use crate::settings::{Effective, Settings, SettingsArgs, SettingsError, Sources};
use crate::store::{Store, StoreError};
use crate::telemetry::{self, LogFormat, TelemetryError};

/// Arguments of `stackmotion demo`.
#[derive(Debug, Clone, clap::Args)]
pub struct DemoArgs {
    /// End after the use cases instead of staying up.
    #[arg(long)]
    pub exit: bool,
    /// Port of the gateway; any free one when not given.
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Folder for everything; kept, and gone on with at the next start. A temporary one when not given.
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Stop the gateway after the use cases and keep the hosts only.
    #[arg(long, conflicts_with = "exit")]
    pub hosts_only: bool,
    /// Folder of a web UI to serve at `/client/`.
    #[arg(long, value_name = "DIR")]
    pub ui: Option<String>,
    /// Write a report for programs (JSON) when the use cases are done. It holds the keys.
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Log what happens, not only what goes wrong.
    #[arg(long, short)]
    pub verbose: bool,
}

/// Why the demonstration did not end well.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Logging.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The data folder or the report.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The estate is wrong.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The hosts.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Settings of the gateway.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The gateway.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A use case.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// The signal to end cannot be waited for.
    #[error("signals cannot be received")]
    Signals(#[source] std::io::Error),
    /// It was interrupted.
    #[error("interrupted before the use cases were done")]
    Interrupted,
    /// Not everything was proved.
    #[error("{failed} of {all} use cases are not proved; see above, and look again with -v")]
    NotProved {
        /// How many.
        failed: usize,
        /// Of how many.
        all: usize,
    },
}

/// Runs the demonstration: three use cases, then until it is interrupted.
///
/// # Errors
/// [`DemoError`]; also when a use case is not proved.
pub async fn run(args: DemoArgs) -> Result<(), DemoError> {
    telemetry::start(LogFormat::Text, if args.verbose { "info" } else { "warn" })?;
    let (folder, known) = Folder::open(args.data_dir.as_deref())?;
    println!("stackmotion demo: a gateway, its database and six simulated Hyper-V hosts in one process\n");
    // The folder outlives what is dropped when the work is interrupted.
    let shown = tokio::select! {
        shown = show_all(&args, &folder, known) => shown?,
        interrupted = interruption() => {
            interrupted?;
            return Err(DemoError::Interrupted);
        }
    };
    if !args.exit {
        println!("\nCtrl-C ends everything.");
        interruption().await?;
        println!();
    }
    if let Some(app) = shown.app {
        app.stop().await;
    }
    shown.world.stop().await;
    if shown.failed > 0 { Err(DemoError::NotProved { failed: shown.failed, all: Kind::ALL.len() }) } else { Ok(()) }
}

/// What runs on when the use cases are done.
struct Shown {
    world: RunningWorld,
    /// None when only the hosts are to stay.
    app: Option<App>,
    failed: usize,
}

/// Waits for Ctrl-C, or for being told to end.
async fn interruption() -> Result<(), DemoError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(DemoError::Signals)?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        pressed = tokio::signal::ctrl_c() => pressed.map_err(DemoError::Signals),
    }
}

async fn show_all(args: &DemoArgs, folder: &Folder, known: Option<Memory>) -> Result<Shown, DemoError> {
    let estate = Estate::new(&cases::plan())?;
    let (world, memory) = set_up(args, folder, &estate, known).await?;
    let flags = |port| SettingsArgs { ui: args.ui.clone(), ..serve_flags(folder, port) };
    let app = App::start(&settings(flags(memory.port))?).await?;
    let memory = Memory { port: app.address.port(), ..memory };
    let serve = serve_args(&flags(memory.port));
    folder.remember(&memory)?;
    show::headline(&estate, &world, folder, &memory);
    println!();
    let all = play_all(&estate, &world, &app.store, &memory).await?;
    show::table(&all);
    let failed = all.iter().filter(|played| !played.ok()).count();
    let app = if args.hosts_only {
        app.stop().await;
        show::serve_hint(&serve);
        None
    } else {
        Some(app)
    };
    // Whoever waits for the report may start a gateway at once, so the port is free by now.
    if let Some(file) = &args.report {
        show::report(file, &memory, &serve, (&estate, &world), &all)?;
    }
    if !args.exit {
        show::examples(&estate, folder);
    }
    Ok(Shown { world, app, failed })
}

/// The hosts, and a database that knows them.
async fn set_up(
    args: &DemoArgs,
    folder: &Folder,
    estate: &Estate,
    known: Option<Memory>,
) -> Result<(RunningWorld, Memory), DemoError> {
    let mut spec = estate.world_spec();
    if let Some(memory) = &known {
        println!(
            "Going on with the demonstration in {}: hosts and database are as they were left.\n",
            folder.path().display()
        );
        // The hosts' port stands in the database.
        spec.port = memory.agent_port;
    } else {
        println!("Making disks with content, starting hosts ...\n");
    }
    let world = World::start(&spec, &folder.hosts()).await?;
    let mut memory = match known {
        Some(memory) => memory,
        None => Memory::new(world.port(), fill_database(folder, estate, world.port()).await?),
    };
    memory.port = args.port.unwrap_or(memory.port);
    Ok((world, memory))
}

/// A new database with an administrator's key and the estate.
async fn fill_database(folder: &Folder, estate: &Estate, agent_port: u16) -> Result<crate::store::KeyPair, DemoError> {
    let gateway = folder.gateway();
    std::fs::create_dir_all(&gateway).map_err(|cause| FolderError::Io { path: gateway.clone(), cause })?;
    let settings = settings(serve_flags(folder, 0))?;
    let store = Store::open(&settings.database_url).await?;
    let keys = store.bootstrap().await?.ok_or(FolderError::Foreign(gateway))?;
    seed(&store, estate, agent_port).await?;
    store.db().close().await;
    Ok(keys)
}

/// Flags of `stackmotion serve` for the folder's data; the demonstration's own gateway is started by them, too.
fn serve_flags(folder: &Folder, port: u16) -> SettingsArgs {
    SettingsArgs {
        data_dir: Some(folder.gateway().display().to_string()),
        port: Some(port.to_string()),
        log_level: Some("warn".to_owned()),
        // A short demonstration is looked at closely, and nobody waits for its end.
        set: vec!["motion.poll_ms=100".to_owned(), "http.drain_s=1".to_owned()],
        ..SettingsArgs::default()
    }
}

/// The same as arguments of a command line.
fn serve_args(flags: &SettingsArgs) -> Vec<String> {
    let named = [
        ("--data-dir", &flags.data_dir),
        ("--port", &flags.port),
        ("--ui", &flags.ui),
        ("--log-level", &flags.log_level),
    ];
    let named = named.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    let set = flags.set.iter().map(|value| ("--set", value));
    let pairs = named.chain(set).flat_map(|(name, value)| [name.to_owned(), value.clone()]);
    std::iter::once("serve".to_owned()).chain(pairs).collect()
}

/// The settings that these flags give, whatever the environment says.
fn settings(flags: SettingsArgs) -> Result<Settings, SettingsError> {
    Settings::from_effective(&Effective::load(&Sources { env: Vec::new(), flags })?)
}

async fn play_all(
    estate: &Estate,
    world: &RunningWorld,
    store: &Store,
    memory: &Memory,
) -> Result<Vec<Played>, DemoError> {
    let client = Client::new(folder::url(memory.port), &memory.api_key, &memory.secret_key)?;
    let stage = Stage { estate, world: world.world(), store, client: &client };
    let mut all = Vec::new();
    for (at, kind) in Kind::ALL.into_iter().enumerate() {
        println!("{}/{}  {}", at + 1, Kind::ALL.len(), kind.title());
        let case = Case::plan(kind, estate, store).await.map_err(PlayError::from)?;
        let played = play::play(&case, stage).await?;
        show::outcome(&played);
        all.push(played);
    }
    Ok(all)
}
