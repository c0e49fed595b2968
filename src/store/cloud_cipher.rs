//! CloudStack's own encryption of columns, read and never written (`contract/entities.md 3.28`).
//!
//! Both forms are Base64 and carry no name, so that a text can only be *thought* to be one of them:
//!
//! | | key | text |
//! | --- | --- | --- |
//! | V2 (4.18 and later) | SHA-256 of the database key | nonce (12 bytes), AES-256-GCM, tag (16 bytes) |
//! | V1 (before) | `PBEWithMD5AndDES`: 1000 rounds of MD5 over database key and salt | salt (8 bytes), DES-CBC |
//!
//! The database key is what `db.cloud.encrypt.secret` of `db.properties` holds, decrypted.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, KeyIvInit as _};
use md5::{Digest as _, Md5};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use sha2::Sha256;

use crate::model::Secret;

/// Bytes of the tag at the end of the newer form.
const TAG_LENGTH: usize = 16;
/// Bytes of the salt at the beginning of the older form.
const SALT_LENGTH: usize = 8;
/// Bytes of a block of the older form.
const BLOCK_LENGTH: usize = 8;
/// Rounds of MD5 of the older form.
const ROUNDS: usize = 1000;

/// A text does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloudCipherError {
    /// It has the shape of neither form.
    #[error("the value is not encrypted, or in a way that is not known here")]
    Shape,
    /// It has the shape, and opens with another key, or not at all.
    #[error(
        "the value does not open: cloudstack.db_key is not the key that it was encrypted with, or it was written in the \
         other form (cloudstack.encryptor)"
    )]
    Key,
    /// What opened is no text.
    #[error("the value opens to something that is no text; cloudstack.db_key is probably another installation's")]
    Text,
    /// The older form takes letters, digits and signs of ASCII only.
    #[error("a database key with letters outside of ASCII cannot have encrypted anything in the form V1")]
    Ascii,
}

/// Which form the values of a database have (`db.cloud.encryptor.version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CloudForm {
    /// Not said: the newer form is tried, then the older.
    #[default]
    Either,
    /// jasypt's `PBEWithMD5AndDES`.
    V1,
    /// AES-256-GCM.
    V2,
}

/// Opens values that CloudStack encrypted.
pub struct CloudCipher {
    form: CloudForm,
    key: Secret,
    aead: LessSafeKey,
}

impl fmt::Debug for CloudCipher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "CloudCipher({:?})", self.form)
    }
}

impl CloudCipher {
    /// A cipher with the database key of an installation.
    #[must_use]
    pub fn new(db_key: Secret, form: CloudForm) -> Self {
        let digest = Sha256::digest(db_key.expose().as_bytes());
        let unbound = UnboundKey::new(&AES_256_GCM, &digest).expect("a SHA-256 is as long as the cipher's keys");
        Self { form, key: db_key, aead: LessSafeKey::new(unbound) }
    }

    /// Whether a text has the shape of an encrypted one. A plain text can have it by chance; a text without it is plain.
    #[must_use]
    pub fn looks_encrypted(text: &str) -> bool {
        shape(text).is_some()
    }

    /// Opens a value.
    ///
    /// # Errors
    /// [`CloudCipherError`]; nothing of the value is in it.
    pub fn open(&self, text: &str) -> Result<Secret, CloudCipherError> {
        let bytes = shape(text).ok_or(CloudCipherError::Shape)?;
        let opened = match self.form {
            CloudForm::V2 => self.open_v2(&bytes),
            CloudForm::V1 => self.open_v1(&bytes),
            CloudForm::Either => self.open_v2(&bytes).or_else(|_| self.open_v1(&bytes)),
        }?;
        String::from_utf8(opened).map(Secret::new).map_err(|_| CloudCipherError::Text)
    }

    fn open_v2(&self, bytes: &[u8]) -> Result<Vec<u8>, CloudCipherError> {
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(CloudCipherError::Key)?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self.aead.open_in_place(nonce, Aad::empty(), &mut sealed);
        opened.map(|text| text.to_vec()).map_err(|_| CloudCipherError::Key)
    }

    fn open_v1(&self, bytes: &[u8]) -> Result<Vec<u8>, CloudCipherError> {
        // Java's PBE keys are ASCII; it refuses others, so nothing was ever encrypted with one.
        if !self.key.expose().bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(CloudCipherError::Ascii);
        }
        let (salt, sealed) = bytes.split_first_chunk::<SALT_LENGTH>().ok_or(CloudCipherError::Key)?;
        let mut digest = Md5::new().chain_update(self.key.expose()).chain_update(salt).finalize();
        for _ in 1..ROUNDS {
            digest = Md5::digest(digest);
        }
        let (key, iv) = digest.split_at(BLOCK_LENGTH);
        let cipher = cbc::Decryptor::<des::Des>::new_from_slices(key, iv).map_err(|_| CloudCipherError::Key)?;
        cipher.decrypt_padded_vec::<Pkcs7>(sealed).map_err(|_| CloudCipherError::Key)
    }
}

/// The bytes of a text that has the shape of one of the forms.
fn shape(text: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(text).ok()?;
    let older = bytes.len() >= SALT_LENGTH + BLOCK_LENGTH && bytes.len().is_multiple_of(BLOCK_LENGTH);
    let newer = bytes.len() >= NONCE_LEN + TAG_LENGTH;
    (older || newer).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Made with other people's programs. V1: 1000 rounds of Python's hashlib.md5 over key and salt give key and vector for
    // `openssl enc -des-cbc -provider legacy -provider default -K ... -iv ...`; salt and output in Base64.
    // V2: AESGCM of Python's `cryptography`, key hashlib.sha256(b'password'), nonce 00 01 .. 0b.
    const V1: [(&str, &str, &str); 3] = [
        ("password", "AQIDBAUGBwgN8hSKqXndaQ==", "hunter2"),
        (
            "password",
            "8OHSw7SllocWDbg2pv1odG1rjWlfwYkOLNIu2A5IUdLz43V24q4sAd+t7a9n7Zn8",
            "Ünï-code & more than one block",
        ),
        ("another key", "ABEiM0RVZncf5Ne2qhIG+w==", ""),
    ];
    const V2: (&str, &str, &str) = ("password", "AAECAwQFBgcICQoLAt+AeDbQlT6gXKtlYq3djsMDEUjCSOM=", "hunter2");

    fn cipher(key: &str, form: CloudForm) -> CloudCipher {
        CloudCipher::new(Secret::new(key.to_owned()), form)
    }

    #[test]
    fn both_forms_open() {
        for form in [CloudForm::V1, CloudForm::Either] {
            for (key, text, plain) in V1 {
                assert!(CloudCipher::looks_encrypted(text), "{text}");
                assert_eq!(cipher(key, form).open(text).unwrap().expose(), plain, "{form:?}");
            }
        }
        for form in [CloudForm::V2, CloudForm::Either] {
            assert_eq!(cipher(V2.0, form).open(V2.1).unwrap().expose(), V2.2, "{form:?}");
        }
    }

    #[test]
    fn what_is_something_else_does_not_open() {
        assert_eq!(cipher(V2.0, CloudForm::V1).open(V2.1).unwrap_err(), CloudCipherError::Key);
        assert_eq!(cipher(V2.0, CloudForm::V2).open(V1[0].1).unwrap_err(), CloudCipherError::Key);
        assert_eq!(cipher("passwort", CloudForm::V2).open(V2.1).unwrap_err(), CloudCipherError::Key);
        assert_eq!(cipher("pässword", CloudForm::V1).open(V1[0].1).unwrap_err(), CloudCipherError::Ascii);
        let changed = V2.1.replace("AgXA", "AgXB").replacen("AAEC", "AAED", 1);
        assert_eq!(cipher(V2.0, CloudForm::V2).open(&changed).unwrap_err(), CloudCipherError::Key);
        for plain in ["", "secret", "password", "a-url_safe-secret-of-CloudStack", "sm1:00000000:AAAA", "äöü="] {
            assert!(!CloudCipher::looks_encrypted(plain), "{plain}");
            assert_eq!(cipher("password", CloudForm::Either).open(plain).unwrap_err(), CloudCipherError::Shape);
        }
    }

    #[test]
    fn it_does_not_show_its_key() {
        assert_eq!(format!("{:?}", cipher("hunter2", CloudForm::V2)), "CloudCipher(V2)");
    }
}
