//! The vault of the gateway's database: what is still plain in it is sealed before anybody is served.

use std::path::Path;
use std::sync::Arc;

use crate::store::{Progress, Store, StoreError, Vault, verify_keys};

/// The database with its secrets sealed: the key file is read, or made with the database.
///
/// # Errors
/// [`StoreError::Vault`] when the key file is missing, wrong or cannot be used.
pub async fn guarded(store: Store, key_file: &Path) -> Result<Store, StoreError> {
    let vault = Arc::new(Vault::of_database(store.db(), key_file).await?);
    let told =
        |progress: &Progress| tracing::info!(place = progress.place, values = progress.changed, "sealing secrets");
    let sealed = vault.seal_plain(store.db(), told).await?;
    if sealed > 0 {
        tracing::info!(values = sealed, "all secrets that stood in the database in the clear are sealed now");
    }
    Ok(store.with_vault(vault))
}

/// Looks again, after everything that a start seals: of two gateways with different key files that begin on one new
/// database, one has to notice.
///
/// # Errors
/// See [`guarded`].
pub async fn verify(store: &Store, key_file: &Path) -> Result<(), StoreError> {
    verify_keys(store.db(), key_file).await.map(drop)
}
