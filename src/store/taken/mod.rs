//! Rows that are taken over from a CloudStack database, a page at a time, under their own ids
//! (`contract/entities.md 3.29`).
//!
//! A page is read from the source's snapshot, its secrets are opened and sealed (`ready.rs`), and it is written with its
//! bookkeeping in one transaction (`put.rs`). What an earlier run brought and this one did not see is removed at the end
//! (`gone.rs`).

mod gone;
mod put;
mod ready;
mod tables;

use std::collections::{BTreeMap, HashSet};

use super::attach::columns_of;
use super::{CloudCipher, Source, SourceError, Store, StoreError, Tx, Vault, transact};
pub use tables::{TAKEN, TakenTable};

/// Rows of a page.
const PAGE: i64 = 500;

/// What became of the rows of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Rows that were not here.
    pub added: u64,
    /// Rows that had changed at the source.
    pub updated: u64,
    /// Rows that had not.
    pub same: u64,
    /// Rows that are not at the source any more, and were removed here.
    pub gone: u64,
    /// Rows that stay as they are here although the source has others, or none any more: id and why.
    pub kept: Vec<(i64, &'static str)>,
    /// What was left out, with the number of times.
    pub left: BTreeMap<&'static str, u64>,
}

impl Taken {
    fn add(&mut self, page: Self) {
        self.added += page.added;
        self.updated += page.updated;
        self.same += page.same;
        self.kept.extend(page.kept);
    }
}

/// What the secrets of rows are opened and sealed with.
#[derive(Clone, Copy, Debug)]
pub struct Hands<'a> {
    /// The vault of the target.
    pub vault: &'a Vault,
    /// The source's key, where it was given.
    pub cipher: Option<&'a CloudCipher>,
}

/// Rows cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target cannot be written.
    #[error(transparent)]
    Target(#[from] StoreError),
}

const MOVED: &str = "moved here since the last import";

impl TakenTable {
    fn columns(&self) -> Vec<&'static str> {
        columns_of(self.name)
    }

    fn select(&self) -> String {
        let columns: Vec<_> = self.columns().iter().map(|column| format!("`{column}`")).collect();
        format!(
            "SELECT {} FROM `{}` WHERE id > ? AND ({}) ORDER BY id LIMIT {PAGE}",
            columns.join(", "),
            self.name,
            self.rows
        )
    }

    /// Takes over all rows. `run` tells this import from earlier ones; `told` hears after each page how many rows there were.
    ///
    /// # Errors
    /// [`TakeError`]; pages until then stay taken.
    pub async fn take(
        &self,
        source: &mut Source,
        target: &Store,
        hands: Hands<'_>,
        run: i64,
        mut told: impl FnMut(u64),
    ) -> Result<Taken, TakeError> {
        let (columns, select) = (self.columns(), self.select());
        let (mut taken, mut after, mut count) = (Taken::default(), 0, 0);
        loop {
            let rows = source.rows(&select, &[after]).await?;
            let (mut ready, mut seen) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
            for row in &rows {
                after = row.get("id")?;
                seen.push(after);
                ready.extend(self.prepare(row, &columns, hands, source.moving(), &mut taken.left)?);
            }
            if !seen.is_empty() {
                taken.add(transact!(target, StoreError, |tx| { self.put(tx, &ready, &seen, &columns, run).await })?);
            }
            count += rows.len() as u64;
            told(count);
            if rows.len() < PAGE as usize {
                return Ok(taken);
            }
        }
    }

    /// Which of the rows a motion of this gateway has moved, or may have.
    async fn moved(&self, tx: &mut Tx, ids: &str) -> Result<HashSet<i64>, StoreError> {
        let sql = match self.name {
            "volumes" => format!(
                "SELECT d.volume_id FROM motion_disk d JOIN motion_migration m ON m.id = d.migration_id \
                 WHERE d.volume_id IN ({ids}) AND (m.outcome IS NULL OR m.outcome <> 'not-done')"
            ),
            "vm_instance" => format!(
                "SELECT vm_id FROM motion_migration WHERE vm_id IN ({ids}) AND (outcome IS NULL OR outcome <> 'not-done')"
            ),
            _ => return Ok(HashSet::new()),
        };
        numbers(tx, &sql).await
    }
}

/// Ids as they stand between the brackets of an IN.
fn list(ids: &[i64]) -> String {
    ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")
}

async fn numbers(tx: &mut Tx, sql: &str) -> Result<HashSet<i64>, StoreError> {
    tx.rows(sql, vec![]).await?.iter().map(|row| row.at(0)).collect()
}

impl Store {
    /// The number of the next run of an import into this database; none when it has an installation of its own.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn next_import(&self) -> Result<Option<i64>, StoreError> {
        let row = self.db().row("SELECT COALESCE(MAX(run), 0) FROM motion_import", vec![]).await?;
        let last: i64 = row.map_or(Ok(0), |row| row.at(0))?;
        let is_used = self.db().row("SELECT id FROM account LIMIT 1", vec![]).await?.is_some();
        Ok((last > 0 || !is_used).then_some(last + 1))
    }
}
