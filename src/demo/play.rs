//! Playing a use case: the signed request, the wait with its progress bar, the proof.

use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

use super::cases::{Case, CaseError};
use super::estate::Estate;
use super::proof::{self, Before, Check, ProofError};
use crate::agent::World;
use crate::client::{Client, ClientError, Pace, Progress};
use crate::store::Store;
use crate::telemetry;

/// The demonstration is short, and somebody looks on.
const PACE: Pace = Pace { first: Duration::from_millis(100), longest: Duration::from_millis(250) };

/// A case could not be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// It cannot be planned.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// It could not be proved.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// What came of a case.
#[derive(Clone, Debug)]
pub(super) struct Played {
    pub(super) name: &'static str,
    /// Empty when the request was refused.
    pub(super) job_id: String,
    pub(super) bytes: u64,
    pub(super) seconds: f64,
    /// Why the request was refused or the job failed.
    pub(super) failure: Option<String>,
    pub(super) checks: Vec<Check>,
}

impl Played {
    /// Whether the motion succeeded and everything that was looked at is as it should be.
    pub(super) fn ok(&self) -> bool {
        self.failure.is_none() && !self.checks.is_empty() && self.checks.iter().all(|check| check.ok)
    }

    /// Bytes per second over the whole job.
    pub(super) fn rate(&self) -> u64 {
        if self.seconds > 0.0 { (self.bytes as f64 / self.seconds) as u64 } else { 0 }
    }
}

/// All that a case is played on.
#[derive(Clone, Copy)]
pub(super) struct Stage<'a> {
    pub(super) estate: &'a Estate,
    pub(super) world: &'a Arc<World>,
    pub(super) store: &'a Store,
    pub(super) client: &'a Client,
}

/// Plays a case: request, wait, proof.
pub(super) async fn play(case: &Case<'_>, stage: Stage<'_>) -> Result<Played, PlayError> {
    let before = proof::before(case, stage.world).await?;
    println!("     {}", shown(case));
    for one in &case.moves {
        println!("     {:<10} {} -> {}", one.disk.plan.name, one.source.name, one.target.name);
    }
    let begun = Instant::now();
    let mut played = Played {
        name: case.kind.name(),
        job_id: String::new(),
        bytes: before.iter().map(|disk| disk.allocated_bytes).sum(),
        seconds: 0.0,
        failure: None,
        checks: Vec::new(),
    };
    let end = carry_out(case, stage.client, &mut played.job_id).await;
    played.seconds = begun.elapsed().as_secs_f64();
    match end {
        Err(error) => played.failure = Some(telemetry::chain(&error)),
        Ok(()) => prove(case, &before, stage, &mut played).await?,
    }
    Ok(played)
}

async fn prove(case: &Case<'_>, before: &[Before], stage: Stage<'_>, played: &mut Played) -> Result<(), PlayError> {
    // What the gateway itself says of the motion; the proof does not depend on it.
    if let Ok(job) = stage.client.call("queryAsyncJobResult", &[("jobid", &played.job_id)]).await {
        let motion = job.get("migration").cloned().unwrap_or_default();
        let total = motion.get("bytestotal").and_then(Value::as_u64).filter(|bytes| *bytes > 0);
        played.bytes = total.unwrap_or(played.bytes);
        if let Some(verified) = motion.get("verified").and_then(Value::as_str) {
            println!("     the gateway verified: {verified}");
        }
    }
    played.checks = proof::after(case, before, stage.estate, (stage.world, stage.store)).await?;
    Ok(())
}

/// Submits and waits until the job has ended.
async fn carry_out(case: &Case<'_>, client: &Client, job_id: &mut String) -> Result<(), ClientError> {
    let params: Vec<(&str, &str)> = case.params.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let answer = client.call(case.command, &params).await?;
    *job_id = answer.get("jobid").and_then(Value::as_str).unwrap_or_default().to_owned();
    println!("     job {job_id}");
    let mut bar = Bar::new();
    let end = client.wait(job_id, PACE, |progress| bar.show(progress)).await;
    bar.end();
    end.map(|_| ())
}

/// The call as it can be typed: a parameter with its long ids to a line.
fn shown(case: &Case<'_>) -> String {
    let params = case.params.iter().map(|(name, value)| format!(" \\\n         {name}={value}"));
    format!("stackmotion call {}{}", case.command, params.collect::<String>())
}

/// A bar on a terminal, a line for each quarter elsewhere.
struct Bar {
    bar: ProgressBar,
    lines: bool,
    next_percent: u64,
}

impl Bar {
    fn new() -> Self {
        let lines = !std::io::stdout().is_terminal();
        let bar = ProgressBar::with_draw_target(
            Some(100),
            if lines { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stdout() },
        );
        if let Ok(style) = ProgressStyle::with_template("     {bar:32.cyan/dim} {pos:>3} %  {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self { bar, lines, next_percent: 25 }
    }

    fn show(&mut self, progress: &Progress) {
        let bytes = match (progress.bytes_done, progress.bytes_total) {
            (Some(done), Some(total)) if total > 0 => format!("{} of {}", HumanBytes(done), HumanBytes(total)),
            _ => String::new(),
        };
        let seconds = self.bar.elapsed().as_secs_f64();
        let rate =
            progress.bytes_done.filter(|done| *done > 0 && seconds > 0.2).map(|done| (done as f64 / seconds) as u64);
        let rate = rate.map_or_else(String::new, |rate| format!(", {}/s", HumanBytes(rate)));
        self.bar.set_position(progress.percent);
        self.bar.set_message(format!("{bytes}{rate}"));
        if self.lines && progress.percent >= self.next_percent && progress.percent < 100 {
            println!("     {:>3} %  {bytes}", progress.percent);
            self.next_percent = progress.percent / 25 * 25 + 25;
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
