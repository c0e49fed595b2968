//! Motion: what is moved where, by whom, in which steps, and how it is settled.

mod access;
pub mod candidates;
mod clean;
mod cold;
mod front;
pub mod hypervisor;
mod learned;
mod locks;
mod mark;
mod offline;
mod order;
mod pools;
mod refusal;
mod saga;
mod settle;
pub mod strategy;
mod verdict;
mod vm_checks;
mod vm_storage_checks;
mod volume_checks;
mod watch;

pub use access::Mover;
pub use front::key_of;
pub use offline::{OfflineRequest, OfflineTarget};
pub use order::{Kind, Order, OrderDisk, host_ref, pool_ref, port};
pub use pools::tags_fit;
pub use refusal::{Refusal, RefusalKind};
pub use saga::{Motion, Patience, Probe, Step};
pub use verdict::{Outcome, Verdict};
pub use vm_checks::{DiskPlan, PlainRequest, VmPlan};
pub use vm_storage_checks::StorageRequest;
pub use volume_checks::{VolumePlan, VolumeRequest};
