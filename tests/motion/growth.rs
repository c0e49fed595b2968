//! Agents that tell which files are where, but not how far a motion is: how much of the target's files is there shows whether
//! it moves. A copy that grows is not stopped however long it takes; one that stands still is not waited for any longer, and
//! since its agent cannot be told to stop it, nobody says that it has failed.

use std::time::{Duration, Instant};

use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::agent::spec::Addition;
use stackmotion::demo::Plan;
use stackmotion::motion::{Limit, Motion, Patience};
use stackmotion::store::MotionRow;

use super::bench::{Bench, patience, plan, wait_for};
use super::crash::{What, run_as};
use crate::support::database;

/// How long a motion of these tests may stand still.
const LIMIT: Duration = Duration::from_secs(1);

/// An estate whose agents do not tell how far a motion is.
fn silent(net: u8) -> Plan {
    let mut plan = plan(net);
    for host in plan.clusters.iter_mut().flat_map(|cluster| &mut cluster.hosts) {
        host.lacks = vec![Addition::MotionStatus];
    }
    plan
}

fn limited(bench: &Bench) -> Motion {
    let stall = Limit { limit: LIMIT, origin: "a test".to_owned() };
    bench.motion_with(Patience { stall, unreachable: Duration::from_millis(300).into(), ..patience() })
}

/// Keeps every state of the job's motion that differs from the one before, for as long as it is polled.
async fn keep(bench: &Bench, job_id: i64, seen: &mut Vec<MotionRow>) {
    loop {
        if let Some(row) = bench.store.motions_of_job(job_id).await.expect("the journal").pop()
            && row.ended.is_none()
            && seen.last().is_none_or(|last| last.bytes_done != row.bytes_done)
        {
            seen.push(row);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_grows_is_shown_and_is_not_stopped() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&silent(200), database).await;
        let motion = limited(&bench);
        let job_id = bench.job().await;
        // A piece in a quarter of a second, and in all several times what it may stand still.
        bench.world.world().set_throttle(1 << 20);
        let (begun, mut seen) = (Instant::now(), Vec::new());
        let moved = tokio::select! {
            moved = run_as(&bench, &motion, What::Volume, job_id) => moved,
            () = keep(&bench, job_id, &mut seen) => Ok(()),
        };
        assert!(moved.is_ok(), "{kind}: {moved:?}");
        assert!(begun.elapsed() > LIMIT * 2, "{kind}: too quick to show anything: {:?}", begun.elapsed());
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2", "{kind}");
        assert_eq!(
            bench.store.cancel_of(job_id).await.expect("the database"),
            None,
            "{kind}: nobody wished it to stop"
        );

        let shown: Vec<_> = seen.iter().filter(|row| row.progress_source.is_some()).collect();
        let done: Vec<_> = shown.iter().map(|row| row.bytes_done).collect();
        assert!(done.len() >= 3 && done.is_sorted(), "{kind}: it grows: {done:?}");
        for row in &shown {
            let view = stackmotion::views::migration(row);
            assert_eq!((view.progress_source.as_deref(), view.host_phase), (Some("growth"), None), "{kind}");
            assert!(view.bytes_done <= view.bytes_total && view.changed.is_some(), "{kind}: {row:?}");
        }
        let with_rate = shown.iter().map(|row| stackmotion::views::migration(row)).find(|view| view.rate > Some(0));
        let view = with_rate.unwrap_or_else(|| panic!("{kind}: no rate: {shown:?}"));
        assert!(view.eta.is_some_and(|seconds| seconds > 0), "{kind}: it will take a while yet");
        println!("{kind}: {} steps seen: {done:?}, of {} bytes", done.len(), view.bytes_total);
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stands_still_is_given_up_and_is_unknown_until_its_end_is_seen() {
    for (what, command) in [(What::Volume, "MigrateVolumeCommand"), (What::VmWithVolumes, "MigrateWithStorageCommand")]
    {
        for (kind, database) in database::each().await {
            let case = format!("{kind}: {what:?} stands still");
            let bench = Bench::start(&silent(201), database).await;
            let motion = limited(&bench);
            let id = bench.fault(FaultRule::on(command, Fault::Stall { fraction: 0.5 }));
            let (job_id, begun) = (bench.job().await, Instant::now());
            let text = run_as(&bench, &motion, what, job_id).await.expect_err(&case);
            assert!(begun.elapsed() >= LIMIT, "{case}: {:?}", begun.elapsed());
            assert!(text.contains("It stood still for 1 s (at ") && text.contains(" bytes)"), "{case}: {text}");
            assert!(text.contains("The agent cannot be told to stop it."), "{case}: {text}");
            assert!(text.contains("What became of it is not known"), "{case}: {text}");
            let row = bench.store.motions_of_job(job_id).await.expect("the journal").pop().expect("a motion");
            assert_eq!(row.outcome.as_deref(), Some("unknown"), "{case}");
            assert_eq!(row.progress_source.as_deref(), Some("growth"), "{case}");
            assert!(row.bytes_done > 0 && row.bytes_done < row.bytes_total, "{case}: {row:?}");

            bench.end_job(job_id).await;
            // Nothing was taken from under the copy: let go, it comes to its end, and that is learned.
            bench.world.world().faults.release(Some(id));
            wait_for("its end to be learned", async || {
                motion.ask_again().await.expect("the database");
                let row = bench.store.motions_of_job(job_id).await.expect("the journal").pop().expect("a motion");
                row.outcome.as_deref() == Some("done")
            })
            .await;
            let pool = if what == What::Volume { "c1-p2" } else { "c2-p1" };
            assert_eq!(bench.pool_of("DATA-shared").await, pool, "{case}");
            println!("{case}: {text}");
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}
