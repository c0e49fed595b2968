//! The simulated hosts really move disks and VMs, under a guest that keeps writing.

use std::process::Command as Process;

use super::support::*;
use stackmotion::agent::image::Image;
use stackmotion::hypervisors::hyperv::wire::Base;
use stackmotion::hypervisors::hyperv::wire::extension::*;
use stackmotion::hypervisors::hyperv::wire::host::HostVmStateReportCommand;
use stackmotion::hypervisors::hyperv::wire::vms::*;

fn disk_file(world: &stackmotion::agent::RunningWorld, stem: &str) -> std::path::PathBuf {
    let disks = world.oracle().unwrap().disks;
    disks.into_iter().find(|disk| disk.stem == stem).unwrap().file.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volume_moves_while_its_guest_writes() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    guest_writes(&world, "i-2-1-VM", 50).await;
    world.set_throttle(16 * MIB);
    let before = assert_guest_whole(&world, "i-2-1-VM");
    let source = disk_file(&world, "root-1");
    let identity = Image::open(&source, false).unwrap().identity();

    let command = migrate_volume("i-2-1-VM", "root-1", smb(POOL2), "m-1");
    let answer = call(&world, A, &command).await;
    assert!(answer.outcome.result, "{:?}", answer.outcome.details);
    assert_eq!(answer.volume_path.as_deref(), Some("root-1"));

    let (ip, path) = place(&world, "i-2-1-VM", "root-1");
    assert_eq!((ip.as_str(), path.as_str()), (A, "\\\\fs1\\pool2\\root-1.vhdx"));
    assert!(!source.exists());
    assert_tidy(&world);
    let after = assert_guest_whole(&world, "i-2-1-VM");
    assert!(after > before, "the guest did not write during the move");
    guest_writes(&world, "i-2-1-VM", 50).await;
    assert_guest_whole(&world, "i-2-1-VM");

    let target = disk_file(&world, "root-1");
    assert_eq!(Image::open(&target, false).unwrap().identity(), identity);
    let status = MotionStatusCommand { motion_id: "m-1".to_owned(), base: Base::default() };
    let status = call(&world, A, &status).await;
    assert_eq!(status.state, Some(MotionState::Done));
    assert_eq!(status.bytes_done, status.bytes_total);
    world.stop().await;
    let check = Process::new("qemu-img").args(["check", "-f", "vhdx"]).arg(&target).output();
    let check = check.expect("qemu-img could not be started: install qemu-utils");
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_moves_with_its_disks_to_another_host() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    guest_writes(&world, "i-2-1-VM", 20).await;
    let data = Image::open(&disk_file(&world, "data-1"), false).unwrap().content_hash().unwrap();
    let volumes = vec![("root-1", local(B)), ("data-1", smb(POOL2)), ("ghost", smb(POOL2))];
    let answer = call(&world, A, &migrate_all("i-2-1-VM", B, volumes, "m-2")).await;
    assert!(answer.outcome.result, "{:?}", answer.outcome.details);
    let stems: Vec<_> = answer.volume_tos.iter().map(|volume| volume.path.as_str()).collect();
    assert_eq!(stems, ["root-1", "data-1", "ghost"]);
    assert_eq!(place(&world, "i-2-1-VM", "root-1"), (B.to_owned(), "D:\\VHDs\\root-1.vhdx".to_owned()));
    assert_eq!(place(&world, "i-2-1-VM", "data-1").1, "\\\\fs1\\pool2\\data-1.vhdx");
    assert_tidy(&world);
    guest_writes(&world, "i-2-1-VM", 20).await;
    assert_guest_whole(&world, "i-2-1-VM");
    let moved = Image::open(&disk_file(&world, "data-1"), false).unwrap();
    assert_eq!(moved.content_hash().unwrap(), data);

    let check = CheckVirtualMachineCommand { vm_name: "i-2-1-VM".to_owned(), base: Base::default() };
    assert!(!call(&world, A, &check).await.outcome.result);
    assert_eq!(call(&world, B, &check).await.power(), Some("PowerOn"));
    let disks = VmDisksCommand { vm_name: "i-2-1-VM".to_owned(), base: Base::default() };
    let disks = call(&world, B, &disks).await;
    assert_eq!(disks.disks[0].folder, "D:\\VHDs");
    assert_eq!(disks.disks[0].virtual_bytes, Some(48 * MIB));
    assert!(
        !call(&world, A, &VmDisksCommand { vm_name: "i-2-1-VM".to_owned(), base: Base::default() })
            .await
            .outcome
            .result
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_moves_without_storage_only_from_shares() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    let command = MigrateCommand::new("i-2-1-VM", B, Base::default());
    let refused = call(&world, A, &command).await;
    let details = refused.outcome.details.unwrap();
    assert!(details.contains("Failed to open attachment 'D:\\VHDs\\data-1.vhdx'"), "{details}");
    assert_eq!(place(&world, "i-2-1-VM", "root-1").0, A);

    let answer = call(&world, A, &migrate_volume("i-2-1-VM", "data-1", smb(POOL1), "m")).await;
    assert!(answer.outcome.result);
    let answer = call(&world, A, &command).await;
    assert!(answer.outcome.result, "{:?}", answer.outcome.details);
    assert_eq!(place(&world, "i-2-1-VM", "root-1").0, B);
    // The VM has left: a repeated request fails.
    let again = call(&world, A, &command).await;
    assert_eq!(
        again.outcome.details.as_deref(),
        Some("com.cloud.agent.api.MigrateCommand failed due to Object reference not set to an instance of an object")
    );
    let report = call(&world, B, &HostVmStateReportCommand {}).await;
    assert_eq!(report.vms, [("i-2-1-VM".to_owned(), "PowerOn".to_owned())]);
    guest_writes(&world, "i-2-1-VM", 20).await;
    assert_guest_whole(&world, "i-2-1-VM");
    assert_tidy(&world);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn moving_to_where_it_is_succeeds_and_holes_stay_holes() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    let allocated = |world: &stackmotion::agent::RunningWorld| {
        stackmotion::agent::image::allocated_bytes(&disk_file(world, "data-1")).unwrap()
    };
    let before = allocated(&world);
    for pool in [local(A), smb(POOL2), smb(POOL2)] {
        let answer = call(&world, A, &migrate_volume("i-2-1-VM", "data-1", pool, "m")).await;
        assert!(answer.outcome.result, "{:?}", answer.outcome.details);
    }
    assert!(allocated(&world) <= before + MIB, "{} became {}", before, allocated(&world));
    assert_tidy(&world);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_world_remembers_vms_and_goes_on_writing() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    guest_writes(&world, "i-2-1-VM", 20).await;
    let print = world.fingerprint(A).unwrap().to_owned();
    let answer = call(&world, A, &migrate_all("i-2-1-VM", B, vec![("data-1", local(B))], "m")).await;
    assert!(answer.outcome.result);
    world.stop().await;
    let world = start(&spec(), folder.path()).await;
    assert_eq!(world.fingerprint(A), Some(print.as_str()));
    assert_eq!(place(&world, "i-2-1-VM", "data-1").0, B);
    let known = assert_guest_whole(&world, "i-2-1-VM");
    assert!(known >= 20);
    guest_writes(&world, "i-2-1-VM", 20).await;
    assert_guest_whole(&world, "i-2-1-VM");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_writes_without_pause_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    // A ring so large that a lost write is not covered up by a later one before it is looked for.
    let guest = spec.vms[0].guest.as_mut().unwrap();
    (guest.slots, guest.interval_us) = (40_000, 0);
    let world = start(&spec, folder.path()).await;
    for number in 0..8 {
        let before = assert_guest_whole(&world, "i-2-1-VM");
        let pool = smb(if number % 2 == 0 { POOL2 } else { POOL1 });
        let answer = call(&world, A, &migrate_volume("i-2-1-VM", "root-1", pool, "m")).await;
        assert!(answer.outcome.result, "{:?}", answer.outcome.details);
        assert!(assert_guest_whole(&world, "i-2-1-VM") > before);
    }
    assert_tidy(&world);
}
