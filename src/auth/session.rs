//! What a session is known by: an id in the cookie `JSESSIONID`, and a key that travels in the cookie `sessionkey` and in
//! the parameter of the same name (`contract/api-protocol.md 3.3 and 3.4`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::model::{Secret, random};

/// What the container's session ids begin with, and what follows their name in the cookie.
const NODE: &str = "node0";
/// Bytes of a session key; 27 letters in the end.
const KEY_BYTES: usize = 20;

/// A new session's secrets. They are shown to the client once and kept as fingerprints only.
#[derive(Debug)]
pub struct Ticket {
    /// The value of the cookie `JSESSIONID`.
    pub id: Secret,
    /// The value of the cookie `sessionkey`.
    pub key: Secret,
    /// What makes the key from the id.
    pub secret: Secret,
}

impl Ticket {
    /// A ticket that nobody can guess.
    pub fn issue() -> Self {
        let id = new_id();
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(random::<32>()));
        let key = key_of(secret.expose(), id.expose());
        Self { id, key, secret }
    }
}

/// A session id as the container writes it, `node0<random>.node0`.
pub fn new_id() -> Secret {
    let letters: String = random::<20>().iter().map(|byte| format!("{byte:02x}")).collect();
    Secret::new(format!("{NODE}{letters}.{NODE}"))
}

/// The key of a session that was made here, from its secret and the id that the client shows.
pub fn key_of(secret: &str, id: &str) -> Secret {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(bare(id).as_bytes());
    let bytes: [u8; KEY_BYTES] = mac.finalize().into_bytes().into();
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// The fingerprint under which an id is kept, 64 letters. The name of the node behind the dot does not count: a cookie may
/// be the id alone or the id and any node.
pub fn id_fingerprint(id: &str) -> String {
    fingerprint(bare(id))
}

/// The fingerprint under which a key is kept, 64 letters.
pub fn fingerprint(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bare(id: &str) -> &str {
    id.split('.').next().unwrap_or(id)
}

/// Where the key of a session is looked for (`api.sessionkey.check.locations`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyCheck {
    /// Cookie and parameter, both.
    #[default]
    CookieAndParameter,
    /// The parameter; a cookie that is sent has to agree.
    ParameterOnly,
    /// Any of the two; each that is sent has to agree.
    CookieOrParameter,
}

impl KeyCheck {
    /// Whether what was sent proves that the caller knows the key with this fingerprint.
    pub fn passes(self, key_hash: &str, cookie: Option<&str>, parameter: Option<&str>) -> bool {
        let agrees = |sent: &str| bool::from(fingerprint(sent).as_bytes().ct_eq(key_hash.as_bytes()));
        let (cookie, parameter) = (cookie.map(agrees), parameter.map(agrees));
        match self {
            Self::CookieAndParameter => (cookie, parameter) == (Some(true), Some(true)),
            Self::ParameterOnly => parameter == Some(true) && cookie != Some(false),
            Self::CookieOrParameter => {
                (cookie.is_some() || parameter.is_some()) && cookie != Some(false) && parameter != Some(false)
            }
        }
    }
}

/// What the cookie `sessionkey` says about other sites (`api.sessionkey.cookie.samesite`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Sent when a link is followed, not with what other sites load or post.
    #[default]
    Lax,
    /// Never sent from other sites.
    Strict,
    /// Sent from everywhere, over HTTPS only.
    NoneAndSecure,
    /// Nothing is said; the browser decides.
    Unsaid,
}

impl SameSite {
    /// The end of the cookie's text.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Lax => "SameSite=Lax",
            Self::Strict => "SameSite=Strict",
            Self::NoneAndSecure => "SameSite=None;Secure",
            Self::Unsaid => "",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_27_letters_and_follows_from_secret_and_id() {
        let ticket = Ticket::issue();
        assert_eq!(ticket.key.expose().len(), 27);
        assert_eq!(key_of(ticket.secret.expose(), ticket.id.expose()).expose(), ticket.key.expose());
        assert_ne!(key_of("other", ticket.id.expose()).expose(), ticket.key.expose());
        assert_ne!(Ticket::issue().id.expose(), ticket.id.expose());
    }

    #[test]
    fn the_node_behind_the_dot_does_not_count() {
        assert_eq!(id_fingerprint("node0abc.node0"), id_fingerprint("node0abc"));
        assert_ne!(id_fingerprint("node0abc.node0"), id_fingerprint("node0abd.node0"));
    }

    #[test]
    fn where_the_key_is_looked_for() {
        let hash = fingerprint("right");
        let (right, wrong) = (Some("right"), Some("wrong"));
        let table = [
            (KeyCheck::CookieAndParameter, right, right, true),
            (KeyCheck::CookieAndParameter, right, None, false),
            (KeyCheck::CookieAndParameter, None, right, false),
            (KeyCheck::CookieAndParameter, wrong, right, false),
            (KeyCheck::CookieAndParameter, None, None, false),
            (KeyCheck::ParameterOnly, None, right, true),
            (KeyCheck::ParameterOnly, wrong, right, false),
            (KeyCheck::ParameterOnly, right, None, false),
            (KeyCheck::CookieOrParameter, right, None, true),
            (KeyCheck::CookieOrParameter, None, right, true),
            (KeyCheck::CookieOrParameter, right, wrong, false),
            (KeyCheck::CookieOrParameter, None, None, false),
        ];
        for (check, cookie, parameter, passes) in table {
            assert_eq!(check.passes(&hash, cookie, parameter), passes, "{check:?} {cookie:?} {parameter:?}");
        }
    }
}
