//! `enableStorageMaintenance` and `cancelStorageMaintenance`.

use super::{SETTINGS, count, done, gateway, jobs_end, plan, pool_state};
use crate::motion::bench::{Bench, LONG, wait_for};
use crate::support::database;
use crate::support::gateway::{Ambush, Gateway};

/// What the recorded server tells of a pool here, but for operations per second, of which Hyper-V's pools have none.
const FIELDS: [&str; 26] = [
    "capacitybytes",
    "clusterid",
    "clustername",
    "created",
    "disksizeallocated",
    "disksizetotal",
    "disksizeused",
    "hasannotations",
    "hypervisor",
    "id",
    "ipaddress",
    "istagarule",
    "jobid",
    "jobstatus",
    "managed",
    "name",
    "overprovisionfactor",
    "path",
    "podid",
    "podname",
    "provider",
    "scope",
    "state",
    "type",
    "zoneid",
    "zonename",
];

/// Disks of machines that run leave, their guests write on, what nothing runs from stays; afterwards the pool is used again.
#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_emptied_and_taken_back() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(243), database).await;
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.pool("c1-p1").expect("a pool").uuid.clone();
        let answer = done(&gateway, "enableStorageMaintenance", &id).await.expect(kind);
        assert_eq!(answer["storagepool"]["state"], "Maintenance", "{kind}: the answer comes when it is empty");
        let mut fields: Vec<_> =
            answer["storagepool"].as_object().expect("a pool").keys().map(String::as_str).collect();
        fields.sort_unstable();
        assert_eq!(fields, FIELDS, "{kind}");
        for disk in ["ROOT-web", "ROOT-both"] {
            assert_eq!(bench.pool_of(disk).await, "c1-p2", "{kind}: {disk}");
        }
        assert_eq!(bench.pool_of("ROOT-cold").await, "c1-p1", "{kind}");
        bench.check(kind).await;

        let (code, text) = done(&gateway, "enableStorageMaintenance", &id).await.expect_err(kind);
        assert_eq!(code, 431, "{kind}");
        assert!(text.ends_with("is not ready for migration, as the status is:Maintenance"), "{kind}: {text}");
        let answer = done(&gateway, "cancelStorageMaintenance", &id).await.expect(kind);
        assert_eq!(answer["storagepool"]["state"], "Up", "{kind}");
        let (code, text) = done(&gateway, "cancelStorageMaintenance", &id).await.expect_err(kind);
        assert_eq!(code, 530, "{kind}");
        assert!(text.ends_with("is not ready to complete migration, as the status is:Up"), "{kind}: {text}");
        bench.world.stop().await;
    }
}

/// Where one job runs at a time, those that move the disks run all the same: the one that waits for them is not in their way.
#[tokio::test(flavor = "multi_thread")]
async fn one_worker_empties_a_pool() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(225), database).await;
        let settings = [&SETTINGS[..], &["jobs.workers=1"]].concat();
        let gateway = Gateway::start(&bench, folder.path(), &url, &settings, Ambush::None).await;
        let id = bench.estate.pool("c1-p1").expect("a pool").uuid.clone();
        let emptied = tokio::time::timeout(LONG, done(&gateway, "enableStorageMaintenance", &id)).await;
        let answer = emptied.unwrap_or_else(|_| panic!("{kind}: it waits for ever")).expect(kind);
        assert_eq!(answer["storagepool"]["state"], "Maintenance", "{kind}");
        for disk in ["ROOT-web", "ROOT-both"] {
            assert_eq!(bench.pool_of(disk).await, "c1-p2", "{kind}: {disk}");
        }
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// Where no other pool takes a disk, it is used on, and both job and alert say so.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_moved_is_used_on() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let mut plan = plan(244);
        plan.clusters[0].pools.truncate(1);
        let bench = Bench::start(&plan, database).await;
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.pool("c1-p1").expect("a pool").uuid.clone();
        let (code, text) = done(&gateway, "enableStorageMaintenance", &id).await.expect_err(kind);
        assert_eq!(code, 530, "{kind}");
        assert!(text.contains("could not be emptied: ROOT-web, ROOT-both could not be moved"), "{kind}: {text}");
        assert_eq!(pool_state(&gateway, &id).await, "ErrorInMaintenance", "{kind}");
        assert_eq!(count(&gateway, "listAlerts", "Unable to empty storage pool c1-p1").await, 1, "{kind}");
        assert_eq!(bench.pool_of("ROOT-web").await, "c1-p1", "{kind}");
        done(&gateway, "cancelStorageMaintenance", &id).await.expect(kind);
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// Cancelled while it is being emptied: the job ends and says so, and nothing more is handed in.
#[tokio::test(flavor = "multi_thread")]
async fn cancelled_in_the_middle() {
    for (kind, database) in database::each().await {
        let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
        let bench = Bench::start(&plan(245), database).await;
        bench.world.world().set_throttle(1 << 20);
        let gateway = gateway(&bench, folder.path(), &url).await;
        let id = bench.estate.pool("c1-p1").expect("a pool").uuid.clone();
        let cancel = async {
            let is_being_emptied = async || pool_state(&gateway, &id).await == "PrepareForMaintenance";
            wait_for("it to begin", is_being_emptied).await;
            done(&gateway, "cancelStorageMaintenance", &id).await.expect(kind);
            bench.world.world().set_throttle(0);
        };
        let (ended, ()) = tokio::join!(done(&gateway, "enableStorageMaintenance", &id), cancel);
        let (code, text) = ended.expect_err(kind);
        assert_eq!(code, 530, "{kind}");
        assert!(text.contains("The maintenance of storage pool c1-p1 was cancelled"), "{kind}: {text}");
        jobs_end(&bench).await;
        assert_eq!(pool_state(&gateway, &id).await, "Up", "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
