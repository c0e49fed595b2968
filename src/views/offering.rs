//! The objects `diskoffering` and `serviceoffering` (`contract/entities.md 1.8 and 1.9`), in the order in which CloudStack
//! prints their fields.

use std::collections::BTreeMap;

use super::row::{domain_path, flag, number, text, time};
use crate::model::Timestamp;
use crate::store::{Reserved, Row, Store, StoreError};

const GIB: i64 = 1 << 30;

crate::response! {
    /// What a disk may be like.
    pub struct DiskOfferingView as "diskoffering" {
        /// Its id.
        id: Option<String>,
        /// The domains it is kept for, separated by commas; absent when it is for all.
        domain_id "domainid": Option<String>,
        /// The paths of these domains.
        domain: Option<String>,
        /// The zones it is kept for, separated by commas; absent when it is for all.
        zone_id "zoneid": Option<String>,
        /// The names of these zones.
        zone: Option<String>,
        /// Its name.
        name: Option<String>,
        /// `Active`, or `Inactive` when it is for old disks only.
        state: Option<String>,
        /// What people are told of it.
        display_text "displaytext": Option<String>,
        /// GiB; 0 when every disk may have its own size.
        size_gib "disksize": i64,
        /// When it was made.
        created: Option<Timestamp>,
        /// Whether every disk may have its own size.
        is_customized "iscustomized": bool,
        /// Whether every disk may have its own number of accesses.
        is_customized_iops "iscustomizediops": Option<bool>,
        /// The least accesses per second.
        min_iops "miniops": Option<i64>,
        /// The most accesses per second.
        max_iops "maxiops": Option<i64>,
        /// Space kept for snapshots, percent.
        snapshot_reserve "hypervisorsnapshotreserve": Option<i64>,
        /// Tags that a pool must have, separated by commas.
        tags: Option<String>,
        /// `shared` or `local`.
        storage_type "storagetype": &'static str,
        /// `thin`, `sparse` or `fat`.
        provisioning_type "provisioningtype": Option<String>,
        /// Bytes read per second.
        bytes_read_rate "diskBytesReadRate": Option<i64>,
        /// The same for a short time.
        bytes_read_rate_max "diskBytesReadRateMax": Option<i64>,
        /// That time in seconds.
        bytes_read_rate_max_length "diskBytesReadRateMaxLength": Option<i64>,
        /// Bytes written per second.
        bytes_write_rate "diskBytesWriteRate": Option<i64>,
        /// The same for a short time.
        bytes_write_rate_max "diskBytesWriteRateMax": Option<i64>,
        /// That time in seconds.
        bytes_write_rate_max_length "diskBytesWriteRateMaxLength": Option<i64>,
        /// Reads per second.
        iops_read_rate "diskIopsReadRate": Option<i64>,
        /// The same for a short time.
        iops_read_rate_max "diskIopsReadRateMax": Option<i64>,
        /// That time in seconds.
        iops_read_rate_max_length "diskIopsReadRateMaxLength": Option<i64>,
        /// Writes per second.
        iops_write_rate "diskIopsWriteRate": Option<i64>,
        /// The same for a short time.
        iops_write_rate_max "diskIopsWriteRateMax": Option<i64>,
        /// That time in seconds.
        iops_write_rate_max_length "diskIopsWriteRateMaxLength": Option<i64>,
        /// How its disks are cached.
        cache_mode "cacheMode": Option<String>,
        /// Whether ordinary users see it.
        display_offering "displayoffering": bool,
        /// Whether its disks can only take offerings of the same size.
        size_strictness "disksizestrictness": bool,
        /// Whether its disks are encrypted.
        encrypt: bool,
        /// Details of it.
        details: Option<BTreeMap<String, String>>,
        /// Whether a disk for the machine that was asked about can be like this: a pool within its reach fits.
        is_suitable "suitableforvirtualmachine": Option<bool>,
        /// Whether there are comments about it. There are none here.
        has_annotations "hasannotations": bool,
    }
}

crate::response! {
    /// What a machine may be like.
    pub struct ServiceOfferingView as "serviceoffering" {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
        /// `Active` or `Inactive`.
        state: Option<String>,
        /// A text about it.
        display_text "displaytext": Option<String>,
        /// How many processors; absent when it is chosen with the machine.
        cpu_number "cpunumber": Option<i64>,
        /// Their speed in MHz.
        cpu_speed_mhz "cpuspeed": Option<i64>,
        /// Memory in MiB.
        memory_mib "memory": Option<i64>,
        /// When it was made.
        created: Option<Timestamp>,
        /// `shared` or `local`.
        storage_type "storagetype": &'static str,
        /// `thin`, `sparse` or `fat`.
        provisioning_type "provisioningtype": Option<String>,
        /// Whether a machine is started elsewhere when its host fails.
        offer_ha "offerha": bool,
        /// Whether a machine never gets more processor than promised.
        limit_cpu_use "limitcpuuse": bool,
        /// Whether the root disk is made anew at each start.
        is_volatile "isvolatile": bool,
        /// Tags that a pool must have.
        storage_tags "storagetags": Option<String>,
        /// The domains it is kept for, separated by commas; absent when it is for all.
        domain_id "domainid": Option<String>,
        /// The paths of these domains.
        domain: Option<String>,
        /// The zones it is kept for, separated by commas; absent when it is for all.
        zone_id "zoneid": Option<String>,
        /// The names of these zones.
        zone: Option<String>,
        /// Whether it is for system machines.
        is_system "issystem": bool,
        /// Whether it is the one that system machines get.
        default_use "defaultuse": bool,
        /// The tag that a host must have.
        host_tags "hosttags": Option<String>,
        /// Whether processors and memory are chosen with the machine.
        is_customized "iscustomized": bool,
        /// The size of the root disk in GiB; 0 for the template's.
        root_disk_gib "rootdisksize": i64,
        /// Whether processors and memory may be changed while a machine runs.
        dynamic_scaling "dynamicscalingenabled": bool,
        /// Whether the disk offering stays with it.
        disk_offering_strictness "diskofferingstrictness": bool,
        /// The id of the disk offering for root disks.
        disk_offering_id "diskofferingid": Option<String>,
        /// Its name.
        disk_offering_name "diskofferingname": Option<String>,
        /// A text about it.
        disk_offering_text "diskofferingdisplaytext": Option<String>,
        /// Whether root disks are encrypted.
        encrypt_root "encryptroot": bool,
        /// Whether there are notes about it: never, here.
        has_annotations "hasannotations": bool,
    }
}

/// What both offerings are kept for, as they print it.
struct Kept {
    domain_id: Option<String>,
    domain: Option<String>,
    zone_id: Option<String>,
    zone: Option<String>,
    details: Option<BTreeMap<String, String>>,
}

impl From<Reserved> for Kept {
    fn from(reserved: Reserved) -> Self {
        let joined = |parts: Vec<String>| (!parts.is_empty()).then(|| parts.join(","));
        let (domain_ids, paths): (Vec<_>, Vec<_>) = reserved.domains.into_iter().unzip();
        let (zone_ids, names): (Vec<_>, Vec<_>) = reserved.zones.into_iter().unzip();
        Self {
            domain_id: joined(domain_ids),
            domain: joined(paths.iter().map(|path| domain_path(path)).collect()),
            zone_id: joined(zone_ids),
            zone: joined(names),
            details: Some(reserved.details).filter(|details| !details.is_empty()),
        }
    }
}

fn storage_type(row: &Row) -> Result<&'static str, StoreError> {
    Ok(if flag(row, "use_local_storage")? { "local" } else { "shared" })
}

/// The way of caching; `none` is what a row without one holds.
fn cache_mode(row: &Row) -> Result<Option<String>, StoreError> {
    Ok(text(row, "cache_mode")?.filter(|mode| !mode.eq_ignore_ascii_case("none")))
}

/// The disk offerings with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`].
pub async fn disk_offerings(store: &Store, ids: &[i64]) -> Result<Vec<DiskOfferingView>, StoreError> {
    let rows = store.disk_offering_rows(ids).await?;
    let mut reserved = store.offerings_reserved(true, ids).await?;
    rows.iter().map(|row| disk_offering(row, reserved.remove(&row.get("id")?).unwrap_or_default().into())).collect()
}

fn disk_offering(row: &Row, kept: Kept) -> Result<DiskOfferingView, StoreError> {
    Ok(DiskOfferingView {
        id: text(row, "uuid")?,
        domain_id: kept.domain_id,
        domain: kept.domain,
        zone_id: kept.zone_id,
        zone: kept.zone,
        name: text(row, "name")?,
        state: text(row, "state")?,
        display_text: text(row, "display_text")?,
        size_gib: number(row, "disk_size")?.unwrap_or_default() / GIB,
        created: time(row, "created")?,
        is_customized: flag(row, "customized")?,
        is_customized_iops: row.get("customized_iops")?,
        min_iops: number(row, "min_iops")?,
        max_iops: number(row, "max_iops")?,
        snapshot_reserve: number(row, "hv_ss_reserve")?,
        tags: text(row, "tags")?.filter(|tags| !tags.is_empty()),
        storage_type: storage_type(row)?,
        provisioning_type: text(row, "provisioning_type")?,
        bytes_read_rate: number(row, "bytes_read_rate")?,
        bytes_read_rate_max: number(row, "bytes_read_rate_max")?,
        bytes_read_rate_max_length: number(row, "bytes_read_rate_max_length")?,
        bytes_write_rate: number(row, "bytes_write_rate")?,
        bytes_write_rate_max: number(row, "bytes_write_rate_max")?,
        bytes_write_rate_max_length: number(row, "bytes_write_rate_max_length")?,
        iops_read_rate: number(row, "iops_read_rate")?,
        iops_read_rate_max: number(row, "iops_read_rate_max")?,
        iops_read_rate_max_length: number(row, "iops_read_rate_max_length")?,
        iops_write_rate: number(row, "iops_write_rate")?,
        iops_write_rate_max: number(row, "iops_write_rate_max")?,
        iops_write_rate_max_length: number(row, "iops_write_rate_max_length")?,
        cache_mode: cache_mode(row)?,
        display_offering: flag(row, "display_offering")?,
        size_strictness: flag(row, "disk_size_strictness")?,
        encrypt: flag(row, "encrypt")?,
        details: kept.details,
        is_suitable: None,
        has_annotations: false,
    })
}

/// The service offerings with these internal ids.
///
/// # Errors
/// See [`disk_offerings`].
pub async fn service_offerings(store: &Store, ids: &[i64]) -> Result<Vec<ServiceOfferingView>, StoreError> {
    let rows = store.service_offering_rows(ids).await?;
    let mut reserved = store.offerings_reserved(false, ids).await?;
    let mut view = |row: &Row| {
        let kept = Kept::from(reserved.remove(&row.get("id")?).unwrap_or_default());
        Ok(ServiceOfferingView {
            id: text(row, "uuid")?,
            name: text(row, "name")?,
            state: text(row, "state")?,
            display_text: text(row, "display_text")?,
            cpu_number: number(row, "cpu")?,
            cpu_speed_mhz: number(row, "speed")?,
            memory_mib: number(row, "ram_size")?,
            created: time(row, "created")?,
            storage_type: storage_type(row)?,
            provisioning_type: text(row, "provisioning_type")?,
            offer_ha: flag(row, "ha_enabled")?,
            limit_cpu_use: flag(row, "limit_cpu_use")?,
            is_volatile: flag(row, "is_volatile")?,
            storage_tags: text(row, "tags")?.filter(|tags| !tags.is_empty()),
            domain_id: kept.domain_id,
            domain: kept.domain,
            zone_id: kept.zone_id,
            zone: kept.zone,
            is_system: flag(row, "system_use")?,
            default_use: flag(row, "default_use")?,
            host_tags: text(row, "host_tag")?.filter(|tag| !tag.is_empty()),
            is_customized: flag(row, "customized")?,
            root_disk_gib: number(row, "disk_size")?.unwrap_or_default() / GIB,
            dynamic_scaling: flag(row, "dynamic_scaling_enabled")?,
            disk_offering_strictness: flag(row, "disk_offering_strictness")?,
            disk_offering_id: text(row, "disk_uuid")?,
            disk_offering_name: text(row, "disk_name")?,
            disk_offering_text: text(row, "disk_text")?,
            encrypt_root: flag(row, "encrypt")?,
            has_annotations: false,
        })
    };
    rows.iter().map(&mut view).collect()
}
