//! How passwords are kept: in the three forms that CloudStack's `user.password` may have (`contract/entities.md 3.19`).
//!
//! Which form a text has is told by its shape alone:
//! `base64(salt):base64(64-byte key):iterations` is PBKDF2 with HMAC-SHA1, `base64(salt):base64(digest)` is SHA-256 over
//! password and salt, 32 hexadecimal digits are MD5. Any other text is the password of nobody: system accounts have one.

use std::hint::black_box;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The iterations of a fresh password, as CloudStack's.
const ITERATIONS: u32 = 100_000;
/// The most iterations that are followed: a row must not be able to occupy a processor for minutes.
const MOST_ITERATIONS: u32 = 1_000_000;
/// Bytes of a fresh salt. One that is read may have any length but none.
const SALT_BYTES: usize = 64;
/// Bytes of a derived key.
const KEY_BYTES: usize = 64;

/// Whether `given`, in clear, is the password that `stored` keeps. An empty password never is. Whatever stands in `stored`,
/// this answers; what it cannot read matches nothing. The time it takes does not depend on where the texts differ.
///
/// It computes for about as long as `stored` asks for: call it where blocking is allowed.
#[must_use]
pub fn matches(stored: &str, given: &str) -> bool {
    !given.is_empty() && Kept::read(stored).is_some_and(|kept| kept.is_of(given))
}

/// The text under which a password is kept: PBKDF2 with a random salt.
///
/// It computes for a while: call it where blocking is allowed.
#[must_use]
pub fn encode(given: &str) -> String {
    let salt: Vec<u8> = (0..SALT_BYTES / 16).flat_map(|_| uuid::Uuid::new_v4().into_bytes()).collect();
    let key = derive(given, &salt, ITERATIONS);
    format!("{}:{}:{ITERATIONS}", STANDARD.encode(salt), STANDARD.encode(key))
}

/// Whether `given` is the password of somebody who logs in, `stored` being what is kept of it, if there is such a user.
///
/// What does not fit takes no less time than a check of a fresh password, so that the time of an answer tells neither whether there is
/// such a user nor in which form a password is kept. Call it where blocking is allowed.
#[must_use]
pub fn lets_in(stored: Option<&str>, given: &str) -> bool {
    weighed(stored, given).0
}

/// The verdict of [`lets_in`], and how many iterations it took.
fn weighed(stored: Option<&str>, given: &str) -> (bool, u32) {
    let kept = stored.filter(|_| !given.is_empty()).and_then(Kept::read);
    let needed = kept.as_ref().map_or(0, Kept::iterations);
    if kept.is_some_and(|kept| kept.is_of(given)) {
        return (true, needed);
    }
    let missing = ITERATIONS.saturating_sub(needed);
    if missing > 0 {
        black_box(derive(given, &[0; SALT_BYTES], missing));
    }
    (false, needed + missing)
}

/// A stored password, taken apart.
enum Kept {
    Pbkdf2 { salt: Vec<u8>, key: Vec<u8>, iterations: u32 },
    SaltedSha256 { salt: Vec<u8>, digest: Vec<u8> },
    Md5 { hex: String },
}

impl Kept {
    fn read(stored: &str) -> Option<Self> {
        let parts: Vec<&str> = stored.splitn(4, ':').collect();
        match parts[..] {
            [hex] if hex.len() == 32 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                Some(Self::Md5 { hex: hex.to_ascii_lowercase() })
            }
            [salt, digest] => {
                let digest = bytes(digest).filter(|digest| digest.len() == 32)?;
                Some(Self::SaltedSha256 { salt: bytes(salt)?, digest })
            }
            [salt, key, iterations] => {
                let iterations = iterations.parse().ok().filter(|count| (1..=MOST_ITERATIONS).contains(count))?;
                let key = bytes(key).filter(|key| key.len() == KEY_BYTES)?;
                Some(Self::Pbkdf2 { salt: bytes(salt)?, key, iterations })
            }
            _ => None,
        }
    }

    /// The iterations of a check: the other forms cost next to nothing.
    const fn iterations(&self) -> u32 {
        match self {
            Self::Pbkdf2 { iterations, .. } => *iterations,
            Self::SaltedSha256 { .. } | Self::Md5 { .. } => 0,
        }
    }

    fn is_of(&self, given: &str) -> bool {
        match self {
            Self::Pbkdf2 { salt, key, iterations } => derive(given, salt, *iterations).ct_eq(key).into(),
            Self::SaltedSha256 { salt, digest } => {
                let made = Sha256::new().chain_update(given.as_bytes()).chain_update(salt).finalize();
                made.ct_eq(digest).into()
            }
            Self::Md5 { hex } => {
                let made: String = Md5::digest(given.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
                made.as_bytes().ct_eq(hex.as_bytes()).into()
            }
        }
    }
}

/// Base64 of at least one byte.
fn bytes(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

/// PBKDF2 with HMAC-SHA1. CloudStack feeds it the lower half of every UTF-16 unit of the password (the byte conversion of
/// PKCS #5), so a password with letters beyond Latin-1 has to be treated alike for its stored key to be met.
fn derive(given: &str, salt: &[u8], iterations: u32) -> [u8; KEY_BYTES] {
    let password: Vec<u8> = given.encode_utf16().map(|unit| unit.to_le_bytes()[0]).collect();
    let mut key = [0; KEY_BYTES];
    pbkdf2_hmac::<Sha1>(&password, salt, iterations, &mut key);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Made with Python's `hashlib.pbkdf2_hmac` and `hashlib.sha256`.
    const PBKDF2: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw==:purmNlN9A4uGBtccVGcypB3KnFNc+HruurpJXr3QOeExZUdT74P1g5gKXQoEufwvQ8OZVjlmKjK/AlPFJx7u0A==:1000";
    const PBKDF2_LATIN: &str =
        "c2FsdA==:W7A6ILOWAS5REV9LD/lSDx6+7U6YCOdd1qGTvO9eaIQTZSJy3ffrLS3iuPVK97HEsiuu2DnmeWh6dLnMyXVohg==:2";
    const SHA256: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=:QmBkN5WGUd7q04djQpvGsHNpjyygKfDSnwbmiylTHKk=";
    const MD5: &str = "5f4dcc3b5aa765d61d8327deb882cf99";

    #[test]
    fn all_three_forms_are_read() {
        for stored in [PBKDF2, SHA256, MD5] {
            assert!(matches(stored, "password"), "{stored}");
            assert!(!matches(stored, "Password"), "{stored}");
            assert!(!matches(stored, "password "), "{stored}");
            assert!(!matches(stored, ""), "{stored}");
            assert!(!matches(stored, stored), "the stored text itself is no password");
        }
        assert!(matches(&MD5.to_uppercase(), "password"), "the case of hexadecimal digits says nothing");
        assert!(matches(PBKDF2_LATIN, "pä\u{15f}s"), "Latin-1 as it is, beyond it the lower byte");
    }

    #[test]
    fn what_was_encoded_matches_and_every_salt_is_another() {
        let stored = encode("secret words");
        assert!(matches(&stored, "secret words") && !matches(&stored, "secret word"));
        assert!(stored.ends_with(":100000"), "{stored}");
        assert_ne!(stored, encode("secret words"));
    }

    #[test]
    fn what_does_not_fit_costs_as_much_as_a_fresh_password() {
        let fresh = encode("words");
        let stored = [None, Some("!"), Some(""), Some(MD5), Some(SHA256), Some(PBKDF2), Some(fresh.as_str())];
        for stored in stored {
            assert_eq!(weighed(stored, "wrong"), (false, ITERATIONS), "{stored:?}");
        }
        for (stored, given) in
            [(MD5, "password"), (SHA256, "password"), (PBKDF2, "password"), (fresh.as_str(), "words")]
        {
            assert!(lets_in(Some(stored), given), "{stored}");
        }
        assert!(!lets_in(Some(MD5), "") && !lets_in(None, ""));
    }

    #[test]
    fn what_is_no_stored_password_matches_nothing() {
        let [salt, key, _] = PBKDF2.split(':').collect::<Vec<_>>()[..] else { panic!("three parts") };
        for stored in [
            String::new(),
            "!".to_owned(),
            "-".to_owned(),
            ":".to_owned(),
            "::".to_owned(),
            ":::".to_owned(),
            "0.30142620233951717".to_owned(),
            "195d0a14-095a-4c98-bc6d-086b81028015".to_owned(),
            format!("{salt}:{key}:0"),
            format!("{salt}:{key}:-1"),
            format!("{salt}:{key}:1000001"),
            format!("{salt}:{key}:99999999999999999999"),
            format!("{salt}:{key}:1000:1"),
            format!(":{key}:1000"),
            format!("{salt}:AAAA:1000"),
            format!("{salt}::1000"),
            format!("{salt}:"),
            "!!!!:????:1000".to_owned(),
        ] {
            assert!(!matches(&stored, "password"), "{stored}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_stumble(stored in "\\PC{0,40}(:\\PC{0,40}){0,3}", given in "\\PC{0,20}") {
            prop_assert!(!matches(&stored, &given));
        }
    }
}
