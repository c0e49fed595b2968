//! The gateway killed before and after every step of the saga, for every kind of motion, on every database: another one
//! goes on from the journal, and everything is where the database says. The steps are the saga's own list, so that a new
//! one cannot escape.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use stackmotion::motion::{OfflineRequest, OfflineTarget, Probe, Step, VolumeRequest};
use tokio::sync::Notify;

use super::bench::{Bench, ROOT, plan};
use crate::support::database;

/// A probe that stands still at one place and says that it has come there.
fn stop_at(step: Step, before: bool) -> (Probe, Arc<Notify>) {
    let reached = Arc::new(Notify::new());
    let told = Arc::clone(&reached);
    let probe: Probe = Arc::new(move |at, is_before| -> BoxFuture<'static, ()> {
        if at == step && is_before == before {
            told.notify_one();
            return Box::pin(std::future::pending());
        }
        Box::pin(std::future::ready(()))
    });
    (probe, reached)
}

/// The kinds of motion.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    Volume,
    VmWithVolumes,
    Vm,
    Cold,
    Stopped,
}

async fn run(bench: &Bench, motion: &stackmotion::motion::Motion, what: What) -> Result<(), String> {
    run_as(bench, motion, what, 1).await
}

/// Moves what this kind of motion moves, as a job.
pub async fn run_as(
    bench: &Bench,
    motion: &stackmotion::motion::Motion,
    what: What,
    job_id: i64,
) -> Result<(), String> {
    let result = match what {
        What::Volume => motion.migrate_volume(job_id, &ROOT, &bench.volume_request()).await.map(|_| ()),
        What::VmWithVolumes => motion.migrate_vm_with_volumes(job_id, &ROOT, &bench.vm_request()).await,
        What::Vm => motion.migrate_vm(job_id, &ROOT, bench.plain_request()).await,
        What::Cold => {
            let (volume_id, pool_id) = (bench.disk("ROOT-off").id, bench.pool_id("c1-p2"));
            let request = VolumeRequest { volume_id, pool_id, live: false, new_offering_id: None };
            motion.migrate_volume(job_id, &ROOT, &request).await.map(|_| ())
        }
        What::Stopped => {
            let to = OfflineTarget::Pool(bench.pool_id("c1-p2"));
            motion.migrate_stopped_vm(job_id, &ROOT, &OfflineRequest { vm_id: bench.vm_id("stopped"), to }).await
        }
    };
    result.map_err(|refusal| refusal.text)
}

async fn killed_at(what: What, step: Step, before: bool, net: u8, database: database::Database) {
    let moment = if before { "before" } else { "after" };
    let case = format!("{what:?} killed {moment} {step:?}");
    let bench = Bench::start(&plan(net), database).await;
    let (probe, reached) = stop_at(step, before);
    let first = bench.another_motion(Some(probe));
    tokio::select! {
        () = reached.notified() => {}
        result = run(&bench, &first, what) => panic!("{case}: never came there: {result:?}"),
    }
    // The future is dropped here: nothing of the first life goes on.
    drop(first);
    let second = bench.another_motion(None);
    let result = run(&bench, &second, what).await;
    let sent = bench.store.motions_of_job(1).await.expect("the journal").pop();
    match (step, before) {
        // The disks of a stopped VM are moved one by one: a disk whose motion was undone is taken up once more.
        _ if matches!(what, What::Stopped) => {
            assert!(result.is_ok(), "{case}: {result:?}");
            assert_eq!(bench.pool_of("ROOT-off").await, "c1-p2", "{case}");
        }
        (Step::Mark, true) => assert!(result.is_ok(), "{case}: nothing was begun, so it is begun now: {result:?}"),
        (Step::Mark, false) | (Step::Announce, true) => {
            let text = result.expect_err(&case);
            assert!(text.contains("before anything was sent"), "{case}: {text}");
        }
        (Step::Announce, false) | (Step::Send, true) => {
            let text = result.expect_err(&case);
            assert!(text.contains("while the motion was under way"), "{case}: {text}");
        }
        _ => assert!(result.is_ok(), "{case}: {result:?}"),
    }
    assert_eq!(sent.map(|row| row.phase).as_deref(), Some("settled"), "{case}");
    bench.check(&case).await;
    if matches!(what, What::Stopped) {
        bench.world.stop().await;
        return;
    }
    // Once more: a job whose end was not written is run again and must not move anything twice.
    let third = bench.another_motion(None);
    let again = run(&bench, &third, what).await;
    assert_eq!(again.is_ok(), result_was_ok(step, before), "{case}: again: {again:?}");
    assert_eq!(bench.store.motions_of_job(1).await.expect("the journal").len(), 1, "{case}: one motion, not two");
    bench.check(&case).await;
    bench.world.stop().await;
}

fn result_was_ok(step: Step, before: bool) -> bool {
    !matches!((step, before), (Step::Mark, false) | (Step::Announce, _) | (Step::Send, true))
}

async fn kill_everywhere(what: What, net: u8) {
    for &step in Step::ALL {
        for before in [true, false] {
            for (_, database) in database::each().await {
                killed_at(what, step, before, net, database).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_volume() {
    kill_everywhere(What::Volume, 64).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_with_its_volumes() {
    kill_everywhere(What::VmWithVolumes, 65).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vm_alone() {
    kill_everywhere(What::Vm, 66).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cold_volume() {
    kill_everywhere(What::Cold, 67).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_vm() {
    kill_everywhere(What::Stopped, 69).await;
}
