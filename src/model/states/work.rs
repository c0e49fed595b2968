//! Jobs, and the journal of motions.

use super::{machine, spelled};

spelled! {
    /// How a job ended, or that it has not (`contract/api-protocol.md` 7.3).
    JobStatus {
        /// 0: it waits for a gateway or one runs it. When that gateway dies, another one claims the job and runs it again.
        InProgress,
        /// 1: it ended well, and what it says was verified.
        Succeeded,
        /// 2: it failed. Its text says what became of what it was about, or that this is not known.
        Failed,
        /// 3: it was cancelled.
        Cancelled,
    }
}

spelled! {
    /// What happens to a job.
    JobEvent {
        /// A gateway takes it up: the one that has accepted it, whose claim was written with it, or one that takes over. Every claim
        /// has a higher epoch; what runs under an earlier one can write nothing any more.
        Claim,
        /// Its percentage is written.
        Advance,
        /// It ends well.
        Succeed,
        /// It ends with an error.
        Fail,
        /// It is given up on request.
        Cancel,
    }
}

machine! { JobStatus, JobEvent, begins &[Self::InProgress],
    Self::InProgress => {
        JobEvent::Claim | JobEvent::Advance => Self::InProgress,
        JobEvent::Succeed => Self::Succeeded,
        JobEvent::Fail => Self::Failed,
        JobEvent::Cancel => Self::Cancelled,
    },
}

impl JobStatus {
    /// The number that stands in the database and on the wire.
    #[must_use]
    pub fn number(self) -> i64 {
        self as i64
    }

    /// What leads here: the end, or for a job that has none another claim.
    #[must_use]
    pub fn event(self) -> JobEvent {
        match self {
            Self::InProgress => JobEvent::Claim,
            Self::Succeeded => JobEvent::Succeed,
            Self::Failed => JobEvent::Fail,
            Self::Cancelled => JobEvent::Cancel,
        }
    }
}

spelled! {
    /// How far a motion is, and how it ended: `phase` and `outcome` of the journal (`motion_migration`).
    MotionState {
        /// `marked`: the rows are in Migrating, nothing was sent. After a crash it is undone.
        Marked,
        /// `sent`: the command is on its way or has been answered. After a crash the hosts are asked.
        Sent,
        /// `settled`, `done`: everything is where it was meant to go, and so do the rows say.
        Done,
        /// `settled`, `not-done`: everything is where it was, and so do the rows say.
        NotDone,
        /// `settled`, `partly`: the machine moved and not all of its disks did; the rows say what was found.
        Partly,
        /// `settled`, `unknown`: the hosts did not say. The rows go back to where they were, nothing new may begin with them, and the
        /// hosts are asked again and again until they answer.
        Unknown,
    }
}

spelled! {
    /// What happens to a motion.
    MotionEvent {
        /// The command is about to go out.
        Announce,
        /// The hosts show that it was done.
        FoundDone,
        /// The hosts show that it was not done, or nothing was ever sent.
        FoundNotDone,
        /// The hosts show that some of it was done.
        FoundPartly,
        /// The hosts do not say.
        CannotTell,
    }
}

machine! { MotionState, MotionEvent, begins &[Self::Marked],
    Self::Marked => {
        MotionEvent::Announce => Self::Sent,
        MotionEvent::FoundDone => Self::Done,
        MotionEvent::FoundNotDone => Self::NotDone,
        MotionEvent::FoundPartly => Self::Partly,
        MotionEvent::CannotTell => Self::Unknown,
    },
    Self::Sent | Self::Unknown => {
        MotionEvent::FoundDone => Self::Done,
        MotionEvent::FoundNotDone => Self::NotDone,
        MotionEvent::FoundPartly => Self::Partly,
        MotionEvent::CannotTell => Self::Unknown,
    },
}

impl MotionState {
    /// The words of the journal: phase and, once it is settled, outcome.
    #[must_use]
    pub fn words(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Marked => ("marked", None),
            Self::Sent => ("sent", None),
            Self::Done => ("settled", Some("done")),
            Self::NotDone => ("settled", Some("not-done")),
            Self::Partly => ("settled", Some("partly")),
            Self::Unknown => ("settled", Some("unknown")),
        }
    }
}

impl MotionEvent {
    /// The event that settles a motion with this outcome; `None` for a word that is none.
    #[must_use]
    pub fn settling(outcome: &str) -> Option<Self> {
        [
            (MotionState::Done, Self::FoundDone),
            (MotionState::NotDone, Self::FoundNotDone),
            (MotionState::Partly, Self::FoundPartly),
            (MotionState::Unknown, Self::CannotTell),
        ]
        .into_iter()
        .find(|(state, _)| state.words().1 == Some(outcome))
        .map(|(_, event)| event)
    }
}
