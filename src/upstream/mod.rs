//! The management server behind the gateway: what is passed on to it, and how its answer comes back.
//!
//! A request goes there byte for byte, because its signature covers what the client wrote and because nobody here knows what
//! the parameters of a command mean that is not served here. The answer comes back piece by piece and is never held whole.

mod body;
mod client;
mod headers;
mod slots;
mod target;

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method};

pub use body::{Body, Broken};
pub use client::{HttpUpstream, TrustError, UpstreamSettings};
pub use target::{Target, TargetError};

/// A request as it came from the client.
#[derive(Clone)]
pub struct Original {
    /// GET, HEAD or POST.
    pub method: Method,
    /// What stands behind the `?`, not decoded.
    pub query: Option<String>,
    /// All headers; which of them are passed on is decided here.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Original {
    /// Query, cookies and body hold what proves who somebody is, so none of them is shown.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, bytes) = (&self.method, self.body.len());
        write!(formatter, "Original({method}, {} headers, {bytes} bytes)", self.headers.len())
    }
}

/// A request that is to be passed on.
#[derive(Debug, Clone, Copy)]
pub struct Passing<'a> {
    /// The request as it came.
    pub original: &'a Original,
    /// The session id that stands in the path, as in `/client/api;jsessionid=...` (`contract/api-protocol.md 1.3`).
    pub session_in_path: Option<&'a str>,
    /// The client's address.
    pub peer: IpAddr,
    /// Whether the answer is read here, so that it must not be compressed.
    pub is_read_here: bool,
}

/// An answer of the upstream whose head has come.
#[derive(Debug)]
pub struct Passed {
    /// HTTP status.
    pub status: u16,
    /// The headers that are meant for the client, without the length.
    pub headers: HeaderMap,
    /// How many bytes the body has, if that was told.
    pub length: Option<u64>,
    /// The body.
    pub body: Body,
}

/// Why a request was not passed on, or why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// As many requests as are allowed are with the upstream, or half of them from this address.
    #[error("too many requests are with the upstream already")]
    Busy,
    /// The request has been here before.
    #[error("the request has come back: the upstream's address leads to this gateway")]
    Loop,
    /// No connection came about. The upstream knows nothing of the request.
    #[error("no connection to {address}")]
    NotReached {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The connection broke before an answer came. Nobody knows whether the request was carried out.
    #[error("the connection to {address} broke before an answer came")]
    Lost {
        /// Host and port.
        address: String,
        /// Why.
        #[source]
        cause: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The upstream stayed silent. Nobody knows whether the request was or will be carried out.
    #[error("{address} was silent for {} s", .silence.as_secs())]
    Silent {
        /// Host and port.
        address: String,
        /// For how long.
        silence: Duration,
    },
}

/// Passes requests on.
pub trait Upstream: Send + Sync {
    /// Sends a request and waits for the head of the answer.
    ///
    /// Nothing is sent twice, and no redirect is followed.
    ///
    /// # Errors
    /// [`PassError`], which tells "nothing happened" from "nobody knows".
    fn pass<'a>(&'a self, passing: Passing<'a>) -> BoxFuture<'a, Result<Passed, PassError>>;
}
