//! Measuring: what estates of any size cost.

pub mod estate;
