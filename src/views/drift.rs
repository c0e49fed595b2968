//! The object `drift` as `listDrift` shows it: something that database and hosts do not agree about. CloudStack has no such
//! list; it follows the hosts without a word.

use super::row::{text, time};
use crate::model::Timestamp;
use crate::store::{Row, Store, StoreError};

crate::response! {
    /// Something that database and hosts do not agree about.
    pub struct DriftView as "drift" {
        /// Its id, for `resolveDrift`.
        id: String,
        /// What differs: `vm-elsewhere`, `vm-missing`, `vm-running`, `disk-elsewhere`, `disk-missing` or `disk-size`.
        kind: String,
        /// The machine.
        vm_id "virtualmachineid": Option<String>,
        /// The machine's name.
        vm_name "virtualmachinename": Option<String>,
        /// The machine's name at the hypervisor.
        instance_name "instancename": Option<String>,
        /// The disk.
        volume_id "volumeid": Option<String>,
        /// The disk's name.
        volume_name "volumename": Option<String>,
        /// The host that the database gives the machine; for what does not run, the host that was asked.
        host_id "hostid": Option<String>,
        /// The name of that host.
        host_name "hostname": Option<String>,
        /// The host that has the machine.
        found_host_id "foundhostid": Option<String>,
        /// The name of that host.
        found_host_name "foundhostname": Option<String>,
        /// The pool that the database gives the disk.
        pool_id "storageid": Option<String>,
        /// The name of that pool.
        pool_name "storage": Option<String>,
        /// The pool that the disk is in.
        found_pool_id "foundstorageid": Option<String>,
        /// The name of that pool.
        found_pool_name "foundstorage": Option<String>,
        /// What the database said when it was found.
        database_says "databasesays": String,
        /// What the host said when it was last asked.
        host_says "hostsays": String,
        /// When it was found.
        first_seen "firstseen": Option<Timestamp>,
        /// When it was last seen.
        last_seen "lastseen": Option<Timestamp>,
        /// Whether it is resolved.
        resolved: bool,
        /// When it was resolved.
        resolved_at "resolvedat": Option<Timestamp>,
        /// How: `accepted` (the database follows the host), `dismissed`, or `vanished` (it is not so any more).
        resolution: Option<String>,
        /// The user who resolved it.
        resolved_by "resolvedby": Option<String>,
        /// What was said about it.
        note: Option<String>,
    }
}

/// Findings with these internal ids. Only admins may call what shows them.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn drifts(store: &Store, ids: &[i64]) -> Result<Vec<DriftView>, StoreError> {
    store.drift_rows(ids).await?.iter().map(drift).collect()
}

fn drift(row: &Row) -> Result<DriftView, StoreError> {
    let resolved_at = time(row, "resolved_at")?;
    Ok(DriftView {
        id: row.get("uuid")?,
        kind: row.get("kind")?,
        vm_id: text(row, "vm_uuid")?,
        vm_name: text(row, "vm_name")?,
        instance_name: text(row, "instance_name")?,
        volume_id: text(row, "volume_uuid")?,
        volume_name: text(row, "volume_name")?,
        host_id: text(row, "host_uuid")?,
        host_name: text(row, "host_name")?,
        found_host_id: text(row, "found_host_uuid")?,
        found_host_name: text(row, "found_host_name")?,
        pool_id: text(row, "pool_uuid")?,
        pool_name: text(row, "pool_name")?,
        found_pool_id: text(row, "found_pool_uuid")?,
        found_pool_name: text(row, "found_pool_name")?,
        database_says: row.get("database_says")?,
        host_says: row.get("host_says")?,
        first_seen: time(row, "first_seen")?,
        last_seen: time(row, "last_seen")?,
        resolved: resolved_at.is_some(),
        resolved_at,
        resolution: text(row, "resolution")?,
        resolved_by: text(row, "username")?,
        note: text(row, "note")?,
    })
}
