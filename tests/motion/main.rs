//! Motions end to end: real images, simulated hosts, real databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests say what they expect by unwrapping it")]

mod bench;
mod crash;
#[path = "../lists_support/database.rs"]
mod database;
mod faults;
mod good;
mod storm;
