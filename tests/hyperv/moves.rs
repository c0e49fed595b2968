//! Orders of a motion, compared with what a real agent was sent and accepted.

use std::sync::Arc;

use serde_json::{Value, json};
use stackmotion::hypervisors::hyperv::{ClientSettings, HyperV};
use stackmotion::motion::hypervisor::same_folder;
use stackmotion::motion::hypervisor::{
    DiskRef, Effect, HostRef, Hypervisor, MotionState, PoolRef, VmMove, VmPresence, VmRef, VolumeCopy, VolumeMove,
};

use super::server::{Reply, Seen, Server, client, golden, host_at, modern, recorded};

pub fn hyperv() -> HyperV {
    HyperV::new(client(ClientSettings::default()))
}

/// A pool as a recorded request names it.
pub fn pool(recorded: &Value) -> PoolRef {
    let text = |key: &str| recorded[key].as_str().unwrap_or_default().to_owned();
    PoolRef {
        id: recorded["id"].as_i64().unwrap_or_default(),
        uuid: text("uuid"),
        name: "pool".to_owned(),
        kind: text("type"),
        host: text("host"),
        path: format!("{}?user=u&password=p", text("path")),
        port: recorded["port"].as_i64().unwrap_or_default(),
    }
}

/// A disk as a recorded `VolumeTO` names it.
fn disk(recorded: &Value) -> DiskRef {
    let text = |key: &str| recorded[key].as_str().unwrap_or_default().to_owned();
    DiskRef {
        volume_id: recorded["id"].as_i64().unwrap_or_default(),
        uuid: "0d3b2f6a-1111-4222-8333-000000000017".to_owned(),
        name: text("name"),
        kind: text("type"),
        stem: text("path"),
        format: "VHDX".to_owned(),
        size_bytes: recorded["size"].as_i64().unwrap(),
        device_id: recorded["deviceId"].as_i64().unwrap(),
        pool: PoolRef {
            id: 1,
            uuid: text("storagePoolUuid"),
            name: "source".to_owned(),
            kind: text("storagePoolType"),
            host: "10.1.1.10".to_owned(),
            path: text("mountPoint"),
            port: 445,
        },
    }
}

/// A VM of that name.
pub fn vm(name: &str) -> VmRef {
    VmRef {
        id: 5,
        uuid: "0d3b2f6a-1111-4222-8333-444444444444".to_owned(),
        name: name.to_owned(),
        cpus: 2,
        speed_mhz: 1000,
        memory_bytes: 2_147_483_648,
    }
}

/// Answers from a recording by the name of the pair.
fn replaying(name: &'static str) -> Server {
    Server::start(modern(), move |_| Reply::ok(golden(name).1))
}

/// Every member of `wanted` is in `sent` with the same value.
pub fn assert_holds(sent: &Value, wanted: &Value, at: &str) {
    match (sent, wanted) {
        (Value::Object(sent), Value::Object(wanted)) => {
            for (key, value) in wanted {
                let found = sent.get(key).unwrap_or_else(|| panic!("{at}.{key} is missing"));
                assert_holds(found, value, &format!("{at}.{key}"));
            }
        }
        (Value::Array(sent), Value::Array(wanted)) => {
            assert_eq!(sent.len(), wanted.len(), "{at}");
            for (index, (sent, wanted)) in sent.iter().zip(wanted).enumerate() {
                assert_holds(sent, wanted, &format!("{at}[{index}]"));
            }
        }
        _ => assert_eq!(sent, wanted, "{at}"),
    }
}

/// A recorded request without what agents do not read and we have no use for.
pub fn read_by_agents(mut recorded: Value, keys: &[&str]) -> Value {
    recorded.as_object_mut().unwrap().retain(|key, _| keys.contains(&key.as_str()));
    recorded
}

pub fn volume_order(recorded: &Value) -> VolumeMove {
    let stem = recorded["volumePath"].as_str().unwrap();
    VolumeMove {
        motion: "m-1".to_owned(),
        vm: vm(recorded["attachedVmName"].as_str().unwrap_or("i-2-10-VM")),
        disk: disk(&json!({"id": recorded["volumeId"], "path": stem, "type": recorded["volumeType"], "size": 1,
            "deviceId": 0, "storagePoolType": "SMB", "mountPoint": "/primary1"})),
        target: pool(&recorded["pool"]),
    }
}

#[tokio::test]
async fn a_volume_is_moved_with_what_the_real_server_sends() {
    for name in ["migrate-volume", "migrate-volume-filesystem"] {
        let (recorded, _) = golden(name);
        let server = replaying(name);
        let order = volume_order(&recorded);
        let told = hyperv().move_volume(&server.host(), &order).await.unwrap();
        assert_eq!(told.stems, [(order.disk.volume_id, order.disk.stem.clone())], "{name}");
        let seen = server.seen().remove(0);
        assert!(seen.path.ends_with("/com.cloud.agent.api.storage.MigrateVolumeCommand"));
        let sent = seen.json();
        let keys = ["volumeId", "volumePath", "pool", "attachedVmName", "volumeType"];
        assert_holds(&sent, &read_by_agents(recorded, &keys), name);
        assert_eq!(sent["contextMap"], json!({"motion": "m-1"}));
    }
}

#[tokio::test]
async fn a_refusal_keeps_the_agents_own_words() {
    for name in [
        "migrate-volume-job-error",
        "migrate-volume-wmi-return-code",
        "migrate-volume-unknown-vm",
        "migrate-volume-no-such-share",
        "migrate-volume-over-leftover",
    ] {
        let (recorded, answer) = golden(name);
        let server = replaying(name);
        let order = volume_order(&recorded);
        let error = hyperv().move_volume(&server.host(), &order).await.unwrap_err();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let details = answer[0].as_object().unwrap().values().next().unwrap()["details"].as_str().unwrap();
        assert_eq!((error.effect, error.text.as_str()), (Effect::None, details), "{name}");
    }
}

#[tokio::test]
async fn a_vm_is_moved_with_its_disks_as_the_real_server_does_it() {
    let name = "migrate-with-storage";
    let (recorded, _) = golden(name);
    let server = replaying(name);
    let disks = recorded["volumeToFilerAsList"].as_array().unwrap();
    let target = recorded["tgtHost"].as_str().unwrap();
    let order = VmMove {
        motion: "m-2".to_owned(),
        vm: vm(recorded["vm"]["name"].as_str().unwrap()),
        target_host: host_at(target, 8250),
        disks: disks.iter().map(|pair| (disk(&pair["t"]), pool(&pair["u"]))).collect(),
    };
    let told = hyperv().move_vm(&server.host(), &order).await.unwrap();
    let stems: Vec<_> = order.disks.iter().map(|(disk, _)| (disk.volume_id, disk.stem.clone())).collect();
    assert_eq!(told.stems, stems);
    let sent = server.seen().remove(0).json();
    assert_holds(&sent, &read_by_agents(recorded.clone(), &["volumeToFilerAsList", "tgtHost"]), name);
    let known = ["id", "name", "type", "cpus", "minSpeed", "maxSpeed", "minRam", "maxRam", "uuid", "state"];
    for key in known.iter().filter(|key| recorded["vm"].get(**key).is_some()) {
        assert!(sent["vm"].get(*key).is_some(), "vm.{key} is missing");
    }
    assert_eq!(sent["vm"]["name"], recorded["vm"]["name"]);
    assert_eq!(sent["contextMap"], json!({"motion": "m-2"}));
    assert!(sent.get("volumeToFiler").is_none());
}

/// A VM alone to that host.
pub fn plain_order(target: HostRef) -> VmMove {
    VmMove { motion: "m-3".to_owned(), vm: vm("i-2-5-VM"), target_host: target, disks: Vec::new() }
}

fn prepared(seen: &Seen) -> Reply {
    assert_eq!(seen.command(), "PrepareForMigrationCommand");
    Reply::ok(golden("prepare-for-migration").1)
}

#[tokio::test]
async fn a_vm_alone_is_announced_to_the_target_and_named_under_both_names() {
    let target = Server::start(modern(), prepared);
    let answer = r#"[{"com.cloud.agent.api.MigrateAnswer":{"result":true,"details":null,"contextMap":{}}}]"#;
    let source = Server::start(modern(), move |_| Reply::ok(answer));
    hyperv().move_vm(&source.host(), &plain_order(target.host())).await.unwrap();
    assert_eq!(target.seen()[0].json()["vm"]["name"], "i-2-5-VM");
    let sent = source.seen().remove(0).json();
    assert_eq!((&sent["destIp"], &sent["destinationIp"]), (&json!("127.0.0.1"), &json!("127.0.0.1")));
    assert_eq!((&sent["vmName"], &sent["contextMap"]), (&json!("i-2-5-VM"), &json!({"motion": "m-3"})));
}

#[tokio::test]
async fn a_target_that_cannot_be_asked_stops_the_move_before_it_begins() {
    let source = Server::start(modern(), |_| Reply::Drop);
    let target = Server::start(modern(), |_| Reply::Drop);
    let error = hyperv().move_vm(&source.host(), &plain_order(target.host())).await.unwrap_err();
    assert_eq!(error.effect, Effect::None, "{error}");
    assert!(source.seen().is_empty());
}

#[tokio::test]
async fn a_missing_reverse_name_gets_advice() {
    let target = Server::start(modern(), prepared);
    let answer = r#"[{"com.cloud.agent.api.MigrateAnswer":{"result":false,
        "details":"com.cloud.agent.api.MigrateCommand failed due to No such host is known"}}]"#;
    let source = Server::start(modern(), move |_| Reply::ok(answer));
    let error = hyperv().move_vm(&source.host(), &plain_order(target.host())).await.unwrap_err();
    assert!(error.text.starts_with("com.cloud.agent.api.MigrateCommand failed due to No such host is known"));
    assert!(error.text.contains("reverse DNS"), "{error}");
    assert_eq!(error.effect, Effect::None);
}

#[tokio::test]
async fn orders_that_an_agent_would_misunderstand_are_not_sent() {
    let server = Server::start(modern(), |_| Reply::Drop);
    let (hyperv, host) = (hyperv(), server.host());
    let good = volume_order(&golden("migrate-volume").0);
    let changes: [fn(&mut VolumeMove); 8] = [
        |order| order.target.kind = "NetworkFilesystem".to_owned(),
        |order| order.target.kind = "smb".to_owned(),
        |order| order.target.path = "primary2".to_owned(),
        |order| order.target.path = "?user=u".to_owned(),
        |order| order.target.host = "\\\\fs1".to_owned(),
        |order| order.disk.stem.push_str(".VHDX"),
        |order| order.disk.stem = "folder/disk".to_owned(),
        |order| order.vm.name = "i-2-'5".to_owned(),
    ];
    for (index, change) in changes.iter().enumerate() {
        let mut order = good.clone();
        change(&mut order);
        let error = hyperv.move_volume(&host, &order).await.unwrap_err();
        assert_eq!(error.effect, Effect::None, "{index}: {error}");
    }
    let pair = || (good.disk.clone(), good.target.clone());
    let mut twice = plain_order(host_at("192.0.2.22", 8250));
    twice.disks = vec![pair(), pair()];
    assert_eq!(hyperv.move_vm(&host, &twice).await.unwrap_err().effect, Effect::None);
    let named = plain_order(HostRef { ip: "hv2.example.test".to_owned(), ..host.clone() });
    assert_eq!(hyperv.move_vm(&host, &named).await.unwrap_err().effect, Effect::None);
    assert_eq!(server.connections(), 0);
}

#[tokio::test]
async fn presence_is_read_from_recorded_answers_and_nothing_else_means_absent() {
    let ask = |name: &'static str, vm: &'static str| async move {
        let server = replaying(name);
        hyperv().vm_presence(&server.host(), vm).await
    };
    let asked = |name: &str| golden(name).0["vmName"].as_str().unwrap().to_owned();
    let leak = |text: String| -> &'static str { text.leak() };
    assert_eq!(ask("check-virtual-machine", "x").await, Ok(VmPresence::Running));
    assert_eq!(ask("check-virtual-machine-stopped", "x").await, Ok(VmPresence::Off));
    for name in ["check-virtual-machine-unknown", "check-virtual-machine-after-migration"] {
        let vm = leak(asked(name));
        assert_eq!(ask(name, vm).await, Ok(VmPresence::Absent), "{name}");
        // The text about another VM says nothing about this one.
        assert!(ask(name, "i-2-999-VM").await.is_err(), "{name}");
    }
    let crashed = Server::start(modern(), |_| Reply::Say(500, String::new()));
    assert_eq!(hyperv().vm_presence(&crashed.host(), "x").await.unwrap_err().effect, Effect::Unknown);
}

#[tokio::test]
async fn a_stock_agent_is_asked_for_additions_once() {
    let server = Server::start(modern(), |_| Reply::Say(404, "\"unknown\"".to_owned()));
    let (hyperv, host) = (hyperv(), server.host());
    for _ in 0..3 {
        assert_eq!(hyperv.vm_disks(&host, "i-2-5-VM").await, Ok(None));
        assert_eq!(hyperv.motion_status(&host, "m-1").await, Ok(None));
        let smb = volume_order(&golden("migrate-volume").0).target;
        assert_eq!(hyperv.files(&host, &smb, "stem").await, Ok(None));
    }
    assert_eq!(server.seen().len(), 3);
    hyperv.forget_abilities(&host);
    assert_eq!(hyperv.vm_disks(&host, "i-2-5-VM").await, Ok(None));
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn additions_are_read() {
    let server = Server::start(modern(), |seen| {
        Reply::ok(match seen.command() {
            "VmDisksCommand" => {
                r#"[{"stackmotion.VmDisksAnswer":{"result":true,"disks":[{"stem":"s","file":"s.vhdx",
                "folder":"\\\\FS1\\csprimary","virtualBytes":7,"allocatedBytes":5,"identity":"i"}]}}]"#
            }
            "FileFactsCommand" => {
                r#"[{"stackmotion.FileFactsAnswer":{"result":true,"files":[{"file":"s.vhdx","fileBytes":3}]}}]"#
            }
            "MotionStatusCommand" if seen.json()["motionId"] == "m-1" => {
                r#"[{"stackmotion.MotionStatusAnswer":{"result":true,
                "known":true,"state":"running","phase":"copy","bytesTotal":10,"bytesDone":4}}]"#
            }
            _ => r#"[{"stackmotion.MotionStatusAnswer":{"result":true,"known":false,"state":"done"}}]"#,
        })
    });
    let (hyperv, host) = (hyperv(), server.host());
    let smb = PoolRef { path: "/csprimary".to_owned(), ..volume_order(&golden("migrate-volume").0).target };
    let disks = hyperv.vm_disks(&host, "i-2-5-VM").await.unwrap().unwrap();
    assert_eq!((disks[0].stem.as_str(), disks[0].size_bytes), ("s", 7));
    assert!(same_folder(&disks[0].folder, &hyperv.folder(&PoolRef { host: "fs1".to_owned(), ..smb.clone() })));
    assert!(!same_folder(&disks[0].folder, "\\\\fs1\\csprimary2"));
    let files = hyperv.files(&host, &smb, "s").await.unwrap().unwrap();
    assert_eq!((files[0].complete, files[0].allocated_bytes), (false, 3));
    let status = hyperv.motion_status(&host, "m-1").await.unwrap().unwrap();
    assert_eq!((status.state, status.bytes_done), (MotionState::Running, 4));
    let forgotten = hyperv.motion_status(&host, "m-2").await.unwrap().unwrap();
    assert_eq!(forgotten.state, MotionState::Unknown);
}

#[tokio::test]
async fn copies_and_deletions_name_the_file_by_its_stem() {
    let server = Server::start(modern(), |seen| {
        Reply::ok(match seen.command() {
            "CopyCommand" => {
                r#"[{"org.apache.cloudstack.storage.command.CopyCmdAnswer":{"result":true,"newData":{
                "org.apache.cloudstack.storage.to.VolumeObjectTO":{"path":"new/u.vhdx","uuid":"u"}}}}]"#
            }
            _ => r#"[{"com.cloud.agent.api.Answer":{"result":true,"details":null,"contextMap":{}}}]"#,
        })
    });
    let (hyperv, host) = (Arc::new(hyperv()), server.host());
    let order = volume_order(&golden("migrate-volume").0);
    let copy = DiskRef { volume_id: 99, stem: "new".to_owned(), pool: order.target.clone(), ..order.disk.clone() };
    let copying = VolumeCopy { motion: "m-4".to_owned(), disk: order.disk.clone(), copy };
    let told = hyperv.copy_volume(&host, &copying).await.unwrap();
    // What the agent answers names no file, so it is not passed on.
    assert_eq!(told.stems, []);
    let sent = server.seen().remove(0).json();
    let target = &sent["destTO"]["org.apache.cloudstack.storage.to.VolumeObjectTO"];
    assert_eq!((&target["path"], &target["format"], &target["size"]), (&json!("new"), &json!("VHDX"), &json!(1)));
    let store = &target["dataStore"]["org.apache.cloudstack.storage.to.PrimaryDataStoreTO"];
    assert_eq!(store["poolType"], "SMB");
    assert!(!store["path"].as_str().unwrap().contains('?'));
    assert_eq!(sent["contextMap"], json!({"motion": "m-4"}));

    hyperv.delete_volume(&host, &copying.copy).await.unwrap();
    let sent = server.seen().remove(1).json();
    assert_eq!(sent["data"]["org.apache.cloudstack.storage.to.VolumeObjectTO"]["path"], "new");
    // An agent deletes what has the copy's name first: a copy onto itself would destroy the disk.
    let upper = DiskRef { stem: order.disk.stem.to_uppercase(), ..order.disk.clone() };
    let mut twin = upper.clone();
    (twin.pool.id, twin.pool.path) = (99, format!("{}/", twin.pool.path.to_uppercase()));
    let pointed = DiskRef { stem: "a.b".to_owned(), ..copying.copy.clone() };
    for copy in [order.disk.clone(), upper, twin, pointed] {
        let order = VolumeCopy { copy, ..copying.clone() };
        assert_eq!(hyperv.copy_volume(&host, &order).await.unwrap_err().effect, Effect::None, "{order:?}");
    }
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn moves_of_a_real_server_are_sent_the_same() {
    let keys = ["volumeId", "volumePath", "pool", "attachedVmName", "volumeType"];
    for (request, answer) in recorded("MigrateVolumeCommand") {
        let server = Server::start(modern(), move |_| Reply::ok(answer.clone()));
        hyperv().move_volume(&server.host(), &volume_order(&request)).await.unwrap();
        assert_holds(&server.seen()[0].json(), &read_by_agents(request, &keys), "MigrateVolumeCommand");
    }
    for (request, answer) in recorded("MigrateWithStorageCommand") {
        let good = answer.contains("\"result\":true");
        let server = Server::start(modern(), move |_| Reply::ok(answer.clone()));
        let disks = request["volumeToFilerAsList"].as_array().unwrap();
        let order = VmMove {
            motion: "m-5".to_owned(),
            vm: vm(request["vm"]["name"].as_str().unwrap()),
            target_host: host_at(request["tgtHost"].as_str().unwrap(), 8250),
            disks: disks.iter().map(|pair| (disk(&pair["t"]), pool(&pair["u"]))).collect(),
        };
        assert_eq!(hyperv().move_vm(&server.host(), &order).await.is_ok(), good);
        let keys = ["volumeToFilerAsList", "tgtHost"];
        assert_holds(&server.seen()[0].json(), &read_by_agents(request, &keys), "MigrateWithStorageCommand");
    }
    for (request, answer) in recorded("MigrateCommand") {
        let good = answer.contains("\"result\":true");
        let target = Server::start_at("127.0.0.4:0", modern(), prepared);
        let source = Server::start(modern(), move |_| Reply::ok(answer.clone()));
        let mut order = plain_order(target.host());
        order.vm.name = request["vmName"].as_str().unwrap().to_owned();
        assert_eq!(hyperv().move_vm(&source.host(), &order).await.is_ok(), good);
        let sent = source.seen()[0].json();
        assert_eq!(sent["vmName"], request["vmName"]);
        // All hosts of the recording listen on loopback addresses; ours has one of them or another.
        for name in ["destIp", "destinationIp"] {
            assert_eq!(sent[name], target.host().ip, "{name}");
        }
        if request["destinationIp"] == sent["destinationIp"] {
            assert_eq!(sent["hostGuid"], request["hostGuid"]);
        }
    }
}
