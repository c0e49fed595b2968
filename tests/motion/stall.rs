//! What moves may take days; what stands still is stopped; and what cannot be stopped is called unknown, not failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::args;
use stackmotion::model::HYPERV;
use stackmotion::motion::hypervisor::{
    AgentError, Answer, DiskRef, Effect, FileFact, HostRef, Hypervisor, MotionState, MotionStatus, PoolRef, Stopping,
    Told, VmDisk, VmMove, VmPresence, VolumeCopy, VolumeMove,
};
use stackmotion::motion::{Clock, Limit, Motion, Patience};

use super::bench::{Bench, ROOT, patience, plan};
use super::crash::{What, run_as};
use crate::support::database;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const GIB: u64 = 1 << 30;

/// A clock that stands until somebody waits, and then is there at once.
#[derive(Debug)]
struct QuickClock {
    begun: Instant,
    gone: AtomicU64,
}

impl QuickClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { begun: Instant::now(), gone: AtomicU64::new(0) })
    }

    fn gone(&self) -> Duration {
        Duration::from_millis(self.gone.load(Ordering::SeqCst))
    }
}

impl Clock for QuickClock {
    fn now(&self) -> Instant {
        self.begun + self.gone()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.gone.fetch_add(u64::try_from(time.as_millis()).expect("a test's time"), Ordering::SeqCst);
            // Who waits beside this one has its turn.
            tokio::task::yield_now().await;
        })
    }
}

/// A host that copies at a steady pace of this clock, up to a point.
struct SlowHost {
    clock: Arc<QuickClock>,
    total: u64,
    bytes_per_second: u64,
    stops_at: u64,
    /// What it says when it is told to stop.
    stopping: Option<Stopping>,
    /// Whether it tells nothing but whether it has a machine, as stock agents do.
    is_blind: bool,
    disk: (String, String),
    target: Mutex<Option<String>>,
    stopped: AtomicU64,
    /// How often nobody waited for its answer any more.
    left_alone: AtomicU64,
}

/// Counts those who are gone before the answer is there.
struct Waiting<'a> {
    host: &'a SlowHost,
    is_answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.host.left_alone.fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl SlowHost {
    fn done(&self) -> u64 {
        (self.clock.gone().as_secs() * self.bytes_per_second).min(self.total).min(self.stops_at)
    }

    fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst) > 0 && self.stopping == Some(Stopping::Told)
    }
}

fn cannot<T: Send + 'static>() -> BoxFuture<'static, Answer<T>> {
    Box::pin(async { Err(AgentError { effect: Effect::None, text: "not here".to_owned() }) })
}

fn cancelled() -> AgentError {
    AgentError { effect: Effect::None, text: "The operation was cancelled".to_owned() }
}

impl Hypervisor for SlowHost {
    fn vm_presence<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<VmPresence>> {
        Box::pin(async { Ok(VmPresence::Running) })
    }

    fn vm_disks<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<Option<Vec<VmDisk>>>> {
        let (stem, source) = self.disk.clone();
        let target = self.target.lock().unwrap().clone();
        let folder = target.filter(|_| self.done() == self.total).unwrap_or(source);
        let disk = VmDisk { stem, folder, size_bytes: GIB, identity: Some("one".to_owned()) };
        Box::pin(async move { Ok((!self.is_blind).then(|| vec![disk])) })
    }

    fn files<'a>(&'a self, _: &'a HostRef, _: &'a PoolRef, _: &'a str) -> BoxFuture<'a, Answer<Option<Vec<FileFact>>>> {
        Box::pin(async { Ok((!self.is_blind).then(Vec::new)) })
    }

    fn motion_status<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<Option<MotionStatus>>> {
        let (bytes_done, bytes_total) = (self.done(), self.total);
        let (state, end) = match bytes_done == bytes_total {
            _ if self.is_stopped() => (MotionState::Failed, Some(Err(cancelled()))),
            true => (MotionState::Done, Some(Ok(Told::default()))),
            false => (MotionState::Running, None),
        };
        let status = MotionStatus { state, phase: "copy".to_owned(), bytes_total, bytes_done, end };
        Box::pin(async move { Ok((!self.is_blind).then_some(status)) })
    }

    fn stop_motion<'a>(&'a self, _: &'a HostRef, _: &'a str) -> BoxFuture<'a, Answer<Option<Stopping>>> {
        self.stopped.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(self.stopping.clone()) })
    }

    fn folder(&self, pool: &PoolRef) -> String {
        pool.path.clone()
    }

    fn move_volume<'a>(&'a self, _: &'a HostRef, order: &'a VolumeMove) -> BoxFuture<'a, Answer<Told>> {
        *self.target.lock().unwrap() = Some(order.target.path.clone());
        Box::pin(async move {
            let mut waiting = Waiting { host: self, is_answered: false };
            while self.done() < self.total {
                if self.is_stopped() {
                    waiting.is_answered = true;
                    return Err(cancelled());
                }
                tokio::task::yield_now().await;
            }
            waiting.is_answered = true;
            Ok(Told::default())
        })
    }

    fn move_vm<'a>(&'a self, _: &'a HostRef, _: &'a VmMove) -> BoxFuture<'a, Answer<Told>> {
        cannot()
    }

    fn copy_volume<'a>(&'a self, _: &'a HostRef, _: &'a VolumeCopy) -> BoxFuture<'a, Answer<Told>> {
        cannot()
    }

    fn delete_volume<'a>(&'a self, _: &'a HostRef, _: &'a DiskRef) -> BoxFuture<'a, Answer<()>> {
        cannot()
    }
}

/// A room whose one host is slow, and how its clock goes.
async fn slow(bench: &Bench, days: u64, stops_at: u64, stopping: Option<Stopping>) -> (Motion, Arc<SlowHost>) {
    slow_and(bench, days, stops_at, stopping, false).await
}

async fn slow_and(
    bench: &Bench,
    days: u64,
    stops_at: u64,
    stopping: Option<Stopping>,
    is_blind: bool,
) -> (Motion, Arc<SlowHost>) {
    let clock = QuickClock::new();
    let bytes_per_second = 1 << 20;
    let disk = bench.disk("DATA-shared");
    let pool = bench.store.pool_by_id(bench.pool_id("c1-p1")).await.expect("the database").expect("a pool");
    let host = Arc::new(SlowHost {
        clock: Arc::clone(&clock),
        total: days * DAY.as_secs() * bytes_per_second,
        bytes_per_second,
        stops_at,
        stopping,
        is_blind,
        disk: (disk.uuid.clone(), pool.bare_path().to_owned()),
        target: Mutex::default(),
        stopped: AtomicU64::new(0),
        left_alone: AtomicU64::new(0),
    });
    (motion_on(bench, &host, Patience::default().open_commands), host)
}

/// A room with this host, in which so many commands wait for their answers.
fn motion_on(bench: &Bench, host: &Arc<SlowHost>, open_commands: usize) -> Motion {
    let patience = Patience {
        poll: Duration::from_secs(300),
        unreachable: Duration::from_secs(300).into(),
        late_answer: Duration::from_secs(5),
        stall: Limit { limit: Duration::from_secs(600), origin: "a test".to_owned() },
        open_commands,
        ..Patience::default()
    };
    Motion::new(bench.store.clone(), patience)
        .with_hypervisor(HYPERV, Arc::clone(host) as Arc<dyn Hypervisor>)
        .with_clock(Arc::clone(&host.clock) as Arc<dyn Clock>)
}

async fn newest(bench: &Bench) -> stackmotion::store::MotionRow {
    let ids = bench.store.db().rows("SELECT id FROM motion_migration ORDER BY id DESC LIMIT 1", args![]).await;
    let id = ids.expect("the database").first().expect("a motion").at(0).expect("an id");
    bench.store.motion_by_id(id).await.expect("the database").expect("a motion")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_three_days_comes_to_its_end() {
    let bench = Bench::start(&plan(107), database::sqlite().await).await;
    let (motion, host) = slow(&bench, 3, u64::MAX, None).await;
    let job_id = bench.job().await;
    let moved = run_as(&bench, &motion, What::Volume, job_id).await;
    assert!(moved.is_ok(), "{moved:?}");
    assert!(host.clock.gone() >= 3 * DAY, "{:?}", host.clock.gone());
    assert_eq!(host.stopped.load(Ordering::SeqCst), 0, "nobody stopped it");
    assert_eq!(host.left_alone.load(Ordering::SeqCst), 0, "its answer was waited for");
    let row = newest(&bench).await;
    assert_eq!(
        (row.outcome.as_deref(), row.stall_s, row.stall_origin.as_deref()),
        (Some("done"), Some(600), Some("a test"))
    );
    assert_eq!(row.bytes_per_second, Some(1 << 20), "the rate is that of the clock");
    assert_eq!(row.progress_source.as_deref(), Some("host"));
    bench.world.stop().await;
}

/// What nobody can see is not stopped by the clock, but an operator is told of it, once.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_nobody_sees_goes_on_and_is_told() {
    const TOLD: &str =
        "SELECT content FROM alert WHERE subject LIKE 'Nobody can tell whether the migration of DATA-shared%'";
    let bench = Bench::start(&plan(239), database::sqlite().await).await;
    let (motion, host) = slow_and(&bench, 3, u64::MAX, None, true).await;
    let moved = run_as(&bench, &motion, What::Volume, bench.job().await).await;
    assert!(moved.is_ok(), "{moved:?}");
    assert!(host.clock.gone() >= 3 * DAY, "{:?}", host.clock.gone());
    let told = bench.store.db().rows(TOLD, args![]).await.expect("the database");
    assert_eq!(told.len(), 1, "{told:?}");
    let content: String = told[0].at(0).expect("a text");
    assert!(content.contains("for 14400 s") && content.contains("Get-VM i-"), "{content}");
    let row = newest(&bench).await;
    assert_eq!((row.outcome.as_deref(), row.progress_source.as_deref()), (Some("done"), None), "nothing is invented");
    bench.world.stop().await;
}

/// Where too many wait already, the host says when it is over, and until then stands for its command as well as ever.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_too_many_comes_to_its_end_though_nobody_waits_for_its_answer() {
    let bench = Bench::start(&plan(251), database::sqlite().await).await;
    let (_, host) = slow(&bench, 3, u64::MAX, None).await;
    let motion = motion_on(&bench, &host, 0);
    let moved = run_as(&bench, &motion, What::Volume, bench.job().await).await;
    assert!(moved.is_ok(), "{moved:?}");
    assert!(host.clock.gone() >= 3 * DAY, "{:?}", host.clock.gone());
    assert_eq!(host.left_alone.load(Ordering::SeqCst), 1, "nobody waited");
    let row = newest(&bench).await;
    assert_eq!((row.outcome.as_deref(), row.progress_source.as_deref()), (Some("done"), Some("host")));
    assert_eq!(row.bytes_per_second, Some(1 << 20), "how far it is was shown all the time");
    bench.world.stop().await;
}

/// An agent that cannot tell how far a motion is is waited for, however many there are.
#[tokio::test(flavor = "multi_thread")]
async fn the_answer_of_an_agent_that_cannot_tell_is_waited_for() {
    let bench = Bench::start(&plan(252), database::sqlite().await).await;
    let (_, host) = slow_and(&bench, 3, u64::MAX, None, true).await;
    let motion = motion_on(&bench, &host, 0);
    let moved = run_as(&bench, &motion, What::Volume, bench.job().await).await;
    assert!(moved.is_ok(), "{moved:?}");
    assert_eq!(host.left_alone.load(Ordering::SeqCst), 0, "it was waited for");
    bench.world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_stands_still_fails_in_minutes() {
    for (net, open_commands) in [(108, 1), (253, 0)] {
        stands_still(net, open_commands).await;
    }
}

async fn stands_still(net: u8, open_commands: usize) {
    let bench = Bench::start(&plan(net), database::sqlite().await).await;
    let (_, host) = slow(&bench, 3, 60 * GIB, Some(Stopping::Told)).await;
    let motion = motion_on(&bench, &host, open_commands);
    let job_id = bench.job().await;
    let text = run_as(&bench, &motion, What::Volume, job_id).await.expect_err("it stands still");
    assert!(text.contains("It stood still for 600 s (at 64424509440 of 271790899200 bytes, copy)"), "{text}");
    assert!(text.contains("motion.stall_s (a test)") && text.contains("The operation was cancelled"), "{text}");
    assert_eq!(host.stopped.load(Ordering::SeqCst), 1, "told once");
    // Up to where it stood still it took 61440 s.
    assert!(host.clock.gone() < Duration::from_secs(61_440 + 1800), "{:?}", host.clock.gone());
    assert_eq!(newest(&bench).await.outcome.as_deref(), Some("not-done"));
    assert_eq!(bench.pool_of("DATA-shared").await, "c1-p1");
    bench.world.stop().await;
}

/// A host that does not stop it may yet finish it: nobody says that it has failed.
#[tokio::test(flavor = "multi_thread")]
async fn one_that_stands_still_and_is_not_stopped_is_unknown() {
    let bench = Bench::start(&plan(109), database::sqlite().await).await;
    let refused = Some(Stopping::Refused("no".to_owned()));
    let (motion, _) = slow(&bench, 3, 60 * GIB, refused).await;
    let job_id = bench.job().await;
    let text = run_as(&bench, &motion, What::Volume, job_id).await.expect_err("it stands still");
    assert!(
        text.contains("What became of it is not known") && text.contains("The host does not stop it: no"),
        "{text}"
    );
    assert_eq!(newest(&bench).await.outcome.as_deref(), Some("unknown"));
    bench.world.stop().await;
}

/// The same with a real agent and real images: the half copy is gone afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn a_real_copy_that_stands_still_is_stopped_and_cleaned() {
    for (what, command) in [(What::Volume, "MigrateVolumeCommand"), (What::VmWithVolumes, "MigrateWithStorageCommand")]
    {
        for (kind, database) in database::each().await {
            let case = format!("{kind}: {what:?} stands still");
            let bench = Bench::start(&plan(110), database).await;
            bench.fault(FaultRule::on(command, Fault::Stall { fraction: 0.5 }));
            let stall = Limit { limit: Duration::from_millis(500), origin: "a test".to_owned() };
            let motion = bench.motion_with(Patience { stall, ..patience() });
            let job_id = bench.job().await;
            let text = run_as(&bench, &motion, what, job_id).await.expect_err(&case);
            assert!(text.contains("It stood still") && text.contains("The operation was cancelled"), "{case}: {text}");
            bench.world.world().faults.remove(None);
            bench.check(&case).await;
            bench.world.stop().await;
        }
    }
}

/// What the agent tells becomes what the job shows: bytes, rate, time to go, phase, and since when it stands.
#[tokio::test(flavor = "multi_thread")]
async fn progress_is_shown_as_the_agent_tells_it() {
    let bench = Bench::start(&plan(111), database::sqlite().await).await;
    bench.world.world().set_throttle(4 << 20);
    let job_id = bench.job().await;
    let seen = async {
        let row = loop {
            let row = bench.store.motions_of_job(job_id).await.expect("the journal").pop();
            if let Some(row) =
                row.filter(|row| row.bytes_per_second.is_some_and(|rate| rate > 0) && row.ended.is_none())
            {
                break row;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        };
        bench.world.world().set_throttle(0);
        row
    };
    let request = bench.volume_request();
    let moved = async {
        let moved = bench.motion.migrate_volume(job_id, &ROOT, &request).await;
        moved.map(|_| ()).map_err(|refusal| refusal.text)
    };
    let (moved, row) =
        tokio::time::timeout(super::bench::LONG, async { tokio::join!(moved, seen) }).await.expect("progress");
    assert!(moved.is_ok(), "{moved:?}");
    let view = stackmotion::views::migration(&row);
    let rate = view.rate.expect("a rate");
    assert!(view.bytes_done > 0 && view.bytes_done <= view.bytes_total && rate > 0);
    assert_eq!(view.eta, Some((view.bytes_total - view.bytes_done + rate - 1) / rate));
    assert_eq!((view.progress_source.as_deref(), view.host_phase.as_deref()), (Some("host"), Some("copy")));
    assert!(view.changed.is_some() && view.stall_s == Some(600));
    let over = stackmotion::views::migration(&newest(&bench).await);
    assert_eq!((over.percent, over.eta, over.host_phase), (100, None, None), "what is over has no time to go");
    bench.world.stop().await;
}
