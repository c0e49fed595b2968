//! Lists and job queries.

mod differences;
mod golden;
mod stories;
mod support;
mod xml;
