//! What several test programs share: a gateway on a seeded database, a client that sends bytes as they are, and the
//! recorded cases.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "each test program uses a part of it, and tests unwrap"
)]

pub mod golden;
pub mod raw_http;
pub mod world;
