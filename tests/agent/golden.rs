//! The simulated hosts answer as a real agent was recorded to answer, and do what it did.

use std::fs;
use std::path::{Path, PathBuf};

use super::support::*;
use serde_json::{Value, json};
use stackmotion::agent::RunningWorld;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::spec::{HostSpec, VmSpec, WorldSpec};

const THE_HOST: &str = "127.0.0.1";
const PEER: &str = "127.0.0.2";

/// Members that hold sizes, loads and addresses of one machine or another.
const OF_THE_MACHINE: [&str; 15] = [
    "capacity",
    "cpuUtilization",
    "used",
    "capacityBytes",
    "availableBytes",
    "networkReadKBs",
    "networkWriteKBs",
    "freeMemoryKBs",
    "privateMacAddress",
    "storageMacAddress",
    "gatewayIpAddress",
    "privateNetmask",
    "storageNetmask",
    "memory",
    "totalMemoryKBs",
];

/// Folder names in one spelling: the recording was made on a system whose separator is a slash.
pub(super) fn spelled(text: &str) -> String {
    text.replace("\\\\", "\\").replace('/', "\\").replace("\\\\", "\\")
}

/// Compares structure, types and texts; lists what differs.
pub(super) fn compare(at: &str, recorded: &Value, answered: &Value, differences: &mut Vec<String>) {
    match (recorded, answered) {
        (Value::Object(one), Value::Object(other)) => {
            for (key, value) in one {
                match other.get(key) {
                    None => differences.push(format!("{at}: no {key}")),
                    Some(answer) if OF_THE_MACHINE.contains(&key.as_str()) => {
                        if std::mem::discriminant(value) != std::mem::discriminant(answer)
                            || value.is_f64() != answer.is_f64()
                        {
                            differences.push(format!("{at}.{key}: {answer} is not like {value}"));
                        }
                    }
                    Some(answer) => compare(&format!("{at}.{key}"), value, answer, differences),
                }
            }
            for key in other.keys().filter(|key| !one.contains_key(*key)) {
                differences.push(format!("{at}: {key} is not in the recording"));
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (number, (value, answer)) in one.iter().zip(other).enumerate() {
                compare(&format!("{at}[{number}]"), value, answer, differences);
            }
        }
        (Value::String(one), Value::String(other)) if spelled(one) == spelled(other) => {}
        (one, other) if one == other => {}
        (one, other) => differences.push(format!("{at}: recorded {one}, answered {other}")),
    }
}

pub(super) fn read(path: PathBuf) -> Value {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap()
}

pub(super) fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

fn stem(last: &str) -> String {
    format!("0d0d0d0d-0000-4000-8000-000000000{last}")
}

fn vm(name: &str, guid: &str, stems: &[&str]) -> VmSpec {
    let mut vm = VmSpec::new(name, THE_HOST);
    vm.guid = Some(format!("0A0A0A0A-0000-4000-8000-0000000000{guid}"));
    vm.cpus = 2;
    vm.notes = Some("made by hand".to_owned());
    for last in stems {
        vm = vm.disk(&stem(last), "\\\\10.1.1.10\\primary1", 8 * MIB, 4 * MIB);
    }
    vm
}

/// The host on which the pairs were recorded, with a peer to move to.
fn recorded_host() -> WorldSpec {
    let mut spec = WorldSpec::new()
        .share("\\\\10.1.1.10\\primary1")
        .share("\\\\10.1.1.10\\primary2")
        .vm(vm("i-2-10-VM", "10", &["a01", "a02"]))
        .vm(vm("i-2-20-VM", "20", &["b01"]))
        .vm(vm("i-2-30-VM", "30", &["c01"]))
        .vm(vm("i-2-40-VM", "40", &["d01"]));
    spec.vms[1].running = false;
    spec.hosts = vec![
        HostSpec {
            local_path: "/srv/hyperv/local".to_owned(),
            memory_bytes: 16 << 30,
            cpus: 4,
            cpu_sockets: 1,
            hypervisor_version: "6.18".to_owned(),
            ..host(THE_HOST)
        },
        host(PEER),
    ];
    spec
}

/// The failure that the recorded host was told to have.
fn misfortune(name: &str, request: &Value, response: &Value) -> Option<Fault> {
    let rule = &request["injected"]["rules"][0];
    let details = || {
        let body: Value = serde_json::from_str(response["body"].as_str().unwrap()).unwrap();
        let answer = body[0].as_object().unwrap().values().next().unwrap().clone();
        answer["details"].as_str().unwrap().to_owned()
    };
    let fraction = rule["atPercent"].as_f64().unwrap_or(50.0) / 100.0;
    match rule["action"].as_str()? {
        "return" => Some(Fault::WmiReturn { code: rule["code"].as_u64().unwrap() as u32 }),
        "jobError" => Some(Fault::FailAt { fraction, description: rule["description"].as_str().map(str::to_owned) }),
        "kill" => Some(Fault::DieAt { fraction }),
        "throw" if name == "wmi-exception-outside-try" => Some(Fault::HttpStatus { status: 500 }),
        "throw" => Some(Fault::Refuse { details: details() }),
        "slow" => None,
        other => panic!("{name}: unknown failure {other}"),
    }
}

/// Plays one recorded pair; lists what differs.
async fn replay(world: &RunningWorld, name: &str) -> Vec<String> {
    let request = read(golden(&format!("agent/{name}.request.json")));
    let response = read(golden(&format!("agent/{name}.response.json")));
    let path = request["path"].as_str().unwrap();
    let url = format!("https://{THE_HOST}:{}{path}", world.port());
    let mut body = request["body"].as_str().unwrap_or("").to_owned();
    if name.starts_with("migrate") {
        // The recorded host accepted itself as its own target.
        for member in ["destIp", "tgtHost"] {
            body = body.replace(&format!("\"{member}\":\"{THE_HOST}\""), &format!("\"{member}\":\"{PEER}\""));
        }
    }
    let fault = misfortune(name, &request, &response);
    let rule =
        fault.map(|fault| world.faults.add(FaultRule { host: None, vm: None, command: None, nth: Some(1), fault }));
    let method = request["method"].as_str().unwrap().parse().unwrap();
    let mut sending = client().request(method, url).body(body);
    for (header, value) in request["headers"].as_object().into_iter().flatten() {
        sending = sending.header(header, value.as_str().unwrap());
    }
    let sent = sending.send().await;
    world.faults.remove(rule);
    let Some(status) = response["status"].as_u64() else {
        return sent.err().map_or(vec![format!("{name}: an answer came")], |_| Vec::new());
    };
    let sent = sent.unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut differences = Vec::new();
    if u64::from(sent.status().as_u16()) != status {
        differences.push(format!("{name}: status {} for {status}", sent.status()));
    }
    let kind = sent.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
    if kind.map_or(Value::Null, Value::from) != response["headers"]["content-type"] {
        differences.push(format!("{name}: another content type"));
    }
    let answer = sent.text().await.unwrap();
    let recorded = response["body"].as_str().unwrap_or("");
    if recorded.is_empty() || status == 500 {
        // The body of a crash is the business of the library that the real agent is built on.
        return differences;
    }
    compare(name, &json(recorded), &json(&answer), &mut differences);
    differences
}

/// In the order in which they were recorded. Between the names in angle brackets something happens.
const PAIRS: &[&str] = &[
    "get",
    "get-host-stats-before-startup",
    "startup",
    "ready",
    "check-health",
    "ping",
    "prepare-for-migration",
    "create-storage-pool",
    "host-vm-state-report",
    "get-host-stats",
    "check-virtual-machine",
    "check-virtual-machine-stopped",
    "check-virtual-machine-unknown",
    "get-vm-stats-after",
    "modify-storage-pool-smb",
    "modify-storage-pool-smb-second",
    "modify-storage-pool-filesystem",
    "modify-storage-pool-remove",
    "modify-storage-pool-unsupported-type",
    "get-storage-stats-smb",
    "get-storage-stats-filesystem",
    "get-storage-stats-smb-unknown-pool",
    "get-storage-stats-unsupported-type",
    "unsupported-command",
    "unknown-command",
    "unknown-controller",
    "unknown-path",
    "get-on-command",
    "command-name-case",
    "malformed-cut-off",
    "malformed-not-json",
    "malformed-empty-body",
    "malformed-migrate-volume",
    "wrong-content-type",
    "wrapped-in-array",
    "startup-not-in-array",
    "missing-vm-name",
    "missing-vm-names",
    "missing-host-id",
    "missing-pool",
    "missing-volume-path",
    "field-case",
    "wmi-exception-outside-try",
    "migrate-volume",
    "migrate-volume-filesystem",
    "migrate-volume-unknown-vm",
    "migrate-volume-detached",
    "migrate-volume-unknown-volume",
    "volume-path-with-extension",
    "pool-type-case",
    // The disk lay on the first share again when these were recorded.
    "<back>",
    "pool-path-no-slash",
    "migrate-volume-no-such-share",
    "migrate-volume-job-error",
    "migrate-volume-wmi-return-code",
    "migrate-volume-wmi-exception",
    "migrate-volume-agent-killed",
    "check-virtual-machine-after-restart",
    "migrate-volume-over-leftover",
    "migrate-with-storage-map-form",
    "migrate-with-storage-unknown-vm",
    "migrate-with-storage-job-error",
    "migrate-unknown-vm",
    "migrate-destip-unknown-vm",
    "migrate-destip-not-an-address",
    "migrate-destip-wmi-return-code",
    "migrate-with-storage",
    "check-virtual-machine-after-migration",
    "migrate-with-storage-unknown-volume",
    "<all away>",
    "host-vm-state-report-after",
];

#[tokio::test(flavor = "multi_thread")]
async fn recorded_pairs_are_answered_as_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&recorded_host(), folder.path()).await;
    let mut differences = Vec::new();
    for name in PAIRS {
        match *name {
            "<back>" => {
                let command = migrate_volume("i-2-10-VM", &stem("a02"), smb("\\\\10.1.1.10\\primary1"), "back");
                assert!(call(&world, THE_HOST, &command).await.outcome.result);
            }
            "<all away>" => {
                let command = migrate_all("i-2-40-VM", PEER, Vec::new(), "away");
                assert!(call(&world, THE_HOST, &command).await.outcome.result);
                world.change(|state| state.remove(THE_HOST, "i-2-20-VM")).unwrap();
            }
            name => differences.extend(replay(&world, name).await),
        }
        if *name == "migrate-with-storage" {
            for last in ["a01", "a02"] {
                let path = format!("\\\\10.1.1.10\\primary2\\{}.vhdx", stem(last));
                assert_eq!(place(&world, "i-2-10-VM", &stem(last)), (PEER.to_owned(), path));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    for entry in fs::read_dir(golden("agent")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let name = file.split('.').next().unwrap();
        assert!(name == "README" || PAIRS.contains(&name), "{name} is not replayed");
    }
}

#[test]
fn a_difference_is_seen() {
    let mut differences = Vec::new();
    let recorded = json!([{"x": {"result": true, "details": null, "capacity": 5}}]);
    compare("same", &recorded, &json!([{"x": {"result": true, "details": null, "capacity": 7}}]), &mut differences);
    assert!(differences.is_empty());
    compare("other", &recorded, &json!([{"x": {"result": false, "capacity": "7", "more": 1}}]), &mut differences);
    assert_eq!(differences.len(), 4, "{differences:?}");
}
