//! Every fault that the simulated hosts can play, and what it leaves behind.

use std::sync::Arc;

use super::support::*;
use stackmotion::agent::RunningWorld;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::hypervisors::hyperv::wire::extension::*;
use stackmotion::hypervisors::hyperv::wire::host::*;
use stackmotion::hypervisors::hyperv::wire::vms::*;
use stackmotion::hypervisors::hyperv::wire::{Base, Command, encode, path_of};

const VM: &str = "i-2-1-VM";
const ROOT_AT_SOURCE: &str = "\\\\fs1\\pool1\\root-1.vhdx";
const ROOT_AT_TARGET: &str = "\\\\fs1\\pool2\\root-1.vhdx";

fn one() -> MigrateVolumeCommand {
    migrate_volume(VM, "root-1", smb(POOL2), "m-1")
}

fn all() -> MigrateWithStorageCommand {
    migrate_all(VM, B, vec![("root-1", smb(POOL2)), ("data-1", local(B))], "m-1")
}

fn root(world: &RunningWorld) -> String {
    place(world, VM, "root-1").1
}

fn strays(world: &RunningWorld) -> Vec<String> {
    let strays = world.oracle().unwrap().strays.into_iter();
    strays.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

async fn status(world: &RunningWorld, motion: &str) -> MotionStatusAnswer {
    let command = MotionStatusCommand { motion_id: motion.to_owned(), base: Base::default() };
    call(world, A, &command).await
}

/// Neither VM nor disks have moved, and the guest has lost nothing.
async fn assert_nothing_moved(world: &RunningWorld) {
    assert_eq!(place(world, VM, "root-1"), (A.to_owned(), ROOT_AT_SOURCE.to_owned()));
    assert_eq!(place(world, VM, "data-1"), (A.to_owned(), "D:\\VHDs\\data-1.vhdx".to_owned()));
    guest_writes(world, VM, 10).await;
    assert_guest_whole(world, VM);
}

/// Plays a fault against both moves, each in a world of its own.
async fn play<T, F>(fault: Fault, test: T)
where
    T: Fn(Arc<RunningWorld>, Result<(bool, String), reqwest::Error>, bool) -> F,
    F: Future<Output = ()>,
{
    for with_storage in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let mut spec = spec();
        // A small ring at the very end: its writes must not make a half copy look whole.
        spec.vms[0].guest.as_mut().unwrap().slots = 8;
        let world = Arc::new(start(&spec, folder.path()).await);
        guest_writes(&world, VM, 10).await;
        let command = if with_storage { "MigrateWithStorageCommand" } else { "MigrateVolumeCommand" };
        world.faults.add(FaultRule::on(command, fault.clone()).at_host(A).for_vm(VM).nth(1));
        let outcome = if with_storage {
            try_call(&world, A, &all()).await.map(|answer| answer.outcome)
        } else {
            try_call(&world, A, &one()).await.map(|answer| answer.outcome)
        };
        let outcome = outcome.map(|outcome| (outcome.result, outcome.details.unwrap_or_default()));
        test(world, outcome, with_storage).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_change_nothing() {
    let refuse = Fault::Refuse { details: "no, thanks".to_owned() };
    play(refuse, |world, outcome, _| async move {
        assert_eq!(outcome.unwrap(), (false, "no, thanks".to_owned()));
        assert_nothing_moved(&world).await;
        assert_tidy(&world);
    })
    .await;
    play(Fault::WmiReturn { code: 32774 }, |world, outcome, with_storage| async move {
        let (result, details) = outcome.unwrap();
        let guid = world.vm(VM).unwrap().1.guid;
        let class = if with_storage { MigrateWithStorageCommand::CLASS } else { MigrateVolumeCommand::CLASS };
        let what = if with_storage {
            format!("VM {VM} and its volumes to destination {B}")
        } else {
            format!("volume root-1 of VM {VM}")
        };
        let text = format!("{class} failed due to Failed migrating {what} (GUID {guid}) due to SystemInUse");
        assert_eq!((result, details), (false, text));
        assert_nothing_moved(&world).await;
        assert_tidy(&world);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_half_way_removes_its_target() {
    play(Fault::FailAt { fraction: 0.5, description: None }, |world, outcome, _| async move {
        let (result, details) = outcome.unwrap();
        assert!(!result);
        assert!(
            details.ends_with(
                "failed due to Hyper-V Job failed, Error Code:32784, Description: Migration did not succeed. Injected failure."
            ),
            "{details}"
        );
        assert_nothing_moved(&world).await;
        assert_tidy(&world);
        let status = status(&world, "m-1").await;
        assert_eq!(status.state, Some(MotionState::Failed));
        assert!(status.bytes_done.unwrap() >= status.bytes_total.unwrap() / 2);
        assert!(status.bytes_done < status.bytes_total);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_dies_leaves_half_a_file_and_forgets() {
    play(Fault::DieAt { fraction: 0.5 }, |world, outcome, with_storage| async move {
        assert!(outcome.is_err(), "{outcome:?}");
        assert_nothing_moved(&world).await;
        assert_eq!(strays(&world), ["root-1.vhdx"]);
        let known = status(&world, "m-1").await;
        assert!(!known.known && known.state.is_none());
        let stats = GetHostStatsCommand::default();
        assert!(!call(&world, A, &stats).await.outcome.result, "start-up was not forgotten");
        let facts = FileFactsCommand {
            pool: PoolPlace { pool_type: "SMB".to_owned(), host: "fs1".to_owned(), path: "/pool2".to_owned() },
            stem: "root-1".to_owned(),
            base: Base::default(),
        };
        let facts = call(&world, A, &facts).await;
        assert_eq!(facts.files.len(), 1);
        assert!(!facts.files[0].complete, "{:?}", facts.files);
        // The leftover is in the way of the next attempt.
        if !with_storage {
            let details = call(&world, A, &one()).await.outcome.details.unwrap();
            let text =
                format!("Failed to copy disk '{ROOT_AT_SOURCE}' to '{ROOT_AT_TARGET}': The file exists. (0x80070050).");
            assert!(details.ends_with(&text), "{details}");
            assert_eq!(strays(&world), ["root-1.vhdx"], "a failed job removed what was not its own");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_copy_waits_for_its_release_or_its_cancelling() {
    for cancel in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(start(&spec(), folder.path()).await);
        world.faults.add(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
        let asking = tokio::spawn({
            let world = Arc::clone(&world);
            async move { call(&world, A, &one()).await }
        });
        let copied_half = || {
            let motions = world.host(A).unwrap().process().motions();
            motions.first().is_some_and(|motion| motion.bytes_total > 0 && motion.bytes_done * 2 >= motion.bytes_total)
        };
        until("the copy is half done", copied_half).await;
        let running = status(&world, "m-1").await;
        assert_eq!(running.state, Some(MotionState::Running));
        assert_eq!(running.phase.as_deref(), Some("copy"));
        // A VM under way cannot be moved a second time, nor be deleted.
        let second = call(&world, A, &migrate_volume(VM, "data-1", smb(POOL2), "m-2")).await;
        assert!(second.outcome.details.unwrap().ends_with("due to InvalidState"));
        let stop = StopCommand { vm_name: VM.to_owned(), check_before_cleanup: false, base: Base::default() };
        assert!(!call(&world, A, &stop).await.outcome.result);
        assert!(!asking.is_finished());
        guest_writes(&world, VM, 10).await;
        if cancel {
            let command = CancelMotionCommand { motion_id: "m-1".to_owned(), base: Base::default() };
            assert!(call(&world, A, &command).await.outcome.result);
            let answer = asking.await.unwrap();
            assert!(!answer.outcome.result);
            assert_eq!(status(&world, "m-1").await.state, Some(MotionState::Cancelled));
            assert_nothing_moved(&world).await;
            assert!(!call(&world, A, &command).await.outcome.result, "an ended motion was cancelled");
        } else {
            world.faults.release(None);
            assert!(asking.await.unwrap().outcome.result);
            assert_eq!(root(&world), ROOT_AT_TARGET);
            guest_writes(&world, VM, 10).await;
            assert_guest_whole(&world, VM);
        }
        assert_tidy(&world);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn past_the_switch_a_move_comes_to_its_end_whatever_happens() {
    for restart in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let world = Arc::new(start(&spec(), folder.path()).await);
        world.faults.add(FaultRule::on("MigrateVolumeCommand", Fault::StallAfterSwitch));
        let asking = tokio::spawn({
            let world = Arc::clone(&world);
            async move { try_call(&world, A, &one()).await }
        });
        until("the disk is switched", || root(&world) == ROOT_AT_TARGET).await;
        let running = status(&world, "m-1").await;
        assert_eq!((running.state, running.phase.as_deref()), (Some(MotionState::Running), Some("clean")));
        assert_eq!(strays(&world), ["root-1.vhdx"], "the source is still there");
        let command = CancelMotionCommand { motion_id: "m-1".to_owned(), base: Base::default() };
        let refused = call(&world, A, &command).await.outcome;
        assert!(!refused.result && refused.details.unwrap().contains("past its point of no return"));
        assert!(!asking.is_finished());
        if restart {
            world.host(A).unwrap().restart();
            assert!(asking.await.unwrap().is_err(), "nobody is left to answer");
        } else {
            guest_writes(&world, VM, 10).await;
            world.faults.release(None);
            assert!(asking.await.unwrap().unwrap().outcome.result);
            assert_eq!(status(&world, "m-1").await.state, Some(MotionState::Done));
        }
        until("the source is gone", || strays(&world).is_empty()).await;
        guest_writes(&world, VM, 10).await;
        assert_eq!(root(&world), ROOT_AT_TARGET);
        assert_guest_whole(&world, VM);
        assert_tidy(&world);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_answer_comes_after_the_effect() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(start(&spec(), folder.path()).await);
    world.faults.add(FaultRule::on("MigrateVolumeCommand", Fault::AnswerLate { ms: None }));
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { call(&world, A, &one()).await }
    });
    // The volume has moved a little before its motion has ended: the source is still being removed.
    let ended = || {
        let motion = world.host(A).unwrap().process().motion("m-1");
        motion.is_some_and(|motion| motion.view().state != MotionState::Running)
    };
    until("the motion has ended", ended).await;
    assert_eq!(root(&world), ROOT_AT_TARGET);
    assert_eq!(status(&world, "m-1").await.state, Some(MotionState::Done));
    assert!(!asking.is_finished());
    world.faults.release(None);
    assert!(asking.await.unwrap().outcome.result);
    world.faults.remove(None);
    let back = FaultRule::on("MigrateVolumeCommand", Fault::AnswerLate { ms: Some(30) });
    world.faults.add(back);
    assert!(call(&world, A, &migrate_volume(VM, "root-1", smb(POOL1), "m-3")).await.outcome.result);
    assert_guest_whole(&world, VM);
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_connections_say_nothing_about_the_effect() {
    play(Fault::DropBefore, |world, outcome, _| async move {
        assert!(outcome.is_err(), "{outcome:?}");
        assert_nothing_moved(&world).await;
        assert!(!status(&world, "m-1").await.known);
        assert_tidy(&world);
    })
    .await;
    play(Fault::DropAfter, |world, outcome, with_storage| async move {
        assert!(outcome.is_err(), "{outcome:?}");
        assert_eq!(root(&world), ROOT_AT_TARGET);
        assert_eq!(place(&world, VM, "root-1").0, if with_storage { B } else { A });
        assert_eq!(status(&world, "m-1").await.state, Some(MotionState::Done));
        assert_guest_whole(&world, VM);
        assert_tidy(&world);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_started_anew_forgets_what_it_did() {
    for after in [false, true] {
        play(Fault::RestartAndForget { after }, |world, outcome, _| async move {
            assert!(outcome.is_err(), "{outcome:?}");
            assert_eq!(root(&world) == ROOT_AT_TARGET, after);
            assert!(!status(&world, "m-1").await.known);
            assert_guest_whole(&world, VM);
            assert_tidy(&world);
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lies_are_told_with_a_true_face() {
    play(Fault::LieAboutVm, |world, outcome, _| async move {
        assert_eq!(outcome.unwrap(), (true, String::new()));
        assert_nothing_moved(&world).await;
        assert_tidy(&world);
    })
    .await;
    play(Fault::SkipDisk { stem: "root-1".to_owned() }, |world, outcome, with_storage| async move {
        assert_eq!(outcome.unwrap(), (true, String::new()));
        assert_eq!(root(&world), ROOT_AT_SOURCE);
        assert_eq!(place(&world, VM, "data-1").0, if with_storage { B } else { A });
        assert_guest_whole(&world, VM);
        assert_tidy(&world);
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    let wrong = Fault::WrongPath { path: "elsewhere".to_owned() };
    world.faults.add(FaultRule { host: None, vm: None, command: None, nth: None, fault: wrong });
    assert_eq!(call(&world, A, &one()).await.volume_path.as_deref(), Some("elsewhere"));
    assert_eq!(root(&world), ROOT_AT_TARGET);
    let moved = call(&world, A, &migrate_all(VM, B, vec![("data-1", smb(POOL1))], "m")).await;
    assert_eq!(moved.volume_tos[0].path, "elsewhere");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_counted_request_is_struck() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    world.faults.add(FaultRule::on("READYCOMMAND", Fault::HttpStatus { status: 500 }).nth(2));
    let ready = encode(&ReadyCommand::default()).unwrap();
    let mut statuses = Vec::new();
    for ip in [A, B, A] {
        let answer = post(&world, ip, &path_of(ReadyCommand::CLASS), ready.clone()).await.unwrap();
        statuses.push(answer.0.as_u16());
    }
    assert_eq!(statuses, [200, 500, 200]);
    let seen = world.faults.view();
    assert_eq!((seen[0].seen, seen[0].struck), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_takes_no_disk() {
    let folder = tempfile::tempdir().unwrap();
    let mut spec = spec();
    spec.shares[1].capacity_bytes = Some(8 * MIB);
    let world = start(&spec, folder.path()).await;
    let details = call(&world, A, &one()).await.outcome.details.unwrap();
    assert!(
        details.ends_with("Failed to copy disk: There is not enough space on the disk. (0x80070070)."),
        "{details}"
    );
    assert_nothing_moved(&world).await;
    assert_tidy(&world);
    // A smaller disk fits, and takes its room away.
    let moved = call(&world, A, &migrate_volume(VM, "data-1", smb(POOL2), "m")).await;
    assert!(moved.outcome.result, "{:?}", moved.outcome.details);
    let pool = world.pools.find(A, POOL2).unwrap();
    let space = world.pools.space(pool).unwrap();
    assert!(space.available_bytes <= 4 * MIB && space.capacity_bytes == 8 * MIB, "{space:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_feigned_copy_only_says_that_it_goes_on_until_it_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(start(&spec(), folder.path()).await);
    let feign = Fault::Feign { bytes: 1 << 40, bytes_per_second: MIB };
    world.faults.add(FaultRule::on("MigrateVolumeCommand", feign));
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { call(&world, A, &one()).await }
    });
    let mut seen = status(&world, "m-1").await;
    while seen.bytes_done.is_none_or(|done| done < 2 * MIB) {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        seen = status(&world, "m-1").await;
    }
    assert_eq!((seen.state, seen.phase.as_deref()), (Some(MotionState::Running), Some("copy")));
    assert!(seen.bytes_total.is_some_and(|total| total >= 1 << 40), "{seen:?}");
    assert_eq!(root(&world), ROOT_AT_SOURCE);
    assert!(!folder.path().join("pools/fs1-pool2/root-1.vhdx").exists(), "no file is touched");
    world.faults.release(None);
    assert!(asking.await.unwrap().outcome.result);
    assert_eq!(root(&world), ROOT_AT_TARGET);
    assert_guest_whole(&world, VM);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_volatile_world_keeps_nothing_of_its_machines() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&stackmotion::agent::WorldSpec { is_volatile: true, ..spec() }, folder.path()).await;
    assert!(call(&world, A, &one()).await.outcome.result);
    assert_eq!(root(&world), ROOT_AT_TARGET);
    assert!(!folder.path().join("world.json").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_host_is_gone_until_it_is_revived() {
    let folder = tempfile::tempdir().unwrap();
    let world = Arc::new(start(&spec(), folder.path()).await);
    world.faults.add(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.3 }));
    let asking = tokio::spawn({
        let world = Arc::clone(&world);
        async move { try_call(&world, A, &one()).await }
    });
    let target = folder.path().join("pools/fs1-pool2/root-1.vhdx");
    until("the copy has begun", || target.exists()).await;
    world.kill_host(A).await.unwrap();
    assert!(asking.await.unwrap().is_err());
    assert!(try_call(&world, A, &ReadyCommand::default()).await.is_err());
    until("the motion has ended", || !world.gate(VM).is_moving()).await;
    assert_eq!(strays(&world), ["root-1.vhdx"]);
    world.revive_host(A).unwrap();
    assert!(call(&world, A, &ReadyCommand::default()).await.outcome.result);
    assert!(!status(&world, "m-1").await.known);
    assert_nothing_moved(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_write_does_not_pass_the_proof() {
    let folder = tempfile::tempdir().unwrap();
    let world = start(&spec(), folder.path()).await;
    guest_writes(&world, VM, 20).await;
    world.set_guest(VM, false).unwrap();
    let proof = world.verify(VM).unwrap();
    assert!(proof.ok && proof.acknowledged >= 20, "{proof:?}");
    let (_, vm) = world.vm(VM).unwrap();
    let plan = vm.guest.unwrap();
    let file = folder.path().join("pools/fs1-pool1/root-1.vhdx");
    let mut image = stackmotion::agent::image::Image::open(&file, true).unwrap();
    let mut record = vec![0; 512];
    // An older record in a newer one's place: a write that came too late or not at all.
    image.read_at(&mut record, plan.region_offset + 4 * 512).unwrap();
    image.write_at(&record, plan.region_offset + 7 * 512).unwrap();
    drop(image);
    let proof = world.verify(VM).unwrap();
    assert!(!proof.ok);
    assert_eq!(proof.problems, ["slot 7 should hold record 8, but holds record 5"]);
}
