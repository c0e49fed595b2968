//! A gateway, a database and six simulated hosts in one process: the demonstration, and estates for tests.

mod estate;
mod plan;
mod seed;

pub use estate::{
    Estate, EstateCluster, EstateDisk, EstateHost, EstatePool, EstatePoolKind, EstateVm, LOCAL_PATH, PlanError,
};
pub use plan::{ClusterPlan, DiskPlace, DiskPlan, HostPlan, POOL_BYTES, Plan, PoolPlan, VmPlan};
pub use seed::seed;
