//! Trouble at every write of the journal: what moves is halted before and after every step of the saga and at every moment of
//! its job, in a gateway's process; then the next answer of every kind is lost, comes twice or comes late, or the agents are
//! started anew and have forgotten everything, or the database is gone for ten seconds. The job comes to its end in the same
//! process, nothing is done twice, and everything is where the database says. `killed.rs` does the same with SIGKILL.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::host::Host;
use stackmotion::args;
use uuid::Uuid;

use super::bench::{Bench, LONG, plan, wait_for};
use super::crash::What;
use super::places::{PACE, Place, Way, count, phases, start};
use crate::support::database::{self, Database};
use crate::support::gateway::{Ambush, Gateway};
#[cfg(feature = "mariadb-tests")]
use crate::support::line::Line;

/// How long the database is gone.
const GONE: Duration = Duration::from_secs(10);
/// At how many places at the same time.
const AT_ONCE: usize = 8;
/// Later than the gateway waits for an answer after the host has said that the work is over.
const LATE_MS: u64 = 400;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    AnswersLost,
    AnswersTwice,
    AnswersLate,
    AgentsForget,
    DatabaseGone,
}

impl Trouble {
    const OF_AGENTS: [Self; 4] = [Self::AnswersLost, Self::AnswersTwice, Self::AnswersLate, Self::AgentsForget];

    fn fault(self) -> Option<Fault> {
        match self {
            Self::AnswersLost => Some(Fault::DropAfter),
            Self::AnswersTwice => Some(Fault::AnswerTwice),
            Self::AnswersLate => Some(Fault::AnswerLate { ms: Some(LATE_MS) }),
            Self::AgentsForget | Self::DatabaseGone => None,
        }
    }
}

/// A gateway that halts where it is told, with what is around it.
struct Scene {
    kind: &'static str,
    bench: Bench,
    gateway: Gateway,
    folder: tempfile::TempDir,
    #[cfg(feature = "mariadb-tests")]
    line: Option<Line>,
}

impl Scene {
    async fn new(net: u8, (kind, database): (&'static str, Database)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let url = database.url.clone();
        #[cfg(feature = "mariadb-tests")]
        let line = if url.starts_with("mysql:") { Some(Line::to(&url).await) } else { None };
        #[cfg(feature = "mariadb-tests")]
        let url = line.as_ref().map_or(url, |line| line.url.clone());
        let bench = Bench::start(&plan(net), database).await;
        let halts = Ambush::HaltIn(folder.path().to_owned());
        let gateway = start(&bench, &folder.path().join("data"), &url, halts).await;
        // Whether hosts are there is another matter: trouble is to meet what moves.
        let connected = |host: &Arc<Host>| host.counts().keys().any(|class| class.ends_with(".GetHostStatsCommand"));
        wait_for("the hosts to be connected", async || bench.world.hosts().all(connected)).await;
        #[cfg(feature = "mariadb-tests")]
        return Self { kind, bench, gateway, folder, line };
        #[cfg(not(feature = "mariadb-tests"))]
        return Self { kind, bench, gateway, folder };
    }

    fn halt(&self, at: &str) -> PathBuf {
        self.folder.path().join(at)
    }

    /// Moves once, with trouble at a place.
    async fn go(&self, way: Way, place: Place, trouble: Trouble) {
        let case = format!("{}, {:?}, {trouble:?} at {}", self.kind, way.what, place.word());
        let job = Uuid::new_v4().to_string();
        let earlier = phases(&self.bench).await.len();
        std::fs::write(self.halt(&place.word()), "").expect("a place to halt at");
        let (command, params) = way.call(&self.bench, &job);
        let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let reached = self.halt("reached");
        let trouble_there = async {
            wait_for(&format!("{case}: the place"), async || reached.exists()).await;
            self.begin(trouble, &reached).await;
        };
        let (answer, ()) = tokio::join!(self.gateway.client.call(command, &params), trouble_there);
        let answer = answer.unwrap_or_else(|error| panic!("{case}: {error}"));
        assert_eq!(answer["jobid"], job.as_str(), "{case}");
        // How it ended is looked at below.
        let _ = tokio::time::timeout(LONG, self.gateway.client.wait(&job, PACE, |_| {})).await.expect(&case);
        self.bench.world.world().faults.remove(None);
        let end = self.gateway.client.call("queryAsyncJobResult", &[("jobid", &job)]).await.expect(&case);
        assert_eq!((&end["jobstatus"], &end["jobresultcode"]), (&1.into(), &0.into()), "{case}: {end}");
        assert!(way.is_told(&self.bench, &end), "{case}: {end}");
        assert_eq!(way.seen(&self.bench).await, way.to, "{case}");
        let phases = phases(&self.bench).await;
        assert_eq!(phases[earlier..], ["settled"], "{case}");
        for state in ["Started", "Completed"] {
            let sql = "SELECT COUNT(*) FROM event e JOIN motion_job m ON e.start_id = m.start_event_id \
                JOIN async_job j ON j.id = m.job_id WHERE j.uuid = ? AND e.state = ?";
            assert_eq!(count(&self.bench, sql, args![&job, state]).await, 1, "{case}: {state} is told once");
        }
        self.bench.check(&case).await;
    }

    /// Lets the trouble begin, and what halts go on; gives back when what is to end by itself has ended.
    async fn begin(&self, trouble: Trouble, reached: &Path) {
        let go_on = || std::fs::remove_file(reached).expect("what halts");
        match trouble.fault() {
            Some(fault) => {
                for class in self.classes() {
                    self.bench.fault(FaultRule::on(&class, fault.clone()).nth(1));
                }
                go_on();
            }
            None if trouble == Trouble::AgentsForget => {
                self.bench.world.hosts().for_each(|host| host.restart());
                go_on();
            }
            None => self.without_database(go_on).await,
        }
    }

    /// What the agents have been asked so far.
    fn classes(&self) -> BTreeSet<String> {
        self.bench.world.hosts().flat_map(|host| host.counts().into_keys()).collect()
    }

    async fn without_database(&self, go_on: impl FnOnce()) {
        #[cfg(feature = "mariadb-tests")]
        if let Some(line) = &self.line {
            line.cut();
            go_on();
            tokio::time::sleep(GONE).await;
            line.mend();
            return;
        }
        // A file does not go away, but somebody else can keep it to himself.
        let mut tx = self.bench.store.begin().await.expect("a transaction");
        tx.run("UPDATE host SET id = id", vec![]).await.expect("the only writer");
        go_on();
        tokio::time::sleep(GONE).await;
        tx.roll_back().await;
    }

    async fn end(self) {
        drop(self.gateway);
        self.bench.world.stop().await;
    }
}

/// Forth and back, in one process for each kind of trouble.
async fn trouble_of_agents(what: What, net: u8) {
    for trouble in Trouble::OF_AGENTS {
        for database in database::each().await {
            let scene = Scene::new(net, database).await;
            let mut way = Way::of(what);
            for place in Place::all() {
                scene.go(way, place, trouble).await;
                way = way.back();
            }
            scene.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_agents_while_a_volume_moves() {
    trouble_of_agents(What::Volume, 150).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_agents_while_a_vm_moves_with_its_volumes() {
    trouble_of_agents(What::VmWithVolumes, 151).await;
}

/// At several places at the same time, since most of it is waiting.
async fn database_gone(what: What, first_net: u8) {
    let nets = Mutex::new((first_net..).take(AT_ONCE).collect::<Vec<u8>>());
    let at_place = async |place| {
        let net = nets.lock().expect("no panic").pop().expect("one for each");
        for database in database::each().await {
            let scene = Scene::new(net, database).await;
            scene.go(Way::of(what), place, Trouble::DatabaseGone).await;
            scene.end().await;
        }
        nets.lock().expect("no panic").push(net);
    };
    stream::iter(Place::all()).for_each_concurrent(AT_ONCE, at_place).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_database_while_a_volume_moves() {
    database_gone(What::Volume, 160).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_database_while_a_vm_moves_with_its_volumes() {
    database_gone(What::VmWithVolumes, 180).await;
}
