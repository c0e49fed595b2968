//! The verdict: what became of a motion, found out by asking the hosts (`look.rs`).
//!
//! An agent's word is not enough: a stock agent says "done" for a disk that it never found. So after every answer, and
//! after every lost answer, the hosts are asked where the VM is and where its disks are. Three ends are possible: done,
//! not done, and unknown, which is never dressed up as one of the others.

use std::borrow::Cow;

use super::hypervisor::{Answer, Effect, Told};
use super::order::{Kind, Order};
use crate::model::text::shortened;

/// As many characters of a reason as the journal keeps.
const REASON: usize = 4096;

/// The ends of a motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything is where it was meant to go.
    Done,
    /// Everything is where it was.
    NotDone,
    /// The VM moved, or some disks did, but not all that was meant to.
    Partly,
    /// The hosts do not say.
    Unknown,
}

impl Outcome {
    /// All ends.
    pub const ALL: [Self; 4] = [Self::Done, Self::NotDone, Self::Partly, Self::Unknown];

    /// The word in the journal.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::NotDone => "not-done",
            Self::Partly => "partly",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word of the journal.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// What became of a motion.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The end.
    pub outcome: Outcome,
    /// True when the VM is on the target host.
    pub vm_moved: bool,
    /// For every disk of the order, in its order: true when it is in the target pool.
    pub disks_moved: Vec<bool>,
    /// What was verified, and how: a sentence for the result.
    pub verified: String,
    /// Why it was not done, or what is not known: the agent's own words where there are some.
    pub reason: Option<String>,
}

impl Verdict {
    /// The same with a reason that leaves room for what is said behind it. An agent may say megabytes.
    pub(super) fn in_short(self) -> Self {
        Self { reason: self.reason.map(|reason| shortened(&reason, REASON).into_owned()), ..self }
    }
}

/// What one look at the hosts gave.
#[derive(Debug)]
pub enum Look {
    /// It is over, and this is what became of it.
    Over(Verdict),
    /// It goes on.
    Running,
    /// Nothing has moved and the agent has not heard of the motion: this is what became of it, unless the request is
    /// still on its way.
    Unheard(Verdict),
    /// The agents answer, but cannot tell.
    CannotTell,
    /// A host does not answer.
    Unreachable(String),
}

/// How the command to the agent ended, as far as it is known.
#[derive(Clone, Debug)]
pub enum Said {
    /// The agent said that it was done.
    Yes(Told),
    /// The agent said that it was not done, or the command never went out.
    No(String),
    /// Nothing usable was heard.
    Nothing(String),
}

impl From<Answer<Told>> for Said {
    fn from(answer: Answer<Told>) -> Self {
        match answer {
            Ok(told) => Self::Yes(told),
            Err(error) if error.effect == Effect::None => Self::No(error.text),
            Err(error) => Self::Nothing(error.text),
        }
    }
}

impl Said {
    pub(super) fn reason(&self) -> Option<String> {
        match self {
            Self::Yes(told) => told.details.clone(),
            Self::No(text) | Self::Nothing(text) => Some(text.clone()),
        }
    }

    /// True when the agent itself has spoken: nothing goes on behind its back.
    pub(super) fn is_definite(&self) -> bool {
        !matches!(self, Self::Nothing(_))
    }
}

/// What to conclude when the agents answer but cannot tell more than they said.
#[must_use]
pub fn from_words(order: &Order, said: &Said) -> Verdict {
    let all = vec![true; order.disks.len()];
    let none = vec![false; order.disks.len()];
    let make = |outcome, vm_moved, disks_moved, verified: &str| Verdict {
        outcome,
        vm_moved,
        disks_moved,
        verified: verified.to_owned(),
        reason: said.reason(),
    };
    match said {
        Said::Yes(_) => make(
            Outcome::Done,
            order.kind.moves_vm(),
            all,
            "The agent said that it is done; it cannot tell where disks are, so their place was not verified.",
        ),
        Said::No(_) => make(Outcome::NotDone, false, none, "The agent said that it was not done."),
        // A copy never touches its original: whatever became of the copy, the disk is where it was.
        Said::Nothing(_) if order.kind == Kind::ColdVolume => {
            make(Outcome::NotDone, false, none, "The original was not touched.")
        }
        Said::Nothing(_) => make(Outcome::Unknown, false, none, "Nothing could be verified."),
    }
}

/// What to conclude when a host does not answer any more, for the reason `silence`. What could have been seen and was not is
/// not claimed, whatever the agent said before.
#[must_use]
pub fn unanswered(order: &Order, said: &Said, silence: &str) -> Verdict {
    let mut verdict = match said {
        Said::Yes(_) => from_words(order, &Said::Nothing("The agent said that it is done.".to_owned())),
        Said::No(_) | Said::Nothing(_) => from_words(order, said),
    };
    if !matches!(said, Said::No(_)) {
        let reason = verdict.reason.as_deref().map_or_else(String::new, |reason| format!("{} ", sentence(reason)));
        verdict.reason = Some(format!("{reason}Afterwards: {silence}"));
    }
    verdict
}

/// The text as a sentence, so that another can follow: what agents say often ends without a full stop.
pub(super) fn sentence(text: &str) -> Cow<'_, str> {
    let text = text.trim();
    if text.is_empty() || text.ends_with(['.', '!', '?']) { text.into() } else { format!("{text}.").into() }
}

#[cfg(test)]
mod tests {
    #[test]
    fn another_sentence_can_follow() {
        for (text, wanted) in [("in use ", "in use."), ("No.", "No."), ("why?", "why?"), (" ", "")] {
            assert_eq!(super::sentence(text), wanted);
        }
    }
}
