//! The object `storagepool` (`contract/entities.md 1.5`, `contract/migration.md 5.5`), in the order in which CloudStack
//! prints its fields.

use std::collections::BTreeMap;

use super::row::{flag, number, text, time};
use crate::auth::Caller;
use crate::model::{Timestamp, is_secret_name};
use crate::store::{ResourceKind, Row, Store, StoreError};

crate::response! {
    /// A place where disks are kept.
    pub struct StoragePoolView as "storagepool", Default {
        /// Its id.
        id: String,
        /// The zone it is in.
        zone_id "zoneid": Option<String>,
        /// The name of that zone.
        zone_name "zonename": Option<String>,
        /// The pod it is in; absent when it serves the whole zone.
        pod_id "podid": Option<String>,
        /// The name of that pod.
        pod_name "podname": Option<String>,
        /// Its name.
        name: Option<String>,
        /// The server that has it.
        ip_address "ipaddress": Option<String>,
        /// Where it is on that server, without any password.
        path: Option<String>,
        /// When it was added.
        created: Option<Timestamp>,
        /// `SMB`, `NetworkFilesystem` and so on.
        kind "type": Option<String>,
        /// The cluster it serves; absent when it serves the whole zone.
        cluster_id "clusterid": Option<String>,
        /// The name of that cluster.
        cluster_name "clustername": Option<String>,
        /// Its size in bytes.
        capacity_bytes "capacitybytes": Option<i64>,
        /// The same.
        disk_size_total_bytes "disksizetotal": Option<i64>,
        /// Bytes that the disks in it may grow to.
        disk_size_allocated_bytes "disksizeallocated": Option<i64>,
        /// Bytes in use, as the hypervisor reports.
        disk_size_used_bytes "disksizeused": Option<i64>,
        /// The most operations per second it is meant for.
        capacity_iops "capacityiops": Option<i64>,
        /// Operations per second that are promised. Not filled here.
        allocated_iops "allocatediops": Option<i64>,
        /// Operations per second in use.
        used_iops "usediops": Option<i64>,
        /// Statistics of its maker. Not filled here.
        custom_stats "storagecustomstats": Option<BTreeMap<String, String>>,
        /// Its tags, separated by commas.
        tags: Option<String>,
        /// The access groups it is connected to. Not filled here.
        storage_access_groups "storageaccessgroups": Option<String>,
        /// How it is mounted.
        nfs_mount_options "nfsmountopts": Option<String>,
        /// Whether its tag is a rule.
        is_tag_a_rule "istagarule": Option<bool>,
        /// `Up` when it can be used.
        state: Option<String>,
        /// `CLUSTER`, `ZONE` or `HOST`.
        scope: Option<String>,
        /// How many times its size may be promised.
        overprovision_factor "overprovisionfactor": Option<String>,
        /// The hypervisor it is for.
        hypervisor: Option<String>,
        /// Whether a disk can be moved here; only when pools for a move are looked for.
        suitable_for_migration "suitableformigration": Option<bool>,
        /// What drives it.
        provider: Option<String>,
        /// What it can do.
        storage_capabilities "storagecapabilities": Option<BTreeMap<String, String>>,
        /// Whether each disk is a thing of its own at the storage system.
        managed: Option<bool>,
        /// Settings of it, without secrets.
        details: Option<BTreeMap<String, String>>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": Option<bool>,
        /// The newest job about it that runs.
        job_id "jobid": Option<String>,
        /// 0 while such a job runs.
        job_status "jobstatus": Option<i64>,
    }
}

/// The pools with these internal ids. Only admins may call what shows pools, so `caller` hides nothing.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn storage_pools(store: &Store, _: &Caller, ids: &[i64]) -> Result<Vec<StoragePoolView>, StoreError> {
    let rows = store.storage_pool_rows(ids).await?;
    let mut tags = store.storage_pool_tags_of(ids).await?;
    let mut details = store.details_of(ResourceKind::StoragePool, ids).await?;
    let mut jobs = store.pending_jobs_of(ResourceKind::StoragePool, ids).await?;
    let factor = store.overprovisioning().await?;
    rows.iter()
        .map(|row| {
            let id: i64 = row.get("id")?;
            let mut view = storage_pool(row, factor)?;
            describe(&mut view, details.remove(&id).unwrap_or_default());
            tag(&mut view, &tags.remove(&id).unwrap_or_default())?;
            view.job_id = jobs.remove(&id);
            view.job_status = view.job_id.as_ref().map(|_| 0);
            Ok(view)
        })
        .collect()
}

fn storage_pool(row: &Row, factor: f64) -> Result<StoragePoolView, StoreError> {
    let kind = text(row, "pool_type")?;
    let capacity_bytes = number(row, "capacity_bytes")?;
    // Pools of logical volumes cannot be over-promised; for all others CloudStack shows the setting, even for SMB.
    let fixed = matches!(kind.as_deref(), Some("CLVM" | "CLVM_NG"));
    Ok(StoragePoolView {
        id: text(row, "uuid")?.unwrap_or_default(),
        zone_id: text(row, "zone_uuid")?,
        zone_name: text(row, "zone_name")?,
        pod_id: text(row, "pod_uuid")?,
        pod_name: text(row, "pod_name")?,
        name: text(row, "name")?,
        ip_address: text(row, "host_address")?,
        path: text(row, "path")?.map(|path| path_without_secrets(&path)),
        created: time(row, "created")?,
        kind,
        cluster_id: text(row, "cluster_uuid")?,
        cluster_name: text(row, "cluster_name")?,
        capacity_bytes,
        disk_size_total_bytes: capacity_bytes,
        disk_size_allocated_bytes: Some(number(row, "allocated")?.unwrap_or_default()),
        disk_size_used_bytes: number(row, "used_bytes")?,
        capacity_iops: number(row, "capacity_iops")?,
        used_iops: number(row, "used_iops")?,
        is_tag_a_rule: Some(false),
        state: text(row, "status")?,
        scope: text(row, "scope")?,
        overprovision_factor: Some(if fixed { "1".to_owned() } else { crate::api::java_double(factor) }),
        hypervisor: text(row, "hypervisor")?,
        provider: text(row, "storage_provider_name")?,
        storage_capabilities: Some(BTreeMap::from([("VOLUME_SNAPSHOT_QUIESCEVM".to_owned(), "false".to_owned())])),
        managed: Some(flag(row, "managed")?),
        has_annotations: Some(false),
        ..StoragePoolView::default()
    })
}

/// Puts in what the table of details knows. Its secrets stay there, though CloudStack shows them encrypted.
fn describe(view: &mut StoragePoolView, mut details: BTreeMap<String, String>) {
    if let Some(kind) = details.get("pool_type") {
        view.kind = Some(kind.clone());
    }
    view.nfs_mount_options = details.get("nfsmountopts").cloned();
    details.retain(|name, _| !is_secret_name(name));
    view.details = Some(details);
}

fn tag(view: &mut StoragePoolView, rows: &[Row]) -> Result<(), StoreError> {
    let Some(first) = rows.first() else { return Ok(()) };
    view.is_tag_a_rule = Some(flag(first, "is_tag_a_rule")?);
    let tags: Vec<String> = rows.iter().map(|row| row.get("tag")).collect::<Result<_, _>>()?;
    view.tags = Some(tags.join(","));
    Ok(())
}

/// The path of a pool without the secrets that CloudStack keeps in it: `/share?user=u&password=p&domain=d` becomes
/// `/share?user=u&domain=d` (`contract/entities.md 1.5`).
#[must_use]
pub fn path_without_secrets(path: &str) -> String {
    let Some((place, query)) = path.split_once('?') else { return path.to_owned() };
    let kept: Vec<&str> =
        query.split('&').filter(|pair| !is_secret_name(pair.split_once('=').map_or(pair, |(name, _)| name))).collect();
    if kept.is_empty() { place.to_owned() } else { format!("{place}?{}", kept.join("&")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_never_show_a_password() {
        for (path, shown) in [
            ("/share?user=u&password=a/b+c==&domain=d", "/share?user=u&domain=d"),
            ("/share?Password=p", "/share"),
            ("/share?user=u&domain=null", "/share?user=u&domain=null"),
            ("/export/ps0", "/export/ps0"),
        ] {
            assert_eq!(path_without_secrets(path), shown);
        }
    }
}
