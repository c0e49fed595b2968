//! How many may be served at the same time: connections, requests, bytes of forms.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::auth::cidr::neighbourhood;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Files that the process needs besides its clients' connections: database, agents, certificates, the UI.
const FILES_OF_OURS: u64 = 512;
/// What of each form is not counted against [`Limits::form_memory`]: an ordinary call is smaller.
const UNCOUNTED_FORM_BYTES: usize = 16 * 1024;
/// How long a request waits for its turn.
const LONGEST_WAIT_FOR_TURN: Duration = Duration::from_secs(30);
/// While more than this part of the connections is taken, quiet ones are given less time: three quarters.
const CROWDED: (usize, usize) = (3, 4);
/// The time they are given then, as a part of the usual one.
const LESS_TIME: u32 = 8;

/// How much of the gateway its clients may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Connections that may be open at the same time.
    pub connections: usize,
    /// Connections from one address; 0 means no limit of its own.
    pub connections_per_address: usize,
    /// Calls that are worked on at the same time. The others wait.
    pub requests: usize,
    /// How long a request's head may take to arrive, and a TLS handshake.
    pub head_time: Duration,
    /// How long a connection may be quiet between two requests. CloudStack's container: 30 s.
    pub keep_alive: Duration,
    /// How long a form or the reading of an answer may take, whatever its size.
    pub grace: Duration,
    /// Bytes a second that a client has to send of its form, or take of its answer, beyond that.
    pub min_rate: u64,
    /// Bytes that all forms together may take.
    pub form_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 0,
            requests: 500,
            head_time: Duration::from_secs(10),
            keep_alive: Duration::from_secs(30),
            grace: Duration::from_secs(10),
            min_rate: 1024,
            form_memory: 256 * 1024 * 1024,
        }
    }
}

/// Counts who is inside. One for all listeners.
#[derive(Debug)]
pub(super) struct Gate {
    pub limits: Limits,
    open: Mutex<Open>,
    requests: Semaphore,
    form_bytes: AtomicUsize,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

impl Gate {
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            open: Mutex::default(),
            requests: Semaphore::new(limits.requests),
            form_bytes: AtomicUsize::new(0),
        })
    }

    /// A place for a connection from this address; none when there are too many. A proxy brings the connections of many, so it
    /// may have as many as there are.
    pub fn seat(self: &Arc<Self>, address: IpAddr, is_proxy: bool) -> Option<Seat> {
        let network = neighbourhood(address);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let same = open.by_address.get(&network).copied().unwrap_or_default();
        let most = self.limits.connections_per_address;
        if open.all >= self.limits.connections || (most > 0 && same >= most && !is_proxy) {
            return None;
        }
        open.all += 1;
        open.by_address.insert(network, same + 1);
        Some(Seat { gate: Arc::clone(self), address })
    }

    /// The time that a quiet connection is given: less while there are many, so that nobody is kept out by silence.
    pub fn patience(&self, usual: Duration) -> Duration {
        let all = self.open.lock().unwrap_or_else(PoisonError::into_inner).all;
        if all * CROWDED.1 > self.limits.connections * CROWDED.0 { usual / LESS_TIME } else { usual }
    }

    /// The turn of a request, once others have ended; none when that takes too long.
    pub async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        match self.requests.try_acquire() {
            Ok(turn) => Some(turn),
            Err(_) => tokio::time::timeout(LONGEST_WAIT_FOR_TURN, self.requests.acquire()).await.ok()?.ok(),
        }
    }

    /// Room for a form, which is empty at first.
    pub fn form_room(&self) -> FormRoom<'_> {
        FormRoom { gate: self, counted: 0 }
    }
}

/// A connection's place. Dropping it frees it.
#[derive(Debug)]
pub(super) struct Seat {
    gate: Arc<Gate>,
    address: IpAddr,
}

impl Seat {
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub fn address(&self) -> IpAddr {
        self.address
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut open = self.gate.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.all -= 1;
        let network = neighbourhood(self.address);
        match open.by_address.get_mut(&network) {
            Some(same) if *same > 1 => *same -= 1,
            _ => {
                open.by_address.remove(&network);
            }
        }
    }
}

/// The memory of one form. Dropping it frees it.
#[derive(Debug)]
pub(super) struct FormRoom<'a> {
    gate: &'a Gate,
    counted: usize,
}

impl<'a> FormRoom<'a> {
    pub fn gate(&self) -> &'a Gate {
        self.gate
    }

    /// Makes room for a form of so many bytes in all; false when all forms together are too large.
    pub fn grow_to(&mut self, bytes: usize) -> bool {
        let wanted = bytes.saturating_sub(UNCOUNTED_FORM_BYTES);
        let more = wanted.saturating_sub(self.counted);
        if more == 0 {
            return true;
        }
        if self.gate.form_bytes.fetch_add(more, Ordering::Relaxed) + more > self.gate.limits.form_memory {
            self.gate.form_bytes.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.counted = wanted;
        true
    }
}

impl Drop for FormRoom<'_> {
    fn drop(&mut self) {
        self.gate.form_bytes.fetch_sub(self.counted, Ordering::Relaxed);
    }
}

/// Lets the process have as many open files as the system allows it without asking, and says how many connections may be
/// open then: never so many that none is left for the database and the agents.
pub(super) fn files_for(connections: usize) -> usize {
    let before = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: before.maximum, maximum: before.maximum };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => before.maximum,
        Err(cause) => {
            tracing::warn!(%cause, "the number of open files could not be raised");
            before.current
        }
    };
    // None means: no limit.
    let Some(files) = now else { return connections };
    let most = usize::try_from(files.saturating_sub(FILES_OF_OURS).max(files / 2)).unwrap_or(usize::MAX);
    tracing::info!(files, connections = connections.min(most), "files that may be open, and connections among them");
    if most < connections {
        tracing::warn!(
            files,
            wanted = connections,
            "fewer connections than http.connections asks for: raise the limit of open files (ulimit -n, LimitNOFILE=)"
        );
    }
    connections.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));

    #[test]
    fn seats_are_counted_by_address_and_in_all() {
        let gate = Gate::new(Limits { connections: 3, connections_per_address: 2, ..Limits::default() });
        let first = gate.seat(ADDRESS, false).unwrap();
        let _second = gate.seat(ADDRESS, false).unwrap();
        assert!(gate.seat(ADDRESS, false).is_none(), "two from one address");
        assert!(gate.seat(ADDRESS, true).is_some(), "unless it is a proxy's");
        let _third = gate.seat(OTHER, false).unwrap();
        assert!(gate.seat(OTHER, true).is_none(), "three in all");
        drop(first);
        assert!(gate.seat(ADDRESS, true).is_some());
    }

    #[test]
    fn a_crowd_is_given_less_time() {
        let gate = Gate::new(Limits { connections: 4, ..Limits::default() });
        let usual = Duration::from_secs(8);
        let _seats: Vec<_> = (0..3).map(|_| gate.seat(ADDRESS, false).unwrap()).collect();
        assert_eq!(gate.patience(usual), usual);
        let _last = gate.seat(ADDRESS, false).unwrap();
        assert_eq!(gate.patience(usual), Duration::from_secs(1));
    }

    #[test]
    fn forms_share_their_memory() {
        let gate = Gate::new(Limits { form_memory: 1000, ..Limits::default() });
        let mut first = gate.form_room();
        let mut second = gate.form_room();
        assert!(first.grow_to(UNCOUNTED_FORM_BYTES + 600) && second.grow_to(UNCOUNTED_FORM_BYTES));
        assert!(!second.grow_to(UNCOUNTED_FORM_BYTES + 600));
        drop(first);
        assert!(second.grow_to(UNCOUNTED_FORM_BYTES + 600));
    }
}
