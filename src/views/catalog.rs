//! The objects `ostype`, `oscategory` and `capacity` (`contract/entities.md 1.11 and 1.12`).

use super::row::{flag, text, time, two_decimals};
use crate::model::Timestamp;
use crate::store::{CapacityFilter, Row, Store, StoreError};

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

/// The guest systems with these internal ids.
///
/// # Errors
/// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
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
/// See [`os_types`].
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
