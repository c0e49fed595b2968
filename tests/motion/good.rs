//! Motions that work.

use std::sync::Arc;

use stackmotion::args;
use stackmotion::motion::{OfflineRequest, OfflineTarget, Probe, Step, VolumeRequest};
use stackmotion::store::ResourceKind;
use tokio::sync::Barrier;

use super::bench::{Bench, ROOT, plan};
use crate::support::database;

/// The checks of both have seen the room that there is for one.
#[tokio::test(flavor = "multi_thread")]
async fn two_that_begin_together_share_the_room_that_there_is() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(12), database).await;
        let live = bench.volume_request();
        let cold = VolumeRequest { volume_id: bench.disk("ROOT-off").id, live: false, ..live };
        let mut sizes = Vec::new();
        for id in [live.volume_id, cold.volume_id] {
            sizes.push(bench.store.volume_by_id(id).await.expect("the database").expect("a disk").size_bytes);
        }
        let there = bench.store.pool_allocated_bytes(live.pool_id).await.expect("a sum");
        let room = (there + sizes[0].max(sizes[1])) * 100 / 85 + 1024;
        let sql = "UPDATE storage_pool SET capacity_bytes = ?, used_bytes = 0 WHERE id = ?";
        bench.store.db().run(sql, args![room, live.pool_id]).await.expect("a smaller pool");

        let together = Arc::new(Barrier::new(2));
        let probe: Probe = Arc::new(move |step, before| {
            let together = Arc::clone(&together);
            Box::pin(async move {
                if before && step == Step::Mark {
                    together.wait().await;
                }
            })
        });
        let motion = bench.another_motion(Some(probe));
        let (first, second) =
            tokio::join!(motion.migrate_volume(1, &ROOT, &live), motion.migrate_volume(2, &ROOT, &cold));
        let refused = match (&first, &second) {
            (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
            _ => panic!("{kind}: {first:?}, {second:?}"),
        };
        assert!(refused.text.contains("does not have enough space"), "{kind}: {}", refused.text);
        let promised = bench.store.pool_allocated_bytes(live.pool_id).await.expect("a sum");
        assert!(promised * 100 <= room * 85, "{kind}: {promised} of {room}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_motion() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(60), database).await;
        bench.check(&format!("{kind}: before")).await;

        let moved = bench.motion.migrate_volume(1, &ROOT, &bench.volume_request()).await.expect("a live volume moves");
        assert_eq!(moved, bench.disk("DATA-shared").id, "the row stays the same");
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2");
        bench.check(&format!("{kind}: live volume")).await;

        bench.motion.migrate_vm(2, &ROOT, bench.plain_request()).await.expect("a VM on shared storage moves");
        assert_eq!(bench.host_of("shared").await, "c1-h2");
        bench.check(&format!("{kind}: VM alone")).await;

        bench.motion.migrate_vm_with_volumes(3, &ROOT, &bench.vm_request()).await.expect("a VM moves with its disks");
        assert_eq!(bench.host_of("shared").await, "c2-h1");
        assert_eq!(bench.pool_of("ROOT-shared").await, "c2-p1");
        bench.check(&format!("{kind}: VM with storage")).await;

        let request = stackmotion::motion::StorageRequest {
            vm_id: bench.vm_id("local"),
            host_id: Some(bench.host_id("c2-h2")),
            map: Vec::new(),
        };
        bench.motion.migrate_vm_with_volumes(4, &ROOT, &request).await.expect("a VM on local storage moves, unmapped");
        assert_eq!(bench.pool_of("ROOT-local").await, "c2-h2-local", "its disk goes to local storage again");
        bench.check(&format!("{kind}: local VM")).await;

        let old = bench.disk("ROOT-off").id;
        let tag = "INSERT INTO resource_tags (uuid, `key`, value, resource_id, resource_uuid, resource_type, domain_id, account_id) \
            VALUES ('tag', 'owner', 'backup', ?, ?, 'Volume', 1, 2)";
        let disk = &bench.disk("ROOT-off").uuid;
        bench.store.db().run(tag, args![old, disk]).await.expect("a tag");
        let (pool_id, live) = (bench.pool_id("c1-p2"), false);
        let request = VolumeRequest { volume_id: old, pool_id, live, new_offering_id: None };
        let moved = bench.motion.migrate_volume(5, &ROOT, &request).await.expect("a stopped VM's disk is copied");
        assert_ne!(moved, old, "a cold move makes a new row");
        assert_eq!(bench.pool_of("ROOT-off").await, "c1-p2");
        let tagged = bench.store.tags_of(ResourceKind::Volume, &[old, moved]).await.expect("tags");
        assert_eq!(tagged.into_keys().collect::<Vec<_>>(), [moved], "{kind}: the tag goes with the disk");
        bench.check(&format!("{kind}: cold volume")).await;

        let to = OfflineTarget::Pool(bench.pool_id("c1-p1"));
        let request = OfflineRequest { vm_id: bench.vm_id("stopped"), to };
        bench.motion.migrate_stopped_vm(6, &ROOT, &request).await.expect("the disks of a stopped VM are copied");
        assert_eq!(bench.pool_of("ROOT-off").await, "c1-p1");
        bench.check(&format!("{kind}: stopped VM")).await;
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stock_agents_move_and_the_result_says_what_was_not_verified() {
    let mut plan = plan(63);
    for cluster in &mut plan.clusters {
        for host in &mut cluster.hosts {
            host.plain = true;
        }
    }
    let bench = Bench::start(&plan, database::sqlite().await).await;
    bench.motion.migrate_vm_with_volumes(1, &ROOT, &bench.vm_request()).await.expect("it moves");
    let row = bench.store.motions_of_job(1).await.unwrap().pop().expect("a motion");
    assert_eq!(row.outcome.as_deref(), Some("done"));
    let verified = row.verified.unwrap_or_default();
    assert!(verified.contains("cannot tell where the disks are"), "{verified}");
    bench.check("stock agents").await;
    bench.world.stop().await;
}
