//! The command line of stackmotion.

use std::error::Error;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stackmotion::app::{App, StartError};
use stackmotion::settings::{Effective, Settings, SettingsArgs, SettingsError, Sources};
use stackmotion::store::{Store, StoreError, Survey};
use stackmotion::{agent, bench, client, commands, demo, import, model, motion, secrets, settings, telemetry};
use tokio::signal::unix::{SignalKind, signal};

/// A fifth of all that a poll or a page of a list took was the system's way of giving memory out and taking it back
/// (docs/performance.md).
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Moves running Hyper-V machines and their disks, and never lies about where they are.
#[derive(Debug, Parser)]
#[command(name = "stackmotion", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the gateway until it is told to stop.
    Serve {
        #[command(flatten)]
        settings: SettingsArgs,
        /// Only look at the database of `--attach`, say what was found, and change nothing.
        #[arg(long)]
        check: bool,
    },
    /// Looks at the database of a CloudStack that is to be used in place, and changes nothing.
    Attach {
        /// The database: mysql://user:password@host/cloud
        #[arg(long, value_name = "URL")]
        check: String,
    },
    /// Runs simulated Hyper-V hosts with their agents: real disk images, scripted misfortune.
    Agent(agent::AgentArgs),
    /// Shows three use cases on simulated hosts, proves each, and stays up to be played with.
    Demo(demo::DemoArgs),
    /// Measures how fast it is, beside what could be reached at the most.
    Bench(bench::BenchArgs),
    /// Makes a signed call and prints its result as JSON.
    Call(client::CallArgs),
    /// Gives machines that are on a host their rows: shows what would be done, and does it with --apply.
    Adopt(client::AdoptArgs),
    /// Explains what does not work.
    #[command(subcommand)]
    Doctor(client::DoctorCommand),
    /// Takes over hosts, storage, machines, accounts and keys from a CloudStack database, which is only read.
    Import(import::ImportArgs),
    /// Looks after the keys of the secrets in the database.
    #[command(subcommand)]
    Secrets(secrets::SecretsCommand),
    /// Prints every setting in effect and where it came from.
    Config {
        #[command(flatten)]
        settings: SettingsArgs,
        /// Print the documentation of all settings instead.
        #[arg(long)]
        markdown: bool,
    },
    /// Prints the OpenAPI document of all commands.
    Openapi,
    /// Prints the page of the documentation about the state machines.
    States,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve { settings, check: false } => ended(serve(settings).await),
        Command::Serve { settings, check: true } => checked(check(settings).await),
        Command::Attach { check: url } => {
            let flags = SettingsArgs { attach: Some(url), ..SettingsArgs::default() };
            let sources = Sources { env: Vec::new(), flags };
            checked(look(&sources).await)
        }
        Command::Agent(args) => ended(agent::run(args).await),
        Command::Demo(args) => ended(demo::run(args).await),
        Command::Bench(args) => ended(bench::run(args).await),
        Command::Call(args) => ExitCode::from(client::run(args).await as u8),
        Command::Adopt(args) => ExitCode::from(client::adopt(args).await as u8),
        Command::Doctor(what) => ExitCode::from(client::doctor(&what) as u8),
        Command::Import(args) => ended(import::run(args).await),
        Command::Secrets(what) => ended(secrets::run(what).await),
        Command::Config { markdown: true, .. } => {
            print!("{}", settings::markdown());
            ExitCode::SUCCESS
        }
        Command::Config { settings, markdown: false } => print_config(settings),
        Command::Openapi => {
            print!("{}", commands::openapi());
            ExitCode::SUCCESS
        }
        Command::States => {
            print!("{}{}", model::states::markdown(), motion::saga_markdown());
            ExitCode::SUCCESS
        }
    }
}

fn print_config(flags: SettingsArgs) -> ExitCode {
    let checked = Effective::load(&Sources::of_process(flags))
        .and_then(|effective| Settings::from_effective(&effective).map(|_| effective));
    match checked {
        Ok(effective) => {
            print!("{}", effective.print());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {}", telemetry::chain(&error));
            ExitCode::from(client::Outcome::Usage as u8)
        }
    }
}

/// The exit code of something that runs until it ends; its error is told on standard error.
fn ended<E: Error>(end: Result<(), E>) -> ExitCode {
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", telemetry::chain(&error));
            ExitCode::FAILURE
        }
    }
}

/// The exit code of a look at a database: 0 when it can be attached. The screen is told on standard output.
fn checked(end: Result<Survey, ServeError>) -> ExitCode {
    match end {
        Ok(survey) => {
            print!("{survey}");
            if survey.is_attachable() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {}", telemetry::chain(&error));
            ExitCode::FAILURE
        }
    }
}

async fn check(flags: SettingsArgs) -> Result<Survey, ServeError> {
    look(&Sources::of_process(flags)).await
}

async fn look(sources: &Sources) -> Result<Survey, ServeError> {
    let settings = Settings::from_effective(&Effective::load(sources)?)?;
    let attach = settings.attach.ok_or(ServeError::NothingToCheck)?;
    Ok(Store::survey(&attach.url, attach.lock_wait).await?)
}

/// Why the gateway does not run.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("--check looks at the database of --attach (database.attach), and none is named; add --attach mysql://...")]
    NothingToCheck,
    #[error(
        "another gateway has started under this one's name on the same database and has taken its place; give each its own \
         (`--set node.name=...`)"
    )]
    Replaced,
    #[error("signals cannot be received")]
    Signals(#[from] std::io::Error),
}

async fn serve(flags: SettingsArgs) -> Result<(), ServeError> {
    let settings = Settings::from_effective(&Effective::load(&Sources::of_process(flags))?)?;
    telemetry::start(settings.log.format, &settings.log.level)?;
    let mut app = App::start(&settings).await?;
    if let Some(survey) = &app.attached {
        print!("{survey}");
    }
    println!("http://{}/client/api", app.address);
    if let Some(address) = app.https_address {
        println!("https://{address}/client/api");
    }
    let mut terminate = signal(SignalKind::terminate())?;
    let end = tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(ServeError::from),
        () = app.replaced() => Err(ServeError::Replaced),
    };
    app.stop().await;
    end
}
