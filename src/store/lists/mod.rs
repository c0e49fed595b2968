//! The SQL of the lists. A list is made in two steps: the ids of one page from the narrow table, then the wide rows of
//! these ids only. What hangs on the rows (tags, details, network cards, jobs) is fetched by one statement per page.
//!
//! One file per noun. Wide rows are handed out as [`Row`]; the views know the names of their columns.

mod accounts;
mod capabilities;
mod catalog;
mod configurations;
mod counts;
mod drift;
mod events;
mod extras;
mod feed;
mod figures;
mod hosts;
mod jobs;
mod keys;
mod leftovers;
mod limits;
mod motions;
mod offerings;
mod owner;
mod project_roles;
mod projects;
mod roles;
mod servers;
mod storage_pools;
mod systems;
mod tags;
mod templates;
mod users;
mod virtual_machines;
mod volumes;
mod zones;

use std::borrow::Cow;
use std::collections::HashMap;

use super::value::{Row, Value};
use super::{Store, StoreError};
use crate::model::{Timestamp, signed};

pub use accounts::{AccountFilter, DomainFilter, Machines};
pub use capabilities::CapabilityChange;
pub use catalog::{CapacityFilter, Counted, GuestOsFilter};
pub use configurations::{SettingFilter, SettingScope};
pub(super) use counts::Counts;
use counts::Listing;
pub use drift::DriftFilter;
pub use events::{AlertFilter, EventFilter, PutAway};
pub use extras::ResourceKind;
pub use feed::{EventMark, NewsFilter};
pub use figures::{HostFigures, HostGroup, HostMachines, InUse, Promised, UpOf};
pub use hosts::HostFilter;
pub use keys::{KeyFilter, PublicHalf};
pub use leftovers::LeftoverFilter;
pub use limits::{Holder, ResourceUse};
pub use motions::MotionFilter;
pub use offerings::{OfferingFilter, Reserved, Viewer};
pub use owner::{Owners, Projects};
pub use project_roles::{ProjectMember, ProjectPlace, ProjectRoleFilter};
pub use projects::ProjectFilter;
pub use roles::RoleFilter;
pub use storage_pools::StoragePoolFilter;
pub use systems::SystemMachineFilter;
pub use tags::TagListFilter;
pub use templates::TemplateFilter;
pub use users::UserFilter;
pub use virtual_machines::VirtualMachineFilter;
pub use volumes::VolumeFilter;
pub use zones::{ClusterFilter, PodFilter, ZoneFilter};

/// The most ids that one statement is given: far below what either database can bind.
const IDS_PER_STATEMENT: usize = 512;

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Entries to leave out from the start.
    pub offset: i64,
    /// The most entries; `None` means all.
    pub limit: Option<i64>,
    /// True when only the number of entries is wanted.
    pub count_only: bool,
}

/// A tag that an entry must have: key, and value if it matters.
pub type TagFilter = (Option<String>, Option<String>);

/// A condition under construction: texts joined with AND, and their arguments in order.
#[derive(Clone, Debug, Default)]
struct Condition {
    text: String,
    args: Vec<Value>,
    alive: bool,
    rare: bool,
    hidden: Vec<Hidden>,
}

/// Entries that are left out, few of many: how a row that stays and one that goes is told. Neither has arguments.
#[derive(Clone, Copy, Debug)]
struct Hidden {
    stays: &'static str,
    goes: &'static str,
}

/// Says that the path of a domain in this column begins with the one that is bound. Not LIKE: `_` and `%` are letters of a
/// domain's name, and would let a neighbour's things be seen.
pub(super) fn below(column: &str) -> String {
    format!("instr({column}, ?) = 1")
}

impl Condition {
    /// Begins with entries that have not been removed.
    fn living() -> Self {
        Self { alive: true, ..Self::default() }
    }

    /// Says that few rows are meant, which an index on one of the columns finds. Without this, SQLite, which knows nothing
    /// of the values, would rather walk through all living rows in the order of the list.
    fn rare(&mut self) {
        self.rare = true;
    }

    /// Leaves entries out.
    fn hide(&mut self, stays: &'static str, goes: &'static str) {
        self.hidden.push(Hidden { stays, goes });
    }

    /// What stands after WHERE, for the entries that are shown.
    fn shown(&self) -> String {
        let stays: Vec<&str> = self.hidden.iter().map(|hidden| hidden.stays).collect();
        self.joined(self.rare, &stays)
    }

    /// The same with these texts instead of those about entries that are left out. `rare` keeps the index on `removed` out
    /// of the way: a sign before a column means nothing but that.
    fn joined(&self, rare: bool, more: &[&str]) -> String {
        let alive = match (self.alive, rare) {
            (false, _) => "",
            (true, false) => "t.removed IS NULL",
            (true, true) => "+t.removed IS NULL",
        };
        let parts: Vec<&str> = [alive, self.text.as_str()]
            .into_iter()
            .chain(more.iter().copied())
            .filter(|part| !part.is_empty())
            .collect();
        if parts.is_empty() { "1 = 1".to_owned() } else { parts.join(" AND ") }
    }

    /// Adds a condition with its arguments.
    fn and(&mut self, text: &str, args: impl IntoIterator<Item = Value>) {
        if !self.text.is_empty() {
            self.text.push_str(" AND ");
        }
        self.text.push_str(text);
        self.args.extend(args);
    }

    /// Adds `column = value` when there is a value.
    fn equal<T: Into<Value>>(&mut self, column: &str, value: Option<T>) {
        if let Some(value) = value {
            self.and(&format!("{column} = ?"), [value.into()]);
        }
    }

    /// Adds a condition on an id when there is one.
    fn inside(&mut self, text: &str, id: Option<i64>) {
        if let Some(id) = id {
            self.and(text, [id.into()]);
        }
    }

    /// Adds where machines are: on a host of a cluster, with a disk in a pool, with a card in a network.
    fn placed(&mut self, cluster_id: Option<i64>, pool_id: Option<i64>, network_id: Option<i64>) {
        self.inside("t.host_id IN (SELECT id FROM host WHERE cluster_id = ?)", cluster_id);
        self.inside("t.id IN (SELECT instance_id FROM volumes WHERE pool_id = ? AND removed IS NULL)", pool_id);
        self.inside("t.id IN (SELECT instance_id FROM nics WHERE network_id = ? AND removed IS NULL)", network_id);
    }

    /// Adds that a domain is the root of a tree or below it, when there is a tree: the path of its root.
    fn in_tree(&mut self, column: &str, tree: Option<&str>) {
        if let Some(path) = tree {
            self.and(&format!("{column} IN (SELECT id FROM domain WHERE {})", below("path")), [path.into()]);
        }
    }

    /// Adds a time from and until, each when there is one.
    fn between(&mut self, column: &str, from: Option<Timestamp>, until: Option<Timestamp>) {
        for (sign, time) in [(">=", from), ("<=", until)] {
            if let Some(time) = time {
                self.and(&format!("{column} {sign} ?"), [time.into()]);
            }
        }
    }

    /// Adds a choice of ids when there is one. No id at all matches nothing.
    fn one_of(&mut self, column: &str, ids: Option<&[i64]>) {
        match ids {
            None => {}
            Some([]) => self.and("1 = 0", []),
            Some(ids) => {
                let marks = vec!["?"; ids.len()].join(", ");
                self.and(&format!("{column} IN ({marks})"), ids.iter().map(|id| Value::from(*id)));
            }
        }
    }

    /// Adds a search for a word inside any of the columns. `%` and `_` in the word match anything, as in CloudStack.
    fn contains(&mut self, columns: &[&str], word: Option<&str>) {
        if let Some(word) = word {
            let parts: Vec<String> = columns.iter().map(|column| format!("{column} LIKE ?")).collect();
            let pattern = Value::from(format!("%{word}%"));
            self.and(&format!("({})", parts.join(" OR ")), vec![pattern; columns.len()]);
        }
    }
}

#[cfg(test)]
impl Condition {
    /// How SQLite would find a page of a table, newest entries first.
    async fn plan(&self, store: &Store, table: &str) -> String {
        let shown = self.shown();
        let sql = format!("SELECT t.id FROM {table} t WHERE {shown} ORDER BY t.created DESC, t.id DESC LIMIT 20");
        store.plan(&sql, self.args.clone()).await
    }
}

impl Store {
    /// The ids of a page, and how many entries there are in all.
    ///
    /// `from` is what stands after FROM; its first table is named `t`. `order` is what stands after ORDER BY.
    async fn page(
        &self,
        from: &'static str,
        condition: &Condition,
        order: &'static str,
        window: Window,
    ) -> Result<(i64, Vec<i64>), StoreError> {
        let list = Listing { from, condition: Cow::Borrowed(condition), order };
        let mut ids = Vec::new();
        if !window.count_only && window.limit != Some(0) {
            if let Some(found) = self.far_page(&list, window).await? {
                return Ok(found);
            }
            let mut sql = format!("SELECT t.id FROM {from} WHERE {} ORDER BY {order}", condition.shown());
            let mut args = condition.args.clone();
            if let Some(limit) = window.limit {
                sql.push_str(" LIMIT ? OFFSET ?");
                args.extend([limit.into(), window.offset.into()]);
            }
            let rows = self.db().rows(&sql, args).await?;
            ids = rows.iter().map(|row| row.at(0)).collect::<Result<Vec<i64>, _>>()?;
            let found = signed(ids.len());
            // A page that is not full is the last one: what was seen is what there is.
            if window.limit.is_none_or(|limit| found < limit) && (found > 0 || window.offset == 0) {
                return Ok((window.offset + found, ids));
            }
        }
        Ok((self.known(&list).await?.count, ids))
    }

    /// How many entries there are: those of which few are left out, less those. An index counts either without a look at
    /// the rows, which asking every row whether it is left out could not.
    async fn count(&self, from: &str, condition: &Condition) -> Result<i64, StoreError> {
        let number = async |text: String| -> Result<i64, StoreError> {
            let sql = format!("SELECT COUNT(*) FROM {from} WHERE {text}");
            self.db().row(&sql, condition.args.clone()).await?.map_or(Ok(0), |row| row.at(0))
        };
        if condition.rare {
            return number(condition.shown()).await;
        }
        let mut count = number(condition.joined(false, &[])).await?;
        let mut before = Vec::new();
        for hidden in &condition.hidden {
            let mut texts = before.clone();
            texts.push(hidden.goes);
            count -= number(condition.joined(true, &texts)).await?;
            before.push(hidden.stays);
        }
        Ok(count)
    }

    /// The rows that `sql` gives for these ids, in any order. `sql` has `{ids}` where the list of ids belongs.
    pub(in crate::store) async fn rows_of(
        &self,
        sql: &str,
        ids: &[i64],
        before: &[Value],
    ) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::with_capacity(ids.len());
        for part in ids.chunks(IDS_PER_STATEMENT) {
            // The number of marks is a power of two, so that few different texts have to be prepared.
            let marks = part.len().next_power_of_two();
            let text = sql.replace("{ids}", &vec!["?"; marks].join(", "));
            let padding = std::iter::repeat_n(part.last(), marks - part.len()).flatten();
            let mut args = before.to_vec();
            args.extend(part.iter().chain(padding).map(|id| Value::from(*id)));
            rows.extend(self.db().wide_rows(&text, args).await?);
        }
        Ok(rows)
    }

    /// The rows that `sql` gives for these ids, in the order of the ids; ids without a row are left out. `sql` gives a
    /// column `id`.
    async fn wide_rows(&self, sql: &str, ids: &[i64]) -> Result<Vec<Row>, StoreError> {
        let mut by_id = HashMap::with_capacity(ids.len());
        for row in self.rows_of(sql, ids, &[]).await? {
            by_id.insert(row.get::<i64>("id")?, row);
        }
        Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
    }
}
