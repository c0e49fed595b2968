//! What is known of hosts and pools is kept current, and nothing is moved to a host or pool that is not fit for it, neither when
//! it is planned nor right before it is sent.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::motion::{Motion, Probe, Step};

use super::bench::{self, Bench};
use crate::motion::bench::{Bench as Motions, ROOT, plan, wait_for};
use crate::support::database;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_is_lost_is_told_once_and_comes_back() {
    for (kind, database) in database::each().await {
        let bench = Bench::start_with(database, &bench::world(120), &["agent.ping_interval_s=1"]).await;
        let place = bench.place(120).await;
        bench.host(&place, "127.120.0.2").await.expect("a host");
        // The second host reaches the share only when it is connected the next time.
        let rule = FaultRule::on("ModifyStoragePoolCommand", Fault::Refuse { details: "no".to_owned() });
        bench.world.faults.add(rule.at_host("127.120.0.3"));
        bench.host(&place, "127.120.0.3").await.expect("a host");
        bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
        let refs = "SELECT COUNT(*) FROM storage_pool_host_ref r JOIN storage_pool p ON p.id = r.pool_id WHERE p.scope = 'CLUSTER'";
        assert_eq!(bench.count(refs).await, 1, "{kind}");
        let lost = "SELECT COUNT(*) FROM host WHERE private_ip_address = '127.120.0.3' AND status = 'Disconnected' AND \
            mgmt_server_id IS NULL AND disconnected IS NOT NULL";
        bench.world.kill_host("127.120.0.3").await.expect("it dies");
        wait_for("the loss", async || bench.count(lost).await == 1).await;
        let alerts =
            "SELECT COUNT(*) FROM alert WHERE type = 7 AND subject LIKE 'Host disconnected, name: 127.120.0.3 %'";
        assert_eq!(bench.count(alerts).await, 1, "{kind}");
        bench.world.faults.remove(None);
        bench.world.revive_host("127.120.0.3").expect("it comes back");
        let back =
            "SELECT COUNT(*) FROM host WHERE status = 'Up' AND disconnected IS NULL AND mgmt_server_id IS NOT NULL";
        wait_for("the return", async || bench.count(back).await == 2).await;
        wait_for("the share", async || bench.count(refs).await == 2).await;
        assert_eq!(bench.count(alerts).await, 1, "{kind}: told once");

        // Statistics go into the rows of capacity.
        bench
            .run("UPDATE op_host_capacity SET total_capacity = 1, used_capacity = 0 WHERE capacity_type IN (3, 9)")
            .await;
        bench.run("UPDATE storage_pool SET capacity_bytes = 1").await;
        let stale = "SELECT COUNT(*) FROM op_host_capacity WHERE total_capacity = 1";
        wait_for("figures", async || bench.count(stale).await == 0).await;
        let told = "SELECT COUNT(*) FROM storage_pool p JOIN op_host_capacity c ON c.host_id = p.id AND c.capacity_type = 3 \
            WHERE c.total_capacity = p.capacity_bytes";
        wait_for("the share's size", async || bench.count(told).await == 1).await;
        let loads = "SELECT COUNT(*) FROM motion_host_load";
        wait_for("the hosts' load", async || bench.count(loads).await == 2).await;

        // What was removed is not brought back by a late word about it.
        bench
            .run(
                "UPDATE host SET removed = '2026-11-26 00:00:00', status = 'Removed' \
                 WHERE private_ip_address = '127.120.0.3'",
            )
            .await;
        bench.store.host_up(2, 1).await.expect("the database");
        bench.store.host_away(2, stackmotion::store::Absence::Silent, "late").await.expect("the database");
        assert_eq!(bench.text("SELECT status FROM host WHERE id = 2").await.as_deref(), Some("Removed"));
        bench.stop().await;
    }
}

/// The change of the rows, the part of the text that tells of it, and which of the three motions it stops.
const CHANGES: [(&str, &str, [bool; 3]); 5] = [
    (
        "UPDATE host SET status = 'Disconnected' WHERE id <> 1",
        "has status: Disconnected, state: Enabled",
        [false, true, true],
    ),
    ("UPDATE host SET status = 'Alert' WHERE id <> 1", "has status: Alert, state: Enabled", [false, true, true]),
    (
        "UPDATE host SET resource_state = 'Maintenance' WHERE id <> 1",
        "has status: Up, state: Maintenance",
        [false, true, true],
    ),
    (
        "UPDATE host SET resource_state = 'Disabled' WHERE id <> 1",
        "has status: Up, state: Disabled",
        [false, true, true],
    ),
    (
        "UPDATE storage_pool SET status = 'Maintenance' WHERE name IN ('c1-p2', 'c2-p1')",
        "as the storage pool is in maintenance mode.",
        [true, false, true],
    ),
];

async fn moved(motions: &Motions, motion: &Motion, what: usize) -> Result<(), String> {
    let outcome = match what {
        0 => motion.migrate_volume(1, &ROOT, &motions.volume_request()).await.map(|_| ()),
        1 => motion.migrate_vm(1, &ROOT, motions.plain_request()).await,
        _ => motion.migrate_vm_with_volumes(1, &ROOT, &motions.vm_request()).await,
    };
    outcome.map_err(|refusal| refusal.text)
}

/// Brings a change about when a motion that has passed its checks is about to be written down.
fn meanwhile(store: &stackmotion::store::Store, sql: &'static str) -> Probe {
    let store = store.clone();
    Arc::new(move |step, before| -> BoxFuture<'static, ()> {
        let store = store.clone();
        Box::pin(async move {
            if step == Step::Mark && before {
                store.db().run(sql, vec![]).await.expect("the change");
            }
        })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_moved_to_what_is_not_fit() {
    for (kind, database) in database::each().await {
        let motions = Motions::start(&plan(121), database).await;
        let sent = || motions.world.world().faults.view().iter().map(|fault| fault.seen).sum::<u64>();
        for command in ["MigrateCommand", "MigrateVolumeCommand", "MigrateWithStorageCommand"] {
            // Counts what comes, and would refuse it.
            motions.fault(FaultRule::on(command, Fault::Refuse { details: "not wanted".to_owned() }));
        }
        for (sql, text, stops) in CHANGES {
            for what in (0..3).filter(|what| stops[*what]) {
                let case = format!("{kind}: motion {what}: {sql}");
                motions.store.db().run(sql, vec![]).await.expect("the change");
                let planned = moved(&motions, &motions.motion, what).await.expect_err("refused when it is planned");
                assert!(planned.contains(text), "{case}: {planned}");
                back(&motions).await;

                let motion = motions.another_motion(Some(meanwhile(&motions.store, sql)));
                let late = moved(&motions, &motion, what).await.expect_err("refused before it is sent");
                assert!(late.contains(text), "{case}: {late}");
                back(&motions).await;
                motions.check(&case).await;
            }
        }
        assert_eq!(sent(), 0, "{kind}: nothing was sent");
        motions.world.stop().await;
    }
}

async fn back(motions: &Motions) {
    for sql in ["UPDATE host SET status = 'Up', resource_state = 'Enabled'", "UPDATE storage_pool SET status = 'Up'"] {
        motions.store.db().run(sql, vec![]).await.expect("the rows");
    }
}
