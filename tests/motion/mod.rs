//! Motions end to end: real images, simulated hosts, real databases.

pub mod bench;
mod crash;
mod faults;
mod good;
mod http_storm;
mod qemu;
mod storm;
