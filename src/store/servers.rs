//! The servers that work on this database (`mshost`).

use super::{Store, StoreError};
use crate::args;
use crate::model::Timestamp;

/// This server, as the database knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// CloudStack's number of it (`msid`).
    pub id: i64,
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
}

impl Store {
    /// Finds or writes the row of the server with this name, and notes that it is up.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn server_register(&self, name: &str, version: &str, address: &str) -> Result<Server, StoreError> {
        let now = Timestamp::now();
        let mut tx = self.begin().await?;
        let known = tx.row("SELECT msid, uuid FROM mshost WHERE name = ? AND removed IS NULL", args![name]).await?;
        let server = match known {
            Some(row) => Server { id: row.at(0)?, uuid: row.at(1)?, name: name.to_owned() },
            None => {
                let uuid = uuid::Uuid::new_v4();
                // As CloudStack's: a number of 48 bits, there made of the network card's address.
                let id = (uuid.as_u64_pair().0 >> 16) as i64;
                let sql = "INSERT INTO mshost (msid, runid, name, uuid, state, version, service_ip, service_port, last_update, \
                    alert_count) VALUES (?, ?, ?, ?, 'Up', ?, ?, 9090, ?, 0)";
                let args = args![id, now.unix(), name, uuid.to_string(), version, address, now];
                tx.run(sql, args).await?;
                Server { id, uuid: uuid.to_string(), name: name.to_owned() }
            }
        };
        let sql = "UPDATE mshost SET state = 'Up', last_update = ?, version = ? WHERE msid = ?";
        tx.run(sql, args![now, version, server.id]).await?;
        tx.commit().await?;
        Ok(server)
    }
}
