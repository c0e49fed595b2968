//! The object `migrationleftover`: a file that a motion left behind, or may have. CloudStack keeps no such list.

use super::row::{number, text, time};
use crate::model::Timestamp;
use crate::motion::is_superfluous;
use crate::store::{Store, StoreError};

crate::response! {
    /// A file that a motion left behind, or may have left.
    pub struct LeftoverView as "migrationleftover" {
        /// Its id.
        id: String,
        /// `left` was seen there, `possible` may be there, since its motion failed and the agent cannot tell, `unseen` should be gone and the
        /// agent cannot tell; also `expected`, `owned`, `gone` and `removed`.
        state: String,
        /// `source`, where the disk was, or `target`, where it was to go.
        role: String,
        /// The file's name without ending.
        path: String,
        /// The pool that it is in.
        storage_id "storageid": Option<String>,
        /// The name of that pool.
        storage: Option<String>,
        /// Where that pool is: the share or the folder.
        folder: String,
        /// Bytes that it takes up there, if it was seen.
        bytes: Option<i64>,
        /// The disk that it was or was to become.
        volume_id "volumeid": Option<String>,
        /// The name of that disk.
        volume_name "volumename": Option<String>,
        /// A host that reaches it.
        host_id "hostid": Option<String>,
        /// The name of that host.
        host_name "hostname": Option<String>,
        /// The migration.
        migration_id "migrationid": Option<String>,
        /// How that migration ended.
        outcome: Option<String>,
        /// Whether `removeMigrationLeftover` would ask the hosts and remove it.
        is_safe "issafe": bool,
        /// Why, or why not.
        verdict: String,
        /// What was seen when it was looked for.
        note: Option<String>,
        /// When it was written down: before its migration began.
        created: Option<Timestamp>,
        /// When it was last looked for.
        updated: Option<Timestamp>,
    }
}

/// Files of the ledger with these internal ids. Only admins may call what shows them.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn leftovers(store: &Store, ids: &[i64]) -> Result<Vec<LeftoverView>, StoreError> {
    let mut views = Vec::with_capacity(ids.len());
    for row in store.leftover_rows(ids).await? {
        let (is_safe, verdict) = is_superfluous(&row)?;
        let host: Option<String> = text(&row, "host_address")?;
        let path: String = text(&row, "pool_path")?.unwrap_or_default();
        // What follows `?` may hold a password.
        let path = path.split('?').next().unwrap_or_default();
        let folder = match text(&row, "pool_type")?.as_deref() {
            Some("SMB") => format!("\\\\{}{}", host.unwrap_or_default(), path.replace('/', "\\")),
            _ => path.to_owned(),
        };
        views.push(LeftoverView {
            id: row.get("uuid")?,
            state: row.get("state")?,
            role: row.get("role")?,
            path: row.get("stem")?,
            storage_id: text(&row, "pool_uuid")?,
            storage: text(&row, "pool_name")?,
            folder,
            bytes: number(&row, "bytes")?,
            volume_id: text(&row, "volume_uuid")?,
            volume_name: text(&row, "volume_name")?,
            host_id: text(&row, "host_uuid")?,
            host_name: text(&row, "host_name")?,
            migration_id: text(&row, "migration_uuid")?,
            outcome: text(&row, "outcome")?,
            is_safe,
            verdict,
            note: text(&row, "note")?,
            created: time(&row, "created")?,
            updated: time(&row, "updated")?,
        });
    }
    Ok(views)
}
