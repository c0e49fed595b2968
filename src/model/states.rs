//! The persisted state machines of volumes and virtual machines, as far as a migration touches them.
//!
//! A [`Transition`] is the only way to change a state: its fields are private and only `on` makes one, so an illegal
//! change cannot be written, and the store's only state-changing functions take one.

use std::fmt;

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

/// Declares an enum whose members are spelled in the database as they are here.
macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$member_doc:meta])* $member:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$member_doc])* $member),+ }

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

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

spelled! {
    /// The state of a volume (`contract/migration.md` 3.1).
    #[allow(missing_docs, reason = "the names are CloudStack's and are explained in the contract")]
    VolumeState {
        Allocated, Creating, Ready, Migrating, Snapshotting, RevertSnapshotting, Resizing, Expunging, Expunged, Destroy,
        Destroying, UploadOp, Copying, Uploaded, NotUploaded, UploadInProgress, UploadError, UploadAbandoned, Attaching,
        Restoring, Consolidating, RestoreError,
    }
}

spelled! {
    /// What happens to a volume in a migration.
    VolumeEvent {
        /// It is to be moved, or to be copied from.
        MigrationRequested,
        /// It is the copy that a cold move makes.
        MigrationCopyRequested,
        /// The copy is complete.
        MigrationCopySucceeded,
        /// The copy failed.
        MigrationCopyFailed,
        /// What was going on ended well.
        OperationSucceeded,
        /// What was going on failed.
        OperationFailed,
        /// It is not wanted any more.
        DestroyRequested,
        /// Its file is to be deleted.
        ExpungingRequested,
    }
}

impl VolumeState {
    /// The next state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not apply in this state.
    pub fn on(self, event: VolumeEvent) -> Result<Transition<Self>, IllegalTransition> {
        use VolumeEvent as Event;
        let to = match (self, event) {
            (Self::Ready, Event::MigrationRequested) => Self::Migrating,
            (Self::Migrating, Event::OperationSucceeded | Event::OperationFailed) => Self::Ready,
            (Self::Ready, Event::OperationSucceeded | Event::OperationFailed) => Self::Ready,
            (Self::Allocated, Event::MigrationCopyRequested) => Self::Creating,
            (Self::Creating, Event::MigrationCopySucceeded | Event::OperationSucceeded) => Self::Ready,
            (Self::Creating, Event::MigrationCopyFailed | Event::OperationFailed) => Self::Allocated,
            (Self::Allocated | Self::Creating | Self::Ready, Event::DestroyRequested) => Self::Destroy,
            (Self::Destroy | Self::Expunging, Event::ExpungingRequested) => Self::Expunging,
            (Self::Expunging, Event::OperationSucceeded) => Self::Expunged,
            (Self::Expunging, Event::OperationFailed) => Self::Destroy,
            (from, event) => return Err(illegal(from, event)),
        };
        Ok(Transition { from: self, to })
    }
}

spelled! {
    /// The state of a virtual machine (`contract/migration.md` 3.2).
    #[allow(missing_docs, reason = "the names are CloudStack's and are explained in the contract")]
    VmState {
        Starting, Running, Stopping, Stopped, Destroyed, Expunging, Migrating, Error, Unknown, Shutdown, Restoring,
        BackingUp, BackupError, RestoreError,
    }
}

spelled! {
    /// What happens to a virtual machine in a migration.
    VmEvent {
        /// It is to move while it runs.
        MigrationRequested,
        /// Its disks are to move while it is stopped.
        StorageMigrationRequested,
        /// It arrived.
        OperationSucceeded,
        /// It stayed.
        OperationFailed,
        /// It was found switched off, or its stopped disks have been moved.
        AgentReportStopped,
        /// It was found running.
        FollowAgentPowerOnReport,
    }
}

impl VmState {
    /// The next state after `event`.
    ///
    /// # Errors
    /// [`IllegalTransition`] when the event does not apply in this state.
    pub fn on(self, event: VmEvent) -> Result<Transition<Self>, IllegalTransition> {
        use VmEvent as Event;
        let to = match (self, event) {
            (Self::Running | Self::Migrating, Event::MigrationRequested) => Self::Migrating,
            (Self::Stopped, Event::StorageMigrationRequested) => Self::Migrating,
            (Self::Migrating, Event::OperationSucceeded | Event::OperationFailed) => Self::Running,
            (Self::Migrating, Event::FollowAgentPowerOnReport) => Self::Running,
            (Self::Migrating, Event::AgentReportStopped) => Self::Stopped,
            (from, event) => return Err(illegal(from, event)),
        };
        Ok(Transition { from: self, to })
    }
}

fn illegal(from: impl fmt::Display, event: impl fmt::Display) -> IllegalTransition {
    IllegalTransition { from: from.to_string(), event: event.to_string() }
}

spelled! {
    /// How a job ended, or that it has not (`contract/api-protocol.md` 7.3).
    JobStatus {
        /// 0: it waits or runs.
        InProgress,
        /// 1: it ended well.
        Succeeded,
        /// 2: it failed.
        Failed,
        /// 3: it was cancelled.
        Cancelled,
    }
}

impl JobStatus {
    /// The number that stands in the database and on the wire.
    #[must_use]
    pub fn number(self) -> i64 {
        self as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The whole matrix as text: every state, every event, the next state or nothing.
    fn matrix<S: Copy + fmt::Display, E: Copy + fmt::Display>(
        states: &[S],
        events: &[E],
        on: impl Fn(S, E) -> Result<Transition<S>, IllegalTransition>,
    ) -> String {
        let mut text = String::new();
        for &state in states {
            for &event in events {
                if let Ok(transition) = on(state, event) {
                    text.push_str(&format!("{state} + {event} = {}\n", transition.to()));
                }
            }
        }
        text
    }

    #[test]
    fn the_volume_matrix_is_the_contracts() {
        let expected = "\
Allocated + MigrationCopyRequested = Creating
Allocated + DestroyRequested = Destroy
Creating + MigrationCopySucceeded = Ready
Creating + MigrationCopyFailed = Allocated
Creating + OperationSucceeded = Ready
Creating + OperationFailed = Allocated
Creating + DestroyRequested = Destroy
Ready + MigrationRequested = Migrating
Ready + OperationSucceeded = Ready
Ready + OperationFailed = Ready
Ready + DestroyRequested = Destroy
Migrating + OperationSucceeded = Ready
Migrating + OperationFailed = Ready
Expunging + OperationSucceeded = Expunged
Expunging + OperationFailed = Destroy
Expunging + ExpungingRequested = Expunging
Destroy + ExpungingRequested = Expunging
";
        assert_eq!(matrix(VolumeState::ALL, VolumeEvent::ALL, VolumeState::on), expected);
    }

    #[test]
    fn the_vm_matrix_is_the_contracts() {
        let expected = "\
Running + MigrationRequested = Migrating
Stopped + StorageMigrationRequested = Migrating
Migrating + MigrationRequested = Migrating
Migrating + OperationSucceeded = Running
Migrating + OperationFailed = Running
Migrating + AgentReportStopped = Stopped
Migrating + FollowAgentPowerOnReport = Running
";
        assert_eq!(matrix(VmState::ALL, VmEvent::ALL, VmState::on), expected);
    }

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
}
