//! The objects `diskoffering`, `serviceoffering`, `ostype`, `oscategory` and `capacity` (`contract/entities.md 1.8 to 1.12`).

use super::row::{flag, number, text, time, two_decimals};
use crate::model::Timestamp;
use crate::store::{CapacityFilter, Row, Store, StoreError};

const GIB: i64 = 1 << 30;
/// Names of the types of capacity (`contract/entities.md 4.7`).
const CAPACITIES: &[(i64, &str)] = &[
    (0, "MEMORY"),
    (1, "CPU"),
    (2, "STORAGE"),
    (3, "STORAGE_ALLOCATED"),
    (4, "VIRTUAL_NETWORK_PUBLIC_IP"),
    (5, "PRIVATE_IP"),
    (6, "SECONDARY_STORAGE"),
    (7, "VLAN"),
    (8, "DIRECT_ATTACHED_PUBLIC_IP"),
    (9, "LOCAL_STORAGE"),
    (19, "GPU"),
    (90, "CPU_CORE"),
];
/// The types for which what is promised is told beside what is in use.
const PROMISED_TOO: [i64; 4] = [0, 1, 19, 90];

crate::response! {
    /// What a disk may be like.
    pub struct DiskOfferingView as "diskoffering" {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
        /// `Active` or `Inactive`.
        state: Option<String>,
        /// A text about it.
        display_text "displaytext": Option<String>,
        /// The size in GiB; 0 when it is chosen with the disk.
        size_gib "disksize": i64,
        /// When it was made.
        created: Option<Timestamp>,
        /// Whether the size is chosen with the disk.
        is_customized "iscustomized": bool,
        /// Whether the speed is chosen with the disk.
        is_customized_iops "iscustomizediops": Option<bool>,
        /// The least speed, in operations a second.
        min_iops "miniops": Option<i64>,
        /// The most.
        max_iops "maxiops": Option<i64>,
        /// Tags that a pool must have, separated by commas.
        tags: Option<String>,
        /// `shared`, or `local` for hosts' own disks.
        storage_type "storagetype": &'static str,
        /// `thin`, `sparse` or `fat`.
        provisioning_type "provisioningtype": Option<String>,
        /// Whether users see it.
        display_offering "displayoffering": bool,
        /// Whether a disk keeps the size it was given.
        size_strictness "disksizestrictness": bool,
        /// Whether the disk is encrypted.
        encrypt: bool,
        /// Whether there are notes about it: never, here.
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

crate::response! {
    /// What runs inside a machine.
    pub struct OsTypeView as "ostype" {
        /// Its id.
        id: Option<String>,
        /// The id of its family.
        category_id "oscategoryid": Option<String>,
        /// The name of its family.
        category_name "oscategoryname": Option<String>,
        /// Its name.
        name: Option<String>,
        /// Its name once more.
        description: Option<String>,
        /// Whether somebody here has added it.
        is_user_defined "isuserdefined": bool,
        /// Whether users see it.
        for_display "fordisplay": bool,
    }
}

crate::response! {
    /// A family of guest systems.
    pub struct OsCategoryView as "oscategory" {
        /// Its id.
        id: Option<String>,
        /// Its name.
        name: Option<String>,
        /// Whether it stands in front.
        is_featured "isfeatured": bool,
        /// When it was made.
        created: Option<Timestamp>,
    }
}

crate::response! {
    /// How much there is of something, and how much is taken.
    pub struct CapacityView as "capacity" {
        /// The number of its type.
        kind "type": i64,
        /// The name of its type, such as `MEMORY`.
        name: &'static str,
        /// The id of the zone.
        zone_id "zoneid": Option<String>,
        /// The name of the zone.
        zone_name "zonename": Option<String>,
        /// What is promised to what runs; bytes, MHz or a number.
        allocated "capacityallocated": Option<i64>,
        /// What is taken, with what is kept for those that have just stopped.
        used "capacityused": i64,
        /// What there is.
        total "capacitytotal": i64,
        /// The share that is taken, as `12.34`.
        percent_used "percentused": String,
    }
}

fn storage_type(row: &Row) -> Result<&'static str, StoreError> {
    Ok(if flag(row, "use_local_storage")? { "local" } else { "shared" })
}

/// The disk offerings with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
pub async fn disk_offerings(store: &Store, ids: &[i64]) -> Result<Vec<DiskOfferingView>, StoreError> {
    let view = |row: &Row| {
        Ok(DiskOfferingView {
            id: text(row, "uuid")?,
            name: text(row, "name")?,
            state: text(row, "state")?,
            display_text: text(row, "display_text")?,
            size_gib: number(row, "disk_size")?.unwrap_or_default() / GIB,
            created: time(row, "created")?,
            is_customized: flag(row, "customized")?,
            is_customized_iops: row.get("customized_iops")?,
            min_iops: number(row, "min_iops")?,
            max_iops: number(row, "max_iops")?,
            tags: text(row, "tags")?.filter(|tags| !tags.is_empty()),
            storage_type: storage_type(row)?,
            provisioning_type: text(row, "provisioning_type")?,
            display_offering: flag(row, "display_offering")?,
            size_strictness: flag(row, "disk_size_strictness")?,
            encrypt: flag(row, "encrypt")?,
            has_annotations: false,
        })
    };
    store.disk_offering_rows(ids).await?.iter().map(view).collect()
}

/// The service offerings with these internal ids.
///
/// # Errors
/// See [`disk_offerings`].
pub async fn service_offerings(store: &Store, ids: &[i64]) -> Result<Vec<ServiceOfferingView>, StoreError> {
    let view = |row: &Row| {
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
    store.service_offering_rows(ids).await?.iter().map(view).collect()
}

/// The guest systems with these internal ids.
///
/// # Errors
/// See [`disk_offerings`].
pub async fn os_types(store: &Store, ids: &[i64]) -> Result<Vec<OsTypeView>, StoreError> {
    let view = |row: &Row| {
        let name = text(row, "display_name")?;
        Ok(OsTypeView {
            id: text(row, "uuid")?,
            category_id: text(row, "category_uuid")?,
            category_name: text(row, "category_name")?,
            name: name.clone(),
            description: name,
            is_user_defined: flag(row, "is_user_defined")?,
            for_display: flag(row, "display")?,
        })
    };
    store.guest_os_rows(ids).await?.iter().map(view).collect()
}

/// Families of guest systems, from the rows of [`Store::os_categories`].
///
/// # Errors
/// [`StoreError::Column`] for a row without the columns.
pub fn os_categories(rows: &[Row]) -> Result<Vec<OsCategoryView>, StoreError> {
    let view = |row: &Row| {
        Ok(OsCategoryView {
            id: text(row, "uuid")?,
            name: text(row, "name")?,
            is_featured: flag(row, "featured")?,
            created: time(row, "created")?,
        })
    };
    rows.iter().map(view).collect()
}

/// What there is of each type in each zone.
///
/// # Errors
/// See [`disk_offerings`].
pub async fn capacities(store: &Store, filter: CapacityFilter) -> Result<Vec<CapacityView>, StoreError> {
    let mut views = Vec::new();
    for row in store.capacity_rows(filter).await? {
        let kind: i64 = row.get("capacity_type")?;
        let Some((_, name)) = CAPACITIES.iter().find(|(number, _)| *number == kind) else { continue };
        let whole = |column: &str| row.get::<f64>(column);
        let (used, total) = (whole("used")?, whole("total")?);
        let share = if total > 0.0 { used * 100.0 / total } else { 0.0 };
        views.push(CapacityView {
            kind,
            name,
            zone_id: text(&row, "zone_uuid")?,
            zone_name: text(&row, "zone_name")?,
            allocated: if PROMISED_TOO.contains(&kind) { Some(whole("allocated")? as i64) } else { None },
            used: used as i64,
            total: total as i64,
            percent_used: two_decimals(share).into_owned(),
        });
    }
    Ok(views)
}
