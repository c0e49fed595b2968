//! Hosts: added with everything that belongs to them or not at all, changed, connected anew, taken away.

use stackmotion::agent::faults::{Fault, FaultRule};

use super::bench::{Bench, id_of};
use crate::support::database;

/// How many rows there are of everything that a host or pool brings.
async fn belongings(bench: &Bench) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in [
        "host",
        "host_details",
        "host_tags",
        "storage_pool",
        "storage_pool_details",
        "storage_pool_host_ref",
        "op_host_capacity",
    ] {
        counts.push(bench.count(&format!("SELECT COUNT(*) FROM {table}")).await);
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_added_with_its_folder_and_the_shares_that_it_reaches() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(111, database).await;
        let place = bench.place(111).await;
        let first = bench.host(&place, "127.111.0.2").await.expect("a host");
        assert_eq!((first["state"].as_str(), first["resourcestate"].as_str()), (Some("Up"), Some("Enabled")), "{kind}");
        assert_eq!((first["cpunumber"].as_i64(), first["hypervisorversion"].as_str()), (Some(16), Some("6.2")));
        bench.pool(&place, "one", "cifs://fs1/pool1").await.expect("a pool");
        let second = bench.host(&place, "127.111.0.3").await.expect("a host");
        let reached = format!(
            "SELECT COUNT(*) FROM storage_pool_host_ref r JOIN host h ON h.id = r.host_id WHERE h.uuid = '{}'",
            id_of(&second)
        );
        assert_eq!(bench.count(&reached).await, 2, "{kind}: the share and the own folder");
        assert_eq!(bench.count("SELECT COUNT(*) FROM storage_pool WHERE scope = 'HOST' AND status = 'Up'").await, 2);
        let kinds = "SELECT COUNT(*) FROM op_host_capacity WHERE host_id = 1 AND capacity_type IN (0, 1, 90)";
        assert_eq!(bench.count(kinds).await, 3);
        let pools = bench.done("listStoragePools", &[]).await;
        assert_eq!(pools["count"], 3, "{pools}");
        for sql in [
            "SELECT value FROM host_details WHERE name = 'password' AND host_id = 1",
            "SELECT user_info FROM storage_pool WHERE name = 'one'",
        ] {
            assert!(bench.text(sql).await.unwrap().starts_with("sm1:"), "{kind}: {sql} is in the clear");
        }

        let before = belongings(&bench).await;
        let twice = bench.host(&place, "127.111.0.2").await.expect_err("it is there");
        assert_eq!(twice.text, "Unable to add the host: Cannot find the server resources at http://127.111.0.2");
        assert_eq!(belongings(&bench).await, before, "{kind}");
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_whose_agent_fails_on_the_way_leaves_nothing() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(112, database).await;
        let place = bench.place(112).await;
        let before = belongings(&bench).await;
        let url = "http://127.112.0.2";
        for (command, nth) in [("ReadyCommand", 1), ("StartupCommand", 1), ("SetupCommand", 1), ("ReadyCommand", 2)] {
            for fault in [Fault::HttpStatus { status: 500 }, Fault::RestartAndForget { after: false }] {
                bench.world.faults.add(FaultRule::on(command, fault.clone()).nth(nth));
                let refused = bench.host(&place, "127.112.0.2").await.expect_err("the agent fails");
                let text = format!("Unable to add the host: Cannot find the server resources at {url}");
                assert_eq!((refused.code, refused.text), (530, text), "{kind} {command} {nth} {fault:?}");
                bench.world.faults.remove(None);
                assert_eq!(belongings(&bench).await, before, "{kind} {command} {nth} {fault:?}");
                let guid = bench.text("SELECT guid FROM cluster WHERE removed IS NULL").await;
                // Only what was written before the last word of the agent can have been seen by anybody.
                assert!(guid.is_none() || command == "SetupCommand" || nth == 2, "{kind} {command}");
            }
        }
        bench.host(&place, "127.112.0.2").await.expect("now it works");
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_are_none_are_refused_in_cloudstacks_words() {
    let bench = Bench::start(113, database::sqlite().await).await;
    let place = bench.place(113).await;
    let [zone, pod, cluster] = &place;
    let base = [
        ("zoneid", zone.as_str()),
        ("podid", pod),
        ("clusterid", cluster),
        ("hypervisor", "Hyperv"),
        ("url", "http://127.113.0.2"),
        ("username", "Administrator"),
        ("password", "x"),
    ];
    let with = |name: &'static str, value: &'static str| -> Vec<(&str, &str)> {
        let kept = base.iter().filter(|pair| pair.0 != name).copied();
        kept.chain((!value.is_empty()).then_some((name, value))).collect()
    };
    for (params, code, text) in [
        (with("url", "127.113.0.2"), 431, "uri.scheme is null 127.113.0.2, add nfs:// (or cifs://) as a prefix"),
        (
            with("url", "https://127.113.0.2"),
            530,
            "Unable to add the host: Cannot find the server resources at https://127.113.0.2",
        ),
        (
            with("url", "http://127.113.0.9"),
            530,
            "Unable to add the host: Cannot find the server resources at http://127.113.0.9",
        ),
        (with("username", ""), 431, "Username and Password need to be provided."),
        (with("password", ""), 431, "Username and Password need to be provided."),
        (with("clustername", "c"), 431, "Can't specify cluster by both id and name"),
        (with("hypervisor", "KVM"), 431, "Could not find corresponding resource manager for KVM"),
    ] {
        let refused = bench.refused("addHost", &params).await;
        assert_eq!((refused.code, refused.text.as_str()), (code, text));
    }
    bench.run("UPDATE host_pod_ref SET cidr_address = '10.0.0.0'").await;
    let refused = bench.refused("addHost", &base).await;
    assert_eq!((refused.code, refused.text.as_str()), (530, "Failed to add host"));
    bench.run("UPDATE host_pod_ref SET cidr_address = '127.113.0.0'").await;

    // Without a cluster one is made for the host, and taken back with it.
    let alone: Vec<_> = base.iter().filter(|pair| pair.0 != "clusterid").copied().collect();
    bench.world.faults.add(FaultRule::on("SetupCommand", Fault::HttpStatus { status: 500 }).nth(1));
    bench.refused("addHost", &alone).await;
    assert_eq!(bench.count("SELECT COUNT(*) FROM cluster WHERE removed IS NULL").await, 1);
    let host = bench.done("addHost", &alone).await;
    assert_eq!(host["host"][0]["clustername"], "Standalone-http://127.113.0.2");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_changed_connected_anew_and_taken_away() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(114, database).await;
        let place = bench.place(114).await;
        let host = id_of(&bench.host(&place, "127.114.0.2").await.expect("a host"));
        let changed = bench
            .done(
                "updateHost",
                &[("id", &host), ("allocationstate", "Disable"), ("hosttags", "a, b"), ("name", "hv two")],
            )
            .await;
        let changed = &changed["host"];
        assert_eq!(
            (changed["resourcestate"].as_str(), changed["hosttags"].as_str()),
            (Some("Disabled"), Some("a,b")),
            "{kind}"
        );
        assert_eq!(changed["name"], "hv two");
        let cleared = bench.done("updateHost", &[("id", &host), ("hosttags", ""), ("allocationstate", "Enable")]).await;
        assert!(cleared["host"].get("hosttags").is_none(), "{cleared}");
        let refused = bench.refused("updateHost", &[("id", &host), ("allocationstate", "Enabled")]).await;
        assert!(refused.text.starts_with("Failed to update host: Host {") && refused.code == 530, "{refused:?}");

        let answer = bench.done("reconnectHost", &[("id", &host)]).await;
        assert_eq!(bench.job(&answer).await.expect("connected")["host"]["state"], "Up");
        bench.world.faults.add(FaultRule::on("SetupCommand", Fault::HttpStatus { status: 500 }).nth(1));
        let answer = bench.done("reconnectHost", &[("id", &host)]).await;
        assert_eq!(bench.job(&answer).await.expect_err("the agent fails").code, 530);
        assert_eq!(bench.text("SELECT status FROM host").await.as_deref(), Some("Disconnected"), "{kind}");
        let answer = bench.done("reconnectHost", &[("id", &host)]).await;
        bench.job(&answer).await.expect("connected again");
        assert_eq!(bench.count("SELECT COUNT(*) FROM event WHERE type = 'HOST.RECONNECT'").await, 9, "{kind}");

        let refused = bench.refused("deleteHost", &[("id", &host)]).await;
        let text = format!("Host with UUID [{host}] is not in maintenance mode and no forced deletion was requested.");
        assert_eq!((refused.code, refused.text), (530, text));
        for (table, columns, what) in [
            (
                "volumes",
                "(account_id, domain_id, name, size, data_center_id, volume_type, disk_offering_id, pool_id, state) \
              SELECT 2, 1, 'DATA-1', 1, 1, 'DATADISK', 1, id, 'Ready' FROM storage_pool WHERE scope = 'HOST'",
                "DATA-1",
            ),
            (
                "vm_instance",
                "(name, instance_name, state, guest_os_id, data_center_id, host_id, vnc_password, type, account_id, \
              domain_id, service_offering_id, created, vm_type) VALUES ('v', 'i-2-1-VM', 'Running', 1, 1, 1, '', 'User', 2, 1, 1, '2026-11-26 00:00:00', 'User')",
                "i-2-1-VM",
            ),
        ] {
            bench.run(&format!("INSERT INTO {table} {columns}")).await;
            let refused = bench.refused("deleteHost", &[("id", &host), ("forced", "true")]).await;
            assert!(refused.text.contains(what), "{kind}: {refused:?}");
            bench.run(&format!("DELETE FROM {table}")).await;
        }
        bench.done("deleteHost", &[("id", &host), ("forced", "true")]).await;
        assert_eq!(bench.count("SELECT COUNT(*) FROM host WHERE removed IS NULL OR guid IS NOT NULL").await, 0);
        let left = "SELECT (SELECT COUNT(*) FROM host_details) + (SELECT COUNT(*) FROM storage_pool_host_ref) + \
            (SELECT COUNT(*) FROM op_host_capacity) + (SELECT COUNT(*) FROM motion_pin) + \
            (SELECT COUNT(*) FROM storage_pool WHERE removed IS NULL)";
        assert_eq!(bench.count(left).await, 0, "{kind}");
        bench.host(&place, "127.114.0.2").await.expect("it can come back");
        bench.stop().await;
    }
}
