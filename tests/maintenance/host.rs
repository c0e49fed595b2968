//! `prepareHostForMaintenance` and `cancelHostMaintenance`.

use stackmotion::args;
use stackmotion::demo::{DiskPlan, Plan, VmPlan};

use super::{count, done, gateway, host_state, is_moving, jobs_end, number, plan, wait_for_host};
use crate::motion::bench::{Bench, MIB};
use crate::support::database;

/// Machines leave with their local disks, guests write on, the host is in maintenance when nothing is left; afterwards it is
/// used again.
#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_emptied_and_taken_back() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(240), database).await;
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.host("c1-h1").expect("a host").uuid.clone();
        let answer = done(&gateway, "prepareHostForMaintenance", &id).await.expect(kind);
        assert_eq!(answer["host"]["id"], id.as_str(), "{kind}");
        wait_for_host(&gateway, &id, "Maintenance").await;
        for vm in ["web", "own", "both"] {
            assert_eq!(bench.host_of(vm).await, "c1-h2", "{kind}: {vm}");
        }
        assert_eq!(bench.pool_of("ROOT-web").await, "c1-p1", "{kind}: what reaches there stays where it is");
        bench.check(kind).await;
        let number_of_host = number(&bench, &format!("SELECT id FROM host WHERE uuid = '{id}'")).await;
        let host = bench.store.host_by_id(number_of_host).await.expect("the database").expect("the host");
        let zone = bench.store.zone_name(host.zone_id).await.expect("a zone");
        let pod = bench.store.pod_name(host.pod_id).await.expect("a pod");
        let told = format!(
            "Migration Complete for host name: {} (id:{}), availability zone: {zone}, pod: {pod}",
            host.name, host.id
        );
        assert_eq!(count(&gateway, "listAlerts", &told).await, 1, "{kind}");
        assert_eq!(count(&gateway, "listEvents", "starting maintenance for host").await, 1, "{kind}");
        assert_eq!(count(&gateway, "listEvents", "completed maintenance for host").await, 1, "{kind}");

        let again = done(&gateway, "prepareHostForMaintenance", &id).await.expect_err(kind);
        let text = "Failed to prepare host for maintenance due to: Host is already in state Maintenance. Cannot recall for \
            maintenance until resolved.";
        assert_eq!(again, (530, text.to_owned()), "{kind}");

        let answer = done(&gateway, "cancelHostMaintenance", &id).await.expect(kind);
        assert_eq!(answer["host"]["resourcestate"], "Enabled", "{kind}");
        let (code, text) = done(&gateway, "cancelHostMaintenance", &id).await.expect_err(kind);
        assert_eq!(code, 530, "{kind}");
        assert!(
            text.starts_with("Cannot perform cancelMaintenance when resource state is Enabled, host: Host {"),
            "{text}"
        );
        assert_eq!(bench.host_of("web").await, "c1-h2", "{kind}: nothing is moved back");

        // The other one, and this one again: what was tried the first time is over.
        for (number, name) in [(2, "c1-h2"), (3, "c1-h1")] {
            let id = bench.estate.host(name).expect("a host").uuid.clone();
            done(&gateway, "prepareHostForMaintenance", &id).await.expect(kind);
            wait_for_host(&gateway, &id, "Maintenance").await;
            assert_eq!(count(&gateway, "listAlerts", "Migration Complete for host").await, number, "{kind}");
            done(&gateway, "cancelHostMaintenance", &id).await.expect(kind);
        }
        assert_eq!(count(&gateway, "listAlerts", "Unable to empty host").await, 0, "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A machine that fits nowhere runs on; the host says so, and the alert says why.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_runs_on() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let vm = VmPlan::new("web", "c1-h1").disk(DiskPlan::shared("ROOT-web", "c1-p1", 8 * MIB, MIB)).with_guest();
        let bench = Bench::start(&Plan::regular(241, 1, 1, 1).vm(vm), database).await;
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.host("c1-h1").expect("a host").uuid.clone();
        done(&gateway, "prepareHostForMaintenance", &id).await.expect(kind);
        wait_for_host(&gateway, &id, "ErrorInPrepareForMaintenance").await;
        wait_for_host(&gateway, &id, "ErrorInMaintenance").await;
        assert_eq!(count(&gateway, "listAlerts", "Unable to empty host c1-h1").await, 2, "{kind}");
        let sql = "SELECT COUNT(*) FROM alert WHERE content LIKE '%Unable to find suitable destination to migrate VM%'";
        assert_eq!(number(&bench, sql).await, 2, "{kind}");
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}");
        done(&gateway, "cancelHostMaintenance", &id).await.expect(kind);
        assert_eq!(host_state(&gateway, &id).await, "Enabled", "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A machine that neither runs nor is stopped cannot be moved. It keeps no other from being moved, and is not waited for in silence.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_no_state_to_be_moved_is_told() {
    let database = database::sqlite().await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let machine =
        |name: &str, disk: &str| VmPlan::new(name, "c1-h1").disk(DiskPlan::shared(disk, "c1-p1", 8 * MIB, MIB));
    let plan = Plan::regular(14, 1, 2, 1)
        .vm(machine("web", "ROOT-web"))
        .vm(machine("one", "ROOT-one"))
        .vm(machine("two", "ROOT-two"));
    let bench = Bench::start(&plan, database).await;
    let gateway = gateway(&bench, folder.path(), &url).await;
    let id = bench.estate.host("c1-h1").expect("a host").uuid.clone();
    let sql = "UPDATE vm_instance SET state = 'Starting' WHERE id IN (?, ?)";
    bench.store.db().run(sql, args![bench.vm_id("one"), bench.vm_id("two")]).await.expect("a state");
    // The command asks for them to be ready first, but they may become so afterwards.
    let sql = "UPDATE host SET resource_state = 'PrepareForMaintenance' WHERE uuid = ?";
    bench.store.db().run(sql, args![&id]).await.expect("a state");
    wait_for_host(&gateway, &id, "ErrorInMaintenance").await;
    assert_eq!(bench.host_of("web").await, "c1-h2");
    let sql = "SELECT COUNT(*) FROM alert WHERE content LIKE '%it is Starting, and only machines that run are moved%'";
    assert!(number(&bench, sql).await > 0);
    bench.world.stop().await;
}

/// Taken back in the middle: what is on its way arrives, what has not begun stays.
#[tokio::test(flavor = "multi_thread")]
async fn taken_back_in_the_middle() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(242), database).await;
        bench.world.world().set_throttle(1 << 20);
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.host("c1-h1").expect("a host").uuid.clone();
        done(&gateway, "prepareHostForMaintenance", &id).await.expect(kind);
        is_moving(&bench).await;
        done(&gateway, "cancelHostMaintenance", &id).await.expect(kind);
        bench.world.world().set_throttle(0);
        jobs_end(&bench).await;
        assert_eq!(host_state(&gateway, &id).await, "Enabled", "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
