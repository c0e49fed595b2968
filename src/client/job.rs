//! Waiting for a job.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Client, ClientError, api_error};

/// How many polls in a row may go unanswered. A gateway that is restarted is back before that.
const UNANSWERED_POLLS: u32 = 30;

/// How often a job is asked about: seldom enough for the gateway, often enough for who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The pause after the first question; it grows by a quarter each time.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(5) }
    }
}

/// What a running job says about itself, in the object `migration` of its answer. Nothing is invented: what the gateway
/// does not know is absent, and the rate is what was seen from one poll to the next.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u64,
    /// Bytes to be moved.
    pub bytes_total: Option<u64>,
    /// Bytes moved so far.
    pub bytes_done: Option<u64>,
    /// Bytes a second since they were first seen to move.
    pub bytes_per_second: Option<u64>,
    /// Seconds to go at that rate.
    pub eta_s: Option<u64>,
    /// What is being done.
    pub phase: Option<String>,
}

impl Progress {
    /// Reads it from an answer of `queryAsyncJobResult`.
    pub fn of(job: &Value) -> Self {
        let migration = job.get("migration");
        let number = |name: &str| migration.and_then(|motion| motion.get(name)).and_then(Value::as_u64);
        let percent = number("percent").or_else(|| job.get("jobprocstatus").and_then(Value::as_u64));
        let bytes_total = number("bytestotal").filter(|total| *total > 0);
        Self {
            percent: percent.unwrap_or(0).min(100),
            bytes_total,
            bytes_done: bytes_total.and(number("bytesdone")),
            bytes_per_second: None,
            eta_s: None,
            phase: migration.and_then(|motion| motion.get("phase")).and_then(Value::as_str).map(str::to_owned),
        }
    }
}

/// Measures how fast bytes move, from the first poll that told of them.
#[derive(Debug, Default)]
struct Meter {
    first: Option<(Duration, u64)>,
}

impl Meter {
    /// Adds rate and time to go. `elapsed` is the time since waiting began.
    fn measure(&mut self, elapsed: Duration, progress: &mut Progress) {
        let Some(done) = progress.bytes_done else { return };
        let (since, before) = *self.first.get_or_insert((elapsed, done));
        let seconds = elapsed.saturating_sub(since).as_secs_f64();
        let moved = done.saturating_sub(before);
        if seconds <= 0.0 || moved == 0 {
            return;
        }
        // Both are far from the limits of the types: a rate in bytes a second, a time in seconds.
        let rate = moved as f64 / seconds;
        progress.bytes_per_second = Some(rate as u64);
        progress.eta_s = progress.bytes_total.map(|total| (total.saturating_sub(done) as f64 / rate) as u64);
    }
}

impl Client {
    /// Waits until a job has ended and returns its `jobresult`. `on_progress` is told after every poll.
    ///
    /// # Errors
    /// When the job failed (its own code and text), or the gateway refuses the question or stays away.
    pub async fn wait(
        &self,
        job_id: &str,
        pace: Pace,
        mut on_progress: impl FnMut(&Progress),
    ) -> Result<Value, ClientError> {
        let mut pause = pace.first;
        let mut unanswered = 0;
        let (begun, mut meter) = (Instant::now(), Meter::default());
        loop {
            match self.call("queryAsyncJobResult", &[("jobid", job_id)]).await {
                Ok(job) => {
                    unanswered = 0;
                    let mut progress = Progress::of(&job);
                    meter.measure(begun.elapsed(), &mut progress);
                    on_progress(&progress);
                    if let Some(end) = ended(job) {
                        return end;
                    }
                }
                // The job does not depend on this connection.
                Err(ClientError::Transport { .. }) if unanswered < UNANSWERED_POLLS => unanswered += 1,
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = pause.mul_f64(1.25).min(pace.longest);
        }
    }
}

/// The result of a job that has ended.
fn ended(mut job: Value) -> Option<Result<Value, ClientError>> {
    let result = job.get_mut("jobresult").map(Value::take);
    match job.get("jobstatus").and_then(Value::as_i64) {
        Some(1) => Some(Ok(result.unwrap_or(Value::Null))),
        Some(0) | None => None,
        Some(_) => {
            let code = job.get("jobresultcode").and_then(Value::as_i64).unwrap_or(530);
            // A job that a restart cut off has no result.
            let body = result.unwrap_or_else(|| {
                serde_json::json!({"errorcode": code, "errortext": "the job ended without a result; the gateway was probably restarted"})
            });
            Some(Err(api_error(body.get("errorcode").and_then(Value::as_i64).unwrap_or(code), body)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn ends_of_jobs() {
        assert!(ended(json!({"jobstatus": 0})).is_none());
        assert_eq!(
            ended(json!({"jobstatus": 1, "jobresult": {"volume": {}}})).unwrap().unwrap(),
            json!({"volume": {}})
        );
        let failed = json!({"jobstatus": 2, "jobresultcode": 431, "jobresult": {"errorcode": 431, "errortext": "no"}});
        assert_eq!(ended(failed).unwrap().unwrap_err().to_string(), "(431) no");
        let cut_off = ended(json!({"jobstatus": 2, "jobresultcode": 530})).unwrap().unwrap_err();
        assert!(cut_off.to_string().contains("without a result"));
    }

    #[test]
    fn only_what_is_there_is_shown() {
        let progress = Progress::of(&json!({"jobprocstatus": 7}));
        assert_eq!(progress, Progress { percent: 7, ..Progress::default() });
        let unknown_size = json!({"migration": {"phase": "sent", "bytestotal": 0, "bytesdone": 0, "percent": 0}});
        assert_eq!(Progress::of(&unknown_size), Progress { phase: Some("sent".into()), ..Progress::default() });
    }

    #[test]
    fn rates_are_measured_from_what_was_seen() {
        let at = |done: u64| Progress::of(&json!({"migration": {"bytestotal": 1000, "bytesdone": done, "percent": 1}}));
        let mut meter = Meter::default();
        let mut first = at(100);
        meter.measure(Duration::from_secs(5), &mut first);
        assert_eq!((first.bytes_per_second, first.eta_s), (None, None));
        let mut second = at(300);
        meter.measure(Duration::from_secs(7), &mut second);
        assert_eq!((second.bytes_per_second, second.eta_s), (Some(100), Some(7)));
        let mut standing_still = at(100);
        meter.measure(Duration::from_secs(9), &mut standing_still);
        assert_eq!(standing_still.eta_s, None);
    }
}
