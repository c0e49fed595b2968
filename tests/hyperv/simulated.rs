//! The client against the simulated agents: orders that really move disks, and misfortune on the way.

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::spec::{HostSpec, VmSpec, WorldSpec};
use stackmotion::agent::{RunningWorld, World};
use stackmotion::hypervisors::hyperv::discovery::{KnownHost, Place};
use stackmotion::hypervisors::hyperv::{ClientSettings, HyperV};
use stackmotion::motion::hypervisor::same_folder;
use stackmotion::motion::hypervisor::{
    DiskRef, Effect, HostRef, Hypervisor, MotionState, PoolRef, VmMove, VmPresence, VmRef, VolumeCopy, VolumeMove,
};

use super::server::{client, host_at};

const MIB: u64 = 1 << 20;
const A: &str = "127.0.0.2";
const B: &str = "127.0.0.3";
/// A stock agent.
const C: &str = "127.0.0.5";
const VM: &str = "i-2-1-VM";
const PLACE: Place = Place { zone_id: 1, pod_id: 1, cluster_id: 1 };

struct Stage {
    world: RunningWorld,
    hyperv: HyperV,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let vm = VmSpec::new(VM, A).disk("root-1", "\\\\fs1\\pool1", 16 * MIB, 4 * MIB).disk(
            "data-1",
            "local",
            8 * MIB,
            2 * MIB,
        );
        let mut off = VmSpec::new("i-2-2-VM", A).disk("off-1", "\\\\fs1\\pool1", 16 * MIB, 4 * MIB);
        off.running = false;
        let stock = HostSpec { ip: C.to_owned(), name: "HV3".to_owned(), plain: true, ..HostSpec::default() };
        let mut spec = WorldSpec::new()
            .share("\\\\fs1\\pool1")
            .share("\\\\fs1\\pool2")
            .host(A, "HV1")
            .host(B, "HV2")
            .vm(vm)
            .vm(off);
        spec.hosts.push(stock);
        let world = World::start(&spec, folder.path()).await.unwrap();
        Self { world, hyperv: HyperV::new(client(ClientSettings::default())), _folder: folder }
    }

    fn host(&self, ip: &str) -> HostRef {
        host_at(ip, self.world.port())
    }

    fn strike(&self, command: &str, fault: Fault) {
        self.world.faults.add(FaultRule::on(command, fault).nth(1));
    }

    fn volume_move(&self, target: PoolRef) -> VolumeMove {
        VolumeMove { motion: "m-1".to_owned(), vm: vm(), disk: disk(17, "root-1", share("pool1")), target }
    }

    fn vm_move(&self, disks: Vec<(DiskRef, PoolRef)>) -> VmMove {
        VmMove { motion: "m-2".to_owned(), vm: vm(), target_host: self.host(B), disks }
    }

    async fn presence(&self, ip: &str) -> VmPresence {
        self.hyperv.vm_presence(&self.host(ip), VM).await.unwrap()
    }

    /// Whether the host says that the disk is in the pool.
    async fn is_in(&self, ip: &str, stem: &str, pool: &PoolRef) -> bool {
        let disks = self.hyperv.vm_disks(&self.host(ip), VM).await.unwrap().unwrap();
        let disk = disks.into_iter().find(|disk| disk.stem == stem).unwrap();
        assert!(disk.identity.is_some() && disk.size_bytes > 0);
        same_folder(&disk.folder, &self.hyperv.folder(pool))
    }
}

fn vm() -> VmRef {
    VmRef {
        id: 1,
        uuid: "0d3b2f6a-1111-4222-8333-444444444444".to_owned(),
        name: VM.to_owned(),
        cpus: 1,
        speed_mhz: 500,
        memory_bytes: 536_870_912,
    }
}

fn share(name: &str) -> PoolRef {
    PoolRef {
        id: if name == "pool1" { 1 } else { 2 },
        uuid: format!("00000000-0000-4000-8000-0000000{name}"),
        name: name.to_owned(),
        kind: "SMB".to_owned(),
        host: "FS1".to_owned(),
        path: format!("/{name}?user=u&password=p"),
        port: 445,
    }
}

fn folder_on(ip: &str) -> PoolRef {
    let (kind, path) = ("Filesystem".to_owned(), "D:\\VHDs".to_owned());
    PoolRef { id: 7, name: "local".to_owned(), host: ip.to_owned(), kind, path, port: 0, ..share("pool1") }
}

fn disk(volume_id: i64, stem: &str, pool: PoolRef) -> DiskRef {
    DiskRef {
        volume_id,
        uuid: format!("f1f2c3d4-1111-4aaa-8bbb-{volume_id:012}"),
        name: stem.to_uppercase(),
        kind: "DATADISK".to_owned(),
        stem: stem.to_owned(),
        format: "VHDX".to_owned(),
        size_bytes: 16 * 1024 * 1024,
        device_id: 0,
        pool,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_are_discovered_connected_and_questioned() {
    let stage = Stage::set().await;
    let facts = stage.hyperv.discover(A, Some(stage.world.port()), PLACE).await.unwrap();
    assert_eq!((facts.guid, facts.cpus), (stage.host(A).guid, 16));
    assert_eq!(facts.local_pool.unwrap().path, "D:\\VHDs");
    let known =
        KnownHost { host: stage.host(A), uuid: "c1ab0a45-0000-4000-8000-000000000001".to_owned(), place: PLACE };
    let connected = stage.hyperv.connect(&known, &[share("pool1"), share("pool3")]).await.unwrap();
    assert!(connected.pools[0].1.as_ref().is_ok_and(|usage| usage.capacity_bytes > 0));
    assert!(connected.pools[1].1.is_err(), "a share that is not there is told, and the host is connected all the same");
    stage.hyperv.ping(&known.host).await.unwrap();
    assert!(stage.hyperv.storage_stats(&known.host, &share("pool2")).await.unwrap().used_bytes > 0);
    assert!(stage.hyperv.storage_stats(&known.host, &folder_on(A)).await.unwrap().capacity_bytes > 0);
    assert_eq!(stage.hyperv.vm_stats(&known.host, &[VM.to_owned()]).await.unwrap().len(), 1);
    stage.strike("PingRoutingCommand", Fault::RestartAndForget { after: false });
    assert!(stage.hyperv.ping(&known.host).await.is_err());
    assert!(stage.hyperv.host_stats(&known).await.unwrap().memory_bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_kind_of_move_ends_where_it_should() {
    let stage = Stage::set().await;
    let told = stage.hyperv.move_volume(&stage.host(A), &stage.volume_move(share("pool2"))).await.unwrap();
    assert_eq!(told.stems, [(17, "root-1".to_owned())]);
    assert!(stage.is_in(A, "root-1", &share("pool2")).await);
    assert!(!stage.is_in(A, "root-1", &share("pool1")).await);
    let status = stage.hyperv.motion_status(&stage.host(A), "m-1").await.unwrap().unwrap();
    assert_eq!((status.state, status.bytes_done), (MotionState::Done, status.bytes_total));
    let unknown = stage.hyperv.motion_status(&stage.host(A), "m-9").await.unwrap().unwrap();
    assert_eq!(unknown.state, MotionState::Unknown);

    let disks =
        vec![(disk(17, "root-1", share("pool2")), share("pool1")), (disk(18, "data-1", folder_on(A)), folder_on(B))];
    stage.hyperv.move_vm(&stage.host(A), &stage.vm_move(disks)).await.unwrap();
    assert_eq!((stage.presence(A).await, stage.presence(B).await), (VmPresence::Absent, VmPresence::Running));
    assert!(stage.is_in(B, "root-1", &share("pool1")).await && stage.is_in(B, "data-1", &folder_on(B)).await);

    let data = VolumeMove { disk: disk(18, "data-1", folder_on(B)), ..stage.volume_move(share("pool1")) };
    stage.hyperv.move_volume(&stage.host(B), &data).await.unwrap();
    let back = VmMove { target_host: stage.host(A), ..stage.vm_move(Vec::new()) };
    stage.hyperv.move_vm(&stage.host(B), &back).await.unwrap();
    assert_eq!((stage.presence(A).await, stage.presence(B).await), (VmPresence::Running, VmPresence::Absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_is_copied_looked_at_and_deleted() {
    let stage = Stage::set().await;
    let (host, source) = (stage.host(A), disk(29, "off-1", share("pool1")));
    assert_eq!(stage.hyperv.vm_presence(&host, "i-2-2-VM").await, Ok(VmPresence::Off));
    let copy = disk(30, "copy-1", share("pool2"));
    let order = VolumeCopy { motion: "m-3".to_owned(), disk: source, copy: copy.clone() };
    let in_use = VolumeCopy { disk: disk(17, "root-1", share("pool1")), ..order.clone() };
    assert_eq!(stage.hyperv.copy_volume(&host, &in_use).await.unwrap_err().effect, Effect::None);
    stage.hyperv.copy_volume(&host, &order).await.unwrap();
    let files = stage.hyperv.files(&host, &share("pool2"), "copy-1").await.unwrap().unwrap();
    assert_eq!((files.len(), files[0].complete, files[0].size_bytes), (1, true, 16 * MIB));
    for _ in 0..2 {
        stage.hyperv.delete_volume(&host, &copy).await.unwrap();
        assert_eq!(stage.hyperv.files(&host, &share("pool2"), "copy-1").await.unwrap(), Some(Vec::new()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn misfortune_is_told_with_the_effect_that_it_can_have_had() {
    let refused = Fault::Refuse { details: "because".to_owned() };
    for (fault, effect, moved) in [
        (refused, Effect::None, false),
        (Fault::WmiReturn { code: 32774 }, Effect::None, false),
        (Fault::FailAt { fraction: 0.5, description: None }, Effect::None, false),
        (Fault::DropBefore, Effect::Unknown, false),
        (Fault::DropAfter, Effect::Unknown, true),
        (Fault::HttpStatus { status: 500 }, Effect::Unknown, false),
        (Fault::DieAt { fraction: 0.5 }, Effect::Unknown, false),
        (Fault::RestartAndForget { after: true }, Effect::Unknown, true),
    ] {
        let stage = Stage::set().await;
        stage.strike("MigrateVolumeCommand", fault.clone());
        let error = stage.hyperv.move_volume(&stage.host(A), &stage.volume_move(share("pool2"))).await.unwrap_err();
        assert_eq!(error.effect, effect, "{fault:?}: {error}");
        assert!(!error.text.is_empty());
        // The question afterwards settles what the error left open.
        assert_eq!(stage.is_in(A, "root-1", &share("pool2")).await, moved, "{fault:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_says_yes_and_did_nothing_is_found_out_by_asking() {
    let stage = Stage::set().await;
    stage.strike("MigrateWithStorageCommand", Fault::LieAboutVm);
    let disks = vec![(disk(17, "root-1", share("pool1")), share("pool2"))];
    stage.hyperv.move_vm(&stage.host(A), &stage.vm_move(disks)).await.unwrap();
    assert_eq!((stage.presence(A).await, stage.presence(B).await), (VmPresence::Running, VmPresence::Absent));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stock_agent_knows_no_more_than_whether_a_vm_is_there() {
    let stage = Stage::set().await;
    let host = stage.host(C);
    assert_eq!(stage.presence(C).await, VmPresence::Absent);
    assert_eq!(stage.hyperv.vm_disks(&host, VM).await, Ok(None));
    assert_eq!(stage.hyperv.files(&host, &share("pool1"), "root-1").await, Ok(None));
    assert_eq!(stage.hyperv.motion_status(&host, "m-1").await, Ok(None));
}
