//! Whether a pool may receive a disk: space, tags, kind of storage.

use tokio::try_join;

use super::refusal::Refusal;
use crate::model::{DiskOffering, Pool, Volume};
use crate::store::{OVERPROVISIONING, Store, StoreError};

/// Pool types for which CloudStack promises more than there is (`contract/migration.md` 2.8).
const OVERPROVISIONED: [&str; 7] =
    ["NetworkFilesystem", "Filesystem", "VMFS", "PreSetup", "DatastoreCluster", "RBD", "StorPool"];

/// The limits of `contract/migration.md` 2.8, as set in the database.
#[derive(Clone, Copy, Debug)]
pub struct SpaceLimits {
    /// A pool fuller than this part takes nothing more.
    pub used: f64,
    /// A pool that has promised more than this part takes nothing more.
    pub allocated: f64,
    /// How many times its capacity a pool may promise.
    pub overprovisioning: f64,
}

impl SpaceLimits {
    /// Reads the limits; CloudStack's defaults where nothing is set.
    ///
    /// # Errors
    /// See [`Store::setting`].
    pub async fn load(store: &Store) -> Result<Self, StoreError> {
        let asked = [
            ("pool.storage.capacity.disablethreshold", 0.85),
            ("pool.storage.allocated.capacity.disablethreshold", 0.85),
            OVERPROVISIONING,
        ];
        let [used, allocated, overprovisioning] = store.setting_numbers(asked).await?;
        Ok(Self { used, allocated, overprovisioning })
    }
}

/// The limit of `concurrent.migrations.per.target.datastore` when it lets nothing more move to the pool
/// (`contract/migration.md` 2.9). CloudStack counts the jobs that name the pool; here it is the motions towards it.
///
/// # Errors
/// See [`Store::setting`].
pub async fn crowded(store: &Store, pool: &Pool) -> Result<Option<i64>, StoreError> {
    let Some(limit) = most_at_once(store).await? else { return Ok(None) };
    let moving = store.pool_incoming(pool.id).await?.motions;
    Ok((moving >= limit).then_some(limit))
}

/// How many motions may go to a pool at once; none where that is not limited.
///
/// # Errors
/// See [`Store::setting`].
pub async fn most_at_once(store: &Store) -> Result<Option<i64>, StoreError> {
    let limit = store.setting("concurrent.migrations.per.target.datastore").await?;
    Ok(limit.and_then(|value| value.trim().parse::<i64>().ok()).filter(|limit| *limit > 0))
}

/// The refusal of a single disk that would be one too many on its way to a pool.
pub(super) fn too_many(limit: i64) -> Refusal {
    Refusal::failed(format!(
        "Number of concurrent migration jobs per datastore exceeded the threshold [{limit}]. Please try again after a few minutes."
    ))
}

/// The refusal of a disk for which a pool has no room.
pub(super) fn no_room(pool: &Pool, volume: &Volume) -> Refusal {
    Refusal::failed(format!("Storage pool {} does not have enough space to migrate volume {}", pool.name, volume.name))
}

/// Bytes that a pool has promised: to the disks in it, and to those on their way to it.
///
/// # Errors
/// See [`Store::pool_allocated_bytes`].
pub async fn promised(store: &Store, pool_id: i64) -> Result<i64, StoreError> {
    let (allocated, incoming) = try_join!(store.pool_allocated_bytes(pool_id), store.pool_incoming(pool_id))?;
    Ok(allocated.saturating_add(incoming.bytes))
}

/// True when the pool has room for the volume, counting what is promised and what is on its way.
///
/// # Errors
/// See [`Store::pool_allocated_bytes`].
pub async fn has_room(store: &Store, limits: &SpaceLimits, pool: &Pool, volume: &Volume) -> Result<bool, StoreError> {
    Ok(takes(limits, pool, volume, promised(store, pool.id).await?))
}

/// True when a pool that has promised so many bytes has room for the volume.
#[must_use]
pub fn takes(limits: &SpaceLimits, pool: &Pool, volume: &Volume, promised: i64) -> bool {
    let asked = if volume.pool_id == Some(pool.id) { 0 } else { volume.size_bytes };
    fits(limits, pool, promised, asked)
}

/// The arithmetic of [`takes`]: whether a pool that has promised `allocated` bytes has room for as many as are `asked`.
pub(super) fn fits(limits: &SpaceLimits, pool: &Pool, allocated: i64, asked: i64) -> bool {
    if pool.capacity_bytes <= 0 {
        return false;
    }
    let capacity = pool.capacity_bytes as f64;
    if pool.used_bytes as f64 / capacity >= limits.used {
        return false;
    }
    let factor = if OVERPROVISIONED.contains(&pool.kind.as_str()) { limits.overprovisioning } else { 1.0 };
    let promised = allocated.saturating_add(asked) as f64;
    promised / (capacity * factor) <= limits.allocated
}

/// True when the pool's tags satisfy the offering: all of the offering's tags are on the pool.
///
/// A pool whose tag is a rule is given the offering's tags to judge; the rule language is JavaScript in CloudStack, which
/// this gateway does not run, so such a pool fits only what asks for no tag.
#[must_use]
pub fn tags_fit(pool: &Pool, offering: &DiskOffering) -> bool {
    if offering.tags.is_empty() {
        return true;
    }
    !pool.tag_is_rule && offering.tags.iter().all(|tag| pool.tags.contains(tag))
}

/// Whether the offering allows this pool: kind of storage, then tags (`contract/migration.md` 2.1, 27 to 29).
///
/// # Errors
/// A [`Refusal`] with CloudStack's text.
pub fn offering_fits(pool: &Pool, offering: &DiskOffering, volume: &Volume) -> Result<(), Refusal> {
    if !pool.is_local() && offering.local {
        let text = "You cannot move the volume to shared storage, with the disk offering configured for local storage.";
        return Err(Refusal::parameter(text));
    }
    if pool.is_local() && !offering.local {
        let text = "You cannot move the volume to local storage, with the disk offering configured for shared storage.";
        return Err(Refusal::parameter(text));
    }
    if !tags_fit(pool, offering) {
        return Err(Refusal::parameter(format!(
            "Migration failed: target pool [{}, tags:{}] has no matching tags for volume [{}, uuid:{}, tags:{}]",
            pool.name,
            list(&pool.tags),
            volume.name,
            volume.uuid.as_deref().unwrap_or_default(),
            list(&offering.tags),
        )));
    }
    Ok(())
}

fn list(tags: &[String]) -> String {
    format!("[{}]", tags.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Scope;

    fn pool(kind: &str, capacity_bytes: i64, used_bytes: i64) -> Pool {
        Pool {
            id: 1,
            uuid: "u".into(),
            name: "p".into(),
            kind: kind.into(),
            host_address: "fs".into(),
            port: 445,
            path: "/share?user=u&password=x".into(),
            status: "Up".into(),
            scope: Scope::Cluster,
            zone_id: 1,
            pod_id: Some(1),
            cluster_id: Some(1),
            hypervisor: None,
            managed: false,
            capacity_bytes,
            used_bytes,
            tags: vec!["ssd".into(), "fast".into()],
            tag_is_rule: false,
            removed: false,
        }
    }

    fn offering(tags: &[&str], local: bool) -> DiskOffering {
        DiskOffering {
            id: 1,
            uuid: "o".into(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            local,
            removed: false,
        }
    }

    #[test]
    fn an_smb_pool_promises_no_more_than_it_has() {
        let limits = SpaceLimits { used: 0.85, allocated: 0.85, overprovisioning: 2.0 };
        assert!(fits(&limits, &pool("SMB", 1000, 0), 800, 50));
        assert!(!fits(&limits, &pool("SMB", 1000, 0), 800, 51));
        assert!(fits(&limits, &pool("NetworkFilesystem", 1000, 0), 800, 900));
        assert!(!fits(&limits, &pool("SMB", 1000, 850), 0, 1), "a full pool takes nothing");
        assert!(!fits(&limits, &pool("SMB", 0, 0), 0, 0), "a pool of unknown size takes nothing");
    }

    #[test]
    fn all_tags_of_the_offering_must_be_on_the_pool() {
        let pool = pool("SMB", 1000, 0);
        assert!(tags_fit(&pool, &offering(&[], false)));
        assert!(tags_fit(&pool, &offering(&["fast", "ssd"], false)));
        assert!(!tags_fit(&pool, &offering(&["ssd", "slow"], false)));
        assert!(!tags_fit(&Pool { tag_is_rule: true, ..pool.clone() }, &offering(&["ssd"], false)));
        assert_eq!(pool.bare_path(), "/share");
    }
}
