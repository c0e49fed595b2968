//! Why a request got a 401: told to whoever reads the log, never to the client
//! (`contract/api-protocol.md 2.4`). The client gets the same sentence for every reason.

use super::request::RawRequest;
use crate::api::ApiError;
use crate::auth::Caller;
use crate::auth::dialect::{Misfit, diagnose};
use crate::auth::redact::without_secrets;
use crate::auth::signature::{Untimely, in_order, string_to_sign};
use crate::model::Timestamp;
use crate::telemetry::one_line;

/// The most bytes of the signed text in a log line.
const LONGEST_TEXT: usize = 4096;
/// The most parameters of it.
const MOST_PARAMETERS: usize = 100;
/// The most bytes of any other word from outside.
const LONGEST_WORD: usize = 100;

/// Why a request was not believed.
#[derive(Debug)]
pub(super) enum Why<'a> {
    /// No command is named.
    NoCommand,
    /// The command does not exist, which strangers are not told.
    UnknownCommand,
    /// There is no API key.
    NoKey,
    /// There is no signature.
    NoSignature,
    /// The time limit does not let it through.
    Untimely(Untimely),
    /// Nobody has this API key.
    UnknownKey(&'a str),
    /// User or account are disabled or locked.
    OwnerDisabled,
    /// Keys are switched off for the user, the account or the domain.
    KeysOff,
    /// It came from outside these networks.
    Address(&'a [String]),
    /// The key pair has no secret half.
    NoSecret,
    /// The key pair is valid from then on.
    NotYetValid(Timestamp),
    /// The key pair was valid until then.
    Ended(Timestamp),
    /// The signature does not fit.
    Misfit {
        /// The secret half of the key pair.
        secret: &'a str,
        /// The signature that was sent.
        signed: &'a str,
    },
}

/// Writes the reason into the log, once, and gives what the client is told. `owner` is whose key it is, where that is
/// known.
pub(super) fn refused(request: &RawRequest, owner: Option<&Caller>, why: &Why<'_>) -> ApiError {
    let has_proof = request.any_case("apikey").is_some() || request.any_case("signature").is_some();
    let command = request.exact("command").map(|name| one_line(name, LONGEST_WORD));
    let command = command.as_deref();
    let request_id = &*request.request_id;
    if !has_proof {
        // Scanners, and clients whose session has ended: nobody has signed anything.
        tracing::debug!(request_id, command, peer = %request.peer, "a request without session and signature was refused");
        return ApiError::bad_credentials();
    }
    let Told { reason, dialect, canonical } = tell(request, why);
    let owner = owner.map(|owner| {
        let whole = format!("{} of account {} in {}", owner.username, owner.account_name, owner.domain_path);
        one_line(&whole, LONGEST_WORD)
    });
    tracing::warn!(
        request_id,
        command,
        peer = %request.peer,
        key_owner = owner.as_deref(),
        reason,
        dialect,
        canonical,
        "a signature was refused"
    );
    ApiError::bad_credentials()
}

/// Writes into the log that a role inside a project denies a call, and gives what the client is told: to it that looks like
/// wrong credentials.
pub(super) fn denied_in_project(request: &RawRequest, caller: &Caller, command: &str, project: &str) -> ApiError {
    let user = name_of(caller);
    let request_id = &*request.request_id;
    tracing::warn!(
        request_id,
        command,
        peer = %request.peer,
        project,
        user,
        "the user's role inside the project denies the command"
    );
    ApiError::not_for_user(command)
}

/// The caller, as the log names it.
fn name_of(caller: &Caller) -> String {
    one_line(&format!("{} of account {}", caller.username, caller.account_name), LONGEST_WORD)
}

/// Writes into the log that the caller's account has no role that is known, and gives what the client is told.
pub(super) fn without_role(request: &RawRequest, caller: &Caller, command: &str) -> ApiError {
    let user = name_of(caller);
    let request_id = &*request.request_id;
    tracing::warn!(
        request_id,
        command = one_line(command, LONGEST_WORD),
        peer = %request.peer,
        user,
        "the user's account has no role, or one that was removed or is of an unknown type"
    );
    ApiError::not_for_user(command)
}

/// What the log is told.
struct Told {
    reason: String,
    /// The dialect that fits, or `none`; only where the signature was looked at.
    dialect: Option<&'static str>,
    /// The text that should have been signed, without secrets; only where the signature was looked at.
    canonical: Option<String>,
}

fn tell(request: &RawRequest, why: &Why<'_>) -> Told {
    let reason = match why {
        Why::NoCommand => "no command is named; the name `command` has to be in lower case".to_owned(),
        Why::UnknownCommand => "there is no such command here; letter case counts".to_owned(),
        Why::NoKey => "there is a signature but no apiKey".to_owned(),
        Why::NoSignature => "there is an apiKey but no signature".to_owned(),
        Why::Untimely(why @ Untimely::NoVersion) => why.to_string(),
        Why::Untimely(why) => format!("{why}; {}", times(request)),
        Why::UnknownKey(key) => unknown_key(key),
        Why::OwnerDisabled => "the user or the account is disabled or locked".to_owned(),
        Why::KeysOff => "API keys are switched off for the user, the account or the domain".to_owned(),
        Why::Address(networks) => {
            let networks = one_line(&networks.join(","), LONGEST_WORD);
            format!("the key may only be used from {networks}")
        }
        Why::NoSecret => "the key pair has no secret".to_owned(),
        Why::NotYetValid(from) => format!("the key pair is valid from {from} on"),
        Why::Ended(until) => format!("the key pair was valid until {until}"),
        Why::Misfit { secret, signed } => return tell_misfit(request, secret, signed),
    };
    Told { reason, dialect: None, canonical: None }
}

/// What the client says until when, and what time it is here.
fn times(request: &RawRequest) -> String {
    let expires = request.any_case("expires").map_or_else(|| "nothing".to_owned(), |text| one_line(text, LONGEST_WORD));
    format!("expires says {expires}, the clock here {}", Timestamp::now())
}

/// People paste the secret where the key belongs, so no more of it is written down than tells keys apart.
fn unknown_key(key: &str) -> String {
    let start: String = key.chars().take(4).collect();
    let mut reason =
        format!("nobody has this API key: {}... of {} characters", one_line(&start, 20), key.chars().count());
    if key.trim() != key {
        reason.push_str(", with blanks or line ends around it");
    }
    reason
}

fn tell_misfit(request: &RawRequest, secret: &str, signed: &str) -> Told {
    let misfit = diagnose(secret, request.borrowed(), signed);
    let (dialect, reason) = match &misfit {
        Misfit::Dialect(dialect) => {
            (dialect.name(), format!("the secret is right, but the client {}", dialect.explained()))
        }
        Misfit::AmbiguousName(name) => {
            let name = one_line(name, LONGEST_WORD);
            (
                "none",
                format!("the name {name} has a sign that makes the signed text ambiguous: & or = or the Kelvin sign"),
            )
        }
        Misfit::Added(name) => {
            let name = one_line(name, LONGEST_WORD);
            ("none", format!("it fits without the parameter {name}, which was added after signing"))
        }
        Misfit::TooLarge => ("none", "it does not fit, and the request is too large to be looked into".to_owned()),
        Misfit::Unknown => {
            let text = "it fits in no dialect that is known: another secret, or a parameter was changed on its way";
            ("none", text.to_owned())
        }
    };
    let mut pairs = in_order(request.borrowed());
    let left_out = pairs.len().saturating_sub(MOST_PARAMETERS);
    pairs.truncate(MOST_PARAMETERS);
    let mut canonical = one_line(&string_to_sign(without_secrets(&pairs, Some(secret))), LONGEST_TEXT);
    if left_out > 0 {
        canonical.push_str(&format!("... ({left_out} parameters more)"));
    }
    Told { reason, dialect: Some(dialect), canonical: Some(canonical) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Verb;

    #[test]
    fn places_are_named() {
        let request = RawRequest {
            pairs: vec![],
            cookies: vec![],
            session_in_path: None,
            verb: Verb::Get,
            peer: std::net::Ipv4Addr::LOCALHOST.into(),
            is_encrypted: false,
            is_cross_site: false,
            resume_after: None,
            original: None,
            request_id: "req".into(),
        };
        let networks = ["10.0.0.0/8".to_owned(), "::1\n".to_owned()];
        let told = tell(&request, &Why::Address(&networks));
        assert_eq!(told.reason, "the key may only be used from 10.0.0.0/8,::1\\n");
        assert_eq!((told.dialect, told.canonical), (None, None));
    }

    #[test]
    fn little_is_said_of_a_key_that_may_be_a_secret() {
        let said = unknown_key("S3CRETS3CRET\n");
        assert_eq!(said, "nobody has this API key: S3CR... of 13 characters, with blanks or line ends around it");
    }
}
