//! A CloudStack with many hosts, attached and imported: the gateway starts and lists, and what that took is printed
//! (`docs/performance.md` has the figures of one machine). `ESTATE_HOSTS` sets how many hosts there are.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value as Json;
use stackmotion::client::Client;

use super::cloud::Cloud;
use super::recorded::hyperv_rows;

/// Hosts unless `ESTATE_HOSTS` says otherwise. On each is a machine with two disks.
const HOSTS: u32 = 2_500;
/// How many hosts share a cluster and its pool.
const CLUSTER: u32 = 25;
/// Ids of what is made begin behind this one.
const FIRST: u32 = 1_000_000;

fn hosts() -> u32 {
    std::env::var("ESTATE_HOSTS").map_or(HOSTS, |text| text.parse().expect("ESTATE_HOSTS is a number"))
}

/// The recorded rows, and the large estate made of some of them.
async fn estate(hosts: u32) -> Cloud {
    let cloud = Cloud::with(&hyperv_rows(), true).await;
    let clusters = hosts / CLUSTER;
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
    many(&cloud, "host", 1, hosts, &host).await;
    let machine = [
        ("name", "CONCAT('vm-', seq)"),
        ("uuid", "UUID()"),
        ("instance_name", "CONCAT('i-2-', seq, '-LARGE')"),
        ("host_id", &own),
        ("last_host_id", &own),
        ("power_host", &own),
    ];
    many(&cloud, "vm_instance", 6, hosts, &machine).await;
    many(&cloud, "user_vm", 6, hosts, &[("display_name", "CONCAT('vm-', seq)")]).await;
    for (from, first) in [(165, FIRST), (166, FIRST + hosts)] {
        let disk = [
            ("id", format!("{first} + seq")),
            ("name", "CONCAT('disk-', seq)".to_owned()),
            ("uuid", "UUID()".to_owned()),
            ("path", "UUID()".to_owned()),
            ("instance_id", own.clone()),
            ("pool_id", cluster.clone()),
        ];
        let disk: Vec<_> = disk.iter().map(|(name, value)| (*name, value.as_str())).collect();
        many(&cloud, "volumes", from, hosts, &disk).await;
    }
    let sql = format!(
        "INSERT INTO storage_pool_host_ref (host_id, pool_id, created, local_path) \
         SELECT {own}, {cluster}, UTC_TIMESTAMP(), 'there' FROM seq_1_to_{hosts}"
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
    fn memory(&self) -> Option<(u64, u64)> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).ok()?;
        // A process that has just ended has no memory.
        let field = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        Some((field("VmRSS:")? / 1024, field("VmHWM:")? / 1024))
    }
}

/// Imports the estate into an embedded database, and again, with nothing new.
async fn import(cloud: &Cloud, folder: &std::path::Path, hosts: u32) {
    // Of the recorded hosts four are hosts of machines.
    let all = hosts + 4;
    for (round, said) in
        [("the first", format!("{all} new")), ("the second", format!("0 new, 0 changed, {all} unchanged"))]
    {
        let begin = Instant::now();
        let process = Command::new(env!("CARGO_BIN_EXE_stackmotion"))
            .args(["import", &cloud.0.url(), "--data-dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("an import");
        let mut running = Running(process);
        let mut most = 0;
        while running.0.try_wait().expect("a process").is_none() {
            most = running.memory().map_or(most, |(_, at_most)| at_most);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let (mut report, mut progress) = (String::new(), String::new());
        running.0.stdout.take().expect("its report").read_to_string(&mut report).expect("text");
        running.0.stderr.take().expect("its progress").read_to_string(&mut progress).expect("text");
        let told =
            report.lines().find(|line| line.starts_with("host: ")).unwrap_or_else(|| panic!("{report}{progress}"));
        assert!(told.contains(&said), "{round}: {told}\n{progress}");
        assert!(hosts < 5_000 || progress.contains("volumes: 10000 rows so far"), "{progress}");
        println!("import, {round}: {:?}, at the most {most} MiB", begin.elapsed());
    }
}

async fn count(client: &Client, command: &str, params: &[(&str, &str)]) -> (Json, Duration) {
    let begin = Instant::now();
    let answer = client.call(command, params).await.unwrap_or_else(|error| panic!("{command}: {error}"));
    (answer["count"].clone(), begin.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_estate_is_attached_and_imported() {
    let hosts = hosts();
    let cloud = estate(hosts).await;
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
    let at_rest = running.memory().expect("its memory");
    println!("first answer after {started:?}, {} MiB", at_rest.0);

    let page = [("listall", "true"), ("page", "1"), ("pagesize", "100")];
    for (command, params, least) in [
        ("listHosts", &page[1..], hosts),
        ("listVirtualMachines", &page[..], hosts),
        ("listVolumes", &page[..], 2 * hosts),
        ("listStoragePools", &page[1..], hosts / CLUSTER),
    ] {
        let (found, time) = count(&client, command, params).await;
        assert!(found.as_u64().is_some_and(|found| found >= u64::from(least)), "{command}: {found}");
        println!("{command}: 100 of {found} in {time:?}");
    }
    let (all, time) = count(&client, "listVirtualMachines", &[("listall", "true"), ("pagesize", "-1")]).await;
    assert!(all.as_u64().is_some_and(|all| all >= u64::from(hosts)), "{all}");
    println!("listVirtualMachines: all {all} in {time:?}");
    let (now, most) = running.memory().expect("its memory");
    println!("{now} MiB, at the most {most} MiB");
    drop(running);
    import(&cloud, &folder.path().join("embedded"), hosts).await;
}
