//! What is to be moved away from hosts and pools that are being emptied.

use super::inventory::{HOST, OF_HOST, POOL, VM, VOLUME, host, vm, volume};
use super::{Store, StoreError};
use crate::args;
use crate::model::{HYPERV, Host, Pool, Vm, Volume};

/// Asked every second, and nearly always answered with nothing.
const HOSTS_IN_PREPARATION: &str = "WHERE resource_state IN ('PrepareForMaintenance', 'ErrorInPrepareForMaintenance') \
    AND type = 'Routing' AND hypervisor_type = ? AND removed IS NULL ORDER BY id";
const POOLS_IN_PREPARATION: &str =
    "WHERE status = 'PrepareForMaintenance' AND removed IS NULL AND parent = 0 ORDER BY id";

impl Store {
    /// The Hyper-V hosts that are being emptied, by id.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn hosts_in_preparation(&self) -> Result<Vec<Host>, StoreError> {
        self.db().rows(&format!("{HOST} {HOSTS_IN_PREPARATION}"), args![HYPERV]).await?.iter().map(host).collect()
    }

    /// The pools that are being emptied, by id.
    ///
    /// # Errors
    /// See [`Store::hosts_in_preparation`].
    pub async fn pools_in_preparation(&self) -> Result<Vec<Pool>, StoreError> {
        let rows = self.db().rows(&format!("{POOL} {POOLS_IN_PREPARATION}"), args![]).await?;
        self.pools_with_tags(&rows).await
    }

    /// The machines that are on a host, on their way to it or from it.
    ///
    /// # Errors
    /// See [`Store::hosts_in_preparation`].
    pub async fn vms_of_host(&self, host_id: i64) -> Result<Vec<Vm>, StoreError> {
        let sql = format!("{VM} {OF_HOST}");
        self.db().rows(&sql, args![host_id, host_id]).await?.iter().map(vm).collect()
    }

    /// The disks in a pool of machines that run, or are about to.
    ///
    /// # Errors
    /// See [`Store::hosts_in_preparation`].
    pub async fn volumes_in_use(&self, pool_id: i64) -> Result<Vec<Volume>, StoreError> {
        let sql = format!(
            "{VOLUME} WHERE pool_id = ? AND removed IS NULL AND state NOT IN ('Allocated', 'Destroy', 'Expunging', 'Expunged') \
             AND instance_id IN (SELECT i.id FROM vm_instance i WHERE i.removed IS NULL \
             AND i.state IN ('Starting', 'Running', 'Stopping', 'Migrating')) ORDER BY id"
        );
        self.db().rows(&sql, args![pool_id]).await?.iter().map(volume).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_looked_through_every_second() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let hosts = store.plan(&format!("{HOST} {HOSTS_IN_PREPARATION}"), args![HYPERV]).await;
        assert!(hosts.contains("INDEX i_host__resource_state"), "{hosts}");
        let pools = store.plan(&format!("{POOL} {POOLS_IN_PREPARATION}"), args![]).await;
        assert!(pools.contains("INDEX i_storage_pool__status"), "{pools}");
    }
}
