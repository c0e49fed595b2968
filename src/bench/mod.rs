//! `stackmotion bench`: how fast it is, beside what could be reached at the most, in the same run on the same machine.
//!
//! It starts everything itself: gateways and ceilings in processes of their own, simulated hosts, databases. The load comes from
//! `wrk`, and where it must not wait for answers from `offered.rs`. A ratio is the middle one of several rounds in which both sides were measured in turn.

mod ceiling;
mod copies;
pub mod estate;
pub mod galera;
mod growth;
mod idle;
mod inflight;
mod latency;
mod line;
mod lists;
mod load;
mod loops;
pub mod mariadb;
mod offered;
mod polls;
mod process;
mod report;
mod scene;
mod soak;
mod submits;
mod taken;

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum as _;

use crate::agent::WorldError;
use crate::client::ClientError;
use crate::demo::PlanError;
use crate::store::StoreError;
use crate::telemetry::{self, LogFormat, TelemetryError};
use load::Signer;
use report::Finding;
use taken::Clocks;

/// Arguments of `stackmotion bench`.
#[derive(Debug, Clone, clap::Args)]
pub struct BenchArgs {
    /// Fewer and shorter rounds, smaller estates: minutes instead of half an hour.
    #[arg(long)]
    pub quick: bool,
    /// Measure only this; may be given more than once.
    #[arg(long, value_name = "PART")]
    pub only: Vec<Part>,
    /// Measure nothing else, but see for so many minutes whether anything grows under load.
    #[arg(long, value_name = "MINUTES", conflicts_with = "only")]
    pub soak: Option<u64>,
    /// Write the ratios for programs.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the page and the drawing of the documentation into this folder.
    #[arg(long, value_name = "DIR")]
    pub docs: Option<PathBuf>,
    /// Be the handler that only verifies, with answers of this many bytes.
    #[arg(long, value_name = "BYTES", hide = true)]
    pub ceiling: Option<usize>,
    /// Go along this hot path and measure nothing: `callgrind` counts.
    #[arg(long, value_name = "PATH", hide = true, requires = "times")]
    pub hot_path: Option<loops::HotPath>,
    /// So many times.
    #[arg(long, value_name = "N", hide = true)]
    pub times: Option<u32>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Part {
    /// Polls of jobs.
    Polls,
    /// Submissions of jobs.
    Submits,
    /// From a submission to its receipt by the agent.
    Latency,
    /// Pages of large estates.
    Lists,
    /// All machines of a middle estate in one answer.
    Whole,
    /// Thousands of migrations at once, and the polls of their clients.
    Inflight,
    /// More than one gateway on one MariaDB.
    Growth,
    /// Start and memory of a gateway that nobody asks anything.
    Idle,
    /// Speed of a motion.
    Copies,
}

impl Part {
    async fn measure(self, depth: Depth) -> Result<Vec<Finding>, BenchError> {
        match self {
            Self::Polls => polls::measure(depth).await,
            Self::Submits => submits::measure(depth).await,
            Self::Latency => latency::measure(depth).await,
            Self::Lists => lists::measure(depth).await,
            Self::Whole => lists::whole(depth).await,
            Self::Inflight => inflight::measure(depth).await,
            Self::Growth => growth::measure(depth).await,
            Self::Idle => idle::measure(depth).await,
            Self::Copies => copies::measure(depth).await,
        }
    }
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The load client is missing.
    #[error("wrk is not installed, and the load comes from it; install it (apt-get install wrk)")]
    NoWrk,
    /// The load client said something else than expected.
    #[error("wrk did not measure anything; it said: {0}")]
    Wrk(String),
    /// Answers were refusals, or none came.
    #[error("{refused} of {of} requests were refused and {broken} not answered, so the figures would mean nothing")]
    NotAnswered {
        /// Refusals.
        refused: u64,
        /// Requests without an answer.
        broken: u64,
        /// Of how many.
        of: u64,
    },
    /// A program did not start.
    #[error("`stackmotion {0}` did not start; what it says is above")]
    NotStarted(String),
    /// A file or a program of the system.
    #[error("{what} cannot be used")]
    Io {
        /// Which.
        what: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// Something was not as it must be for the figures to mean something.
    #[error("cannot go on: {0}")]
    Unexpected(String),
    /// Logging.
    #[error(transparent)]
    Telemetry(#[from] TelemetryError),
    /// The estate.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The hosts.
    #[error(transparent)]
    World(#[from] WorldError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call.
    #[error(transparent)]
    Client(#[from] ClientError),
}

impl BenchError {
    /// A file or a program of the system that cannot be used.
    fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Io { what, cause }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Enough to see whether something has become slow.
    Quick,
    /// Enough to be published.
    Full,
}

impl Depth {
    /// How often both sides are measured in turn.
    const fn rounds(self) -> usize {
        match self {
            Self::Quick => 3,
            Self::Full => 7,
        }
    }

    /// How long one side is measured in a round.
    const fn slice(self) -> Duration {
        match self {
            Self::Quick => Duration::from_secs(2),
            Self::Full => Duration::from_secs(5),
        }
    }
}

/// Measures, prints, and writes what was asked for.
///
/// # Errors
/// [`BenchError`] when something cannot be measured. A target that is missed is no error: it is printed as one.
pub async fn run(args: BenchArgs) -> Result<(), BenchError> {
    if let Some(bytes) = args.ceiling {
        let key = |name: &str| std::env::var(name).unwrap_or_default();
        let keys = Signer { api_key: key("BENCH_API_KEY"), secret_key: key("BENCH_SECRET_KEY") };
        let served = ceiling::serve(keys, bytes, workers()).await;
        return served.map_err(BenchError::io("a port"));
    }
    if let Some((path, times)) = args.hot_path.zip(args.times) {
        return loops::run(path, times).await;
    }
    telemetry::start(LogFormat::Text, "error")?;
    let depth = if args.quick { Depth::Quick } else { Depth::Full };
    let mut findings = Vec::new();
    if let Some(minutes) = args.soak {
        findings.extend(told(soak::measure(minutes.max(2))).await?);
    } else {
        let is_wanted = |part: &&Part| args.only.is_empty() || args.only.contains(part);
        for part in Part::value_variants().iter().filter(is_wanted) {
            findings.extend(told(part.measure(depth)).await?);
        }
    }
    if let Some(file) = &args.json {
        write(file, report::json(&findings))?;
    }
    if let Some(folder) = &args.docs {
        write(&folder.join("performance.svg"), report::drawing(&findings))?;
        write(&folder.join("performance-table.md"), report::table(&findings))?;
    }
    Ok(())
}

/// As many threads as a gateway uses by itself.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Measures and prints what was found, and how much of the machine was somebody else's meanwhile.
async fn told(measuring: impl Future<Output = Result<Vec<Finding>, BenchError>>) -> Result<Vec<Finding>, BenchError> {
    let before = Clocks::now();
    let mut found = measuring.await?;
    let taken = Clocks::now().taken_since(before);
    for finding in &mut found {
        finding.taken = taken;
        println!("{}", finding.line());
    }
    println!("       {:.1} % of the processors' time was taken by the machine's host meanwhile", taken * 100.0);
    Ok(found)
}

fn write(file: &std::path::Path, text: String) -> Result<(), BenchError> {
    std::fs::write(file, text).map_err(BenchError::io(file.display().to_string()))
}
