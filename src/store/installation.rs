//! What the database says about the installation as a whole.

use std::collections::HashMap;

use super::{Store, StoreError};
use crate::args;
use crate::store::Value;

/// Whether domains have the settings of those above them.
const CHILDREN_INHERIT: &str = "enable.domain.settings.for.child.domain";
/// Both have to be on; they are off unless somebody says so.
const SECOND_FACTOR_MANDATED: [&str; 2] = ["enable.user.2fa", "mandate.user.2fa"];

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

    /// The values of those of these settings that are set for a domain: its own, else the global ones. Where domains inherit
    /// (`enable.domain.settings.for.child.domain`), those of the nearest domain above it that has one come before the global ones.
    ///
    /// # Errors
    /// See [`Store::settings`].
    pub async fn settings_of_domain(
        &self,
        domain_id: i64,
        names: &[&str],
    ) -> Result<HashMap<String, String>, StoreError> {
        let asked: Vec<_> = names.iter().copied().chain([CHILDREN_INHERIT]).collect();
        let global = self.settings(&asked).await?;
        let inherits = global.get(CHILDREN_INHERIT).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let mut values = HashMap::new();
        let mut next = Some(domain_id);
        while let Some(id) = next {
            let own = "SELECT name, value FROM domain_details WHERE domain_id = ?";
            for row in self.db().rows(own, args![id]).await? {
                let name: String = row.at(0)?;
                if names.contains(&name.as_str()) && !values.contains_key(&name) {
                    values.insert(name, row.at(1)?);
                }
            }
            let above = "SELECT parent FROM domain WHERE id = ? AND parent < id";
            next =
                if inherits { self.db().row(above, args![id]).await?.map(|row| row.at(0)).transpose()? } else { None };
        }
        for (name, value) in global.into_iter().filter(|(name, _)| names.contains(&name.as_str())) {
            values.entry(name).or_insert(value);
        }
        Ok(values)
    }

    /// Whether the users of a domain have to have a second factor (`contract/api-protocol.md 3.7`).
    ///
    /// # Errors
    /// See [`Store::settings`].
    pub async fn second_factor_mandated(&self, domain_id: i64) -> Result<bool, StoreError> {
        let known = self.settings_of_domain(domain_id, &SECOND_FACTOR_MANDATED).await?;
        let is_on = |name: &&str| known.get(*name).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        Ok(SECOND_FACTOR_MANDATED.iter().all(is_on))
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
