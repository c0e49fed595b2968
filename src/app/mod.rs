//! The composition root: the only room that knows all others and puts them together.

mod ports;
