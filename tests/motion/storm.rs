//! 200 migrations at once, with duplicates for the same VM among them: all end, and no VM is ever in two motions.

use std::sync::Arc;

use stackmotion::motion::VolumeRequest;

use super::bench::{Bench, MIB, ROOT};
use crate::support::database;
use stackmotion::demo::{DiskPlan, Plan, VmPlan};

const VMS: usize = 20;
const ROUNDS: usize = 10;

fn crowd(net: u8) -> Plan {
    let mut plan = Plan::regular(net, 1, 2, 2);
    for number in 0..VMS {
        let host = if number % 2 == 0 { "c1-h1" } else { "c1-h2" };
        let disk = DiskPlan::shared(&format!("ROOT-{number}"), "c1-p1", 8 * MIB, MIB);
        plan = plan.vm(VmPlan::new(&format!("vm{number}"), host).disk(disk));
    }
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_at_once() {
    for (kind, database) in database::each().await {
        let bench = Arc::new(Bench::start(&crowd(68), database).await);
        let mut running = tokio::task::JoinSet::new();
        for round in 0..ROUNDS {
            for number in 0..VMS {
                let bench = Arc::clone(&bench);
                let pool = if round % 2 == 0 { "c1-p2" } else { "c1-p1" };
                running.spawn(async move {
                    let request = VolumeRequest {
                        volume_id: bench.disk(&format!("ROOT-{number}")).id,
                        pool_id: bench.pool_id(pool),
                        live: true,
                        new_offering_id: None,
                    };
                    let job = (round * VMS + number + 1) as i64;
                    bench.motion.migrate_volume(job, &ROOT, &request).await.map_err(|refusal| refusal.text)
                });
            }
        }
        let mut moved = 0;
        while let Some(result) = running.join_next().await {
            match result.expect("no panic") {
                Ok(_) => moved += 1,
                // Whoever comes second finds the volume moving, or where it wants to go.
                Err(text) => assert!(
                    text.contains("Volume must be in ready state")
                        || text.contains("is already on the destination storage pool")
                        || text.contains("is not known yet"),
                    "{kind}: {text}"
                ),
            }
        }
        assert!(moved >= VMS, "{kind}: every VM's disk moved at least once, {moved} moves");
        let motions =
            bench.store.db().rows("SELECT vm_id, sent_at, ended, id FROM motion_migration", vec![]).await.unwrap();
        assert_eq!(motions.len(), moved, "{kind}: a motion for each move and no other");
        let overlaps = "SELECT a.id FROM motion_migration a JOIN motion_migration b ON a.vm_id = b.vm_id AND a.id < b.id \
            WHERE b.created < a.ended";
        let overlaps = bench.store.db().rows(overlaps, vec![]).await.unwrap();
        assert!(overlaps.is_empty(), "{kind}: a VM was in two motions at once: {overlaps:?}");
        bench.check(kind).await;
        Arc::try_unwrap(bench).ok().expect("nobody else has it").world.stop().await;
    }
}
