//! The second factor of a user who logs in (`contract/api-protocol.md 3.7`): codes of an authenticator app, or a fixed PIN.

use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;
use subtle::ConstantTimeEq as _;

/// A code is valid this long.
const STEP: Duration = Duration::from_secs(30);
/// Codes have six digits.
const CODES: u32 = 1_000_000;
/// The provider whose key is the code itself.
const STATIC_PIN: &str = "staticpin";

/// A code that is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// It is the PIN, as often as it is shown.
    Pin,
    /// It is the code of this time step, and good once.
    Once(u64),
}

/// What the code is for the provider (`totp` or `staticpin`) and key of a user, `now` being the time since 1970; none when it is
/// wrong. One step before and one after are right as well, for clocks differ.
pub fn judge(provider: &str, key: &str, code: &str, now: Duration) -> Option<Right> {
    let same = |right: &str| bool::from(right.as_bytes().ct_eq(code.as_bytes()));
    if key.is_empty() {
        return None;
    }
    if provider.eq_ignore_ascii_case(STATIC_PIN) {
        return same(key).then_some(Right::Pin);
    }
    let key = base32(key)?;
    let step = now.as_secs() / STEP.as_secs();
    let mut steps = step.saturating_sub(1)..=step + 1;
    steps.find(|step| same(&format!("{:06}", code_at(&key, *step)))).map(Right::Once)
}

/// The code of a step: RFC 4226 over the number of the step (RFC 6238).
fn code_at(key: &[u8], step: u64) -> u32 {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    let offset = usize::from(digest[digest.len() - 1] & 0x0f);
    let word = digest[offset..offset + 4].iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
    (word & 0x7fff_ffff) % CODES
}

/// Reads Base32 (RFC 4648) with or without padding; `None` for anything else.
fn base32(text: &str) -> Option<Vec<u8>> {
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter.to_ascii_uppercase() {
            letter @ b'A'..=b'Z' => letter - b'A',
            digit @ b'2'..=b'7' => digit - b'2' + 26,
            _ => return None,
        };
        bits = bits << 5 | u32::from(value);
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `12345678901234567890`, the key of the vectors in RFC 6238.
    const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_of_the_rfc() {
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            let judged = |later: u64| judge("totp", KEY, code, Duration::from_secs(seconds + later));
            assert_eq!(judged(0), Some(Right::Once(seconds / 30)), "{seconds}");
            assert_eq!(judged(30), judged(0), "one step later it is the same code");
            assert_eq!(judged(90), None, "three steps later");
        }
    }

    #[test]
    fn what_is_refused() {
        let now = Duration::from_secs(59);
        assert_eq!(judge("totp", KEY, "287083", now), None);
        assert_eq!(judge("totp", KEY, "", now), None);
        assert_eq!(judge("totp", "not base32!", "287082", now), None);
        assert_eq!(judge("totp", "", "", now), None);
        assert_eq!(judge("staticpin", "", "", now), None, "no PIN is no factor");
        assert_eq!(judge("staticpin", "4711", "4711", now), Some(Right::Pin));
        assert_eq!(judge("staticpin", "4711", "4712", now), None);
    }
}
