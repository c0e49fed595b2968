//! The simulated agent.

mod faults;
mod golden;
mod images;
mod moves;
mod process;
mod protocol;
mod support;
mod wire;
mod world;
