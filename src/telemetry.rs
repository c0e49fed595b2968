//! Logs: text for people or JSON for machines, and the one id that follows a request through its job to the agent.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is not understood.
    #[error(
        "log.level `{level}` is not understood; use error, warn, info, debug, trace or a filter such as info,stackmotion=debug"
    )]
    Level {
        /// What was given.
        level: String,
        /// Why.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Logging was set up already.
    #[error("logging is already set up in this process")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What is put before the filter: the parser of HTTP calls every client that sends nonsense an error of the server, one
/// line each, which lets strangers fill the disk.
const QUIET: &str = "actix_http::h1=off,sqlx_core::pool::inner=off";

/// Starts logging to standard error for the whole process.
///
/// # Errors
/// When the level is not understood or logging was started before.
pub fn start(format: LogFormat, level: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(format!("{QUIET},{level}"))
        .map_err(|cause| TelemetryError::Level { level: level.to_owned(), cause })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => lines.finish().try_init()?,
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}

static PROCESS: LazyLock<u32> = LazyLock::new(|| uuid::Uuid::new_v4().as_fields().0);
static COUNTER: AtomicU64 = AtomicU64::new(1);

/// A new id for a request: unique in this process, and for practical purposes among all.
pub fn next_request_id() -> Arc<str> {
    let number = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{:08x}-{number:x}", *PROCESS).into()
}

/// A text from outside as it may stand in a log: printable ASCII only, everything else escaped (`\\n`, `\\u{202e}`), so that
/// it can neither begin a line nor hide one, and at most `limit` bytes of it.
pub fn one_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit));
    for letter in text.chars() {
        let before = line.len();
        match letter {
            '\\' => line.push_str("\\\\"),
            ' '..='~' => line.push(letter),
            _ => line.extend(letter.escape_default()),
        }
        if line.len() > limit {
            line.truncate(before);
            // Writing to a string cannot fail.
            let _ = write!(line, "... ({} bytes in all)", text.len());
            break;
        }
    }
    line
}

/// An error with everything behind it on one line.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        // Writing to a string cannot fail.
        let _ = write!(text, ": {cause}");
        next = cause.source();
    }
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique() {
        let (a, b) = (next_request_id(), next_request_id());
        assert_ne!(a, b);
        assert_eq!(a.split('-').next(), b.split('-').next());
    }

    #[test]
    fn texts_from_outside_stay_on_their_line() {
        assert_eq!(one_line("a=b&c d\"~", 100), "a=b&c d\"~");
        assert_eq!(one_line("a\r\n\u{1b}[2J\u{202e}\\\u{e9}", 100), "a\\r\\n\\u{1b}[2J\\u{202e}\\\\\\u{e9}");
        assert_eq!(one_line("12345", 5), "12345");
        assert_eq!(one_line("123456", 5), "12345... (6 bytes in all)");
        assert_eq!(one_line("1234\n", 5), "1234... (5 bytes in all)", "no half escapes");
    }

    #[test]
    fn a_chain_is_one_line() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer\nline")]
        struct Outer(#[source] std::io::Error);
        let error = Outer(std::io::Error::other("inner"));
        assert_eq!(chain(&error), "outer line: inner");
    }
}
