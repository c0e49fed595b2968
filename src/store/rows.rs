//! Whole rows for tables that have no words of their own: how an inventory is brought into a fresh database.

use super::{StoreError, Tx, Value};

impl Tx {
    /// Adds a row to a table. Columns that are not named get their defaults. Table and columns are names of the code,
    /// never text from outside.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; also when a row with the same id is there already.
    pub async fn row_insert(&mut self, table: &'static str, row: Vec<(&'static str, Value)>) -> Result<(), StoreError> {
        let names = row.iter().map(|(column, _)| format!("`{column}`")).collect::<Vec<_>>().join(", ");
        let marks = vec!["?"; row.len()].join(", ");
        let values = row.into_iter().map(|(_, value)| value).collect();
        self.run(&format!("INSERT INTO `{table}` ({names}) VALUES ({marks})"), values).await?;
        Ok(())
    }
}
