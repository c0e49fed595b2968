//! The key file: one key a line, the newest first, as `<id> <key> <when it was made>`.
//!
//! The file is replaced as a whole, by a rename, so that a process that is killed while it writes leaves the old file or
//! the new one. The id of a key is made from the key: a line whose key was damaged is noticed, and a wrong key cannot pass
//! for the right one.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{AES_256_GCM, LessSafeKey, UnboundKey};
use sha2::{Digest as _, Sha256};

use super::{KEY_ID_LENGTH, VaultError};
use crate::model::{Secret, Timestamp, random};

/// Bytes of a key.
const KEY_LENGTH: usize = 32;

/// What the file begins with.
const HEADING: &str = "\
# The keys of the secrets in stackmotion's database, the newest first: id, key, when it was made.
# Without this file those secrets are lost. Keep a copy of it apart from the copies of the database, which are worth
# nothing to a thief as long as the two are not together.
";

/// A key.
#[derive(Clone)]
pub(super) struct Key {
    /// Made from the key.
    pub id: String,
    /// The key, ready for use.
    pub aead: LessSafeKey,
    /// The key as the file has it, Base64.
    text: Secret,
    /// When it was made, as the file has it.
    made: String,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Key({})", self.id)
    }
}

impl Key {
    /// A new key.
    pub fn random() -> Self {
        Self::new(&random::<KEY_LENGTH>(), Timestamp::now().sql().replace(' ', "T"))
    }

    fn new(bytes: &[u8; KEY_LENGTH], made: String) -> Self {
        let digest = Sha256::digest(bytes);
        let mut id: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        id.truncate(KEY_ID_LENGTH);
        let unbound = UnboundKey::new(&AES_256_GCM, bytes).expect("the cipher takes keys of this length");
        Self { id, aead: LessSafeKey::new(unbound), text: Secret::new(STANDARD.encode(bytes)), made }
    }

    fn parse(line: &str) -> Result<Self, &'static str> {
        let mut words = line.split_whitespace();
        let (Some(id), Some(text)) = (words.next(), words.next()) else {
            return Err("an id and a key are needed");
        };
        let bytes = STANDARD.decode(text).ok().and_then(|bytes| <[u8; KEY_LENGTH]>::try_from(bytes).ok());
        let bytes = bytes.ok_or("the second word is not 32 bytes in Base64")?;
        let key = Self::new(&bytes, words.next().unwrap_or_default().to_owned());
        if key.id == id { Ok(key) } else { Err("the id is not that of the key") }
    }

    fn line(&self) -> String {
        format!("{} {} {}\n", self.id, self.text.expose(), self.made)
    }
}

/// Tells two contents of one file apart without reading them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp(u64, u64, i64, i64);

impl Stamp {
    /// The stamp of a file.
    pub fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self(metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec()))
    }
}

/// All keys of a file, at least one.
#[derive(Clone, Debug)]
pub(super) struct KeyRing {
    /// The newest first.
    pub keys: Vec<Key>,
    /// The file's stamp before it was read.
    pub stamp: Stamp,
}

impl KeyRing {
    /// Reads a file; `None` when there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, VaultError> {
        let unreadable = |cause| VaultError::Unreadable { path: path.to_owned(), cause };
        let stamp = match Stamp::of(path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            stamp => stamp.map_err(unreadable)?,
        };
        let mode = fs::metadata(path).map_err(unreadable)?.mode();
        if mode & 0o077 != 0 {
            let mode = format!("{:o}", mode & 0o777);
            tracing::warn!(file = %path.display(), mode, "others than the owner may read the key file; make it mode 600");
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let malformed = |reason| VaultError::Malformed { path: path.to_owned(), line: number + 1, reason };
            keys.push(Key::parse(line).map_err(malformed)?);
        }
        if keys.is_empty() {
            return Err(VaultError::Malformed { path: path.to_owned(), line: 0, reason: "it holds no key at all" });
        }
        Ok(Some(Self { keys, stamp }))
    }

    /// The key that new values are sealed with.
    pub fn newest(&self) -> &Key {
        &self.keys[0]
    }

    /// The key with an id.
    pub fn find(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Writes the keys into a new file beside the old one that only its owner can read, and makes it last.
fn draft(path: &Path, keys: &[Key]) -> std::io::Result<PathBuf> {
    let mut name = path.file_name().ok_or(ErrorKind::InvalidFilename)?.to_owned();
    name.push(format!(".{}", uuid::Uuid::new_v4().simple()));
    let draft = path.with_file_name(name);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    let lines: String = keys.iter().map(Key::line).collect();
    let written = file.write_all(format!("{HEADING}{lines}").as_bytes()).and_then(|()| file.sync_all());
    if let Err(cause) = written {
        let _ = fs::remove_file(&draft);
        return Err(cause);
    }
    Ok(draft)
}

/// Makes a file with one new key, unless there is a file.
pub(super) fn create(path: &Path) -> Result<(), VaultError> {
    let make = || {
        let draft = draft(path, &[Key::random()])?;
        // Unlike a rename, a link does not replace the file that another process has made meanwhile.
        let linked = fs::hard_link(&draft, path);
        fs::remove_file(&draft)?;
        match linked {
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {}
            linked => linked?,
        }
        File::open(folder(path))?.sync_all()
    };
    make().map_err(|cause| VaultError::Unwritable { path: path.to_owned(), cause })
}

/// Replaces the keys of a file.
pub(super) fn replace(path: &Path, keys: &[Key]) -> Result<(), VaultError> {
    let put = || {
        let draft = draft(path, keys)?;
        if let Err(cause) = fs::rename(&draft, path) {
            let _ = fs::remove_file(&draft);
            return Err(cause);
        }
        File::open(folder(path))?.sync_all()
    };
    put().map_err(|cause| VaultError::Unwritable { path: path.to_owned(), cause })
}

/// Keeps other processes from changing the keys, as long as the value lives. The folder is locked, for the file itself is
/// replaced.
pub(super) fn lock(path: &Path) -> Result<File, VaultError> {
    let unreadable = |cause| VaultError::Unreadable { path: path.to_owned(), cause };
    let folder = File::open(folder(path)).map_err(unreadable)?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(fs::TryLockError::WouldBlock) => Err(VaultError::Busy { path: path.to_owned() }),
        Err(fs::TryLockError::Error(cause)) => Err(unreadable(cause)),
    }
}
