//! What the conductor is given and what it gives back: neither knows HTTP's library.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::api::{Flow, Format, Pieces};
use crate::upstream::{Original, Passed};

/// The cookie that carries the id of a session.
pub(super) const SESSION_COOKIE: &str = "JSESSIONID";
/// The cookie and the parameter that carry the key of a session.
pub(super) const SESSION_KEY: &str = "sessionkey";

/// The HTTP verb of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// GET, and HEAD whose body is dropped later.
    Get,
    /// POST.
    Post,
}

/// A request after its parameters were decoded and merged.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// Parameters in the order they came, each name once.
    pub pairs: Vec<(String, String)>,
    /// Cookies in the order they came.
    pub cookies: Vec<(String, String)>,
    /// The session id that stands in the path, as in `/client/api;jsessionid=...`.
    pub session_in_path: Option<String>,
    /// The verb.
    pub verb: Verb,
    /// The address of the client: that of the connection, or what a trusted proxy says.
    pub peer: IpAddr,
    /// Whether nobody on the way could read it.
    pub is_encrypted: bool,
    /// Whether the client, a browser, says that a page of another site has caused it.
    pub is_cross_site: bool,
    /// The last piece of news of a stream that the client has been told, where it says so.
    pub resume_after: Option<String>,
    /// The id that ties log lines together.
    pub request_id: Arc<str>,
    /// The same request as it came. Needed only where [`super::Gateway::has_upstream`].
    pub original: Option<Original>,
}

impl RawRequest {
    /// The value of the parameter with exactly this name.
    pub(super) fn exact(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The value of the last parameter with this name in any letter case.
    pub(super) fn any_case(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All parameters, borrowed.
    pub(super) fn borrowed(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the first cookie with this name.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What the request shows of who sends it: the id of a session, and an API key. Looking at each costs a question to the
    /// database.
    pub(super) fn credentials(&self) -> [Option<&str>; 2] {
        [self.session_id(), self.any_case("apikey")]
    }

    /// The id of the session that the request claims to belong to: the cookie's, else the path's.
    pub(super) fn session_id(&self) -> Option<&str> {
        self.cookie(SESSION_COOKIE).or(self.session_in_path.as_deref()).filter(|id| !id.is_empty())
    }
}

/// What goes back to the client.
pub enum Outgoing {
    /// An answer of this gateway.
    Own(Answer),
    /// An answer of this gateway that is made while the client takes it.
    Flow(Flow),
    /// A list of this gateway that is made while the client takes it.
    List(Format, Pieces),
    /// An answer of the upstream.
    Passed(Passed),
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(answer) => formatter.debug_tuple("Own").field(answer).finish(),
            Self::Flow(flow) => formatter.debug_tuple("Flow").field(flow).finish(),
            Self::List(format, _) => formatter.debug_tuple("List").field(format).finish_non_exhaustive(),
            Self::Passed(passed) => formatter.debug_tuple("Passed").field(passed).finish(),
        }
    }
}

impl Outgoing {
    /// The answer, if it is this gateway's own and whole.
    pub fn own(self) -> Option<Answer> {
        match self {
            Self::Own(answer) => Some(answer),
            Self::Flow(_) | Self::List(..) | Self::Passed(_) => None,
        }
    }

    /// HTTP status.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Own(answer) => answer.status,
            Self::Flow(_) | Self::List(..) => 200,
            Self::Passed(passed) => passed.status,
        }
    }
}

/// An answer of this gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON or XML.
    pub format: Format,
    /// The body.
    pub body: Bytes,
    /// The text of `X-Description`.
    pub description: Option<String>,
    /// The texts of `Set-Cookie`, in their order.
    pub cookies: Vec<String>,
}

impl Answer {
    /// An answer with this status and body, and nothing else.
    pub(super) fn new(status: u16, format: Format, body: impl Into<Bytes>) -> Self {
        Self { status, format, body: body.into(), description: None, cookies: Vec::new() }
    }
}
