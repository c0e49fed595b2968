//! The nouns of the gateway and their state machines. No database, no network, no clock but [`Timestamp::now`].

pub mod entity;
mod inventory;
mod secret;
pub mod states;
pub mod text;
mod timestamp;

pub use inventory::{
    CapacityKind, DiskOffering, HYPERV, Host, Pool, ROOT_DOMAIN, SYSTEM_ACCOUNT, SYSTEM_USER, Scope, ServiceOffering,
    Vm, Volume,
};
pub use secret::{Secret, is_secret_name, random, tells_secret};
pub use states::{
    Drawing, HostEvent, HostState, IllegalTransition, JobEvent, JobStatus, Machine, MotionEvent, MotionState,
    PoolEvent, PoolState, ResourceEvent, ResourceState, Transition, VmEvent, VmState, VolumeEvent, VolumeState, Word,
};
pub use timestamp::Timestamp;

/// A count or size as the database and the API keep numbers: signed, and as large as they can be when it is larger.
#[must_use]
pub fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}
