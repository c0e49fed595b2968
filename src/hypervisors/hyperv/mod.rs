//! Hyper-V through CloudStack's Hyper-V agent.

pub mod client;
pub mod discovery;
mod estate;
pub mod monitor;
pub mod pin;
pub mod resource;
pub mod tls;
pub mod wire;

pub use client::{AgentClient, ClientError, ClientSettings};
pub use pin::{Fingerprint, MemoryPins, PinPolicy, Pins};
pub use resource::HyperV;
pub use tls::TlsChoice;
