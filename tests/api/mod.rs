//! The rim: what clients send and what they get.

mod accounts;
mod bad_input;
mod call;
mod decoding;
mod documents;
mod fuzz_seeds;
mod golden;
mod http;
mod recorded_clients;
mod role_matrix;
mod sessions;
