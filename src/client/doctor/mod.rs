//! `stackmotion doctor`: says what is wrong with a request, without sending it.

mod report;

use std::fmt::Write as _;
use std::path::PathBuf;

use time::OffsetDateTime;

use super::{AccessArgs, Keys, Outcome};
use crate::telemetry;
use report::{Report, Request, Verdict};

/// What to explain.
#[derive(Debug, Clone, clap::Subcommand)]
pub enum DoctorCommand {
    /// Explains the signature of a request: what the gateway reads, what has to be signed, and what was signed instead.
    ///
    /// Exit code 0: the request would be believed. 1: it would not, and the output says why. 2: it cannot be said, because
    /// the request cannot be read or no secret is known.
    Signature(SignatureArgs),
}

/// The request and the secret that it should have been signed with.
#[derive(Clone, Default, clap::Args)]
pub struct SignatureArgs {
    /// The address with its query, only the query, or a line of an access log.
    #[arg(value_name = "URL-OR-QUERY")]
    pub request: String,
    /// The body of a POST, form-encoded.
    #[arg(long, value_name = "BODY")]
    pub post_body: Option<String>,
    /// The secret key. Prefer the environment or a profile: other users of the machine can see flags.
    #[arg(long)]
    pub secret_key: Option<String>,
    /// The profile of cloudmonkey's configuration to use.
    #[arg(long, short, env = "STACKMOTION_PROFILE")]
    pub profile: Option<String>,
    /// Cloudmonkey's configuration; ~/.cmk/config when not given.
    #[arg(long, value_name = "FILE")]
    pub cmk_config: Option<PathBuf>,
    /// Print the signature that fits. Whoever has it can send this request until it expires.
    #[arg(long)]
    pub show_signature: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    pub json: bool,
}

impl std::fmt::Debug for SignatureArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignatureArgs").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Explains. The explanation goes to standard output.
pub fn doctor(what: &DoctorCommand) -> Outcome {
    let DoctorCommand::Signature(args) = what;
    match explain(args) {
        Ok((report, outcome)) => {
            print!("{}", if args.json { report.json() } else { text(&report) });
            outcome
        }
        Err(message) => {
            eprintln!("error: {message}");
            Outcome::Usage
        }
    }
}

fn explain(args: &SignatureArgs) -> Result<(Report, Outcome), String> {
    let request = Request::read(&args.request, args.post_body.as_deref().unwrap_or_default())
        .map_err(|error| format!("{}; a gateway answers such a request with 400", telemetry::chain(&error)))?;
    let access = AccessArgs {
        secret_key: args.secret_key.clone(),
        profile: args.profile.clone(),
        cmk_config: args.cmk_config.clone(),
        ..AccessArgs::default()
    };
    let home = std::env::home_dir();
    let mut keys = Keys::find(&access, |name| std::env::var(name).ok(), home.as_deref())
        .map_err(|error| telemetry::chain(&error))?;
    if args.secret_key.is_some() {
        // The key of a profile says nothing about a secret that was given by hand.
        keys.api_key = None;
    }
    let report = Report::new(&request, &keys, OffsetDateTime::now_utc(), args.show_signature);
    let outcome = match report.verdict() {
        Verdict::Ok => Outcome::Success,
        Verdict::Bad => Outcome::Refused,
        Verdict::Note => Outcome::Usage,
    };
    Ok((report, outcome))
}

/// The report for people.
fn text(report: &Report) -> String {
    let mut out = String::from("Parameters, as the gateway reads them:\n");
    let width = report.parameters.iter().map(|parameter| parameter.name.chars().count()).max().unwrap_or_default();
    // Writing to a string cannot fail.
    for parameter in &report.parameters {
        let _ = writeln!(out, "  {:width$}  {:5}  {}", parameter.name, parameter.from, parameter.value);
    }
    out.push_str("\nThe text to sign, one item a line; join the lines with &:\n");
    for line in &report.text_to_sign {
        let _ = writeln!(out, "  {line}");
    }
    out.push_str("\nChecks:\n");
    for check in &report.checks {
        let _ = writeln!(out, "  {:4}  {:9}  {}", check.verdict.word(), check.about, check.text);
    }
    if !report.dialects.is_empty() {
        out.push_str("\nWhere clients that sign in another way first differ for these values:\n");
        for one in &report.dialects {
            let accepted = if one.accepted { "accepted" } else { "refused" };
            let _ =
                writeln!(out, "  {} ({accepted}): {}\n      {}  ->  {}", one.dialect, one.what, one.right, one.other);
        }
    }
    if let Some(signature) = &report.signature_that_fits {
        let _ = writeln!(out, "\nThe signature that fits, not yet encoded for the address:\n  {signature}");
    }
    out
}
