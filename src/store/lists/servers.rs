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
