//! The command line of stackmotion.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};
use stackmotion::{client, commands, settings, telemetry};

/// Moves running Hyper-V machines and their disks, and never lies about where they are.
#[derive(Debug, Parser)]
#[command(name = "stackmotion", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes a signed call and prints its result as JSON.
    Call(client::CallArgs),
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
}

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Call(args) => ExitCode::from(client::run(args).await as u8),
        Command::Config { markdown: true, .. } => {
            print!("{}", settings::markdown());
            ExitCode::SUCCESS
        }
        Command::Config { settings, markdown: false } => print_config(settings),
        Command::Openapi => {
            print!("{}", commands::openapi());
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
