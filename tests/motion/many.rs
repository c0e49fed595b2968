//! Of many motions only some wait for their answers. The others are asked about, and come to the same end: the agents are
//! those of the other tests, with real images.

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::motion::{Motion, Patience};

use super::bench::{Bench, patience, plan, wait_for};
use super::crash::{What, run_as};
use super::places::Way;
use crate::support::database;

const KINDS: [(What, &str); 4] = [
    (What::Volume, "MigrateVolumeCommand"),
    (What::VmWithVolumes, "MigrateWithStorageCommand"),
    (What::Vm, "MigrateCommand"),
    (What::Cold, "CopyCommand"),
];

/// A room in which no command waits for its answer once its host is at work.
fn impatient(bench: &Bench) -> Motion {
    bench.motion_with(Patience { open_commands: 0, ..patience() })
}

/// Runs a motion that stands still at its host, and does something when the host has been asked about it for a while.
async fn while_asked(bench: &Bench, what: What, command: &str, then: impl FnOnce(u64)) -> Result<(), String> {
    let stall = if what == What::Vm {
        Fault::Feign { bytes: 1 << 30, bytes_per_second: 1 << 20 }
    } else {
        Fault::Stall { fraction: 0.5 }
    };
    let stands = bench.fault(FaultRule::on(command, stall));
    let asked = bench.fault(FaultRule::on("MotionStatusCommand", Fault::AnswerLate { ms: Some(0) }));
    let questions = async || {
        let faults = bench.world.world().faults.view();
        faults.iter().find(|view| view.id == asked).is_some_and(|view| view.seen > 4)
    };
    let act = async {
        wait_for("questions about the motion", questions).await;
        then(stands);
    };
    let motion = impatient(bench);
    let (result, ()) = tokio::join!(run_as(bench, &motion, what, 1), act);
    result
}

async fn outcome(bench: &Bench) -> Option<String> {
    bench.store.motions_of_job(1).await.expect("the journal").pop().and_then(|row| row.outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_comes_to_its_end() {
    for (what, command) in KINDS {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {what:?}");
            let bench = Bench::start(&plan(211), database).await;
            let result = while_asked(&bench, what, command, |stands| {
                bench.world.world().faults.release(Some(stands));
            });
            assert_eq!(result.await, Ok(()), "{case}");
            assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).to, "{case}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}

/// The agent is started anew, and has forgotten what it was at work on: the half copy is cleaned up, and the job says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_and_ends_with_its_agent_is_seen_to_have_ended() {
    for (what, command) in KINDS {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {what:?}");
            let bench = Bench::start(&plan(254), database).await;
            let result = while_asked(&bench, what, command, |stands| {
                for host in bench.world.world().hosts() {
                    host.restart();
                }
                bench.world.world().faults.remove(Some(stands));
            });
            let text = result.await.expect_err(&case);
            assert!(text.contains("did not say how far the motion is"), "{case}: {text}");
            assert_eq!(outcome(&bench).await.as_deref(), Some("not-done"), "{case}");
            assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).from, "{case}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}
