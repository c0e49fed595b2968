//! What the database says about the installation as a whole.
//!
//! Settings are asked for by nearly every check and change seldom, so they are remembered for a moment: what this process writes
//! is noticed at once, what somebody else writes within a second.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::kept::{Kept, Look};
use super::{SETTING, Store, StoreError, TableSet, Value, is_sealed};
use crate::args;

/// For how long an answer of the database is used.
const FRESH: Duration = Duration::from_millis(500);
/// How many settings are remembered.
const MOST: usize = 1024;

/// Whether domains have the settings of those above them.
const CHILDREN_INHERIT: &str = "enable.domain.settings.for.child.domain";
/// Both have to be on; they are off unless somebody says so.
const SECOND_FACTOR_MANDATED: [&str; 2] = ["enable.user.2fa", "mandate.user.2fa"];

/// The global settings that were read a moment ago, as the database has them; none of those without a value.
#[derive(Clone, Debug)]
pub(super) struct KnownSettings(Arc<Kept<String, Option<String>>>);

impl Default for KnownSettings {
    fn default() -> Self {
        Self(Arc::new(Kept::new(MOST)))
    }
}

impl Store {
    /// The values of those of these global settings that have a row: their own, or CloudStack's default.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn settings(&self, names: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let generation = self.db().writes().generation(TableSet::of(&["configuration"]));
        let mut values = HashMap::new();
        let mut readings = Vec::new();
        for name in names {
            match self.known_settings.0.look(*name, generation) {
                Look::Known(value) => values.extend(value.map(|value| ((*name).to_owned(), value))),
                Look::Read(reading) => readings.push((*name, reading)),
            }
        }
        if readings.is_empty() {
            return Ok(values);
        }
        let marks = vec!["?"; readings.len()].join(", ");
        let sql =
            format!("SELECT name, COALESCE(value, default_value) AS value FROM configuration WHERE name IN ({marks})");
        let args = readings.iter().map(|(name, _)| Value::Text((*name).to_owned())).collect();
        let rows = self.db().rows(&sql, args).await?;
        let read = rows.iter().map(|row| Ok((row.at(0)?, row.at(1)?)));
        let read = read.collect::<Result<HashMap<String, Option<String>>, StoreError>>()?;
        for (name, reading) in readings {
            let value = read.get(name).cloned().flatten();
            reading.keep(value.clone(), FRESH);
            values.extend(value.map(|value| (name.to_owned(), value)));
        }
        Ok(values)
    }

    /// The value of a global setting, opened if it is a sealed one; CloudStack's default when it has none.
    ///
    /// # Errors
    /// See [`Store::settings`], and [`StoreError`] for a value that cannot be opened.
    pub async fn setting(&self, name: &str) -> Result<Option<String>, StoreError> {
        match self.settings(&[name]).await?.remove(name) {
            Some(value) if is_sealed(&value) => Ok(Some(self.open_secret(&SETTING, name, &value)?.expose().to_owned())),
            value => Ok(value),
        }
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
