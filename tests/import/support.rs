//! A source as a management server leaves it, and a target with its vault.

use stackmotion::import::{ImportError, Report, import};
use stackmotion::model::Secret;
use stackmotion::store::{CloudCipher, CloudForm, Hands, Store, Value, Vault};
use tempfile::TempDir;

use crate::attach::cloud::Cloud;
use crate::support::database::Database;

/// `hunter2`, encrypted with the database key `password`; how it was made stands beside the cipher's own tests.
pub const V1: &str = "AQIDBAUGBwgN8hSKqXndaQ==";
pub const V2: &str = "AAECAwQFBgcICQoLAt+AeDbQlT6gXKtlYq3djsMDEUjCSOM=";

/// The recorded rows; nothing is on its way.
pub async fn source() -> Cloud {
    let source = Cloud::recorded().await;
    source
        .0
        .sql(
            "UPDATE volumes SET state = 'Ready' WHERE state = 'Migrating'; \
             UPDATE vm_instance SET state = 'Running' WHERE state = 'Migrating'",
        )
        .await;
    source
}

/// The one value that a statement gives at the source; none for NULL.
pub async fn there(source: &Cloud, sql: &str) -> Option<String> {
    let text = source.0.sql(sql).await;
    text.lines().nth(1).filter(|value| *value != "NULL").map(str::to_owned)
}

/// The same for a number.
pub async fn number_there(source: &Cloud, sql: &str) -> i64 {
    there(source, sql).await.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{sql}"))
}

/// Runs a statement at the target, and makes sure that it met a row.
pub async fn run(database: &Database, sql: &str) {
    let done = database.store.db().run(sql, vec![]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    assert!(done.rows > 0, "{sql}");
}

/// The number that a statement gives at the target.
pub async fn number(database: &Database, sql: &str) -> i64 {
    database.store.db().row(sql, vec![]).await.unwrap().unwrap().at(0).unwrap()
}

/// The text that a statement gives at the target.
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

    /// The store with its vault, as a gateway has it.
    pub async fn store(&self) -> Store {
        self.database.store.clone().with_vault(self.vault().await.into())
    }

    /// The secret of a key pair, as a gateway reads it.
    pub async fn secret(&self, api_key: &str) -> String {
        let credential = self.store().await.credential_by_api_key(api_key).await.unwrap().unwrap();
        credential.secret.unwrap().expose().to_owned()
    }

    pub async fn import(&self, url: &str, db_key: Option<&str>) -> Result<Report, ImportError> {
        self.import_and_tell(url, db_key, |_, _| ()).await
    }

    /// The same, telling of every page.
    pub async fn import_and_tell(
        &self,
        url: &str,
        db_key: Option<&str>,
        told: impl FnMut(&'static str, u64),
    ) -> Result<Report, ImportError> {
        let vault = self.vault().await;
        let cipher = db_key.map(|key| CloudCipher::new(Secret::new(key.to_owned()), CloudForm::Either));
        import(url, &self.database.store, Hands { vault: &vault, cipher: cipher.as_ref() }, told).await
    }
}
