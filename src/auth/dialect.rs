//! Signatures that are not CloudStack's own but nearly: which of them are believed, and what the others did differently
//! (`contract/api-protocol.md 2`, `contract/clients.md 0.2`, `docs/adr/0008-signature-dialects.md`).
//!
//! A text may be spelled in another way as long as it can still be read in one way only: then whoever holds a signature
//! holds it for one set of parameters, whichever of the accepted spellings was signed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::signature::{is_signed, sign};
use super::spelling::{Names, Order, Spelling, Values};

/// The most bytes of names and values for which a refused signature is looked into: the work is done for a stranger.
const LARGEST_LOOKED_INTO: usize = 16 * 1024;
/// The most parameters for which it is tried whether one of them was added on the way.
const MOST_LEFT_OUT: usize = 32;

/// A way to sign that exists in the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// CloudStack's own.
    CloudStack,
    /// `~` stands bare in values: Go's `QueryEscape`, Python's `quote`.
    TildeBare,
    /// `~`, `[` and `]` stand bare in values: libcloud.
    TildeAndBracketsBare,
    /// Names are lower-cased before they are sorted: Marvin.
    NamesLowerCasedFirst,
    /// Values are lower-cased before they are encoded.
    ValuesLowerCasedFirst,
    /// `*` is `%2a`.
    StarEncoded,
    /// A blank is `+`.
    BlankAsPlus,
    /// `/` stands bare in values.
    SlashBare,
    /// `! ' ( )` and `~` stand bare in values: JavaScript's `encodeURIComponent`.
    ScriptBare,
    /// Names are percent-encoded.
    NamesEncoded,
    /// Values are not encoded.
    ValuesNotEncoded,
    /// Sorted by whole items.
    ItemsSorted,
    /// Not sorted.
    Unsorted,
    /// The text is not lower-cased.
    NotLowerCased,
    /// SHA-256 instead of SHA-1.
    Sha256,
    /// The signature was not encoded, so each `+` of it arrived as a blank.
    SignatureNotEncoded,
    /// The signature was encoded twice.
    SignatureEncodedTwice,
    /// The signature has blanks or line ends around it.
    SignaturePadded,
    /// The secret that is kept here has blanks or line ends around it, and the client signed without them.
    SecretStripped,
    /// The client's secret has a line end behind it.
    SecretWithLineEnd,
}

impl Dialect {
    /// Those that are believed, CloudStack's own first.
    pub const ACCEPTED: [Self; 3] = [Self::CloudStack, Self::TildeBare, Self::TildeAndBracketsBare];

    /// Those that are only recognised.
    pub const REFUSED: [Self; 17] = [
        Self::NamesLowerCasedFirst,
        Self::ValuesLowerCasedFirst,
        Self::StarEncoded,
        Self::BlankAsPlus,
        Self::SlashBare,
        Self::ScriptBare,
        Self::NamesEncoded,
        Self::ValuesNotEncoded,
        Self::ItemsSorted,
        Self::Unsorted,
        Self::NotLowerCased,
        Self::Sha256,
        Self::SignatureNotEncoded,
        Self::SignatureEncodedTwice,
        Self::SignaturePadded,
        Self::SecretStripped,
        Self::SecretWithLineEnd,
    ];

    /// Whether a signature of this kind is believed.
    #[must_use]
    pub fn is_accepted(self) -> bool {
        Self::ACCEPTED.contains(&self)
    }

    /// A word for it, for logs and programs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CloudStack => "cloudstack",
            Self::TildeBare => "tilde-bare",
            Self::TildeAndBracketsBare => "tilde-and-brackets-bare",
            Self::NamesLowerCasedFirst => "names-lower-cased-before-sorting",
            Self::ValuesLowerCasedFirst => "values-lower-cased-before-encoding",
            Self::StarEncoded => "star-encoded",
            Self::BlankAsPlus => "blank-as-plus",
            Self::SlashBare => "slash-bare",
            Self::ScriptBare => "encode-uri-component",
            Self::NamesEncoded => "names-encoded",
            Self::ValuesNotEncoded => "values-not-encoded",
            Self::ItemsSorted => "sorted-by-items",
            Self::Unsorted => "not-sorted",
            Self::NotLowerCased => "not-lower-cased",
            Self::Sha256 => "hmac-sha256",
            Self::SignatureNotEncoded => "signature-not-encoded",
            Self::SignatureEncodedTwice => "signature-encoded-twice",
            Self::SignaturePadded => "signature-padded",
            Self::SecretStripped => "secret-stripped",
            Self::SecretWithLineEnd => "secret-with-line-end",
        }
    }

    /// What whoever signs like this does differently, as a clause.
    #[must_use]
    pub const fn explained(self) -> &'static str {
        match self {
            Self::CloudStack => "signs as CloudStack does",
            Self::TildeBare => "leaves ~ bare in values (as Go and Python do)",
            Self::TildeAndBracketsBare => "leaves ~, [ and ] bare in values (as libcloud does)",
            Self::NamesLowerCasedFirst => {
                "lower-cases names before it sorts them (as Marvin does); sort them as spelled"
            }
            Self::ValuesLowerCasedFirst => "lower-cases values before it encodes them; lower-case the whole text last",
            Self::StarEncoded => "writes * as %2a; leave it bare",
            Self::BlankAsPlus => "writes a blank as +; write %20",
            Self::SlashBare => "leaves / bare in values; write %2f",
            Self::ScriptBare => "leaves ! ' ( ) bare in values (as JavaScript's encodeURIComponent does); encode them",
            Self::NamesEncoded => "encodes names; leave them as they are",
            Self::ValuesNotEncoded => "does not encode values; encode them before joining",
            Self::ItemsSorted => "sorts whole items; sort by name only",
            Self::Unsorted => "does not sort; sort by name",
            Self::NotLowerCased => "does not lower-case the text; do so before signing",
            Self::Sha256 => "signs with HMAC-SHA256; CloudStack knows HMAC-SHA1 only",
            Self::SignatureNotEncoded => "sends the signature unencoded, so + arrives as a blank; encode it",
            Self::SignatureEncodedTwice => "encodes the signature twice; encode it once",
            Self::SignaturePadded => "sends blanks or a line end around the signature; trim it",
            Self::SecretStripped => "signs without the blanks or line ends that the secret kept here has around it",
            Self::SecretWithLineEnd => "signs with a line end behind the secret; trim it",
        }
    }

    /// The text that is signed, in this dialect.
    #[must_use]
    pub fn text<'a>(self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
        self.spelled(Spelling::CLOUDSTACK).text(pairs)
    }

    /// The signs that this dialect leaves bare where the one before it in [`Dialect::ACCEPTED`] does not.
    const fn additionally_bare(self) -> &'static [u8] {
        match self {
            Self::TildeBare => b"~",
            Self::TildeAndBracketsBare => b"[]",
            _ => b"",
        }
    }

    /// A spelling with this dialect's difference on top.
    fn spelled(self, base: Spelling) -> Spelling {
        match self {
            Self::TildeBare => Spelling { bare: b"*~", ..base },
            Self::TildeAndBracketsBare => Spelling { bare: b"*~[]", ..base },
            Self::NamesLowerCasedFirst => Spelling { names: Names::LowerCased, ..base },
            Self::ValuesLowerCasedFirst => Spelling { values: Values::LowerCased, ..base },
            Self::StarEncoded => Spelling { bare: base.bare.strip_prefix(b"*").unwrap_or(base.bare), ..base },
            Self::BlankAsPlus => Spelling { blank: "+", ..base },
            Self::SlashBare => Spelling { bare: b"*~/", ..base },
            Self::ScriptBare => Spelling { bare: b"*~!'()", ..base },
            Self::NamesEncoded => Spelling { names: Names::Encoded, ..base },
            Self::ValuesNotEncoded => Spelling { values: Values::AsTheyAre, ..base },
            Self::ItemsSorted => Spelling { order: Order::Items, ..base },
            Self::Unsorted => Spelling { order: Order::AsSent, ..base },
            Self::NotLowerCased => Spelling { is_lower_cased: false, ..base },
            Self::CloudStack
            | Self::Sha256
            | Self::SignatureNotEncoded
            | Self::SignatureEncodedTwice
            | Self::SignaturePadded
            | Self::SecretStripped
            | Self::SecretWithLineEnd => base,
        }
    }

    /// Whether `given` is the signature of `text` in this dialect.
    fn fits(self, secret: &str, text: &str, given: &str) -> bool {
        match self {
            Self::Sha256 => same(&sign_sha256(secret, text), given),
            Self::SignatureNotEncoded => given.contains(' ') && same(&sign(secret, text), &given.replace(' ', "+")),
            Self::SignatureEncodedTwice => given.contains('%') && same(&sign(secret, text), &decoded_again(given)),
            Self::SignaturePadded => given.trim() != given && same(&sign(secret, text), given.trim()),
            Self::SecretStripped => secret.trim() != secret && same(&sign(secret.trim(), text), given),
            Self::SecretWithLineEnd => {
                ["\n", "\r\n"].iter().any(|end| same(&sign(&format!("{secret}{end}"), text), given))
            }
            _ => same(&sign(secret, text), given),
        }
    }

    /// Whether this is a matter of the text, and not of the secret, the digest or the signature.
    fn is_about_the_text(self) -> bool {
        self.spelled(Spelling::CLOUDSTACK) != Spelling::CLOUDSTACK
    }
}

/// Why a signature is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misfit {
    /// A name makes the text readable in more than one way, so nothing is believed about it. The name as it was sent.
    AmbiguousName(String),
    /// It is right in a dialect that is not accepted.
    Dialect(Dialect),
    /// It is right without the parameter of this name: somebody on the way has added it.
    Added(String),
    /// The request is too large to be looked into.
    TooLarge,
    /// Nothing that is known makes it fit.
    Unknown,
}

/// The dialect in which `given` is the signature of these parameters; `None` when it is not in any accepted one.
///
/// The time it takes does not depend on where signatures differ. Other dialects are only tried when CloudStack's own does
/// not fit, and only where their text differs.
pub fn verify<'a, P>(secret: &str, pairs: P, given: &str) -> Option<Dialect>
where
    P: IntoIterator<Item = (&'a str, &'a str)>,
    P::IntoIter: Clone,
{
    let pairs = pairs.into_iter();
    if ambiguous_name(pairs.clone()).is_some() {
        return None;
    }
    spoken(pairs).find(|(dialect, text)| dialect.fits(secret, text, given)).map(|(dialect, _)| dialect)
}

/// What is wrong with a signature that [`verify`] refused. Not for the client's eyes.
pub fn diagnose<'a, P>(secret: &str, pairs: P, given: &str) -> Misfit
where
    P: IntoIterator<Item = (&'a str, &'a str)>,
    P::IntoIter: Clone,
{
    let pairs = pairs.into_iter();
    if let Some(name) = ambiguous_name(pairs.clone()) {
        return Misfit::AmbiguousName(name.to_owned());
    }
    if pairs.clone().map(|(name, value)| name.len() + value.len()).sum::<usize>() > LARGEST_LOOKED_INTO {
        return Misfit::TooLarge;
    }
    let bases: Vec<_> = spoken(pairs.clone()).collect();
    for dialect in Dialect::REFUSED {
        for (base, plain) in &bases {
            let text = dialect.spelled(base.spelled(Spelling::CLOUDSTACK)).text(pairs.clone());
            if (text != *plain) == dialect.is_about_the_text() && dialect.fits(secret, &text, given) {
                return Misfit::Dialect(dialect);
            }
        }
    }
    let signed = pairs.clone().filter(|(name, _)| is_signed(name));
    if signed.clone().count() <= MOST_LEFT_OUT {
        for (left_out, _) in signed {
            let others = pairs.clone().filter(|(name, _)| *name != left_out);
            if spoken(others).any(|(dialect, text)| dialect.fits(secret, &text, given)) {
                return Misfit::Added(left_out.to_owned());
            }
        }
    }
    Misfit::Unknown
}

/// The first name that makes the text of a request readable in more than one way (`docs/adr/0008-signature-dialects.md`).
///
/// Names stand raw in the text: `=` and `&` in one would pass for the end of a name and of an item, so that what was signed
/// as two parameters could be sent as one. Either sign is enough to be refused: nobody needs it. The Kelvin sign is the one letter beyond ASCII that lower-cases into ASCII, so
/// that `\u{212a}eyword`, which no command knows, would have the text of `keyword`.
pub fn ambiguous_name<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<&'a str> {
    let mut names = pairs.into_iter().map(|(name, _)| name).filter(|name| is_signed(name));
    names.find(|name| name.contains(['&', '=', '\u{212a}']))
}

/// The accepted dialects with their texts, made when they are asked for; only the first of those with the same text.
fn spoken<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> impl Iterator<Item = (Dialect, String)> {
    Dialect::ACCEPTED.into_iter().filter_map(move |dialect| {
        let extra = dialect.additionally_bare();
        let mut values = pairs.clone().filter(|(name, _)| is_signed(name)).map(|(_, value)| value);
        let differs = extra.is_empty() || values.any(|value| value.bytes().any(|byte| extra.contains(&byte)));
        differs.then(|| (dialect, dialect.text(pairs.clone())))
    })
}

fn same(right: &str, given: &str) -> bool {
    right.as_bytes().ct_eq(given.as_bytes()).into()
}

fn sign_sha256(secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A signature that still has the escapes of the three signs of Base64 that need one.
fn decoded_again(given: &str) -> String {
    let mut text = given.to_owned();
    for (escape, sign) in [("%2b", "+"), ("%2B", "+"), ("%2f", "/"), ("%2F", "/"), ("%3d", "="), ("%3D", "=")] {
        text = text.replace(escape, sign);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::signature::string_to_sign;
    use proptest::prelude::*;

    const SECRET: &str = "GwTestSecret-abcdefghijklmnopqrstuvwxyz_9876543210";

    /// The signature that a client makes which signs this text.
    fn signed(text: &str) -> String {
        sign(SECRET, text)
    }

    #[test]
    fn bare_tildes_and_brackets_are_believed() {
        let pairs = [("command", "listHosts"), ("name", "a~b*c d"), ("x", "[~1]")];
        for (text, dialect) in [
            ("command=listhosts&name=a%7eb*c%20d&x=%5b%7e1%5d", Some(Dialect::CloudStack)),
            ("command=listhosts&name=a~b*c%20d&x=%5b~1%5d", Some(Dialect::TildeBare)),
            ("command=listhosts&name=a~b*c%20d&x=[~1]", Some(Dialect::TildeAndBracketsBare)),
            ("command=listhosts&name=a~b*c%20d&x=[~1%5d", None),
            ("command=listhosts&name=a~b*c%20d&x=%5b%7e1%5d", None),
            ("command=listhosts&name=a%7eb*c%20d&x=[%7e1]", None),
        ] {
            assert_eq!(verify(SECRET, pairs, &signed(text)), dialect, "{text}");
            let mut changed = pairs;
            changed[1].1 = "a~b*c_d";
            assert_eq!(verify(SECRET, changed, &signed(text)), None, "{text}");
        }
    }

    #[test]
    fn brackets_alone_need_no_tilde() {
        assert_eq!(verify(SECRET, [("a", "[1]")], &signed("a=[1]")), Some(Dialect::TildeAndBracketsBare));
        assert_eq!(verify(SECRET, [("a", "~")], &signed("a=~")), Some(Dialect::TildeBare));
        assert_eq!(verify(SECRET, [("a[0]~", "1")], &signed("a[0]~=1")), Some(Dialect::CloudStack), "names are raw");
    }

    #[test]
    fn texts_are_only_made_where_they_differ() {
        let spoken_for =
            |value: &'static str| spoken([("a", value)].into_iter()).map(|(one, _)| one).collect::<Vec<_>>();
        assert_eq!(spoken_for("plain"), [Dialect::CloudStack]);
        assert_eq!(spoken_for("~"), [Dialect::CloudStack, Dialect::TildeBare]);
        assert_eq!(spoken_for("]"), [Dialect::CloudStack, Dialect::TildeAndBracketsBare]);
        assert_eq!(spoken_for("~]"), Dialect::ACCEPTED);
    }

    #[test]
    fn every_slip_is_recognised_and_none_is_believed() {
        let pairs = [("command", "x"), ("Name", "\u{c9} *"), ("a[0]", "p/q!~"), ("a", "1"), ("apiKey", "K"), ("b", "")];
        let order = "name=%c3%89%20*&a=1&a[0]=p%2fq%21%7e&apikey=k&b=&command=x";
        assert_eq!(string_to_sign(pairs), order);
        let cases = [
            ("a=1&a[0]=p%2fq%21%7e&apikey=k&b=&command=x&name=%c3%89%20*", Dialect::NamesLowerCasedFirst),
            ("name=%c3%a9%20*&a=1&a[0]=p%2fq%21%7e&apikey=k&b=&command=x", Dialect::ValuesLowerCasedFirst),
            ("name=%c3%89%20%2a&a=1&a[0]=p%2fq%21%7e&apikey=k&b=&command=x", Dialect::StarEncoded),
            ("name=%c3%89%20%2a&a=1&a[0]=p%2fq%21~&apikey=k&b=&command=x", Dialect::StarEncoded),
            ("name=%c3%89+*&a=1&a[0]=p%2fq%21%7e&apikey=k&b=&command=x", Dialect::BlankAsPlus),
            ("name=%c3%89+*&a=1&a[0]=p%2fq%21~&apikey=k&b=&command=x", Dialect::BlankAsPlus),
            ("name=%c3%89%20*&a=1&a[0]=p/q%21~&apikey=k&b=&command=x", Dialect::SlashBare),
            ("name=%c3%89%20*&a=1&a[0]=p%2fq!~&apikey=k&b=&command=x", Dialect::ScriptBare),
            ("name=%c3%89%20*&a=1&a%5b0%5d=p%2fq%21%7e&apikey=k&b=&command=x", Dialect::NamesEncoded),
            ("name=\u{e9} *&a=1&a[0]=p/q!~&apikey=k&b=&command=x", Dialect::ValuesNotEncoded),
            ("command=x&name=%c3%89%20*&a[0]=p%2fq%21%7e&a=1&apikey=k&b=", Dialect::Unsorted),
            ("Name=%C3%89%20*&a=1&a[0]=p%2Fq%21%7E&apiKey=K&b=&command=x", Dialect::NotLowerCased),
        ];
        for (text, dialect) in cases {
            assert_eq!(verify(SECRET, pairs, &signed(text)), None, "{text}");
            assert_eq!(diagnose(SECRET, pairs, &signed(text)), Misfit::Dialect(dialect), "{text}");
        }
        let pair = [("a1", "x"), ("a", "y")];
        assert_eq!(diagnose(SECRET, pair, &signed("a1=x&a=y")), Misfit::Dialect(Dialect::ItemsSorted));
        let right = signed(order);
        let others = [
            (sign_sha256(SECRET, order), Dialect::Sha256),
            (right.replace('=', "%3D"), Dialect::SignatureEncodedTwice),
            (format!("{right}\n"), Dialect::SignaturePadded),
            (sign(&format!("{SECRET}\n"), order), Dialect::SecretWithLineEnd),
        ];
        for (given, dialect) in others {
            assert_eq!(verify(SECRET, pairs, &given), None, "{dialect:?}");
            assert_eq!(diagnose(SECRET, pairs, &given), Misfit::Dialect(dialect));
        }
        assert_eq!(diagnose(&format!(" {SECRET}\n"), pairs, &right), Misfit::Dialect(Dialect::SecretStripped));
    }

    #[test]
    fn a_signature_whose_plus_became_a_blank() {
        let (text, given) = (0..)
            .map(|number| format!("a={number}"))
            .map(|text| (text.clone(), signed(&text)))
            .find(|(_, given)| given.contains('+'))
            .unwrap();
        let pairs = [("a", text.strip_prefix("a=").unwrap())];
        assert_eq!(verify(SECRET, pairs, &given), Some(Dialect::CloudStack));
        let lost = given.replace('+', " ");
        assert_eq!(verify(SECRET, pairs, &lost), None);
        assert_eq!(diagnose(SECRET, pairs, &lost), Misfit::Dialect(Dialect::SignatureNotEncoded));
    }

    #[test]
    fn what_no_dialect_explains() {
        let pairs = [("command", "x"), ("page", "1"), ("_", "17~")];
        assert_eq!(diagnose(SECRET, pairs, &sign("other", "_=17%7e&command=x&page=1")), Misfit::Unknown);
        assert_eq!(diagnose(SECRET, pairs, ""), Misfit::Unknown);
        assert_eq!(diagnose(SECRET, pairs, &signed("command=x&page=1")), Misfit::Added("_".to_owned()));
        assert_eq!(diagnose(SECRET, pairs, &signed("_=17~&command=x")), Misfit::Added("page".to_owned()));
        let large = "x".repeat(LARGEST_LOOKED_INTO);
        assert_eq!(diagnose(SECRET, [("command", large.as_str())], "any"), Misfit::TooLarge);
    }

    #[test]
    fn why_some_signs_are_refused_in_names() {
        let two = [("a", "x"), ("b", "1")];
        let given = signed(&string_to_sign(two));
        assert_eq!(verify(SECRET, two, &given), Some(Dialect::CloudStack));
        let two_readings = [
            ([("a=x&b", "1")].as_slice(), "a=x&b"),
            ([("a=x&b=1&signature", ""), ("a", "x")].as_slice(), "a=x&b=1&signature"),
        ];
        assert_eq!(string_to_sign(two_readings[0].0.iter().copied()), string_to_sign(two), "one text, two meanings");
        for (pairs, name) in two_readings {
            assert_eq!(verify(SECRET, pairs.iter().copied(), &given), None, "{name}");
            let found = diagnose(SECRET, pairs.iter().copied(), &given);
            assert_eq!(found, Misfit::AmbiguousName(name.to_owned()));
        }
        for name in ["a&b", "a=b"] {
            let given = signed(&string_to_sign([(name, "1")]));
            assert_eq!(verify(SECRET, [(name, "1")], &given), None, "one of the two signs is enough");
        }
        let given = signed(&string_to_sign([("keyword", "x")]));
        let kelvin = [("\u{212a}eyword", "x")];
        assert_eq!(string_to_sign(kelvin), string_to_sign([("keyword", "x")]), "a parameter could be made unknown");
        assert_eq!(verify(SECRET, kelvin, &given), None);
    }

    #[test]
    fn the_kelvin_sign_is_the_only_letter_that_becomes_ascii() {
        let becomes_ascii = |letter: &char| !letter.is_ascii() && letter.to_lowercase().all(|lower| lower.is_ascii());
        assert_eq!(('\0'..=char::MAX).filter(becomes_ascii).collect::<String>(), "\u{212a}");
        let becomes_sign =
            |letter: &char| !letter.is_ascii() && letter.to_lowercase().any(|lower| "&=".contains(lower));
        assert_eq!(('\0'..=char::MAX).find(becomes_sign), None);
    }

    #[test]
    fn an_empty_name_is_no_fault() {
        assert_eq!(verify(SECRET, [("", "v"), ("a", "")], &signed("=v&a=")), Some(Dialect::CloudStack));
    }

    /// What a set of parameters says but for letter case, which CloudStack's text does not keep.
    fn meaning(pairs: &[(String, String)]) -> Vec<(String, String)> {
        let mut items: Vec<_> =
            pairs.iter().map(|(name, value)| (name.to_lowercase(), value.to_ascii_lowercase())).collect();
        items.sort();
        items
    }

    fn borrowed(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> + Clone {
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Reads a text of any accepted dialect. Written without looking at how texts are made.
    fn read(text: &str) -> Vec<(String, String)> {
        let items = text.split('&').filter(|item| !item.is_empty());
        let mut items: Vec<_> = items
            .map(|item| {
                let (name, value) = item.split_once('=').unwrap();
                let mut bytes = Vec::new();
                let mut rest = value;
                while let Some(first) = rest.chars().next() {
                    let length = if first == '%' { 3 } else { first.len_utf8() };
                    match rest[..length].strip_prefix('%') {
                        Some(digits) => bytes.push(u8::from_str_radix(digits, 16).unwrap()),
                        None => bytes.extend_from_slice(&rest.as_bytes()[..length]),
                    }
                    rest = &rest[length..];
                }
                (name.to_owned(), String::from_utf8(bytes).unwrap())
            })
            .collect();
        items.sort();
        items
    }

    /// Pieces of values, each beside one that is like it in some way: the same sign in another spelling, the same letter.
    const ALIKE: [(&str, &str); 9] = [
        ("~", "%7e"),
        ("[", "%5b"),
        ("]", "%5d"),
        ("%", "%25"),
        (" ", "+"),
        (" ", "%20"),
        ("*", "%2a"),
        ("a", "A"),
        ("&b=", "%26b%3d"),
    ];

    /// Pieces for the value of a parameter, and for each which of the two sets has its twin instead.
    fn pieces() -> impl Strategy<Value = Vec<(usize, bool, bool)>> {
        proptest::collection::vec((0..ALIKE.len(), any::<bool>(), any::<bool>()), 0..4)
    }

    /// Two sets of parameters that are as alike as can be; in the second, two may have become one.
    fn two_alike() -> impl Strategy<Value = [Vec<(String, String)>; 2]> {
        (pieces(), pieces(), any::<bool>()).prop_map(|(first, second, is_merged)| {
            let value = |pieces: &[(usize, bool, bool)], in_other: bool| -> String {
                let twin = |(_, one, other): &(usize, bool, bool)| if in_other { *other } else { *one };
                pieces.iter().map(|piece| if twin(piece) { ALIKE[piece.0].1 } else { ALIKE[piece.0].0 }).collect()
            };
            let set =
                |in_other| vec![("a".to_owned(), value(&first, in_other)), ("b".to_owned(), value(&second, in_other))];
            let (one, mut other) = (set(false), set(true));
            if is_merged {
                other = vec![("a".to_owned(), format!("{}&b={}", other[0].1, other[1].1))];
            }
            [one, other]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1500))]

        #[test]
        fn no_two_sets_have_the_same_text([one, other] in two_alike()) {
            for first in Dialect::ACCEPTED {
                for second in Dialect::ACCEPTED {
                    if first.text(borrowed(&one)) == second.text(borrowed(&other)) {
                        prop_assert_eq!(meaning(&one), meaning(&other), "{:?} and {:?}", first, second);
                    }
                }
            }
        }

        #[test]
        fn a_text_can_be_read_back(
            pairs in proptest::collection::btree_map("[^&=\\u{212a}]{0,8}", "\\PC{0,12}", 0..6)
        ) {
            let pairs: Vec<_> = pairs.into_iter().filter(|(name, _)| is_signed(name)).collect();
            for dialect in Dialect::ACCEPTED {
                prop_assert_eq!(read(&dialect.text(borrowed(&pairs))), meaning(&pairs), "{:?}", dialect);
            }
        }

        #[test]
        fn one_changed_sign_is_refused(value in "[a-c~\\[\\]% ]{1,6}", at in 0_usize..6, sign in "[d-f/7]") {
            for dialect in Dialect::ACCEPTED {
                let given = signed(&dialect.text([("v", value.as_str())]));
                prop_assert!(verify(SECRET, [("v", value.as_str())], &given).is_some());
                let mut changed = value.clone();
                let at = at % value.len();
                changed.replace_range(at..=at, &sign);
                prop_assert_eq!(verify(SECRET, [("v", changed.as_str())], &given), None);
            }
        }
    }
}
