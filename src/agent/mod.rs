//! The simulated Hyper-V agent: hosts that speak the agent's protocol and really move disk images.
//!
//! A [`World`] has file shares, hosts, VMs with real VHDX and VHD files, guests that keep writing to
//! them, and misfortune on demand. Each host listens with TLS at its own loopback address. What a host
//! answers follows `contract/hyperv-wire.md`; what it does, it does to real files:
//!
//! ```text
//! server -> endpoints -> moves -> copy -> files
//!    |          |          |       |
//!  faults     world      guest gate (writes, chunks and the switch, one at a time)
//! ```
//!
//! `world.json`, certificates, guests' ledgers and the pools are in the world's folder; a start in the
//! same folder goes on from there, as Hyper-V would after its agent was killed.

mod build;
mod control;
mod copy;
mod endpoints;
pub mod faults;
pub mod guest;
mod guests;
pub mod host;
pub mod image;
pub mod motion;
mod moves;
pub mod pools;
mod running;
mod server;
pub mod spec;
pub mod state;
mod throttle;
mod tls;
pub mod world;

use std::fs;
use std::path::PathBuf;

use thiserror::Error;

pub use running::RunningWorld;
pub use spec::WorldSpec;
pub use world::{World, WorldError};

/// Arguments of `stackmotion agent`.
#[derive(Debug, Clone, clap::Args)]
pub struct AgentArgs {
    /// What the world is made of: a TOML or JSON file.
    #[arg(long, value_name = "FILE")]
    pub world: PathBuf,
    /// Folder that keeps the world between starts.
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Port of every host; overrides the file.
    #[arg(long, value_name = "N")]
    pub port: Option<u16>,
    /// Port of the control listener on 127.0.0.1; overrides the file.
    #[arg(long, value_name = "N")]
    pub control_port: Option<u16>,
}

/// Why `stackmotion agent` ended.
#[derive(Debug, Error)]
pub enum AgentError {
    /// The world's file cannot be read.
    #[error("cannot read the world {}: {reason}; docs/simulated-agent.md lists its members", path.display())]
    Spec {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The world cannot be made.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The signal to end cannot be waited for.
    #[error("cannot wait for the signal to end: {0}")]
    Signal(std::io::Error),
}

/// Runs a simulated world until it is interrupted. Prints a line per host once it listens.
///
/// # Errors
/// [`AgentError`].
pub async fn run(args: AgentArgs) -> Result<(), AgentError> {
    let mut spec = read_spec(&args.world)?;
    spec.port = args.port.unwrap_or(spec.port);
    spec.control_port = args.control_port.or(spec.control_port);
    let world = World::start(&spec, &args.data_dir).await?;
    for host in world.hosts() {
        println!(
            "{} listens at https://{}:{} sha256 {}",
            host.spec.name,
            host.ip(),
            world.port(),
            world.fingerprint(host.ip()).unwrap_or("unknown"),
        );
    }
    if let Some(control) = world.control() {
        println!("control listens at http://{control}/sim/world");
    }
    tokio::signal::ctrl_c().await.map_err(AgentError::Signal)?;
    world.stop().await;
    Ok(())
}

/// Reads a world's file; JSON when its name says so, else TOML.
fn read_spec(path: &PathBuf) -> Result<WorldSpec, AgentError> {
    let wrong = |reason: String| AgentError::Spec { path: path.clone(), reason };
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    if path.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).map_err(|error| wrong(error.to_string()));
    }
    toml::from_str(&text).map_err(|error| wrong(error.to_string()))
}
