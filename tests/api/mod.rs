//! The rim: what clients send and what they get.

mod accounts;
mod bad_input;
mod call;
mod decoding;
mod dialects;
mod doctor;
mod documents;
mod fuzz_seeds;
pub mod golden;
mod http;
mod list_apis;
mod order;
mod project_roles;
mod recorded_clients;
mod recorded_roles;
mod refused_log;
mod role_matrix;
pub mod sessions;
mod ui_calls;
mod upstream;
mod upstream_flow;
mod upstream_sessions;
