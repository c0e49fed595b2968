//! What the database says about the installation as a whole.

use std::collections::HashMap;

use super::{Store, StoreError};
use crate::store::Value;

impl Store {
    /// The values of those of these global settings that have a row: their own, or CloudStack's default.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn settings(&self, names: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let marks = vec!["?"; names.len()].join(", ");
        let sql =
            format!("SELECT name, COALESCE(value, default_value) AS value FROM configuration WHERE name IN ({marks})");
        let args = names.iter().map(|name| Value::Text((*name).to_owned())).collect();
        let mut values = HashMap::new();
        for row in self.db().rows(&sql, args).await? {
            if let Some(value) = row.get::<Option<String>>("value")? {
                values.insert(row.get("name")?, value);
            }
        }
        Ok(values)
    }

    /// Whether any zone has security groups.
    ///
    /// # Errors
    /// See [`Store::settings`].
    pub async fn security_groups_in_use(&self) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM data_center WHERE is_security_group_enabled = 1 AND removed IS NULL LIMIT 1";
        Ok(self.db().row(sql, Vec::new()).await?.is_some())
    }
}
