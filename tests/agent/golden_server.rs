//! What a real management server sent to real agents, case by case: discovery, pings, statistics, pools, moves and
//! reconnection. The simulated hosts answer as the real ones did, and their VMs end at the same places.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::golden::{compare, golden, read, spelled};
use super::support::*;
use crate::motion_golden::cases::real_agents;
use serde_json::Value;
use stackmotion::agent::RunningWorld;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::image::ImageFormat;
use stackmotion::agent::spec::{DiskSpec, HostSpec, LOCAL, VmSpec, WorldSpec};

/// Pools that the recorded hosts had registered before.
const REGISTERED: [(&str, &str); 3] = [
    ("9e9e7cfc-0fab-39ff-8554-c37528249d55", "\\\\10.1.1.10\\primary1"),
    ("28a7328c-1e6f-36dd-b8d5-5290b07b558d", "\\\\10.1.1.10\\primary2"),
    ("bdacf55b-c2ea-3c36-8487-2d22603b286f", "\\\\10.1.1.10\\primary3"),
];

/// VMs in the recording: host and name, disks.
fn recorded_vms(vms: &Value) -> BTreeMap<(String, String), Vec<String>> {
    let vms = vms.as_object().unwrap().iter();
    vms.map(|(key, vm)| {
        let (ip, name) = key.trim_end_matches(".json").split_once('/').unwrap();
        let disks = vm["disks"].as_array().unwrap().iter();
        let disks = disks.map(|disk| spelled(disk.as_str().unwrap())).collect();
        ((ip.to_owned(), name.to_owned()), disks)
    })
    .collect()
}

fn vms_now(world: &RunningWorld) -> BTreeMap<(String, String), Vec<String>> {
    world.read(|state| {
        let vms = state.vms().map(|(ip, vm)| {
            let disks = vm.disks.iter().map(|disk| spelled(&disk.path())).collect();
            ((ip.to_owned(), vm.name.clone()), disks)
        });
        vms.collect()
    })
}

/// Three hosts and three shares with the VMs of a recorded case.
fn recorded_cluster(vms: &Value) -> WorldSpec {
    let mut spec = WorldSpec::new();
    for (_, unc) in REGISTERED {
        spec = spec.share(unc);
    }
    for ip in ["127.0.0.2", "127.0.0.3", "127.0.0.4"] {
        spec.hosts.push(HostSpec {
            local_path: format!("{{{{folder:local-of-{ip}}}}}"),
            cpus: 8,
            cpu_sockets: 1,
            memory_bytes: 32 << 30,
            ..host(ip)
        });
    }
    for ((ip, name), disks) in recorded_vms(vms) {
        let mut vm = VmSpec::new(&name, &ip);
        if name == "i-2-12-VM" {
            vm.guid = Some("74157B72-0484-55F2-9232-A6B5799227AE".to_owned());
        }
        for disk in disks {
            let (pool, file) = disk.rsplit_once('\\').unwrap();
            let is_local = pool.starts_with('{');
            vm.disks.push(DiskSpec {
                stem: file.trim_end_matches(".vhdx").to_owned(),
                pool: if is_local { LOCAL.to_owned() } else { format!("\\{pool}") },
                format: ImageFormat::Vhdx,
                virtual_bytes: 8 * MIB,
                data_bytes: 2 * MIB,
            });
        }
        spec.vms.push(vm);
    }
    spec
}

/// What the recorded hosts were told to do in a case.
fn told(name: &str, at: &Path) -> Option<(&'static str, Fault)> {
    let fail = |text: &str| Fault::FailAt { fraction: 0.6, description: Some(text.to_owned()) };
    match name {
        "hv-mv-live-wmi-return" => Some(("MigrateVolumeCommand", Fault::WmiReturn { code: 32774 })),
        "hv-mv-live-agent-killed" => Some(("MigrateVolumeCommand", Fault::DieAt { fraction: 0.5 })),
        "hv-mv-live-retry-leftover" => {
            let left = "pools/10.1.1.10-primary2/47a3ffc6-9651-5a72-ace1-e5bbfef6d40b.vhdx";
            fs::write(at.join(left), b"half").unwrap();
            None
        }
        "hv-crash-server-killed" | "hv-mm-job-error" => Some((
            "MigrateCommand",
            fail(
                "The Virtual Machine Management Service failed to establish a connection for a virtual machine migration.",
            ),
        )),
        "hv-mws-job-error" => Some(("MigrateWithStorageCommand", fail("There is not enough space on the disk."))),
        _ => None,
    }
}

/// Plays a case of a real management server against hosts set up alike.
async fn replay_case(case: &Value) -> Vec<String> {
    let name = case["name"].as_str().unwrap();
    let before = match name {
        "hv-seed-rows" => &case["vms_after"],
        _ => &case["vms_before"],
    };
    let folder = tempfile::tempdir().unwrap();
    let world = start(&recorded_cluster(before), folder.path()).await;
    for host in world.hosts() {
        host.process().started(host.ip());
        let registered = REGISTERED.map(|(uuid, unc)| (uuid.to_owned(), unc.to_owned()));
        world.change(|state| state.hosts.get_mut(host.ip()).unwrap().pools.extend(registered)).unwrap();
    }
    if let Some((command, fault)) = told(name, folder.path()) {
        world.faults.add(FaultRule::on(command, fault));
    }
    let mut differences = Vec::new();
    for (number, exchange) in case["agent"].as_array().unwrap().iter().enumerate() {
        let at = format!("{name} {number}");
        let mut body: Value = serde_json::from_str(exchange["request"].as_str().unwrap()).unwrap();
        // What a proxy added to requests of a server that uses the newer name.
        for (key, value) in exchange["passed_on_with"].as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let (ip, path) = (exchange["host"].as_str().unwrap(), exchange["path"].as_str().unwrap());
        let answer = post(&world, ip, path, body.to_string().into_bytes()).await;
        let Some(recorded) = exchange["response"].as_str() else {
            assert!(answer.is_err(), "{at}: an answer came");
            continue;
        };
        let (status, answer) = answer.unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(u64::from(status.as_u16()), exchange["status"].as_u64().unwrap(), "{at}");
        compare(&at, &json(recorded), &json(&answer), &mut differences);
    }
    if vms_now(&world) != recorded_vms(&case["vms_after"]) {
        differences.push(format!("{name}: VMs are at other places: {:?}", vms_now(&world)));
    }
    world.stop().await;
    differences
}

/// Cases in which agents were asked and that are not replayed. The server had a disk copied through an image store on NFS,
/// which the real agent puts on its own drive; here that is refused, and no gateway asks for it. Two of them failed besides
/// because the recording agent's system has no file names with backslashes.
const LEFT_OUT: [&str; 3] = ["hv-mv-detached", "hv-mv-stopped-data-ok", "hv-mv-stopped-root"];

#[tokio::test(flavor = "multi_thread")]
async fn a_real_servers_requests_are_answered_as_the_real_agent_did() {
    let cases = read(golden("agent-server.json"));
    let cases = cases.as_array().unwrap();
    let mut differences = Vec::new();
    for case in cases {
        differences.extend(replay_case(case).await);
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn every_case_in_which_agents_were_asked_is_replayed_or_left_out() {
    let recorded = real_agents().recorded;
    let asked = recorded.iter().filter(|(_, case)| !case.agent_commands.is_empty());
    let asked: BTreeMap<_, _> = asked.map(|(name, case)| (name.as_str(), &case.agent_commands)).collect();
    let cases = read(golden("agent-server.json"));
    let replayed = cases.as_array().unwrap().iter().map(|case| case["name"].as_str().unwrap());
    let mut met: Vec<&str> = replayed.chain(LEFT_OUT).collect();
    met.sort_unstable();
    assert_eq!(met, asked.keys().copied().collect::<Vec<_>>());
    for name in LEFT_OUT {
        assert_eq!(asked[name][0], "CopyCommand", "{name}");
    }
}
