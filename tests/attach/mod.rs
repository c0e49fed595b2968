//! CloudStack's own database, made in MariaDB from the columns of a real one, with a real one's rows, used in place.

#[cfg(feature = "mariadb-tests")]
mod attached;
#[cfg(feature = "mariadb-tests")]
pub mod cloud;
#[cfg(feature = "mariadb-tests")]
pub mod large;
#[cfg(feature = "mariadb-tests")]
mod motions;
#[cfg(feature = "mariadb-tests")]
pub mod older;
pub mod recorded;
#[cfg(feature = "mariadb-tests")]
mod refused;
#[cfg(feature = "mariadb-tests")]
mod secrets;
#[cfg(feature = "mariadb-tests")]
pub mod trouble;
mod unreached;
#[cfg(feature = "mariadb-tests")]
mod writers;
