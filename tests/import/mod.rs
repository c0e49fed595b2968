//! Taking over a CloudStack database: the recorded rows of a management server, in a database with CloudStack's tables.

#[cfg(feature = "mariadb-tests")]
mod again;
#[cfg(feature = "mariadb-tests")]
mod refused;
#[cfg(feature = "mariadb-tests")]
mod secrets;
#[cfg(feature = "mariadb-tests")]
pub mod support;
