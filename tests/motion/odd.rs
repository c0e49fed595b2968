//! What hosts, databases and other servers do rarely, and what ended no motion: a job always comes to an end, and what it cannot
//! settle is asked about again.

use std::time::Duration;

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::args;
use stackmotion::motion::{Patience, Step};

use super::bench::{Bench, patience, plan, wait_for};
use super::crash::{What, run_as};
use super::doubt::{dies_at, impatient, meddling};
use super::killed::dies;
use super::places::{PACE, Place, Way, count, start};
use crate::support::database;
use crate::support::gateway::Ambush;

async fn vm_state(bench: &Bench) -> String {
    let sql = "SELECT state FROM vm_instance WHERE id = ?";
    let row = bench.store.db().row(sql, args![bench.vm_id("stopped")]).await.expect("the database").expect("the VM");
    row.at(0).expect("a state")
}

/// It has not heard of the motion, and does not say that it refuses it from now on: it may begin yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_say_that_it_will_not_begin() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(160), database).await;
        dies_at(&bench, Step::Send, What::Volume).await;
        let deaf = bench.fault(FaultRule::on("CancelMotionCommand", Fault::HttpStatus { status: 500 }));
        let text = run_as(&bench, &impatient(&bench), What::Volume, 1).await.expect_err(kind);
        assert!(text.contains("not known") && text.contains("does not say that it will not"), "{kind}: {text}");
        assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"), "{kind}");
        bench.world.world().faults.remove(Some(deaf));
        bench.motion.ask_again().await.expect("the host answers");
        assert_eq!(bench.outcome(1).await.as_deref(), Some("not-done"), "{kind}");
        assert_eq!(Way::of(What::Volume).seen(&bench).await, Way::of(What::Volume).from, "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A machine whose disks are copied and whose memory is not: nobody sees that it moves, and it may take days. Somebody is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_for_long_that_all_is_copied() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(161), database).await;
        let stands = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::StallAfterSwitch));
        let motion = bench.motion_with(Patience { unseen: Some(Duration::from_millis(200)), ..patience() });
        let told = async {
            let alerts =
                "SELECT COUNT(*) FROM alert WHERE content LIKE '%says that all is copied and that it is not over%'";
            wait_for("somebody to be told", async || count(&bench, alerts, vec![]).await == 1).await;
            bench.world.world().faults.release(Some(stands));
        };
        let (moved, ()) = tokio::join!(run_as(&bench, &motion, What::Volume, 1), told);
        moved.expect(kind);
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// What stands in a row of the target is such that the database does not take the sum.
#[cfg(feature = "mariadb-tests")]
#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_the_database_does_not_take() {
    let bench = Bench::start(&plan(162), database::mariadb().await).await;
    let of_pool = "WHERE capacity_type = 3 AND host_id = ?";
    let pool_id = bench.pool_id("c1-p2");
    let before = count(&bench, &format!("SELECT used_capacity FROM op_host_capacity {of_pool}"), args![pool_id]).await;
    let set = async |used: i64| {
        let sql = format!("UPDATE op_host_capacity SET used_capacity = ? {of_pool}");
        bench.store.db().run(&sql, args![used, pool_id]).await.expect("a row");
    };
    set(i64::MAX).await;
    let text = run_as(&bench, &bench.motion, What::Volume, 1).await.expect_err("the sum is out of range");
    assert!(text.contains("The database does not take what would stand in a row"), "{text}");
    assert_eq!(bench.outcome(1).await.as_deref(), Some("unknown"));
    set(before).await;
    bench.motion.ask_again().await.expect("the hosts answer");
    assert_eq!(bench.outcome(1).await.as_deref(), Some("done"));
    assert_eq!(Way::of(What::Volume).seen(&bench).await, Way::of(What::Volume).to);
    bench.check("it was mended").await;
    bench.world.stop().await;
}

/// A management server has heard from the host that the machine is off, and writes so while its disks are copied.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_machine_that_somebody_else_takes_out_of_its_move() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(163), database).await;
        let sql = "UPDATE vm_instance SET state = 'Stopped', update_count = update_count + 1 WHERE state = 'Migrating'";
        let motion = meddling(&bench, Step::Settle, sql);
        run_as(&bench, &motion, What::Stopped, 1).await.expect(kind);
        assert_eq!(vm_state(&bench).await, "Stopped", "{kind}");
        assert_eq!(count(&bench, "SELECT COUNT(*) FROM motion_stopped_vm", vec![]).await, 0, "{kind}");
        assert_eq!(Way::of(What::Stopped).seen(&bench).await, Way::of(What::Stopped).to, "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// Its job has ended in the middle, and nobody runs it again.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_machine_whose_job_is_gone_is_let_go() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(164), database).await;
        dies_at(&bench, Step::Judge, What::Stopped).await;
        assert_eq!(vm_state(&bench).await, "Migrating", "{kind}");
        bench.motion.take_up_orphans().await.expect("the hosts answer");
        assert_eq!(vm_state(&bench).await, "Stopped", "{kind}");
        assert_eq!(count(&bench, "SELECT COUNT(*) FROM motion_stopped_vm", vec![]).await, 0, "{kind}");
        bench.check(kind).await;
        run_as(&bench, &bench.motion, What::Stopped, 2).await.expect("it can be moved again");
        bench.world.stop().await;
    }
}

/// The host that receives the machine is taken away while nobody is there. The job that was begun is ended, not refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_has_begun_is_not_refused_when_it_is_run_again() {
    const JOB: &str = "00000000-0000-4000-8000-00000000beef";
    for what in [What::VmWithVolumes, What::Vm] {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {what:?}");
            let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
            let bench = Bench::start(&plan(165), database).await;
            let way = Way::of(what);
            let first = start(&bench, folder.path(), &url, Ambush::KillAt(Place::Before(Step::Judge).word())).await;
            let (command, params) = way.call(&bench, JOB);
            let params: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
            first.client.call(command, &params).await.expect(&case);
            dies(first, &case).await;
            let gone = "UPDATE host SET removed = created WHERE id = (SELECT target_host_id FROM motion_migration)";
            bench.store.db().run(gone, vec![]).await.expect("it is taken away");
            let second = start(&bench, folder.path(), &url, Ambush::None).await;
            let ended = second.client.wait(JOB, PACE, |_| {}).await;
            ended.unwrap_or_else(|error| panic!("{case}: {error}"));
            assert_eq!(way.seen(&bench).await, way.to, "{case}");
            bench.world.stop().await;
        }
    }
}
