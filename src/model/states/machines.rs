//! Volumes and virtual machines, as far as a migration touches them.

use super::{machine, spelled};

spelled! {
    /// The state of a volume (`contract/migration.md` 3.1).
    VolumeState {
        /// A row without a file: nothing has been made yet.
        Allocated,
        /// Its file is being made: by CloudStack, or as the copy of a cold move.
        Creating,
        /// Its file is where the row says. Only now can it be moved.
        Ready,
        /// A motion is under way; the journal (`listMigrations`) knows from where to where. Nothing else may touch it.
        Migrating,
        /// CloudStack makes a snapshot of it.
        Snapshotting,
        /// CloudStack puts a snapshot of it back.
        RevertSnapshotting,
        /// CloudStack changes its size.
        Resizing,
        /// Its file is superfluous and is to be deleted. After a cold move the old row stays here until the file is gone.
        Expunging,
        /// Its file is deleted.
        Expunged,
        /// Nobody wants it any more; CloudStack can still bring it back.
        Destroy,
        /// CloudStack is destroying it.
        Destroying,
        /// CloudStack brings an uploaded image into it.
        UploadOp,
        /// CloudStack copies it from secondary storage.
        Copying,
        /// It was uploaded and lies on secondary storage only.
        Uploaded,
        /// An upload has been announced and has not begun.
        NotUploaded,
        /// An upload is under way.
        UploadInProgress,
        /// An upload failed.
        UploadError,
        /// An upload was given up.
        UploadAbandoned,
        /// CloudStack attaches it to a machine.
        Attaching,
        /// CloudStack restores it from a backup.
        Restoring,
        /// CloudStack joins its snapshots.
        Consolidating,
        /// A restore of it failed.
        RestoreError,
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

machine! { VolumeState, VolumeEvent, begins &[Self::Allocated, Self::Ready],
    Self::Allocated => {
        VolumeEvent::MigrationCopyRequested => Self::Creating,
        VolumeEvent::DestroyRequested => Self::Destroy,
    },
    Self::Creating => {
        VolumeEvent::MigrationCopySucceeded | VolumeEvent::OperationSucceeded => Self::Ready,
        VolumeEvent::MigrationCopyFailed | VolumeEvent::OperationFailed => Self::Allocated,
        VolumeEvent::DestroyRequested => Self::Destroy,
    },
    Self::Ready => {
        VolumeEvent::MigrationRequested => Self::Migrating,
        VolumeEvent::OperationSucceeded | VolumeEvent::OperationFailed => Self::Ready,
        VolumeEvent::DestroyRequested => Self::Destroy,
    },
    Self::Migrating => {
        VolumeEvent::OperationSucceeded | VolumeEvent::OperationFailed => Self::Ready,
    },
    Self::Destroy => {
        VolumeEvent::ExpungingRequested => Self::Expunging,
    },
    Self::Expunging => {
        VolumeEvent::ExpungingRequested => Self::Expunging,
        VolumeEvent::OperationSucceeded => Self::Expunged,
        VolumeEvent::OperationFailed => Self::Destroy,
    },
}

spelled! {
    /// The state of a virtual machine (`contract/migration.md` 3.2).
    VmState {
        /// CloudStack starts it.
        Starting,
        /// It runs, on the host that the row names. Only now can it be moved live.
        Running,
        /// CloudStack stops it.
        Stopping,
        /// It is switched off; the row names no host. Its disks can be moved cold.
        Stopped,
        /// Its owner has thrown it away; CloudStack can still bring it back.
        Destroyed,
        /// CloudStack takes it apart.
        Expunging,
        /// It moves, or its disks do while it is off. The row names the host that it goes to, as in CloudStack; where it is
        /// the journal (`listMigrations`) and the hosts know.
        Migrating,
        /// CloudStack could not make it.
        Error,
        /// CloudStack does not know.
        Unknown,
        /// Its guest has shut it down.
        Shutdown,
        /// CloudStack restores it from a backup.
        Restoring,
        /// CloudStack backs it up.
        BackingUp,
        /// A backup of it failed.
        BackupError,
        /// A restore of it failed.
        RestoreError,
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

machine! { VmState, VmEvent, begins &[Self::Running, Self::Stopped],
    Self::Running => {
        VmEvent::MigrationRequested => Self::Migrating,
    },
    Self::Stopped => {
        VmEvent::StorageMigrationRequested => Self::Migrating,
        VmEvent::FollowAgentPowerOnReport => Self::Running,
    },
    Self::Migrating => {
        VmEvent::MigrationRequested => Self::Migrating,
        VmEvent::OperationSucceeded | VmEvent::OperationFailed | VmEvent::FollowAgentPowerOnReport => Self::Running,
        VmEvent::AgentReportStopped => Self::Stopped,
    },
}
