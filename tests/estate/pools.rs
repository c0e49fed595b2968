//! Pools: shares and folders, added when a host reaches them and not at all otherwise.

use stackmotion::agent::faults::{Fault, FaultRule};

use super::bench::{Bench, id_of};
use crate::support::database;

#[tokio::test(flavor = "multi_thread")]
async fn shares_and_folders_become_pools() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(115, database).await;
        let place = bench.place(115).await;
        let nobody = bench.pool(&place, "one", "cifs://fs1/pool1").await.expect_err("no host");
        assert!(
            nobody.text.starts_with(
                "Failed to add data store: No host up to associate a storage pool with in cluster: Cluster {"
            ),
            "{nobody:?}"
        );
        bench.host(&place, "127.115.0.2").await.expect("a host");
        bench.host(&place, "127.115.0.3").await.expect("a host");
        let pool = bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
        assert_eq!((pool["state"].as_str(), pool["type"].as_str()), (Some("Up"), Some("SMB")), "{kind}: {pool}");
        assert_eq!(pool["path"], "/pool1?user=hvsvc&domain=EXAMPLE");
        assert!(pool["capacitybytes"].as_i64().is_some_and(|bytes| bytes > 0));
        assert!(!pool.to_string().contains("word of the share"), "{pool}");
        let id = id_of(&pool);
        let refs = format!(
            "SELECT COUNT(*) FROM storage_pool_host_ref r JOIN storage_pool p ON p.id = r.pool_id WHERE p.uuid = '{id}'"
        );
        assert_eq!(bench.count(&refs).await, 2, "{kind}");
        let twice = bench.pool(&place, "two", "cifs://fs1/pool1").await.expect_err("it is there");
        assert_eq!(
            (twice.code, twice.text.as_str()),
            (530, "Failed to add data store: Another active pool with the same uuid already exists")
        );

        let zone_wide = [
            ("zoneid", place[0].as_str()),
            ("name", "wide"),
            ("scope", "zone"),
            ("url", "cifs://fs1/pool2"),
            ("details[0].user", "u"),
            ("details[0].password", "p"),
        ];
        assert!(bench.refused("createStoragePool", &zone_wide).await.text.starts_with("Missing parameter hypervisor."));
        let wide = bench.done("createStoragePool", &[&zone_wide[..], &[("hypervisor", "hyperv")]].concat()).await;
        assert_eq!(wide["storagepool"]["scope"], "ZONE", "{wide}");
        assert!(wide["storagepool"].get("clusterid").is_none());

        bench
            .done("updateStoragePool", &[("id", &id), ("enabled", "false"), ("tags", "fast,big"), ("name", "uno")])
            .await;
        let listed = bench.done("listStoragePools", &[("id", &id)]).await;
        assert_eq!(
            (listed["storagepool"][0]["state"].as_str(), listed["storagepool"][0]["tags"].as_str()),
            (Some("Disabled"), Some("fast,big")),
            "{kind}"
        );
        bench.done("updateStoragePool", &[("id", &id), ("enabled", "true"), ("tags", "")]).await;
        let refused = bench.refused("deleteStoragePool", &[("id", &id)]).await;
        assert!(
            refused
                .text
                .starts_with("Unable to delete storage due to it is not in Maintenance state, pool: StoragePool {"),
            "{refused:?}"
        );
        bench.done("updateStoragePool", &[("id", &id), ("enabled", "false")]).await;
        bench
            .run(&format!(
                "INSERT INTO volumes (account_id, domain_id, name, size, data_center_id, volume_type, disk_offering_id, \
                 pool_id, state) SELECT 2, 1, 'DATA-1', 1, 1, 'DATADISK', 1, id, 'Ready' FROM storage_pool WHERE uuid = '{id}'"
            ))
            .await;
        let refused = bench.refused("deleteStoragePool", &[("id", &id), ("forced", "true")]).await;
        assert!(refused.text.ends_with("as there are associated non-destroyed vols for this pool"), "{refused:?}");
        bench.run("DELETE FROM volumes").await;
        bench.done("deleteStoragePool", &[("id", &id)]).await;
        assert_eq!(
            bench
                .count(
                    "SELECT COUNT(*) FROM storage_pool WHERE removed IS NOT NULL AND uuid IS NULL AND user_info IS NULL"
                )
                .await,
            1
        );
        bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("the same share again");
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_of_one_host_becomes_a_pool_where_the_zone_has_no_local_storage() {
    let bench = Bench::start(116, database::sqlite().await).await;
    let place = bench.place(116).await;
    bench.done("updateZone", &[("id", &place[0]), ("localstorageenabled", "false")]).await;
    bench.host(&place, "127.116.0.2").await.expect("a host");
    assert_eq!(bench.count("SELECT COUNT(*) FROM storage_pool").await, 0);
    let [zone, pod, cluster] = &place;
    let params = [
        ("zoneid", zone.as_str()),
        ("podid", pod),
        ("clusterid", cluster),
        ("name", "folder"),
        ("scope", "HOST"),
        ("url", "filesystem://127.116.0.2/D:/VHDs"),
    ];
    let made = bench.done("createStoragePool", &params).await;
    let made = &made["storagepool"];
    assert_eq!(
        (made["type"].as_str(), made["scope"].as_str(), made["path"].as_str()),
        (Some("Filesystem"), Some("HOST"), Some("D:\\VHDs"))
    );
    assert_eq!(bench.count("SELECT COUNT(*) FROM op_host_capacity WHERE capacity_type = 9").await, 1);
    let other: Vec<_> = params
        .iter()
        .map(|pair| if pair.0 == "url" { ("url", "filesystem://127.116.0.2/share") } else { *pair })
        .collect();
    assert!(bench.refused("createStoragePool", &other).await.text.contains("filesystem://host-address/D:/folder"));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_no_host_reaches_leaves_nothing_but_alerts() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(117, database).await;
        let place = bench.place(117).await;
        bench.host(&place, "127.117.0.2").await.expect("a host");
        bench.host(&place, "127.117.0.3").await.expect("a host");
        let rows = "SELECT (SELECT COUNT(*) FROM storage_pool) + (SELECT COUNT(*) FROM storage_pool_details) + \
            (SELECT COUNT(*) FROM storage_pool_host_ref) + (SELECT COUNT(*) FROM op_host_capacity)";
        let before = bench.count(rows).await;
        let refused = bench.pool(&place, "none", "cifs://fs1/nowhere").await.expect_err("no such share");
        assert_eq!(
            (refused.code, refused.text.as_str()),
            (530, "Failed to add data store: Failed to access storage pool"),
            "{kind}"
        );
        assert_eq!(bench.count("SELECT COUNT(*) FROM alert WHERE type = 7").await, 2);
        for _ in 0..2 {
            bench.world.faults.add(FaultRule::on("CreateStoragePoolCommand", Fault::HttpStatus { status: 500 }).nth(1));
        }
        for ip in ["127.117.0.2", "127.117.0.3"] {
            bench
                .world
                .faults
                .add(FaultRule::on("CreateStoragePoolCommand", Fault::Refuse { details: "no".to_owned() }).at_host(ip));
        }
        let refused = bench.pool(&place, "one", "cifs://fs1/pool1").await.expect_err("no host takes it");
        assert!(
            refused.text.starts_with("Failed to add data store: Can not create storage pool through host Host {"),
            "{refused:?}"
        );
        bench.world.faults.remove(None);
        assert_eq!(bench.count(rows).await, before, "{kind}");
        // One host that reaches it is enough.
        bench.world.faults.add(
            FaultRule::on("ModifyStoragePoolCommand", Fault::Refuse { details: "no".to_owned() })
                .at_host("127.117.0.2"),
        );
        bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
        let refs = "SELECT COUNT(*) FROM storage_pool_host_ref r JOIN storage_pool p ON p.id = r.pool_id WHERE p.scope = 'CLUSTER'";
        assert_eq!(bench.count(refs).await, 1, "{kind}");
        for (url, text) in [
            (
                "nfs://fs1/x",
                "Failed to add data store: nfs:// is no place that Hyper-V hosts reach; say cifs://hostname/path",
            ),
            (
                "cifs://fs1/",
                "Failed to add data store: cifs URI missing host and/or path. Make sure it's of the format cifs://hostname/path",
            ),
        ] {
            assert_eq!(bench.pool(&place, "x", url).await.expect_err("refused").text, text);
        }
        bench.stop().await;
    }
}
