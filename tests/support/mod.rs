//! What several test programs share: a gateway on a seeded database, a client that sends bytes as they are, and the
//! recorded cases.

pub mod database;
pub mod direct;
pub mod gateway;
pub mod golden;
#[cfg(feature = "mariadb-tests")]
pub mod line;
pub mod listener;
pub mod raw_http;
pub mod recorder;
pub mod world;
