//! From public ids to internal numbers.
//!
//! What is asked for with nearly every call is remembered for a moment: the numbers of what the estate is made of, which keeps
//! its public ids until it is removed, and the domains of accounts. What this process removes or moves is noticed at once.
//! Who has just asked for the number of a machine or disk is about to write an event about it: what the event says is read along.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::kept::{Kept, Look};
use super::{Store, StoreError, TableSet};
use crate::args;
use crate::model::entity::EntityKind;

/// For how long an answer of the database is used.
const FRESH: Duration = Duration::from_millis(500);
/// How many of each kind are remembered.
const MOST: usize = 16_384;
/// The domain of what belongs to nobody.
const ROOT_DOMAIN: i64 = 1;

/// What is remembered.
#[derive(Clone, Debug)]
pub(super) struct KnownIds {
    numbers: Arc<Kept<(EntityKind, String), i64>>,
    public: Arc<Kept<(EntityKind, i64), String>>,
    domains: Arc<Kept<i64, i64>>,
    labels: Arc<Kept<(EntityKind, i64), Label>>,
}

/// What an event says of a machine or disk. It names, and decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The public id; none of a row that gave it away.
    pub uuid: Option<String>,
    /// The account that it belongs to, internal id.
    pub account_id: i64,
}

impl Default for KnownIds {
    fn default() -> Self {
        Self {
            numbers: Arc::new(Kept::new(MOST)),
            public: Arc::new(Kept::new(MOST)),
            domains: Arc::new(Kept::new(MOST)),
            labels: Arc::new(Kept::new(MOST)),
        }
    }
}

/// Whether such rows keep their public ids until they are removed. A volume gives its id away when it is copied.
const fn is_lasting(entity: EntityKind) -> bool {
    matches!(entity, EntityKind::Zone | EntityKind::Cluster | EntityKind::Host | EntityKind::StoragePool)
}

/// Whether rows have a public id and an owner that events name.
const fn is_labelled(entity: EntityKind) -> bool {
    matches!(entity, EntityKind::Vm | EntityKind::Volume)
}

impl Store {
    /// The internal number of the row with this public id, also when it has been removed; `None` when there never was one.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn internal_id(&self, entity: EntityKind, uuid: &str) -> Result<Option<i64>, StoreError> {
        if entity == EntityKind::AsyncJob {
            return self.job_number(uuid).await;
        }
        if !is_lasting(entity) {
            return self.number_of(entity, uuid).await;
        }
        let reading = match self.ids.numbers.look(&(entity, uuid.to_owned()), self.standing_of(entity.table())) {
            Look::Known(number) => return Ok(Some(number)),
            Look::Read(reading) => reading,
        };
        let number = self.number_of(entity, uuid).await?;
        if let Some(number) = number {
            reading.keep(number, FRESH);
        }
        Ok(number)
    }

    /// The internal numbers of the rows with these public ids, by public id in small letters. Ids that there never were are
    /// left out.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn internal_ids(&self, entity: EntityKind, uuids: &[&str]) -> Result<HashMap<String, i64>, StoreError> {
        let sql = format!("SELECT uuid, id FROM `{}` WHERE uuid IN ({{uuids}})", entity.table());
        let rows = self.rows_of_uuids(&sql, uuids).await?;
        rows.iter().map(|row| Ok((row.at::<String>(0)?.to_ascii_lowercase(), row.at(1)?))).collect()
    }

    async fn number_of(&self, entity: EntityKind, uuid: &str) -> Result<Option<i64>, StoreError> {
        if is_labelled(entity) {
            return self.labelled(entity, uuid).await;
        }
        let sql = format!("SELECT id FROM `{}` WHERE uuid = ?", entity.table());
        self.db().row(&sql, args![uuid]).await?.map(|row| row.at(0)).transpose()
    }

    /// As [`Store::number_of`]; the label is read along.
    async fn labelled(&self, entity: EntityKind, uuid: &str) -> Result<Option<i64>, StoreError> {
        let standing = self.standing_of(entity.table());
        let sql = format!("SELECT id, account_id FROM `{}` WHERE uuid = ?", entity.table());
        let Some(row) = self.db().row(&sql, args![uuid]).await? else { return Ok(None) };
        let number = row.at(0)?;
        if let Look::Read(reading) = self.ids.labels.look(&(entity, number), standing) {
            reading.keep(Label { uuid: Some(uuid.to_owned()), account_id: row.at(1)? }, FRESH);
        }
        Ok(Some(number))
    }

    /// What an event says of a machine or disk, by its internal number; `None` when there is no such row.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn label(&self, entity: EntityKind, id: i64) -> Result<Option<Label>, StoreError> {
        let reading = match self.ids.labels.look(&(entity, id), self.standing_of(entity.table())) {
            Look::Known(label) => return Ok(Some(label)),
            Look::Read(reading) => reading,
        };
        let sql = format!("SELECT uuid, account_id FROM `{}` WHERE id = ?", entity.table());
        let Some(row) = self.db().row(&sql, args![id]).await? else { return Ok(None) };
        let label = Label { uuid: row.at(0)?, account_id: row.at(1)? };
        reading.keep(label.clone(), FRESH);
        Ok(Some(label))
    }

    /// The public id of the row with this internal number; `None` when there is no row or it gave its id away.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn public_id(&self, entity: EntityKind, id: i64) -> Result<Option<String>, StoreError> {
        if is_labelled(entity) {
            return Ok(self.label(entity, id).await?.and_then(|label| label.uuid));
        }
        if !is_lasting(entity) {
            return self.uuid_of(entity, id).await;
        }
        let reading = match self.ids.public.look(&(entity, id), self.standing_of(entity.table())) {
            Look::Known(uuid) => return Ok(Some(uuid)),
            Look::Read(reading) => reading,
        };
        let uuid = self.uuid_of(entity, id).await?;
        if let Some(uuid) = &uuid {
            reading.keep(uuid.clone(), FRESH);
        }
        Ok(uuid)
    }

    async fn uuid_of(&self, entity: EntityKind, id: i64) -> Result<Option<String>, StoreError> {
        let sql = format!("SELECT uuid FROM `{}` WHERE id = ?", entity.table());
        Ok(self.db().row(&sql, args![id]).await?.map(|row| row.at::<Option<String>>(0)).transpose()?.flatten())
    }

    /// The domain of an account, internal id; that of the root when there is no such account.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn account_domain(&self, account_id: i64) -> Result<i64, StoreError> {
        let reading = match self.ids.domains.look(&account_id, self.standing_of("account")) {
            Look::Known(domain) => return Ok(domain),
            Look::Read(reading) => reading,
        };
        let row = self.db().row("SELECT domain_id FROM account WHERE id = ?", args![account_id]).await?;
        let Some(domain) = row.map(|row| row.at::<Option<i64>>(0)).transpose()?.flatten() else {
            return Ok(ROOT_DOMAIN);
        };
        reading.keep(domain, FRESH);
        Ok(domain)
    }

    fn standing_of(&self, table: &str) -> u64 {
        self.db().writes().standing(TableSet::of(&[table]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_removed_is_not_remembered() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let pool = EntityKind::StoragePool;
        let insert = "INSERT INTO storage_pool (id, uuid, name, pool_type, port, data_center_id, path, host_address) \
            VALUES (7, 'p', 'p', 'SMB', 445, 1, '/p', 'fs')";
        assert_eq!(store.internal_id(pool, "p").await.unwrap(), None);
        store.db().run(insert, args![]).await.unwrap();
        assert_eq!(store.internal_id(pool, "p").await.unwrap(), Some(7));
        assert_eq!(store.public_id(pool, 7).await.unwrap().as_deref(), Some("p"));
        let remove = "UPDATE storage_pool SET uuid = NULL, removed = '2026-01-01 00:00:00' WHERE id = 7";
        store.db().run(remove, args![]).await.unwrap();
        assert_eq!(store.internal_id(pool, "p").await.unwrap(), None);
        assert_eq!(store.public_id(pool, 7).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_disk_that_gives_its_id_away_is_labelled_anew() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let volume = EntityKind::Volume;
        let insert = "INSERT INTO volumes (id, uuid, name, account_id, domain_id, size, data_center_id, volume_type, \
            disk_offering_id, state) VALUES (7, 'v', 'v', 3, 1, 1, 1, 'ROOT', 1, 'Ready'), (8, NULL, 'w', 4, 1, 1, 1, 'ROOT', 1, 'Migrating')";
        store.db().run(insert, args![]).await.unwrap();
        let label = |uuid: Option<&str>, account_id| Some(Label { uuid: uuid.map(str::to_owned), account_id });
        assert_eq!(store.internal_id(volume, "v").await.unwrap(), Some(7));
        assert_eq!(store.label(volume, 7).await.unwrap(), label(Some("v"), 3));
        assert_eq!(store.label(volume, 8).await.unwrap(), label(None, 4));
        store.db().run("UPDATE volumes SET uuid = NULL WHERE id = 7", args![]).await.unwrap();
        store.db().run("UPDATE volumes SET uuid = 'v' WHERE id = 8", args![]).await.unwrap();
        assert_eq!(store.internal_id(volume, "v").await.unwrap(), Some(8));
        assert_eq!(store.label(volume, 7).await.unwrap(), label(None, 3));
        assert_eq!(store.label(volume, 8).await.unwrap(), label(Some("v"), 4));
        assert_eq!(store.label(volume, 9).await.unwrap(), None);
    }

    #[tokio::test]
    async fn many_ids_are_looked_up_together() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.bootstrap().await.unwrap();
        store.db().run("UPDATE account SET uuid = 'AbC' WHERE id = 1", args![]).await.unwrap();
        store.db().run("UPDATE account SET uuid = 'd' WHERE id = 2", args![]).await.unwrap();
        let many: Vec<String> = (0..2000).map(|number| format!("nobody's {number}")).collect();
        let uuids: Vec<&str> = many.iter().map(String::as_str).chain(["abc", "d"]).collect();
        let known = store.internal_ids(EntityKind::Account, &uuids).await.unwrap();
        assert_eq!(known, HashMap::from([("abc".to_owned(), 1), ("d".to_owned(), 2)]));
        assert_eq!(store.internal_ids(EntityKind::Account, &[]).await.unwrap(), HashMap::new());
    }

    #[tokio::test]
    async fn an_account_that_moves_is_followed() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        store.bootstrap().await.unwrap();
        assert_eq!(store.account_domain(2).await.unwrap(), 1);
        store.db().run("UPDATE account SET domain_id = 5 WHERE id = 2", args![]).await.unwrap();
        assert_eq!(store.account_domain(2).await.unwrap(), 5);
        assert_eq!(store.account_domain(999).await.unwrap(), 1, "nobody's");
    }
}
