//! Cancelled at every step of the saga and in the middle of the copy, for every kind of motion: what was to move is at its source or at its target, never at both, and no file is left that the ledger does not list.
//!
//! `CANCEL_ROUNDS=100` does each a hundred times.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::motion::{Motion, Probe, Step};
use stackmotion::store::CancelState;
use tokio::sync::Notify;

use super::bench::{Bench, WISH, plan, wait_for};
use super::crash::{What, run_as};
use crate::support::database;

/// The kinds of motion, with the class of the command that moves, and the first number of the hosts' addresses.
const KINDS: [(What, &str, u8); 4] = [
    (What::Volume, "MigrateVolumeCommand", 90),
    (What::VmWithVolumes, "MigrateWithStorageCommand", 91),
    (What::Vm, "MigrateCommand", 92),
    (What::Cold, "CopyCommand", 93),
];

fn rounds() -> usize {
    std::env::var("CANCEL_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// A room that stands still once at a moment until it is let go.
fn standing(bench: &Bench, step: Step, before: bool) -> (Arc<Motion>, Arc<Notify>, Arc<Notify>) {
    let (reached, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (told, wait) = (Arc::clone(&reached), Arc::clone(&go_on));
    let done = Arc::new(AtomicBool::new(false));
    let probe: Probe = Arc::new(move |at, is_before| -> BoxFuture<'static, ()> {
        if at == step && is_before == before && !done.swap(true, Ordering::SeqCst) {
            told.notify_one();
            let wait = Arc::clone(&wait);
            return Box::pin(async move { wait.notified().await });
        }
        Box::pin(std::future::ready(()))
    });
    (bench.another_motion(Some(probe)), reached, go_on)
}

/// Where the thing that moves is: at its source, or at its target.
async fn is_moved(bench: &Bench, what: What) -> bool {
    match what {
        What::Volume => bench.pool_of("DATA-shared").await == "c1-p2",
        What::VmWithVolumes => bench.pool_of("DATA-shared").await == "c2-p1",
        What::Vm => bench.host_of("shared").await == "c1-h2",
        What::Cold | What::Stopped => bench.pool_of("ROOT-off").await == "c1-p2",
    }
}

async fn no_leftover(bench: &Bench, case: &str) {
    let (count, _) = bench.store.leftovers_page(&Default::default(), Default::default()).await.expect("the ledger");
    assert_eq!(count, 0, "{case}: files are left");
}

async fn cancelled_at(what: What, net: u8, (step, before): (Step, bool)) {
    let moment = if before { "before" } else { "after" };
    let case = format!("{what:?} cancelled {moment} {step:?}");
    let mut bench = Bench::start(&plan(net), database::sqlite().await).await;
    for round in 1..=rounds() {
        let job_id = bench.job().await;
        let (motion, reached, go_on) = standing(&bench, step, before);
        let cancel = async {
            reached.notified().await;
            bench.wish(&motion, job_id).await;
            go_on.notify_one();
        };
        let (result, ()) = tokio::join!(run_as(&bench, &motion, what, job_id), cancel);
        let moved = is_moved(&bench, what).await;
        assert_eq!(result.is_ok(), moved, "{case}: the result says where it is: {result:?}");
        if let Err(text) = &result {
            assert!(text.contains(WISH), "{case}: {text}");
        }
        if (step, before) == (Step::Mark, false) {
            assert!(!moved, "{case}: nothing was sent");
        }
        bench.check(&case).await;
        no_leftover(&bench, &case).await;
        bench.end_job(job_id).await;
        if moved && round < rounds() {
            // The next one begins where this one began.
            bench.world.stop().await;
            bench = Bench::start(&plan(net), database::sqlite().await).await;
        }
    }
    println!("{case}: {} times", rounds());
    bench.world.stop().await;
}

async fn cancelled_everywhere(kind: usize) {
    let (what, _, net) = KINDS[kind];
    for &step in Step::ALL {
        for before in [true, false] {
            cancelled_at(what, net, (step, before)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_volume_at_every_step() {
    cancelled_everywhere(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_with_its_volumes_at_every_step() {
    cancelled_everywhere(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_alone_at_every_step() {
    cancelled_everywhere(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_volume_at_every_step() {
    cancelled_everywhere(3).await;
}

/// The host is told once, and everything is where it was.
#[tokio::test(flavor = "multi_thread")]
async fn in_the_middle_of_the_copy() {
    for (what, command, net) in KINDS {
        // A machine alone has nothing to copy, and a stock copy of a file is done before it can be told of.
        if what == What::Vm {
            continue;
        }
        for (kind, database) in database::each().await {
            let case = format!("{kind}: {what:?} cancelled in the middle");
            let bench = Bench::start(&plan(net + 10), database).await;
            let id = bench.fault(FaultRule::on(command, Fault::Stall { fraction: 0.5 }));
            for round in 1..=rounds() as u64 {
                let job_id = bench.job().await;
                let cancel = async {
                    bench.struck_times(id, round).await;
                    bench.wish(&bench.motion, job_id).await;
                };
                let (result, ()) = tokio::join!(run_as(&bench, &bench.motion, what, job_id), cancel);
                let text = result.expect_err(&case);
                assert!(text.contains(WISH) && text.contains("cancelled"), "{case}: {text}");
                assert!(!is_moved(&bench, what).await, "{case}");
                let wish = bench.store.cancel_of(job_id).await.expect("the database").expect("a wish");
                assert_eq!(wish.state, CancelState::Asked, "{case}");
                bench.check(&case).await;
                no_leftover(&bench, &case).await;
                bench.end_job(job_id).await;
            }
            let told: u64 = bench
                .world
                .hosts()
                .map(|host| host.counts().get("stackmotion.CancelMotionCommand").copied().unwrap_or(0))
                .sum();
            assert_eq!(told, rounds() as u64, "{case}: the host is told once");
            println!("{case}: {} times", rounds());
            bench.world.stop().await;
        }
    }
}

/// A job that waits for its turn ends without anything having been begun.
#[tokio::test(flavor = "multi_thread")]
async fn before_its_turn() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(105), database).await;
        let (first, second) = (bench.job().await, bench.job().await);
        let id = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
        let cancel = async {
            bench.struck(id).await;
            let (second, ()) =
                tokio::join!(run_as(&bench, &bench.motion, What::Vm, second), bench.wish(&bench.motion, second));
            bench.world.world().faults.release(Some(id));
            second
        };
        let (first, second) = tokio::join!(run_as(&bench, &bench.motion, What::Volume, first), cancel);
        assert!(first.is_ok(), "{kind}: {first:?}");
        assert!(second.expect_err(kind).contains(WISH), "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// An agent that cannot be told to stop says so, and the motion comes to its end.
#[tokio::test(flavor = "multi_thread")]
async fn a_stock_agent_refuses_and_goes_on() {
    let mut plan = plan(106);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.plain = true;
    }
    let bench = Bench::start(&plan, database::sqlite().await).await;
    let id = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
    let job_id = bench.job().await;
    let cancel = async {
        bench.struck(id).await;
        bench.wish(&bench.motion, job_id).await;
        let refused = async || {
            let wish = bench.store.cancel_of(job_id).await.expect("the database").expect("a wish");
            wish.state == CancelState::Refused
        };
        wait_for("the refusal", refused).await;
        bench.world.world().faults.release(Some(id));
    };
    let (result, ()) = tokio::join!(run_as(&bench, &bench.motion, What::Volume, job_id), cancel);
    assert!(result.is_ok(), "{result:?}");
    let wish = bench.store.cancel_of(job_id).await.expect("the database").expect("a wish");
    assert!(wish.answer.expect("an answer").contains("cannot be told to stop"));
    bench.world.stop().await;
}
