//! Secrets at rest: sealed at the start, opened for whoever may use them, moved to another key, given up when a key is lost.

mod command;
mod rotation;
mod start;
pub mod support;
