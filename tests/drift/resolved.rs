//! What becomes of a finding: the database follows the host, or it is let be, or the decision is refused with a reason.

use stackmotion::args;
use stackmotion::drift::DriftRefusal;

use super::{Behind as _, by, plan, refusal};
use crate::motion::bench::Bench;
use crate::support::database;

const ALERTS: &str = "SELECT COUNT(*) FROM alert WHERE subject LIKE 'Database and host differ%'";

/// The machine's row follows, with what hosts are charged with; a job that is run again is content.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_follows_a_machine() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(125), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let (id, _) = bench.only(kind).await;
        let before = bench.count("SELECT update_count FROM vm_instance WHERE name = 'web'").await;
        bench.drift().accept(&id, by(1), Some("moved for the power works")).await.expect("it is so");
        assert_eq!(bench.host_of("web").await, "c1-h2", "{kind}");
        assert_eq!(bench.count("SELECT update_count FROM vm_instance WHERE name = 'web'").await, before + 2, "{kind}");
        bench.check(kind).await;
        let closed = bench.findings(None).await.remove(0).1;
        assert_eq!((&closed["resolution"], &closed["note"]), (&"accepted".into(), &"moved for the power works".into()));
        assert_eq!(closed["resolvedby"], "admin", "{kind}");

        bench.drift().accept(&id, by(1), None).await.expect("the same job has done it");
        let again = refusal(bench.drift().accept(&id, by(2), None).await);
        assert!(again.contains("closed already"), "{kind}: {again}");
        bench.compare().await;
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        bench.world.stop().await;
    }
}

/// A disk's row follows, with what pools have promised.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_follows_a_disk() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(126), database).await;
        bench.carry_disk("web", "DATA-web", "c1-p2").await;
        bench.compare().await;
        let (id, _) = bench.only(kind).await;
        bench.drift().accept(&id, by(1), None).await.expect("it is so");
        assert_eq!(bench.pool_of("DATA-web").await, "c1-p2", "{kind}");
        bench.check(kind).await;

        let sql = "UPDATE volumes SET size = size + 512 WHERE name = 'ROOT-web'";
        bench.store.db().run(sql, vec![]).await.expect("a row");
        let promised =
            "UPDATE op_host_capacity SET used_capacity = used_capacity + 512 WHERE host_id = ? AND capacity_type = 3";
        bench.store.db().run(promised, args![bench.pool_id("c1-p1")]).await.expect("a row");
        bench.compare().await;
        let (id, _) = bench.only(kind).await;
        bench.drift().accept(&id, by(2), None).await.expect("it is so");
        bench.check(kind).await;
        bench.compare().await;
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        bench.world.stop().await;
    }
}

/// A machine that went to another host with its disk on the host's own storage: first the machine, then the disk.
#[tokio::test(flavor = "multi_thread")]
async fn first_the_machine_then_its_disks() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(127), database).await;
        let pool = bench.estate.pools.iter().find(|pool| pool.host_ip() == Some(bench.ip("c1-h1").as_str()));
        let pool = pool.expect("the host's own storage").name.clone();
        assert_eq!(bench.pool_of("ROOT-own").await, pool);
        bench.carry_disk("own", "ROOT-own", "c1-p1").await;
        let (name, file) = (bench.instance("own"), bench.disk("ROOT-own").file_name());
        let shared = bench.world.world().change(|state| {
            let host = state.find(&name).expect("the machine").0.to_owned();
            let vm = state.vm_mut(&host, &name).expect("the machine");
            vm.disks.iter_mut().find(|disk| disk.file == file).expect("the disk").on_host = None;
        });
        shared.expect("the world is saved");
        bench.carry("own", "c1-h1", "c1-h2");
        bench.compare().await;
        let found = bench.findings(Some(false)).await;
        assert_eq!((&found[0].1["kind"], &found[1].1["kind"]), (&"vm-elsewhere".into(), &"disk-elsewhere".into()));
        let order = refusal(bench.drift().accept(&found[1].0, by(1), None).await);
        assert!(order.contains("Resolve that finding first"), "{kind}: {order}");
        bench.drift().accept(&found[0].0, by(2), None).await.expect("the machine");
        bench.drift().accept(&found[1].0, by(3), None).await.expect("the disk");
        assert_eq!((bench.host_of("own").await.as_str(), bench.pool_of("ROOT-own").await.as_str()), ("c1-h2", "c1-p1"));
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// What has no place in the database is refused, and it is said what to do.
#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_place_is_refused() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(128), database).await;
        bench.rename_folder("web", "DATA-web", r"\\fs9\elsewhere");
        bench.compare().await;
        let (id, found) = bench.only(kind).await;
        assert_eq!((&found["kind"], found.get("foundstorage")), (&"disk-elsewhere".into(), None), "{kind}");
        let text = refusal(bench.drift().accept(&id, by(1), None).await);
        assert!(text.contains(r"\\fs9\elsewhere") && text.contains("createStoragePool"), "{kind}: {text}");
        assert_eq!(bench.pool_of("DATA-web").await, "c1-p1", "{kind}");

        let (ip, name) = (bench.ip("c1-h1"), bench.instance("own"));
        bench.world.world().change(|state| state.remove(&ip, &name)).expect("the world is saved");
        bench.compare().await;
        let missing = bench.findings(Some(false)).await.into_iter().find(|(_, found)| found["kind"] == "vm-missing");
        let text = refusal(bench.drift().accept(&missing.expect("a finding").0, by(2), None).await);
        assert!(text.contains("no place for a machine that is nowhere"), "{kind}: {text}");
        let unknown = bench.drift().accept("no-such-finding", by(3), None).await;
        assert!(matches!(unknown, Err(DriftRefusal::NotFound(_))), "{kind}: {unknown:?}");
        bench.world.stop().await;
    }
}

/// The host is asked once more: what it says now counts, and who does not answer has said nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_so_any_more_is_refused() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(129), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let (id, _) = bench.only(kind).await;
        bench.carry("web", "c1-h2", "c2-h1");
        let text = refusal(bench.drift().accept(&id, by(1), None).await);
        assert!(text.contains("something else now") && text.contains("c2-h1"), "{kind}: {text}");
        bench.carry("web", "c2-h1", "c1-h1");
        let text = refusal(bench.drift().accept(&id, by(2), None).await);
        assert!(text.contains("something else now"), "{kind}: {text}");
        bench.world.kill_host(&bench.ip("c1-h1")).await.expect("it dies");
        let text = refusal(bench.drift().accept(&id, by(3), None).await);
        assert!(text.contains("does not answer"), "{kind}: {text}");
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}");
        bench.world.stop().await;
    }
}

/// No decision while something moves: neither while a motion is in the journal, nor while a job holds the machine.
#[tokio::test(flavor = "multi_thread")]
async fn what_moves_is_refused() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(130), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let (id, _) = bench.only(kind).await;
        let job = "INSERT INTO async_job (id, user_id, account_id, job_cmd, job_status, created, related) \
            VALUES (4711, 2, 2, 'x', 0, '2026-11-23 00:00:00', '')";
        bench.store.db().run(job, vec![]).await.expect("a job");
        assert!(bench.store.lock_take(&format!("vm:{}", bench.vm_id("web")), 4711).await.expect("a lock"));
        let text = refusal(bench.drift().accept(&id, by(1), None).await);
        assert!(text.contains("under way or about to begin"), "{kind}: {text}");
        bench.store.db().run("UPDATE async_job SET job_status = 1 WHERE id = 4711", vec![]).await.expect("a job");

        bench.begin_motion("web", "settled", Some("unknown")).await;
        let text = refusal(bench.drift().accept(&id, by(2), None).await);
        assert!(text.contains("not known"), "{kind}: {text}");
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}");
        bench.store.db().run("UPDATE motion_migration SET outcome = 'not-done'", vec![]).await.expect("a row");
        bench.drift().accept(&id, by(3), None).await.expect("it is over");
        assert_eq!(bench.host_of("web").await, "c1-h2", "{kind}");
        bench.world.stop().await;
    }
}

/// What is dismissed is not raised again as long as it looks the same; when it comes back later it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_dismissed_stays_so_while_it_looks_the_same() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(131), database).await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let (id, _) = bench.only(kind).await;
        bench.drift().dismiss(&id, by(1), Some("until Friday")).await.expect("it is open");
        bench.drift().dismiss(&id, by(1), None).await.expect("the same job has done it");
        let again = refusal(bench.drift().accept(&id, by(2), None).await);
        assert!(again.contains("dismissed"), "{kind}: {again}");
        bench.compare().await;
        bench.compare().await;
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        assert_eq!(bench.count(ALERTS).await, 1, "{kind}");
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}");

        bench.carry("web", "c1-h2", "c1-h1");
        bench.compare().await;
        bench.carry("web", "c1-h1", "c1-h2");
        bench.compare().await;
        let (new, _) = bench.only(kind).await;
        assert_ne!(new, id, "{kind}");
        assert_eq!(bench.count(ALERTS).await, 2, "{kind}");
        bench.world.stop().await;
    }
}
