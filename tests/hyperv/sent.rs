//! What is sent beside the orders of a motion, compared with what a real server sent and a real agent accepted.

use serde_json::{Value, json};
use stackmotion::hypervisors::hyperv::discovery::{KnownHost, Place};
use stackmotion::motion::hypervisor::{DiskRef, HostRef, Hypervisor, PoolRef, VmPresence, VolumeCopy};

use super::moves::{assert_holds, hyperv, plain_order, read_by_agents, vm};
use super::server::{Reply, Server, modern, recorded};

const VOLUME: &str = "org.apache.cloudstack.storage.to.VolumeObjectTO";
const STORE: &str = "org.apache.cloudstack.storage.to.PrimaryDataStoreTO";

/// Every class of the recording, so that none is forgotten: compared here, in `moves` or in `hosts`, or not sent.
const COMPARED: [(&str, &str); 16] = [
    ("CheckNetworkCommand", "hosts"),
    ("CheckVirtualMachineCommand", "here"),
    ("CopyCommand", "here"),
    ("DeleteCommand", "here"),
    ("GetHostStatsCommand", "here"),
    ("GetStorageStatsCommand", "hosts"),
    ("GetVmStatsCommand", "here"),
    ("MigrateCommand", "moves"),
    ("MigrateVolumeCommand", "moves"),
    ("MigrateWithStorageCommand", "moves"),
    ("ModifyStoragePoolCommand", "hosts"),
    ("PingRoutingCommand", "here"),
    ("PrepareForMigrationCommand", "here"),
    ("ReadyCommand", "hosts"),
    ("SetupCommand", "hosts"),
    ("StartupCommand", "hosts"),
];

#[test]
fn every_recorded_class_is_compared_somewhere() {
    let text = crate::support::golden::text("hyperv-sent.json");
    let pairs: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut classes: Vec<&str> = pairs.iter().map(|pair| pair["command"].as_str().unwrap()).collect();
    classes.sort_unstable();
    classes.dedup();
    assert_eq!(classes, COMPARED.map(|(class, _)| class));
    let tests =
        [("here", include_str!("sent.rs")), ("hosts", include_str!("hosts.rs")), ("moves", include_str!("moves.rs"))];
    for (class, place) in COMPARED {
        let text = tests.iter().find(|(name, _)| *name == place).unwrap().1;
        assert!(text.contains(&format!("recorded(\"{class}\")")), "{class} is not compared in {place}");
    }
}

/// A server that answers every command of a class as the first recorded agent did.
fn agent() -> Server {
    Server::start_at("127.0.0.4:0", modern(), |seen| Reply::ok(recorded(seen.command()).remove(0).1))
}

/// What was sent of that class, the first time.
fn sent(server: &Server, class: &str) -> Value {
    server.seen().iter().find(|seen| seen.command() == class).unwrap_or_else(|| panic!("no {class} was sent")).json()
}

/// A disk as a recorded `VolumeObjectTO` names it.
fn disk(object: &Value) -> DiskRef {
    let object = &object[VOLUME];
    let store = &object["dataStore"][STORE];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    DiskRef {
        volume_id: object["id"].as_i64().unwrap(),
        uuid: text(&object["uuid"]),
        name: text(&object["name"]),
        kind: text(&object["volumeType"]),
        stem: text(&object["path"]),
        format: text(&object["format"]),
        size_bytes: object["size"].as_i64().unwrap(),
        device_id: object["deviceId"].as_i64().unwrap_or_default(),
        pool: PoolRef {
            id: store["id"].as_i64().unwrap(),
            uuid: text(&store["uuid"]),
            name: text(&store["name"]),
            kind: text(&store["poolType"]),
            host: text(&store["host"]),
            path: format!("{}?user=u&password=p", store["path"].as_str().unwrap()),
            port: store["port"].as_i64().unwrap(),
        },
    }
}

/// What agents read of a recorded `VolumeObjectTO`.
fn read_of_disk(object: &Value) -> Value {
    let object = &object[VOLUME];
    let store = read_by_agents(object["dataStore"][STORE].clone(), &["uuid", "poolType", "host", "path", "port"]);
    let mut read = read_by_agents(object.clone(), &["path", "format", "name", "size", "volumeType", "hypervisorType"]);
    read["dataStore"] = json!({ STORE: store });
    json!({ VOLUME: read })
}

#[tokio::test]
async fn a_vm_is_asked_for_by_its_name() {
    let (request, _) = recorded("CheckVirtualMachineCommand").remove(0);
    let server = agent();
    let name = request["vmName"].as_str().unwrap();
    assert_eq!(hyperv().vm_presence(&server.host(), name).await.unwrap(), VmPresence::Running);
    assert_holds(&sent(&server, "CheckVirtualMachineCommand"), &json!({ "vmName": name }), "check");
}

#[tokio::test]
async fn a_vm_is_announced_to_its_target_as_the_real_server_does_it() {
    let (request, _) = recorded("PrepareForMigrationCommand").remove(0);
    let (source, target) = (agent(), agent());
    let mut order = plain_order(target.host());
    order.vm = vm(request["vm"]["name"].as_str().unwrap());
    order.vm.uuid = request["vm"]["uuid"].as_str().unwrap().to_owned();
    // The first recorded agent refused the move itself, after it was announced.
    hyperv().move_vm(&source.host(), &order).await.unwrap_err();
    let wanted = read_by_agents(request["vm"].clone(), &["name", "uuid", "type"]);
    assert_holds(&sent(&target, "PrepareForMigrationCommand")["vm"], &wanted, "prepare");
}

#[tokio::test]
async fn disks_that_are_copied_and_deleted_are_named_as_the_real_server_names_them() {
    let (request, _) = recorded("DeleteCommand").remove(0);
    let server = agent();
    hyperv().delete_volume(&server.host(), &disk(&request["data"])).await.unwrap();
    assert_holds(&sent(&server, "DeleteCommand")["data"], &read_of_disk(&request["data"]), "delete");
    for (request, answer) in recorded("CopyCommand") {
        let server = Server::start(modern(), move |_| Reply::ok(answer.clone()));
        let from = disk(&request["srcTO"]);
        let mut copy = from.clone();
        (copy.volume_id, copy.stem) = (99, "new".to_owned());
        // The server had it copied to an image store first; the disk itself is named the same.
        let refusal =
            hyperv().copy_volume(&server.host(), &VolumeCopy { motion: "m".to_owned(), disk: from, copy }).await;
        assert!(refusal.unwrap_err().text.starts_with("Local template file missing"));
        assert_holds(&sent(&server, "CopyCommand")["srcTO"], &read_of_disk(&request["srcTO"]), "copy");
    }
}

#[tokio::test]
async fn hosts_are_asked_as_the_real_server_does_it() {
    let server = agent();
    let host = HostRef { id: 7, name: "127.0.0.4".to_owned(), ..server.host() };
    let place = Place { zone_id: 1, pod_id: 2, cluster_id: 4 };
    let known = KnownHost { host: host.clone(), uuid: "u".to_owned(), place };
    let hyperv = std::sync::Arc::new(hyperv());
    hyperv.ping(&host).await.unwrap();
    hyperv.host_stats(&known).await.unwrap();
    let (vms, _) = recorded("GetVmStatsCommand").remove(0);
    let names: Vec<String> = serde_json::from_value(vms["vmNames"].clone()).unwrap();
    hyperv.vm_stats(&host, &names).await.unwrap();
    assert_holds(&sent(&server, "GetVmStatsCommand"), &json!({ "vmNames": names }), "vms");
    let (ping, _) = recorded("PingRoutingCommand").remove(0);
    let keys = ["hostType", "hostId"];
    assert_holds(&sent(&server, "PingRoutingCommand"), &read_by_agents(ping, &keys), "ping");
    let asked = recorded("GetHostStatsCommand").into_iter().find(|(asked, _)| asked["hostId"] == 7).unwrap().0;
    let asked = read_by_agents(asked, &["hostId", "hostName", "hostGuid"]);
    assert_holds(&sent(&server, "GetHostStatsCommand"), &asked, "host");
}
