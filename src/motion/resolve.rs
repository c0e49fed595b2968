//! Resolve: what a person states of a motion whose outcome its hosts cannot tell.
//!
//! The hosts come first. What they show is not overruled; only where they are silent, or cannot tell, a person is believed.

use super::look;
use super::order::Order;
use super::refusal::Refusal;
use super::saga::{Motion, is_barred};
use super::settle;
use super::verdict::{Look, Outcome, Said, Verdict, sentence};
use crate::store::MotionRow;

/// Where everything was found that was to move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// Where it was.
    Source,
    /// Where it was to go.
    Target,
}

/// What a person states.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Where everything is.
    pub found: Found,
    /// Who says so.
    pub by: String,
    /// What is to be remembered about it.
    pub note: Option<String>,
}

impl Statement {
    fn outcome(&self) -> Outcome {
        match self.found {
            Found::Source => Outcome::NotDone,
            Found::Target => Outcome::Done,
        }
    }

    /// The verdict that follows, where the hosts said `seen`.
    fn verdict(&self, order: &Order, seen: &str) -> Verdict {
        let is_moved = self.found == Found::Target;
        Verdict {
            outcome: self.outcome(),
            vm_moved: is_moved && order.kind.moves_vm(),
            disks_moved: vec![is_moved; order.disks.len()],
            verified: format!("{} {seen}", self.words()),
            reason: None,
        }
    }

    fn words(&self) -> String {
        let place = if self.found == Found::Target { "target" } else { "source" };
        let note = self.note.as_deref().map(|note| format!(" ({})", note.trim())).unwrap_or_default();
        format!("{} stated that everything is at its {place}{note}.", self.by)
    }
}

impl Motion {
    /// Settles a motion of unknown outcome as a person states, unless the hosts show something else. The job has the turn of
    /// what was to move until it ends.
    ///
    /// # Errors
    /// A [`Refusal`] when the motion is not in doubt, goes on, or its hosts show something else; nothing is changed then.
    pub async fn resolve(&self, job_id: i64, motion_id: i64, statement: &Statement) -> Result<(), Refusal> {
        let row = self.in_doubt(motion_id, statement).await?;
        let volume_id = self.store.motion_volume(row.id).await?;
        let _held = self.turn(job_id, row.vm_id, volume_id, false).await?;
        // A host may have answered while this waited.
        let row = self.in_doubt(motion_id, statement).await?;
        let order = match Order::from_journal(&self.store, &row).await {
            Ok(order) => order,
            // What it speaks of is gone: nothing is left to be settled but the motion itself.
            Err(Refusal { cause: None, text, .. }) if row.outcome.as_deref() == Some("unknown") => {
                let verified = format!("{} {}", statement.words(), sentence(&text));
                return settle::close_row(&self.store, &row, statement.outcome(), &verified).await;
            }
            Err(problem) => return Err(problem),
        };
        let hypervisor = self.hypervisor(&order)?;
        if row.outcome.as_deref() != Some("unknown") {
            // This job, or a host, was first and says the same.
            return self.tidy_settled(&order, &row).await.map(drop);
        }
        let look = look::look(hypervisor.as_ref(), &order, &Said::Nothing(String::new())).await;
        // What has not been heard of must not begin yet.
        if matches!(look, Look::Unheard(_)) && !is_barred(&order, hypervisor.as_ref()).await {
            return Err(Refusal::failed("Its host does not say that it will not begin yet. Nothing was changed."));
        }
        let verdict = match look {
            Look::Running => {
                return Err(Refusal::failed("It goes on: its host is at work on it. Nothing was changed."));
            }
            Look::Unheard(seen) | Look::Over(seen) => {
                let is_known = seen.outcome != Outcome::Unknown;
                let differs = is_known && seen.outcome != statement.outcome();
                if differs || (seen.vm_moved && statement.found == Found::Source) {
                    return Err(Refusal::failed(format!(
                        "The hosts show something else: {} Nothing was changed.",
                        sentence(&seen.verified)
                    )));
                }
                if is_known { seen } else { statement.verdict(&order, &seen.verified) }
            }
            Look::CannotTell => statement.verdict(&order, "The agents cannot tell."),
            Look::Unreachable(text) => statement.verdict(&order, &format!("Asked again: {}", sentence(&text))),
        };
        match settle::correct(&self.store, &order, verdict).await? {
            Some(verdict) => self.tidy(&order, &verdict, hypervisor.as_ref()).await,
            None => self.in_doubt(motion_id, statement).await.map(drop),
        }
    }

    /// The motion, which is in doubt or has been settled as stated already: the job may have been run before.
    async fn in_doubt(&self, motion_id: i64, statement: &Statement) -> Result<MotionRow, Refusal> {
        let unknown = || Refusal::parameter("There is no such migration; see listMigrations");
        let row = self.store.motion_by_id(motion_id).await?.ok_or_else(unknown)?;
        match (row.phase.as_str(), row.outcome.as_deref()) {
            ("settled", Some("unknown")) => Ok(row),
            ("settled", Some(word)) if word == statement.outcome().word() => Ok(row),
            ("settled", outcome) => Err(Refusal::parameter(format!(
                "What became of migration {} is known: {}. There is nothing to resolve; if the database is wrong, see listDrift",
                row.uuid,
                outcome.unwrap_or("it has ended")
            ))),
            _ => Err(Refusal::parameter(format!(
                "Migration {} has not ended: it is {}. See queryAsyncJobResult, and cancelMigration to stop it",
                row.uuid, row.phase
            ))),
        }
    }
}
