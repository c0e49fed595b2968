//! Bytes to types and back.

use std::io;

use serde::Serialize;
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use thiserror::Error;

use super::{Answer, Command, PLAIN_ANSWER, REQUEST_LIMIT_BYTES};

/// Why a body could not be made or understood.
#[derive(Debug, Error)]
pub enum WireError {
    /// The request cannot be written as JSON.
    #[error("cannot write the request {class} as JSON: {source}; nothing was sent")]
    Unwritable {
        /// Class of the command.
        class: &'static str,
        /// What the JSON writer said.
        source: serde_json::Error,
    },
    /// The request is larger than an agent reads.
    #[error(
        "the request {class} has {size_bytes} bytes, an agent reads fewer than {REQUEST_LIMIT_BYTES}; \
         nothing was sent; name fewer volumes in one request"
    )]
    TooLarge {
        /// Class of the command.
        class: &'static str,
        /// Size of the body.
        size_bytes: usize,
    },
    /// The answer is no JSON.
    #[error("the answer to {class} is no JSON: {source}; whether the agent did the work is unknown")]
    NotJson {
        /// Class of the command.
        class: &'static str,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
    /// The answer is `[]`: the agent has nothing to say.
    #[error("the agent answered an empty array; whether it did the work is unknown")]
    Empty,
    /// The answer is JSON of another shape.
    #[error("the agent's answer is not an array of objects keyed by class: {found}")]
    Shape {
        /// Beginning of what came.
        found: String,
    },
    /// An answer of another class came.
    #[error("expected an answer of class {expected}, got {got} ({details}); check that the agent speaks this protocol")]
    WrongClass {
        /// Class that belongs to the command.
        expected: &'static str,
        /// Class that came.
        got: String,
        /// The text in the answer that came, or "no details".
        details: String,
    },
    /// The answer has the right class, but a member has the wrong type.
    #[error("cannot read the members of {class}: {source}")]
    Members {
        /// Class of the answer.
        class: &'static str,
        /// What the JSON reader said.
        source: serde_json::Error,
    },
}

/// Writes JSON whose strings are pure ASCII.
///
/// Agents read the body as UTF-8 while the management server sends Latin-1; only ASCII means the
/// same in both (`contract/hyperv-wire.md` 1.2).
struct AsciiFormatter(CompactFormatter);

impl Formatter for AsciiFormatter {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut rest = fragment;
        while let Some(at) = rest.find(|letter: char| !letter.is_ascii() || letter == '\u{7f}') {
            self.0.write_string_fragment(writer, &rest[..at])?;
            let letter = rest[at..].chars().next().unwrap_or_default();
            for unit in letter.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + letter.len_utf8()..];
        }
        self.0.write_string_fragment(writer, rest)
    }
}

/// Writes any value as compact JSON in pure ASCII.
///
/// # Errors
/// What the JSON writer says, for instance for a map whose keys are no strings.
pub fn to_ascii<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut bytes = Vec::with_capacity(512);
    let mut serializer = Serializer::with_formatter(&mut bytes, AsciiFormatter(CompactFormatter));
    value.serialize(&mut serializer)?;
    Ok(bytes)
}

/// Writes a command as the body of a request: pure ASCII JSON, below the agent's limit.
///
/// # Errors
/// [`WireError::Unwritable`] or [`WireError::TooLarge`]; in both cases nothing may be sent.
pub fn encode<C: Command>(command: &C) -> Result<Vec<u8>, WireError> {
    let written = match C::WRAPPED_AS {
        None => to_ascii(command),
        Some(class) => to_ascii(&[std::collections::BTreeMap::from([(class, command)])]),
    };
    let bytes = written.map_err(|source| WireError::Unwritable { class: C::CLASS, source })?;
    if bytes.len() >= REQUEST_LIMIT_BYTES {
        return Err(WireError::TooLarge { class: C::CLASS, size_bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Reads the body of a 200 answer to a command of type `C`.
///
/// Unknown members and nulls are tolerated. A plain `Answer` that says no stands for a failure of
/// any command (`contract/hyperv-wire.md` 2.13).
///
/// # Errors
/// [`WireError`] when the body is no answer to `C`. The work may have been done all the same.
pub fn decode<C: Command>(body: &[u8]) -> Result<C::Answer, WireError> {
    let value = serde_json::from_slice(body).map_err(|source| WireError::NotJson { class: C::CLASS, source })?;
    C::Answer::from_body(value)
}

/// The elements of the array that every answer is.
pub(super) fn elements(body: Value) -> Result<Vec<Value>, WireError> {
    match body {
        Value::Array(elements) => Ok(elements),
        other => Err(shape(&other)),
    }
}

/// The first key of an element and what is behind it. Further keys are ignored, as the management
/// server does (`contract/hyperv-wire.md` 1.6).
pub(super) fn keyed(element: Value) -> Result<(String, Value), WireError> {
    match element {
        Value::Object(members) if !members.is_empty() => members.into_iter().next().ok_or(WireError::Empty),
        other => Err(shape(&other)),
    }
}

/// The first answer of a body, when it has the class that belongs to `A`.
pub(super) fn first_answer<A: Answer>(body: Value) -> Result<A, WireError> {
    let first = elements(body)?.into_iter().next().ok_or(WireError::Empty)?;
    let (class, members) = keyed(first)?;
    let refusal = class == PLAIN_ANSWER && members.get("result") != Some(&Value::Bool(true));
    if class != A::CLASS && !refusal {
        let details = members.get("details").and_then(Value::as_str);
        return Err(WireError::WrongClass {
            expected: A::CLASS,
            got: class,
            details: details.unwrap_or("no details").to_owned(),
        });
    }
    members_of(A::CLASS, members)
}

/// Reads the members of an object into a type.
pub(super) fn members_of<T: serde::de::DeserializeOwned>(class: &'static str, members: Value) -> Result<T, WireError> {
    serde_json::from_value(members).map_err(|source| WireError::Members { class, source })
}

/// An error that shows the beginning of a body of the wrong shape.
pub(super) fn shape(found: &Value) -> WireError {
    let text = found.to_string();
    WireError::Shape { found: text.chars().take(200).collect() }
}
