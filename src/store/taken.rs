//! Rows that are taken over from a CloudStack database, a page at a time, under their own ids
//! (`contract/entities.md 3.29`).

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest as _, Sha256};

use super::{
    CloudCipher, PLACES, Place, Row, Source, SourceError, Store, StoreError, Tx, Value, Vault, migrations, transact,
};
use crate::args;
use crate::model::{Secret, Timestamp};

/// Rows of a page.
const PAGE: i64 = 500;

/// A table that is taken over.
#[derive(Clone, Copy, Debug)]
pub struct TakenTable {
    /// Its name.
    pub name: &'static str,
    /// Which of its rows.
    rows: &'static str,
    /// Whether an installation may lack it.
    pub is_optional: bool,
}

const fn all(name: &'static str) -> TakenTable {
    TakenTable { name, rows: "1 = 1", is_optional: false }
}

const fn living(name: &'static str) -> TakenTable {
    some(name, "removed IS NULL")
}

const fn some(name: &'static str, rows: &'static str) -> TakenTable {
    TakenTable { name, rows, is_optional: false }
}

const fn optional(name: &'static str) -> TakenTable {
    TakenTable { name, rows: "1 = 1", is_optional: true }
}

const OF_HOSTS: &str = "host_id IN (SELECT id FROM host WHERE removed IS NULL AND type = 'Routing')";
const OF_POOLS: &str = "pool_id IN (SELECT id FROM storage_pool WHERE removed IS NULL)";
const USER_VMS: &str = "SELECT id FROM vm_instance WHERE removed IS NULL AND type = 'User'";

/// All of them, each after those that it points to.
pub static TAKEN: [TakenTable; 44] = [
    living("data_center"),
    living("host_pod_ref"),
    living("cluster"),
    some("cluster_details", "cluster_id IN (SELECT id FROM cluster WHERE removed IS NULL)"),
    some("host", "removed IS NULL AND type = 'Routing'"),
    some("host_details", OF_HOSTS),
    some("host_tags", OF_HOSTS),
    living("storage_pool"),
    some("storage_pool_details", OF_POOLS),
    some("storage_pool_tags", OF_POOLS),
    some("storage_pool_host_ref", OF_POOLS),
    some(
        "disk_offering",
        "removed IS NULL OR id IN (SELECT disk_offering_id FROM volumes WHERE removed IS NULL) OR id IN \
         (SELECT disk_offering_id FROM service_offering)",
    ),
    some(
        "service_offering",
        "removed IS NULL OR id IN (SELECT service_offering_id FROM vm_instance WHERE removed IS NULL)",
    ),
    all("service_offering_details"),
    all("disk_offering_details"),
    living("domain"),
    optional("domain_details"),
    living("account"),
    all("account_details"),
    living("user"),
    all("user_details"),
    living("roles"),
    all("role_permissions"),
    living("api_keypair"),
    all("api_keypair_permissions"),
    living("projects"),
    optional("project_account"),
    all("guest_os_category"),
    all("guest_os"),
    living("networks"),
    some("vm_template", "removed IS NULL OR id IN (SELECT vm_template_id FROM vm_instance WHERE removed IS NULL)"),
    some("vm_instance", "removed IS NULL AND type = 'User'"),
    some("user_vm", "id IN (SELECT id FROM vm_instance WHERE removed IS NULL AND type = 'User')"),
    some("vm_instance_details", "vm_id IN (SELECT id FROM vm_instance WHERE removed IS NULL AND type = 'User')"),
    some(
        "nics",
        "removed IS NULL AND instance_id IN (SELECT id FROM vm_instance WHERE removed IS NULL AND type = 'User')",
    ),
    some("volumes", "removed IS NULL AND state <> 'Expunged'"),
    living("snapshots"),
    living("vm_snapshots"),
    all("affinity_group"),
    all("affinity_group_vm_map"),
    all("resource_limit"),
    all("resource_count"),
    optional("resource_tags"),
    all("op_host_capacity"),
];

/// Columns that tell what a management server sees at the moment. What this gateway sees itself is not overwritten, and a
/// row in which nothing else is different has not changed.
const SEEN: [(&str, &[&str]); 3] = [
    (
        "host",
        &[
            "status",
            "mgmt_server_id",
            "last_mgmt_server_id",
            "last_ping",
            "disconnected",
            "update_count",
            "lastUpdated",
        ],
    ),
    ("vm_instance", &["power_state", "power_state_update_time", "power_state_update_count", "power_host"]),
    ("op_host_capacity", &["update_time"]),
];

/// What became of the rows of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Rows that were not here.
    pub added: u64,
    /// Rows that had changed at the source.
    pub updated: u64,
    /// Rows that had not.
    pub same: u64,
    /// Rows that are not at the source any more, and were removed here.
    pub gone: u64,
    /// Rows that stay as they are here although the source has others: id and why.
    pub kept: Vec<(i64, &'static str)>,
    /// What was left out, with the number of times.
    pub left: BTreeMap<&'static str, u64>,
}

/// What the secrets of rows are opened and sealed with.
#[derive(Clone, Copy, Debug)]
pub struct Hands<'a> {
    /// The vault of the target.
    pub vault: &'a Vault,
    /// The source's key, where it was given.
    pub cipher: Option<&'a CloudCipher>,
}

const NO_KEY: &str = "a secret that is encrypted: give cloudstack.db_key to have it taken";
const WRONG_KEY: &str = "a secret that does not open with cloudstack.db_key";
const MOVED: &str = "moved here since the last import";
const MADE_HERE: &str = "a row with this id was made here";
const REMOVED_HERE: &str = "removed here";

/// A row on its way.
struct Ready {
    id: i64,
    uuid: Option<String>,
    values: Vec<Value>,
    digest: String,
    /// The columns with secrets and their sealed texts.
    secrets: Vec<(&'static str, Value)>,
}

impl TakenTable {
    fn columns(&self) -> Vec<&'static str> {
        migrations::columns_of(self.name)
    }

    /// The columns that are this gateway's own to see.
    fn seen(&self) -> &'static [&'static str] {
        SEEN.iter().find(|(table, _)| *table == self.name).map_or(&[], |(_, columns)| columns)
    }

    fn select(&self, limit: i64) -> String {
        let columns: Vec<_> = self.columns().iter().map(|column| format!("`{column}`")).collect();
        format!(
            "SELECT {} FROM `{}` WHERE id > ? AND ({}) ORDER BY id LIMIT {limit}",
            columns.join(", "),
            self.name,
            self.rows
        )
    }

    /// Makes sure that the source has the table with all columns, and that it may be read.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn probe(&self, source: &mut Source) -> Result<(), SourceError> {
        source.rows(self.name, &self.select(0), &[0]).await.map(drop)
    }

    /// Takes over all rows. `run` tells this import from earlier ones; `told` hears after each page how many rows there were.
    ///
    /// # Errors
    /// [`TakeError`]; pages until then stay taken.
    pub async fn take(
        &self,
        source: &mut Source,
        target: &Store,
        hands: Hands<'_>,
        run: i64,
        mut told: impl FnMut(u64),
    ) -> Result<Taken, TakeError> {
        let (columns, select) = (self.columns(), self.select(PAGE));
        let (mut taken, mut after, mut seen) = (Taken::default(), 0, 0);
        loop {
            let rows = source.rows(self.name, &select, &[after]).await?;
            let mut ready = Vec::with_capacity(rows.len());
            for row in &rows {
                after = row.get("id")?;
                ready.extend(self.prepare(row, &columns, hands, &mut taken.left)?);
            }
            let page = transact!(target, StoreError, |tx| { self.put(tx, &ready, &columns, run).await })?;
            taken.added += page.added;
            taken.updated += page.updated;
            taken.same += page.same;
            taken.kept.extend(page.kept);
            seen += rows.len() as u64;
            told(seen);
            if rows.len() < PAGE as usize {
                break;
            }
        }
        taken.gone = self.remove_gone(target, run, &columns, &mut taken.kept).await?;
        Ok(taken)
    }

    /// The secrets of a row: the place, and which column it is.
    fn places<'a>(&'a self, row: &'a Row) -> impl Iterator<Item = &'static Place> + 'a {
        PLACES.into_iter().filter(|place| place.table() == self.name).filter(|_| {
            let name = row.get::<String>("name").unwrap_or_default();
            match self.name {
                "host_details" | "cluster_details" | "vm_instance_details" => name == "password",
                "storage_pool_details" => name.ends_with("password"),
                "account_details" | "domain_details" => crate::model::is_secret_name(&name),
                _ => true,
            }
        })
    }

    fn prepare(
        &self,
        row: &Row,
        columns: &[&'static str],
        hands: Hands<'_>,
        left: &mut BTreeMap<&'static str, u64>,
    ) -> Result<Option<Ready>, StoreError> {
        let mut values = row.values.clone();
        // A secret in the clear is not digested: a digest of a weak one could be guessed.
        let mut digested = row.values.clone();
        for (at, column) in columns.iter().enumerate() {
            if self.seen().contains(column) {
                digested[at] = Value::Null;
            }
            // The management server that talks to a host is none of the target's.
            if self.name == "host" && ["mgmt_server_id", "last_mgmt_server_id"].contains(column) {
                values[at] = Value::Null;
            }
        }
        let mut secrets = Vec::new();
        for place in self.places(row) {
            let Some(at) = columns.iter().position(|column| *column == place.column()) else { continue };
            let Some(text) = row.at::<Option<String>>(at)? else { continue };
            let Some(secret) = place.secret(&text) else { continue };
            let opened =
                match (place.is_encrypted_by_cloudstack() && CloudCipher::looks_encrypted(secret), hands.cipher) {
                    (false, _) => Ok(Secret::new(secret.to_owned())),
                    (true, None) => Err(NO_KEY),
                    (true, Some(cipher)) => cipher.open(secret).map_err(|_| WRONG_KEY),
                };
            let written = match opened {
                Ok(secret) => {
                    let sealed = hands.vault.seal(place, &place.row_name(row)?, &secret)?;
                    place.with_secret(&text, sealed.text())
                }
                Err(why) => {
                    *left.entry(why).or_default() += 1;
                    // A key pair or a detail is nothing without its secret; a pool or a machine is.
                    if self.name == "api_keypair" || place.column() == "value" {
                        return Ok(None);
                    }
                    place.with_secret(&text, "")
                }
            };
            digested[at] = Value::Text(place.with_secret(&text, ""));
            values[at] = Value::Text(written.clone());
            secrets.push((place.column(), Value::Text(written)));
        }
        let digest = Sha256::digest(format!("{digested:?}"));
        let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let uuid = row.get::<Option<String>>("uuid").unwrap_or_default();
        Ok(Some(Ready { id: row.get("id")?, uuid, values, digest, secrets }))
    }

    async fn put(&self, tx: &mut Tx, rows: &[Ready], columns: &[&'static str], run: i64) -> Result<Taken, StoreError> {
        let mut page = Taken::default();
        if rows.is_empty() {
            return Ok(page);
        }
        let ids = rows.iter().map(|row| row.id.to_string()).collect::<Vec<_>>().join(", ");
        let sql = format!("SELECT row_id, digest FROM motion_import WHERE table_name = ? AND row_id IN ({ids})");
        let imported: HashMap<i64, String> = tx
            .rows(&sql, args![self.name])
            .await?
            .iter()
            .map(|row| Ok((row.at(0)?, row.at(1)?)))
            .collect::<Result<_, StoreError>>()?;
        let here = numbers(tx, &format!("SELECT id FROM `{}` WHERE id IN ({ids})", self.name)).await?;
        let moved = self.moved(tx, &ids).await?;
        for row in rows {
            match imported.get(&row.id) {
                None if here.contains(&row.id) => page.kept.push((row.id, MADE_HERE)),
                None => match self.free_uuid(tx, row).await? {
                    Some(why) => page.kept.push((row.id, why)),
                    None => {
                        let values = columns.iter().copied().zip(row.values.iter().cloned()).collect();
                        tx.row_insert(self.name, values).await?;
                        let sql = "INSERT INTO motion_import (table_name, row_id, digest, run) VALUES (?, ?, ?, ?)";
                        tx.run(sql, args![self.name, row.id, &row.digest, run]).await?;
                        page.added += 1;
                    }
                },
                Some(_) if !here.contains(&row.id) => page.kept.push((row.id, REMOVED_HERE)),
                Some(digest) if *digest == row.digest => {
                    self.update(tx, row.id, &row.secrets).await?;
                    page.same += 1;
                }
                Some(_) if moved.contains(&row.id) => page.kept.push((row.id, MOVED)),
                Some(_) => match self.free_uuid(tx, row).await? {
                    Some(why) => page.kept.push((row.id, why)),
                    None => {
                        let values = columns.iter().copied().zip(row.values.iter().cloned());
                        let values: Vec<_> = values.filter(|(column, _)| !self.seen().contains(column)).collect();
                        self.update(tx, row.id, &values).await?;
                        let sql = "UPDATE motion_import SET digest = ? WHERE table_name = ? AND row_id = ?";
                        tx.run(sql, args![&row.digest, self.name, row.id]).await?;
                        page.updated += 1;
                    }
                },
            }
        }
        let sql = format!("UPDATE motion_import SET run = ? WHERE table_name = ? AND row_id IN ({ids})");
        tx.run(&sql, args![run, self.name]).await?;
        Ok(page)
    }

    async fn update(&self, tx: &mut Tx, id: i64, values: &[(&'static str, Value)]) -> Result<(), StoreError> {
        if values.is_empty() {
            return Ok(());
        }
        let set: Vec<_> = values.iter().map(|(column, _)| format!("`{column}` = ?")).collect();
        let mut args: Vec<_> = values.iter().map(|(_, value)| value.clone()).collect();
        args.push(id.into());
        tx.run(&format!("UPDATE `{}` SET {} WHERE id = ?", self.name, set.join(", ")), args).await?;
        Ok(())
    }

    /// Which of the rows a motion of this gateway has moved, or may have.
    async fn moved(&self, tx: &mut Tx, ids: &str) -> Result<HashSet<i64>, StoreError> {
        let sql = match self.name {
            "volumes" => format!(
                "SELECT d.volume_id FROM motion_disk d JOIN motion_migration m ON m.id = d.migration_id \
                 WHERE d.volume_id IN ({ids}) AND (m.outcome IS NULL OR m.outcome <> 'not-done')"
            ),
            "vm_instance" => format!(
                "SELECT vm_id FROM motion_migration WHERE vm_id IN ({ids}) AND (outcome IS NULL OR outcome <> 'not-done')"
            ),
            _ => return Ok(HashSet::new()),
        };
        numbers(tx, &sql).await
    }

    /// Makes room for a public id that another row has here, as that of a volume wanders to the row of its copy. Says why
    /// not when that row is not the source's to change.
    async fn free_uuid(&self, tx: &mut Tx, row: &Ready) -> Result<Option<&'static str>, StoreError> {
        let (Some(uuid), "volumes") = (&row.uuid, self.name) else { return Ok(None) };
        let sql = "SELECT v.id, i.row_id FROM volumes v LEFT JOIN motion_import i ON i.table_name = 'volumes' \
            AND i.row_id = v.id WHERE v.uuid = ? AND v.id <> ?";
        let Some(holder) = tx.row(sql, args![uuid, row.id]).await? else { return Ok(None) };
        let id: i64 = holder.at(0)?;
        if holder.at::<Option<i64>>(1)?.is_none() || self.moved(tx, &id.to_string()).await?.contains(&id) {
            return Ok(Some(MOVED));
        }
        tx.run("UPDATE volumes SET uuid = NULL WHERE id = ?", args![id]).await?;
        Ok(None)
    }

    /// Removes what an earlier run brought and this one did not see.
    async fn remove_gone(
        &self,
        target: &Store,
        run: i64,
        columns: &[&'static str],
        kept: &mut Vec<(i64, &'static str)>,
    ) -> Result<u64, StoreError> {
        let mut gone = 0;
        let mut after = 0;
        loop {
            let sql = "SELECT row_id FROM motion_import WHERE table_name = ? AND run <> ? AND row_id > ? ORDER BY row_id LIMIT ?";
            let rows = target.db().rows(sql, args![self.name, run, after, PAGE]).await?;
            let ids: Vec<i64> = rows.iter().map(|row| row.at(0)).collect::<Result<_, _>>()?;
            let Some(last) = ids.last() else { return Ok(gone) };
            after = *last;
            let list = ids.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
            let (removed, stay) = transact!(target, StoreError, |tx| {
                let moved = self.moved(tx, &list).await?;
                let mut removed = 0;
                for id in ids.iter().filter(|id| !moved.contains(id)) {
                    let sql = if columns.contains(&"removed") {
                        let sql = format!("UPDATE `{}` SET removed = ? WHERE id = ? AND removed IS NULL", self.name);
                        tx.run(&sql, args![Timestamp::now(), *id]).await?
                    } else {
                        tx.run(&format!("DELETE FROM `{}` WHERE id = ?", self.name), args![*id]).await?
                    };
                    removed += sql.rows;
                    if !columns.contains(&"removed") {
                        let sql = "DELETE FROM motion_import WHERE table_name = ? AND row_id = ?";
                        tx.run(sql, args![self.name, *id]).await?;
                    }
                }
                Ok((removed, moved))
            })?;
            gone += removed;
            kept.extend(stay.into_iter().map(|id| (id, MOVED)));
        }
    }
}

async fn numbers(tx: &mut Tx, sql: &str) -> Result<HashSet<i64>, StoreError> {
    tx.rows(sql, vec![]).await?.iter().map(|row| row.at(0)).collect()
}

/// Rows cannot be taken over.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The target cannot be written.
    #[error(transparent)]
    Target(#[from] StoreError),
}

/// What the source says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceState {
    /// The version of the schema, such as `4.23.0.0`.
    pub version: String,
    /// Whether the last upgrade was ended.
    pub is_complete: bool,
    /// Machines and volumes that are being moved.
    pub moving: i64,
    /// Jobs that are not ended.
    pub jobs: i64,
}

impl Source {
    /// Version, and what goes on.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn state(&mut self) -> Result<SourceState, TakeError> {
        let sql = "SELECT version, step FROM version ORDER BY id DESC LIMIT 1";
        let version = self.rows("version", sql, &[]).await?;
        let word = |at| version.first().map_or(Ok(None), |row| row.at::<Option<String>>(at));
        let (name, step) = (word(0)?.unwrap_or_default(), word(1)?.unwrap_or_default());
        let mut count = async |table, sql: &str| -> Result<i64, TakeError> {
            let rows = self.rows(table, sql, &[]).await?;
            Ok(rows.first().map_or(Ok(0), |row| row.at(0))?)
        };
        let vms = format!("SELECT COUNT(*) FROM vm_instance WHERE state = 'Migrating' AND id IN ({USER_VMS})");
        let volumes = "SELECT COUNT(*) FROM volumes WHERE state = 'Migrating' AND removed IS NULL";
        let moving = count("vm_instance", &vms).await? + count("volumes", volumes).await?;
        let jobs = "SELECT COUNT(*) FROM async_job WHERE job_status = 0 AND removed IS NULL";
        let jobs = count("async_job", jobs).await?;
        Ok(SourceState { version: name, is_complete: step == "Complete", moving, jobs })
    }
}

impl Store {
    /// The number of the next run of an import into this database; none when it has an installation of its own.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn next_import(&self) -> Result<Option<i64>, StoreError> {
        let row = self.db().row("SELECT COALESCE(MAX(run), 0) FROM motion_import", vec![]).await?;
        let last: i64 = row.map_or(Ok(0), |row| row.at(0))?;
        let is_used = self.db().row("SELECT id FROM account LIMIT 1", vec![]).await?.is_some();
        Ok((last > 0 || !is_used).then_some(last + 1))
    }
}
