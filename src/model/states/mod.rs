//! The persisted state machines: volumes and virtual machines as far as a migration touches them, hosts, pools, jobs and the
//! journal of motions. `docs/state-machines.md` is made from them.
//!
//! A [`Transition`] is the only way to change the state of a volume or VM: its fields are private and only `on` makes one, so
//! an illegal change cannot be written, and the store's only state-changing functions take one. The other machines guard the
//! statements that write their column: [`Machine::before`] tells in which states the row may be found.

mod drawn;
mod estate;
mod machines;
mod work;

use std::fmt;

pub use drawn::{Drawing, drawings, markdown};
pub use estate::{HostEvent, HostState, PoolEvent, PoolState, ResourceEvent, ResourceState};
pub use machines::{VmEvent, VmState, VolumeEvent, VolumeState};
pub use work::{JobEvent, JobStatus, MotionEvent, MotionState};

/// A legal step from one state to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition<S> {
    from: S,
    to: S,
}

impl<S: Copy> Transition<S> {
    /// The state that the row must be in.
    pub fn from(&self) -> S {
        self.from
    }

    /// The state that the row will be in.
    pub fn to(&self) -> S {
        self.to
    }
}

/// A state machine refused an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unable to transition to a new state from {from} via {event}")]
pub struct IllegalTransition {
    /// The state.
    pub from: String,
    /// The event that does not apply in it.
    pub event: String,
}

/// A word that is spelled in the database or in a drawing, with what it means to an operator.
pub trait Word: Copy + Eq + fmt::Display + 'static {
    /// All words of the kind, in the order of their declaration.
    const ALL: &'static [Self];

    /// The spelling.
    fn as_str(self) -> &'static str;

    /// What it means: a sentence or two, Markdown.
    fn meaning(self) -> &'static str;
}

/// A state machine: what may happen in which state, and what comes of it.
pub trait Machine: Word {
    /// What can happen.
    type Event: Word;

    /// The states that a new row may begin in.
    const BEGINS: &'static [Self];

    /// The state after `event`; `None` when it does not apply in this one.
    fn next(self, event: Self::Event) -> Option<Self>;

    /// The states in which `event` applies.
    #[must_use]
    fn before(event: Self::Event) -> Vec<Self> {
        Self::ALL.iter().copied().filter(|state| state.next(event).is_some()).collect()
    }

    /// The states that `event` changes to another one.
    #[must_use]
    fn changed_by(event: Self::Event) -> Vec<Self> {
        Self::ALL.iter().copied().filter(|state| state.next(event).is_some_and(|next| next != *state)).collect()
    }
}

/// The step that `event` makes from `state`.
fn step<S: Machine>(state: S, event: S::Event) -> Result<Transition<S>, IllegalTransition> {
    let refused = || IllegalTransition { from: state.to_string(), event: event.to_string() };
    Ok(Transition { from: state, to: state.next(event).ok_or_else(refused)? })
}

/// Declares an enum whose members are spelled in the database as they are here. The comment on a member is its meaning.
macro_rules! spelled {
    ($(#[$about:meta])* $name:ident { $($(#[doc = $meaning:literal])+ $member:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[doc = $meaning])+ $member),+ }

        impl $name {
            /// All members, in the order of their declaration.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// The spelling in the database and on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => stringify!($member)),+ }
            }

            /// Reads the spelling, without regard to case; `None` for an unknown one.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|member| member.as_str().eq_ignore_ascii_case(text))
            }
        }

        impl $crate::model::states::Word for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                self.as_str()
            }

            fn meaning(self) -> &'static str {
                match self { $(Self::$member => concat!($($meaning),+).trim_ascii()),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

/// Declares what may happen in which state. What is not said is refused.
macro_rules! machine {
    ($state:ident, $event:ident, begins $begins:expr, $($from:pat => { $($on:pat => $to:expr),* $(,)? }),+ $(,)?) => {
        impl $crate::model::states::Machine for $state {
            type Event = $event;

            const BEGINS: &'static [Self] = $begins;

            fn next(self, event: $event) -> Option<Self> {
                #[allow(unreachable_patterns, reason = "the last line is for what is not said, if there is any")]
                match self {
                    $($from => {
                        $(if matches!(event, $on) { return Some($to); })*
                        None
                    })+
                    _ => None,
                }
            }
        }

        impl $state {
            /// The next state after `event`.
            ///
            /// # Errors
            /// [`IllegalTransition`](crate::model::IllegalTransition) when the event does not apply in this state.
            pub fn on(
                self,
                event: $event,
            ) -> Result<$crate::model::states::Transition<Self>, $crate::model::states::IllegalTransition> {
                $crate::model::states::step(self, event)
            }
        }
    };
}

use {machine, spelled};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_read_back_without_regard_to_case() {
        for &state in VolumeState::ALL {
            assert_eq!(VolumeState::parse(&state.as_str().to_lowercase()), Some(state));
        }
        assert_eq!(VmState::parse("Rebooting"), None);
    }

    #[test]
    fn refusals_name_the_state_and_the_event() {
        let refused = VolumeState::Migrating.on(VolumeEvent::DestroyRequested).unwrap_err();
        assert_eq!(refused.to_string(), "Unable to transition to a new state from Migrating via DestroyRequested");
    }

    #[test]
    fn what_an_event_applies_to_and_what_it_changes() {
        assert_eq!(PoolState::before(PoolEvent::Enable), [PoolState::Up, PoolState::Disabled]);
        assert_eq!(PoolState::changed_by(PoolEvent::Enable), [PoolState::Disabled]);
    }
}
