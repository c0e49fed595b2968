//! The places at which a gateway's process can be met, the ways that things move, and how both are told to it.

use std::path::Path;

use serde_json::Value as Json;
use stackmotion::client::Pace;
use stackmotion::jobs::Moment;
use stackmotion::motion::Step;
use stackmotion::store::Value;

use super::bench::Bench;
use super::crash::What;
use crate::support::gateway::{Ambush, Gateway};

/// How a test asks for a job.
pub const PACE: Pace =
    Pace { first: std::time::Duration::from_millis(20), longest: std::time::Duration::from_millis(100) };
const SETTINGS: [&str; 3] = ["motion.poll_ms=20", "motion.late_answer_ms=200", "agent.ping_interval_s=20"];

/// A gateway that is not patient.
pub async fn start(bench: &Bench, folder: &Path, url: &str, ambush: Ambush) -> Gateway {
    Gateway::start(bench, folder, url, &SETTINGS, ambush).await
}

/// A place on the way of a job: all are the gateway's own lists, so that a new one cannot escape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    Before(Step),
    After(Step),
    At(Moment),
}

impl Place {
    pub fn all() -> Vec<Self> {
        let steps = Step::ALL.iter().flat_map(|step| [Self::Before(*step), Self::After(*step)]);
        steps.chain(Moment::ALL.map(Self::At)).collect()
    }

    /// As the gateway is told.
    pub fn word(self) -> String {
        match self {
            Self::Before(step) => format!("{step:?}:before"),
            Self::After(step) => format!("{step:?}:after"),
            Self::At(moment) => format!("{moment:?}"),
        }
    }
}

/// What moves, from where to where: pools of its disks, then the host of its VM if that moves.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    pub what: What,
    pub from: &'static [&'static str],
    pub to: &'static [&'static str],
}

impl Way {
    pub fn of(what: What) -> Self {
        let (from, to): (&[&str], &[&str]) = match what {
            What::Volume | What::Cold | What::Stopped => (&["c1-p1"], &["c1-p2"]),
            What::Vm => (&["c1-h1"], &["c1-h2"]),
            What::VmWithVolumes => (&["c1-p1", "c1-p1", "c1-h1"], &["c2-p1", "c2-p1", "c2-h1"]),
        };
        Self { what, from, to }
    }

    /// The way back.
    pub fn back(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }

    /// The call that begins it, as a job of this public id: the client's own id is known also when the answer is lost.
    pub fn call(&self, bench: &Bench, job: &str) -> (&'static str, Vec<(&'static str, String)>) {
        let pool = || bench.estate.pool(self.to[0]).expect("a pool").uuid.clone();
        let host = |place: usize| bench.estate.host(self.to[place]).expect("a host").uuid.clone();
        let vm = |name: &str| bench.estate.vm(name).expect("a VM").uuid.clone();
        let disk = |name: &str| bench.disk(name).uuid.clone();
        let (command, mut params) = match self.what {
            What::Volume => {
                let to = [("volumeid", disk("DATA-shared")), ("storageid", pool())];
                ("migrateVolume", [&to[..], &[("livemigrate", "true".to_owned())]].concat())
            }
            What::VmWithVolumes => (
                "migrateVirtualMachineWithVolume",
                vec![
                    ("virtualmachineid", vm("shared")),
                    ("hostid", host(2)),
                    ("migrateto[0].volume", disk("ROOT-shared")),
                    ("migrateto[0].pool", pool()),
                    ("migrateto[1].volume", disk("DATA-shared")),
                    ("migrateto[1].pool", pool()),
                ],
            ),
            What::Vm => ("migrateVirtualMachine", vec![("virtualmachineid", vm("shared")), ("hostid", host(0))]),
            What::Cold => ("migrateVolume", vec![("volumeid", disk("ROOT-off")), ("storageid", pool())]),
            What::Stopped => {
                ("migrateVirtualMachine", vec![("virtualmachineid", vm("stopped")), ("storageid", pool())])
            }
        };
        params.push(("customjobid", job.to_owned()));
        (command, params)
    }

    /// Where everything is that it is about, as the database says.
    pub async fn seen(&self, bench: &Bench) -> Vec<String> {
        match self.what {
            What::Volume => vec![bench.pool_of("DATA-shared").await],
            What::Cold | What::Stopped => vec![bench.pool_of("ROOT-off").await],
            What::Vm => vec![bench.host_of("shared").await],
            What::VmWithVolumes => {
                let disks = [bench.pool_of("ROOT-shared").await, bench.pool_of("DATA-shared").await];
                [&disks[..], &[bench.host_of("shared").await]].concat()
            }
        }
    }

    /// Whether the finished job says that everything is at its target, in words of the API.
    pub fn is_told(&self, bench: &Bench, job: &Json) -> bool {
        let result = &job["jobresult"];
        let pool = |place: usize| bench.estate.pool(self.to[place]).expect("a pool").uuid.clone();
        let host = |place: usize| bench.estate.host(self.to[place]).expect("a host").uuid.clone();
        match self.what {
            What::Volume | What::Cold => result["volume"]["storageid"] == pool(0),
            What::Vm => result["virtualmachine"]["hostid"] == host(0),
            What::VmWithVolumes => result["virtualmachine"]["hostid"] == host(2),
            What::Stopped => result["virtualmachine"]["state"] == "Stopped",
        }
    }
}

/// The phases of all motions in the journal, in their order.
pub async fn phases(bench: &Bench) -> Vec<String> {
    let rows = bench.store.db().rows("SELECT phase FROM motion_migration ORDER BY id", vec![]).await;
    rows.expect("the journal").iter().map(|row| row.at(0).expect("a phase")).collect()
}

/// The number that a statement asks for.
pub async fn count(bench: &Bench, sql: &str, args: Vec<Value>) -> i64 {
    let row = bench.store.db().row(sql, args).await.expect("the database").expect("a row");
    row.at(0).expect("a number")
}
