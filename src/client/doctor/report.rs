//! What there is to say about the signature of a request (`contract/api-protocol.md 1.3, 2`, `contract/clients.md 0.2`).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use time::OffsetDateTime;

use crate::auth::dialect::{Dialect, Misfit, ambiguous_name, diagnose, verify};
use crate::auth::redact::without_secrets;
use crate::auth::signature::{in_order, sign, string_to_sign, time_left};
use crate::client::Keys;
use crate::commands;
use crate::http::{MergeError, merge, name_command_by_path, parse_pairs};
use crate::model::Timestamp;

/// How much of a text is shown around a place.
const AROUND: usize = 24;

/// A request as the gateway reads it.
#[derive(Clone)]
pub(super) struct Request {
    /// Parameters in their order, each name once.
    pairs: Vec<(String, String)>,
    /// The names that the query has.
    in_query: Vec<String>,
    /// The names that the body has.
    in_body: Vec<String>,
    /// Names that are sent more than once.
    repeated: Vec<String>,
}

impl Request {
    /// Reads an address with a query, a query, or a line of an access log, and the body of a POST.
    ///
    /// # Errors
    /// When an encoding is broken or the body has too many names.
    pub(super) fn read(text: &str, body: &str) -> Result<Self, MergeError> {
        let target = target(text);
        let (path, query) = match target.split_once('?') {
            Some(parts) => parts,
            None if target.contains('=') && !target.contains("://") => ("", target),
            None => (target, ""),
        };
        let mut pairs = merge(query.as_bytes(), body.as_bytes())?;
        let tail = path.split_once("/client/api/").map(|(_, tail)| tail.split(';').next().unwrap_or_default());
        name_command_by_path(&mut pairs, tail);
        let in_query: Vec<_> = parse_pairs(query.as_bytes())?.into_iter().map(|(name, _)| name).collect();
        let in_body: Vec<_> = parse_pairs(body.as_bytes())?.into_iter().map(|(name, _)| name).collect();
        let times = |name: &String| in_query.iter().chain(&in_body).filter(|other| *other == name).count();
        let repeated = pairs.iter().map(|(name, _)| name).filter(|name| times(name) > 1).cloned().collect();
        Ok(Self { pairs, in_query, in_body, repeated })
    }

    fn borrowed(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of the last parameter with this name in any letter case, as the gateway looks for it.
    fn any_case(&self, name: &str) -> Option<&str> {
        self.borrowed().filter(|(known, _)| known.eq_ignore_ascii_case(name)).last().map(|(_, value)| value)
    }

    fn origin(&self, name: &str) -> &'static str {
        let has = |names: &[String]| names.iter().any(|known| known == name);
        if has(&self.in_query) {
            "query"
        } else if has(&self.in_body) {
            "body"
        } else {
            "path"
        }
    }
}

/// The part of a text that is an address or a query: the word behind the method in `GET /client/api?... HTTP/1.1`, all of
/// it otherwise; without a fragment.
fn target(text: &str) -> &str {
    let text = text.trim().trim_matches('"');
    let mut words = text.split(' ');
    let target = match (words.next(), words.next()) {
        (Some("GET" | "POST" | "HEAD"), Some(second)) => second,
        _ => text,
    };
    target.split('#').next().unwrap_or_default()
}

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    /// Nothing stands against it.
    Ok,
    /// Worth knowing, or not known.
    Note,
    /// The gateway refuses it.
    Bad,
}

impl Verdict {
    /// The word for people.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Bad => "BAD",
        }
    }
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Check {
    pub(super) about: &'static str,
    pub(super) verdict: Verdict,
    pub(super) text: String,
}

/// A parameter as it is read. Values that nobody is to read are hidden.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) value: String,
    /// `query`, `body` or `path`.
    pub(super) from: &'static str,
}

/// A dialect that gives another text for this request.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Difference {
    pub(super) dialect: &'static str,
    pub(super) accepted: bool,
    pub(super) what: &'static str,
    /// The first place where the texts differ, as CloudStack has it.
    pub(super) right: String,
    /// The same place in the dialect.
    pub(super) other: String,
}

/// Everything that is said.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    pub(super) parameters: Vec<Parameter>,
    pub(super) text_to_sign: Vec<String>,
    pub(super) checks: Vec<Check>,
    pub(super) dialects: Vec<Difference>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) signature_that_fits: Option<String>,
}

impl Report {
    /// Looks at a request with what is known of the key pair.
    pub(super) fn new(request: &Request, keys: &Keys, now: OffsetDateTime, show_signature: bool) -> Self {
        let secret = keys.secret_key.as_deref();
        let pairs: Vec<_> = request.borrowed().collect();
        let shown = without_secrets(&pairs, secret);
        let parameters = pairs.iter().zip(&shown).map(|((name, _), (shown_name, value))| Parameter {
            name: printable(shown_name),
            value: printable(value),
            from: request.origin(name),
        });
        // In the order of the names as they are, which hidden ones would lose.
        let in_order = without_secrets(&in_order(request.borrowed()), secret);
        let text_to_sign = in_order.into_iter().map(|pair| printable(&string_to_sign([pair])));
        let mut checks = vec![command(request), api_key(request, keys)];
        checks.extend(names(request));
        checks.push(time_limit(request, now));
        let given = request.any_case("signature");
        checks.push(shape(given));
        if let Some(given) = given {
            checks.push(fit(request, secret, given));
        }
        let fitting = secret.filter(|_| show_signature).map(|secret| sign(secret, &string_to_sign(request.borrowed())));
        Self {
            parameters: parameters.collect(),
            text_to_sign: text_to_sign.collect(),
            checks,
            dialects: differences(&shown),
            signature_that_fits: fitting,
        }
    }

    /// Ok: it would be believed. Bad: it would not. Note: that cannot be said, for want of the secret.
    pub(super) fn verdict(&self) -> Verdict {
        let is_bad = self.checks.iter().any(|check| check.verdict == Verdict::Bad);
        let fits = self.checks.iter().any(|check| check.about == FIT && check.verdict == Verdict::Ok);
        match (is_bad, fits) {
            (true, _) => Verdict::Bad,
            (false, true) => Verdict::Ok,
            (false, false) => Verdict::Note,
        }
    }

    /// The report as JSON, with a line end.
    pub(super) fn json(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        value["verdict"] = match self.verdict() {
            Verdict::Ok => "fits",
            Verdict::Bad => "does not fit",
            Verdict::Note => "not known",
        }
        .into();
        format!("{value:#}\n")
    }
}

const FIT: &str = "fit";

fn check(about: &'static str, verdict: Verdict, text: impl Into<String>) -> Check {
    Check { about, verdict, text: text.into() }
}

fn command(request: &Request) -> Check {
    let exact = request.borrowed().find(|(name, _)| *name == "command").map(|(_, value)| value);
    match (exact, request.any_case("command")) {
        (Some(name), _) if commands::find(name).is_some() => check("command", Verdict::Ok, name),
        (Some(name), _) => {
            let known = commands::COMMANDS.iter().map(|entry| entry.spec.name);
            let hint =
                known.filter(|known| known.eq_ignore_ascii_case(name)).map(|known| format!("; is {known} meant?"));
            let hint: String = hint.collect();
            let text = format!("stackmotion itself has no command {}; letter case counts{hint}", printable(name));
            check("command", Verdict::Note, text)
        }
        (None, Some(_)) => check("command", Verdict::Bad, "the name `command` has to be in lower case"),
        (None, None) => check("command", Verdict::Bad, "is missing"),
    }
}

fn api_key(request: &Request, keys: &Keys) -> Check {
    match (request.any_case("apikey"), keys.api_key.as_deref()) {
        (None | Some(""), _) => check("apiKey", Verdict::Bad, "is missing"),
        (Some(key), _) if key.trim() != key => check("apiKey", Verdict::Bad, "has blanks or line ends around it"),
        (Some(key), Some(own)) if key != own => {
            let text = "is not the key that belongs to the secret used here: look at profile and environment";
            check("apiKey", Verdict::Bad, text)
        }
        (Some(_), Some(_)) => check("apiKey", Verdict::Ok, "is the one that belongs to the secret used here"),
        (Some(_), None) => check("apiKey", Verdict::Ok, "is there; only the gateway knows whose it is"),
    }
}

fn names(request: &Request) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(name) = ambiguous_name(request.borrowed()) {
        let text = format!(
            "{} has a sign that makes the signed text ambiguous (& or = or the Kelvin sign): always refused",
            printable(name)
        );
        checks.push(check("names", Verdict::Bad, text));
    }
    for name in &request.repeated {
        let text = format!(
            "{} is sent more than once: the query beats the body, the last counts in the query, the first in the body",
            printable(name)
        );
        checks.push(check("names", Verdict::Note, text));
    }
    checks
}

fn time_limit(request: &Request, now: OffsetDateTime) -> Check {
    let (version, expires) = (request.any_case("signatureversion"), request.any_case("expires"));
    match time_left(version, expires, now, false) {
        Ok(None) => {
            let text =
                "no time limit, as signatureVersion is not 3; refused only where POST and time limits are enforced";
            check("expires", Verdict::Note, text)
        }
        Ok(Some(left)) => {
            check("expires", Verdict::Ok, format!("{} s left by this machine's clock", left.whole_seconds()))
        }
        Err(why) => {
            let clock = Timestamp::from_unix(now.unix_timestamp()).map(|now| format!(" (it is {now} here)"));
            check("expires", Verdict::Bad, format!("{why}{}", clock.unwrap_or_default()))
        }
    }
}

/// What can be seen of a signature without a secret.
fn shape(given: Option<&str>) -> Check {
    let bad = |text: &str| check("signature", Verdict::Bad, text);
    let Some(given) = given else { return bad("is missing") };
    if given.is_empty() {
        return bad("is empty");
    }
    if given.trim_matches(['\r', '\n', '\t']) != given {
        return bad("has line ends or tabs around it");
    }
    if given.contains(' ') {
        return bad("has blanks: a + was sent that should have been %2B");
    }
    if given.len() == 40 && given.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return bad("is hexadecimal; Base64 is needed");
    }
    match STANDARD.decode(given) {
        Ok(bytes) if bytes.len() == 20 => check("signature", Verdict::Ok, "is as long as one of HMAC-SHA1"),
        Ok(bytes) if bytes.len() == 32 => bad("is as long as one of HMAC-SHA256; CloudStack knows HMAC-SHA1 only"),
        Ok(bytes) => bad(&format!("has {} bytes; HMAC-SHA1 gives 20", bytes.len())),
        Err(_) if given.contains('%') => bad("still has percent signs: it was encoded twice"),
        Err(_) => bad("is not Base64 with padding"),
    }
}

fn fit(request: &Request, secret: Option<&str>, given: &str) -> Check {
    let Some(secret) = secret else {
        let text =
            "not known: no secret is known; give --secret-key, set STACKMOTION_SECRETKEY, or add it to a profile";
        return check(FIT, Verdict::Note, text);
    };
    let pairs = || request.borrowed();
    if let Some(dialect) = verify(secret, pairs(), given) {
        let text = match dialect {
            Dialect::CloudStack => "the signature fits".to_owned(),
            _ => format!(
                "the signature fits in the dialect {}, which is accepted here but not by CloudStack: the client {}",
                dialect.name(),
                dialect.explained()
            ),
        };
        return check(FIT, Verdict::Ok, text);
    }
    let text = match diagnose(secret, pairs(), given) {
        Misfit::Dialect(dialect) => format!(
            "the secret is right, but the signature fits only in the dialect {}, which is refused: the client {}",
            dialect.name(),
            dialect.explained()
        ),
        Misfit::Added(name) => {
            format!("the signature fits without {}: it was added after signing, or was not signed", printable(&name))
        }
        Misfit::AmbiguousName(_) => "not looked at, because of the name above".to_owned(),
        Misfit::TooLarge => "the signature does not fit, and the request is too large to be looked into".to_owned(),
        Misfit::Unknown => {
            "the signature fits in no dialect that is known: compare the text to sign with the one that \
                            the client signs, and the secret with the client's"
                .to_owned()
        }
    };
    check(FIT, Verdict::Bad, text)
}

/// Where each dialect first differs for these parameters, those that do not differ left out.
fn differences(pairs: &[(&str, &str)]) -> Vec<Difference> {
    let right = Dialect::CloudStack.text(pairs.iter().copied());
    let others = Dialect::ACCEPTED.into_iter().chain(Dialect::REFUSED);
    let mut found: Vec<Difference> = Vec::new();
    let mut texts = Vec::new();
    for dialect in others {
        let other = dialect.text(pairs.iter().copied());
        if other == right || texts.contains(&other) {
            continue;
        }
        let at = right.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        found.push(Difference {
            dialect: dialect.name(),
            accepted: dialect.is_accepted(),
            what: dialect.explained(),
            right: place(&right, at),
            other: place(&other, at),
        });
        texts.push(other);
    }
    found
}

/// A text around a place, from the beginning of the item if that is near.
fn place(text: &str, at: usize) -> String {
    let mut start = text[..text.floor_char_boundary(at)].rfind('&').map_or(0, |sign| sign + 1);
    let is_cut = at.saturating_sub(start) > AROUND;
    if is_cut {
        start = text.floor_char_boundary(at - AROUND);
    }
    let end = text.floor_char_boundary((at + AROUND).min(text.len()));
    let (before, after) = (if is_cut { "..." } else { "" }, if end < text.len() { "..." } else { "" });
    format!("{before}{}{after}", printable(&text[start..end]))
}

/// A text that cannot disturb a terminal: what is not visible is escaped.
fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '"' | '\'' => shown.push(letter),
            _ => shown.extend(letter.escape_debug()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names_and_values(text: &str, body: &str) -> Vec<(String, String)> {
        Request::read(text, body).unwrap().pairs
    }

    #[test]
    fn requests_are_read_in_every_form_in_which_people_have_them() {
        let expected = [("command".to_owned(), "listHosts".to_owned()), ("a".to_owned(), "b c".to_owned())];
        for text in [
            "http://h:8080/client/api?command=listHosts&a=b+c#top",
            "/client/api?command=listHosts&a=b%20c",
            "command=listHosts&a=b+c",
            "GET /client/api?command=listHosts&a=b+c HTTP/1.1",
            " \"POST /client/api?command=listHosts&a=b+c HTTP/1.1\"\n",
        ] {
            assert_eq!(names_and_values(text, ""), expected, "{text}");
        }
        assert_eq!(names_and_values("http://h/client/api", "command=listHosts&a=b+c"), expected);
        assert_eq!(names_and_values("http://h/client/api?command=listHosts", "command=x&a=b+c"), expected);
        let by_path = Request::read("http://h/client/api/listHosts?a=1", "").unwrap();
        assert_eq!(by_path.any_case("COMMAND"), Some("listHosts"));
        assert_eq!((by_path.origin("a"), by_path.origin("command")), ("query", "path"));
        assert!(Request::read("a=%zz", "").is_err());
    }

    #[test]
    fn the_shape_of_a_signature() {
        let says = |given| shape(Some(given)).text;
        assert_eq!(shape(Some("bILgkeGyUcKRd2fhl6gbgHE6aJA=")).verdict, Verdict::Ok);
        for (given, word) in [
            ("", "empty"),
            ("bILgkeGyUcKRd2fhl6gbgHE6aJA", "padding"),
            ("bILgkeGyUcKRd2fhl6gb HE6aJA=", "%2B"),
            ("bILgkeGyUcKRd2fhl6gbgHE6aJA%3D", "twice"),
            ("bILgkeGyUcKRd2fhl6gbgHE6aJA=\n", "line ends"),
            ("6c82e091e1b251c2917767e197a81b80713a6890", "hexadecimal"),
            ("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "SHA256"),
            ("AAAA", "3 bytes"),
        ] {
            assert!(says(given).contains(word), "{given}: {}", says(given));
            assert_eq!(shape(Some(given)).verdict, Verdict::Bad, "{given}");
        }
    }

    #[test]
    fn the_first_place_where_dialects_differ() {
        let found = differences(&[("command", "x"), ("name", "a~b [1]")]);
        let of = |name: &str| found.iter().find(|one| one.dialect == name).unwrap();
        assert_eq!(
            (of("tilde-bare").right.as_str(), of("tilde-bare").other.as_str()),
            ("name=a%7eb%20%5b1%5d", "name=a~b%20%5b1%5d")
        );
        assert!(of("tilde-bare").accepted && of("tilde-and-brackets-bare").accepted);
        assert_eq!(of("blank-as-plus").other, "name=a%7eb+%5b1%5d");
        assert!(!of("blank-as-plus").accepted);
        assert!(found.iter().all(|one| one.dialect != "star-encoded"), "no star, no difference");
        assert!(differences(&[("command", "x")]).is_empty());
    }

    #[test]
    fn terminals_are_not_disturbed() {
        assert_eq!(printable("a\u{1b}[2J\u{202e}\n\u{e9}\"~"), "a\\u{1b}[2J\\u{202e}\\n\u{e9}\"~");
    }

    #[test]
    fn hidden_values_stay_hidden() {
        let keys = Keys { api_key: None, secret_key: Some("S3CRET-S".to_owned()) };
        let request = Request::read("command=x&password=pw1&other=S3CRET-S&signature=abc%3D", "").unwrap();
        let report = Report::new(&request, &keys, OffsetDateTime::UNIX_EPOCH, false);
        let json = report.json();
        for word in ["pw1", "S3CRET-S", "s3cret-s", "abc="] {
            assert!(!json.contains(word), "{word}: {json}");
        }
        assert!(json.contains(crate::auth::redact::HIDDEN));
    }
}
