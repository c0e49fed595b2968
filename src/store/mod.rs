//! The store: the only room with SQL. One text for SQLite and MySQL/MariaDB.
//!
//! One file per aggregate; functions are named noun first (`volume_by_id`). What changes a state takes a
//! [`Transition`](crate::model::Transition), which only a state machine can mint, and is guarded by the state and
//! `update_count` that the caller saw: a late writer loses, politely.

mod db;
mod error;
mod migrations;
mod value;

pub use db::{Db, Done, Tx};
pub use error::StoreError;
pub use value::{FromValue, Row, Value};
