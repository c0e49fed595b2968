//! The ledger of files: every file that a motion may make or leave behind, and what became of it.

use super::changes::clipped;
use super::journal::{MOTION, MotionRow};
use super::value::Row;
use super::{Store, StoreError, Tx, transact};
use crate::args;
use crate::model::Timestamp;

/// Which end of a motion a file is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// Where the disk was.
    Source,
    /// Where it was to go.
    Target,
}

impl FileRole {
    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// What is known of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The motion is not over, or nobody has looked since.
    Expected,
    /// It is the disk itself.
    Owned,
    /// It was looked for and is not there.
    Gone,
    /// It was seen there, and nobody needs it.
    Left,
    /// A motion that failed may have left it; the agent cannot tell.
    Possible,
    /// The agent said that all is done, and cannot tell whether it is gone.
    Unseen,
    /// It was removed as a leftover.
    Removed,
}

impl FileState {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Expected, Self::Owned, Self::Gone, Self::Left, Self::Possible, Self::Unseen, Self::Removed];

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Expected => "expected",
            Self::Owned => "owned",
            Self::Gone => "gone",
            Self::Left => "left",
            Self::Possible => "possible",
            Self::Unseen => "unseen",
            Self::Removed => "removed",
        }
    }

    /// Reads the word of the table.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A file that a motion may make or leave behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMotionFile {
    /// The disk that it is, was or was to become.
    pub volume_id: i64,
    /// Which end it is at.
    pub role: FileRole,
    /// A host that reaches its pool.
    pub host_id: i64,
    /// Its pool.
    pub pool_id: i64,
    /// Its name without folder and extension.
    pub stem: String,
}

/// A file as the ledger has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MotionFileRow {
    /// Internal id.
    pub id: i64,
    /// Its id.
    pub uuid: String,
    /// The motion.
    pub migration_id: i64,
    /// What it is.
    pub file: NewMotionFile,
    /// What is known of it.
    pub state: FileState,
}

const FILE: &str = "SELECT id, uuid, migration_id, volume_id, role, host_id, pool_id, stem, state FROM motion_file";

impl MotionFileRow {
    fn read(row: &Row) -> Result<Self, StoreError> {
        let (role, state): (String, String) = (row.get("role")?, row.get("state")?);
        Ok(Self {
            id: row.get("id")?,
            uuid: row.get("uuid")?,
            migration_id: row.get("migration_id")?,
            file: NewMotionFile {
                volume_id: row.get("volume_id")?,
                role: if role == FileRole::Source.word() { FileRole::Source } else { FileRole::Target },
                host_id: row.get("host_id")?,
                pool_id: row.get("pool_id")?,
                stem: row.get("stem")?,
            },
            // A word of a newer version says nothing that may be acted on.
            state: FileState::parse(&state).unwrap_or(FileState::Owned),
        })
    }
}

/// Motions whose end is known while that of a file is not, of those for which this holds as well. Takes how many at the most.
///
/// They are read in an order that no index has: in that of their numbers the whole history would be gone through for a few.
fn with_open_files(which: &str) -> String {
    format!(
        "{MOTION} WHERE id IN (SELECT migration_id FROM motion_file WHERE state = 'expected') AND phase = 'settled' \
         AND outcome <> 'unknown'{which} ORDER BY updated, id LIMIT ?"
    )
}

/// Holds for the motions behind one in that order: takes its time twice, and its number.
const BEHIND: &str = " AND (updated > ? OR (updated = ? AND id > ?))";

impl Tx {
    /// Writes a file down that a motion may make or leave behind.
    ///
    /// # Errors
    /// See [`super::Db::rows`]; the same holds for all functions of this file.
    pub async fn motion_file_insert(&mut self, migration_id: i64, file: &NewMotionFile) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let sql = "INSERT INTO motion_file (uuid, migration_id, volume_id, role, host_id, pool_id, stem, state, created, updated) \
            VALUES (?, ?, ?, ?, ?, ?, ?, 'expected', ?, ?)";
        let args = args![
            uuid::Uuid::new_v4().to_string(),
            migration_id,
            file.volume_id,
            file.role.word(),
            file.host_id,
            file.pool_id,
            &file.stem,
            now,
            now
        ];
        self.run(sql, args).await?;
        Ok(())
    }
}

impl Store {
    /// The files of a motion.
    ///
    /// # Errors
    /// See [`Tx::motion_file_insert`].
    pub async fn motion_files(&self, migration_id: i64) -> Result<Vec<MotionFileRow>, StoreError> {
        let rows = self.db().rows(&format!("{FILE} WHERE migration_id = ? ORDER BY id"), args![migration_id]).await?;
        rows.iter().map(MotionFileRow::read).collect()
    }

    /// A file by its internal id.
    ///
    /// # Errors
    /// See [`Tx::motion_file_insert`].
    pub async fn motion_file_by_id(&self, id: i64) -> Result<Option<MotionFileRow>, StoreError> {
        let row = self.db().row(&format!("{FILE} WHERE id = ?"), args![id]).await?;
        row.as_ref().map(MotionFileRow::read).transpose()
    }

    /// Notes what was found out about a file.
    ///
    /// # Errors
    /// See [`Tx::motion_file_insert`].
    pub async fn motion_file_note(
        &self,
        id: i64,
        state: FileState,
        bytes: Option<i64>,
        note: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE motion_file SET state = ?, bytes = ?, note = ?, updated = ? WHERE id = ?";
        let note = clipped(note, 1024);
        transact!(self, StoreError, |tx| {
            tx.run(sql, args![state.word(), bytes, &note, Timestamp::now(), id]).await?;
            Ok(())
        })
    }

    /// Motions whose end is known while that of a file is not, oldest first, at most `limit`: those behind the one that was last
    /// heard of at this time and has this number, where one is given.
    ///
    /// # Errors
    /// See [`Tx::motion_file_insert`].
    pub async fn motions_with_open_files(
        &self,
        behind: Option<(Timestamp, i64)>,
        limit: i64,
    ) -> Result<Vec<MotionRow>, StoreError> {
        let (sql, args) = match behind {
            Some((updated, id)) => (with_open_files(BEHIND), args![updated, updated, id, limit]),
            None => (with_open_files(""), args![limit]),
        };
        self.db().rows(&sql, args).await?.iter().map(MotionRow::read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn motions_with_open_files_are_found_without_the_history() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&format!("sqlite://{}/t.db", folder.path().display())).await.unwrap();
        let now = Timestamp::now();
        for (sql, args) in [(with_open_files(""), args![100]), (with_open_files(BEHIND), args![now, now, 7, 100])] {
            let plan = store.plan(&sql, args).await;
            assert!(plan.contains("i_motion_file__state") && plan.contains("rowid=?"), "{plan}");
        }
    }
}
