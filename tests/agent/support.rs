//! A client and a small world for the tests of the simulated agent.
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::Value;
use stackmotion::agent::spec::{HostSpec, VmSpec, WorldSpec};
use stackmotion::agent::{RunningWorld, World};
use stackmotion::hypervisors::hyperv::wire::pools::StorageFiler;
use stackmotion::hypervisors::hyperv::wire::vms::{
    MigrateVolumeCommand, MigrateWithStorageCommand, VirtualMachine, Volume, VolumeToFiler,
};
use stackmotion::hypervisors::hyperv::wire::{Base, Command, decode, encode, path_of};

pub const MIB: u64 = 1 << 20;
pub const A: &str = "127.0.0.2";
pub const B: &str = "127.0.0.3";
pub const POOL1: &str = "\\\\fs1\\pool1";
pub const POOL2: &str = "\\\\fs1\\pool2";
pub const LONG: Duration = Duration::from_secs(60);

/// Two hosts, two shares; i-2-1-VM on A has its root disk on the first share and a local data disk.
pub fn spec() -> WorldSpec {
    let vm = VmSpec::new("i-2-1-VM", A)
        .disk("root-1", POOL1, 48 * MIB, 12 * MIB)
        .disk("data-1", "local", 24 * MIB, 4 * MIB)
        .with_guest();
    WorldSpec::new().share(POOL1).share(POOL2).host(A, "HV1").host(B, "HV2").vm(vm)
}

pub async fn start(spec: &WorldSpec, folder: &Path) -> RunningWorld {
    World::start(spec, folder).await.unwrap()
}

pub fn host(ip: &str) -> HostSpec {
    HostSpec { ip: ip.to_owned(), ..HostSpec::default() }
}

/// One client for all: making one loads the system's certificates, which takes long. It keeps no
/// connection, since each test has a runtime of its own.
pub fn client() -> reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    let make = || {
        // A second test in the same process finds it installed.
        let _ = rustls::crypto::ring::default_provider().install_default();
        reqwest::Client::builder()
            .tls_danger_accept_invalid_certs(true)
            .tls_danger_accept_invalid_hostnames(true)
            .pool_max_idle_per_host(0)
            .timeout(LONG)
            .build()
            .unwrap()
    };
    CLIENT.get_or_init(make).clone()
}

/// Posts a body as it is; `Err` when the connection broke before an answer.
pub async fn post(
    world: &RunningWorld,
    ip: &str,
    path: &str,
    body: Vec<u8>,
) -> Result<(StatusCode, String), reqwest::Error> {
    let url = format!("https://{ip}:{}{path}", world.port());
    let request = client().post(url).header("content-type", "application/json");
    let response = request.body(body).send().await?;
    let status = response.status();
    Ok((status, response.text().await?))
}

/// Sends a command and reads its answer; panics on anything else than 200.
pub async fn call<C: Command>(world: &RunningWorld, ip: &str, command: &C) -> C::Answer {
    let answer = try_call(world, ip, command).await;
    answer.unwrap_or_else(|error| panic!("{}: {error}", C::CLASS))
}

pub async fn try_call<C: Command>(world: &RunningWorld, ip: &str, command: &C) -> Result<C::Answer, reqwest::Error> {
    let body = encode(command).unwrap();
    let (status, text) = post(world, ip, &path_of(C::CLASS), body).await?;
    assert_eq!(status, 200, "{}: {text}", C::CLASS);
    Ok(decode::<C>(text.as_bytes()).unwrap())
}

pub fn smb(unc: &str) -> StorageFiler {
    let (host, path) = unc.trim_start_matches('\\').split_once('\\').unwrap();
    StorageFiler {
        host: host.to_owned(),
        path: format!("/{path}"),
        pool_type: "SMB".to_owned(),
        ..StorageFiler::default()
    }
}

pub fn local(ip: &str) -> StorageFiler {
    StorageFiler {
        host: ip.to_owned(),
        path: "D:\\VHDs".to_owned(),
        pool_type: "Filesystem".to_owned(),
        ..StorageFiler::default()
    }
}

pub fn migrate_volume(vm: &str, stem: &str, pool: StorageFiler, motion: &str) -> MigrateVolumeCommand {
    MigrateVolumeCommand {
        volume_path: stem.to_owned(),
        pool,
        attached_vm_name: Some(vm.to_owned()),
        base: Base::for_motion(motion),
        ..MigrateVolumeCommand::default()
    }
}

pub fn migrate_all(
    vm: &str,
    target: &str,
    volumes: Vec<(&str, StorageFiler)>,
    motion: &str,
) -> MigrateWithStorageCommand {
    let entry = |(number, (stem, pool)): (usize, (&str, StorageFiler))| VolumeToFiler {
        t: Volume { id: number as i64 + 1, path: stem.to_owned(), ..Volume::default() },
        u: pool,
    };
    MigrateWithStorageCommand {
        vm: VirtualMachine { name: vm.to_owned(), ..VirtualMachine::default() },
        volume_to_filer_as_list: volumes.into_iter().enumerate().map(entry).collect(),
        tgt_host: target.to_owned(),
        base: Base::for_motion(motion),
    }
}

/// Where a disk is: host and path.
pub fn place(world: &RunningWorld, vm: &str, stem: &str) -> (String, String) {
    let (ip, vm) = world.vm(vm).unwrap();
    let disk = vm.disks.iter().find(|disk| disk.stem() == stem).unwrap();
    (ip, disk.path())
}

/// Every disk has its file, and no file lies about besides.
pub fn assert_tidy(world: &RunningWorld) {
    let oracle = world.oracle().unwrap();
    let missing: Vec<_> = oracle.disks.iter().filter(|disk| !disk.exists).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(oracle.strays.is_empty(), "{:?}", oracle.strays);
}

/// No acknowledged write of the guest is lost, and the guest was at work.
pub fn assert_guest_whole(world: &RunningWorld, vm: &str) -> u64 {
    let proof = world.verify(vm).unwrap();
    assert!(proof.ok, "{:?}", proof.problems);
    proof.acknowledged
}

/// Waits until something holds.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + LONG;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until the guest has written `more` records more.
pub async fn guest_writes(world: &RunningWorld, vm: &str, more: u64) {
    let begun = world.verify(vm).unwrap().acknowledged;
    until("the guest writes", || world.verify(vm).unwrap().acknowledged >= begun + more).await;
}

pub fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
