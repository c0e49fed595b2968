//! A gateway in a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use stackmotion::client::Client;

use crate::motion::bench::Bench;

/// What waits for a gateway on its way (`src/app/kill.rs`).
#[derive(Clone, Debug)]
pub enum Ambush {
    /// Nothing.
    None,
    /// It kills itself when it comes to this place.
    KillAt(String),
    /// What comes to a place that has a file in this folder halts there.
    HaltIn(PathBuf),
}

/// A running gateway; killed when dropped.
pub struct Gateway {
    pub client: Client,
    pub url: String,
    process: Child,
    _out: BufReader<ChildStdout>,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Gateway {
    /// Starts one on the database and hosts of the bench.
    pub async fn start(bench: &Bench, folder: &Path, url: &str, settings: &[&str], ambush: Ambush) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stackmotion"));
        command.args(["serve", "--port", "0", "--database-url", url, "--data-dir"]).arg(folder);
        let key_file = format!("secrets.key_file={}", bench.secrets_file().display());
        command.args(["--set", &key_file]);
        for setting in settings.iter().chain(&["http.workers=1", "log.level=error"]) {
            command.args(["--set", setting]);
        }
        match ambush {
            Ambush::None => {}
            Ambush::KillAt(place) => drop(command.env("KILL_STACKMOTION_AT", place)),
            Ambush::HaltIn(folder) => drop(command.env("HALT_STACKMOTION_IN", folder)),
        }
        let mut process = command.stdout(Stdio::piped()).spawn().expect("a gateway");
        let mut out = BufReader::new(process.stdout.take().expect("its output"));
        let (out, line) = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            out.read_line(&mut line).expect("its address");
            (out, line)
        })
        .await
        .expect("no panic");
        Self { process, client: bench.client(line.trim()), url: line.trim().to_owned(), _out: out }
    }

    /// How its process has ended, if it has.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a process")
    }

    /// Whether its process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.end().is_some()
    }
}
