//! A source as a management server leaves it, and a target with its vault.

use stackmotion::import::{ImportError, Report, import};
use stackmotion::model::Secret;
use stackmotion::store::{CloudCipher, CloudForm, Hands, Value, Vault};
use tempfile::TempDir;

use crate::support::database::{self, Database};
use crate::support::world::seed;

/// `hunter2`, encrypted with the database key `password`; how it was made stands beside the cipher's own tests.
pub const V1: &str = "AQIDBAUGBwgN8hSKqXndaQ==";
pub const V2: &str = "AAECAwQFBgcICQoLAt+AeDbQlT6gXKtlYq3djsMDEUjCSOM=";

/// The recorded rows with a version; nothing is on its way.
pub async fn source() -> Database {
    let source = database::mariadb().await;
    seed(&source.store).await;
    for sql in [
        "CREATE TABLE version (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, version char(40), updated datetime, \
         step char(32))",
        "INSERT INTO version (version, updated, step) VALUES ('4.22.1.0', '2026-01-01 00:00:00', 'Complete')",
        "INSERT INTO version (version, updated, step) VALUES ('4.23.0.0', '2026-02-01 00:00:00', 'Complete')",
        "UPDATE volumes SET state = 'Ready' WHERE state = 'Migrating'",
        "UPDATE vm_instance SET state = 'Running' WHERE state = 'Migrating'",
    ] {
        sql_at(&source, sql).await;
    }
    source
}

/// Runs a statement, and gives how many rows it met.
pub async fn sql_at(database: &Database, sql: &str) -> u64 {
    database.store.db().run(sql, vec![]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).rows
}

/// The number that a statement gives.
pub async fn number(database: &Database, sql: &str) -> i64 {
    database.store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap()
}

/// The text that a statement gives.
pub async fn text(database: &Database, sql: &str) -> Option<String> {
    let row = database.store.db().row(sql, Vec::<Value>::new()).await.unwrap().unwrap();
    row.at(0).unwrap()
}

pub struct Target {
    pub database: Database,
    pub folder: TempDir,
}

impl Target {
    pub fn new(database: Database) -> Self {
        Self { database, folder: tempfile::tempdir().unwrap() }
    }

    pub async fn vault(&self) -> Vault {
        Vault::of_database(self.database.store.db(), &self.folder.path().join("secrets.key")).await.unwrap()
    }

    pub async fn import(&self, url: &str, db_key: Option<&str>) -> Result<Report, ImportError> {
        let vault = self.vault().await;
        let cipher = db_key.map(|key| CloudCipher::new(Secret::new(key.to_owned()), CloudForm::Either));
        import(url, &self.database.store, Hands { vault: &vault, cipher: cipher.as_ref() }, |_, _| ()).await
    }
}
