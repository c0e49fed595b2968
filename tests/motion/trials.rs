//! Trials of every step of the saga, for every kind of motion, on every database: the step is done again by another process;
//! it fails; it fails, and what undoes or ends it is done twice, by one process after the other. How a step is made to fail
//! and what follows is written down for each, so that a new one does not compile without its trials.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use stackmotion::agent::faults::{Fault, FaultRule};
use stackmotion::motion::{Class, Motion, Patience, Probe, Step};
use tokio::sync::Notify;

use super::bench::{Bench, patience, plan};
use super::crash::{What, run_as};
use super::places::{Way, count, phases};
use crate::support::database::{self, Database};

const KINDS: [What; 4] = [What::Volume, What::VmWithVolumes, What::Vm, What::Cold];
const JOB: i64 = 1;
/// What an obstacle says.
const REFUSED: &str = "refused by the trial";
/// How long the database refuses an end that is written again and again.
const REFUSED_FOR: Duration = Duration::from_millis(200);

/// How a step is made to fail.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Obstacle {
    /// The database takes no motion of this phase.
    Phase(&'static str),
    /// The host refuses commands of this class.
    Refusal(&'static str),
    /// When the hosts are to be asked what is true, they do not answer.
    Silence,
}

/// What a failed step leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// Nothing was begun.
    NotBegun,
    /// Everything is where it was.
    Undone,
    /// Nobody knows, until the hosts speak again.
    Unknown,
    /// Everything is at its target.
    Done,
}

fn trial(step: Step, what: What) -> (Obstacle, End) {
    match step {
        Step::Mark => (Obstacle::Phase("marked"), End::NotBegun),
        Step::Announce => (Obstacle::Phase("sent"), End::Undone),
        Step::Send => (Obstacle::Refusal(command(what)), End::Undone),
        // An original that was not touched is where it was, whatever became of its copy.
        Step::Judge => (Obstacle::Silence, if what == What::Cold { End::Undone } else { End::Unknown }),
        Step::Settle => (Obstacle::Phase("settled"), End::Done),
        Step::Clean => (Obstacle::Refusal("DeleteCommand"), End::Done),
    }
}

fn command(what: What) -> &'static str {
    match what {
        What::Volume => "MigrateVolumeCommand",
        What::VmWithVolumes => "MigrateWithStorageCommand",
        What::Vm => "MigrateCommand",
        What::Cold | What::Stopped => "CopyCommand",
    }
}

/// How a process ended.
#[derive(Debug, PartialEq)]
enum Life {
    /// It was killed at the place.
    Killed,
    /// The job ended.
    Ended(Result<(), String>),
}

/// A step of a motion on trial.
struct Trial {
    case: String,
    bench: Bench,
    is_sqlite: bool,
    way: Way,
    obstacle: Option<Obstacle>,
}

impl Trial {
    async fn new(step: Step, what: What, net: u8, (kind, database): (&'static str, Database)) -> Self {
        let bench = Bench::start(&plan(net), database).await;
        let case = format!("{kind}, {what:?}, {step:?}");
        Self { case, bench, is_sqlite: kind == "sqlite", way: Way::of(what), obstacle: None }
    }

    async fn sql(&self, sql: &str) {
        self.bench.store.db().run(sql, vec![]).await.unwrap_or_else(|error| panic!("{}: {error}", self.case));
    }

    async fn obstruct(&mut self, obstacle: Obstacle) {
        self.obstacle = Some(obstacle);
        match obstacle {
            // A trigger, not a constraint: what a constraint refuses is taken for a row that will never be taken.
            Obstacle::Phase(phase) => {
                for event in ["INSERT", "UPDATE"] {
                    let on = format!("BEFORE {event} ON motion_migration");
                    let refuse = if self.is_sqlite {
                        format!("{on} WHEN NEW.phase = '{phase}' BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END")
                    } else {
                        let signal = format!("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '{REFUSED}'");
                        format!("{on} FOR EACH ROW IF NEW.phase = '{phase}' THEN {signal}; END IF")
                    };
                    self.sql(&format!("CREATE TRIGGER trial_{event} {refuse}")).await;
                }
            }
            Obstacle::Refusal(class) => {
                let fault = Fault::Refuse { details: REFUSED.to_owned() };
                self.bench.fault(FaultRule::on(class, fault));
            }
            Obstacle::Silence => {}
        }
    }

    async fn clear(&self) {
        for event in ["INSERT", "UPDATE"] {
            self.sql(&format!("DROP TRIGGER IF EXISTS trial_{event}")).await;
        }
        self.bench.world.world().faults.remove(None);
    }

    /// A process that runs the job to its end, or until it is killed at a place.
    async fn live(&self, killed_at: Option<(Step, bool)>) -> Life {
        let reached = Arc::new(Notify::new());
        let told = Arc::clone(&reached);
        let world = Arc::clone(self.bench.world.world());
        let is_silent = self.obstacle == Some(Obstacle::Silence);
        let probe: Probe = Arc::new(move |step, before| -> BoxFuture<'static, ()> {
            if is_silent && (step, before) == (Step::Judge, true) {
                world.faults.add(FaultRule { command: None, ..FaultRule::on("", Fault::DropBefore) });
            }
            if killed_at == Some((step, before)) {
                told.notify_one();
                return Box::pin(std::future::pending());
            }
            Box::pin(std::future::ready(()))
        });
        let motion = self.motion(probe);
        let clearing = async {
            // An end that cannot be written is written until it can be.
            if self.obstacle == Some(Obstacle::Phase("settled")) {
                tokio::time::sleep(REFUSED_FOR).await;
                self.clear().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = reached.notified() => Life::Killed,
            () = clearing => Life::Killed,
            result = run_as(&self.bench, &motion, self.way.what, JOB) => Life::Ended(result),
        }
    }

    fn motion(&self, probe: Probe) -> Motion {
        self.bench
            .motion_with(Patience { unreachable: Duration::from_millis(200).into(), ..patience() })
            .with_probe(probe)
    }

    /// What has to hold at the end of the job.
    async fn judge(&self, end: End, life: &Life) {
        let case = &self.case;
        let Life::Ended(result) = life else { panic!("{case}: the job has no end") };
        assert_eq!(result.is_ok(), end == End::Done, "{case}: {result:?}");
        let place = if end == End::Done { self.way.to } else { self.way.from };
        assert_eq!(self.way.seen(&self.bench).await, place, "{case}");
        let motions = if end == End::NotBegun { 0 } else { 1 };
        assert_eq!(phases(&self.bench).await, vec!["settled"; motions], "{case}");
    }

    /// The obstacle goes; what was not known is asked about twice, and what was not moved is moved.
    async fn recover(self, end: End) {
        let (bench, case, what) = (&self.bench, &self.case, self.way.what);
        self.clear().await;
        for _ in 0..2 {
            bench.motion.ask_again().await.unwrap_or_else(|refusal| panic!("{case}: {}", refusal.text));
        }
        if matches!(end, End::NotBegun | End::Undone) {
            bench.check(case).await;
            assert_eq!(run_as(bench, &bench.motion, what, JOB + 1).await, Ok(()), "{case}: nothing is in its way");
        }
        assert_eq!(self.way.seen(bench).await, self.way.to, "{case}");
        let left = count(bench, "SELECT COUNT(*) FROM motion_file WHERE state = 'left'", vec![]).await;
        // The original of a copy, which its host would not delete.
        let leaves = what == What::Cold && self.obstacle == Some(Obstacle::Refusal("DeleteCommand"));
        assert_eq!(left, i64::from(leaves), "{case}: what could not be deleted is listed, and nothing else");
        if leaves {
            bench.check_capacity(case).await;
            let id = count(bench, "SELECT id FROM motion_file WHERE state = 'left'", vec![]).await;
            let removed = bench.motion.remove_leftover(id).await;
            assert!(removed.is_ok(), "{case}: {removed:?}");
        }
        bench.check(case).await;
        self.bench.world.stop().await;
    }
}

/// Runs a trial for every step and kind, on every database.
async fn of_all(net: u8, run: impl AsyncFn(Step, What, Trial)) {
    for &step in Step::ALL {
        for what in KINDS {
            for database in database::each().await {
                run(step, what, Trial::new(step, what, net, database).await).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_is_repeated() {
    of_all(152, async |step, _, trial| {
        assert_eq!(trial.live(Some((step, false))).await, Life::Killed, "{}: it was not met", trial.case);
        trial.live(Some((step, false))).await;
        let life = trial.live(None).await;
        let end = if step.class() == Class::Undoable { End::Undone } else { End::Done };
        trial.judge(end, &life).await;
        assert_eq!(trial.live(None).await, life, "{}: the end stays what it is", trial.case);
        trial.recover(end).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_fails() {
    of_all(153, async |step, what, mut trial| {
        let (obstacle, end) = self::trial(step, what);
        trial.obstruct(obstacle).await;
        let life = trial.live(None).await;
        trial.judge(end, &life).await;
        trial.recover(end).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_fails_and_is_undone_twice() {
    of_all(154, async |step, what, mut trial| {
        let (obstacle, end) = self::trial(step, what);
        trial.obstruct(obstacle).await;
        let places = [(Step::Settle, true), (Step::Settle, false), (Step::Settle, false), (Step::Clean, true)];
        for (number, place) in places.into_iter().enumerate() {
            let life = trial.live(Some(place)).await;
            // What was not begun has nothing to undo.
            let is_met = number > 0 || end == End::NotBegun || life == Life::Killed;
            assert!(is_met, "{}: {place:?} was not met: {life:?}", trial.case);
        }
        let life = trial.live(None).await;
        trial.judge(end, &life).await;
        trial.recover(end).await;
    })
    .await;
}
