//! What a hypervisor version can do: the look-ups of `contract/migration.md` 6.3.

use super::{Store, StoreError};
use crate::args;

/// Running VMs per host when no row says otherwise.
const DEFAULT_MAX_GUESTS: i64 = 50;

impl Store {
    /// Whether storage can move under a running VM: the flag of the row for exactly this type and version.
    ///
    /// A blank version means the row `default`; a version that is not blank never falls back to it. `None` when there is
    /// no row.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn storage_motion_flag(
        &self,
        hypervisor: &str,
        version: Option<&str>,
    ) -> Result<Option<bool>, StoreError> {
        let version = version.map(str::trim).filter(|version| !version.is_empty()).unwrap_or("default");
        let sql = "SELECT storage_motion_supported FROM hypervisor_capabilities \
            WHERE hypervisor_type = ? AND hypervisor_version = ?";
        let row = self.db().row(sql, args![hypervisor, version]).await?;
        Ok(row.map(|row| row.at::<Option<bool>>(0)).transpose()?.map(Option::unwrap_or_default))
    }

    /// Whether storage can move with a VM: the exact row's flag; KVM without a row counts when any KVM row has the flag.
    ///
    /// # Errors
    /// See [`Store::storage_motion_flag`].
    pub async fn storage_motion_supported(&self, hypervisor: &str, version: Option<&str>) -> Result<bool, StoreError> {
        if let Some(flag) = self.storage_motion_flag(hypervisor, version).await? {
            return Ok(flag);
        }
        if !hypervisor.eq_ignore_ascii_case("KVM") {
            return Ok(false);
        }
        let sql =
            "SELECT id FROM hypervisor_capabilities WHERE hypervisor_type = ? AND storage_motion_supported = 1 LIMIT 1";
        Ok(self.db().row(sql, args![hypervisor]).await?.is_some())
    }

    /// The most VMs that may run on a host: the exact row, else the row `default`, else 50.
    ///
    /// # Errors
    /// See [`Store::storage_motion_flag`].
    pub async fn max_guests(&self, hypervisor: &str, version: Option<&str>) -> Result<i64, StoreError> {
        let sql = "SELECT max_guests_limit FROM hypervisor_capabilities WHERE hypervisor_type = ? \
            AND hypervisor_version IN (?, 'default') ORDER BY CASE hypervisor_version WHEN 'default' THEN 1 ELSE 0 END LIMIT 1";
        let row = self.db().row(sql, args![hypervisor, version.unwrap_or("default")]).await?;
        Ok(row.map(|row| row.at::<Option<i64>>(0)).transpose()?.flatten().unwrap_or(DEFAULT_MAX_GUESTS))
    }
}
