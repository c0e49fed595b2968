//! A load that does not wait for anybody: each request has its time, and its answer is late from then on.
//!
//! `wrk` sends a request when the one before it was answered, so that an answer that takes a second is one slow answer and not
//! the thousands that would have been sent meanwhile. Here they count: a request that goes out late, because the connection still
//! waited, was late already.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::BenchError;
use super::line::Line;

/// How the load comes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer {
    /// Requests in each second.
    pub rate: u32,
    /// Connections over which they go in turn.
    pub connections: u32,
    /// For how long.
    pub length: Duration,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(super) struct Taken {
    /// Requests that were to be sent.
    pub offered: u64,
    /// Those that were answered with status 200.
    pub answered: u64,
    /// How late each answer came after the time of its request, sorted.
    lateness: Vec<Duration>,
}

impl Taken {
    /// So late was all but this share of the answers.
    pub fn late_ms(&self, share: f64) -> f64 {
        let at = (self.lateness.len() as f64 * share) as usize;
        let late = self.lateness.get(at.min(self.lateness.len().saturating_sub(1)));
        late.map_or(f64::NAN, |late| late.as_secs_f64() * 1000.0)
    }
}

/// Offers the requests for `paths` in turn. A connection that breaks ends; what it had still to send is not answered.
pub(super) async fn offer(address: &str, paths: &Arc<[String]>, offer: Offer) -> Result<Taken, BenchError> {
    let mut lines = Vec::new();
    for _ in 0..offer.connections {
        lines.push(Line::open(address).await?);
    }
    let begun = Instant::now();
    let each = (f64::from(offer.rate) * offer.length.as_secs_f64() / f64::from(offer.connections)) as u64;
    let walkers = lines.into_iter().zip(0_u64..).map(|(mut line, number)| {
        let paths = Arc::clone(paths);
        tokio::spawn(async move {
            let mut taken = Taken { offered: each, ..Taken::default() };
            for turn in 0..each {
                let place = turn * u64::from(offer.connections) + number;
                let due = begun + Duration::from_secs_f64(place as f64 / f64::from(offer.rate));
                tokio::time::sleep_until(due.into()).await;
                let path = &paths[usize::try_from(place).unwrap_or_default() % paths.len()];
                let Ok((status, _)) = line.get(path).await else { break };
                taken.answered += u64::from(status == 200);
                taken.lateness.push(due.elapsed());
            }
            taken
        })
    });
    let mut all = Taken::default();
    for taken in futures_util::future::join_all(walkers).await {
        let taken = taken.map_err(|cause| BenchError::Unexpected(cause.to_string()))?;
        all.offered += taken.offered;
        all.answered += taken.answered;
        all.lateness.extend(taken.lateness);
    }
    all.lateness.sort_unstable();
    Ok(all)
}
