//! The simulated agent.

mod faults;
mod golden;
mod golden_server;
mod images;
mod moves;
mod process;
mod protocol;
mod support;
mod wire;
mod world;
