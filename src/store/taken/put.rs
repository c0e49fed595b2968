//! A page of rows is written: what is new is added, what has changed at the source is changed, and what is this gateway's
//! stays.

use std::collections::{HashMap, HashSet};

use super::ready::Ready;
use super::{MOVED, Taken, TakenTable, list, numbers};
use crate::args;
use crate::store::{FromValue as _, StoreError, Tx, Value};

const MADE_HERE: &str = "a row with this id was made here";
const REMOVED_HERE: &str = "removed here";
const SAME_NAME: &str = "another row here has the same uuid or guid";

/// Columns in which no two rows have the same.
const UNIQUE: [&str; 3] = ["uuid", "guid", "unique_name"];

/// What stands here already about the rows of a page.
struct Here {
    /// Digests of what was imported; an empty one of what an import removed again.
    imported: HashMap<i64, String>,
    /// Whether it was removed, by id.
    rows: HashMap<i64, bool>,
    /// What motions of this gateway have moved, or may have.
    moved: HashSet<i64>,
    /// Who has the unique values that rows of the page bring: id by column and value.
    holders: HashMap<(&'static str, String), i64>,
}

impl TakenTable {
    /// Writes the rows that are `ready`; those that were `seen` but are not among them stay as they are.
    pub(super) async fn put(
        &self,
        tx: &mut Tx,
        ready: &[Ready],
        seen: &[i64],
        columns: &[&'static str],
        run: i64,
    ) -> Result<Taken, StoreError> {
        let ids = list(seen);
        let mut here = self.look(tx, &ids, ready, columns).await?;
        let mut page = Taken::default();
        for row in ready {
            let refused = match self.verdict(row, &here) {
                Verdict::Keep(why) => Some(why),
                Verdict::Same => {
                    self.update(tx, row.id, &row.secrets).await?;
                    page.same += 1;
                    None
                }
                Verdict::Add | Verdict::Change => self.write(tx, row, &mut here, columns, run, &mut page).await?,
            };
            page.kept.extend(refused.map(|why| (row.id, why)));
        }
        let sql = format!("UPDATE motion_import SET run = ? WHERE table_name = ? AND row_id IN ({ids})");
        tx.run(&sql, args![run, self.name]).await?;
        Ok(page)
    }

    async fn look(
        &self,
        tx: &mut Tx,
        ids: &str,
        ready: &[Ready],
        columns: &[&'static str],
    ) -> Result<Here, StoreError> {
        if ["volumes", "vm_instance"].contains(&self.name) {
            // Held until the end of the transaction: a motion that begins meanwhile waits, and one that began is seen below.
            tx.run(&format!("UPDATE `{0}` SET id = id WHERE id IN ({ids})", self.name), vec![]).await?;
        }
        let sql = format!("SELECT row_id, digest FROM motion_import WHERE table_name = ? AND row_id IN ({ids})");
        let imported = tx.rows(&sql, args![self.name]).await?;
        let removed = if columns.contains(&"removed") { "removed IS NOT NULL" } else { "1 = 0" };
        let rows = tx.rows(&format!("SELECT id, {removed} FROM `{}` WHERE id IN ({ids})", self.name), vec![]).await?;
        Ok(Here {
            imported: imported.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect::<Result<_, StoreError>>()?,
            rows: rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?))).collect::<Result<_, StoreError>>()?,
            moved: self.moved(tx, ids).await?,
            holders: self.holders(tx, ready, columns).await?,
        })
    }

    /// Who has the unique values of these rows.
    async fn holders(
        &self,
        tx: &mut Tx,
        ready: &[Ready],
        columns: &[&'static str],
    ) -> Result<HashMap<(&'static str, String), i64>, StoreError> {
        let mut holders = HashMap::new();
        for (at, column) in unique(columns) {
            let values: Vec<Value> =
                ready.iter().map(|row| row.values[at].clone()).filter(|value| *value != Value::Null).collect();
            if values.is_empty() {
                continue;
            }
            let marks = vec!["?"; values.len()].join(", ");
            let sql = format!("SELECT `{column}`, id FROM `{}` WHERE `{column}` IN ({marks})", self.name);
            for row in tx.rows(&sql, values).await? {
                holders.insert((column, row.at(0)?), row.at(1)?);
            }
        }
        Ok(holders)
    }

    fn verdict(&self, row: &Ready, here: &Here) -> Verdict {
        match (here.imported.get(&row.id).map(String::as_str), here.rows.get(&row.id)) {
            (None, Some(_)) => Verdict::Keep(MADE_HERE),
            (None, None) => Verdict::Add,
            (Some(_), _) if here.moved.contains(&row.id) => {
                let is_same = here.imported[&row.id] == row.digest;
                if is_same { Verdict::Same } else { Verdict::Keep(MOVED) }
            }
            // An import removed it, and the source has it again.
            (Some(""), _) => Verdict::Change,
            (Some(_), None) => Verdict::Keep(REMOVED_HERE),
            (Some(_), Some(true)) if !row.is_removed => Verdict::Keep(REMOVED_HERE),
            (Some(digest), Some(_)) if digest == row.digest => Verdict::Same,
            (Some(_), Some(_)) => Verdict::Change,
        }
    }

    /// Adds or changes a row, unless another one has what only one may have; why it was not written, then.
    async fn write(
        &self,
        tx: &mut Tx,
        row: &Ready,
        here: &mut Here,
        columns: &[&'static str],
        run: i64,
        page: &mut Taken,
    ) -> Result<Option<&'static str>, StoreError> {
        for (at, column) in unique(columns) {
            // Of NULL there may be any number.
            let Some(value) = String::from_value(&row.values[at]) else { continue };
            match here.holders.get(&(column, value.clone())) {
                Some(&holder) if holder != row.id => {
                    if let Some(why) = self.give_up(tx, column, holder).await? {
                        return Ok(Some(why));
                    }
                }
                _ => {}
            }
            here.holders.insert((column, value), row.id);
        }
        let values = columns.iter().copied().zip(row.values.iter().cloned());
        if here.rows.contains_key(&row.id) {
            let values: Vec<_> =
                values.filter(|(column, _)| !self.seen().contains(column) && !row.unopened.contains(column)).collect();
            self.update(tx, row.id, &values).await?;
            page.updated += 1;
        } else {
            tx.row_insert(self.name, values.collect()).await?;
            page.added += 1;
        }
        let sql = "DELETE FROM motion_import WHERE table_name = ? AND row_id = ?";
        tx.run(sql, args![self.name, row.id]).await?;
        let sql = "INSERT INTO motion_import (table_name, row_id, digest, run) VALUES (?, ?, ?, ?)";
        tx.run(sql, args![self.name, row.id, &row.digest, run]).await?;
        Ok(None)
    }

    /// Takes a unique value away from the row that has it. Only the public id of a volume wanders so: to the row of its copy.
    /// Why it is not taken away, else.
    async fn give_up(&self, tx: &mut Tx, column: &str, holder: i64) -> Result<Option<&'static str>, StoreError> {
        if (self.name, column) != ("volumes", "uuid") {
            return Ok(Some(SAME_NAME));
        }
        let sql = format!("SELECT row_id FROM motion_import WHERE table_name = 'volumes' AND row_id = {holder}");
        if numbers(tx, &sql).await?.is_empty() || !self.moved(tx, &holder.to_string()).await?.is_empty() {
            return Ok(Some(MOVED));
        }
        tx.run("UPDATE volumes SET uuid = NULL WHERE id = ?", args![holder]).await?;
        Ok(None)
    }

    async fn update(&self, tx: &mut Tx, id: i64, values: &[(&'static str, Value)]) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let set: Vec<_> = values.iter().map(|(column, _)| format!("`{column}` = ?")).collect();
        let mut args: Vec<_> = values.iter().map(|(_, value)| value.clone()).collect();
        args.push(id.into());
        tx.run(&format!("UPDATE `{}` SET {} WHERE id = ?", self.name, set.join(", ")), args).await?;
        Ok(())
    }
}

/// What is to become of a row.
enum Verdict {
    Add,
    Change,
    Same,
    Keep(&'static str),
}

/// The unique columns of a table, with their positions.
fn unique(columns: &[&'static str]) -> impl Iterator<Item = (usize, &'static str)> {
    columns.iter().copied().enumerate().filter(|(_, column)| UNIQUE.contains(column))
}
