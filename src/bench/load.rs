//! The load: `wrk`, which is not ours and well kept, walks through a list of signed requests.

use std::io;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::process::Command;

use super::BenchError;
use crate::auth::signature;
use crate::client::Client;
use crate::store::Store;

/// What `wrk` does: it takes the requests of the list in turn, over and over. What came of it is printed as JSON.
const SCRIPT: &str = r#"
local paths, at, pause = {}, 0, tonumber(os.getenv("BENCH_PAUSE_MS"))
for line in io.lines(os.getenv("BENCH_PATHS")) do paths[#paths + 1] = line end
if pause > 0 then
  local first = true
  function delay()
    if first then first = false; return math.random(0, pause) end
    return pause
  end
end
function request()
  at = at + 1
  if at > #paths then at = 1 end
  return wrk.format("GET", paths[at])
end
function done(summary, latency, requests)
  io.write(string.format(
    '\nBENCH {"requests":%d,"seconds":%.6f,"bytes":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d,"max_us":%d}\n',
    summary.requests, summary.duration / 1e6, summary.bytes, summary.errors.status,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99), latency.max))
end
"#;

/// How the load comes.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Connections.
    pub connections: usize,
    /// For how long, in whole seconds.
    pub length: Duration,
    /// How long each connection waits before each request. Nothing: not at all.
    pub pause: Duration,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Load {
    /// Requests that were answered.
    pub requests: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// Bytes that were received.
    pub bytes: u64,
    /// Answers with a status of 400 or more.
    pub refused: u64,
    /// Requests without an answer.
    pub broken: u64,
    /// Half of the answers came within so many microseconds.
    pub p50_us: u64,
    /// 99 of 100 answers came within so many microseconds.
    pub p99_us: u64,
    /// The slowest answer, microseconds.
    pub max_us: u64,
}

impl Load {
    /// Answers in each second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.requests as f64 / self.seconds
    }

    /// How long answers took, for people.
    #[must_use]
    pub fn times(&self) -> String {
        let ms = |us: u64| us as f64 / 1000.0;
        format!("median {:.2} ms, p99 {:.2} ms, slowest {:.0} ms", ms(self.p50_us), ms(self.p99_us), ms(self.max_us))
    }
}

/// A key pair with which requests are signed.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The public half.
    pub api_key: String,
    /// The secret half.
    pub secret_key: String,
}

impl Signer {
    /// The administrator's, of a database that is new.
    ///
    /// # Errors
    /// When there is one already, or the database fails.
    pub async fn of(store: &Store) -> Result<Self, BenchError> {
        let keys = store.bootstrap().await?;
        let keys = keys.ok_or_else(|| BenchError::Unexpected("a database that is not new".to_owned()))?;
        Ok(Self { api_key: keys.api_key, secret_key: keys.secret_key.expose().to_owned() })
    }

    /// A client of the gateway at `address`.
    ///
    /// # Errors
    /// See [`Client::new`].
    pub fn client(&self, address: &str) -> Result<Client, BenchError> {
        Ok(Client::new(format!("http://{address}/client/api"), &self.api_key, &self.secret_key)?)
    }

    /// Path and query of a signed request.
    #[must_use]
    pub fn path(&self, command: &str, params: &[(&str, &str)]) -> String {
        let mut pairs = vec![("command", command), ("response", "json"), ("apiKey", &self.api_key)];
        pairs.extend_from_slice(params);
        let text = signature::string_to_sign(pairs.iter().copied());
        let signed = signature::sign(&self.secret_key, &text);
        pairs.push(("signature", &signed));
        let query = serde_urlencoded::to_string(&pairs).unwrap_or_default();
        // A blank is signed as %20; in the query both spellings mean the same.
        format!("/client/api?{query}")
    }
}

/// Walks through `paths` at `address`.
///
/// # Errors
/// When `wrk` is not there or fails, or an answer was a refusal or missing: what was measured then is something else.
pub async fn walk(folder: &Path, address: &str, paths: &[String], manner: Manner) -> Result<Load, BenchError> {
    let (script, list) = (folder.join("walk.lua"), folder.join("paths"));
    super::write(&script, SCRIPT.to_owned())?;
    super::write(&list, paths.join("\n"))?;
    let output = Command::new("wrk")
        .args(["--threads", "1", "--connections", &manner.connections.to_string()])
        .args(["--duration", &format!("{}s", manner.length.as_secs().max(1)), "--timeout", "30s", "--latency"])
        .arg("--script")
        .arg(&script)
        .arg(format!("http://{address}"))
        .env("BENCH_PATHS", &list)
        .env("BENCH_PAUSE_MS", manner.pause.as_millis().to_string())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => BenchError::NoWrk,
            _ => BenchError::io("wrk")(cause),
        })?;
    let text = String::from_utf8_lossy(&output.stdout);
    let found = text.lines().find_map(|line| line.strip_prefix("BENCH "));
    let load: Option<Load> = found.and_then(|line| serde_json::from_str(line).ok());
    let load = load.ok_or_else(|| BenchError::Wrk(format!("{text}{}", String::from_utf8_lossy(&output.stderr))))?;
    if load.refused > 0 || load.broken > 0 || load.requests == 0 {
        return Err(BenchError::NotAnswered { refused: load.refused, broken: load.broken, of: load.requests });
    }
    Ok(load)
}
