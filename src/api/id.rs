//! Parameters that name things: ids, lists and maps (`contract/api-protocol.md 5.4`).

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
}

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

async fn id_of(
    input: &Input<'_>,
    spec: &'static ParamSpec,
    kind: EntityKind,
    raw: &str,
) -> Result<Option<i64>, ApiError> {
    if raw == "-1" {
        return Ok(Some(-1));
    }
    if !contains_uuid(raw) {
        if spec.since.is_some() && !raw.is_empty() {
            return Ok(None);
        }
        if let Ok(number) = raw.parse::<i64>() {
            return if number < 1 {
                Err(input.invalid(&format!("Invalid value provided for API arg: {}", spec.name)))
            } else {
                Ok(Some(number))
            };
        }
    }
    let found = input.ids.internal_id(kind, raw).await.map_err(|cause| {
        ApiError::internal(format!(
            "The id given as {} could not be looked up: the database did not answer. Try again.",
            spec.name
        ))
        .caused_by(cause)
    })?;
    found.map(Some).ok_or_else(|| input.unknown_id(spec, raw))
}

impl<E: Entity> Value for Id<E> {
    const KIND: ParamType = ParamType::Uuid;
    const ENTITY: Option<EntityKind> = Some(E::KIND);

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, arg: &Arg) -> Result<Option<Self>, ApiError> {
        Ok(id_of(input, spec, E::KIND, &plain(arg)).await?.map(Self::new))
    }
}

/// A type that a token of a comma-separated list is converted to.
pub trait Token: Sized + Send + 'static {
    /// What an id names.
    const ENTITY: Option<EntityKind> = None;

    /// Converts one token, which is never empty.
    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        raw: &'a str,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send + 'a;
}

impl Token for String {
    fn convert<'a>(
        _: &'a Input<'a>,
        _: &'static ParamSpec,
        raw: &'a str,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send + 'a {
        ready(Ok(raw.to_owned()))
    }
}

impl Token for i64 {
    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        raw: &'a str,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send + 'a {
        ready(number(input, spec, raw))
    }
}

impl<E: Entity> Token for Id<E> {
    const ENTITY: Option<EntityKind> = Some(E::KIND);

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, raw: &str) -> Result<Self, ApiError> {
        // A token that a newer parameter does not understand cannot be "not given", so it is unknown.
        id_of(input, spec, E::KIND, raw).await?.map(Self::new).ok_or_else(|| input.unknown_id(spec, raw))
    }
}

impl<T: Token> Value for Vec<T> {
    const KIND: ParamType = ParamType::List;
    const ENTITY: Option<EntityKind> = T::ENTITY;

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, arg: &Arg) -> Result<Option<Self>, ApiError> {
        let raw = plain(arg);
        let mut values = Vec::new();
        for token in raw.split(',').filter(|token| !token.is_empty()) {
            values.push(T::convert(input, spec, token).await?);
        }
        Ok(Some(values))
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
        arg: &'a Arg,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        ready(match arg {
            Arg::Rows(rows) => Ok(Some(Self(rows.clone()))),
            Arg::Text(text) if text.is_empty() => Ok(None),
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
