//! What comes late: a command that an agent begins when its sender is gone, an answer about an outcome that was not known,
//! and a question that has to wait for the very command it is about.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::args;
use stackmotion::hypervisors::hyperv::pin::{Fingerprint, Pins};
use stackmotion::hypervisors::hyperv::{AgentClient, ClientSettings, HyperV, PinPolicy};
use stackmotion::model::HYPERV;
use stackmotion::motion::{Motion, Patience};
use tokio::sync::Mutex;

use super::bench::{Bench, LONG, ROOT, patience, plan, wait_for};
use crate::support::database;

const VOLUME: &str = "MigrateVolumeCommand";
const STATUS: &str = "MotionStatusCommand";

fn seen(bench: &Bench, rule: u64) -> u64 {
    bench.world.world().faults.view().iter().find(|view| view.id == rule).map_or(0, |view| view.seen)
}

/// The gateway dies with its command unread in the agent. The next one hears "unknown" and must not take that for "not
/// done", for the agent begins yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_begins_when_its_sender_is_gone() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(77), database).await;
        let unread = bench.fault(FaultRule::on(VOLUME, Fault::StartLate { ms: None }));
        let request = bench.volume_request();
        tokio::select! {
            result = bench.motion.migrate_volume(1, &ROOT, &request) => panic!("{kind}: it is over: {result:?}"),
            () = wait_for("the command", async || seen(&bench, unread) > 0) => {}
        }
        let asked = bench.fault(FaultRule::on(STATUS, Fault::AnswerLate { ms: Some(0) }));
        let patience = Patience { late_answer: LONG, ..patience() };
        let second = Motion::new(bench.store.clone(), patience).with_hypervisor(HYPERV, Arc::clone(&bench.hyperv) as _);
        let begin = async {
            wait_for("questions about the motion", async || seen(&bench, asked) > 2).await;
            bench.world.world().faults.release(Some(unread));
        };
        let (result, ()) = tokio::join!(second.migrate_volume(1, &ROOT, &request), begin);
        result.unwrap_or_else(|refusal| panic!("{kind}: {}", refusal.text));
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2", "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// Two motions of unknown outcome. The first cannot be asked about, for its host is of a kind that nobody serves any more;
/// the second is corrected all the same, and takes new motions again.
#[tokio::test(flavor = "multi_thread")]
async fn one_motion_that_cannot_be_asked_about_does_not_hold_up_the_others() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(78), database).await;
        // An older row, of a host that is gone.
        let older = "INSERT INTO motion_migration (id, uuid, job_id, kind, strategy, phase, outcome, source_host_id, created, \
            updated) VALUES (?, 'gone', 1, 'volume', 'none', 'settled', 'unknown', 9999, '2026-11-23 00:00:00', \
            '2026-11-23 00:00:00')";
        bench.store.db().run(older, args![1]).await.expect("a row");
        // What became of it cannot be heard: the agent forgets the motion, and is away when it is asked.
        let away = bench.fault(FaultRule::on("VmDisksCommand", Fault::HttpStatus { status: 500 }));
        bench.fault(FaultRule::on(VOLUME, Fault::RestartAndForget { after: true }).nth(1));
        let impatient = Patience { unreachable: Duration::from_millis(1).into(), ..patience() };
        let motion =
            Motion::new(bench.store.clone(), impatient).with_hypervisor(HYPERV, Arc::clone(&bench.hyperv) as _);
        let refusal = motion.migrate_volume(2, &ROOT, &bench.volume_request()).await.expect_err(kind);
        assert!(refusal.text.contains("is not known"), "{kind}: {}", refusal.text);
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p1", "{kind}");
        bench.world.world().faults.remove(Some(away));
        motion.ask_again().await.expect("the database answers");

        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p2", "{kind}");
        let row = bench.store.motions_of_job(2).await.expect("the journal").pop().expect("a motion");
        assert_eq!(row.outcome.as_deref(), Some("done"), "{kind}");
        bench.check(kind).await;
        bench.world.stop().await;
    }
}

/// Fingerprints that are kept slowly, one at a time, and seen for the first time again and again.
#[derive(Default)]
struct SlowPins(Mutex<()>);

impl Pins for SlowPins {
    fn load<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Fingerprint>, String>> {
        Box::pin(async { Ok(None) })
    }

    fn store<'a>(&'a self, _: &'a str, seen: Fingerprint) -> BoxFuture<'a, Result<Fingerprint, String>> {
        Box::pin(async move {
            let _one_at_a_time = self.0.lock().await;
            tokio::time::sleep(patience().poll * 3).await;
            Ok(seen)
        })
    }
}

/// The command holds something that the question about it waits for. If it stood still meanwhile, neither would go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_goes_on_while_the_host_is_asked_about_it() {
    let bench = Bench::start(&plan(79), database::sqlite().await).await;
    let client = AgentClient::new(ClientSettings::default(), PinPolicy::first_use(Arc::new(SlowPins::default())));
    let motion = Motion::new(bench.store.clone(), patience())
        .with_hypervisor(HYPERV, Arc::new(HyperV::new(Arc::new(client))) as _);
    let moved = motion.migrate_volume(1, &ROOT, &bench.volume_request()).await;
    moved.unwrap_or_else(|refusal| panic!("{}", refusal.text));
    bench.check("slow pins").await;
    bench.world.stop().await;
}

/// The gateway that sent a command is gone, and the one that follows it has said that nothing was moved. What lies unread in the
/// agent then must not begin any more, whenever it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_given_up_never_begins() {
    for (kind, database) in database::each().await {
        let bench = Bench::start(&plan(116), database).await;
        let unread = bench.fault(FaultRule::on(VOLUME, Fault::StartLate { ms: None }).nth(1));
        let request = bench.volume_request();
        tokio::select! {
            result = bench.motion.migrate_volume(1, &ROOT, &request) => panic!("{kind}: it is over: {result:?}"),
            () = wait_for("the command", async || seen(&bench, unread) > 0) => {}
        }
        let second = bench.another_motion(None);
        let text = second.migrate_volume(1, &ROOT, &request).await.expect_err(kind).text;
        assert!(text.contains("while the motion was under way"), "{kind}: {text}");
        bench.world.world().faults.release(Some(unread));
        let refused = async || {
            let requests: Vec<_> = bench.world.hosts().flat_map(|host| host.requests()).collect();
            requests.iter().any(|one| one.class.contains("MigrateVolume") && one.answer.is_some())
        };
        wait_for("the agent to have read it", refused).await;
        assert_eq!(bench.pool_of("DATA-shared").await, "c1-p1", "{kind}");
        bench.check(kind).await;
        // A new order is another matter.
        bench
            .motion
            .migrate_volume(2, &ROOT, &request)
            .await
            .unwrap_or_else(|refusal| panic!("{kind}: {}", refusal.text));
        bench.check(kind).await;
        bench.world.stop().await;
    }
}
