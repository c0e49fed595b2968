//! Moves running Hyper-V machines and their disks behind a CloudStack-compatible API.

pub mod agent;
pub mod hypervisors;
