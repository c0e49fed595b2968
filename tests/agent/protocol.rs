//! Listener, cold copies, side effects and control of the simulated hosts.

use std::sync::Arc;

use super::support::*;
use serde_json::{Value, json};
use stackmotion::agent::RunningWorld;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::image::Image;
use stackmotion::hypervisors::hyperv::wire::extension::*;
use stackmotion::hypervisors::hyperv::wire::host::*;
use stackmotion::hypervisors::hyperv::wire::objects::*;
use stackmotion::hypervisors::hyperv::wire::pools::*;
use stackmotion::hypervisors::hyperv::wire::vms::*;
use stackmotion::hypervisors::hyperv::wire::{Base, Command, REQUEST_LIMIT_BYTES, path_of};

const VM: &str = "i-2-1-VM";
const READY: &str = "/api/HypervResource/com.cloud.agent.api.ReadyCommand";

fn volume(uuid: &str, path: Option<&str>, unc: &str, size: u64) -> DataObject {
    let pool = smb(unc);
    DataObject::Volume(Box::new(VolumeObject {
        uuid: Some(uuid.to_owned()),
        data_store: Some(DataStore::Primary(Box::new(PrimaryDataStore {
            pool_type: "SMB".to_owned(),
            host: pool.host,
            path: pool.path,
            ..PrimaryDataStore::default()
        }))),
        name: Some("DATA-9".to_owned()),
        size: Some(size),
        path: path.map(str::to_owned),
        format: Some("VHDX".to_owned()),
        ..VolumeObject::default()
    }))
}

fn copy(source: DataObject, target: DataObject) -> CopyCommand {
    CopyCommand { source, target, execute_in_sequence: false, base: Base::for_motion("copy") }
}

fn new_path(answer: CopyCmdAnswer) -> String {
    match answer.new_data {
        Some(DataObject::Volume(volume)) => volume.path.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_are_created_copied_and_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    let at = |name: &str| folder.path().join("pools").join(name);
    let create = CreateObjectCommand { data: volume("v-9", None, POOL1, 8 * MIB), base: Base::default() };
    let created = call(&world, A, &create).await;
    assert!(created.outcome.result, "{:?}", created.outcome.details);
    let source = at("fs1-pool1/v-9.vhdx");
    let mut image = Image::open(&source, true).unwrap();
    image.write_at(&[7; 5000], 3 * MIB).unwrap();
    let hash = image.content_hash().unwrap();
    assert_eq!(image.virtual_bytes(), 8 * MIB);
    assert!(!call(&world, A, &create).await.outcome.result, "an existing disk was created anew");

    // Share to share: the file has the name that was asked for, the answered path names none.
    let order = copy(volume("v-9", Some("v-9"), POOL1, 8 * MIB), volume("v-10", None, POOL2, 8 * MIB));
    let copied = call(&world, B, &order).await;
    assert!(copied.outcome.result, "{:?}", copied.outcome.details);
    assert_eq!(new_path(copied), "/v-10.vhdx");
    let target = Image::open(&at("fs1-pool2/v-10.vhdx"), false).unwrap();
    assert_eq!(target.content_hash().unwrap(), hash);
    let into = copy(volume("v-9", Some("v-9"), POOL1, 8 * MIB), volume("v-11", Some("named"), POOL2, 8 * MIB));
    assert_eq!(new_path(call(&world, B, &into).await), "named/v-11.vhdx");
    assert!(at("fs1-pool2/named.vhdx").exists());
    // What has that name is replaced, unless a VM runs from it.
    std::fs::write(at("fs1-pool2/v-10.vhdx"), b"half").unwrap();
    assert!(call(&world, B, &order).await.outcome.result);
    let again = Image::open(&at("fs1-pool2/v-10.vhdx"), false).unwrap();
    assert_eq!(again.content_hash().unwrap(), hash);
    let over = copy(volume("v-9", Some("v-9"), POOL1, 8 * MIB), volume("v", Some("root-1"), POOL1, 8 * MIB));
    assert!(!call(&world, B, &over).await.outcome.result);

    let missing = copy(volume("x", Some("x"), POOL1, MIB), volume("y", None, POOL2, MIB));
    let details = call(&world, A, &missing).await.outcome.details.unwrap();
    assert_eq!(details, "Local template file missing from \\\\fs1\\pool1\\x.vhdx");
    let attached = copy(volume("root-1", Some("root-1"), POOL1, MIB), volume("y", None, POOL2, MIB));
    let details = call(&world, A, &attached).await.outcome.details.unwrap();
    assert!(details.contains("because it is being used by another process"), "{details}");

    let delete =
        DeleteCommand { data: volume("v-9", Some("v-9"), POOL1, 8 * MIB), delete_chain: false, base: Base::default() };
    for _ in 0..2 {
        assert!(call(&world, A, &delete).await.outcome.result);
        assert!(!source.exists());
    }
    let used = DeleteCommand {
        data: volume("root-1", Some("root-1"), POOL1, MIB),
        delete_chain: false,
        base: Base::default(),
    };
    assert!(!call(&world, A, &used).await.outcome.result);
    assert!(at("fs1-pool1/root-1.vhdx").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_copy_fails_half_way_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    let stop = StopCommand { vm_name: VM.to_owned(), check_before_cleanup: false, base: Base::default() };
    assert!(call(&world, A, &stop).await.outcome.result);
    assert!(world.vm(VM).is_none());
    let order = copy(volume("root-1", Some("root-1"), POOL1, 48 * MIB), volume("new", None, POOL2, 48 * MIB));
    let target = folder.path().join("pools/fs1-pool2/new.vhdx");
    let fail = Fault::FailAt { fraction: 0.5, description: None };
    world.faults.add(FaultRule::on("CopyCommand", fail).nth(1));
    world.faults.add(FaultRule::on("CopyCommand", Fault::DieAt { fraction: 0.5 }).nth(2));
    let details = call(&world, A, &order).await.outcome.details.unwrap();
    assert_eq!(details, "org.apache.cloudstack.storage.command.CopyCommand failed on exception, Injected failure.");
    assert!(!target.exists());
    assert!(try_call(&world, A, &order).await.is_err());
    assert!(!Image::open(&target, false).unwrap().is_whole().unwrap());
    std::fs::remove_file(&target).unwrap();
    assert!(call(&world, A, &order).await.outcome.result);
    assert!(Image::open(&target, false).unwrap().is_whole().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_listener_keeps_to_the_protocol() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    spec.hosts[1].plain = true;
    spec.hosts[1].rsa = true;
    spec.hosts[1].strict = false;
    let world = start(&spec, folder.path()).await;
    let ask = |path: &'static str, body: Vec<u8>| {
        let world = &world;
        async move { post(world, A, path, body).await.unwrap() }
    };
    let fits = format!("{{\"x\":\"{}\"}}", "y".repeat(REQUEST_LIMIT_BYTES - 8));
    assert_eq!(fits.len(), REQUEST_LIMIT_BYTES);
    assert_eq!(ask(READY, fits.clone().into_bytes()).await.0, 200);
    assert_eq!(ask(READY, format!("{fits} ").into_bytes()).await.0, 413);
    // A management server sends Latin-1.
    let latin = b"{\"vmName\":\"i-\xe9-VM\"}".to_vec();
    let (status, text) = ask("/api/hypervresource/com.cloud.agent.api.checkvirtualmachinecommand", latin).await;
    assert_eq!(status, 200);
    assert!(text.contains("requested unknown VM i-é-VM"), "{text}");

    let capabilities = call(&world, A, &CapabilitiesCommand::default()).await;
    assert_eq!(capabilities.extensions, ["motion-status", "vm-disks", "file-facts"]);
    let path = path_of(CapabilitiesCommand::CLASS);
    assert_eq!(post(&world, B, &path, b"{}".to_vec()).await.unwrap().0, 404);
    // Two hosts, two certificates.
    assert_ne!(world.fingerprint(A), world.fingerprint(B));

    // Only the host that is not strict reads the newer name of the target.
    let mut migrate = MigrateCommand::new(VM, B, Base::default());
    migrate.dest_ip = None;
    let strict = call(&world, A, &migrate).await.outcome.details.unwrap();
    assert!(strict.ends_with("Value cannot be null.\nParameter name: ipString"), "{strict}");
    let moved = call(&world, A, &migrate_all(VM, B, vec![("data-1", smb(POOL1))], "m")).await;
    assert!(moved.outcome.result);
    migrate.destination_ip = Some(A.to_owned());
    assert!(call(&world, B, &migrate).await.outcome.result);
    let nowhere = MigrateCommand::new(VM, "127.0.0.99", Base::default());
    let details = call(&world, A, &nowhere).await.outcome.details.unwrap();
    assert!(details.ends_with("failed due to No such host is known"), "{details}");
}

/// An agent that has some of our additions says which, and answers 404 to the others.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_may_lack_additions_of_ours() {
    use stackmotion::agent::spec::Addition;
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    spec.hosts[0].lacks = vec![Addition::MotionStatus];
    spec.hosts[1].lacks = vec![Addition::VmDisks, Addition::FileFacts];
    let world = start(&spec, folder.path()).await;
    let (status, cancel) = (MotionStatusCommand::CLASS, CancelMotionCommand::CLASS);
    let (disks, files) = (VmDisksCommand::CLASS, FileFactsCommand::CLASS);
    for (ip, names, absent, present) in [
        (A, vec!["vm-disks", "file-facts"], [status, cancel], [disks, files]),
        (B, vec!["motion-status"], [disks, files], [status, cancel]),
    ] {
        assert_eq!(call(&world, ip, &CapabilitiesCommand::default()).await.extensions, names);
        for class in absent {
            assert_eq!(post(&world, ip, &path_of(class), b"{}".to_vec()).await.unwrap().0, 404, "{ip}: {class}");
        }
        for class in present {
            assert_ne!(post(&world, ip, &path_of(class), b"{}".to_vec()).await.unwrap().0, 404, "{ip}: {class}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn side_effects_are_those_of_the_real_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    let mut off = stackmotion::agent::spec::VmSpec::new("i-2-2-VM", A).disk("root-2", POOL1, 4 * MIB, 0);
    off.running = false;
    let mut foreign = off.clone();
    foreign.name = "by-hand".to_owned();
    foreign.notes = Some("mine".to_owned());
    foreign.disks.clear();
    spec = spec.vm(off).vm(foreign);
    let world = start(&spec, folder.path()).await;
    // Asking what runs deletes a switched-off VM that CloudStack made.
    let report = call(&world, A, &HostVmStateReportCommand {}).await;
    assert_eq!(report.vms, [(VM.to_owned(), "PowerOn".to_owned())]);
    assert!(world.vm("i-2-2-VM").is_none() && world.vm("by-hand").is_some());
    assert!(folder.path().join("pools/fs1-pool1/root-2.vhdx").exists());

    let stop = |check: bool| StopCommand { vm_name: VM.to_owned(), check_before_cleanup: check, base: Base::default() };
    let bail = call(&world, A, &stop(true)).await;
    assert!(!bail.outcome.result && world.vm(VM).is_some());
    assert!(call(&world, B, &stop(false)).await.outcome.result, "an unknown VM is a success");
    assert!(world.vm(VM).is_some(), "a stop on one host deleted a VM of another");
    assert!(call(&world, A, &stop(false)).await.outcome.result);
    assert!(world.vm(VM).is_none());
    assert!(folder.path().join("pools/fs1-pool1/root-1.vhdx").exists());

    // What was stopped can be started from its disks.
    let disk = json!({"data": serde_json::to_value(volume("root-1", Some("root-1"), POOL1, MIB)).unwrap(), "diskSeq": 0, "type": "ROOT"});
    let vm = VirtualMachine {
        name: VM.to_owned(),
        cpus: 1,
        max_ram: 1 << 29,
        disks: vec![disk],
        ..VirtualMachine::default()
    };
    let start = StartCommand { vm, host_ip: B.to_owned(), base: Base::default() };
    let started = call(&world, B, &start).await;
    assert!(started.outcome.result, "{:?}", started.outcome.details);
    assert_eq!(place(&world, VM, "root-1"), (B.to_owned(), "\\\\fs1\\pool1\\root-1.vhdx".to_owned()));
    let config = GetVmConfigCommand { vm_name: VM.to_owned(), base: Base::default() };
    assert!(call(&world, B, &config).await.outcome.result);
    let console = post(
        &world,
        B,
        "/api/HypervResource/com.cloud.agent.api.GetVncPortCommand",
        format!("{{\"name\":\"{VM}\"}}").into_bytes(),
    );
    let guid = world.vm(VM).unwrap().1.guid;
    let answer = json!({"result": true, "details": null, "address": format!("instanceId={guid}"), "port": -9});
    assert_eq!(json(&console.await.unwrap().1), json!([{"com.cloud.agent.api.GetVncPortAnswer": answer}]));
    let destroy = |path: &str| {
        let body = json!({"volume": {"path": path}}).to_string().into_bytes();
        let world = &world;
        async move {
            post(world, A, "/api/HypervResource/com.cloud.agent.api.storage.DestroyCommand", body).await.unwrap().1
        }
    };
    assert!(destroy("\\\\fs1\\pool1\\root-1.vhdx").await.contains("being used by another process"));
    assert!(destroy("D:\\VHDs\\data-1.vhdx").await.contains("\"result\":true"));
    assert!(!folder.path().join("pools/local-127.0.0.2/data-1.vhdx").exists());
    assert!(destroy("").await.contains("No valid path in DestroyCommand"));
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_are_remembered_over_a_restart_of_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    spec.shares[0].capacity_bytes = Some(1 << 30);
    // Its writes would fill holes while sizes are compared.
    spec.vms[0].guest = None;
    let world = start(&spec, folder.path()).await;
    let stats =
        GetStorageStatsCommand { id: "p-1".to_owned(), pool_type: SMB.to_owned(), ..GetStorageStatsCommand::default() };
    assert!(!call(&world, A, &stats).await.outcome.result);
    let mut pool = smb(POOL1);
    pool.uuid = Some("p-1".to_owned());
    let modify = ModifyStoragePoolCommand { add: true, pool, ..ModifyStoragePoolCommand::default() };
    let answer = call(&world, A, &modify).await;
    let info = answer.pool_info.unwrap();
    assert_eq!(info.local_path.as_deref(), Some(POOL1));
    assert_eq!(info.capacity_bytes, Some(1 << 30));
    world.host(A).unwrap().restart();
    let answer = call(&world, A, &stats).await;
    assert_eq!(answer.size_bytes(), Some(1 << 30));
    assert_eq!(answer.in_use_bytes(), Some((1 << 30) - info.available_bytes.unwrap()));
    let nowhere =
        ModifyStoragePoolCommand { add: true, pool: smb("\\\\fs1\\none"), ..ModifyStoragePoolCommand::default() };
    let refused = call(&world, A, &nowhere).await.outcome;
    assert!(!refused.result && refused.details.unwrap().starts_with("Failed to add storage pool"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_goes_on_when_nobody_waits_for_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(start(&spec(), folder.path()).await);
    world.faults.add(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.2 }));
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { call(&world, A, &migrate_volume(VM, "root-1", smb(POOL2), "m-1")).await }
    });
    until("the move has begun", || world.gate(VM).is_moving()).await;
    asking.abort();
    assert!(asking.await.unwrap_err().is_cancelled());
    world.faults.release(None);
    until("the move has ended", || place(&world, VM, "root-1").1.starts_with(POOL2)).await;
    until("the VM is free again", || !world.gate(VM).is_moving()).await;
    assert_tidy(&world);
    assert_guest_whole(&world, VM);
}

async fn control(world: &RunningWorld, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("http://{}{path}", world.control().unwrap());
    let request = client().request(method.parse().unwrap(), url);
    let request = request.header("content-type", "application/json").body(body.to_string());
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, json(&response.text().await.unwrap()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_is_shown_and_steered_over_http() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(start(&spec(), folder.path()).await);
    call(&world, A, &ReadyCommand::default()).await;
    let (_, shown) = control(&world, "GET", "/sim/world", json!({})).await;
    assert_eq!(shown["hosts"][0]["ip"], A);
    assert_eq!(shown["hosts"][0]["fingerprint"], json!(world.fingerprint(A)));
    assert_eq!(shown["hosts"][0]["requests"]["com.cloud.agent.api.ReadyCommand"], 1);
    assert_eq!(shown["hosts"][0]["vms"][0]["name"], VM);
    assert_eq!(shown["shares"].as_array().unwrap().len(), 2);
    assert_eq!(shown["port"], world.port());

    let rule = json!({"command": "MigrateVolumeCommand", "fault": {"kind": "stall", "fraction": 0.5}});
    let (_, added) = control(&world, "POST", "/sim/faults", rule).await;
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { call(&world, A, &migrate_volume(VM, "root-1", smb(POOL2), "m-1")).await }
    });
    until("the move has begun", || world.gate(VM).is_moving()).await;
    let limit = json!({"bytesPerSecond": 1u64 << 40, "motion": "m-1"});
    assert_eq!(control(&world, "POST", "/sim/throttle", limit).await.0, 200);
    assert_eq!(control(&world, "POST", "/sim/release", json!({"id": added["id"]})).await.0, 200);
    assert!(asking.await.unwrap().outcome.result);
    assert_eq!(control(&world, "POST", "/sim/release", json!({"id": 99})).await.0, 400);
    assert_eq!(control(&world, "DELETE", "/sim/faults", json!({})).await.0, 200);
    assert_eq!(control(&world, "GET", "/sim/faults", json!({})).await.1, json!([]));

    let (_, proof) = control(&world, "GET", &format!("/sim/verify?vm={VM}"), json!({})).await;
    assert_eq!(proof["ok"], true);
    let guests = json!({"vm": VM, "enabled": false});
    assert_eq!(control(&world, "POST", "/sim/guests", guests).await.0, 200);
    let (_, one) = control(&world, "GET", &format!("/sim/hash?vm={VM}&stem=root-1"), json!({})).await;
    let (_, other) = control(&world, "GET", &format!("/sim/hash?vm={VM}&stem=root-1"), json!({})).await;
    assert_eq!(one["hash"].as_str().unwrap().len(), 64);
    assert_eq!(one, other);
    let (_, oracle) = control(&world, "GET", "/sim/oracle", json!({})).await;
    assert_eq!(oracle["strays"], json!([]));
    let (_, asked) = control(&world, "GET", &format!("/sim/requests?host={A}"), json!({})).await;
    let classes: Vec<_> = asked.as_array().unwrap().iter().map(|request| request["class"].as_str().unwrap()).collect();
    assert_eq!(classes, [ReadyCommand::CLASS, MigrateVolumeCommand::CLASS]);
    assert_eq!(control(&world, "POST", "/sim/restart", json!({"host": "no"})).await.0, 400);
    assert_eq!(control(&world, "GET", "/sim/verify?vm=no", json!({})).await.0, 400);
    // A host does not have this listener.
    assert_eq!(post(&world, A, "/sim/world", Vec::new()).await.unwrap().0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_copy_obeys_a_changed_limit() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    // So slow that it would not end within this test.
    spec.throttle_bytes_per_second = 1000;
    let world = Arc::new(start(&spec, folder.path()).await);
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { call(&world, A, &migrate_volume(VM, "root-1", smb(POOL2), "m-1")).await }
    });
    let begun = || world.host(A).unwrap().process().motion("m-1").is_some_and(|motion| motion.fraction() > 0.0);
    until("the copy has begun", begun).await;
    assert!(!asking.is_finished());
    world.host(A).unwrap().set_throttle(Some(0));
    assert!(asking.await.unwrap().outcome.result);
}
