//! Going through all secrets of a database: sealing what is plain, changing the key, saying what there is, giving up.
//!
//! Everything goes in batches, a transaction each, and changes a value only if it still is what was read. So it can be
//! ended at any point and begun again, and gateways may work on the database meanwhile.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::places::Held;
use super::{Key, KeyRing, PLACES, Place, Vault, VaultError, keys, open, parts, seal};
use crate::args;
use crate::store::{Db, StoreError, transact};

/// Rows of a batch.
const BATCH: i64 = 500;
/// After so many values the progress is told.
const TOLD_EVERY: u64 = 10_000;
/// How many rows that do not open are named.
const NAMED: usize = 20;
/// A rotation that meets values under the old key at its very end goes round so many times.
const ROUNDS: usize = 10;

/// How far a walk through all secrets is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Table and column.
    pub place: String,
    /// Values that were changed there so far.
    pub changed: u64,
}

/// What a place holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PlaceReport {
    /// Table and column.
    pub place: String,
    /// Values that open, by the id of their key.
    pub sealed: BTreeMap<String, u64>,
    /// Values that are not sealed.
    pub plain: u64,
    /// Values whose key the file does not have, by the id of the key.
    pub unknown: BTreeMap<String, u64>,
    /// Values that do not open although their key is there.
    pub broken: u64,
    /// The first rows of those that do not open, for whatever reason.
    pub rows: Vec<String>,
}

impl PlaceReport {
    /// Values that cannot be read.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.broken + self.unknown.values().sum::<u64>()
    }
}

/// What a rotation did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotated {
    /// The id of the key that everything is sealed with now.
    pub key: String,
    /// Whether it ended a rotation that was interrupted before, so that no new key was made.
    pub resumed: bool,
    /// Values that were sealed anew.
    pub changed: u64,
    /// Keys that were taken out of the file.
    pub removed: Vec<String>,
    /// Keys that are still in the file, because values that do not open name them.
    pub kept: Vec<String>,
}

/// What becomes of one value.
enum Step {
    Keep,
    Put(String),
}

impl Vault {
    /// The vault of a database: its key file is read, or made when there is none and nothing was sealed yet.
    ///
    /// # Errors
    /// [`StoreError::Vault`] when the key file is missing, wrong or cannot be used; nothing was changed then.
    pub async fn of_database(db: &Db, path: &Path) -> Result<Self, StoreError> {
        if verify_keys(db, path).await?.is_none() {
            let vault = Self::create(path)?;
            tracing::warn!(
                file = %path.display(), key = %vault.key_ids().concat(),
                "the secrets in the database are sealed with a new key in this file: keep a copy of it, apart from copies of \
                 the database; every gateway on this database needs the same file"
            );
            return Ok(vault);
        }
        Ok(Self::read(path)?)
    }

    /// Seals every plain secret. Gives how many there were.
    ///
    /// # Errors
    /// [`StoreError`]; what was sealed until then stays sealed.
    pub async fn seal_plain(&self, db: &Db, mut told: impl FnMut(&Progress)) -> Result<u64, StoreError> {
        let mut all = 0;
        for place in PLACES {
            let ring = self.refreshed()?;
            let step = |held: &Held, secret: &str| match parts(secret) {
                Some(_) => Ok(Step::Keep),
                None => Ok(Step::Put(seal(ring.newest(), place, &held.row, secret))),
            };
            all += walk(db, place, &format!("NOT ({})", place.sealed(None)), step, &mut told).await?;
        }
        Ok(all)
    }

    /// Changes the key: adds a new one to the file, seals everything with it, and takes the old ones out of the file once
    /// nothing uses them. When there is more than one key already, a rotation was interrupted: that one is ended, without
    /// another key. Gateways that run meanwhile use the new key from the moment it is in the file.
    ///
    /// # Errors
    /// [`StoreError`]; calling it again goes on.
    pub async fn rotate(&self, db: &Db, mut told: impl FnMut(&Progress)) -> Result<Rotated, StoreError> {
        let _alone = keys::lock(&self.path)?;
        let before = self.refreshed()?;
        let mut rotated = Rotated { resumed: before.keys.len() > 1, ..Rotated::default() };
        if !rotated.resumed {
            let keys: Vec<Key> = std::iter::once(Key::random()).chain(before.keys.iter().cloned()).collect();
            keys::replace(&self.path, &keys)?;
        }
        let full = self.refreshed()?;
        rotated.key = full.newest().id.clone();
        rotated.changed = reseal(db, &full, &mut told).await?;
        for _ in 0..ROUNDS {
            let used = used_keys(db, &full).await?;
            let (kept, old): (Vec<Key>, Vec<Key>) =
                full.keys.iter().cloned().partition(|key| key.id == rotated.key || used.contains(&key.id));
            keys::replace(&self.path, &kept)?;
            self.refreshed()?;
            // A gateway that sealed a value just before the new key was there may have committed it only now.
            let late = reseal(db, &full, &mut told).await?;
            rotated.changed += late;
            if late == 0 {
                let ids = |keys: &[Key]| keys.iter().map(|key| key.id.clone()).collect::<Vec<_>>();
                rotated.removed = ids(&old);
                rotated.kept = ids(&kept).into_iter().filter(|id| *id != rotated.key).collect();
                return Ok(rotated);
            }
            keys::replace(&self.path, &full.keys)?;
            self.refreshed()?;
        }
        Err(VaultError::Busy { path: self.path.clone() }.into())
    }

    /// Looks at every secret and changes nothing.
    ///
    /// # Errors
    /// See [`Db::rows`].
    pub async fn check(&self, db: &Db) -> Result<Vec<PlaceReport>, StoreError> {
        let ring = self.refreshed()?;
        let mut reports = Vec::new();
        for place in PLACES {
            let mut report = PlaceReport { place: place.name(), ..PlaceReport::default() };
            let mut at = place.start();
            loop {
                let rows = db.rows(&place.select("1 = 1"), vec![at.clone(), BATCH.into()]).await?;
                for row in &rows {
                    let held = place.held(row)?;
                    if let Some(secret) = place.secret(&held.text) {
                        look(&ring, place, &held.row, secret, &mut report);
                    }
                    at = held.at;
                }
                if rows.len() < BATCH as usize {
                    break;
                }
            }
            reports.push(report);
        }
        Ok(reports)
    }
}

/// Makes sure that a key file has every key that a value of the database was sealed with, as far as their ids tell. Gives
/// the ids of its keys; none when there is no file and nothing was sealed.
///
/// # Errors
/// [`StoreError::Vault`] with [`VaultError::Missing`], [`VaultError::Unknown`], or why the file cannot be used.
pub async fn verify_keys(db: &Db, path: &Path) -> Result<Option<Vec<String>>, StoreError> {
    let known = KeyRing::read(path)?;
    let ids: Vec<&str> = known.iter().flat_map(|ring| &ring.keys).map(|key| key.id.as_str()).collect();
    for place in PLACES {
        let Some(key) = foreign_key(db, place, &ids).await? else { continue };
        let (path, place) = (path.to_owned(), place.name());
        return Err(match known {
            None => VaultError::Missing { path, key, place },
            Some(_) => VaultError::Unknown { path, key, place },
        }
        .into());
    }
    Ok(known.map(|ring| ring.keys.into_iter().map(|key| key.id).collect()))
}

/// Gives up every secret that does not open with the keys of a file, or with none when there is no file: the values are
/// emptied. Gives how many there were. Keys whose secret is empty sign nothing, second factors without a key let nobody in.
///
/// # Errors
/// [`StoreError`]; what was given up until then is gone.
pub async fn forget_lost(db: &Db, path: &Path, mut told: impl FnMut(&Progress)) -> Result<u64, StoreError> {
    let ring = KeyRing::read(path)?;
    let mut all = 0;
    for place in PLACES {
        let step = |held: &Held, secret: &str| {
            let Some(parts) = parts(secret) else { return Ok(Step::Keep) };
            let key = ring.as_ref().and_then(|ring| ring.find(parts.key));
            let opens = key.is_some_and(|key| open(key, place, &held.row, &parts).is_ok());
            Ok(if opens { Step::Keep } else { Step::Put(String::new()) })
        };
        all += walk(db, place, &place.sealed(None), step, &mut told).await?;
    }
    Ok(all)
}

/// Counts a value.
fn look(ring: &KeyRing, place: &Place, row: &str, secret: &str, report: &mut PlaceReport) {
    let Some(parts) = parts(secret) else {
        report.plain += 1;
        return;
    };
    let id = parts.key.to_owned();
    match ring.find(parts.key).map(|key| open(key, place, row, &parts)) {
        Some(Ok(_)) => {
            *report.sealed.entry(id).or_default() += 1;
            return;
        }
        Some(Err(_)) => report.broken += 1,
        None => *report.unknown.entry(id).or_default() += 1,
    }
    if report.rows.len() < NAMED {
        report.rows.push(row.replace('\0', ", "));
    }
}

/// Seals everything that opens and is not sealed with the newest key. What does not open stays as it is.
async fn reseal(db: &Db, ring: &Arc<KeyRing>, told: &mut impl FnMut(&Progress)) -> Result<u64, StoreError> {
    let mut all = 0;
    for place in PLACES {
        let step = |held: &Held, secret: &str| {
            let newest = ring.newest();
            let Some(parts) = parts(secret) else {
                return Ok(Step::Put(seal(newest, place, &held.row, secret)));
            };
            let opened = ring.find(parts.key).filter(|key| key.id != newest.id);
            let opened = opened.and_then(|key| open(key, place, &held.row, &parts).ok());
            Ok(opened.map_or(Step::Keep, |secret| Step::Put(seal(newest, place, &held.row, secret.expose()))))
        };
        all += walk(db, place, &format!("NOT ({})", place.sealed(Some(&ring.newest().id))), step, told).await?;
    }
    Ok(all)
}

/// The ids of the keys of a ring that any value names.
async fn used_keys(db: &Db, ring: &KeyRing) -> Result<Vec<String>, StoreError> {
    let mut used = Vec::new();
    for key in &ring.keys {
        for place in PLACES {
            let sql = place.select(&place.sealed(Some(&key.id)));
            if db.row(&sql, vec![place.start(), 1.into()]).await?.is_some() {
                used.push(key.id.clone());
                break;
            }
        }
    }
    Ok(used)
}

/// The id of a key that is not among the known ones, if a value of a place was sealed with such a one.
async fn foreign_key(db: &Db, place: &'static Place, known: &[&str]) -> Result<Option<String>, StoreError> {
    let others: Vec<_> = known.iter().map(|id| format!(" AND NOT ({})", place.sealed(Some(id)))).collect();
    let sql = place.select(&format!("{}{}", place.sealed(None), others.concat()));
    for row in db.rows(&sql, vec![place.start(), BATCH.into()]).await? {
        let held = place.held(&row)?;
        if let Some(parts) = place.secret(&held.text).and_then(parts) {
            return Ok(Some(parts.key.to_owned()));
        }
    }
    Ok(None)
}

/// Goes through the values of a place for which a condition holds, and puts what `step` says in their stead. Gives how many
/// were changed.
async fn walk(
    db: &Db,
    place: &'static Place,
    condition: &str,
    step: impl Fn(&Held, &str) -> Result<Step, VaultError>,
    told: &mut impl FnMut(&Progress),
) -> Result<u64, StoreError> {
    let (select, update) = (place.select(condition), place.update());
    let mut at = place.start();
    let mut progress = Progress { place: place.name(), changed: 0 };
    let mut last_told = 0;
    loop {
        let (rows, changed, next) = transact!(db, StoreError, |tx| {
            let rows = tx.rows(&select, args![at.clone(), BATCH]).await?;
            let (mut changed, mut next) = (0, at.clone());
            for row in &rows {
                let held = place.held(row)?;
                next = held.at.clone();
                let Some(secret) = place.secret(&held.text) else { continue };
                if let Step::Put(secret) = step(&held, secret)? {
                    let text = place.with_secret(&held.text, &secret);
                    changed += tx.run(&update, args![text, held.at, held.text]).await?.rows;
                }
            }
            Ok((rows.len(), changed, next))
        })?;
        at = next;
        progress.changed += changed;
        let is_last = rows < BATCH as usize;
        if progress.changed >= last_told + TOLD_EVERY || (is_last && progress.changed > last_told) {
            last_told = progress.changed;
            told(&progress);
        }
        if is_last {
            return Ok(progress.changed);
        }
    }
}
