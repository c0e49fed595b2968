//! The client of the agents against servers that speak real TLS and play recorded and made-up answers.

mod hosts;
mod kept;
pub mod moves;
mod outcomes;
mod sent;
pub mod server;
mod simulated;
mod tls;
