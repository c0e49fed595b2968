//! The simulated Hyper-V agent.

mod build;
mod control;
mod copy;
mod endpoints;
pub mod faults;
pub mod guest;
mod guests;
pub mod host;
pub mod image;
pub mod motion;
mod moves;
pub mod pools;
mod running;
mod server;
pub mod spec;
pub mod state;
mod tls;
pub mod world;

pub use running::RunningWorld;
pub use world::{World, WorldError};
