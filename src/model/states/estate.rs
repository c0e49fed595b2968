//! Hosts and pools: how they are, and whether they are to be given work.

use super::{machine, spelled};

spelled! {
    /// How a host is: `host.status` (`contract/entities.md` 4.2). `Maintenance` is a word of older versions.
    HostState {
        /// CloudStack is adding it.
        Creating,
        /// It was written down and its agent is being introduced. Nothing is placed on it.
        Connecting,
        /// It answers.
        Up,
        /// CloudStack is sure that it is off. The gateway never says so: who does not answer may still run machines.
        Down,
        /// It does not answer. Its machines are called as they were; what they do is not known.
        Disconnected,
        /// Somebody answers, but with another certificate or identity: a person has to look (`docs/operating.md`).
        Alert,
        /// It was taken out of the inventory. It never comes back: the same machine is added as another host.
        Removed,
        /// CloudStack could not add it.
        Error,
        /// CloudStack gives it to another management server.
        Rebalancing,
        /// CloudStack does not know.
        Unknown,
        /// It is being looked after. When it does not answer then, that is no news.
        Maintenance,
    }
}

spelled! {
    /// What happens to a host.
    HostEvent {
        /// It answered a greeting, or was introduced.
        Answers,
        /// It did not answer, several times in a row.
        FallsSilent,
        /// Another certificate or identity answered at its address.
        StrangerAnswers,
        /// An administrator takes it out of the inventory (`deleteHost`).
        Remove,
    }
}

machine! { HostState, HostEvent, begins &[Self::Connecting],
    Self::Removed => {},
    Self::Maintenance => {
        HostEvent::Answers => Self::Up,
        HostEvent::Remove => Self::Removed,
    },
    _ => {
        HostEvent::Answers => Self::Up,
        HostEvent::FallsSilent => Self::Disconnected,
        HostEvent::StrangerAnswers => Self::Alert,
        HostEvent::Remove => Self::Removed,
    },
}

spelled! {
    /// Whether a host is to be given work: `host.resource_state` (`contract/entities.md` 4.2).
    ResourceState {
        /// CloudStack is adding it.
        Creating,
        /// It is given work.
        Enabled,
        /// It keeps what it has and is given nothing more.
        Disabled,
        /// It is being emptied. What is moved away by hand meanwhile may go.
        PrepareForMaintenance,
        /// It is being emptied, and a machine could not be moved so far. It is tried again.
        ErrorInPrepareForMaintenance,
        /// It could not be emptied: what is left runs on.
        ErrorInMaintenance,
        /// It is empty and may be worked on.
        Maintenance,
        /// CloudStack could not add it.
        Error,
        /// It was declared lost by an administrator.
        Degraded,
    }
}

spelled! {
    /// What becomes of a host's work (`contract/migration.md` 7.1).
    ResourceEvent {
        /// It is to be given work (`updateHost allocationstate=Enable`).
        Enable,
        /// It is to be given no more work (`updateHost allocationstate=Disable`).
        Disable,
        /// It is to be emptied (`prepareHostForMaintenance`).
        AdminAskMaintenance,
        /// A machine could not be moved away, and will be tried again.
        UnableToMigrate,
        /// Everything that could not be moved has been moved after all.
        ErrorsCorrected,
        /// Nothing is left on it.
        InternalEnterMaintenance,
        /// What is left on it is not tried again.
        UnableToMaintain,
        /// It is to be used again (`cancelHostMaintenance`).
        AdminCancelMaintenance,
    }
}

machine! { ResourceState, ResourceEvent, begins &[Self::Enabled, Self::Disabled],
    Self::Enabled => {
        ResourceEvent::Enable => Self::Enabled,
        ResourceEvent::Disable => Self::Disabled,
        ResourceEvent::AdminAskMaintenance => Self::PrepareForMaintenance,
        ResourceEvent::InternalEnterMaintenance => Self::Maintenance,
    },
    Self::Disabled => {
        ResourceEvent::Enable => Self::Enabled,
        ResourceEvent::Disable => Self::Disabled,
    },
    Self::Degraded => {
        ResourceEvent::AdminAskMaintenance => Self::Maintenance,
    },
    Self::PrepareForMaintenance => {
        ResourceEvent::UnableToMigrate => Self::ErrorInPrepareForMaintenance,
        ResourceEvent::InternalEnterMaintenance => Self::Maintenance,
        ResourceEvent::UnableToMaintain => Self::ErrorInMaintenance,
        ResourceEvent::AdminCancelMaintenance => Self::Enabled,
    },
    Self::ErrorInPrepareForMaintenance => {
        ResourceEvent::UnableToMigrate => Self::ErrorInPrepareForMaintenance,
        ResourceEvent::ErrorsCorrected => Self::PrepareForMaintenance,
        ResourceEvent::InternalEnterMaintenance => Self::Maintenance,
        ResourceEvent::UnableToMaintain => Self::ErrorInMaintenance,
        ResourceEvent::AdminCancelMaintenance => Self::Enabled,
    },
    Self::ErrorInMaintenance => {
        ResourceEvent::AdminAskMaintenance => Self::PrepareForMaintenance,
        ResourceEvent::AdminCancelMaintenance => Self::Enabled,
    },
    Self::Maintenance => {
        ResourceEvent::AdminCancelMaintenance => Self::Enabled,
    },
}

spelled! {
    /// The state of a storage pool (`contract/entities.md` 4.3).
    PoolState {
        /// It was written down and the hosts are being asked about it. Nothing is placed there.
        Initial,
        /// CloudStack is adding it.
        Initialized,
        /// CloudStack is making it.
        Creating,
        /// CloudStack is attaching it.
        Attaching,
        /// It is used.
        Up,
        /// It is being emptied of the disks of machines that run.
        PrepareForMaintenance,
        /// It could not be emptied: what is left is used on.
        ErrorInMaintenance,
        /// CloudStack takes it back into use.
        CancelMaintenance,
        /// Nothing in it is used, and it may be worked on.
        Maintenance,
        /// It keeps what it has; lists of candidates leave it out. A move that names it may still go there, as in CloudStack.
        Disabled,
        /// It was taken out of the inventory; its files were not touched.
        Removed,
    }
}

spelled! {
    /// What happens to a pool.
    PoolEvent {
        /// The hosts reach it.
        Reached,
        /// An administrator switches it on (`updateStoragePool enabled=true`).
        Enable,
        /// An administrator switches it off (`updateStoragePool enabled=false`).
        Disable,
        /// An administrator takes it out of the inventory (`deleteStoragePool`).
        Remove,
        /// The host whose folder it is was taken out of the inventory.
        HostRemoved,
        /// It is to be emptied (`enableStorageMaintenance`).
        AskMaintenance,
        /// No machine that runs has a disk in it.
        EnterMaintenance,
        /// What is left in it is not tried again.
        UnableToMaintain,
        /// It is to be used again (`cancelStorageMaintenance`).
        CancelMaintenance,
    }
}

machine! { PoolState, PoolEvent, begins &[Self::Initial],
    Self::Removed => {},
    Self::Initial => {
        PoolEvent::Reached => Self::Up,
        PoolEvent::Remove | PoolEvent::HostRemoved => Self::Removed,
    },
    Self::Up => {
        PoolEvent::Enable => Self::Up,
        PoolEvent::Disable => Self::Disabled,
        PoolEvent::HostRemoved => Self::Removed,
        PoolEvent::AskMaintenance => Self::PrepareForMaintenance,
    },
    Self::PrepareForMaintenance => {
        PoolEvent::EnterMaintenance => Self::Maintenance,
        PoolEvent::UnableToMaintain => Self::ErrorInMaintenance,
        PoolEvent::CancelMaintenance => Self::Up,
        PoolEvent::HostRemoved => Self::Removed,
    },
    Self::ErrorInMaintenance => {
        PoolEvent::AskMaintenance => Self::PrepareForMaintenance,
        PoolEvent::CancelMaintenance => Self::Up,
        PoolEvent::HostRemoved => Self::Removed,
    },
    Self::Disabled => {
        PoolEvent::Enable => Self::Up,
        PoolEvent::Disable => Self::Disabled,
        PoolEvent::Remove | PoolEvent::HostRemoved => Self::Removed,
    },
    Self::Maintenance => {
        PoolEvent::CancelMaintenance => Self::Up,
        PoolEvent::Remove | PoolEvent::HostRemoved => Self::Removed,
    },
    _ => {
        PoolEvent::HostRemoved => Self::Removed,
    },
}
