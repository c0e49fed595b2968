//! Waiting for a job.

use std::time::Duration;

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
/// does not know is absent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// 0 to 100.
    pub percent: u64,
    /// Bytes to be moved.
    pub bytes_total: Option<u64>,
    /// Bytes moved so far.
    pub bytes_done: Option<u64>,
    /// Bytes a second of late.
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
            bytes_per_second: bytes_total.and(number("bytespersecond")),
            eta_s: bytes_total.and(number("etaseconds")),
            phase: ["hostphase", "phase"]
                .iter()
                .find_map(|name| migration.and_then(|motion| motion.get(*name)))
                .and_then(Value::as_str)
                .map(str::to_owned),
        }
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
        loop {
            match self.call("queryAsyncJobResult", &[("jobid", job_id)]).await {
                Ok(job) => {
                    unanswered = 0;
                    on_progress(&Progress::of(&job));
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
    fn rate_and_rest_are_the_gateways() {
        let progress = Progress::of(&json!({"migration": {
            "phase": "sent", "hostphase": "copy", "bytestotal": 1000, "bytesdone": 300, "percent": 30, "bytespersecond": 100, "etaseconds": 7
        }}));
        assert_eq!(
            (progress.bytes_per_second, progress.eta_s, progress.phase.as_deref()),
            (Some(100), Some(7), Some("copy"))
        );
    }
}
