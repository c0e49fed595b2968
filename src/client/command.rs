//! `stackmotion call`: one call from the command line.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{Access, AccessArgs, Client, ClientError, Pace, ProfileError, Progress};
use crate::telemetry;

/// Makes a signed call and prints its result as JSON.
#[derive(Debug, Clone, clap::Args)]
pub struct CallArgs {
    /// The command, such as listHosts.
    pub command: String,
    /// Its parameters: name=value, as in volumeid=... or migrateto[0].volume=...
    #[arg(value_name = "NAME=VALUE")]
    pub params: Vec<String>,
    /// Wait until the job has ended. Ctrl-C leaves it running; a second one within five seconds cancels the migration.
    #[arg(long)]
    pub wait: bool,
    /// Where to call and as whom.
    #[command(flatten)]
    pub access: AccessArgs,
}

/// How a call ended; the number is the exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Done, or left running on request.
    Success = 0,
    /// The gateway refused it, or the job failed.
    Refused = 1,
    /// The command line or the configuration is wrong. Nothing was sent.
    Usage = 2,
    /// There was no usable answer.
    Transport = 3,
}

/// Makes the call. The result goes to standard output as JSON; everything for people goes to standard error.
pub async fn run(args: CallArgs) -> Outcome {
    let params = match split_params(&args.params) {
        Ok(params) => params,
        Err(wrong) => {
            eprintln!("error: `{wrong}` is not name=value");
            return Outcome::Usage;
        }
    };
    let client = match client(&args.access) {
        Ok(client) => client,
        Err(message) => {
            eprintln!("error: {message}");
            return Outcome::Usage;
        }
    };
    match call_and_wait(&client, &args, &params).await {
        Ok(result) => {
            print_json(&result);
            Outcome::Success
        }
        Err(error) => report(&error),
    }
}

fn split_params(params: &[String]) -> Result<Vec<(&str, &str)>, &str> {
    params.iter().map(|text| text.split_once('=').ok_or(text.as_str())).collect()
}

/// A client of the gateway that the arguments, the environment or a profile name; else a text that says what is wrong.
pub(super) fn client(args: &AccessArgs) -> Result<Client, String> {
    let home = std::env::home_dir();
    let access = Access::find(args, |name| std::env::var(name).ok(), home.as_deref())
        .map_err(|error: ProfileError| telemetry::chain(&error))?;
    let made = match &args.ca_file {
        None => Client::new(access.url, access.api_key, access.secret_key),
        Some(path) => {
            let pem = std::fs::read(path).map_err(|cause| format!("cannot read {}: {cause}", path.display()))?;
            Client::trusting(&pem, access.url, access.api_key, access.secret_key)
        }
    };
    made.map_err(|error| telemetry::chain(&error))
}

async fn call_and_wait(client: &Client, args: &CallArgs, params: &[(&str, &str)]) -> Result<Value, ClientError> {
    let answer = client.call(&args.command, params).await?;
    let job_id = answer.get("jobid").and_then(Value::as_str).map(str::to_owned);
    let (true, Some(job_id)) = (args.wait, job_id) else {
        return Ok(answer);
    };
    let bar = progress_bar();
    let end = tokio::select! {
        end = client.wait(&job_id, Pace::default(), |progress| show(&bar, progress)) => Some(end),
        // A signal handler that cannot be installed means that Ctrl-C ends the process, as usual.
        Ok(()) = tokio::signal::ctrl_c() => None,
    };
    bar.finish_and_clear();
    match end {
        Some(end) => end,
        None => leave_or_cancel(client, &job_id, answer).await,
    }
}

/// How long a second Ctrl-C is waited for.
const SECOND_THOUGHTS: Duration = Duration::from_secs(5);

/// After the first Ctrl-C: the job is left running, unless a second one comes soon.
async fn leave_or_cancel(client: &Client, job_id: &str, answer: Value) -> Result<Value, ClientError> {
    eprintln!(
        "left running; Ctrl-C again within {} s cancels it. Look again with:\n  stackmotion call queryAsyncJobResult \
         jobid={job_id} --wait",
        SECOND_THOUGHTS.as_secs()
    );
    let again = tokio::time::timeout(SECOND_THOUGHTS, tokio::signal::ctrl_c()).await;
    if !matches!(again, Ok(Ok(()))) {
        return Ok(answer);
    }
    let told = client.call("cancelMigration", &[("jobid", job_id)]).await?;
    eprintln!("{}", told["displaytext"].as_str().unwrap_or("cancelling"));
    client.wait(job_id, Pace::default(), |_| {}).await
}

/// Tells why a call brought no result.
pub(super) fn report(error: &ClientError) -> Outcome {
    eprintln!("error: {}", telemetry::chain(error));
    match error {
        ClientError::Api { body, .. } => {
            print_json(body);
            Outcome::Refused
        }
        ClientError::Setup(_) => Outcome::Usage,
        ClientError::Transport { .. } | ClientError::NotTheApi { .. } => Outcome::Transport,
    }
}

/// Indented for people, on one line for programs.
fn print_json(value: &Value) {
    if std::io::stdout().is_terminal() {
        println!("{value:#}");
    } else {
        println!("{value}");
    }
}

/// A bar on a terminal; nothing elsewhere.
fn progress_bar() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(100);
    if let Ok(style) = ProgressStyle::with_template("{spinner} [{elapsed}] {bar:40} {pos:>3} % {msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn show(bar: &ProgressBar, progress: &Progress) {
    bar.set_position(progress.percent);
    bar.set_message(details(progress));
}

/// What is known beyond the percentage, on one line.
fn details(progress: &Progress) -> String {
    let mut parts = Vec::new();
    parts.extend(progress.phase.clone());
    if let (Some(done), Some(total)) = (progress.bytes_done, progress.bytes_total) {
        parts.push(format!("{} of {}", HumanBytes(done), HumanBytes(total)));
    }
    parts.extend(progress.bytes_per_second.map(|rate| format!("{}/s", HumanBytes(rate))));
    parts.extend(progress.eta_s.map(|seconds| format!("{} to go", HumanDuration(Duration::from_secs(seconds)))));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_split_at_the_first_equals_sign() {
        let params = ["a=b=c".to_owned(), "migrateto[0].pool=x".to_owned()];
        assert_eq!(split_params(&params), Ok(vec![("a", "b=c"), ("migrateto[0].pool", "x")]));
        assert_eq!(split_params(&["nothing".to_owned()]), Err("nothing"));
    }

    #[test]
    fn details_name_only_what_is_known() {
        assert_eq!(details(&Progress::default()), "");
        let progress = Progress {
            percent: 50,
            bytes_total: Some(2048),
            bytes_done: Some(1024),
            bytes_per_second: Some(1024),
            eta_s: Some(1),
            phase: Some("copying".into()),
        };
        assert_eq!(details(&progress), "copying, 1.00 KiB of 2.00 KiB, 1.00 KiB/s, 1 second to go");
    }
}
