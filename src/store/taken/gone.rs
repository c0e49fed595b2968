//! What an earlier import brought and the source does not have any more is removed, unless something here needs it.

use std::collections::HashSet;

use super::{MOVED, PAGE, Taken, TakenTable, list, numbers};
use crate::args;
use crate::model::Timestamp;
use crate::store::{Store, StoreError, Tx, transact};

const IN_USE: &str = "gone at the source, but something that stays here is on it";

/// Hosts and pools with what belongs to them: table, the column that names the host or pool, and who stands on it.
const STANDING: [(&str, &str, &str); 7] = [
    ("host", "id", ON_HOST),
    ("host_details", "host_id", ON_HOST),
    ("host_tags", "host_id", ON_HOST),
    ("storage_pool", "id", ON_POOL),
    ("storage_pool_details", "pool_id", ON_POOL),
    ("storage_pool_tags", "pool_id", ON_POOL),
    ("storage_pool_host_ref", "pool_id", ON_POOL),
];
const ON_HOST: &str = "SELECT host_id FROM vm_instance WHERE removed IS NULL AND host_id IS NOT NULL";
const ON_POOL: &str = "SELECT pool_id FROM volumes WHERE removed IS NULL AND pool_id IS NOT NULL";

impl TakenTable {
    /// Removes what an earlier run brought and this one did not see. To be called for a table after those that point to it,
    /// and after everything was taken.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; pages until then stay removed.
    pub async fn remove_gone(&self, target: &Store, run: i64, taken: &mut Taken) -> Result<(), StoreError> {
        let mut after = 0;
        loop {
            let sql = "SELECT row_id FROM motion_import WHERE table_name = ? AND run < ? AND digest <> '' AND row_id > ? \
                ORDER BY row_id LIMIT ?";
            let rows = target.db().rows(sql, args![self.name, run, after, PAGE]).await?;
            let ids: Vec<i64> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
            let Some(last) = ids.last() else { return Ok(()) };
            after = *last;
            let (removed, kept) = transact!(target, StoreError, |tx| { self.remove(tx, &ids).await })?;
            taken.gone += removed;
            taken.kept.extend(kept);
        }
    }

    /// Removes rows, and gives how many there were and which stay.
    async fn remove(&self, tx: &mut Tx, ids: &[i64]) -> Result<(u64, Vec<(i64, &'static str)>), StoreError> {
        let all = list(ids);
        let (moved, used) = (self.moved(tx, &all).await?, self.in_use(tx, &all).await?);
        let (mut removed, mut kept) = (0, Vec::new());
        for &id in ids {
            match (moved.contains(&id), used.contains(&id)) {
                (true, _) => kept.push((id, MOVED)),
                (_, true) => kept.push((id, IN_USE)),
                _ => removed += self.remove_one(tx, id).await?,
            }
        }
        Ok((removed, kept))
    }

    async fn remove_one(&self, tx: &mut Tx, id: i64) -> Result<u64, StoreError> {
        let done = if self.columns().contains(&"removed") {
            let sql = format!("UPDATE `{}` SET removed = ? WHERE id = ? AND removed IS NULL", self.name);
            tx.run(&sql, args![Timestamp::now(), id]).await?
        } else {
            tx.run(&format!("DELETE FROM `{}` WHERE id = ?", self.name), args![id]).await?
        };
        // Without a digest: the source may have it again one day.
        let sql = "UPDATE motion_import SET digest = '' WHERE table_name = ? AND row_id = ?";
        tx.run(sql, args![self.name, id]).await?;
        Ok(done.rows)
    }

    async fn in_use(&self, tx: &mut Tx, ids: &str) -> Result<HashSet<i64>, StoreError> {
        let Some((table, column, who)) = STANDING.iter().find(|(table, ..)| *table == self.name) else {
            return Ok(HashSet::new());
        };
        numbers(tx, &format!("SELECT id FROM `{table}` WHERE id IN ({ids}) AND `{column}` IN ({who})")).await
    }
}
