//! Of many motions only some wait for their answers. The others are asked about, and come to the same end: the agents are
//! those of the other tests, with real images. That nobody waits is seen where an agent dies (its answer would have been
//! lost instead) and, with a host that counts who waits, in `stall`.

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::spec::Addition;
use stackmotion::demo::Plan;
use stackmotion::hypervisors::hyperv::wire::extension::MotionState;
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
fn hasty(bench: &Bench) -> Motion {
    bench.motion_with(Patience { open_commands: 0, ..patience() })
}

/// Stops a command in the middle of its work.
fn stopped_short(bench: &Bench, what: What, command: &str) -> u64 {
    let fault = match what {
        What::Vm => Fault::Feign { bytes: 1 << 30, bytes_per_second: 1 << 20 },
        _ => Fault::Stall { fraction: 0.5 },
    };
    bench.fault(FaultRule::on(command, fault))
}

/// Waits until the host is at work and has then been asked so often that nobody waits for its answer any more.
async fn asked(bench: &Bench, stands: u64) {
    bench.struck(stands).await;
    let id = bench.fault(FaultRule::on("MotionStatusCommand", Fault::AnswerLate { ms: Some(0) }));
    bench.struck_times(id, 4).await;
    bench.world.world().faults.remove(Some(id));
}

async fn comes_to_its_end(case: &str, bench: Bench, (what, command): (What, &str)) {
    let stands = stopped_short(&bench, what, command);
    let release = async {
        asked(&bench, stands).await;
        bench.world.world().faults.release(Some(stands));
    };
    let motion = hasty(&bench);
    let (result, ()) = tokio::join!(run_as(&bench, &motion, what, 1), release);
    assert_eq!(result, Ok(()), "{case}");
    assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).to, "{case}");
    bench.check(case).await;
    bench.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_comes_to_its_end() {
    for kind in KINDS {
        for (name, database) in database::each().await {
            let bench = Bench::start(&plan(211), database).await;
            comes_to_its_end(&format!("{name}, {kind:?}"), bench, kind).await;
        }
    }
}

/// Agents that tell how far a motion is, and not where anything lies.
fn blind(net: u8) -> Plan {
    let mut plan = plan(net);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.lacks = vec![Addition::VmDisks, Addition::FileFacts];
    }
    plan
}

/// Their word is all that there is, as their answer would have been.
#[tokio::test(flavor = "multi_thread")]
async fn the_word_of_an_agent_that_shows_no_place_counts_as_its_answer() {
    for kind in KINDS {
        let bench = Bench::start(&blind(255), database::sqlite().await).await;
        comes_to_its_end(&format!("{kind:?} without a place"), bench, kind).await;
    }
}

/// The agent is started anew, and has forgotten what it was at work on: the half copy is cleaned up, and the job says so.
#[tokio::test(flavor = "multi_thread")]
async fn what_ends_with_its_agent_is_seen_to_have_ended() {
    for (what, command) in KINDS {
        for (kind, database) in database::each().await {
            let case = format!("{kind}, {what:?}");
            let bench = Bench::start(&plan(254), database).await;
            let stands = stopped_short(&bench, what, command);
            let restart = async {
                asked(&bench, stands).await;
                bench.world.hosts().for_each(|host| host.restart());
                bench.world.world().faults.remove(Some(stands));
            };
            let motion = hasty(&bench);
            let (result, ()) = tokio::join!(run_as(&bench, &motion, what, 1), restart);
            let text = result.expect_err(&case);
            assert!(text.contains("did not say how far the motion is"), "{case}: {text}");
            assert_eq!(bench.outcome(1).await.as_deref(), Some("not-done"), "{case}");
            assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).from, "{case}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}

/// What the agent would have answered is what the job says.
#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_in_the_agents_words() {
    for (what, command) in KINDS.into_iter().filter(|(what, _)| !matches!(what, What::Vm)) {
        let case = format!("{what:?}");
        let bench = Bench::start(&plan(216), database::sqlite().await).await;
        bench.world.world().set_throttle(8 << 20);
        let description = Some("the dog ate the platter".to_owned());
        bench.fault(FaultRule::on(command, Fault::FailAt { fraction: 0.8, description }));
        let text = run_as(&bench, &hasty(&bench), what, 1).await.expect_err(&case);
        assert!(text.contains("the dog ate the platter"), "{case}: {text}");
        assert_eq!(bench.outcome(1).await.as_deref(), Some("not-done"), "{case}");
        bench.check(&case).await;
        bench.world.stop().await;
    }
}

/// Nobody waits, and still the host is told to stop when somebody wishes it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_cancelled_stops() {
    for (what, command) in KINDS {
        let case = format!("{what:?}");
        let bench = Bench::start(&plan(217), database::sqlite().await).await;
        let stands = stopped_short(&bench, what, command);
        let (motion, job_id) = (hasty(&bench), bench.job().await);
        let cancel = async {
            asked(&bench, stands).await;
            bench.wish(&motion, job_id).await;
        };
        let (result, ()) = tokio::join!(run_as(&bench, &motion, what, job_id), cancel);
        let text = result.expect_err(&case);
        assert_eq!(bench.outcome(job_id).await.as_deref(), Some("not-done"), "{case}: {text}");
        assert_eq!(Way::of(what).seen(&bench).await, Way::of(what).from, "{case}");
        bench.world.world().faults.remove(None);
        bench.check(&case).await;
        bench.world.stop().await;
    }
}

/// A job that a gateway takes over is told in the agent's words as well, though nobody ever heard its answer.
#[tokio::test(flavor = "multi_thread")]
async fn what_failed_while_nobody_was_there_is_told_in_the_agents_words() {
    let bench = Bench::start(&plan(218), database::sqlite().await).await;
    let (what, command) = KINDS[0];
    bench.world.world().set_throttle(8 << 20);
    let description = Some("the dog ate the platter".to_owned());
    let fails = bench.fault(FaultRule::on(command, Fault::FailAt { fraction: 0.8, description }));
    tokio::select! {
        result = run_as(&bench, &bench.motion, what, 1) => panic!("it is over: {result:?}"),
        () = bench.struck(fails) => {}
    }
    bench.world.world().set_throttle(0);
    let motions = || bench.world.hosts().flat_map(|host| host.process().motions()).collect::<Vec<_>>();
    wait_for("the motion to fail", async || motions().iter().any(|motion| motion.state == MotionState::Failed)).await;
    let text = run_as(&bench, &bench.motion, what, 1).await.expect_err("it failed");
    assert!(text.contains("the dog ate the platter"), "{text}");
    bench.check("taken over").await;
    bench.world.stop().await;
}
