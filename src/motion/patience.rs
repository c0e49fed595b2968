//! How patient the gateway is with hosts.

use std::time::Duration;

/// How long something may take.
#[derive(Clone, Debug)]
pub struct Limit {
    /// The limit.
    pub limit: Duration,
    /// Where the limit came from, as the job shows it.
    pub origin: String,
}

/// A limit that nobody has set elsewhere.
impl From<Duration> for Limit {
    fn from(limit: Duration) -> Self {
        Self { limit, origin: "default".to_owned() }
    }
}

impl Limit {
    /// Whole seconds, and where they came from.
    pub(super) fn in_seconds(&self) -> (i64, &str) {
        (i64::try_from(self.limit.as_secs()).unwrap_or(i64::MAX), &self.origin)
    }
}

/// How patient the gateway is. None of these ends a copy that goes on.
#[derive(Clone, Debug)]
pub struct Patience {
    /// Between two questions to a host.
    pub poll: Duration,
    /// How long a host that does not answer is asked again before the outcome is called unknown.
    pub unreachable: Limit,
    /// How long an answer may be late after the host has said that the motion is over, and how long a request may lie
    /// unread in an agent that says that it has not heard of the motion.
    pub late_answer: Duration,
    /// How long a motion may stand still before it is told to stop.
    pub stall: Limit,
    /// How long a motion of which nothing can be seen goes on before an operator is told; none: nobody is.
    pub unseen: Option<Duration>,
    /// How long who cancels waits for what the host says to it.
    pub cancel_answer: Duration,
    /// How many commands at once wait for their answers on the connections that they were sent on. Of more than these, those whose
    /// hosts can tell how far they are are asked about instead.
    pub open_commands: usize,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            poll: Duration::from_secs(1),
            unreachable: Duration::from_secs(300).into(),
            late_answer: Duration::from_secs(5),
            stall: Duration::from_secs(600).into(),
            unseen: Some(Duration::from_secs(4 * 60 * 60)),
            cancel_answer: Duration::from_secs(10),
            open_commands: 100,
        }
    }
}
