//! Sending a case to a gateway and following it to its end.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value as Json};
use stackmotion::app::App;
use stackmotion::settings::{Effective, Settings, SettingsArgs, Sources};
use stackmotion::store::Store;
use tempfile::TempDir;

use super::agent::{Agents, nonsense, refusal, silence};
use super::cases::{Case, Exchange, Phase, Said};
use super::compare::{self, Found};
use super::estate;
use crate::motion::bench::wait_for;
use crate::support::database::Database;
use crate::support::raw_http::{RawRequest, RawResponse, escape_pairs};
use crate::support::world::signed;

/// How long a case may take that should be over at once.
const LIMIT: Duration = Duration::from_secs(60);

/// The whole gateway, on recorded rows and scripted hosts.
pub struct Gateway {
    app: App,
    agents: Arc<Agents>,
    base: Map<String, Json>,
    /// Ids of jobs by the words that stand for them.
    jobs: Mutex<HashMap<String, String>>,
    _folder: TempDir,
}

impl Gateway {
    /// Starts one on an empty database.
    pub async fn start(database: &Database) -> Self {
        Self::start_with(database, &[]).await
    }

    /// The same with further settings.
    pub async fn start_with(database: &Database, set: &[&str]) -> Self {
        estate::fill(&database.store).await;
        let flags = SettingsArgs { database_url: Some(database.url.clone()), ..SettingsArgs::default() };
        Self::begin(flags, set, estate::base()).await
    }

    /// One on a database that has these rows already.
    pub async fn on(database: &Database, base: Map<String, Json>) -> Self {
        Self::begin(SettingsArgs { database_url: Some(database.url.clone()), ..SettingsArgs::default() }, &[], base)
            .await
    }

    /// One on a database of CloudStack's that has these rows.
    #[cfg(feature = "mariadb-tests")]
    pub async fn attached(url: &str, base: Map<String, Json>, set: &[&str]) -> Self {
        Self::begin(SettingsArgs { attach: Some(url.to_owned()), ..SettingsArgs::default() }, set, base).await
    }

    async fn begin(flags: SettingsArgs, set: &[&str], base: Map<String, Json>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let flags = SettingsArgs {
            port: Some("0".to_owned()),
            data_dir: Some(folder.path().display().to_string()),
            set: ["motion.poll_ms=20", "motion.unreachable_s=1", &format!("node.name={}", estate::NODE)]
                .iter()
                .chain(set)
                .map(|&one| one.to_owned())
                .collect(),
            ..flags
        };
        let effective = Effective::load(&Sources { env: Vec::new(), flags }).expect("settings");
        let settings = Settings::from_effective(&effective).expect("settings");
        let agents = Arc::new(Agents::default());
        let hypervisors = ["Simulator", "Hyperv"].map(|kind| (kind, Arc::clone(&agents) as _)).to_vec();
        let app = App::start_with(&settings, hypervisors).await.expect("a gateway");
        Self { app, agents, base, jobs: Mutex::default(), _folder: folder }
    }

    /// Answers the next command to the hosts like this, at once.
    pub fn answer(&self, answer: stackmotion::motion::hypervisor::Answer<()>) {
        self.agents.expect(answer);
        self.agents.release();
    }

    pub fn address(&self) -> SocketAddr {
        self.app.address
    }

    pub fn store(&self) -> &Store {
        &self.app.store
    }

    /// Holds the next command to the hosts until [`Gateway::release`]; it will go well.
    pub fn hold(&self) {
        self.agents.expect(Ok(()));
    }

    /// True when a command has come to the hosts.
    pub fn is_reached(&self) -> bool {
        self.agents.is_reached()
    }

    pub fn release(&self) {
        self.agents.release();
    }

    /// Waits, as the administrator, until a job is over.
    pub async fn wait_for_job(&self, job: &str) {
        let query = [("command", "queryAsyncJobResult"), ("jobid", job), ("response", "json")];
        let query = query.map(|(name, value)| (name.to_owned(), value.to_owned()));
        wait_for("the job to end", async || {
            let answer = self.send("GET", "admin", &query).await;
            let body: Json = serde_json::from_str(&answer.body).expect("JSON");
            body["queryasyncjobresultresponse"]["jobstatus"] != 0
        })
        .await;
    }

    /// From now on there are these rows too.
    pub async fn enlarge(&mut self, more: &Map<String, Json>) {
        estate::add(&self.app.store, more).await;
        self.base = estate::with(std::mem::take(&mut self.base), more);
    }

    pub async fn stop(self) {
        self.app.stop().await;
    }

    /// Plays a case and gives what differed.
    pub async fn replay(&self, case: &Case) -> Vec<Found> {
        estate::put_back(&self.app.store, &self.base, case).await;
        self.agents.expect(answer(case));
        let before = compare::rows(&self.app.store).await;
        let submit = &case.exchanges[0];
        let own = word(case, "submit");
        if submit.pairs.iter().any(|(_, value)| *value == own) {
            self.jobs.lock().unwrap().insert(own, "00000000-0000-4000-8000-0000000000c1".to_owned());
        }
        let mut found = self.exchange(case, submit).await;
        let job = self.jobs.lock().unwrap().get(&word(case, "submit")).cloned();
        if let Some(job) = job {
            self.follow(case, &job, &mut found).await;
            for label in ["final", "final-xml"] {
                if let Some(exchange) = case.labelled(label) {
                    found.extend(self.exchange(case, exchange).await);
                }
            }
        }
        // Jobs that were submitted besides must not reach into the next case.
        self.until(case, async || compare::jobs_running(&self.app.store).await == 0).await;
        // The recorded rows of a case with several jobs were read while some of them ran.
        if case.during().all(|exchange| !exchange.command().starts_with("migrate")) {
            found.extend(compare::events(&self.app.store, &case.events).await);
            found.extend(compare::changes(&before, &compare::rows(&self.app.store).await, &case.after));
        }
        if case.phase == Phase::Agent {
            for exchange in case.exchanges[1..].iter().filter(|exchange| exchange.label.contains("after")) {
                found.extend(self.exchange(case, exchange).await);
            }
            found.extend(compare::orders(&self.agents.orders(), &case.sent));
        }
        found
    }

    /// Until the job is over. When the hosts have got the command, what was asked meanwhile is asked.
    async fn follow(&self, case: &Case, job: &str, found: &mut Vec<Found>) {
        let actor = &case.exchanges[0].actor;
        let query = [("command", "queryAsyncJobResult"), ("jobid", job), ("response", "json")];
        let mut asked = false;
        let deadline = Instant::now() + LIMIT;
        loop {
            assert!(Instant::now() < deadline, "{}: the job does not end", case.name);
            if self.agents.is_reached() && !asked {
                asked = true;
                for exchange in case.labelled("poll-1").into_iter().chain(case.during()) {
                    found.extend(self.exchange(case, exchange).await);
                    if exchange.command().starts_with("migrate") {
                        self.settle_second(case).await;
                    }
                }
                self.agents.release();
            }
            let answer = self.send("GET", actor, &query.map(|(name, value)| (name.to_owned(), value.to_owned()))).await;
            let body: Json = serde_json::from_str(&answer.body).expect("JSON");
            if body["queryasyncjobresultresponse"]["jobstatus"] != 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Until the second job is where it stays: refused because its volume moves, or waiting behind the first.
    async fn settle_second(&self, case: &Case) {
        let queued = ["mv-sm-running-live", "hv-mv-live-slow"].contains(&case.name.as_str());
        let store = &self.app.store;
        let deadline = Instant::now() + LIMIT;
        loop {
            let (running, waiting) = (compare::jobs_running(store).await, compare::jobs_waiting(store).await);
            if waiting == 0 && (queued || running == 1) {
                return;
            }
            assert!(Instant::now() < deadline, "{}: the second job does not settle", case.name);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn until(&self, case: &Case, mut done: impl AsyncFnMut() -> bool) {
        self.agents.release();
        let deadline = Instant::now() + LIMIT;
        while !done().await {
            assert!(Instant::now() < deadline, "{}: jobs do not end", case.name);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Makes one call and compares its answer.
    async fn exchange(&self, case: &Case, exchange: &Exchange) -> Vec<Found> {
        let pairs: Vec<_> = exchange.pairs.iter().map(|(name, value)| (name.clone(), self.filled(value))).collect();
        let answer = self.send(&exchange.method, &exchange.actor, &pairs).await;
        let is_submit = exchange.command().starts_with("migrate");
        if let Some(job) = is_submit.then(|| job_of(&answer.body)).flatten() {
            self.jobs.lock().unwrap().insert(word(case, &exchange.label), job);
        }
        let expected = self.filled(&exchange.body);
        compare::answers((exchange.status, &expected), (answer.status, &answer.body))
            .into_iter()
            .map(|(difference, detail)| (difference, format!("{}: {detail}", exchange.label)))
            .collect()
    }

    pub async fn send(&self, method: &str, actor: &str, pairs: &[(String, String)]) -> RawResponse {
        let text = escape_pairs(&signed(actor, pairs));
        let request = match method {
            "GET" => RawRequest::get(format!("/client/api?{text}")),
            _ => RawRequest::form("/client/api", text),
        };
        request.send(self.app.address).await
    }

    /// Replaces the words that stand for ids of jobs.
    fn filled(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (word, id) in self.jobs.lock().unwrap().iter() {
            text = text.replace(word, id);
        }
        text
    }
}

/// The word that stands for the id of a job.
fn word(case: &Case, label: &str) -> String {
    if label == "submit" { format!("{{{{job:{}}}}}", case.name) } else { format!("{{{{job:{}:{label}}}}}", case.name) }
}

fn job_of(body: &str) -> Option<String> {
    let body: Json = serde_json::from_str(body).ok()?;
    Some(body.as_object()?.values().next()?.get("jobid")?.as_str()?.to_owned())
}

/// What the hosts were told to do, by the words in the name of the case.
fn answer(case: &Case) -> stackmotion::motion::hypervisor::Answer<()> {
    match &case.agent {
        Some(Said::Answer { result: false, details }) => return refusal(details),
        Some(Said::Answer { .. }) => return Ok(()),
        Some(Said::Lost) => return silence(),
        None => {}
    }
    if case.is_about(&["unknown-answer"]) {
        nonsense()
    } else if case.is_about(&["cross-refused"]) {
        refusal("")
    } else if case.is_about(&["agent-unsupported"]) {
        refusal("Unsupported command issued: com.cloud.agent.api.storage.MigrateVolumeCommand")
    } else if case.is_about(&["fault"]) && !case.is_about(&["default"]) {
        refusal("java.lang.Exception: Simulated fault")
    } else if case.is_about(&["copy-fails", "agent-refuses"]) {
        refusal("Simulated failure")
    } else {
        Ok(())
    }
}
