//! The rim: what clients send and what they get.

mod call;
mod decoding;
mod documents;
mod golden;
mod http;
mod recorded_clients;
