//! What this process wrote, table by table, so that what was read before can be known to be still so.
//!
//! Every statement that changes rows passes through [`super::Db::run`] or [`super::Tx::run`]. Its first words tell the table;
//! the counter of that table is advanced once the change can be seen. Whoever keeps something that it read takes the counters
//! before it reads, and throws away what it kept when they are others. What other processes write is not seen here.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tables with a counter of their own. All others share the last one.
const TABLES: [&str; 33] = [
    "account",
    "account_details",
    "api_keypair",
    "api_keypair_permissions",
    "async_job",
    "cluster",
    "configuration",
    "data_center",
    "domain",
    "domain_details",
    "host",
    "host_pod_ref",
    "host_tags",
    "motion_cancel",
    "motion_job",
    "motion_migration",
    "motion_submission",
    "nics",
    "project_account",
    "project_role",
    "project_role_permissions",
    "projects",
    "resource_tags",
    "role_permissions",
    "roles",
    "storage_pool",
    "user",
    "user_details",
    "user_vm",
    "vm_instance",
    "vm_template",
    "volume_details",
    "volumes",
];

/// One counter per table, and one for all that have none.
const COUNTERS: usize = TABLES.len() + 1;
const OTHERS: TableSet = TableSet(1 << TABLES.len());
const ALL: TableSet = TableSet((1 << COUNTERS) - 1);

/// Columns that say where a row belongs: whether it is there, by what name clients know it, of what kind, whose, and where. They
/// change seldom, unlike states, and most lists look at no others.
pub(super) const STANDING: [&str; 11] = [
    "id",
    "uuid",
    "removed",
    "created",
    "type",
    "account_id",
    "domain_id",
    "data_center_id",
    "cluster_id",
    "instance_id",
    "hypervisor_type",
];

/// A set of tables, as small as a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSet(u64);

impl TableSet {
    /// The tables with these names. One without a counter of its own stands for all of those.
    #[must_use]
    pub fn of(names: &[&str]) -> Self {
        names.iter().fold(Self::default(), |set, name| set.with(Self::named(name)))
    }

    fn named(name: &str) -> Self {
        TABLES.binary_search(&name).map_or(OTHERS, |index| Self(1 << index))
    }

    /// These and those.
    pub(super) fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn indexes(self) -> impl Iterator<Item = usize> {
        (0..COUNTERS).filter(move |index| self.0 >> index & 1 == 1)
    }
}

/// The tables that statements changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// Those with any change.
    any: TableSet,
    /// Those to which rows were added, from which some were taken, or whose rows have another standing ([`STANDING`]).
    standing: TableSet,
}

impl Touched {
    /// Everything: nothing is known of the statement.
    const EVERYTHING: Self = Self { any: ALL, standing: ALL };

    /// What a statement changes, by its text. What is not understood changes everything.
    pub(super) fn by(sql: &str) -> Self {
        let mut words = Words { sql, at: 0 };
        let first = words.next().unwrap_or_default();
        let is = |word: &str| first.eq_ignore_ascii_case(word);
        let table = match () {
            () if is("SELECT") || is("EXPLAIN") || is("PRAGMA") => return Self::default(),
            () if is("INSERT") || is("REPLACE") || is("UPDATE") => words.past_modifiers(&["INTO"]),
            () if is("DELETE") => words.past_modifiers(&["FROM"]),
            () => return Self::EVERYTHING,
        };
        let Some(table) = table else { return Self::EVERYTHING };
        let any = TableSet::named(table);
        if !is("UPDATE") {
            return Self { any, standing: any };
        }
        // Anything else than SET would be a second table or another name.
        if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("SET")) {
            return Self::EVERYTHING;
        }
        let is_standing = words.up_to_where().any(|word| STANDING.contains(&word));
        Self { any, standing: if is_standing { any } else { TableSet::default() } }
    }

    /// Whether one of these tables is among them.
    pub(super) fn is_any_of(self, tables: TableSet) -> bool {
        self.any.0 & tables.0 != 0
    }

    /// Adds what another statement changes.
    pub(super) fn add(&mut self, other: Self) {
        self.any = self.any.with(other.any);
        self.standing = self.standing.with(other.standing);
    }
}

/// The words of a statement, without the signs between them and without backticks.
struct Words<'a> {
    sql: &'a str,
    at: usize,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = &self.sql[self.at..];
        let start = rest.find(is_letter)?;
        let rest = &rest[start..];
        let length = rest.find(|letter| !is_letter(letter)).unwrap_or(rest.len());
        self.at += start + length;
        Some(&rest[..length])
    }
}

fn is_letter(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

impl<'a> Words<'a> {
    /// The first word that is no modifier: the table.
    fn past_modifiers(&mut self, more: &[&str]) -> Option<&'a str> {
        const MODIFIERS: [&str; 5] = ["IGNORE", "LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK"];
        loop {
            let word = self.next()?;
            if word.eq_ignore_ascii_case("OR") {
                self.next()?;
            } else if !MODIFIERS.iter().chain(more).any(|modifier| word.eq_ignore_ascii_case(modifier)) {
                return Some(word);
            }
        }
    }

    /// The words before the WHERE of the statement itself, not of one inside it.
    fn up_to_where(mut self) -> impl Iterator<Item = &'a str> {
        let mut depth = 0i32;
        std::iter::from_fn(move || {
            let before = self.at;
            let word = self.next()?;
            for sign in self.sql[before..self.at - word.len()].chars() {
                depth += i32::from(sign == '(') - i32::from(sign == ')');
            }
            (depth != 0 || !word.eq_ignore_ascii_case("WHERE")).then_some(word)
        })
    }
}

/// The counters. They only grow.
#[derive(Debug)]
pub struct Writes {
    any: [AtomicU64; COUNTERS],
    standing: [AtomicU64; COUNTERS],
}

impl Default for Writes {
    fn default() -> Self {
        Self { any: std::array::from_fn(|_| AtomicU64::new(0)), standing: std::array::from_fn(|_| AtomicU64::new(0)) }
    }
}

impl Writes {
    /// A number that is another one after every change to any of these tables. Take it before reading what is to be kept.
    #[must_use]
    pub fn generation(&self, tables: TableSet) -> u64 {
        Self::sum(&self.any, tables)
    }

    /// A number that is another one after rows were added to or taken from any of these tables, and after rows changed
    /// in what says where they belong: `removed`, kind, owner, place. A new state or load leaves it as it is.
    #[must_use]
    pub fn standing(&self, tables: TableSet) -> u64 {
        Self::sum(&self.standing, tables)
    }

    fn sum(counters: &[AtomicU64; COUNTERS], tables: TableSet) -> u64 {
        tables.indexes().map(|index| counters[index].load(Ordering::SeqCst)).sum()
    }

    fn advance(&self, touched: Touched) {
        for (counters, tables) in [(&self.any, touched.any), (&self.standing, touched.standing)] {
            for index in tables.indexes() {
                counters[index].fetch_add(1, Ordering::SeqCst);
            }
        }
    }

    /// Advances the counters when the guard is dropped: also when the change failed, or nobody waits for its end any more,
    /// as it may have been made all the same.
    pub(super) fn once_done(&self, touched: Touched) -> Advance<'_> {
        Advance { writes: self, touched }
    }
}

/// See [`Writes::once_done`].
#[must_use]
pub(super) struct Advance<'a> {
    writes: &'a Writes,
    touched: Touched,
}

impl Drop for Advance<'_> {
    fn drop(&mut self) {
        self.writes.advance(self.touched);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;
    use crate::store::Db;

    #[test]
    fn the_tables_are_in_order() {
        assert!(TABLES.is_sorted());
    }

    #[test]
    fn statements_are_understood_by_their_first_words() {
        let standing = |table| Touched { any: TableSet::of(&[table]), standing: TableSet::of(&[table]) };
        let state = |table| Touched { any: TableSet::of(&[table]), standing: TableSet::default() };
        for (sql, touched) in [
            ("INSERT INTO host (id) VALUES (?)", standing("host")),
            ("insert ignore into `user`(id) VALUES (1)", standing("user")),
            ("INSERT OR REPLACE INTO roles (id) VALUES (?)", standing("roles")),
            ("REPLACE INTO volumes (id) VALUES (?)", standing("volumes")),
            ("\n  DELETE FROM api_keypair WHERE id = ?", standing("api_keypair")),
            ("UPDATE vm_instance SET state = ? WHERE id = ? AND removed IS NULL", state("vm_instance")),
            ("UPDATE `host` SET `removed` = ? WHERE id = ?", standing("host")),
            ("UPDATE host SET a = (SELECT b FROM c WHERE d = 1), removed = 2 WHERE id = 1", standing("host")),
            ("UPDATE volumes SET path = 'a' WHERE id IN (SELECT instance_id FROM nics)", state("volumes")),
            ("UPDATE volumes v SET v.path = 'a'", Touched::EVERYTHING),
            ("TRUNCATE volumes", Touched::EVERYTHING),
            ("UPDATE motion_node SET epoch = 1", state("motion_node")),
            ("SELECT id FROM host FOR UPDATE", Touched::default()),
        ] {
            assert_eq!(Touched::by(sql), touched, "{sql}");
        }
        assert_eq!(TableSet::of(&["motion_node"]), TableSet::of(&["event"]));
    }

    #[tokio::test]
    async fn a_change_counts_when_it_is_committed_and_for_its_tables_only() {
        let db = Db::open("sqlite::memory:").await.unwrap();
        let (hosts, settings) = (TableSet::of(&["host"]), TableSet::of(&["configuration", "volumes"]));
        let seen = |tables| (db.writes().generation(tables), db.writes().standing(tables));
        let (before_hosts, before_settings) = (seen(hosts), seen(settings));
        let mut tx = db.begin().await.unwrap();
        tx.run("UPDATE host SET status = 'Up' WHERE id = ?", args![1]).await.unwrap();
        assert_eq!(seen(hosts), before_hosts, "not before the commit");
        tx.commit().await.unwrap();
        let after = seen(hosts);
        assert!(after.0 > before_hosts.0 && after.1 == before_hosts.1);
        let mut tx = db.begin().await.unwrap();
        tx.run("DELETE FROM host WHERE id = ?", args![1]).await.unwrap();
        tx.roll_back().await;
        assert_eq!(seen(hosts), after, "nothing was done");
        db.run("DELETE FROM host WHERE id = ?", args![1]).await.unwrap();
        assert!(seen(hosts).1 > after.1);
        assert_eq!(seen(settings), before_settings);
        db.run("UPDATE volumes SET nothing = 1", vec![]).await.unwrap_err();
        assert!(seen(settings).0 > before_settings.0, "what failed may have been done");
    }
}
