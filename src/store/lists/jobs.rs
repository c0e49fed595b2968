//! What lists say about jobs beyond the jobs themselves: the motion that a job carries out.

use std::collections::HashMap;

use crate::args;
use crate::store::journal::{MOTION, MotionRow};
use crate::store::{Store, StoreError};

impl Store {
    /// The newest motion of each of these jobs, by the job's internal id.
    ///
    /// # Errors
    /// See [`crate::store::Db::rows`].
    pub async fn motions_of_jobs(&self, job_ids: &[i64]) -> Result<HashMap<i64, MotionRow>, StoreError> {
        let sql = format!("{MOTION} WHERE job_id IN ({{ids}}) ORDER BY id");
        let rows = self.rows_of(&sql, job_ids, &[]).await?;
        rows.iter().map(|row| MotionRow::read(row).map(|motion| (motion.job_id, motion))).collect()
    }

    /// The number by which jobs name the server with this internal id.
    ///
    /// # Errors
    /// See [`Store::motions_of_jobs`].
    pub async fn server_number(&self, id: i64) -> Result<Option<i64>, StoreError> {
        self.db().row("SELECT msid FROM mshost WHERE id = ?", args![id]).await?.map(|row| row.at(0)).transpose()
    }
}
