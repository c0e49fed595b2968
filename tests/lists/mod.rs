//! Lists and job queries.

pub mod differences;
pub mod golden;
mod happenings;
mod history;
mod identities;
mod large;
mod measures;
mod offerings;
mod settings;
mod stories;
pub mod support;
pub mod xml;
