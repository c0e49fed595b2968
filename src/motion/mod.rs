//! Motion: what is moved where, by whom, in which steps, and how it is settled.

pub mod hypervisor;
