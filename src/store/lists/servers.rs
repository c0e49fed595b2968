//! The servers that work on this database (`contract/entities.md 1.22`).

use std::collections::HashMap;

use super::Condition;
use crate::args;
use crate::store::{Row, Store, StoreError};

impl Store {
    /// The servers that work on this database: rows with `id`, `msid`, `uuid`, `name`, `state`, `version`, `service_ip`,
    /// `runid` and `jobs`, how many jobs they have not ended.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn servers(
        &self,
        id: Option<i64>,
        (name, version, keyword): (Option<&str>, Option<&str>, Option<&str>),
    ) -> Result<Vec<Row>, StoreError> {
        let mut condition = Condition::living();
        condition.equal("t.id", id);
        condition.equal("t.name", name);
        condition.equal("t.version", version);
        condition.contains(&["t.name"], keyword);
        let sql = format!(
            "SELECT t.id, t.msid, t.uuid, t.name, t.state, t.version, t.service_ip, t.runid, (SELECT COUNT(*) FROM async_job j \
             WHERE j.job_status = 0 AND j.job_executing_msid = t.msid) AS jobs FROM mshost t WHERE {} ORDER BY t.id",
            condition.shown()
        );
        self.db().rows(&sql, condition.args).await
    }

    /// The gateway with this number (`msid`): `msid`, `uuid`, `state` and `jobs` as in the rows of [`Store::servers`]. In a database
    /// that CloudStack keeps it is none of those: there it is up for as long as its lease runs.
    ///
    /// # Errors
    /// See [`Store::servers`].
    pub async fn gateway(&self, number: i64) -> Result<Option<Row>, StoreError> {
        let sql = format!(
            "SELECT n.id AS msid, n.uuid, COALESCE(t.state, CASE WHEN n.lease_until >= {} THEN 'Up' ELSE 'Down' END) AS state, \
             (SELECT COUNT(*) FROM async_job j WHERE j.job_status = 0 AND j.job_executing_msid = n.id) AS jobs \
             FROM motion_node n LEFT JOIN mshost t ON t.msid = n.id AND t.removed IS NULL WHERE n.id = ?",
            self.db().clock()
        );
        self.db().row(&sql, args![number]).await
    }

    /// The public ids of the hosts that each server talks to, by CloudStack's number of the server (`msid`).
    ///
    /// # Errors
    /// See [`Store::servers`].
    pub async fn agents_of_servers(&self) -> Result<HashMap<i64, Vec<String>>, StoreError> {
        let sql = "SELECT mgmt_server_id, uuid FROM host WHERE removed IS NULL AND mgmt_server_id IS NOT NULL \
            AND uuid IS NOT NULL ORDER BY id";
        let mut agents: HashMap<i64, Vec<String>> = HashMap::new();
        for row in self.db().rows(sql, args![]).await? {
            agents.entry(row.at(0)?).or_default().push(row.at(1)?);
        }
        Ok(agents)
    }
}
