//! The estate end to end: zones, pods, clusters, hosts and pools through the whole gateway, with simulated agents behind
//! real TLS.

mod adopt;
mod bench;
mod hosts;
mod offerings;
mod places;
mod pools;
pub mod recorded;
mod status;
