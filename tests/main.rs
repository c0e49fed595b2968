//! All tests that need more than one room, in one program so that it links once.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests say what they expect by unwrapping it"
)]

mod agent;
mod api;
mod architecture;
mod attach;
mod demo;
mod drift;
mod estate;
mod hyperv;
mod import;
mod lists;
mod maintenance;
mod motion;
mod motion_golden;
mod nodes;
mod recorded;
mod secrets;
mod security;
mod simulation;
mod states;
mod stories;
mod supply_chain;
mod support;
