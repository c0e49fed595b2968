//! What is refused, in CloudStack's words (`contract/migration.md` 2.11); nothing is changed then.

use stackmotion::args;

use super::{done, gateway, host_state, plan, pool_state};
use crate::motion::bench::Bench;
use crate::support::database;

#[tokio::test(flavor = "multi_thread")]
async fn hosts() {
    let database = database::sqlite().await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(248), database).await;
    let gateway = gateway(&bench, folder.path(), &url).await;
    let first = bench.estate.host("c1-h1").expect("a host").uuid.clone();
    let run = async |sql: &str| {
        bench.store.db().run(sql, args![]).await.expect("a row");
    };

    let gone = "Failed to prepare host for maintenance due to: Unable to find host with ID: 987654. Please specify a valid host ID.";
    assert_eq!(done(&gateway, "prepareHostForMaintenance", "987654").await, Err((530, gone.to_owned())));
    let gone = "Host with id 987654 doesn't exist";
    assert_eq!(done(&gateway, "cancelHostMaintenance", "987654").await, Err((431, gone.to_owned())));

    let states = [
        ("Starting", "VMs in starting/stopping state. Please wait for them to complete before putting to maintenance."),
        ("Error", "VMs in error/unknown/shutdown state. Please fix errors to proceed."),
        ("Migrating", "incoming VMs migrating. Please wait for them to complete before putting to maintenance."),
    ];
    for (state, words) in states {
        run(&format!("UPDATE vm_instance SET state = '{state}' WHERE name = 'web'")).await;
        let (code, text) = done(&gateway, "prepareHostForMaintenance", &first).await.expect_err(state);
        assert_eq!(
            (code, text),
            (530, format!("Failed to prepare host for maintenance due to: Host contains {words}"))
        );
    }
    run("UPDATE vm_instance SET state = 'Running' WHERE name = 'web'").await;

    run("UPDATE host SET resource_state = 'Disabled' WHERE name = 'c1-h1'").await;
    let (code, text) = done(&gateway, "prepareHostForMaintenance", &first).await.expect_err("it is off");
    assert_eq!(code, 530);
    assert!(text.contains("Cannot transit resource state of Host {"), "{text}");
    assert!(text.ends_with("via AdminAskMaintenance"), "{text}");
    run("UPDATE host SET resource_state = 'Enabled' WHERE name = 'c1-h1'").await;

    // A host of another hypervisor is emptied by nobody, and its neighbours wait for it all the same.
    run("UPDATE host SET resource_state = 'ErrorInPrepareForMaintenance' WHERE name = 'c1-h2'").await;
    let (code, text) = done(&gateway, "prepareHostForMaintenance", &first).await.expect_err("one at a time");
    assert_eq!(code, 530);
    assert!(text.contains("There are other servers attempting migrations for maintenance."), "{text}");
    assert_eq!(host_state(&gateway, &first).await, "Enabled");
    bench.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pools() {
    let database = database::sqlite().await;
    let (folder, url) = (tempfile::tempdir().expect("a folder"), database.url.clone());
    let bench = Bench::start(&plan(249), database).await;
    let gateway = gateway(&bench, folder.path(), &url).await;
    let gone = "Unable to obtain lock on the storage pool record in preparePrimaryStorageForMaintenance()";
    assert_eq!(done(&gateway, "enableStorageMaintenance", "987654").await, Err((431, gone.to_owned())));
    let gone = "Unable to obtain lock on the storage pool in cancelPrimaryStorageForMaintenance()";
    assert_eq!(done(&gateway, "cancelStorageMaintenance", "987654").await, Err((431, gone.to_owned())));

    let [first, second] = ["c1-p1", "c1-p2"].map(|pool| bench.estate.pool(pool).expect("a pool").uuid.clone());
    // No gateway that empties pools is faster than this: the disks of a machine that is on its way stay.
    let sql = "UPDATE vm_instance SET state = 'Migrating'";
    bench.store.db().run(sql, args![]).await.expect("rows");
    let sql = "UPDATE storage_pool SET status = 'PrepareForMaintenance' WHERE name = 'c1-p1'";
    bench.store.db().run(sql, args![]).await.expect("a row");
    let (code, text) = done(&gateway, "enableStorageMaintenance", &second).await.expect_err("one at a time");
    assert_eq!(code, 530);
    let words = "Only one storage pool in a cluster can be in PrepareForMaintenance mode, StoragePool {";
    assert!(text.starts_with(words), "{text}");
    assert!(text.ends_with("is already in  PrepareForMaintenance mode "), "{text}");
    assert_eq!(pool_state(&gateway, &second).await, "Up");
    let (code, text) = done(&gateway, "enableStorageMaintenance", &first).await.expect_err("it is asked for already");
    assert_eq!(code, 431);
    assert!(text.ends_with("is not ready for migration, as the status is:PrepareForMaintenance"), "{text}");
    bench.world.stop().await;
}
