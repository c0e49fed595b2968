//! Parameters that name things: ids, lists and maps (`contract/api-protocol.md 5.4`).

use std::collections::{HashMap, HashSet};
use std::future::{Future, ready};
use std::marker::PhantomData;

use futures_util::future::BoxFuture;

use super::args::{Arg, Row};
use super::error::{ApiError, BoxError};
use super::param::{Input, ParamSpec, ParamType, Value, number, plain};
use crate::model::entity::{Entity, EntityKind};

/// Looks up internal numbers. The database implements it; removed rows are found as well.
pub trait Ids: Send + Sync {
    /// The internal number of the row with this UUID, or `None` when there never was one.
    fn internal_id<'a>(&'a self, entity: EntityKind, uuid: &'a str) -> BoxFuture<'a, Result<Option<i64>, BoxError>>;

    /// The same of many UUIDs, by UUID in small letters; those that there never were are left out.
    fn internal_ids<'a>(
        &'a self,
        entity: EntityKind,
        uuids: &'a [&'a str],
    ) -> BoxFuture<'a, Result<HashMap<String, i64>, BoxError>> {
        Box::pin(async move {
            let mut known = HashMap::new();
            for uuid in uuids {
                if let Some(number) = self.internal_id(entity, uuid).await? {
                    known.insert(uuid.to_ascii_lowercase(), number);
                }
            }
            Ok(known)
        })
    }
}

/// The most ids that a list of ids may name: twice as many as a page has rows, and few enough for a statement or two.
/// CloudStack looks up as many as fit into a request, one by one.
const MOST_IDS: usize = 1000;

/// The internal number of an `E`. `-1` passes as it is; what it means is the command's business.
#[derive(Debug)]
pub struct Id<E>(pub i64, PhantomData<fn() -> E>);

impl<E> Id<E> {
    /// The id with this internal number.
    pub const fn new(number: i64) -> Self {
        Self(number, PhantomData)
    }

    /// The internal number.
    pub const fn number(&self) -> i64 {
        self.0
    }
}

impl<E> Clone for Id<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Id<E> {}

impl<E> PartialEq for Id<E> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<E> Eq for Id<E> {}

/// What a text says about an id before anything is looked up.
enum Said {
    /// The internal number.
    Number(i64),
    /// A public id, or what may be one.
    Public,
    /// Nothing that a newer parameter understands.
    Nothing,
}

fn said(input: &Input<'_>, spec: &ParamSpec, raw: &str) -> Result<Said, ApiError> {
    if raw == "-1" {
        return Ok(Said::Number(-1));
    }
    if !contains_uuid(raw) {
        if spec.since.is_some() && !raw.is_empty() {
            return Ok(Said::Nothing);
        }
        if let Ok(number) = raw.parse::<i64>() {
            return if number < 1 {
                Err(input.invalid(&format!("Invalid value provided for API arg: {}", spec.name)))
            } else {
                Ok(Said::Number(number))
            };
        }
    }
    Ok(Said::Public)
}

fn unanswered(spec: &ParamSpec, cause: BoxError) -> ApiError {
    ApiError::internal(format!(
        "The id given as {} could not be looked up: the database did not answer. Try again.",
        spec.name
    ))
    .caused_by(cause)
}

async fn looked_up(input: &Input<'_>, spec: &'static ParamSpec, kind: EntityKind, raw: &str) -> Result<i64, ApiError> {
    let found = input.ids.internal_id(kind, raw).await.map_err(|cause| unanswered(spec, cause))?;
    found.ok_or_else(|| input.unknown_id(spec, raw))
}

async fn id_of(
    input: &Input<'_>,
    spec: &'static ParamSpec,
    kind: EntityKind,
    raw: &str,
) -> Result<Option<i64>, ApiError> {
    match said(input, spec, raw)? {
        Said::Number(number) => Ok(Some(number)),
        Said::Nothing => Ok(None),
        Said::Public => looked_up(input, spec, kind, raw).await.map(Some),
    }
}

impl<E: Entity> Value for Id<E> {
    const KIND: ParamType = ParamType::Uuid;
    const ENTITY: Option<EntityKind> = Some(E::KIND);

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, arg: &Arg<'_>) -> Result<Option<Self>, ApiError> {
        Ok(id_of(input, spec, E::KIND, &plain(arg)).await?.map(Self::new))
    }
}

/// A type that the tokens of a comma-separated list are converted to.
pub trait Token: Sized + Send + 'static {
    /// What an id names.
    const ENTITY: Option<EntityKind> = None;

    /// Converts the tokens, of which none is empty.
    fn convert_all<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        tokens: Vec<&'a str>,
    ) -> impl Future<Output = Result<Vec<Self>, ApiError>> + Send + 'a;
}

impl Token for String {
    fn convert_all<'a>(
        _: &'a Input<'a>,
        _: &'static ParamSpec,
        tokens: Vec<&'a str>,
    ) -> impl Future<Output = Result<Vec<Self>, ApiError>> + Send + 'a {
        ready(Ok(tokens.into_iter().map(str::to_owned).collect()))
    }
}

impl Token for i64 {
    fn convert_all<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        tokens: Vec<&'a str>,
    ) -> impl Future<Output = Result<Vec<Self>, ApiError>> + Send + 'a {
        ready(tokens.into_iter().map(|raw| number(input, spec, raw)).collect())
    }
}

impl<E: Entity> Token for Id<E> {
    const ENTITY: Option<EntityKind> = Some(E::KIND);

    /// Each id is taken once, and all of them are looked up together. The first wrong one is told of.
    async fn convert_all(
        input: &Input<'_>,
        spec: &'static ParamSpec,
        tokens: Vec<&str>,
    ) -> Result<Vec<Self>, ApiError> {
        let mut seen = HashSet::new();
        let tokens: Vec<&str> = tokens.into_iter().filter(|token| seen.insert(*token)).collect();
        if tokens.len() > MOST_IDS {
            return Err(input.invalid(&format!(
                "Parameter {} names {} ids, and one call may name {MOST_IDS} at the most: make several calls",
                spec.name,
                tokens.len()
            )));
        }
        let is_public = |token: &&str| matches!(said(input, spec, token), Ok(Said::Public));
        let public: Vec<&str> = tokens.iter().copied().filter(is_public).collect();
        let known = input.ids.internal_ids(E::KIND, &public).await.map_err(|cause| unanswered(spec, cause))?;
        let mut ids = Vec::with_capacity(tokens.len());
        for token in tokens {
            let number = match said(input, spec, token)? {
                Said::Number(number) => number,
                // A token that a newer parameter does not understand cannot be "not given", so it is unknown.
                Said::Nothing => return Err(input.unknown_id(spec, token)),
                Said::Public => match known.get(&token.to_ascii_lowercase()) {
                    Some(number) => *number,
                    // A database may take more letters for the same than these are.
                    None => looked_up(input, spec, E::KIND, token).await?,
                },
            };
            ids.push(Self::new(number));
        }
        Ok(ids)
    }
}

impl<T: Token> Value for Vec<T> {
    const KIND: ParamType = ParamType::List;
    const ENTITY: Option<EntityKind> = T::ENTITY;

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, arg: &Arg<'_>) -> Result<Option<Self>, ApiError> {
        let raw = plain(arg);
        let tokens = raw.split(',').filter(|token| !token.is_empty()).collect();
        T::convert_all(input, spec, tokens).await.map(Some)
    }
}

/// A map parameter: its rows in ascending order of their index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows(pub Vec<Row>);

impl Value for Rows {
    const KIND: ParamType = ParamType::Map;

    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        ready(match arg {
            Arg::Rows(rows) => Ok(Some(Self(rows.clone()))),
            Arg::Text("") => Ok(None),
            Arg::Text(text) => Err(input.not_a_number(spec, text)),
        })
    }
}

/// Whether a text contains something that looks like a UUID anywhere, which is CloudStack's test (`contract/api-protocol.md 5.4`).
pub fn contains_uuid(text: &str) -> bool {
    text.as_bytes().windows(36).any(|window| {
        window.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    })
}
