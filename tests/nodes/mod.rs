//! Several gateways on one database: leases, claims, locks, commits whose connection breaks, servers that fall silent, and
//! processes that are killed.

mod cancelled;
#[cfg(feature = "mariadb-tests")]
mod commits;
mod expiry;
#[cfg(feature = "mariadb-tests")]
mod galera;
pub mod leases;
#[cfg(feature = "mariadb-tests")]
mod silent;
mod stream;
mod submit;
mod takeover;
