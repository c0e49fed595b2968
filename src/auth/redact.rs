//! Parameters as they may be shown: without what proves who somebody is.

use crate::model::{is_secret_name, tells_secret};

/// What stands for a value that is not shown. Every dialect spells it alike, so that a text with it shows no difference
/// that is none.
pub const HIDDEN: &str = "__hidden__";
/// A secret that is shorter is only hidden where it stands alone: it would hide half of everything.
const SHORTEST_INSIDE: usize = 8;

/// The parameters with [`HIDDEN`] for every value that nobody is to read: by the name of the parameter, by the name that
/// stands in `x[0].key` for `x[0].value`, by what the value itself says, and for whatever contains `secret`, be it a name.
pub fn without_secrets<'a>(pairs: &[(&'a str, &'a str)], secret: Option<&str>) -> Vec<(&'a str, &'a str)> {
    let secret = secret.filter(|secret| !secret.is_empty()).map(str::to_ascii_lowercase);
    let tells_own = |text: &str| {
        secret.as_ref().is_some_and(|secret| {
            let text = text.to_ascii_lowercase();
            text == *secret || (secret.len() >= SHORTEST_INSIDE && text.contains(secret))
        })
    };
    let is_hidden = |name: &str, value: &str| {
        is_secret_name(name)
            || name.eq_ignore_ascii_case("signature")
            || key_of_value(pairs, name).is_some_and(is_secret_name)
            || tells_secret(value)
            || tells_own(value)
    };
    pairs
        .iter()
        .map(|(name, value)| {
            let value = if is_hidden(name, value) { HIDDEN } else { *value };
            (if tells_own(name) { HIDDEN } else { *name }, value)
        })
        .collect()
}

/// What `details[0].key` says, for `details[0].value` (`contract/api-protocol.md 5.1`).
fn key_of_value<'a>(pairs: &[(&'a str, &'a str)], name: &str) -> Option<&'a str> {
    let (entry, member) = name.rsplit_once('.')?;
    if !member.eq_ignore_ascii_case("value") {
        return None;
    }
    let is_key = |other: &str| {
        other
            .rsplit_once('.')
            .is_some_and(|(place, member)| place.eq_ignore_ascii_case(entry) && member.eq_ignore_ascii_case("key"))
    };
    pairs.iter().find(|(other, _)| is_key(other)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_they_stand() {
        let pairs = [
            ("command", "resetPasswordForVirtualMachine"),
            ("Password", "p"),
            ("details[0].key", "cifs.password"),
            ("Details[0].value", "p"),
            ("details[1].key", "plain"),
            ("details[1].value", "shown"),
            ("url", "cifs://h/s?user=u&password=p"),
            ("keyword", "xS3CRET-Sx"),
            ("s3cret-s", "1"),
            ("signature", "abc="),
            ("sessionkey", ""),
        ];
        let shown = without_secrets(&pairs, Some("S3CRET-S"));
        assert!(shown.contains(&(HIDDEN, "1")), "{shown:?}");
        let hidden: Vec<_> = shown.iter().filter(|(_, value)| *value == HIDDEN).map(|(name, _)| *name).collect();
        assert_eq!(hidden, ["Password", "Details[0].value", "url", "keyword", "signature", "sessionkey"]);
        let others: Vec<_> = shown.iter().filter(|(_, value)| *value != HIDDEN).collect();
        assert!(others.iter().all(|pair| pair.0 == HIDDEN || pairs.contains(pair)), "the rest is as it was");
        assert_eq!(without_secrets(&[("a", "b")], Some("")), [("a", "b")], "an empty secret hides nothing");
        assert_eq!(without_secrets(&[("ab", "b")], Some("B")), [("ab", HIDDEN)], "a short one hides itself only");
    }
}
