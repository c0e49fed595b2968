//! The signature of a request (`contract/api-protocol.md 2`).
//!
//! HMAC-SHA1 over all parameters in the order of their names. Names are never percent-encoded and are sorted before
//! they are lower-cased; both are easy to get wrong and both decide whether an existing client is believed.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use crate::api::date;

/// How far `expires` may lie ahead when POST and time stamps are enforced.
const FURTHEST_EXPIRY: Duration = Duration::minutes(15);

/// The text that is signed: every parameter but the signature itself.
pub fn string_to_sign<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut sorted: Vec<_> = pairs.into_iter().filter(|(name, _)| !name.eq_ignore_ascii_case("signature")).collect();
    sorted.sort_by(|a, b| utf16_order(a.0, b.0));
    let mut text = String::with_capacity(sorted.iter().map(|(name, value)| name.len() + value.len() + 8).sum());
    for (at, (name, value)) in sorted.into_iter().enumerate() {
        if at > 0 {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        encode_value(value, &mut text);
    }
    if text.is_ascii() {
        text.make_ascii_lowercase();
        text
    } else {
        text.to_lowercase()
    }
}

/// The signature of a text: Base64 with padding.
pub fn sign(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// Whether `given` is the signature of these parameters. The time it takes does not depend on where they differ.
pub fn verify<'a>(secret: &str, pairs: impl IntoIterator<Item = (&'a str, &'a str)>, given: &str) -> bool {
    let right = sign(secret, &string_to_sign(pairs));
    right.as_bytes().ct_eq(given.as_bytes()).into()
}

/// Whether the time limit of a request lets it through (`contract/api-protocol.md 2.2`).
///
/// Without enforcement only `signatureVersion=3` has a time limit. With it every request needs version 3 and a limit
/// at most 15 minutes ahead.
pub fn in_time(version: Option<&str>, expires: Option<&str>, now: OffsetDateTime, is_enforced: bool) -> bool {
    if version != Some("3") {
        return !is_enforced;
    }
    let Some(until) = expires.and_then(date::parse_with_zone) else {
        return false;
    };
    until >= now && (!is_enforced || until <= now + FURTHEST_EXPIRY)
}

/// Java compares text by UTF-16 units, which differs from byte order only beyond the basic plane.
fn utf16_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// Java's form encoding with `%20` for a blank: letters, digits and `.-*_` stay.
fn encode_value(value: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => out.push(char::from(byte)),
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "GwTestApiKey-0123456789_ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const SECRET: &str = "GwTestSecret-abcdefghijklmnopqrstuvwxyz_9876543210";

    fn check(pairs: &[(&str, &str)], text: &str, signature: &str) {
        assert_eq!(string_to_sign(pairs.iter().copied()), text);
        assert!(verify(SECRET, pairs.iter().copied(), signature));
        let mut reversed = pairs.to_vec();
        reversed.reverse();
        reversed.push(("sIgnature", "whatever"));
        assert!(verify(SECRET, reversed, signature), "order and the signature itself do not count");
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
        assert!(!verify(SECRET, pairs, "YNFKv0GT0Urnv1zaW3FDxY7/xFo="), "lower-cased before it was encoded");
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
        assert!(!verify(SECRET, pairs, "0EZsQIpVf24gL6LxfzcsfG9Kp8I="), "names lower-cased before sorting");
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
            assert!(!verify(SECRET, pairs, wrong), "{wrong}");
        }
    }

    #[test]
    fn time_limits() {
        let now = date::parse_with_zone("2030-01-02T03:00:00Z").unwrap();
        let cases = [
            (None, None, false, true),
            (Some("2"), Some("1999-01-01T00:00:00Z"), false, true),
            (Some("3"), None, false, false),
            (Some("3"), Some(""), false, false),
            (Some("3"), Some("tomorrow"), false, false),
            (Some("3"), Some("2030-01-02T02:59:59Z"), false, false),
            (Some("3"), Some("2030-01-02T03:00:01Z"), false, true),
            (Some("3"), Some("2130-01-02T03:00:01Z"), false, true),
            (None, None, true, false),
            (Some("3"), Some("2030-01-02T03:15:00Z"), true, true),
            (Some("3"), Some("2030-01-02T03:15:01Z"), true, false),
        ];
        for (version, expires, is_enforced, passes) in cases {
            assert_eq!(in_time(version, expires, now, is_enforced), passes, "{version:?} {expires:?} {is_enforced}");
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
            prop_assert!(!verify(SECRET, [("a", other.as_str())], &given));
        }
    }
}
