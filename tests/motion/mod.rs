//! Motions end to end: real images, simulated hosts, real databases.

mod aside;
pub mod bench;
mod cancel;
mod crash;
mod demands;
#[cfg(debug_assertions)]
mod doubt;
mod faults;
mod good;
mod growth;
mod http_storm;
#[cfg(debug_assertions)]
mod killed;
mod late;
mod ledger;
#[cfg(debug_assertions)]
mod long;
mod many;
#[cfg(debug_assertions)]
mod odd;
#[cfg(debug_assertions)]
mod places;
mod qemu;
mod stall;
mod storm;
#[cfg(debug_assertions)]
mod trials;
#[cfg(debug_assertions)]
mod troubles;
