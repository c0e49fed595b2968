//! What machines and disks may be like: the filters of `listDiskOfferings` and `listServiceOfferings`
//! (`contract/entities.md 1.8 and 1.9`) and the wide rows.

use std::collections::{BTreeMap, HashMap};

use super::{Condition, Window, below};
use crate::model::{DiskOffering, Vm, VmState};
use crate::store::inventory::{DISK_OFFERING, disk_offering};
use crate::store::{Row, Store, StoreError, Value};

/// Who looks at offerings, for those that are kept for some domains.
#[derive(Clone, Debug)]
pub struct Viewer {
    /// The path of the domain of the caller.
    pub path: String,
    /// Whether the domains below count as well.
    pub with_below: bool,
}

impl Viewer {
    /// The paths of the domain and of all above it: `/a/b/` gives `/`, `/a/`, `/a/b/`.
    fn paths(&self) -> Vec<String> {
        let ends = self.path.char_indices().filter(|(_, letter)| *letter == '/').map(|(at, _)| at + 1);
        ends.filter_map(|end| self.path.get(..end).map(str::to_owned)).collect()
    }
}

/// What the lists of offerings can be narrowed to.
#[derive(Clone, Debug, Default)]
pub struct OfferingFilter {
    /// Only this one.
    pub id: Option<i64>,
    /// With exactly this name.
    pub name: Option<String>,
    /// A word in name or text.
    pub keyword: Option<String>,
    /// `Active` or `Inactive`; `None` for both.
    pub state: Option<String>,
    /// On hosts' own disks, or not.
    pub local: Option<bool>,
    /// Encrypted, or not.
    pub encrypted: Option<bool>,
    /// Kept for this zone, or for none.
    pub zone_id: Option<i64>,
    /// Kept for this domain.
    pub domain_id: Option<i64>,
    /// Who looks; `None` sees all.
    pub viewer: Option<Viewer>,
    /// For system machines; service offerings only.
    pub system: bool,
}

impl OfferingFilter {
    fn for_disks(&self) -> Condition {
        let mut condition = Condition::living();
        condition.and("t.compute_only = 0", []);
        self.narrow(&mut condition, DISK_DETAILS);
        condition.equal("t.use_local_storage", self.local);
        condition.equal("COALESCE(t.encrypt, 0)", self.encrypted);
        if self.viewer.is_some() {
            condition.and("t.display_offering = 1", []);
        }
        condition
    }

    /// `details` is the table with details and its column with the offering.
    fn narrow(&self, condition: &mut Condition, (details, owner): (&str, &str)) {
        condition.equal("t.id", self.id);
        condition.equal("t.name", self.name.as_ref());
        condition.contains(&["t.name", "t.display_text"], self.keyword.as_deref());
        condition.equal("t.state", self.state.as_ref());
        let detail = |name: &str| format!("SELECT {owner} FROM {details} WHERE name = '{name}'");
        if let Some(id) = self.zone_id {
            let zone = detail("zoneid");
            let text = format!("(t.id NOT IN ({zone}) OR t.id IN ({zone} AND value = ?))");
            condition.and(&text, [Value::from(id.to_string())]);
        }
        if let Some(id) = self.domain_id {
            condition.and(&format!("t.id IN ({} AND value = ?)", detail("domainid")), [Value::from(id.to_string())]);
        }
        if let Some(viewer) = &self.viewer {
            let paths = viewer.paths();
            let marks = vec!["?"; paths.len()].join(", ");
            let or_below = if viewer.with_below { format!(" OR {}", below("d.path")) } else { String::new() };
            let text = format!(
                "(t.id NOT IN ({}) OR t.id IN (SELECT x.{owner} FROM {details} x JOIN domain d ON x.name = 'domainid' \
                 AND d.id = x.value + 0 WHERE d.path IN ({marks}){or_below}))",
                detail("domainid")
            );
            let mut args: Vec<Value> = paths.into_iter().map(Value::from).collect();
            if viewer.with_below {
                args.push(Value::from(&viewer.path));
            }
            condition.and(&text, args);
        }
    }
}

/// Where the details of offerings are.
const DISK_DETAILS: (&str, &str) = ("disk_offering_details", "offering_id");
const SERVICE_DETAILS: (&str, &str) = ("service_offering_details", "service_offering_id");

/// The domains and zones that an offering is kept for, and its details that are shown.
#[derive(Clone, Debug, Default)]
pub struct Reserved {
    /// Public ids and paths.
    pub domains: Vec<(String, String)>,
    /// Public ids and names.
    pub zones: Vec<(String, String)>,
    /// Details by name.
    pub details: BTreeMap<String, String>,
}

impl Store {
    /// How many disk offerings there are, and the ids of a page.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`]; the same holds for all functions of this file.
    pub async fn disk_offerings_page(
        &self,
        filter: &OfferingFilter,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        self.page("disk_offering t", &filter.for_disks(), "t.sort_key, t.id", window).await
    }

    /// All disk offerings that match, in their order.
    ///
    /// # Errors
    /// See [`Store::disk_offerings_page`].
    pub async fn disk_offerings_matching(&self, filter: &OfferingFilter) -> Result<Vec<DiskOffering>, StoreError> {
        let condition = filter.for_disks();
        let sql = format!("{DISK_OFFERING} t WHERE {} ORDER BY t.sort_key, t.id", condition.shown());
        self.db().rows(&sql, condition.args).await?.iter().map(disk_offering).collect()
    }

    /// Disk offerings.
    ///
    /// # Errors
    /// See [`Store::disk_offerings_page`].
    pub async fn disk_offering_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        self.wide_rows("SELECT * FROM disk_offering WHERE id IN ({ids})", ids).await
    }

    /// How many service offerings there are, and the ids of a page.
    ///
    /// # Errors
    /// See [`Store::disk_offerings_page`].
    pub async fn service_offerings_page(
        &self,
        filter: &OfferingFilter,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        let mut condition = Condition::living();
        condition.equal("t.system_use", Some(filter.system));
        filter.narrow(&mut condition, SERVICE_DETAILS);
        self.page("service_offering t", &condition, "t.sort_key, t.id", window).await
    }

    /// The service offerings that match and that a machine may change to, in their order. `local` says whether its ROOT disk
    /// is on a host's own disks.
    ///
    /// Another one than its own, for the same kind of storage, with at least the same tags for disks, and as strict about
    /// the disk offering, which is the same where it is strict. A running machine can only grow, and only into what may
    /// grow just as well as it may itself. The recorded case `listServiceOfferings-vm` shows no more of it.
    ///
    /// # Errors
    /// See [`Store::disk_offerings_page`].
    pub async fn service_offerings_for(
        &self,
        filter: &OfferingFilter,
        vm: &Vm,
        local: bool,
    ) -> Result<Vec<i64>, StoreError> {
        let (_, ids) = self.service_offerings_page(filter, Window::default()).await?;
        let Some(own) =
            self.service_offering_rows(&[vm.service_offering_id]).await?.first().map(Size::of).transpose()?
        else {
            return Ok(ids);
        };
        let mut found = Vec::new();
        for row in self.service_offering_rows(&ids).await? {
            let other = Size::of(&row)?;
            if other.local == local && own.may_become(&other, vm.state == VmState::Running) {
                found.push(other.id);
            }
        }
        Ok(found)
    }

    /// Service offerings with their disk offerings.
    ///
    /// # Errors
    /// See [`Store::disk_offerings_page`].
    pub async fn service_offering_rows(&self, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let sql = "SELECT s.*, d.uuid AS disk_uuid, d.name AS disk_name, d.display_text AS disk_text, d.use_local_storage, \
            d.provisioning_type, d.disk_size, d.encrypt, d.tags FROM service_offering s \
            LEFT JOIN disk_offering d ON d.id = s.disk_offering_id WHERE s.id IN ({ids})";
        self.wide_rows(sql, ids).await
    }

    /// What offerings are kept for and their details, by internal id. `of_disks` says which kind of offerings.
    ///
    /// # Errors
    /// See [`Store::disk_offerings_page`].
    pub async fn offerings_reserved(&self, of_disks: bool, ids: &[i64]) -> Result<HashMap<i64, Reserved>, StoreError> {
        let (details, owner) = if of_disks { DISK_DETAILS } else { SERVICE_DETAILS };
        let sql = format!(
            "SELECT x.{owner} AS owner, x.name, x.value, x.display, d.uuid AS domain_uuid, d.path, z.uuid AS zone_uuid, \
             z.name AS zone_name FROM {details} x LEFT JOIN domain d ON x.name = 'domainid' AND d.id = x.value + 0 \
             LEFT JOIN data_center z ON x.name = 'zoneid' AND z.id = x.value + 0 WHERE x.{owner} IN ({{ids}}) ORDER BY x.id"
        );
        let mut all: HashMap<i64, Reserved> = HashMap::new();
        for row in self.rows_of(&sql, ids, &[]).await? {
            let reserved = all.entry(row.get("owner")?).or_default();
            match row.get::<String>("name")?.as_str() {
                "domainid" => {
                    let found: (Option<String>, Option<String>) = (row.get("domain_uuid")?, row.get("path")?);
                    reserved.domains.extend(found.0.zip(found.1));
                }
                "zoneid" => {
                    let found: (Option<String>, Option<String>) = (row.get("zone_uuid")?, row.get("zone_name")?);
                    reserved.zones.extend(found.0.zip(found.1));
                }
                name => {
                    if row.get::<Option<bool>>("display")?.unwrap_or(true) {
                        reserved.details.insert(name.to_owned(), row.get("value")?);
                    }
                }
            }
        }
        Ok(all)
    }
}

/// What decides whether a machine of one service offering may be given another.
struct Size {
    id: i64,
    /// Every machine has numbers of its own.
    customized: bool,
    /// Processors, their speed and memory; `None` where the machine says it.
    numbers: [Option<i64>; 3],
    /// Whether a running machine may grow.
    can_grow: bool,
    /// Whether the disk offering may be no other.
    strict: bool,
    disk_offering: Option<i64>,
    local: bool,
    tags: Vec<String>,
}

impl Size {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let flag = |name: &str| Ok::<_, StoreError>(row.get::<Option<bool>>(name)?.unwrap_or_default());
        let tags = row.get::<Option<String>>("tags")?.unwrap_or_default();
        let tags = tags.split(',').map(str::trim).filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
        Ok(Self {
            id: row.get("id")?,
            customized: flag("customized")?,
            numbers: [row.get("cpu")?, row.get("speed")?, row.get("ram_size")?],
            can_grow: flag("dynamic_scaling_enabled")?,
            strict: flag("disk_offering_strictness")?,
            disk_offering: row.get("disk_offering_id")?,
            local: flag("use_local_storage")?,
            tags,
        })
    }

    fn may_become(&self, other: &Self, running: bool) -> bool {
        let is_another = other.id != self.id || self.customized;
        let is_as_strict = other.strict == self.strict && (!self.strict || other.disk_offering == self.disk_offering);
        // Where a number is the machine's own, there is nothing to compare.
        let is_no_smaller = self.numbers.iter().zip(other.numbers).all(|(own, other)| match (own, other) {
            (Some(own), Some(other)) => other >= *own,
            _ => true,
        });
        let fits_running = !running || (is_no_smaller && other.can_grow == self.can_grow);
        is_another && is_as_strict && fits_running && self.tags.iter().all(|tag| other.tags.contains(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_below_all_its_parents() {
        let viewer = |path: &str| Viewer { path: path.to_owned(), with_below: false }.paths();
        assert_eq!(viewer("/a/b/"), ["/", "/a/", "/a/b/"]);
        assert_eq!(viewer("/"), ["/"]);
    }
}
