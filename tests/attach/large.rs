//! A CloudStack with 25,000 hosts, 25,000 machines and 50,000 disks, attached: it starts, lists, moves, and what that took is
//! printed (`docs/performance.md` has the figures of one machine).

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use stackmotion::client::Client;

use super::cloud::Cloud;
use super::recorded::hyperv_rows;

/// Hosts, and machines: one on each. Every machine has two disks.
pub const HOSTS: u32 = 25_000;
/// How many hosts share a cluster and its pool.
const CLUSTER: u32 = 25;
/// Ids of what is made begin behind this one.
const FIRST: u32 = 1_000_000;

/// The recorded rows, and the large estate made of some of them.
pub async fn estate() -> Cloud {
    let cloud = Cloud::with(&hyperv_rows(), true).await;
    let clusters = HOSTS / CLUSTER;
    let cluster = format!("{FIRST} + (seq - 1) DIV {CLUSTER} + 1");
    many(
        &cloud,
        "cluster",
        1,
        clusters,
        &[("name", "CONCAT('cluster-', seq)"), ("uuid", "UUID()"), ("guid", "UUID()")],
    )
    .await;
    let own = format!("{FIRST} + seq");
    many(
        &cloud,
        "storage_pool",
        1,
        clusters,
        &[
            ("name", "CONCAT('pool-', seq)"),
            ("uuid", "UUID()"),
            ("cluster_id", &own),
            ("path", "CONCAT('/pool-', seq)"),
        ],
    )
    .await;
    // Loopback addresses at which nobody answers.
    let address = "CONCAT('127.77.', seq DIV 250, '.', seq MOD 250 + 1)";
    let host = [
        ("name", "CONCAT('host-', seq)"),
        ("uuid", "UUID()"),
        ("guid", "UUID()"),
        ("private_ip_address", address),
        ("cluster_id", &cluster),
        ("mgmt_server_id", "NULL"),
    ];
    many(&cloud, "host", 1, HOSTS, &host).await;
    let machine = [
        ("name", "CONCAT('vm-', seq)"),
        ("uuid", "UUID()"),
        ("instance_name", "CONCAT('i-2-', seq, '-LARGE')"),
        ("host_id", &own),
        ("last_host_id", &own),
        ("power_host", &own),
    ];
    many(&cloud, "vm_instance", 6, HOSTS, &machine).await;
    many(&cloud, "user_vm", 6, HOSTS, &[("display_name", "CONCAT('vm-', seq)")]).await;
    for (from, first) in [(165, FIRST), (166, FIRST + HOSTS)] {
        let disk = [
            ("id", format!("{first} + seq")),
            ("name", "CONCAT('disk-', seq)".to_owned()),
            ("uuid", "UUID()".to_owned()),
            ("path", "UUID()".to_owned()),
            ("instance_id", own.clone()),
            ("pool_id", cluster.clone()),
        ];
        let disk: Vec<_> = disk.iter().map(|(name, value)| (*name, value.as_str())).collect();
        many(&cloud, "volumes", from, HOSTS, &disk).await;
    }
    let sql = format!(
        "INSERT INTO storage_pool_host_ref (host_id, pool_id, created, local_path) \
         SELECT {own}, {cluster}, UTC_TIMESTAMP(), 'there' FROM seq_1_to_{HOSTS}"
    );
    cloud.0.sql(&sql).await;
    cloud
}

/// Makes rows of one that is there; `other` says which columns are not as in that one. Ids begin behind [`FIRST`].
async fn many(cloud: &Cloud, table: &str, from: u32, count: u32, other: &[(&str, &str)]) {
    let sql = format!(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name = '{table}' \
         AND extra NOT LIKE '%GENERATED%'"
    );
    let names = cloud.0.sql(&sql).await;
    let names: Vec<&str> = names.lines().skip(1).collect();
    let id = format!("{FIRST} + seq");
    let values = names.iter().map(|name| match other.iter().find(|(column, _)| column == name) {
        Some((_, value)) => (*value).to_owned(),
        None if *name == "id" => id.clone(),
        None => format!("t.`{name}`"),
    });
    let values: Vec<String> = values.collect();
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let sql = format!(
        "INSERT INTO `{table}` ({}) SELECT {} FROM `{table}` t, seq_1_to_{count} WHERE t.id = {from}",
        names.join(", "),
        values.join(", ")
    );
    cloud.0.sql(&sql).await;
}

/// A process that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    /// Its memory now and at the most, in MiB.
    fn memory(&self) -> (u64, u64) {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("its status");
        let field = |name: &str| -> u64 {
            let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
            line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
        };
        (field("VmRSS:") / 1024, field("VmHWM:") / 1024)
    }
}

async fn count(client: &Client, command: &str, params: &[(&str, &str)]) -> (Json, Duration) {
    let begin = Instant::now();
    let answer = client.call(command, params).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    (answer["count"].clone(), begin.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_estate_is_attached() {
    let cloud = estate().await;
    let folder = tempfile::tempdir().expect("a folder");
    let begin = Instant::now();
    let mut process = Command::new(env!("CARGO_BIN_EXE_stackmotion"))
        .args(["serve", "--port", "0", "--set", "log.level=off", "--attach", &cloud.0.url(), "--data-dir"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a gateway");
    let out = BufReader::new(process.stdout.take().expect("its output"));
    let running = Running(process);
    let lines = tokio::task::spawn_blocking(move || {
        let mut lines = out.lines().map(|line| line.expect("a line"));
        let address = lines.find(|line| line.contains("http://")).expect("its address");
        (address, lines)
    });
    let (line, _lines) = lines.await.expect("no panic");
    let url = line.split_whitespace().find(|word| word.starts_with("http://")).expect("its address").to_owned();
    let client = Client::new(url, "key-admin", "secret-admin").expect("a client");
    let (zones, _) = count(&client, "listZones", &[]).await;
    let started = begin.elapsed();
    assert_eq!(zones, 1);
    let at_rest = running.memory();
    println!("first answer after {started:?}, {} MiB", at_rest.0);

    let page = [("listall", "true"), ("page", "1"), ("pagesize", "100")];
    for (command, params, least) in [
        ("listHosts", &page[1..], HOSTS),
        ("listVirtualMachines", &page[..], HOSTS),
        ("listVolumes", &page[..], 2 * HOSTS),
        ("listStoragePools", &page[1..], HOSTS / CLUSTER),
    ] {
        let (found, time) = count(&client, command, params).await;
        assert!(found.as_u64().is_some_and(|found| found >= u64::from(least)), "{command}: {found}");
        println!("{command}: 100 of {found} in {time:?}");
    }
    let (all, time) = count(&client, "listVirtualMachines", &[("listall", "true"), ("pagesize", "-1")]).await;
    assert!(all.as_u64().is_some_and(|all| all >= u64::from(HOSTS)), "{all}");
    println!("listVirtualMachines: all {all} in {time:?}");
    let (now, most) = running.memory();
    println!("{now} MiB, at the most {most} MiB");
}
