//! Hyper-V through CloudStack's Hyper-V agent.

pub mod wire;
