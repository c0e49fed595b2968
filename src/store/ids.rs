//! From public ids to internal numbers.

use super::{Store, StoreError};
use crate::args;
use crate::model::entity::EntityKind;

impl Store {
    /// The internal number of the row with this public id, also when it has been removed; `None` when there never was one.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn internal_id(&self, entity: EntityKind, uuid: &str) -> Result<Option<i64>, StoreError> {
        if entity == EntityKind::AsyncJob {
            return self.job_number(uuid).await;
        }
        let sql = format!("SELECT id FROM `{}` WHERE uuid = ?", entity.table());
        self.db().row(&sql, args![uuid]).await?.map(|row| row.at(0)).transpose()
    }

    /// The public id of the row with this internal number; `None` when there is no row or it gave its id away.
    ///
    /// # Errors
    /// See [`super::Db::rows`].
    pub async fn public_id(&self, entity: EntityKind, id: i64) -> Result<Option<String>, StoreError> {
        let sql = format!("SELECT uuid FROM `{}` WHERE id = ?", entity.table());
        Ok(self.db().row(&sql, args![id]).await?.map(|row| row.at::<Option<String>>(0)).transpose()?.flatten())
    }
}
