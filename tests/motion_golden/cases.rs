//! The recorded motions (`tests/golden/README.md`).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Rows by table; each has its id and what is not as in `rows.json`.
pub type Tables = Map<String, Json>;

/// What was special about the set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// The simulator, whose version has no capability row.
    Plain,
    /// The same with a row that lets disks move.
    Motion,
    /// Hosts, clusters, pools and two machines called Hyper-V.
    Hyperv,
    /// The same as XenServer, which is the hypervisor that moves machines with their disks there.
    Xen,
    /// Real Hyper-V agents: hosts, clusters and pools of their own beside the simulated ones.
    Agent,
}

/// What the real agent said in the end.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// Yes or no, and its words.
    Answer { result: bool, details: String },
    /// Nothing: the connection broke.
    Lost,
}

/// A command that moves something, as the agent got it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub struct Order {
    pub command: String,
    /// Address of the host that got it.
    pub host: String,
    /// File of the disk without its ending, or the machine's name.
    pub what: String,
    /// The pool's id, or the address of the host that receives the machine.
    pub to: Option<String>,
}

/// One call and its answer.
#[derive(Debug, Deserialize)]
pub struct Exchange {
    pub label: String,
    pub method: String,
    pub actor: String,
    /// Parameters without key and signature.
    pub pairs: Vec<(String, String)>,
    pub status: u16,
    pub body: String,
}

impl Exchange {
    /// The command that is called.
    pub fn command(&self) -> &str {
        self.pairs.iter().find(|(name, _)| name == "command").map_or("", |(_, value)| value.as_str())
    }
}

/// An event that was written meanwhile.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Event {
    #[serde(rename = "type")]
    pub kind: String,
    pub state: String,
    pub level: String,
    pub description: String,
}

/// One recorded motion, or a question about possible ones.
#[derive(Debug, Deserialize)]
pub struct Case {
    pub name: String,
    /// Cases whose calls stand in this one because they speak of the same jobs.
    #[serde(default)]
    pub includes: Vec<String>,
    pub phase: Phase,
    pub exchanges: Vec<Exchange>,
    pub events: Vec<Event>,
    pub before: Tables,
    /// Columns that were changed, of old rows and of new ones; `removed` says whether the row is.
    pub after: Tables,
    /// What real agents said, where there was one and it was sent something.
    pub agent: Option<Said>,
    /// What real agents were sent.
    #[serde(default)]
    pub sent: Vec<Order>,
}

/// The commands of a case with real agents.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// What was called.
    pub called: Vec<String>,
    /// What agents got.
    pub agent_commands: Vec<String>,
}

/// What was recorded with real agents.
#[derive(Debug, Deserialize)]
pub struct RealAgents {
    /// Every recorded case by its name, also those that are not replayed.
    pub recorded: BTreeMap<String, Recorded>,
    /// What their estate has beyond `rows.json`.
    pub rows: Tables,
    pub cases: Vec<Case>,
}

/// The cases with real agents.
pub fn real_agents() -> RealAgents {
    serde_json::from_str(&crate::support::golden::text("hyperv.json")).expect("cases")
}

impl Case {
    /// The exchange with that label.
    pub fn labelled(&self, label: &str) -> Option<&Exchange> {
        self.exchanges.iter().find(|exchange| exchange.label == label)
    }

    /// The calls that were made while the job ran.
    pub fn during(&self) -> impl Iterator<Item = &Exchange> {
        self.exchanges.iter().filter(|exchange| exchange.label.starts_with("during"))
    }

    /// True when the name has one of the words.
    pub fn is_about(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.name.contains(word))
    }
}

/// All of them. The gateway moves machines with their disks between Hyper-V hosts only, so what CloudStack did for
/// XenServer is expected of Hyper-V 10.0.
pub fn all() -> Vec<Case> {
    let text = crate::support::golden::text("motion.json");
    let cases: Vec<Json> = serde_json::from_str(&text).expect("cases");
    let renamed = |case: Json| {
        let text = case.to_string();
        if case["phase"] == "xen" { text.replace("XenServer", "Hyperv").replace("6.5.0", "10.0") } else { text }
    };
    cases.into_iter().map(|case| serde_json::from_str(&renamed(case)).expect("a case")).collect()
}
