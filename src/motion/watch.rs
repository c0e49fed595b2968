//! Watch: the command is out; how far is it, is it over, and does it move at all?
//!
//! No clock ends a motion that moves, however long it takes. The agent's answer ends it, or the agent's word (where it has our
//! extension) that it is over although the answer has not come. An agent's word is as good as its answer, so where there are very
//! many, only some wait for answers ([`Patience::open_commands`](super::patience::Patience::open_commands)): a connection that is
//! open costs more than all else that there is of a motion. One that stands still for longer than the stall limit is told
//! to stop, as is one whose job was cancelled; what became of it is then found out as always.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::alerts;
use super::hypervisor::{Hypervisor, MotionState, MotionStatus, Stopping};
use super::order::{Order, disk_ref, pool_ref};
use super::refusal::Refusal;
use super::saga::Motion;
use super::strategy::Strategy;
use super::verdict::Said;
use crate::store::{CancelState, MotionProgress, Moving, StoreError, transact};

/// After what time at most a host is asked for the first time, where its answer is not waited for once it is at work.
const SOON: Duration = Duration::from_secs(1);
/// The time over which the rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(30);

/// Sends the command and waits until it is over.
pub(super) async fn until_over(
    motion: &Motion,
    order: &Order,
    strategy: &dyn Strategy,
    hypervisor: &dyn Hypervisor,
) -> Said {
    let place = motion.open_commands.try_acquire().ok();
    let mut pause = if place.is_some() { motion.patience.poll } else { motion.patience.poll.min(SOON) };
    let mut answer = strategy.execute(order, hypervisor);
    let mut watch = Watch::new(motion, order, hypervisor);
    loop {
        // A command that its host has taken up is carried out whether or not anybody waits for the answer.
        if place.is_none() && watch.is_at_work {
            drop(answer);
            return until_told(watch).await;
        }
        let question = async {
            motion.clock.sleep(pause).await;
            // Nearly all of its time a motion waits for its next look: what a look takes is there only while it lasts.
            Box::pin(watch.look()).await
        };
        // The command goes on while the host is asked: it may hold what the question waits for, such as the database's
        // writer or a row's lock.
        let seen = tokio::select! {
            answer = &mut answer => return answer.into(),
            seen = question => seen,
        };
        pause = motion.patience.poll;
        match seen {
            Seen::Running => {}
            Seen::Still(text) => return Said::Nothing(text),
            Seen::Over(said) => {
                // The answer should be here at once. If not, it was lost, and this is the same.
                return tokio::select! {
                    biased;
                    answer = &mut answer => answer.into(),
                    () = motion.clock.sleep(motion.patience.late_answer) => said,
                };
            }
        }
    }
}

/// Waits, without the answer to its command, until the host says that it is over or does not say that it goes on.
async fn until_told(mut watch: Watch<'_>) -> Said {
    tracing::debug!(motion = %watch.order.uuid, "many are under way: the host is asked for the end instead of waiting for its answer");
    while watch.is_at_work {
        watch.motion.clock.sleep(watch.motion.patience.poll).await;
        match Box::pin(watch.look()).await {
            Seen::Running => {}
            Seen::Still(text) => return Said::Nothing(text),
            Seen::Over(said) => return said,
        }
    }
    Said::Nothing("The host did not say how far the motion is when it was asked.".to_owned())
}

/// What one look at a motion showed.
#[derive(Debug)]
pub(super) enum Seen {
    /// It goes on.
    Running,
    /// The host says that it is over, or that it will never begin: with this answer.
    Over(Said),
    /// It stands still, and the host cannot be made to stop it.
    Still(String),
}

/// How far the order to stop has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    /// It was not given, or not taken.
    Free,
    /// The host took it.
    Told,
}

/// Looks at one motion again and again.
pub(super) struct Watch<'a> {
    motion: &'a Motion,
    order: &'a Order,
    hypervisor: &'a dyn Hypervisor,
    pulse: Pulse,
    stop: Stop,
    /// Whether the host said last that it is at work.
    is_at_work: bool,
    /// Since when nothing has been seen of it; none once that was told.
    unseen: Option<Instant>,
}

impl<'a> Watch<'a> {
    pub fn new(motion: &'a Motion, order: &'a Order, hypervisor: &'a dyn Hypervisor) -> Self {
        let now = motion.clock.now();
        let pulse = Pulse::new(motion.patience.stall.limit, now);
        Self { motion, order, hypervisor, pulse, stop: Stop::Free, is_at_work: false, unseen: Some(now) }
    }

    /// Asks how far the motion is, writes it down, and tells the host to stop where that is due.
    pub async fn look(&mut self) -> Seen {
        if let Some(over) = self.progress().await {
            return over;
        }
        if self.stop == Stop::Free && self.motion.wishes.name(self.order.job_id) {
            match self.tell_to_stop().await {
                Ok(Some(Stopping::Barred)) => {
                    return Seen::Over(Said::Nothing("The host had not begun, and will not.".to_owned()));
                }
                Ok(_) => {}
                Err(text) => {
                    tracing::warn!(motion = %self.order.uuid, reason = %text, "the host could not be told to stop")
                }
            }
        }
        if self.pulse.is_still(self.motion.clock.now()) { self.stalled().await } else { Seen::Running }
    }

    /// What is to be done about a motion that stands still.
    async fn stalled(&mut self) -> Seen {
        let still = format!(
            "It stood still for {} s ({}), which is longer than motion.stall_s ({}) allows.",
            self.pulse.limit.as_secs(),
            self.pulse.words(),
            self.motion.patience.stall.origin
        );
        if self.stop == Stop::Told {
            return Seen::Still(format!("{still} The host was told to stop it, and it does not end."));
        }
        tracing::warn!(motion = %self.order.uuid, reason = %still, "a motion stands still");
        let (store, job_id) = (&self.motion.store, self.order.job_id);
        let wished = transact!(store, StoreError, |tx| { tx.cancel_wish(job_id, None, &still).await });
        if let Err(error) = wished {
            if matches!(error, StoreError::Superseded { .. }) {
                return Seen::Still(format!("{still} Another gateway has taken its job over."));
            }
            tracing::warn!(motion = %self.order.uuid, %error, "the wish to stop could not be written down; trying again");
            return Seen::Running;
        }
        match self.tell_to_stop().await {
            Ok(Some(Stopping::Told)) => {
                self.pulse.restart(self.motion.clock.now());
                Seen::Running
            }
            Ok(Some(Stopping::Barred)) => Seen::Over(Said::Nothing(still)),
            Ok(Some(Stopping::Refused(text))) => Seen::Still(format!("{still} The host does not stop it: {text}")),
            Ok(None) => Seen::Still(format!("{still} The agent cannot be told to stop it.")),
            Err(text) => Seen::Still(format!("{still} The host cannot be told to stop it: {text}")),
        }
    }

    /// Tells the host to stop, once it has been written down that it is told.
    async fn tell_to_stop(&mut self) -> Result<Option<Stopping>, String> {
        let (store, job_id) = (&self.motion.store, self.order.job_id);
        let noted = store.cancel_note(job_id, CancelState::Asked, None).await;
        noted.map_err(|error| crate::telemetry::chain(&error))?;
        let source = self.order.source_ref();
        let said = self.hypervisor.stop_motion(&source, &self.order.uuid).await.map_err(|error| error.text)?;
        let (state, answer) = match &said {
            Some(Stopping::Told | Stopping::Barred) => {
                self.stop = Stop::Told;
                self.pulse.must_move = true;
                tracing::info!(motion = %self.order.uuid, host = %source.name, "the host was told to stop");
                return Ok(said);
            }
            Some(Stopping::Refused(text)) => (CancelState::Refused, text.clone()),
            None => {
                let text = format!("the agent of host {} cannot be told to stop a motion", source.name);
                (CancelState::Refused, text)
            }
        };
        tracing::warn!(motion = %self.order.uuid, host = %source.name, %answer, "the host does not stop");
        let noted = store.cancel_note(job_id, state, Some(&answer)).await;
        noted.map_err(|error| crate::telemetry::chain(&error))?;
        // Heard here at once, so that the host is not asked again for the same wish.
        self.motion.hear_wishes().await.map_err(|error| crate::telemetry::chain(&error))?;
        Ok(said)
    }

    /// Asks how far it is. Something when it is over.
    async fn progress(&mut self) -> Option<Seen> {
        let told = self.hypervisor.motion_status(&self.order.source_ref(), &self.order.uuid).await;
        self.is_at_work = matches!(&told, Ok(Some(status)) if status.state == MotionState::Running);
        match told {
            Ok(Some(status)) => match status.state {
                MotionState::Running => {
                    if self.note(&status, "host") {
                        self.unseen = self.unseen.map(|_| self.motion.clock.now());
                    } else {
                        // With bytes left the stall limit comes first.
                        self.tell_unseen().await;
                    }
                    None
                }
                MotionState::Done | MotionState::Failed => {
                    let not_how = || Said::Nothing("The host says that the motion is over, and not how.".to_owned());
                    Some(Seen::Over(status.end.map_or_else(not_how, Said::from)))
                }
                // It has not begun, or the agent has forgotten it: no sign of life.
                MotionState::Unknown => None,
            },
            Ok(None) => {
                match self.growth().await {
                    Some(status) => {
                        self.unseen = self.unseen.map(|_| self.motion.clock.now());
                        self.note(&status, "growth");
                    }
                    // What cannot be seen cannot be seen to stand still.
                    None => {
                        self.pulse.restart(self.motion.clock.now());
                        self.tell_unseen().await;
                    }
                }
                None
            }
            // A host that does not answer shows no sign of life.
            Err(_) => None,
        }
    }

    /// Tells an operator, once, of a motion that nobody can see for long: there is nothing else that would.
    async fn tell_unseen(&mut self) {
        let (Some(limit), Some(since)) = (self.motion.patience.unseen, self.unseen) else { return };
        let gone = self.motion.clock.now().saturating_duration_since(since);
        if gone < limit {
            return;
        }
        let store = &self.motion.store;
        let told = async {
            let alert = alerts::unseen(store, self.order, gone, self.is_at_work).await?;
            transact!(store, Refusal, |tx| { Ok(tx.alert_insert(&alert).await?) })
        };
        match told.await {
            Ok(()) => self.unseen = None,
            Err(refusal) => {
                tracing::warn!(motion = %self.order.uuid, reason = %refusal.text, "an alert could not be written; trying again");
            }
        }
    }

    /// What an agent that does not tell how far it is can still show: how much of the targets' files is there.
    async fn growth(&self) -> Option<MotionStatus> {
        let host = self.order.target_ref().unwrap_or_else(|| self.order.source_ref());
        let (mut done, mut total) = (0, 0);
        for disk in self.order.disks.iter().filter(|disk| disk.moves()) {
            let here = disk_ref(&disk.volume, &disk.source);
            let source = self.hypervisor.files(&self.order.source_ref(), &here.pool, &here.stem).await.ok()??;
            let target = self.hypervisor.files(&host, &pool_ref(&disk.target), &disk.stem).await.ok()??;
            total += source.first()?.allocated_bytes;
            done += target.first().map_or(0, |file| file.allocated_bytes);
        }
        let (bytes_done, bytes_total) = (done.min(total), total);
        let phase = String::new();
        Some(MotionStatus { state: MotionState::Running, phase, bytes_total, bytes_done, end: None })
    }

    /// Writes down how far it is, when that has changed; true then.
    fn note(&mut self, status: &MotionStatus, source: &'static str) -> bool {
        let planned = self.order.bytes_total() > 0;
        let is_new = self.pulse.beat(status, planned, self.motion.clock.now());
        // An agent that has not begun to count says nothing about what was planned.
        if !is_new || (status.bytes_total == 0 && planned) {
            return is_new;
        }
        let whole = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
        let (done, total) = (whole(status.bytes_done), whole(status.bytes_total));
        let progress = MotionProgress {
            bytes_done: done,
            bytes_total: total,
            bytes_per_second: self.pulse.rate().map(whole),
            host_phase: Some(status.phase.clone()).filter(|phase| !phase.is_empty()),
            source,
        };
        let moving = Moving { job_id: self.order.job_id, motion_id: self.order.id };
        self.motion.store.motion_progress(moving, progress);
        true
    }
}

/// Whether a motion moves, and how fast.
struct Pulse {
    limit: Duration,
    /// What it looked like last: bytes done, bytes in all, phase.
    last: Option<(u64, u64, String)>,
    /// When it was last seen to move, or was given another chance.
    since: Instant,
    /// Whether it has to be seen to move, also with nothing left to copy: it was told to stop.
    must_move: bool,
    samples: VecDeque<(Instant, u64)>,
}

impl Pulse {
    fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, last: None, since: now, must_move: false, samples: VecDeque::new() }
    }

    /// Takes what it looks like now; true when that is something new. `planned` says that there are bytes to be moved.
    fn beat(&mut self, status: &MotionStatus, planned: bool, now: Instant) -> bool {
        let looks = (status.bytes_done, status.bytes_total, status.phase.clone());
        let is_new = self.last.as_ref() != Some(&looks);
        // A source that grows under its guest is no sign that its copy does.
        let has_moved =
            self.last.as_ref().is_none_or(|(done, _, phase)| (*done, phase) != (status.bytes_done, &status.phase));
        // With all copied, or nothing to copy, there is nothing left that would be seen to move: a machine's memory, say.
        let nothing_left = status.bytes_done >= status.bytes_total && (status.bytes_total > 0 || !planned);
        if has_moved || (nothing_left && !self.must_move) {
            self.since = now;
        }
        self.last = Some(looks);
        self.samples.push_back((now, status.bytes_done));
        while self.samples.len() > 2 && self.samples.get(1).is_some_and(|(at, _)| now - *at >= RATE_WINDOW) {
            self.samples.pop_front();
        }
        is_new
    }

    /// Gives it another time of standing still.
    fn restart(&mut self, now: Instant) {
        self.since = now;
    }

    fn is_still(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= self.limit
    }

    /// Bytes in each second of late; none before two looks have been taken.
    fn rate(&self) -> Option<u64> {
        let ((from, before), (until, after)) = (self.samples.front()?, self.samples.back()?);
        let seconds = (*until - *from).as_secs_f64();
        (seconds > 0.0).then(|| (after.saturating_sub(*before) as f64 / seconds) as u64)
    }

    fn words(&self) -> String {
        match &self.last {
            Some((done, total, phase)) if phase.is_empty() => format!("at {done} of {total} bytes"),
            Some((done, total, phase)) => format!("at {done} of {total} bytes, {phase}"),
            None => "the host has shown no sign of it".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(done: u64, phase: &str) -> MotionStatus {
        let phase = phase.to_owned();
        MotionStatus { state: MotionState::Running, phase, bytes_total: 100, bytes_done: done, end: None }
    }

    const LIMIT: Duration = Duration::from_secs(600);

    #[test]
    fn what_moves_is_not_still_however_long_it_takes() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(LIMIT, now);
        for done in 0..100 {
            assert!(pulse.beat(&status(done, "copy"), true, now));
            assert!(!pulse.beat(&status(done, "copy"), true, now), "nothing new");
            now += LIMIT - Duration::from_secs(1);
            assert!(!pulse.is_still(now), "{done}");
        }
        now += Duration::from_secs(1);
        assert!(pulse.is_still(now));
        pulse.beat(&status(99, "switch"), true, now);
        assert!(!pulse.is_still(now), "another phase is a sign of life");
    }

    #[test]
    fn what_has_nothing_left_to_copy_is_not_still() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(LIMIT, now);
        for _ in 0..10 {
            pulse.beat(&status(100, "switch"), true, now);
            now += LIMIT / 2;
            assert!(!pulse.is_still(now));
        }
        assert!(pulse.is_still(now + LIMIT), "but one of which nothing is heard any more is");
    }

    #[test]
    fn what_was_told_to_stop_has_to_be_seen_to_move() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(LIMIT, now);
        pulse.beat(&status(100, "switch"), true, now);
        pulse.must_move = true;
        now += LIMIT;
        pulse.beat(&status(100, "switch"), true, now);
        assert!(pulse.is_still(now), "the host says that it is at work and does not end");
        pulse.beat(&status(100, "undo"), true, now);
        assert!(!pulse.is_still(now), "but it does something else now");
    }

    #[test]
    fn a_source_that_grows_is_no_sign_of_life() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(LIMIT, now);
        pulse.beat(&status(10, "copy"), true, now);
        now += LIMIT;
        let grown = MotionStatus { bytes_total: 200, ..status(10, "copy") };
        assert!(pulse.beat(&grown, true, now), "it is shown");
        assert!(pulse.is_still(now));
    }

    #[test]
    fn what_has_not_begun_to_count_is_still() {
        let mut now = Instant::now();
        let nothing = MotionStatus { bytes_total: 0, ..status(0, "copy") };
        for (planned, is_still) in [(true, true), (false, false)] {
            let mut pulse = Pulse::new(LIMIT, now);
            pulse.beat(&nothing, planned, now);
            now += LIMIT;
            pulse.beat(&nothing, planned, now);
            assert_eq!(pulse.is_still(now), is_still, "{planned}");
        }
    }

    #[test]
    fn the_rate_is_that_of_late() {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(LIMIT, now);
        pulse.beat(&status(0, "copy"), true, now);
        assert_eq!(pulse.rate(), None);
        for done in [1, 2, 3] {
            now += RATE_WINDOW;
            pulse.beat(&status(done * 30, "copy"), true, now);
        }
        assert_eq!(pulse.rate(), Some(1));
        now += RATE_WINDOW;
        pulse.beat(&status(90, "copy"), true, now);
        assert_eq!(pulse.rate(), Some(0), "what was before does not count");
    }
}
