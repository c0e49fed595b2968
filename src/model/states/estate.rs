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
        /// CloudStack empties it. What is moved away by hand meanwhile may go.
        PrepareForMaintenance,
        /// CloudStack could not empty it so far.
        ErrorInPrepareForMaintenance,
        /// CloudStack could not empty it.
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
    /// What an administrator says about a host (`updateHost allocationstate=`).
    ResourceEvent {
        /// It is to be given work.
        Enable,
        /// It is to be given no more work.
        Disable,
    }
}

machine! { ResourceState, ResourceEvent, begins &[Self::Enabled, Self::Disabled],
    Self::Enabled | Self::Disabled => {
        ResourceEvent::Enable => Self::Enabled,
        ResourceEvent::Disable => Self::Disabled,
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
        /// CloudStack empties it.
        PrepareForMaintenance,
        /// CloudStack could not empty it.
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
    },
    Self::Disabled => {
        PoolEvent::Enable => Self::Up,
        PoolEvent::Disable => Self::Disabled,
        PoolEvent::Remove | PoolEvent::HostRemoved => Self::Removed,
    },
    Self::Maintenance => {
        PoolEvent::Remove | PoolEvent::HostRemoved => Self::Removed,
    },
    _ => {
        PoolEvent::HostRemoved => Self::Removed,
    },
}
