//! The nouns of the gateway and their state machines. No database, no network, no clock but [`Timestamp::now`].

mod timestamp;

pub use timestamp::Timestamp;
