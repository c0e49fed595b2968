//! A database that can be attached: what is said of it, what is made in it, and what is left alone.

use std::process::Command;
use std::time::Duration;

use stackmotion::store::{HostReport, Store};

use super::cloud::{Cloud, differences};
use super::recorded::{hyperv_rows, rows};
use crate::motion_golden::replay::Gateway;

const WAIT: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_tables_of_ours_are_made() {
    let cloud = Cloud::recorded().await;
    let (tables, before) = (cloud.tables().await, cloud.snapshot().await);
    for _ in 0..2 {
        let gateway = Gateway::attached(&cloud.0.url(), rows(), &[]).await;
        gateway.stop().await;
    }
    let mut now = cloud.tables().await;
    assert!(
        now.remove("motion_schema_migrations").is_some() && !now.contains_key("_sqlx_migrations"),
        "{:?}",
        now.keys()
    );
    now.retain(|table, _| !table.starts_with("motion_"));
    assert_eq!(now, tables);
    assert_eq!(differences(&before, &cloud.snapshot().await).into_iter().collect::<Vec<_>>(), Vec::<String>::new());
    let gateways = cloud.0.sql("SELECT name, epoch FROM motion_node").await;
    assert_eq!(gateways.split_whitespace().collect::<Vec<_>>(), ["name", "epoch", "stackmotion", "2"]);
    let survey = Store::survey(&cloud.0.url(), WAIT).await.expect("a survey");
    assert!(survey.is_attachable() && survey.creates.is_empty(), "{survey}");
    assert!(survey.to_string().contains("nothing: stackmotion's tables are there"), "{survey}");
}

#[tokio::test]
async fn the_screen() {
    let cloud = Cloud::with(&hyperv_rows(), true).await;
    // What CloudStack encrypts, a version without storage motion, and a management server that lives.
    cloud
        .0
        .sql(
            "UPDATE api_keypair SET secret_key = CONCAT(REPEAT('aB+/', 37), 'abc=') WHERE id < 3; \
             UPDATE hypervisor_capabilities SET storage_motion_supported = 0 WHERE id = 9000; \
             UPDATE mshost SET last_update = UTC_TIMESTAMP(); UPDATE volumes SET state = 'Migrating' WHERE id = 166;",
        )
        .await;
    let url = cloud.user("owner", "ALL PRIVILEGES").await;
    let before = cloud.snapshot().await;
    let survey = Store::survey(&url, WAIT).await.expect("a survey");
    assert!(survey.is_attachable(), "{survey}");
    let text = survey.to_string();
    let place = format!("mysql://owner{}@127.0.0.1:{}/{0}", cloud.0.name, cloud.0.port);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in [
        place.as_str(),
        "CloudStack 4.23.0.0",
        "found 1 zones, 4 hosts, 5 pools, 8 VMs, 22 volumes, 12 accounts, 12 keys",
        "Hyper-V 10.0 has no row in hypervisor_capabilities with storage motion",
        "2 of 12 secret keys look encrypted",
        "1 management server(s) work on this database",
        "1 volume(s) are Migrating",
        "result can be attached",
    ] {
        assert!(words.contains(said), "{said} is not in\n{text}");
    }
    assert!(!text.contains("word@") && text.lines().count() < 40, "{text}");
    assert!(cloud.snapshot().await == before, "a look has changed something");
    assert!(!cloud.0.sql("SHOW TABLES").await.contains("motion_"), "a look has made a table");
}

/// Runs the program and gives its exit code and what it wrote.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_stackmotion"))
        .args(args)
        .env_remove("STACKMOTION_CONFIG")
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line() {
    let cloud = Cloud::recorded().await;
    let url = cloud.0.url();
    for args in [&["attach", "--check", &url][..], &["serve", "--attach", &url, "--check"]] {
        let (code, out, err) = run(args);
        assert_eq!((code, err.as_str()), (Some(0), ""), "{out}");
        assert!(out.ends_with("can be attached\n"), "{out}");
    }
    cloud.0.sql("ALTER TABLE host DROP COLUMN guid").await;
    let (code, out, _) = run(&["attach", "--check", &url]);
    assert_eq!(code, Some(1));
    assert!(out.contains("the table host has no column guid"), "{out}");
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().display().to_string();
    let (code, _, err) = run(&["serve", "--attach", &url, "--port", "0", "--data-dir", &data]);
    assert_eq!(code, Some(1));
    assert!(err.contains("cannot be attached") && err.contains("the table host has no column guid"), "{err}");
    assert!(!cloud.0.sql("SHOW TABLES").await.contains("motion_"), "tables were made");
    let (code, _, err) = run(&["serve", "--check"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("add --attach mysql://"), "{err}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_of_the_database_count_where_the_operator_says_nothing() {
    let cloud = Cloud::recorded().await;
    cloud
        .0
        .sql(
            "UPDATE configuration SET value = '3' WHERE name = 'default.page.size'; \
             UPDATE configuration SET value = 'true' WHERE name = 'api.throttling.enabled'; \
             UPDATE configuration SET value = '4' WHERE name = 'api.throttling.max'; \
             UPDATE configuration SET value = '3600' WHERE name = 'api.throttling.interval';",
        )
        .await;
    let zones = [("command".to_owned(), "listZones".to_owned()), ("response".to_owned(), "json".to_owned())];
    let volumes = [
        ("command".to_owned(), "listVolumes".to_owned()),
        ("response".to_owned(), "json".to_owned()),
        ("listall".to_owned(), "true".to_owned()),
    ];
    for (set, on_a_page, refused) in
        [(&[][..], 3, 429), (&["api.default_page_size=5", "api.throttle.max=1000"], 5, 200)]
    {
        let gateway = Gateway::attached(&cloud.0.url(), rows(), set).await;
        let body = gateway.send("GET", "admin", &volumes).await.body;
        let answer: serde_json::Value = serde_json::from_str(&body).expect("JSON");
        let shown = answer["listvolumesresponse"]["volume"].as_array().expect("volumes").len();
        assert_eq!(shown, on_a_page, "{body}");
        // A signed call counts twice.
        let mut statuses = Vec::new();
        for _ in 0..3 {
            statuses.push(gateway.send("GET", "alice", &zones).await.status);
        }
        assert_eq!(statuses, [200, 200, refused]);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn hosts_of_a_server_that_lives_are_left_to_it() {
    let cloud = Cloud::recorded().await;
    let (store, _) = Store::attach(&cloud.0.url(), WAIT).await.expect("attached");
    let ours = store.server_register("stackmotion", "1", "127.0.0.1", WAIT).await.expect("a row").id;
    // The recorded server has not been seen for long: its hosts are nobody's.
    assert!(!store.host_is_elsewhere(1).await.unwrap());
    assert!(!store.pool_is_elsewhere(1).await.unwrap());
    cloud.0.sql("UPDATE mshost SET last_update = UTC_TIMESTAMP()").await;
    assert!(store.host_is_elsewhere(1).await.unwrap());
    assert!(store.pool_is_elsewhere(1).await.unwrap());
    cloud.0.sql(&format!("UPDATE host SET mgmt_server_id = {ours}")).await;
    assert!(!store.host_is_elsewhere(1).await.unwrap());
    assert!(!store.pool_is_elsewhere(1).await.unwrap());
    // What is written about a host of ours fits the columns.
    let report = HostReport {
        version: Some("10.0".into()),
        cpus: 8,
        sockets: Some(1),
        speed_mhz: 2000,
        memory_bytes: 1 << 40,
        reserved_memory_bytes: 1 << 30,
    };
    store.host_report(1, &report).await.unwrap();
    store.host_up(1, ours).await.unwrap();
    store.host_away(2, stackmotion::store::Absence::Silent, "it is silent").await.unwrap();
    store.pool_usage(1, 1 << 45, 1 << 44).await.unwrap();
    store.db().close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_inside_projects_of_the_server_count() {
    let cloud = Cloud::recorded().await;
    let project = "00000000-0000-4000-9000-000000000070";
    cloud
        .0
        .sql(&format!(
            "INSERT INTO projects (id, name, uuid, project_account_id, domain_id, state) \
             VALUES (70, 'p', '{project}', 2, 1, 'Active'); \
             INSERT INTO project_role (id, uuid, name, project_id) \
             VALUES (71, '00000000-0000-4000-9000-000000000071', 'reader', 70); \
             INSERT INTO project_role_permissions (id, uuid, project_id, project_role_id, rule, permission, sort_order) \
             VALUES (73, '00000000-0000-4000-9000-000000000073', 70, 71, 'listVol*', 'DENY', 0); \
             INSERT INTO project_account (account_id, account_role, project_account_id, project_id, project_role_id) \
             SELECT account_id, 'Regular', 2, 70, 71 FROM user WHERE username = 'alice' AND removed IS NULL"
        ))
        .await;
    let gateway = Gateway::attached(&cloud.0.url(), rows(), &[]).await;
    for (command, status) in [("listVolumes", 401), ("listVirtualMachines", 200), ("listProjectRoles", 200)] {
        let pairs = [("command", command), ("response", "json"), ("projectid", project)];
        let pairs: Vec<_> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let answer = gateway.send("GET", "alice", &pairs).await;
        assert_eq!(answer.status, status, "{command}: {}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_no_server_says_whether_it_can_be_stopped() {
    let cloud = Cloud::recorded().await;
    let gateway = Gateway::attached(&cloud.0.url(), rows(), &[]).await;
    let id = async |sql: &str| {
        let row = gateway.store().db().row(sql, vec![]).await.expect("the database").expect("a row");
        row.at::<String>(0).expect("an id")
    };
    let (own, server) = (id("SELECT uuid FROM motion_node").await, id("SELECT uuid FROM mshost").await);
    for (asked, expected) in [(None, &own), (Some(&own), &own), (Some(&server), &server)] {
        let mut pairs =
            vec![("command".to_owned(), "readyForShutdown".to_owned()), ("response".to_owned(), "json".to_owned())];
        pairs.extend(asked.map(|id| ("managementserverid".to_owned(), id.clone())));
        let answer = gateway.send("GET", "admin", &pairs).await;
        assert_eq!(answer.status, 200, "{asked:?}: {}", answer.body);
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        let told = &body["readyforshutdownresponse"]["readyforshutdown"];
        assert_eq!(told["managementserverid"], expected.as_str(), "{asked:?}: {told}");
        assert_eq!((&told["state"], &told["readyforshutdown"]), (&"Up".into(), &true.into()), "{asked:?}: {told}");
    }
    gateway.stop().await;
}
