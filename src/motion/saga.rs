//! The saga of one motion: mark, announce, send, judge, settle, clean.
//!
//! What each step does, and what may be done about one that was begun, is declared in `steps`.
//!
//! A process that dies between two steps is followed by one that finds the journal and goes on from there: see
//! [`Motion::resume`].

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join;
use futures_util::stream::{self, StreamExt as _};
use tokio::sync::Semaphore;

use super::aside::Place;
use super::cancel::Wishes;
use super::clean;
use super::clock::{Clock, WallClock};
use super::cold;
use super::front::key_of;
use super::hypervisor::{Hypervisor, Stopping, Told};
use super::ledger::Bookmark;
use super::locks::{Held, Locks};
use super::look;
use super::order::Order;
use super::patience::Patience;
use super::refusal::Refusal;
use super::steps::Step;
use super::strategy::{self, Strategy};
use super::verdict::{self, Look, Said, Verdict};
use super::watch::{self, Seen, Watch};
use super::{mark, offline, settle};
use crate::store::{MotionRow, Store, StoreError};

/// How many motions that nobody ends are taken up at once.
const ORPHANS_AT_ONCE: usize = 64;

/// Called before (`true`) and after (`false`) every step. A test that never returns from it has killed the gateway there.
pub type Probe = Arc<dyn Fn(Step, bool) -> futures_util::future::BoxFuture<'static, ()> + Send + Sync>;

/// Moves things: the room's front.
#[derive(Clone)]
pub struct Motion {
    pub(super) store: Store,
    hypervisors: Arc<BTreeMap<String, Arc<dyn Hypervisor>>>,
    strategies: Arc<[Box<dyn Strategy>]>,
    pub(super) patience: Patience,
    pub(super) locks: Arc<Locks>,
    pub(super) wishes: Arc<Wishes>,
    pub(super) clock: Arc<dyn Clock>,
    /// See [`Patience::open_commands`].
    pub(super) open_commands: Arc<Semaphore>,
    /// That of the job that the room works for, if it works for one.
    pub(super) place: Option<Arc<dyn Place>>,
    pub(super) bookmark: Arc<Bookmark>,
    probe: Option<Probe>,
}

impl std::fmt::Debug for Motion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Motion").field("patience", &self.patience).finish_non_exhaustive()
    }
}

impl Motion {
    /// A room without any hypervisor: add them with [`Motion::with_hypervisor`].
    #[must_use]
    pub fn new(store: Store, patience: Patience) -> Self {
        let (hypervisors, strategies) = (Arc::default(), strategy::all().into());
        let (locks, wishes, clock) = (Arc::default(), Arc::default(), Arc::new(WallClock));
        let open_commands = Arc::new(Semaphore::new(patience.open_commands.min(Semaphore::MAX_PERMITS)));
        let (place, bookmark, probe) = (None, Arc::default(), None);
        Self { store, hypervisors, strategies, patience, locks, wishes, clock, open_commands, place, bookmark, probe }
    }

    /// The same room, with another store: that of a job, which writes under its claim.
    #[must_use]
    pub fn on(&self, store: Store) -> Self {
        Self { store, ..self.clone() }
    }

    /// Serves hosts of this hypervisor type (`host.hypervisor_type`, compared without regard to case).
    #[must_use]
    pub fn with_hypervisor(mut self, kind: &str, hypervisor: Arc<dyn Hypervisor>) -> Self {
        Arc::make_mut(&mut self.hypervisors).insert(kind.to_lowercase(), hypervisor);
        self
    }

    /// Goes by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Stands between the steps.
    #[must_use]
    pub fn with_probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    async fn probe(&self, step: Step, before: bool) {
        if let Some(probe) = &self.probe {
            probe(step, before).await;
        }
    }

    /// The client of the hosts of this hypervisor type, if one was given.
    #[must_use]
    pub fn client(&self, kind: &str) -> Option<Arc<dyn Hypervisor>> {
        self.hypervisors.get(&kind.to_lowercase()).cloned()
    }

    pub(super) fn hypervisor(&self, order: &Order) -> Result<Arc<dyn Hypervisor>, Refusal> {
        let kind = &order.source.hypervisor;
        self.hypervisors.get(&kind.to_lowercase()).cloned().ok_or_else(|| {
            Refusal::failed(format!("No agent client serves hypervisor {kind}; this gateway moves Hyper-V machines"))
        })
    }

    pub(super) fn strategy(&self, order: &Order) -> Option<&dyn Strategy> {
        strategy::choose(&self.strategies, order)
    }

    /// Carries a new order out, from mark to clean.
    ///
    /// # Errors
    /// A [`Refusal`] when nothing was begun: the rows are as they were.
    pub(super) async fn carry_out(&self, draft: Box<Order>) -> Result<(Order, Verdict), Refusal> {
        let Some(strategy) = self.strategy(&draft) else { return Err(mark::no_strategy(&draft)) };
        let hypervisor = self.hypervisor(&draft)?;
        // A motion that is under way should not take the room of what comes before it, or after.
        if let Some(cancelled) = Box::pin(self.unwanted(draft.job_id)).await? {
            return Err(cancelled);
        }
        self.probe(Step::Mark, true).await;
        let mut order = Box::pin(mark::mark(&self.store, &draft, strategy.name(), &self.patience)).await?;
        drop(draft);
        self.probe(Step::Mark, false).await;
        let said = match self.send(&mut order, strategy, hypervisor.as_ref()).await {
            Ok(said) => said,
            Err(problem) => Said::No(problem.text),
        };
        Box::pin(self.conclude(order, hypervisor.as_ref(), said)).await
    }

    /// Sends the order and waits until it is over, unless there is no need to or something is in the way.
    async fn send(
        &self,
        order: &mut Order,
        strategy: &dyn Strategy,
        hypervisor: &dyn Hypervisor,
    ) -> Result<Said, Refusal> {
        if let Some(said) = Box::pin(self.announce(order, hypervisor)).await? {
            return Ok(said);
        }
        self.probe(Step::Send, true).await;
        tracing::info!(motion = %order.uuid, kind = order.kind.word(), strategy = strategy.name(), "sending");
        let said = watch::until_over(self, order, strategy, hypervisor).await;
        self.probe(Step::Send, false).await;
        Ok(said)
    }

    /// Looks once more, and writes down that the order is sent next. Something when it is not.
    async fn announce(&self, order: &mut Order, hypervisor: &dyn Hypervisor) -> Result<Option<Said>, Refusal> {
        let looks = join(look::before(order, hypervisor), clean::obstacle(&self.store, order, hypervisor));
        let ((before, obstacle), in_use) = join(looks, cold::in_use(&self.store, order, hypervisor)).await;
        let in_use = in_use?;
        if before.is_there {
            tracing::info!(motion = %order.uuid, "everything is there already; nothing is sent");
            return Ok(Some(Said::Yes(Told::default())));
        }
        if let Some(obstacle) = before.astray.or(in_use).or(obstacle) {
            return Ok(Some(Said::No(obstacle)));
        }
        if self.unwanted(order.job_id).await?.is_some() {
            return Ok(Some(Said::No("Nothing was sent to the host.".to_owned())));
        }
        self.probe(Step::Announce, true).await;
        self.store.motion_sent(order.id, &before.facts).await?;
        order.remember(before.facts);
        self.probe(Step::Announce, false).await;
        Ok(None)
    }

    /// Judges, settles and cleans.
    async fn conclude(
        &self,
        order: Order,
        hypervisor: &dyn Hypervisor,
        said: Said,
    ) -> Result<(Order, Verdict), Refusal> {
        if let Err(error) = self.store.motion_progress_end(order.job_id).await {
            tracing::warn!(motion = %order.uuid, cause = %crate::telemetry::chain(&error), "the last progress was not noted");
        }
        self.probe(Step::Judge, true).await;
        let verdict = self.judge(&order, hypervisor, &said).await.in_short();
        let verdict = self.explained(order.job_id, verdict).await?;
        self.probe(Step::Judge, false).await;
        tracing::info!(motion = %order.uuid, outcome = verdict.outcome.word(), verified = %verdict.verified, "judged");
        self.probe(Step::Settle, true).await;
        let verdict = self.settle(&order, verdict).await?;
        self.probe(Step::Settle, false).await;
        self.probe(Step::Clean, true).await;
        self.tidy(&order, &verdict, hypervisor).await?;
        self.probe(Step::Clean, false).await;
        Ok((order, verdict))
    }

    /// Settles, however long the database is away: what the hosts said must not be lost.
    ///
    /// Rows that somebody else has changed meanwhile, or put into a state from which the motion does not lead on, are left to
    /// them; the outcome is unknown until the hosts are asked again.
    async fn settle(&self, order: &Order, verdict: Verdict) -> Result<Verdict, Refusal> {
        loop {
            let problem = match self.settle_or_doubt(order, &verdict).await {
                Ok(verdict) => return Ok(verdict),
                Err(problem) => problem,
            };
            let Some(cause) = problem.cause.as_ref().filter(|cause| cause.is_unwritten()) else { return Err(problem) };
            tracing::error!(
                motion = %order.uuid,
                cause = %crate::telemetry::chain(cause),
                "the verdict could not be written; trying again"
            );
            self.clock.sleep(self.patience.poll).await;
        }
    }

    async fn settle_or_doubt(&self, order: &Order, verdict: &Verdict) -> Result<Verdict, Refusal> {
        let changed = |what: &str| format!("{what} was changed by somebody else while the motion was under way");
        let why = match settle::settle(&self.store, order, verdict).await {
            Ok(()) => return Ok(verdict.clone()),
            Err(Refusal { cause: Some(StoreError::Conflict { what }), .. }) => changed(&what),
            Err(Refusal { cause: None, text, .. }) => changed(&format!("A row of it ({text})")),
            Err(Refusal { cause: Some(cause), .. }) if cause.is_of_values() => {
                format!(
                    "The database does not take what would stand in a row of it ({})",
                    crate::telemetry::chain(&cause)
                )
            }
            Err(problem) => return Err(problem),
        };
        let doubt = settle::in_doubt(verdict.clone(), &why);
        settle::give_over(&self.store, order, &doubt).await?;
        Ok(doubt)
    }

    /// Asks the hosts until they have said what became of the motion.
    async fn judge(&self, order: &Order, hypervisor: &dyn Hypervisor, said: &Said) -> Verdict {
        let mut patient_until = self.clock.now() + self.patience.unreachable.limit;
        let mut is_asked = false;
        let mut unheard_until = None;
        let mut barred = false;
        let mut watch = Watch::new(self, order, hypervisor);
        loop {
            let seen = look::look(hypervisor, order, said).await;
            let is_running = matches!(seen, Look::Running);
            let wait = match seen {
                Look::Over(verdict) => return verdict,
                // A stock agent whose answer was lost may still be at work: it gets the same patience as one that is away.
                Look::CannotTell if matches!(said, Said::Nothing(_)) && order.kind != super::Kind::ColdVolume => {
                    Some("the agent cannot tell whether it is still at work".to_owned())
                }
                Look::CannotTell => return verdict::from_words(order, said),
                // The request of a gateway that is gone may lie unread in the agent, and begin yet.
                Look::Unheard(verdict) if barred => return verdict,
                Look::Unheard(_) => {
                    let until = *unheard_until.get_or_insert_with(|| self.clock.now() + self.patience.late_answer);
                    if self.clock.now() < until {
                        None
                    } else if is_barred(order, hypervisor).await {
                        // It may have come, ended and been forgotten between the questions: from here on it cannot.
                        barred = true;
                        continue;
                    } else {
                        Some("it has not begun the motion, and does not say that it will not".to_owned())
                    }
                }
                Look::Running => {
                    unheard_until = None;
                    patient_until = self.clock.now() + self.patience.unreachable.limit;
                    match watch.look().await {
                        Seen::Still(text) => return verdict::from_words(order, &Said::Nothing(text)),
                        Seen::Running | Seen::Over(_) => None,
                    }
                }
                Look::Unreachable(text) => Some(text),
            };
            if let Some(text) = wait {
                tracing::warn!(motion = %order.uuid, reason = %text, "a host does not answer");
                // What the agent refused, or never got, has had no effect: there is nothing to wait for.
                let refused = matches!(said, Said::No(_));
                if refused || self.clock.now() >= patient_until {
                    return verdict::unanswered(order, said, &text);
                }
            }
            self.note_reconciling(order, &mut is_asked, !is_running).await;
            self.clock.sleep(self.patience.poll).await;
        }
    }

    /// Shows that it is not known how far a motion is, or that it is known again.
    async fn note_reconciling(&self, order: &Order, noted: &mut bool, is_asked: bool) {
        if *noted == is_asked {
            return;
        }
        match self.store.motion_reconciling(order.id, is_asked).await {
            Ok(()) => *noted = is_asked,
            Err(error) => {
                tracing::warn!(motion = %order.uuid, cause = %crate::telemetry::chain(&error), "the phase was not noted");
            }
        }
    }

    /// Goes on with a motion that an earlier process began, or gives the verdict of one that it ended.
    ///
    /// # Errors
    /// A [`Refusal`] when the database fails or a row that the motion speaks of is gone.
    pub(super) async fn resume(&self, row: &MotionRow) -> Result<(Order, Verdict), Refusal> {
        let _held = self.hold(row).await?;
        // Whoever had the lock before may have learned how it ended.
        let now = self.store.motion_by_id(row.id).await?;
        self.resume_held(now.as_ref().unwrap_or(row)).await
    }

    /// As [`Motion::resume`], for a caller that holds the lock already.
    ///
    /// # Errors
    /// See [`Motion::resume`].
    pub(super) async fn resume_held(&self, row: &MotionRow) -> Result<(Order, Verdict), Refusal> {
        let order = Order::from_journal(&self.store, row).await?;
        let hypervisor = self.hypervisor(&order)?;
        tracing::info!(motion = %order.uuid, phase = %row.phase, "taking a motion over");
        if row.phase != "settled" {
            let (stall, unreachable) = (&self.patience.stall, &self.patience.unreachable);
            self.store.motion_limits(row.id, stall.in_seconds(), unreachable.in_seconds()).await?;
        }
        match row.phase.as_str() {
            "marked" => {
                let said = Said::No("The gateway was stopped before anything was sent to the host.".to_owned());
                self.conclude(order, hypervisor.as_ref(), said).await
            }
            "sent" => {
                let said = Said::Nothing("The gateway was stopped while the motion was under way.".to_owned());
                self.conclude(order, hypervisor.as_ref(), said).await
            }
            _ => {
                let verdict = self.tidy_settled(&order, row).await?;
                Ok((order, verdict))
            }
        }
    }

    /// Asks again about motions whose outcome is not known, and corrects the rows when a host answers now.
    ///
    /// # Errors
    /// See [`Store::motions_unknown`]. A motion that cannot be asked about is logged, and does not keep the others waiting.
    pub async fn ask_again(&self) -> Result<(), Refusal> {
        for row in self.store.motions_unknown().await? {
            if let Err(refusal) = self.ask_again_about(&row).await {
                tracing::warn!(motion = %row.uuid, reason = %refusal.text, "an unknown outcome could not be asked about");
            }
        }
        Ok(())
    }

    async fn ask_again_about(&self, row: &MotionRow) -> Result<(), Refusal> {
        // What moves now is asked about another time.
        let Some(_held) = self.try_hold(row).await? else { return Ok(()) };
        // Rows are read when it is this motion's turn: whoever was first may have changed them.
        let order = Order::from_journal(&self.store, row).await?;
        let hypervisor = self.hypervisor(&order)?;
        let said = Said::Nothing(row.reason.clone().unwrap_or_default());
        let mut seen = look::look(hypervisor.as_ref(), &order, &said).await;
        if matches!(seen, Look::Unheard(_)) {
            self.clock.sleep(self.patience.late_answer).await;
            // One that begins at this moment is asked about another time.
            if !is_barred(&order, hypervisor.as_ref()).await {
                return Ok(());
            }
            seen = look::look(hypervisor.as_ref(), &order, &said).await;
        }
        if let Look::Over(verdict) | Look::Unheard(verdict) = seen
            && verdict.outcome != super::Outcome::Unknown
            && let Some(verdict) = settle::correct(&self.store, &order, verdict).await?
        {
            self.tidy(&order, &verdict, hypervisor.as_ref()).await?;
        }
        Ok(())
    }

    /// Ends motions whose job has ended and that nobody has settled: a row was in its way that is gone, or somebody has ended the
    /// job in the database. As long as they are open, everything else of the same VM waits for them. One that its host is still at
    /// work on is followed to its end; the others are ended beside it, and by later rounds, which leave it alone.
    ///
    /// # Errors
    /// See [`Store::motions_orphaned`]. A motion that cannot be ended now is logged, and does not keep the others waiting.
    pub async fn take_up_orphans(&self) -> Result<(), Refusal> {
        let end = |row: MotionRow| async move {
            if let Err(refusal) = self.end_orphan(&row).await {
                tracing::warn!(motion = %row.uuid, reason = %refusal.text, "a motion that nobody ends could not be ended");
            }
        };
        stream::iter(self.store.motions_orphaned().await?).for_each_concurrent(ORPHANS_AT_ONCE, end).await;
        offline::let_orphans_go(self).await
    }

    async fn end_orphan(&self, row: &MotionRow) -> Result<(), Refusal> {
        // Who is at work on it here has the lock; who is at work on it elsewhere writes nothing more from now on.
        let Some(_held) = self.try_hold(row).await? else { return Ok(()) };
        self.store.job_fence(row.job_id).await?;
        let Some(row) = self.store.motion_by_id(row.id).await?.filter(|row| row.phase != "settled") else {
            return Ok(());
        };
        match self.resume_held(&row).await {
            Ok(_) => Ok(()),
            Err(Refusal { cause: None, text, .. }) => settle::abandon(&self.store, &row, &text).await,
            Err(problem) => Err(problem),
        }
    }

    /// Waits for the turn of a motion that is in the journal.
    pub(super) async fn hold(&self, row: &MotionRow) -> Result<Held, Refusal> {
        let key = self.key_of_row(row).await?;
        match self.locks.try_hold(&key) {
            Some(held) => Ok(held),
            None => self.aside(async { Ok(self.locks.hold(&key).await) }).await,
        }
    }

    /// The turn of a motion that is in the journal, if nobody has it.
    pub(super) async fn try_hold(&self, row: &MotionRow) -> Result<Option<Held>, Refusal> {
        Ok(self.locks.try_hold(&self.key_of_row(row).await?))
    }

    async fn key_of_row(&self, row: &MotionRow) -> Result<String, Refusal> {
        Ok(key_of(row.vm_id, self.store.motion_volume(row.id).await?))
    }
}

/// Makes sure that a motion of which the agent has not heard does not begin yet: the agent refuses it from now on. False when it
/// has begun meanwhile, or the agent does not answer. An agent without our extension can only be believed.
pub(super) async fn is_barred(order: &Order, hypervisor: &dyn Hypervisor) -> bool {
    match hypervisor.stop_motion(&order.source_ref(), &order.uuid).await {
        Ok(Some(Stopping::Barred) | None) => true,
        Ok(Some(Stopping::Told | Stopping::Refused(_))) | Err(_) => false,
    }
}
