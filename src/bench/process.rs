//! Programs that are measured, and what they need: gateways, ceilings, simulated hosts, each in a process of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use super::BenchError;

/// How long a program may take until it says where it listens.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A program that listens. It ends with this value.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// Where it listens.
    pub address: String,
    /// Between its start and the line in which it said so.
    pub until_ready: Duration,
}

impl Process {
    /// Starts this program with these arguments and waits for the line with its address: a URL.
    ///
    /// # Errors
    /// When it cannot be started or ends at once.
    pub async fn start(args: &[String], env: &[(&str, &str)]) -> Result<Self, BenchError> {
        let io = |cause| BenchError::io("the program itself")(cause);
        let program = std::env::current_exe().map_err(io)?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(args)
            .envs(env.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(io)?;
        let gone = || BenchError::NotStarted(args.join(" "));
        let output = child.stdout.take().ok_or_else(gone)?;
        let mut lines = BufReader::new(output).lines();
        let address = tokio::time::timeout(START_LIMIT, async {
            while let Some(line) = lines.next_line().await.ok()? {
                let address = line.split_once("http://").map(|(_, rest)| rest.split('/').next().unwrap_or_default());
                if let Some(address) = address.filter(|text| text.parse::<SocketAddr>().is_ok()) {
                    return Some(address.to_owned());
                }
            }
            None
        });
        let address = address.await.ok().flatten().ok_or_else(gone)?;
        Ok(Self { child, address, until_ready: started.elapsed() })
    }

    /// A gateway on this data folder and database, with these settings; any free port.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub async fn gateway(folder: &str, database: &str, set: &[&str]) -> Result<Self, BenchError> {
        let mut args: Vec<String> =
            ["serve", "--data-dir", folder, "--port", "0", "--log-level", "error"].map(str::to_owned).to_vec();
        args.extend(["--database-url".to_owned(), database.to_owned()]);
        args.extend(set.iter().flat_map(|value| ["--set".to_owned(), (*value).to_owned()]));
        Self::start(&args, &[]).await
    }

    /// Simulated hosts that are described in this file and live in this folder, at this port; any free one for 0. The address is
    /// that of their control listener.
    ///
    /// # Errors
    /// See [`Process::start`].
    pub async fn hosts(world: &Path, folder: &Path, port: u16) -> Result<Self, BenchError> {
        let (world, folder) = (world.display().to_string(), folder.display().to_string());
        let args = ["agent", "--world", &world, "--data-dir", &folder, "--port", &port.to_string()].map(str::to_owned);
        Self::start(&args, &[]).await
    }

    /// Memory that it has in use, bytes.
    #[must_use]
    pub fn memory_bytes(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// The most memory that it ever had in use, bytes.
    #[must_use]
    pub fn peak_memory_bytes(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    fn status(&self, name: &str) -> u64 {
        let Some(id) = self.child.id() else { return 0 };
        let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.split_whitespace().next()).and_then(|number| number.parse().ok()).unwrap_or(0)
    }

    /// Files that it has open.
    #[must_use]
    pub fn open_files(&self) -> usize {
        let Some(id) = self.child.id() else { return 0 };
        fs::read_dir(format!("/proc/{id}/fd")).map_or(0, Iterator::count)
    }

    /// Ends it, as an operator would, and waits until it is gone.
    pub async fn end(mut self) {
        if let Some(id) = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            let _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        let _ = self.child.wait().await;
    }
}
