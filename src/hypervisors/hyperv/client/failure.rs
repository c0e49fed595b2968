//! Why a command to an agent failed, and whether it can have had an effect.

use thiserror::Error;

use super::super::pin::PinError;
use super::super::wire::WireError;
use crate::motion::hypervisor::{AgentError, Effect};

/// A command to an agent failed.
#[derive(Debug, Error)]
pub enum ClientError {
    /// The command cannot be written, or is too large; found out before sending.
    #[error(transparent)]
    Unsendable(WireError),
    /// The HTTP client for an address cannot be made.
    #[error(
        "cannot talk to the agent at {address}: {reason}; nothing was sent; check the address and the TLS settings"
    )]
    NoClient {
        /// `ip:port`.
        address: String,
        /// What the library said.
        reason: String,
    },
    /// No TCP connection.
    #[error(
        "cannot reach the agent at {address}: {reason}; nothing was sent; check that the host is up and its agent's \
         service runs"
    )]
    Unreachable {
        /// `ip:port`.
        address: String,
        /// What the system said.
        reason: String,
    },
    /// The TCP connection was there, the TLS handshake failed.
    #[error(
        "the agent at {address} was reached, but the TLS handshake failed: {reason}; nothing was sent; check that a \
         certificate is bound to the agent's port and, for Windows Server 2012 and 2012 R2, that the TLS backend is auto \
         or openssl"
    )]
    Handshake {
        /// `ip:port`.
        address: String,
        /// Whether another backend may have more luck.
        no_common_suite: bool,
        /// What the TLS library said.
        reason: String,
    },
    /// The certificate is not the one that is trusted.
    #[error(transparent)]
    Pin(PinError),
    /// 404 or 405.
    #[error(
        "the agent at {address} does not know the command {class}; nothing was done; check that the agent's service runs, \
         and its version"
    )]
    UnknownEndpoint {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
    },
    /// 413, or 400 from old frameworks.
    #[error(
        "the agent at {address} did not read the command {class} of {size_bytes} bytes (status {status}); nothing was \
         done; name fewer volumes in one request"
    )]
    TooLarge {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
        /// Size of the body.
        size_bytes: usize,
        /// HTTP status.
        status: u16,
    },
    /// 500.
    #[error(
        "the agent at {address} broke down over the command {class} (status 500); whether it did the work is unknown; \
         look into the host's event log"
    )]
    Crashed {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
    },
    /// Another status, also 201 and 204.
    #[error(
        "the agent at {address} answered the command {class} with status {status}, which means nothing in this \
         protocol; whether it did the work is unknown; check that an agent answers at that address"
    )]
    Status {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
        /// HTTP status.
        status: u16,
    },
    /// The agent says no.
    #[error("{}", details.as_deref().unwrap_or("the agent says that it failed and gives no reason; look into the host's event log"))]
    Refused {
        /// Class of the command.
        class: &'static str,
        /// Whether it was a question, so that "nothing was changed" is not the point.
        question: bool,
        /// The agent's words.
        details: Option<String>,
    },
    /// The connection broke after the request was sent.
    #[error(
        "the connection to the agent at {address} broke while {class} was under way: {reason}; whether the work was \
         done is unknown"
    )]
    Lost {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
        /// What the system said.
        reason: String,
    },
    /// No answer to a question in time.
    #[error("the agent at {address} did not answer {class} within {seconds} seconds; it may be busy; ask again later")]
    Late {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// The answer is no answer.
    #[error("the agent at {address} answered {class}, but {reason}; whether the work was done is unknown")]
    Unusable {
        /// `ip:port`.
        address: String,
        /// Class of the command.
        class: &'static str,
        /// What is wrong with it.
        reason: WireError,
    },
}

impl ClientError {
    /// The agent says no to a command of this class, or of what it was to do, with these words. Blank ones are none.
    pub(in super::super) fn said_no(class: &'static str, question: bool, details: Option<String>) -> Self {
        let details = details.filter(|details| !details.trim().is_empty());
        Self::Refused { class, question, details }
    }

    /// Whether the command can have had an effect.
    pub fn effect(&self) -> Effect {
        match self {
            Self::Unsendable(_)
            | Self::NoClient { .. }
            | Self::Unreachable { .. }
            | Self::Handshake { .. }
            | Self::Pin(_)
            | Self::UnknownEndpoint { .. }
            | Self::TooLarge { .. } => Effect::None,
            Self::Refused { question: false, details, .. } if !lost_sight(details.as_deref()) => Effect::None,
            Self::Crashed { .. }
            | Self::Status { .. }
            | Self::Refused { .. }
            | Self::Lost { .. }
            | Self::Late { .. }
            | Self::Unusable { .. } => Effect::Unknown,
        }
    }

    /// One word for logs.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::Unsendable(_) | Self::NoClient { .. } => "unsendable",
            Self::Unreachable { .. } => "unreachable",
            Self::Handshake { .. } => "handshake",
            Self::Pin(_) => "certificate",
            Self::UnknownEndpoint { .. } => "unknown-endpoint",
            Self::TooLarge { .. } => "too-large",
            Self::Crashed { .. } => "crashed",
            Self::Status { .. } => "status",
            Self::Refused { .. } => "refused",
            Self::Lost { .. } => "lost",
            Self::Late { .. } => "late",
            Self::Unusable { .. } => "unusable",
        }
    }
}

/// Whether an agent says no because it lost sight of Hyper-V's job, not because the job failed. It only reads the job's
/// state once a second (`contract/hyperv-wire.md` 5.3); when that reading fails, the job goes on without it. The numbers
/// are Windows' for a remote call whose server is away, failed, or failed before it ran.
fn lost_sight(details: Option<&str>) -> bool {
    let details = details.unwrap_or_default().to_uppercase();
    ["0X800706BA", "0X800706BE", "0X800706BF", "RPC SERVER IS UNAVAILABLE", "REMOTE PROCEDURE CALL FAILED"]
        .iter()
        .any(|mark| details.contains(mark))
}

impl From<ClientError> for AgentError {
    fn from(error: ClientError) -> Self {
        Self { effect: error.effect(), text: error.to_string() }
    }
}
