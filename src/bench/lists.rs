//! Lists of a large estate, beside the same lists of a small one.

use std::time::Duration;

use serde_json::Value;

use super::estate::{Size, Thing, seed, uuid};
use super::load::{Manner, Signer, walk};
use super::process::Process;
use super::report::{Finding, Target};
use super::scene::{database_url, temporary_folder};
use super::{BenchError, Depth};
use crate::store::Store;

/// What the small estate has of each thing.
const SMALL: i64 = 1_000;
/// The thing that is filtered by: one of the first, which both estates have.
const ONE: i64 = 21;
const MIB: f64 = 1_048_576.0;

/// A gateway on an estate of this size.
struct Estate {
    folder: tempfile::TempDir,
    gateway: Process,
    signer: Signer,
}

impl Estate {
    async fn of(count: i64) -> Result<Self, BenchError> {
        let folder = temporary_folder()?;
        let database = database_url(folder.path());
        let store = Store::open(&database).await?;
        let signer = Signer::of(&store).await?;
        seed(&store, &Size::of(count)).await?;
        store.db().close().await;
        let gateway = Process::gateway(&folder.path().display().to_string(), &database, &[]).await?;
        Ok(Self { folder, gateway, signer })
    }

    /// Milliseconds that an answer takes when one client asks at a time, and how many entries match.
    async fn ask(&self, list: &List, length: Duration) -> Result<(f64, i64), BenchError> {
        let filters = list.filters.iter().map(|(name, value)| (*name, value.as_str()));
        let params: Vec<_> =
            [("listall", "true"), ("page", "1"), ("pagesize", "100")].into_iter().chain(filters).collect();
        let answer = self.signer.client(&self.gateway.address)?.call(list.command, &params).await?;
        let count = answer.get("count").and_then(Value::as_i64).unwrap_or_default();
        let path = self.signer.path(list.command, &params);
        let manner = Manner { connections: 1, length, pause: Duration::ZERO };
        let load = walk(self.folder.path(), &self.gateway.address, &[path], manner).await?;
        Ok((1000.0 / load.rate(), count))
    }
}

/// A list as clients ask for it.
struct List {
    command: &'static str,
    filters: Vec<(&'static str, String)>,
}

impl List {
    fn name(&self) -> String {
        let filters: Vec<&str> = self.filters.iter().map(|(name, _)| *name).collect();
        match filters.as_slice() {
            [] => self.command.to_owned(),
            _ => format!("{} by {}", self.command, filters.join(" and ")),
        }
    }

    /// Whether it matches a share of all, so that a large estate has many more matches: it may cost what they cost.
    fn matches_a_share(&self) -> bool {
        self.filters.iter().any(|(name, _)| matches!(*name, "zoneid" | "state"))
    }
}

/// Every list, plain and with the filters that clients use.
fn lists() -> Vec<List> {
    let list =
        |command, filter: Option<(&'static str, String)>| List { command, filters: filter.into_iter().collect() };
    let of = |thing| uuid(thing, ONE);
    let (vms, volumes, hosts) = ("listVirtualMachines", "listVolumes", "listHosts");
    vec![
        list(vms, None),
        list(vms, Some(("hostid", of(Thing::Host)))),
        list(vms, Some(("state", "Running".to_owned()))),
        list(vms, Some(("name", format!("vm-{ONE}")))),
        list(vms, Some(("account", "account-1".to_owned()))),
        list(vms, Some(("storageid", of(Thing::Pool)))),
        list(vms, Some(("clusterid", of(Thing::Cluster)))),
        list(vms, Some(("zoneid", uuid(Thing::Zone, 1)))),
        list(volumes, None),
        list(volumes, Some(("storageid", of(Thing::Pool)))),
        list(volumes, Some(("virtualmachineid", of(Thing::Vm)))),
        list(volumes, Some(("account", "account-1".to_owned()))),
        list(volumes, Some(("name", format!("disk-{ONE}")))),
        list(volumes, Some(("state", "Ready".to_owned()))),
        list(volumes, Some(("zoneid", uuid(Thing::Zone, 1)))),
        list(hosts, None),
        list(hosts, Some(("clusterid", of(Thing::Cluster)))),
        list(hosts, Some(("name", format!("host-{ONE}")))),
        list(hosts, Some(("state", "Up".to_owned()))),
        list(hosts, Some(("zoneid", uuid(Thing::Zone, 1)))),
    ]
}

/// Pages of both estates.
pub(super) async fn measure(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let large = match depth {
        Depth::Quick => 100_000,
        Depth::Full => 1_000_000,
    };
    let (small, large) = (Estate::of(SMALL).await?, Estate::of(large).await?);
    let mut findings = Vec::new();
    for list in lists() {
        let share = if list.matches_a_share() { ", which matches a share of all" } else { "" };
        let mut finding = Finding::new(
            format!("page-{}", list.name().replace(' ', "-")),
            format!("{}, a page of 100 of a large estate / of a small one{share}", list.name()),
            Target::AtMost(1.3),
        );
        for _ in 0..depth.rounds().min(5) {
            let (few_ms, few) = small.ask(&list, Duration::from_secs(1)).await?;
            let (many_ms, many) = large.ask(&list, Duration::from_secs(1)).await?;
            finding.rounds.push(many_ms / few_ms);
            finding.figures = format!("{many_ms:.2} ms of {many} matches, {few_ms:.2} ms of {few}");
        }
        findings.push(finding);
    }
    large.gateway.end().await;
    small.gateway.end().await;
    Ok(findings)
}

/// All 25,000 machines in one answer, and what that takes more memory than half as many: what is printed while it is read takes no
/// more for being longer.
pub(super) async fn whole(depth: Depth) -> Result<Vec<Finding>, BenchError> {
    let mut time =
        Finding::new("all-25000-machines", "seconds for all 25,000 machines in one answer / 0.3", Target::AtMost(1.0));
    let mut memory = Finding::new(
        "all-25000-machines-memory",
        "most memory of a gateway that gave all 25,000 machines in one answer / of one that gave 12,500",
        // Not a constant: with a larger table the caches of the connections that read fill up to their ends.
        Target::AtMost(1.2),
    );
    let half = all_at_once(12_500, depth).await?;
    let all = all_at_once(25_000, depth).await?;
    time.rounds = all.seconds.iter().map(|seconds| seconds / 0.3).collect();
    time.figures = format!("{:.2} s for {:.1} MiB", all.seconds.last().copied().unwrap_or(f64::NAN), all.answer_mib);
    memory.rounds.push(all.most_mib / half.most_mib);
    memory.figures = format!(
        "{:.0} MiB at the most, {:.0} MiB before; {:.0} MiB, {:.0} MiB before, for {:.1} MiB",
        all.most_mib, all.before_mib, half.most_mib, half.before_mib, half.answer_mib
    );
    Ok(vec![time, memory])
}

/// What one long answer took, again and again.
struct AllAtOnce {
    /// Each round's median.
    seconds: Vec<f64>,
    answer_mib: f64,
    /// Memory of the gateway before the first answer.
    before_mib: f64,
    /// The most memory that it has had.
    most_mib: f64,
}

async fn all_at_once(machines: i64, depth: Depth) -> Result<AllAtOnce, BenchError> {
    let estate = Estate::of(machines).await?;
    let before_mib = estate.gateway.memory_bytes() as f64 / MIB;
    let path = estate.signer.path("listVirtualMachines", &[("listall", "true"), ("pagesize", "-1")]);
    let (mut seconds, mut answer_mib) = (Vec::new(), 0.0);
    for _ in 0..depth.rounds().min(5) {
        let manner = Manner { connections: 1, length: Duration::from_secs(3), pause: Duration::ZERO };
        let load = walk(estate.folder.path(), &estate.gateway.address, std::slice::from_ref(&path), manner).await?;
        // Not from the rate: an answer that is cut off by the end of the time would count as none.
        seconds.push(load.p50_us as f64 / 1e6);
        answer_mib = load.bytes as f64 / load.requests as f64 / MIB;
    }
    let most_mib = estate.gateway.peak_memory_bytes() as f64 / MIB;
    estate.gateway.end().await;
    Ok(AllAtOnce { seconds, answer_mib, before_mib, most_mib })
}
