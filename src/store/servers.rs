//! The gateways that work on this database: who is alive, by leases that the database's clock ends (`motion_node`), and the
//! rows that show them to clients (`mshost`). In a database that CloudStack keeps there is no such row: its management servers
//! would take the gateway for one of theirs, send it commands for hosts, and end its jobs when it is gone.

use std::time::Duration;

use super::{Store, StoreError, transact};
use crate::args;
use crate::model::{Timestamp, signed};

/// This gateway, as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// CloudStack's number of it (`msid`).
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// How often a gateway of this name has started. A gateway that finds a later one has been replaced.
    pub epoch: i64,
}

/// What a gateway that shows that it is alive learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It goes on. `leads` says whether it is the one that does what only one is to do.
    Alive {
        /// Whether it is the first of those that are alive.
        leads: bool,
    },
    /// Another gateway has started under its name.
    Replaced,
}

fn millis(lease: Duration) -> i64 {
    signed(lease.as_millis())
}

impl Store {
    /// Writes the gateway of this name down as alive for `lease`, replacing the one that had the name before.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn server_register(
        &self,
        name: &str,
        version: &str,
        address: &str,
        lease: Duration,
    ) -> Result<Server, StoreError> {
        let uuid = uuid::Uuid::new_v4();
        let clock = self.db().clock();
        let registered = transact!(self, StoreError, |tx| {
            let now = Timestamp::now();
            // Written before it is read: of two that start at once each gets an epoch of its own.
            let sql = format!("UPDATE motion_node SET epoch = epoch + 1, lease_until = {clock} + ? WHERE name = ?");
            if tx.run(&sql, args![millis(lease), name]).await?.rows == 0 {
                // As CloudStack's: a number of 48 bits, there made of the network card's address.
                let id = (uuid.as_u64_pair().0 >> 16) as i64;
                let sql = format!(
                    "INSERT INTO motion_node (id, uuid, name, epoch, lease_until) VALUES (?, ?, ?, 1, {clock} + ?)"
                );
                tx.run(&sql, args![id, uuid.to_string(), name, millis(lease)]).await?;
            }
            let row = tx.row("SELECT id, uuid, epoch FROM motion_node WHERE name = ?", args![name]).await?;
            let row = row.ok_or_else(|| StoreError::Conflict { what: format!("gateway {name}") })?;
            let server = Server { id: row.at(0)?, uuid: row.at(1)?, name: name.to_owned(), epoch: row.at(2)? };
            if tx.schema().is_attached() {
                return Ok(server);
            }
            let sql = "UPDATE mshost SET state = 'Up', last_update = ?, version = ?, service_ip = ? WHERE msid = ?";
            if tx.run(sql, args![now, version, address, server.id]).await?.rows == 0 {
                let sql = "INSERT INTO mshost (msid, runid, name, uuid, state, version, service_ip, service_port, last_update, \
                    alert_count) VALUES (?, ?, ?, ?, 'Up', ?, ?, 9090, ?, 0)";
                tx.run(sql, args![server.id, now.unix(), name, &server.uuid, version, address, now]).await?;
            }
            Ok(server)
        });
        match registered {
            // Somebody took the name in the same moment; now the row is there to be found.
            Err(error) if error.is_duplicate() => Box::pin(self.server_register(name, version, address, lease)).await,
            registered => registered,
        }
    }

    /// Shows that the gateway is alive, for `lease` from now on, and that others are not.
    ///
    /// # Errors
    /// See [`Store::server_register`].
    pub async fn server_beat(&self, server: &Server, lease: Duration) -> Result<Standing, StoreError> {
        let clock = self.db().clock();
        transact!(self, StoreError, |tx| {
            let sql = format!("UPDATE motion_node SET lease_until = {clock} + ? WHERE id = ? AND epoch = ?");
            if tx.run(&sql, args![millis(lease), server.id, server.epoch]).await?.rows == 0 {
                return Ok(Standing::Replaced);
            }
            if !tx.schema().is_attached() {
                tx.run("UPDATE mshost SET last_update = ? WHERE msid = ?", args![Timestamp::now(), server.id]).await?;
                let sql = format!(
                    "UPDATE mshost SET state = 'Down' WHERE state = 'Up' AND msid IN \
                     (SELECT id FROM motion_node WHERE lease_until < {clock})"
                );
                tx.run(&sql, vec![]).await?;
            }
            let sql = format!("SELECT MIN(id) FROM motion_node WHERE lease_until >= {clock}");
            let first = tx.row(&sql, vec![]).await?.map(|row| row.at::<Option<i64>>(0)).transpose()?.flatten();
            Ok(Standing::Alive { leads: first == Some(server.id) })
        })
    }

    /// Gives the lease up: the others need not wait for its end.
    ///
    /// # Errors
    /// See [`Store::server_register`].
    pub async fn server_leave(&self, server: &Server) -> Result<(), StoreError> {
        transact!(self, StoreError, |tx| {
            let sql = "UPDATE motion_node SET lease_until = 0 WHERE id = ? AND epoch = ?";
            if tx.run(sql, args![server.id, server.epoch]).await?.rows > 0 && !tx.schema().is_attached() {
                tx.run("UPDATE mshost SET state = 'Down' WHERE msid = ?", args![server.id]).await?;
            }
            Ok(())
        })
    }
}
