//! What does not run is compared too: a machine that is stopped is to be stopped, and the files of its disks, and of disks that
//! belong to no machine, are to be where the database says.

use std::path::PathBuf;

use stackmotion::args;
use stackmotion::demo::{DiskPlan, Plan, VmPlan};

use super::{Behind as _, by, plan, refusal};
use crate::motion::bench::{Bench, MIB, ROOT};
use crate::support::database;

const DETACH: &str = "UPDATE volumes SET instance_id = NULL, device_id = NULL WHERE name = 'DATA-cold'";

/// The estate of the other tests, and a machine that is stopped with two disks on shared storage.
fn estate(net: u8) -> Plan {
    let cold = VmPlan::new("cold", "c1-h1")
        .disk(DiskPlan::shared("ROOT-cold", "c1-p1", 8 * MIB, MIB))
        .disk(DiskPlan::shared("DATA-cold", "c1-p1", 8 * MIB, MIB))
        .stopped();
    plan(net).vm(cold)
}

/// The file of a disk, as if it were in this pool.
async fn file_in(bench: &Bench, disk: &str, pool: &str) -> PathBuf {
    let known = bench.disk(disk);
    let row = bench.store.volume_by_uuid(&known.uuid).await.expect("the database").expect("the volume");
    bench.file(&row.path.expect("a path"), bench.pool_id(pool), known)
}

async fn carry_file(bench: &Bench, disk: &str, from: &str, to: &str) {
    let (source, target) = (file_in(bench, disk, from).await, file_in(bench, disk, to).await);
    std::fs::rename(source, target).expect("the file can be moved");
}

/// The disk of a stopped machine, and one that belongs to none: moved by hand, found once, and followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_was_moved() {
    for (net, detached) in [(232, false), (233, true)] {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, detached: {detached}");
            let bench = Bench::start(&estate(net), database).await;
            if detached {
                bench.store.db().run(DETACH, vec![]).await.expect("a row");
            }
            bench.compare().await;
            assert_eq!(bench.findings(None).await, [], "{case}: everything is as it should be");

            carry_file(&bench, "DATA-cold", "c1-p1", "c1-p2").await;
            bench.compare().await;
            bench.compare().await;
            let (id, found) = bench.only(&case).await;
            let shown = (&found["kind"], &found["volumename"], &found["storage"], &found["foundstorage"]);
            assert_eq!(
                shown,
                (&"disk-elsewhere".into(), &"DATA-cold".into(), &"c1-p1".into(), &"c1-p2".into()),
                "{case}"
            );
            assert_eq!(found.get("virtualmachinename").is_none(), detached, "{case}: {found}");
            assert_eq!(
                bench.count("SELECT COUNT(*) FROM alert WHERE subject LIKE '%disk-elsewhere'").await,
                1,
                "{case}"
            );
            assert_eq!(bench.pool_of("DATA-cold").await, "c1-p1", "{case}: nothing is corrected by itself");

            bench.drift().accept(&id, by(1), None).await.expect("it is so");
            assert_eq!(bench.pool_of("DATA-cold").await, "c1-p2", "{case}");
            bench.compare().await;
            assert_eq!(bench.findings(Some(false)).await, [], "{case}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}

/// A file that is gone is a finding until it is back. A disk that is attached meanwhile is compared with its machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_gone() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&estate(234), database).await;
        bench.store.db().run(DETACH, vec![]).await.expect("a row");
        let file = file_in(&bench, "DATA-cold", "c1-p1").await;
        let aside = file.with_file_name("aside.vhdx");
        std::fs::rename(&file, &aside).expect("the file can be moved");
        bench.compare().await;
        let (id, found) = bench.only(kind).await;
        assert_eq!((&found["kind"], &found["volumename"]), (&"disk-missing".into(), &"DATA-cold".into()), "{kind}");
        let text = refusal(bench.drift().accept(&id, by(1), None).await);
        assert!(text.contains("bring it back"), "{kind}: {text}");

        let attach = "UPDATE volumes SET instance_id = ?, device_id = 1 WHERE name = 'DATA-cold'";
        bench.store.db().run(attach, args![bench.vm_id("cold")]).await.expect("a row");
        bench.compare().await;
        let (again, found) = bench.only(kind).await;
        assert_ne!(again, id, "{kind}: it is the machine's now");
        assert_eq!(found["virtualmachinename"], "cold", "{kind}");

        std::fs::rename(&aside, &file).expect("the file can be moved back");
        bench.compare().await;
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        bench.world.stop().await;
    }
}

/// A disk that has another size than its row says.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_size() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&estate(235), database).await;
        bench.store.db().run(DETACH, vec![]).await.expect("a row");
        let grow = "UPDATE volumes SET size = size + 512 WHERE name = 'DATA-cold'";
        bench.store.db().run(grow, vec![]).await.expect("a row");
        let promised =
            "UPDATE op_host_capacity SET used_capacity = used_capacity + 512 WHERE host_id = ? AND capacity_type = 3";
        bench.store.db().run(promised, args![bench.pool_id("c1-p1")]).await.expect("a row");
        bench.compare().await;
        let (id, found) = bench.only(kind).await;
        assert_eq!(found["kind"], "disk-size", "{kind}");
        bench.drift().accept(&id, by(1), None).await.expect("it is so");
        bench.compare().await;
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A machine that the database calls stopped and a host runs: nobody copies its disks meanwhile, and the database follows.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_machine_that_runs() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(236), database).await;
        let stop = "UPDATE vm_instance SET state = 'Stopped', last_host_id = host_id, host_id = NULL WHERE id = ?";
        bench.store.db().run(stop, args![bench.vm_id("web")]).await.expect("a row");
        bench.compare().await;
        bench.compare().await;
        let (id, found) = bench.only(kind).await;
        assert_eq!((&found["kind"], &found["foundhostname"]), (&"vm-running".into(), &"c1-h1".into()), "{kind}");
        assert_eq!(bench.count("SELECT type FROM alert WHERE subject LIKE '%vm-running'").await, 27, "{kind}");

        let request = stackmotion::motion::VolumeRequest {
            volume_id: bench.disk("DATA-web").id,
            pool_id: bench.pool_id("c1-p2"),
            live: false,
            new_offering_id: None,
        };
        let text = bench.motion.migrate_volume(7, &ROOT, &request).await.expect_err("its machine runs").text;
        assert!(text.contains("Host c1-h1 runs") && text.contains("Nothing was moved"), "{kind}: {text}");
        assert_eq!(bench.pool_of("DATA-web").await, "c1-p1", "{kind}");

        // What the machine needs is still charged to the host, since only its row was changed.
        let free =
            "UPDATE op_host_capacity SET used_capacity = used_capacity - ? WHERE host_id = ? AND capacity_type = ?";
        let offering = "SELECT o.ram_size, o.cpu, o.speed FROM service_offering o JOIN vm_instance v \
            ON v.service_offering_id = o.id WHERE v.name = 'web'";
        let needs = bench.store.db().row(offering, vec![]).await.expect("the database").expect("an offering");
        let (mib, cpus, mhz): (i64, i64, i64) =
            (needs.at(0).expect("MiB"), needs.at(1).expect("CPUs"), needs.at(2).expect("MHz"));
        for (kind_of, amount) in [(0, mib << 20), (1, cpus * mhz), (90, cpus)] {
            let args = args![amount, bench.host_id("c1-h1"), kind_of];
            bench.store.db().run(free, args).await.expect("a row");
        }
        bench.drift().accept(&id, by(1), None).await.expect("it is so");
        assert_eq!(bench.host_of("web").await, "c1-h1", "{kind}");
        bench.compare().await;
        assert_eq!(bench.findings(Some(false)).await, [], "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// A host that is away says nothing of files, and neither does a stock agent.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_tell_has_found_nothing() {
    let mut stock = estate(237);
    for host in stock.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.plain = true;
    }
    for (kind, database) in database::each().await {
        let bench = Bench::start(&stock, database).await;
        carry_file(&bench, "DATA-cold", "c1-p1", "c1-p2").await;
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}");
        bench.world.stop().await;
    }
    for (kind, database) in database::each().await {
        let bench = Bench::start(&estate(238), database).await;
        carry_file(&bench, "DATA-cold", "c1-p1", "c1-p2").await;
        for host in ["c1-h1", "c1-h2"] {
            bench.world.kill_host(&bench.ip(host)).await.expect("it dies");
        }
        bench.compare().await;
        assert_eq!(bench.findings(None).await, [], "{kind}");
        bench.world.stop().await;
    }
}
