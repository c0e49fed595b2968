//! Connections that are kept from one question to the next, for agents whose answers say which question they answer.
//!
//! An HTTP connection that is used again trusts its peer to answer each request once. Where an agent, or something between
//! it and the gateway, answers one twice, every answer from then on belongs to the question before, and what is believed
//! then is where a disk is. So each question has a mark, and an agent with our additions gives it back
//! ([`MARK_HEADER`]). Only where it did a connection is kept; what comes over one and has not its own mark is no answer.
//! Whatever goes wrong on a kept connection, the question is asked anew on a fresh one: it may be asked twice.
//!
//! A command that works goes out once. It may use a kept connection when the agent has answered over one just now: none has been
//! quiet for longer than [`QUIET`], after which no server closes one yet, so that it is as good as a fresh one and its handshake is
//! over. An answer without the command's own mark counts as lost.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Client, Response};
use uuid::Uuid;

use super::super::wire::extension::MARK_HEADER;

/// How long a connection may be quiet between two questions. Less than any server keeps one, so that it is rarely closed
/// just when it is to be used.
pub(super) const QUIET: Duration = Duration::from_secs(4);
/// How many quiet connections to one agent are kept.
pub(super) const QUIET_EACH: usize = 2;
/// After what time connections are made anew. A fingerprint that is no longer trusted counts for all that is sent after this. For as long
/// an agent has fresh connections only that did not answer over a kept one in time.
const AGE: Duration = Duration::from_secs(30);
/// How long after an answer a command may use a kept connection.
const JUST_NOW: Duration = Duration::from_millis(500);
/// How long an answer over a kept connection is waited for. The host may be gone without a word, which a fresh connection
/// finds out at once. Agents that take longer have fresh ones only.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Which of our additions only ask. Others change something, or are told to hosts to find out whether they answer at all.
pub(super) fn is_marked(class: &str) -> bool {
    class.starts_with("stackmotion.") && !class.ends_with(".CancelMotionCommand")
}

/// Whether an answer gives back the mark of this question.
pub(super) fn answers(response: &Response, question: Uuid) -> bool {
    mark_of(response.headers()) == Some(question)
}

fn mark_of(headers: &HeaderMap) -> Option<Uuid> {
    Uuid::parse_str(headers.get(MARK_HEADER)?.to_str().ok()?).ok()
}

/// HTTP clients that keep connections, one for each agent that marks its answers.
#[derive(Default)]
pub(super) struct KeptConnections(Mutex<HashMap<String, Kept>>);

struct Kept {
    /// None where fresh connections do better for a while.
    client: Option<Client>,
    since: Instant,
    /// When a question was last answered over one of its connections.
    answered: Option<Instant>,
}

impl Kept {
    fn is_young(&self) -> bool {
        self.since.elapsed() < AGE
    }
}

impl KeptConnections {
    fn all(&self) -> MutexGuard<'_, HashMap<String, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client for an agent that marks its answers; nothing when it is not known to, or when it is time for new connections.
    pub(super) fn get(&self, address: &str) -> Option<Client> {
        self.all().get(address).filter(|kept| kept.is_young())?.client.clone()
    }

    /// The client for an agent that has answered a question over one of its connections just now.
    pub(super) fn just_used(&self, address: &str) -> Option<Client> {
        let is_recent = |kept: &&Kept| kept.is_young() && kept.answered.is_some_and(|at| at.elapsed() < JUST_NOW);
        self.all().get(address).filter(is_recent)?.client.clone()
    }

    /// A question was answered over a kept connection.
    pub(super) fn answered(&self, address: &str) {
        if let Some(kept) = self.all().get_mut(address) {
            kept.answered = Some(Instant::now());
        }
    }

    /// Keeps connections to this agent from now on, with the client that `make` makes.
    pub(super) fn keep(&self, address: &str, make: impl FnOnce() -> Option<Client>) {
        if self.all().get(address).is_some_and(Kept::is_young) {
            return;
        }
        let client = make();
        let mut all = self.all();
        all.retain(|_, kept| kept.is_young());
        all.entry(address.to_owned()).or_insert(Kept { client, since: Instant::now(), answered: None });
    }

    /// Closes what is kept for an agent.
    pub(super) fn forget(&self, address: &str) {
        self.all().remove(address);
    }

    /// Closes what is kept for an agent that did not answer over it in time, and keeps nothing for a while.
    pub(super) fn do_without(&self, address: &str) {
        let without = Kept { client: None, since: Instant::now(), answered: None };
        self.all().insert(address.to_owned(), without);
    }
}
