//! What is remembered of lists: how many entries match, and which entries stand deep inside.
//!
//! A count of a million rows takes as long as thousands of pages, and so does finding the nine thousandth page. Both are kept
//! for a list (its SQL and arguments) as long as nothing in this process has written to its tables, which is seen at once
//! ([`Writes`]), and for two seconds at the most, as others may write too. Within these two seconds it is counted again beside
//! the requests, so that a list that is asked for often never waits. Many who wait for one count share it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Condition, Window};
use crate::model::signed;
use crate::store::value::{Row, Value};
use crate::store::writes::{STANDING, TableSet, Writes};
use crate::store::{Store, StoreError};

/// How old a count is when it is counted again beside the request.
const AGING: Duration = Duration::from_millis(1_000);
/// How old a count may be: foreign changes are seen within this time.
const OLDEST: Duration = Duration::from_millis(2_000);
/// How many lists are remembered, and how long the text of one may be.
const MOST_LISTS: usize = 512;
const LONGEST_LIST: usize = 4_096;
/// A page that begins behind so many entries is looked for from a place that is remembered.
const FAR: i64 = 1_000;
/// How many places are remembered of a list, and how many are found again when it is counted again.
const MOST_PLACES: usize = 256;
const MOST_NEEDED: usize = 64;

/// A list: its table, its condition, its order.
#[derive(Clone, Debug)]
pub(super) struct Listing<'a> {
    pub(super) from: &'static str,
    pub(super) condition: std::borrow::Cow<'a, Condition>,
    pub(super) order: &'static str,
}

/// An order in which an entry's place can be told by its columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    /// By id.
    Id,
    /// By id, the newest first.
    NewestId,
    /// By the time at which it was made, the newest first, then by id.
    Newest,
}

impl Order {
    fn of(order: &str) -> Option<Self> {
        match order {
            "t.id" => Some(Self::Id),
            "t.id DESC" => Some(Self::NewestId),
            "t.created DESC, t.id DESC" => Some(Self::Newest),
            _ => None,
        }
    }

    /// What an entry's place is told by.
    const fn columns(self) -> &'static str {
        match self {
            Self::Id | Self::NewestId => "t.id",
            Self::Newest => "t.id, t.created",
        }
    }

    /// The condition that entries from this one on fulfil, and its arguments. Nothing for an entry whose place is not told.
    fn onwards(self, place: &Place) -> Option<(&'static str, Vec<Value>)> {
        let id = Value::from(place.id);
        match (self, &place.created) {
            (Self::Id, _) => Some(("t.id >= ?", vec![id])),
            (Self::NewestId, _) => Some(("t.id <= ?", vec![id])),
            (Self::Newest, Value::Null) => None,
            // Said so that the first half is a range of an index in either database.
            (Self::Newest, created) => {
                Some(("t.created <= ? AND (t.created < ? OR t.id <= ?)", vec![created.clone(), created.clone(), id]))
            }
        }
    }

    fn place(self, row: &Row) -> Result<Place, StoreError> {
        let created =
            if self == Self::Newest { row.values.get(1).cloned().unwrap_or(Value::Null) } else { Value::Null };
        Ok(Place { id: row.at(0)?, created })
    }
}

/// An entry, by what it is ordered by.
#[derive(Clone, Debug)]
struct Place {
    id: i64,
    created: Value,
}

/// What was found of a list at one moment.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) count: i64,
    /// That of the list's tables, before it was counted.
    generation: u64,
    counted: Instant,
    /// Entries by how many stand before them, and whether something was looked for from there.
    places: Mutex<BTreeMap<i64, (Place, bool)>>,
}

impl Known {
    /// The last remembered entry at or before a position.
    fn before(&self, position: i64) -> Option<(i64, Place)> {
        let mut places = lock(&self.places);
        places.range_mut(..=position).next_back().map(|(at, (place, is_used))| {
            *is_used = true;
            (*at, place.clone())
        })
    }

    fn remember(&self, position: i64, place: Place) {
        let mut places = lock(&self.places);
        if places.len() >= MOST_PLACES {
            places.pop_first();
        }
        places.entry(position).or_insert((place, false));
    }
}

#[derive(Debug, Default)]
struct Entry {
    known: Mutex<Option<Arc<Known>>>,
    /// Whoever has it counts.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What is remembered of all lists.
#[derive(Clone, Debug, Default)]
pub(in crate::store) struct Counts(Arc<Mutex<HashMap<String, Arc<Entry>>>>);

impl Counts {
    /// What is remembered of a list, and how many lists are: nothing for one that is too long.
    fn entry(&self, key: String) -> Arc<Entry> {
        if key.len() > LONGEST_LIST {
            return Arc::default();
        }
        let mut lists = lock(&self.0);
        if lists.len() >= MOST_LISTS && !lists.contains_key(&key) {
            lists.retain(|_, entry| lock(&entry.known).as_ref().is_none_or(|known| known.counted.elapsed() < OLDEST));
            if lists.len() >= MOST_LISTS {
                lists.clear();
            }
        }
        Arc::clone(lists.entry(key).or_default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a list's entries are decided by: whether changes of states matter, or only of what [`STANDING`] names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Watch {
    standing: TableSet,
    any: TableSet,
}

/// Words of a condition that are no columns.
const NO_COLUMNS: [&str; 16] = [
    "SELECT", "FROM", "JOIN", "LEFT", "ON", "WHERE", "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "BETWEEN", "AS",
    "DISTINCT",
];

impl Watch {
    /// Reads it from what stands after FROM. Columns of the list's table are written `t.column`; others belong to the tables
    /// of what is selected inside. A word that is not known counts as a column that changes often.
    fn of(from: &str) -> Self {
        let (mut inner, mut is_table, mut is_first) = (Vec::new(), true, true);
        let mut main = TableSet::default();
        let (mut main_stands, mut inner_stand) = (true, true);
        // What is in quotes is a value.
        for part in from.split('\'').step_by(2) {
            let words = part.split(|letter: char| !(letter.is_alphanumeric() || matches!(letter, '_' | '.' | '`')));
            for word in words.map(|word| word.trim_matches('`')).filter(|word| !word.is_empty()) {
                if is_table {
                    let table = TableSet::of(&[word]);
                    if is_first {
                        main = table
                    } else {
                        inner.push(table)
                    }
                    (is_table, is_first) = (false, false);
                } else if word == "FROM" || word == "JOIN" {
                    is_table = true;
                } else if let Some(column) = word.strip_prefix("t.") {
                    main_stands &= STANDING.contains(&column);
                } else {
                    let is_no_column = word == "t" || NO_COLUMNS.contains(&word) || word.parse::<i64>().is_ok();
                    inner_stand &= is_no_column || STANDING.contains(&word);
                }
            }
        }
        let mut watch = Self::default();
        watch.add(main, main_stands);
        inner.into_iter().for_each(|table| watch.add(table, inner_stand));
        watch
    }

    fn add(&mut self, table: TableSet, stands: bool) {
        let set = if stands { &mut self.standing } else { &mut self.any };
        *set = set.with(table);
    }

    fn generation(self, writes: &Writes) -> u64 {
        writes.standing(self.standing) + writes.generation(self.any)
    }
}

impl Listing<'_> {
    fn tail(&self) -> String {
        format!("FROM {} WHERE {}", self.from, self.condition.shown())
    }

    fn owned(&self) -> Listing<'static> {
        Listing { condition: std::borrow::Cow::Owned(self.condition.clone().into_owned()), ..*self }
    }
}

impl Store {
    /// What is known of a list: as it is now for changes of this process, and not older than [`OLDEST`] for those of others.
    pub(super) async fn known(&self, list: &Listing<'_>) -> Result<Arc<Known>, StoreError> {
        let tail = list.tail();
        let watch = Watch::of(tail.trim_start_matches("FROM "));
        let entry = self.counts.entry(format!("{tail} {} {:?}", list.order, list.condition.args));
        let current = || {
            let generation = watch.generation(self.db().writes());
            lock(&entry.known)
                .clone()
                .filter(|known| known.generation == generation && known.counted.elapsed() < OLDEST)
        };
        if let Some(known) = current() {
            if known.counted.elapsed() >= AGING
                && let Ok(turn) = Arc::clone(&entry.turn).try_lock_owned()
            {
                let (store, list, entry, known) = (self.clone(), list.owned(), Arc::clone(&entry), Arc::clone(&known));
                tokio::spawn(async move {
                    let _turn = turn;
                    // Whoever asks next counts for itself, and is told what is wrong.
                    if let Ok(newer) = store.look(&list, watch, &known).await {
                        *lock(&entry.known) = Some(newer);
                    }
                });
            }
            return Ok(known);
        }
        let _turn = entry.turn.lock().await;
        // Who had the turn before may have counted what is asked for here.
        if let Some(known) = current() {
            return Ok(known);
        }
        let known = Arc::new(self.counted(list, watch).await?);
        *lock(&entry.known) = Some(Arc::clone(&known));
        Ok(known)
    }

    async fn counted(&self, list: &Listing<'_>, watch: Watch) -> Result<Known, StoreError> {
        let (counted, generation) = (Instant::now(), watch.generation(self.db().writes()));
        let count = self.count(list.from, &list.condition).await?;
        Ok(Known { count, generation, counted, places: Mutex::default() })
    }

    /// Counts again, and finds the places again that somebody needed since it was counted before.
    async fn look(&self, list: &Listing<'_>, watch: Watch, before: &Known) -> Result<Arc<Known>, StoreError> {
        let known = self.counted(list, watch).await?;
        let Some(order) = Order::of(list.order) else { return Ok(Arc::new(known)) };
        let used: Vec<i64> =
            lock(&before.places).iter().filter(|(_, (_, is_used))| *is_used).map(|(at, _)| *at).collect();
        for &position in &used[used.len().saturating_sub(MOST_NEEDED)..] {
            if let Some(row) = self.far_rows(list, order, &known, (position, 1)).await?.first() {
                known.remember(position, order.place(row)?);
            }
        }
        Ok(Arc::new(known))
    }

    /// A page deep inside a list, and how many entries there are in all: nothing when it has to be found by walking through
    /// all that stand before it.
    pub(super) async fn far_page(
        &self,
        list: &Listing<'_>,
        window: Window,
    ) -> Result<Option<(i64, Vec<i64>)>, StoreError> {
        let (Some(order), Some(limit)) = (Order::of(list.order).filter(|_| window.offset >= FAR), window.limit) else {
            return Ok(None);
        };
        let known = self.known(list).await?;
        let expected = limit.min(known.count - window.offset);
        if expected <= 0 {
            return Ok(Some((known.count, Vec::new())));
        }
        let rows = self.far_rows(list, order, &known, (window.offset, limit)).await?;
        let ids = rows.iter().map(|row| row.at(0)).collect::<Result<Vec<i64>, _>>()?;
        // Entries without a time stand where no place leads.
        if signed(ids.len()) < expected {
            return Ok(None);
        }
        for (position, row) in [(0, rows.first()), (signed(ids.len()) - 1, rows.last())] {
            if let Some(row) = row {
                known.remember(window.offset + position, order.place(row)?);
            }
        }
        Ok(Some((known.count, ids)))
    }

    /// `limit` entries from a position on, looked for from the nearest place before it.
    async fn far_rows(
        &self,
        list: &Listing<'_>,
        order: Order,
        known: &Known,
        (position, limit): (i64, i64),
    ) -> Result<Vec<Row>, StoreError> {
        let mut args = list.condition.args.clone();
        let (mut more, mut skipped) = (String::new(), position);
        if let Some((at, place)) = known.before(position)
            && let Some((text, values)) = order.onwards(&place)
        {
            more = format!(" AND {text}");
            args.extend(values);
            skipped = position - at;
        }
        args.extend([limit.into(), skipped.into()]);
        let sql = format!("SELECT {} {}{more} ORDER BY {} LIMIT ? OFFSET ?", order.columns(), list.tail(), list.order);
        self.db().rows(&sql, args).await
    }
}
