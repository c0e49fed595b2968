//! Secrets in rows: sealed with a key that is outside the database, so that whoever has the database alone has none of them.
//!
//! A sealed value reads `sm1:<key>:<data>`: the form, the id of the key (8 hexadecimal digits of its SHA-256), and
//! `nonce | ciphertext | tag` of AES-256-GCM in URL-safe Base64. Table, column and row are bound into the seal: what was
//! copied to another row does not open there. Values of any other form are plain and are read as they are, which is how
//! databases from before the vault are taken over.
//!
//! The vault keeps copies of a database from telling secrets. It does not keep out who may *write* the database: they can
//! put a plain secret of their own into a row, or another user's name.

mod keys;
mod places;
mod rotation;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, NONCE_LEN, Nonce};

use super::{CloudCipher, Store, StoreError};
use crate::model::{Secret, random};
use keys::{Key, KeyRing, Stamp};
pub use places::{API_SECRET, PLACES, Place, SECOND_FACTOR, SETTING};
pub(super) use places::{HOST_PASSWORD, POOL_USER};
pub use rotation::{PlaceReport, Progress, Rotated, forget_lost, verify_keys};

/// What every sealed value begins with: the name of the form.
const FORM: &str = "sm1:";
/// Hexadecimal digits of the id of a key.
const KEY_ID_LENGTH: usize = 8;

/// Secrets cannot be read or kept.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// There is no key file, but there are values that were sealed with one.
    #[error(
        "the key file {path} is missing, and the database holds secrets that were sealed with the key {key} (in {place}). \
         Without that key API secrets, second factors and credentials cannot be read. Nothing was changed. Put the file back \
         from its copy, or point secrets.key_file to it; another gateway on the same database has it, too. If it is lost for \
         good, `stackmotion secrets forget` gives those secrets up"
    )]
    Missing {
        /// Where the file was looked for.
        path: PathBuf,
        /// The id of the key.
        key: String,
        /// Table and column of a value that needs it.
        place: String,
    },
    /// The key file has other keys than the one that a value was sealed with.
    #[error(
        "the key file {path} is not the one of this database: it lacks the key {key}, with which secrets in {place} were \
         sealed. They cannot be read without it. Nothing was changed. Put the right file back from its copy, or point \
         secrets.key_file to it; if both files are in use, put the lines of both into one. If the key is lost for good, \
         `stackmotion secrets forget` gives those secrets up"
    )]
    Unknown {
        /// The key file.
        path: PathBuf,
        /// The id of the key.
        key: String,
        /// Table and column of a value that needs it.
        place: String,
    },
    /// The key file cannot be read.
    #[error("the key file {path} cannot be read, so secrets cannot be either; check that this user may read it")]
    Unreadable {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The key file cannot be written.
    #[error("the key file {path} cannot be written; check that its folder exists and that this user may write there")]
    Unwritable {
        /// The key file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// The key file has a line that is no key.
    #[error(
        "line {line} of the key file {path} is no key ({reason}); put the file back from its copy. It was not changed"
    )]
    Malformed {
        /// The key file.
        path: PathBuf,
        /// Number of the line, from 1; 0 when the file has none with a key.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Somebody else is changing the keys.
    #[error("the keys in {path} are being changed by another process; run this again when it has ended")]
    Busy {
        /// The key file.
        path: PathBuf,
    },
    /// A sealed value does not open although its key is there.
    #[error(
        "a secret in {place} does not open (row {row}): it was changed, or copied from another row. It cannot be used. \
         `stackmotion secrets check` lists all of them; set the secret again, or `stackmotion secrets forget` it"
    )]
    NotOpened {
        /// Table and column.
        place: String,
        /// What names the row.
        row: String,
    },
    /// A sealed value was read by a store that has no vault.
    #[error("a secret in {place} is sealed, and this program was not given the key file")]
    Closed {
        /// Table and column.
        place: String,
    },
    /// A secret was to be written into a database that is CloudStack's.
    #[error(
        "this database is encrypted by CloudStack: its secrets are read here, but only a management server writes them"
    )]
    ReadOnly,
    /// A secret of CloudStack's does not open.
    #[error("a secret in {place} does not open with CloudStack's database key")]
    CloudStack {
        /// Table and column.
        place: String,
        /// Why.
        #[source]
        cause: super::CloudCipherError,
    },
}

/// A secret in the form in which it is written into a row. Only a store makes one, so a secret cannot be written unsealed
/// by oversight.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(String);

impl Sealed {
    /// The text for the row.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Sealed")
    }
}

/// How the secrets of a database are kept.
#[derive(Clone, Debug, Default)]
pub(super) enum Keeper {
    /// As they are.
    #[default]
    Plain,
    /// Sealed, in a database of ours.
    Vault(Arc<Vault>),
    /// As CloudStack encrypts them, in a database of CloudStack's; without its key they cannot be read. They are never
    /// written.
    CloudStack(Option<Arc<CloudCipher>>),
}

impl Keeper {
    /// The form in which a secret is written into a row of a place.
    pub(super) fn seal(&self, place: &Place, row: &str, secret: &Secret) -> Result<Sealed, StoreError> {
        match self {
            Self::Vault(vault) => Ok(vault.seal(place, row, secret)?),
            Self::CloudStack(_) if place.is_encrypted_by_cloudstack() => Err(VaultError::ReadOnly.into()),
            Self::Plain | Self::CloudStack(_) => Ok(Sealed(secret.expose().to_owned())),
        }
    }

    /// What stands in a row of a place, opened.
    fn open(&self, place: &Place, row: &str, text: &str) -> Result<Secret, StoreError> {
        match self {
            Self::Plain if is_sealed(text) => Err(VaultError::Closed { place: place.name() }.into()),
            Self::Vault(vault) => Ok(vault.open(place, row, text)?),
            // What was written before encryption was switched on stays plain in CloudStack, too.
            Self::CloudStack(Some(cipher))
                if place.is_encrypted_by_cloudstack() && CloudCipher::looks_encrypted(text) =>
            {
                let refused = |cause| VaultError::CloudStack { place: place.name(), cause };
                Ok(cipher.open(text).map_err(refused)?)
            }
            Self::Plain | Self::CloudStack(_) => Ok(Secret::new(text.to_owned())),
        }
    }
}

/// The parts of a sealed value.
struct Parts<'a> {
    key: &'a str,
    data: &'a str,
}

/// The parts of a text that has the form of a sealed value; `None` for a plain one.
fn parts(text: &str) -> Option<Parts<'_>> {
    let (key, data) = text.strip_prefix(FORM)?.split_once(':')?;
    let hex = key.len() == KEY_ID_LENGTH && key.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    // A nonce and a tag are 28 bytes, 38 letters.
    let letters = data.len() >= 38 && data.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    (hex && letters).then_some(Parts { key, data })
}

/// Whether a text has the form of a sealed value.
#[must_use]
pub fn is_sealed(text: &str) -> bool {
    parts(text).is_some()
}

/// The keys of a key file, and what is done with them.
#[derive(Debug)]
pub struct Vault {
    path: PathBuf,
    ring: RwLock<Arc<KeyRing>>,
}

impl Vault {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`VaultError::Unreadable`], also when there is none, and [`VaultError::Malformed`].
    pub fn read(path: &Path) -> Result<Self, VaultError> {
        let unreadable = |cause| VaultError::Unreadable { path: path.to_owned(), cause };
        let ring = KeyRing::read(path)?.ok_or_else(|| unreadable(std::io::ErrorKind::NotFound.into()))?;
        Ok(Self { path: path.to_owned(), ring: RwLock::new(Arc::new(ring)) })
    }

    /// Makes a key file with one new key. A file that is there is read instead.
    ///
    /// # Errors
    /// [`VaultError::Unwritable`], and those of [`Vault::read`].
    pub fn create(path: &Path) -> Result<Self, VaultError> {
        keys::create(path)?;
        Self::read(path)
    }

    /// The key file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The ids of the keys, the newest first.
    #[must_use]
    pub fn key_ids(&self) -> Vec<String> {
        self.ring().keys.iter().map(|key| key.id.clone()).collect()
    }

    fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The keys as the file has them now: another process may have added or removed one.
    fn refreshed(&self) -> Result<Arc<KeyRing>, VaultError> {
        let ring = self.ring();
        let unreadable = |cause| VaultError::Unreadable { path: self.path.clone(), cause };
        if Stamp::of(&self.path).map_err(unreadable)? == ring.stamp {
            return Ok(ring);
        }
        let ring = Arc::new(Self::read(&self.path)?.ring().as_ref().clone());
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&ring);
        Ok(ring)
    }

    /// Seals a secret of a row with the newest key. The file is looked at, so that a key that was just replaced is not used
    /// any more, and nothing is sealed with a key whose file is gone.
    ///
    /// # Errors
    /// [`VaultError::Unreadable`] and [`VaultError::Malformed`].
    pub fn seal(&self, place: &Place, row: &str, secret: &Secret) -> Result<Sealed, VaultError> {
        Ok(Sealed(seal(self.refreshed()?.newest(), place, row, secret.expose())))
    }

    /// Opens what stands in a row; a plain text is given as it is.
    ///
    /// # Errors
    /// [`VaultError::Unknown`] for a key that the file does not have, [`VaultError::NotOpened`] for a value that was changed
    /// or belongs to another row.
    pub fn open(&self, place: &Place, row: &str, text: &str) -> Result<Secret, VaultError> {
        let Some(parts) = parts(text) else { return Ok(Secret::new(text.to_owned())) };
        let mut ring = self.ring();
        if ring.find(parts.key).is_none() {
            ring = self.refreshed()?;
        }
        let unknown =
            || VaultError::Unknown { path: self.path.clone(), key: parts.key.to_owned(), place: place.name() };
        let key = ring.find(parts.key).ok_or_else(unknown)?;
        open(key, place, row, &parts)
    }
}

fn seal(key: &Key, place: &Place, row: &str, secret: &str) -> String {
    let nonce = random::<NONCE_LEN>();
    let mut data = secret.as_bytes().to_vec();
    key.aead
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place.bound_to(row)), &mut data)
        .expect("a secret is shorter than 64 GiB, which is what the cipher takes");
    data.splice(0..0, nonce);
    format!("{FORM}{}:{}", key.id, URL_SAFE_NO_PAD.encode(data))
}

fn open(key: &Key, place: &Place, row: &str, parts: &Parts<'_>) -> Result<Secret, VaultError> {
    let refused = || VaultError::NotOpened { place: place.name(), row: row.replace('\0', ", ") };
    let data = URL_SAFE_NO_PAD.decode(parts.data).map_err(|_| refused())?;
    let (nonce, sealed) = data.split_first_chunk::<NONCE_LEN>().ok_or_else(refused)?;
    let mut sealed = sealed.to_vec();
    let opened = key
        .aead
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place.bound_to(row)), &mut sealed)
        .map_err(|_| refused())?;
    String::from_utf8(opened.to_vec()).map(Secret::new).map_err(|_| refused())
}

impl Store {
    /// The same database, its secrets kept in a vault.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<Vault>) -> Self {
        self.keeper = Keeper::Vault(vault);
        self
    }

    /// The same database, which is CloudStack's, its secrets read with CloudStack's key.
    #[must_use]
    pub fn with_cloud_cipher(mut self, cipher: Arc<CloudCipher>) -> Self {
        self.keeper = Keeper::CloudStack(Some(cipher));
        self
    }

    /// The form in which a secret is written into a row of a place; `row` is what [`Place`] names it by.
    ///
    /// # Errors
    /// [`StoreError::Vault`] when the key file cannot be read, or the database is CloudStack's and encrypted.
    pub fn seal(&self, place: &Place, row: &str, secret: &Secret) -> Result<Sealed, StoreError> {
        self.keeper.seal(place, row, secret)
    }

    /// The form in which the secret half of a key pair is written; `uuid` is the pair's public id.
    ///
    /// # Errors
    /// See [`Store::seal`].
    pub fn seal_api_secret(&self, uuid: &str, secret: &Secret) -> Result<Sealed, StoreError> {
        self.seal(&API_SECRET, uuid, secret)
    }

    /// What stands in a row of a place, opened.
    pub(super) fn open_secret(&self, place: &Place, row: &str, text: &str) -> Result<Secret, StoreError> {
        self.keeper.open(place, row, text)
    }
}

#[cfg(test)]
mod tests;
