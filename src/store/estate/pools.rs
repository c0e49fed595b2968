//! Primary storage pools (`contract/entities.md 2.5, 3.9 to 3.11`).

use super::columns;
use crate::args;
use crate::model::{CapacityKind, HYPERV, PoolEvent, PoolState, Scope, Secret, Timestamp};
use crate::store::guards::{accepting, unsure};
use crate::store::{Store, StoreError, Tx, Value, transact};

/// A pool to be written, with everything that belongs to it.
#[derive(Clone, Debug)]
pub struct PoolRows {
    /// Public id.
    pub uuid: String,
    /// Name.
    pub name: String,
    /// `SMB` or `Filesystem`.
    pub kind: &'static str,
    /// Name or address of the server, or the host's address.
    pub host_address: String,
    /// 445 for a share, 0 for a folder.
    pub port: i64,
    /// Path, with what CloudStack keeps behind `?` but for the password.
    pub path: String,
    /// Reach.
    pub scope: Scope,
    /// Zone, pod and cluster.
    pub place: (i64, Option<i64>, Option<i64>),
    /// Size, bytes; 0 when no host has looked yet.
    pub capacity_bytes: i64,
    /// Bytes in use.
    pub used_bytes: i64,
    /// The most operations per second.
    pub capacity_iops: Option<i64>,
    /// Its tags.
    pub tags: Vec<String>,
    /// Whether the tag is a rule.
    pub tag_is_rule: bool,
    /// What else is kept about it (`storage_pool_details`), without the password.
    pub details: Vec<(String, String)>,
    /// The password of the share.
    pub password: Option<Secret>,
}

/// What is changed of a pool; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct PoolChange {
    /// Name.
    pub name: Option<String>,
    /// Its tags, and whether they are a rule.
    pub tags: Option<(Vec<String>, bool)>,
    /// The most operations per second.
    pub capacity_iops: Option<i64>,
    /// Size, bytes.
    pub capacity_bytes: Option<i64>,
    /// The new state, and the one that it is expected to be in.
    pub status: Option<(&'static str, String)>,
}

/// The word of a reach in the table.
fn scope_word(scope: Scope) -> Option<&'static str> {
    match scope {
        Scope::Host => Some("HOST"),
        Scope::Cluster => Some("CLUSTER"),
        Scope::Zone => Some("ZONE"),
        Scope::Other => None,
    }
}

impl Store {
    /// Notes that a host reaches a pool that can be used; nothing for one that is just being added, or gone.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_reached(&self, pool_id: i64, host_id: i64, local_path: &str) -> Result<(), StoreError> {
        transact!(self, StoreError, |tx| {
            let sql = "SELECT p.id FROM storage_pool p, host h WHERE p.id = ? AND p.removed IS NULL AND p.status <> 'Initial' \
                AND h.id = ? AND h.removed IS NULL";
            if tx.row(sql, args![pool_id, host_id]).await?.is_some() {
                tx.pool_connect(pool_id, host_id, local_path).await?;
            }
            Ok(())
        })
    }
}

impl Tx {
    /// The state of a pool, as it stands now; `None` for one that is removed.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_status(&mut self, id: i64) -> Result<Option<String>, StoreError> {
        let row = self.row("SELECT status FROM storage_pool WHERE id = ? AND removed IS NULL", args![id]).await?;
        row.map(|row| Ok(row.at::<Option<String>>(0)?.unwrap_or_default())).transpose()
    }

    /// Whether a living pool has this public id.
    ///
    /// # Errors
    /// See [`Tx::estate_hold`]; the same holds for all functions of this file.
    pub async fn pool_uuid_taken(&mut self, uuid: &str) -> Result<bool, StoreError> {
        Ok(self.row("SELECT id FROM storage_pool WHERE uuid = ? LIMIT 1", args![uuid]).await?.is_some())
    }

    /// Writes a new pool, `Initial`, with its details and tags, and gives its number.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_insert(&mut self, pool: &PoolRows) -> Result<i64, StoreError> {
        let (zone_id, pod_id, cluster_id) = pool.place;
        let row = columns! {
            "uuid": &pool.uuid, "name": &pool.name, "pool_type": pool.kind, "port": pool.port, "data_center_id": zone_id,
            "pod_id": pod_id, "cluster_id": cluster_id, "used_bytes": pool.used_bytes,
            "capacity_bytes": pool.capacity_bytes, "host_address": &pool.host_address, "path": &pool.path,
            "created": Timestamp::now(), "status": "Initial", "storage_provider_name": "DefaultPrimary",
            "scope": scope_word(pool.scope), "hypervisor": HYPERV, "capacity_iops": pool.capacity_iops,
        };
        let id = self.row_add("storage_pool", row).await?;
        if let Some(password) = &pool.password {
            self.pool_password_write(id, password).await?;
        }
        for (name, value) in &pool.details {
            let row = columns! { "pool_id": id, "name": name, "value": value, "display": false };
            self.row_insert("storage_pool_details", row).await?;
        }
        self.pool_tags_insert(id, &pool.tags, pool.tag_is_rule).await?;
        Ok(id)
    }

    async fn pool_tags_insert(&mut self, pool_id: i64, tags: &[String], rule: bool) -> Result<(), StoreError> {
        for tag in tags {
            let row = columns! { "pool_id": pool_id, "tag": tag, "is_tag_a_rule": rule };
            self.row_insert("storage_pool_tags", row).await?;
        }
        Ok(())
    }

    /// Notes that a pool that was just written can be used: `Up`, with its size and use, and its row of capacity.
    /// `factor` is how often the bytes of a local pool may be promised; those of a share never more than once
    /// (`contract/entities.md 4.3`).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody has taken it away meanwhile.
    pub async fn pool_ready(
        &mut self,
        id: i64,
        pool: &PoolRows,
        (capacity_bytes, used_bytes): (i64, i64),
        factor: f64,
    ) -> Result<(), StoreError> {
        let sql = format!(
            "UPDATE storage_pool SET status = 'Up', capacity_bytes = ?, used_bytes = ? WHERE id = ? AND {}",
            accepting::<PoolState>("status", PoolEvent::Reached)
        );
        let what = || format!("storage pool {}", pool.name);
        self.exactly_one(&sql, args![capacity_bytes, used_bytes, id], what).await?;
        let (kind, used, total) = match pool.scope {
            Scope::Host => (CapacityKind::LocalStorage, used_bytes, (capacity_bytes as f64 * factor) as i64),
            _ => (CapacityKind::StorageAllocated, 0, capacity_bytes),
        };
        self.capacity_insert(kind, id, pool.place, (used, total)).await
    }

    /// Notes that a host has a pool connected, under the name that the host has for it; once, however often it is told.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_connect(&mut self, pool_id: i64, host_id: i64, local_path: &str) -> Result<(), StoreError> {
        let sql = "SELECT id FROM storage_pool_host_ref WHERE pool_id = ? AND host_id = ? LIMIT 1";
        if self.row(sql, args![pool_id, host_id]).await?.is_some() {
            return Ok(());
        }
        let row = columns! {
            "host_id": host_id, "pool_id": pool_id, "created": Timestamp::now(),
            "local_path": crate::store::changes::clipped(local_path, 255),
        };
        self.row_insert("storage_pool_host_ref", row).await
    }

    /// Everything that hangs on a pool.
    async fn pool_belongings_delete(&mut self, id: i64) -> Result<(), StoreError> {
        for table in ["storage_pool_host_ref", "storage_pool_details", "storage_pool_tags"] {
            self.run(&format!("DELETE FROM {table} WHERE pool_id = ?"), args![id]).await?;
        }
        // Rows of hosts have a host's number in this column.
        self.run("DELETE FROM op_host_capacity WHERE host_id = ? AND capacity_type IN (2, 3, 9)", args![id]).await?;
        Ok(())
    }

    /// Takes back what [`Tx::pool_insert`] wrote: nothing was ever placed there.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_forget(&mut self, id: i64) -> Result<(), StoreError> {
        self.pool_belongings_delete(id).await?;
        self.run("DELETE FROM storage_pool WHERE id = ?", args![id]).await?;
        Ok(())
    }

    /// Removes a pool: it gives its public id away, and its password goes. `why` is `Remove` or `HostRemoved`.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its state does not allow it (any more).
    pub async fn pool_remove(&mut self, id: i64, why: PoolEvent) -> Result<(), StoreError> {
        self.pool_belongings_delete(id).await?;
        let sql = format!(
            "UPDATE storage_pool SET uuid = NULL, user_info = NULL, status = 'Removed', removed = ? WHERE id = ? AND {}",
            accepting::<PoolState>("status", why)
        );
        self.exactly_one(&sql, args![Timestamp::now(), id], || format!("storage pool {id}")).await
    }

    /// Names of volumes whose rows say that they are in a pool, whatever their state.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_volumes(&mut self, id: i64) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT name FROM volumes WHERE pool_id = ? AND removed IS NULL AND state <> 'Expunged' ORDER BY id";
        let rows = self.rows(sql, args![id]).await?;
        rows.iter().map(|row| Ok(row.at::<Option<String>>(0)?.unwrap_or_default())).collect()
    }

    /// Whether a motion that is not over takes something out of a pool or puts something in.
    ///
    /// # Errors
    /// See [`Tx::pool_uuid_taken`].
    pub async fn pool_in_motion(&mut self, id: i64) -> Result<bool, StoreError> {
        let sql = format!(
            "SELECT d.id FROM motion_disk d JOIN motion_migration m ON m.id = d.migration_id \
             WHERE (d.source_pool_id = ? OR d.target_pool_id = ?) AND {} LIMIT 1",
            unsure()
        );
        self.motion_concerns(&sql, id).await
    }

    /// Writes what is changed of a pool.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its state is not the expected one any more.
    pub async fn pool_change(&mut self, id: i64, change: &PoolChange) -> Result<(), StoreError> {
        if let Some((to, from)) = &change.status {
            let sql = "UPDATE storage_pool SET status = ? WHERE id = ? AND status = ?";
            self.exactly_one(sql, args![*to, id, from], || format!("storage pool {id}")).await?;
        }
        let mut row = Vec::new();
        row.extend(change.name.as_ref().map(|name| ("name", Value::from(name))));
        row.extend(change.capacity_iops.map(|iops| ("capacity_iops", Value::from(iops))));
        row.extend(change.capacity_bytes.map(|bytes| ("capacity_bytes", Value::from(bytes))));
        self.row_change("storage_pool", id, row).await?;
        if let Some((tags, rule)) = &change.tags {
            self.run("DELETE FROM storage_pool_tags WHERE pool_id = ?", args![id]).await?;
            self.pool_tags_insert(id, tags, *rule).await?;
        }
        Ok(())
    }
}
