//! The simulated Hyper-V agent.

pub mod image;
