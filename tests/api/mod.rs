//! The rim: what clients send and what they get.

mod bad_input;
mod call;
mod decoding;
mod documents;
mod golden;
mod http;
mod recorded_clients;
pub mod sessions;
