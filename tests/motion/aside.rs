//! Jobs that wait for others: their places are free meanwhile, for the others may be waiting for one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::motion::Place;

use super::bench::{Bench, WISH, plan, wait_for};
use super::crash::{What, run_as};
use crate::support::database;

/// Counts how often a place was given away, and waited for again.
#[derive(Default)]
struct Counted {
    given: AtomicUsize,
    taken: AtomicUsize,
}

impl Counted {
    fn seen(&self) -> (usize, usize) {
        (self.given.load(Ordering::SeqCst), self.taken.load(Ordering::SeqCst))
    }
}

impl Place for Counted {
    fn give(&self) {
        self.given.fetch_add(1, Ordering::SeqCst);
    }

    fn take(&self) -> BoxFuture<'_, ()> {
        self.taken.fetch_add(1, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

/// Another job of the same machine waits for its turn, and a second life of the first one for the lock that the first still has.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_has_no_place() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(223), database).await;
        let place = Arc::new(Counted::default());
        let motion = bench.motion.on(bench.store.clone()).with_place(Arc::clone(&place) as _);
        let stands = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
        let others = async {
            bench.struck(stands).await;
            let release = async {
                wait_for("both to wait", async || place.seen().0 == 2).await;
                assert_eq!(place.seen(), (2, 0), "{kind}");
                bench.world.world().faults.release(Some(stands));
            };
            let again = run_as(&bench, &motion, What::Volume, 1);
            tokio::join!(again, run_as(&bench, &motion, What::Vm, 2), release)
        };
        let (first, (again, second, ())) = tokio::join!(run_as(&bench, &bench.motion, What::Volume, 1), others);
        assert_eq!((first, again, second), (Ok(()), Ok(()), Ok(())), "{kind}");
        assert_eq!(place.seen(), (2, 2), "{kind}: what is done is done in a place");
        assert_eq!(run_as(&bench, &motion, What::Stopped, 3).await, Ok(()), "{kind}");
        assert_eq!(place.seen(), (2, 2), "{kind}: who does not wait keeps it");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// Whoever cancels a job that waits should not have to wait for a place.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_stop_needs_no_place() {
    let bench = Bench::start(&plan(224), database::sqlite().await).await;
    let place = Arc::new(Counted::default());
    let motion = bench.motion.on(bench.store.clone()).with_place(Arc::clone(&place) as _);
    let (first, second) = (bench.job().await, bench.job().await);
    let stands = bench.fault(FaultRule::on("MigrateVolumeCommand", Fault::Stall { fraction: 0.5 }));
    let cancel = async {
        bench.struck(stands).await;
        let wish = async {
            wait_for("it to wait", async || place.seen().0 == 1).await;
            bench.wish(&bench.motion, second).await;
        };
        let (second, ()) = tokio::join!(run_as(&bench, &motion, What::Vm, second), wish);
        bench.world.world().faults.release(Some(stands));
        second
    };
    let (first, second) = tokio::join!(run_as(&bench, &bench.motion, What::Volume, first), cancel);
    assert_eq!(first, Ok(()));
    assert!(second.expect_err("it was cancelled").contains(WISH));
    assert_eq!(place.seen(), (1, 0));
    bench.check("cancelled").await;
    bench.world.stop().await;
}
