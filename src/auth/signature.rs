//! The signature of a request (`contract/api-protocol.md 2`).
//!
//! HMAC-SHA1 over all parameters in the order of their names. Names are never percent-encoded and are sorted before
//! they are lower-cased; both are easy to get wrong and both decide whether an existing client is believed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use time::{Duration, OffsetDateTime};

use super::spelling::{Spelling, utf16_order};
use crate::api::date;

/// How far `expires` may lie ahead when POST and time stamps are enforced.
const FURTHEST_EXPIRY: Duration = Duration::minutes(15);

/// The text that is signed: every parameter but the signature itself.
pub fn string_to_sign<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    Spelling::CLOUDSTACK.text(pairs)
}

/// The parameters that are signed, in the order of the text.
pub fn in_order<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut sorted: Vec<_> = pairs.into_iter().filter(|(name, _)| is_signed(name)).collect();
    sorted.sort_by(|a, b| utf16_order(a.0, b.0));
    sorted
}

/// Whether a parameter of this name is part of the text.
pub(super) fn is_signed(name: &str) -> bool {
    !name.eq_ignore_ascii_case("signature")
}

/// The signature of a text: Base64 with padding.
pub fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Why the time limit of a request does not let it through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untimely {
    /// Limits are enforced and the request has none.
    #[error("POST and time limits are enforced, so signatureVersion=3 with expires is needed")]
    NoVersion,
    /// Version 3 without a limit.
    #[error("signatureVersion is 3 and expires is missing")]
    NoExpires,
    /// The limit cannot be read.
    #[error("expires is not one of the accepted forms, such as 2030-01-02T03:04:05+0000")]
    Unreadable,
    /// The limit has passed.
    #[error("expired {by_s} s ago by this machine's clock: the client's clock is behind, or the request is an old one")]
    Expired {
        /// By how many seconds.
        by_s: i64,
    },
    /// Limits are enforced and this one is too far away.
    #[error(
        "POST and time limits are enforced, and expires lies {by_s} s beyond the 15 minutes allowed by this machine's \
         clock: the client's clock is ahead, or it asks for more"
    )]
    TooFar {
        /// By how many seconds.
        by_s: i64,
    },
}

/// How long the time limit of a request still lets it through: `None` means for ever
/// (`contract/api-protocol.md 2.2`).
///
/// Without enforcement only `signatureVersion=3` has a time limit. With it every request needs version 3 and a limit
/// at most 15 minutes ahead.
///
/// # Errors
/// Why it does not let it through.
pub fn time_left(
    version: Option<&str>,
    expires: Option<&str>,
    now: OffsetDateTime,
    is_enforced: bool,
) -> Result<Option<Duration>, Untimely> {
    if version != Some("3") {
        return if is_enforced { Err(Untimely::NoVersion) } else { Ok(None) };
    }
    let until = date::parse_with_zone(expires.ok_or(Untimely::NoExpires)?).ok_or(Untimely::Unreadable)?;
    let left = until - now;
    if left.is_negative() {
        return Err(Untimely::Expired { by_s: whole_seconds(-left) });
    }
    if is_enforced && left > FURTHEST_EXPIRY {
        return Err(Untimely::TooFar { by_s: whole_seconds(left - FURTHEST_EXPIRY) });
    }
    Ok(Some(left))
}

/// Seconds, rounded up, so that nothing is "0 s" late.
fn whole_seconds(span: Duration) -> i64 {
    span.whole_seconds().saturating_add(i64::from(span.subsec_nanoseconds() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::dialect::{Dialect, verify};
    use proptest::prelude::*;

    const KEY: &str = "GwTestApiKey-0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const SECRET: &str = "GwTestSecret-abcdefghijklmnopqrstuvwxyz_9876543210";

    fn check(pairs: &[(&str, &str)], text: &str, signature: &str) {
        assert_eq!(string_to_sign(pairs.iter().copied()), text);
        assert_eq!(verify(SECRET, pairs.iter().copied(), signature), Some(Dialect::CloudStack));
        let mut reversed = pairs.to_vec();
        reversed.reverse();
        reversed.push(("sIgnature", "whatever"));
        assert!(verify(SECRET, reversed, signature).is_some(), "order and the signature itself do not count");
    }

    #[test]
    fn vector_1_plain() {
        check(
            &[("command", "listHosts"), ("response", "json"), ("apiKey", KEY)],
            "apikey=gwtestapikey-0123456789_abcdefghijklmnopqrstuvwxyz&command=listhosts&response=json",
            "bILgkeGyUcKRd2fhl6gbgHE6aJA=",
        );
    }

    #[test]
    fn vector_2_blank_plus_star_tilde() {
        check(
            &[
                ("command", "deployVirtualMachine"),
                ("response", "json"),
                ("apiKey", KEY),
                ("name", "web 01"),
                ("displayname", "a+b*c~d"),
                ("zoneid", "1746ef10-8fa6-40c1-9c82-c3956bf75db8"),
            ],
            "apikey=gwtestapikey-0123456789_abcdefghijklmnopqrstuvwxyz&command=deployvirtualmachine&displayname=a%2bb*c%7ed&name=web%2001&response=json&zoneid=1746ef10-8fa6-40c1-9c82-c3956bf75db8",
            "iQJcWbmX66B76S5ONY3t0oQAclQ=",
        );
    }

    #[test]
    fn vector_3_brackets_in_names() {
        check(
            &[
                ("command", "migrateVirtualMachineWithVolume"),
                ("response", "json"),
                ("apikey", KEY),
                ("virtualmachineid", "0a9d7a36-7e5c-4c36-9a06-4a6f2e1d3b11"),
                ("hostid", "6b4a1c52-0e6a-4b06-8f55-0d7b0a5e2c22"),
                ("migrateto[0].volume", "71f43cd6-69b0-4d3b-9fbc-67f50963d60b"),
                ("migrateto[0].pool", "a382f181-3d2b-4413-b92d-b8931befa7e1"),
                ("migrateto[10].volume", "88de0173-55c0-4c1c-a269-83d0279eeedf"),
                ("migrateto[10].pool", "95d6e97c-6766-4d67-9a30-c449c15011d1"),
            ],
            "apikey=gwtestapikey-0123456789_abcdefghijklmnopqrstuvwxyz&command=migratevirtualmachinewithvolume&hostid=6b4a1c52-0e6a-4b06-8f55-0d7b0a5e2c22&migrateto[0].pool=a382f181-3d2b-4413-b92d-b8931befa7e1&migrateto[0].volume=71f43cd6-69b0-4d3b-9fbc-67f50963d60b&migrateto[10].pool=95d6e97c-6766-4d67-9a30-c449c15011d1&migrateto[10].volume=88de0173-55c0-4c1c-a269-83d0279eeedf&response=json&virtualmachineid=0a9d7a36-7e5c-4c36-9a06-4a6f2e1d3b11",
            "jtu/QqveKIYwr1gkGYnuhtjSZ2o=",
        );
    }

    #[test]
    fn vector_4_letters_beyond_ascii() {
        let pairs = [
            ("command", "updateVolume"),
            ("response", "json"),
            ("apiKey", KEY),
            ("id", "71f43cd6-69b0-4d3b-9fbc-67f50963d60b"),
            ("name", "Größe 日本 😀 É"),
            ("signatureVersion", "3"),
            ("expires", "2030-01-02T03:04:05+0000"),
        ];
        check(
            &pairs,
            "apikey=gwtestapikey-0123456789_abcdefghijklmnopqrstuvwxyz&command=updatevolume&expires=2030-01-02t03%3a04%3a05%2b0000&id=71f43cd6-69b0-4d3b-9fbc-67f50963d60b&name=gr%c3%b6%c3%9fe%20%e6%97%a5%e6%9c%ac%20%f0%9f%98%80%20%c3%89&response=json&signatureversion=3",
            "XXkipNxT9Zx8UesCtDkMwWgoXOU=",
        );
        assert!(verify(SECRET, pairs, "YNFKv0GT0Urnv1zaW3FDxY7/xFo=").is_none(), "lower-cased before it was encoded");
    }

    #[test]
    fn vector_5_names_are_sorted_as_they_are_spelled() {
        let pairs = [
            ("command", "listVolumes"),
            ("Response", "JSON"),
            ("apiKey", KEY),
            ("Keyword", "ABC/def?=&%"),
            ("listAll", "TRUE"),
            ("ZoneId", "Z"),
            ("account", "a"),
        ];
        check(
            &pairs,
            "keyword=abc%2fdef%3f%3d%26%25&response=json&zoneid=z&account=a&apikey=gwtestapikey-0123456789_abcdefghijklmnopqrstuvwxyz&command=listvolumes&listall=true",
            "LLcpSI6e5OwbWN2QJD4e5dFj4hM=",
        );
        assert!(verify(SECRET, pairs, "0EZsQIpVf24gL6LxfzcsfG9Kp8I=").is_none(), "names lower-cased before sorting");
    }

    #[test]
    fn vector_6_punctuation_and_an_empty_value() {
        check(
            &[
                ("command", "listConfigurations"),
                ("response", "xml"),
                ("apiKey", KEY),
                ("name", "!\"#$'(),:;<>@[]^`{|}\\"),
                ("page", "1"),
                ("pagesize", "500"),
                ("keyword", ""),
            ],
            "apikey=gwtestapikey-0123456789_abcdefghijklmnopqrstuvwxyz&command=listconfigurations&keyword=&name=%21%22%23%24%27%28%29%2c%3a%3b%3c%3e%40%5b%5d%5e%60%7b%7c%7d%5c&page=1&pagesize=500&response=xml",
            "mTJNIS6lNoajFWukixCHth2pueY=",
        );
    }

    #[test]
    fn near_misses_are_refused() {
        let pairs = [("command", "listHosts"), ("response", "json"), ("apiKey", KEY)];
        for wrong in [
            "",
            "cILgkeGyUcKRd2fhl6gbgHE6aJA=",
            "bilgkegyuckrd2fhl6gbghe6aja=",
            "bILgkeGyUcKRd2fhl6gbgHE6aJA",
            " bILgkeGyUcKRd2fhl6gbgHE6aJA=",
            "bILgkeGyUcKRd2fhl6gbgHE6aJA==",
        ] {
            assert!(verify(SECRET, pairs, wrong).is_none(), "{wrong}");
        }
        // Nor does the right one fit a text, or a secret, that is nearly the right one.
        let right = "bILgkeGyUcKRd2fhl6gbgHE6aJA=";
        assert!(verify(SECRET, pairs, right).is_some());
        for (at, name, value) in [
            (0, "command", "listHost"),
            (0, "command", "listHosts "),
            (0, "commands", "listHosts"),
            (1, "response", "jso"),
            (1, "response", ""),
            (1, "respons", "ejson"),
            (2, "apiKey", &KEY[1..]),
            (2, "apiKey", "listHosts"),
        ] {
            let mut altered = pairs.to_vec();
            altered[at] = (name, value);
            assert!(verify(SECRET, altered, right).is_none(), "{name}={value}");
        }
        for at in 0..pairs.len() {
            let mut without = pairs.to_vec();
            let left_out = without.remove(at);
            assert!(verify(SECRET, without, right).is_none(), "without {left_out:?}");
        }
        let mut more = pairs.to_vec();
        more.push(("x", ""));
        assert!(verify(SECRET, more, right).is_none(), "with another parameter");
        for secret in ["", &SECRET[1..], &SECRET[..SECRET.len() - 1], &SECRET.to_lowercase()] {
            assert!(verify(secret, pairs, right).is_none(), "{secret}");
        }
    }

    #[test]
    fn time_limits() {
        let now = date::parse_with_zone("2030-01-02T03:00:00Z").unwrap();
        let seconds = |count| Ok(Some(Duration::seconds(count)));
        let cases = [
            (None, None, false, Ok(None)),
            (Some("2"), Some("1999-01-01T00:00:00Z"), false, Ok(None)),
            (Some("3"), None, false, Err(Untimely::NoExpires)),
            (Some("3"), Some(""), false, Err(Untimely::Unreadable)),
            (Some("3"), Some("tomorrow"), false, Err(Untimely::Unreadable)),
            (Some("3"), Some("2030-01-02T02:59:59Z"), false, Err(Untimely::Expired { by_s: 1 })),
            (Some("3"), Some("2030-01-02T02:59:59.500Z"), false, Err(Untimely::Expired { by_s: 1 })),
            (Some("3"), Some("2030-01-02T03:00:00Z"), false, seconds(0)),
            (Some("3"), Some("2030-01-02T03:00:01Z"), false, seconds(1)),
            (Some("3"), Some("2030-01-03T03:00:00Z"), false, seconds(86_400)),
            (None, None, true, Err(Untimely::NoVersion)),
            (Some("3"), Some("2030-01-02T03:15:00Z"), true, seconds(900)),
            (Some("3"), Some("2030-01-02T03:15:01Z"), true, Err(Untimely::TooFar { by_s: 1 })),
        ];
        for (version, expires, is_enforced, left) in cases {
            assert_eq!(time_left(version, expires, now, is_enforced), left, "{version:?} {expires:?} {is_enforced}");
        }
    }

    proptest! {
        #[test]
        fn the_text_is_lower_case_and_independent_of_order(
            pairs in proptest::collection::btree_map("[a-zA-Z\\[\\].0-9]{1,12}", "\\PC{0,20}", 0..8)
        ) {
            let forward = string_to_sign(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())));
            let backward = string_to_sign(pairs.iter().rev().map(|(name, value)| (name.as_str(), value.as_str())));
            prop_assert_eq!(&forward, &backward);
            prop_assert!(!forward.bytes().any(|byte| byte.is_ascii_uppercase()));
            prop_assert!(forward.is_ascii());
        }

        #[test]
        fn any_changed_value_changes_the_signature(value in "\\PC{1,20}", other in "\\PC{1,20}") {
            prop_assume!(!value.eq_ignore_ascii_case(&other));
            let given = sign(SECRET, &string_to_sign([("a", value.as_str())]));
            prop_assert!(verify(SECRET, [("a", other.as_str())], &given).is_none());
        }
    }
}
