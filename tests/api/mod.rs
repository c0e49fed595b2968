//! The rim: what clients send and what they get.

mod bad_input;
mod call;
mod decoding;
mod dialects;
mod doctor;
mod documents;
mod golden;
mod http;
mod recorded_clients;
mod refused_log;
mod sessions;
