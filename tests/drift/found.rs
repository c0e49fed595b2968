//! What counts as a finding, what does not, and how often it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use stackmotion::args;
use stackmotion::motion::hypervisor::VmPresence;

use super::{Behind as _, plan};
use crate::motion::bench::Bench;
use crate::support::database;

const ALERTS: &str = "SELECT COUNT(*) FROM alert WHERE subject LIKE 'Database and host differ%'";
const EVENTS: &str = "SELECT COUNT(*) FROM event WHERE type = 'DRIFT.FOUND'";

/// Nothing was changed: nothing is found, nothing is told.
#[tokio::test(flavor = "multi_thread")]
async fn where_everything_is_as_it_should_be_nothing_is_found() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(97), database).await;
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}");
        assert_eq!(bench.count(ALERTS).await, 0, "{kind}");
        bench.world.stop().await;
    }
}

/// A machine that was moved by hand is found once, told once, and closed as vanished when it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_moved_by_hand() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(98), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let (id, found) = bench.only(kind).await;
        assert_eq!(found["kind"], "vm-elsewhere", "{kind}");
        assert_eq!((&found["hostname"], &found["foundhostname"]), (&"c1-h1".into(), &"c1-h2".into()), "{kind}");
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}: nothing is corrected by itself");

        bench.compare().await;
        assert_eq!(bench.only(kind).await.0, id, "{kind}: it is the same finding in the second round");
        assert_eq!((bench.count(ALERTS).await, bench.count(EVENTS).await), (1, 1), "{kind}");
        assert_eq!(bench.count("SELECT type FROM alert WHERE subject LIKE '%vm-elsewhere'").await, 27, "{kind}");

        bench.carry("web", "c1-h2", "c1-h1");
        bench.compare().await;
        let closed = bench.findings(Some(true)).await;
        assert_eq!(closed.len(), 1, "{kind}: {closed:#?}");
        assert_eq!((closed[0].0.as_str(), &closed[0].1["resolution"]), (id.as_str(), &"vanished".into()), "{kind}");
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A machine that goes on to a third host is another finding, and the one before is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_goes_on() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(99), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        bench.carry("web", "c1-h2", "c2-h1");
        bench.compare().await;
        let (_, found) = bench.only(kind).await;
        assert_eq!(found["foundhostname"], "c2-h1", "{kind}");
        assert_eq!(bench.count(ALERTS).await, 2, "{kind}");
        bench.world.stop().await;
    }
}

/// A machine that no host has: what was asked is said, and a host that did not answer is named.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_gone() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(100), database).await;
        let (ip, name) = (bench.ip("c1-h1"), bench.instance("web"));
        bench.world.world().change(|state| state.remove(&ip, &name)).expect("the world is saved");
        bench.world.kill_host(&bench.ip("c2-h2")).await.expect("it dies");
        bench.compare().await;
        let (_, found) = bench.only(kind).await;
        assert_eq!(found["kind"], "vm-missing", "{kind}");
        assert!(found["hostsays"].as_str().expect("words").contains("c2-h2"), "{kind}: {found}");
        bench.world.stop().await;
    }
}

/// Who does not answer has said nothing, whether or not the gateway knows that the host is away.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_answer_is_no_finding() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(101), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.world.kill_host(&bench.ip("c1-h1")).await.expect("it dies");
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}");
        bench.world.revive_host(&bench.ip("c1-h1")).expect("it lives");
        let away = "UPDATE host SET status = 'Disconnected' WHERE id = ?";
        bench.store.db().run(away, args![bench.host_id("c1-h1")]).await.expect("a row");
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}");
        bench.world.stop().await;
    }
}

/// While a machine or its disk moves, or nobody knows what became of that, it is not compared.
#[tokio::test(flavor = "multi_thread")]
async fn a_motion_that_is_not_over_is_no_finding() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(102), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.begin_motion("web", "sent", None).await;
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}: under way");
        let unknown = "UPDATE motion_migration SET phase = 'settled', outcome = 'unknown'";
        bench.store.db().run(unknown, vec![]).await.expect("a row");
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}: unknown");
        bench.store.db().run("UPDATE motion_migration SET outcome = 'done'", vec![]).await.expect("a row");
        bench.compare().await;
        assert_eq!(bench.only(kind).await.1["kind"], "vm-elsewhere");
        bench.world.stop().await;
    }
}

/// What is seen once and not again has never been: a machine is away for a moment while somebody else moves it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_seen_once_only_counts_for_nothing() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(103), database).await;
        let asked = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&asked);
        // The four hosts have not got the first machine at the first look.
        let drift = bench.drift_with(Box::new(move |number| {
            count.fetch_add(1, Ordering::SeqCst);
            Box::pin(async move { (number < 4).then_some(VmPresence::Absent) })
        }));
        drift.round(Duration::ZERO, || true).await.expect("the database answers");
        assert!(asked.load(Ordering::SeqCst) > 4, "{kind}: it was looked at again");
        assert_eq!(bench.findings(None).await, [], "{kind}");
        bench.world.stop().await;
    }
}

/// A row that changes while the hosts are asked says nothing about what they said.
#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_changes_meanwhile_is_no_finding() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(104), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        let store = bench.store.clone();
        let drift = bench.drift_with(Box::new(move |_| {
            let store = store.clone();
            Box::pin(async move {
                let sql = "UPDATE vm_instance SET update_count = update_count + 1";
                store.db().run(sql, vec![]).await.expect("the database");
                None
            })
        }));
        drift.round(Duration::ZERO, || true).await.expect("the database answers");
        assert_eq!(bench.findings(None).await, [], "{kind}");
        bench.world.stop().await;
    }
}

/// Disks: in another pool, in a folder that is none, of another size. One finding and one alert for each.
#[tokio::test(flavor = "multi_thread")]
async fn disks_that_are_elsewhere_or_of_another_size() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(105), database).await;
        bench.carry_disk("web", "DATA-web", "c1-p2").await;
        let sql = "UPDATE volumes SET size = size + 512 WHERE name = 'ROOT-web'";
        bench.store.db().run(sql, vec![]).await.expect("a row");
        bench.compare().await;
        bench.compare().await;
        let found = bench.findings(Some(false)).await;
        let shown: Vec<_> = found.iter().map(|(_, found)| (&found["kind"], &found["volumename"])).collect();
        let wanted = [(&"disk-size".into(), &"ROOT-web".into()), (&"disk-elsewhere".into(), &"DATA-web".into())];
        assert_eq!(shown, wanted, "{kind}: {found:#?}");
        assert_eq!((&found[1].1["storage"], &found[1].1["foundstorage"]), (&"c1-p1".into(), &"c1-p2".into()), "{kind}");
        assert_eq!(bench.count(ALERTS).await, 2, "{kind}");
        assert_eq!(bench.count("SELECT type FROM alert WHERE subject LIKE '%disk-size'").await, 12, "{kind}");
        assert_eq!(bench.pool_of("DATA-web").await, "c1-p1", "{kind}: nothing is corrected by itself");
        bench.world.stop().await;
    }
}

/// A stock agent knows whether it has a machine and nothing of disks: what it cannot tell is neither found nor closed.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_agent_tells_of_machines_only() {
    let mut plan = plan(106);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.plain = true;
    }
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan, database).await;
        bench.carry_disk("web", "DATA-web", "c1-p2").await;
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}");
        // Found by an agent that was another one then.
        let earlier = "INSERT INTO motion_drift (uuid, kind, open_key, mark, vm_id, volume_id, host_id, database_says, \
            host_says, first_seen, last_seen) VALUES ('earlier', 'disk-missing', 'k', 'missing', ?, ?, ?, '', '', \
            '2026-11-23 00:00:00', '2026-11-23 00:00:00')";
        let args = args![bench.vm_id("web"), bench.disk("DATA-web").id, bench.host_id("c1-h1")];
        bench.store.db().run(earlier, args).await.expect("a row");
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let open: Vec<_> =
            bench.findings(Some(false)).await.into_iter().map(|(_, found)| found["kind"].clone()).collect();
        assert_eq!(open, ["disk-missing", "vm-elsewhere"], "{kind}");
        bench.world.stop().await;
    }
}

/// A machine that does not run any more is not compared, and what was found of it is over.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_of_a_stopped_machine_is_closed() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(107), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        bench.only(kind).await;
        let stop = "UPDATE vm_instance SET state = 'Stopped', host_id = NULL WHERE id = ?";
        bench.store.db().run(stop, args![bench.vm_id("web")]).await.expect("a row");
        bench.compare().await;
        let closed = bench.findings(Some(true)).await;
        assert_eq!(closed.len(), 1, "{kind}");
        assert_eq!(closed[0].1["resolution"], "vanished", "{kind}");
        bench.world.stop().await;
    }
}

/// A gateway that is not the one any more that looks after the hosts stops in the middle of a round.
#[tokio::test(flavor = "multi_thread")]
async fn a_round_ends_when_it_is_another_gateways_turn() {
    let bench = Bench::start(&plan(108), database::sqlite().await).await;
    bench.carry("web", "c1-h1", "c1-h2");
    bench.drift().round(Duration::ZERO, || false).await.expect("the database answers");
    assert_eq!(bench.findings(None).await, []);
    bench.world.stop().await;
}
