//! How the text of a parameter becomes a typed value (`contract/api-protocol.md 5.2 to 5.4`).

use std::future::{Future, ready};

use super::args::{Arg, Args};
use super::date;
use super::error::ApiError;
use super::id::{Ids, contains_uuid};
use crate::model::entity::EntityKind;
use crate::model::{Secret, Timestamp};

/// The kind of a parameter as `listApis` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamType {
    /// `true` or anything else.
    Boolean,
    /// A point in time or a day.
    Date,
    /// A 32-bit number.
    Integer,
    /// A 64-bit number.
    Long,
    /// Comma-separated values.
    List,
    /// Rows of fields.
    Map,
    /// Text.
    String,
    /// The id of something.
    Uuid,
}

impl ParamType {
    /// The word used by `listApis` (`contract/api-protocol.md 8.1`).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Date => "date",
            Self::Integer => "integer",
            Self::Long => "long",
            Self::List => "list",
            Self::Map => "map",
            Self::String => "string",
            Self::Uuid => "uuid",
        }
    }
}

/// What a declaration says about one parameter.
#[derive(Debug, Clone, Copy)]
pub struct ParamSpec {
    /// The name on the wire, lower case.
    pub name: &'static str,
    /// The name of the field in CloudStack's class, which one error text shows. `None`: made from our field name.
    pub java_name: Option<&'static str>,
    /// Our field name.
    pub field: &'static str,
    /// What it means, for people.
    pub description: &'static str,
    /// The kind of value.
    pub kind: ParamType,
    /// Whether a call without it is refused.
    pub required: bool,
    /// What the id names, for ids and lists of ids.
    pub entity: Option<EntityKind>,
    /// The version that brought it. Ids with a version refuse internal numbers silently.
    pub since: Option<&'static str>,
    /// The longest text in UTF-16 units.
    pub max_length: usize,
    /// Whether `listApis` leaves it out.
    pub hidden: bool,
    /// Whether an empty text counts as wrong even if the parameter is optional.
    pub not_empty: bool,
    /// Whether a text without the form of a public id is refused. It is for texts: ids have that from their type.
    pub like_id: bool,
    /// Whether it is only read where a root admin gives it, and ignored from others (`contract/api-protocol.md` 5.2).
    pub root_only: bool,
    /// The parameters that this one stands for, when it is a group such as [`super::page::Page`].
    pub group: Option<&'static [ParamSpec]>,
}

impl ParamSpec {
    /// The description of a field of type `P`.
    pub const fn of<P: Param>(name: &'static str, field: &'static str, description: &'static str) -> Self {
        Self {
            name,
            java_name: None,
            field,
            description,
            kind: P::KIND,
            required: P::REQUIRED,
            entity: P::ENTITY,
            since: None,
            max_length: 255,
            hidden: false,
            not_empty: false,
            like_id: false,
            root_only: false,
            group: P::GROUP,
        }
    }

    /// Says which version brought it.
    pub const fn since(mut self, version: &'static str) -> Self {
        self.since = Some(version);
        self
    }

    /// Allows longer or shorter text than 255.
    pub const fn length(mut self, max_length: usize) -> Self {
        self.max_length = max_length;
        self
    }

    /// Gives the name of CloudStack's field where ours cannot be turned into it.
    pub const fn java(mut self, name: &'static str) -> Self {
        self.java_name = Some(name);
        self
    }

    /// Leaves it out of `listApis`.
    pub const fn hidden(mut self, hidden: bool) -> Self {
        self.hidden = hidden;
        self
    }

    /// Refuses an empty text.
    pub const fn not_empty(mut self, not_empty: bool) -> Self {
        self.not_empty = not_empty;
        self
    }

    /// Refuses a text that has not the form of a public id.
    pub const fn like_id(mut self, like_id: bool) -> Self {
        self.like_id = like_id;
        self
    }

    /// Ignores it unless a root admin gives it.
    pub const fn root_only(mut self, root_only: bool) -> Self {
        self.root_only = root_only;
        self
    }

    /// The name of CloudStack's field: given, or ours in camel case.
    pub fn java_field(&self) -> String {
        if let Some(name) = self.java_name {
            return name.to_owned();
        }
        let mut words = self.field.split('_');
        let mut name = words.next().unwrap_or_default().to_owned();
        for word in words {
            let mut letters = word.chars();
            name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
            name.push_str(letters.as_str());
        }
        name
    }
}

/// The parameters of a list of specs with groups replaced by their members.
pub fn flatten(specs: &'static [ParamSpec]) -> impl Iterator<Item = &'static ParamSpec> {
    let mut flat = Vec::with_capacity(specs.len());
    collect_flat(specs, &mut flat);
    flat.into_iter()
}

/// Groups may hold groups.
fn collect_flat(specs: &'static [ParamSpec], flat: &mut Vec<&'static ParamSpec>) {
    for spec in specs {
        match spec.group {
            Some(members) => collect_flat(members, flat),
            None => flat.push(spec),
        }
    }
}

crate::params! {
    /// What every command that is done by a job takes beside its own parameters.
    pub struct Submitting {
        /// A name for this call, chosen by the client, 1 to 255 letters. A call with the same key, command and parameters gets
        /// the same job for as long as the job is known; the same key with anything else is refused. An addition to CloudStack.
        idempotency_key "idempotencykey": Option<String> [not_empty(true)],
    }
}

/// What a parameter is decoded from.
pub struct Input<'a> {
    /// The name of the command in lower case, for error texts.
    pub command: &'a str,
    /// All parameters.
    pub args: &'a Args<'a>,
    /// Where ids are looked up.
    pub ids: &'a dyn Ids,
    /// Whether a root admin calls.
    pub is_root: bool,
    /// The setting `default.page.size`: rows of a page that asks for no size, and the most it may ask for.
    pub default_page_size: i64,
}

impl Input<'_> {
    fn missing(&self, spec: &ParamSpec) -> ApiError {
        ApiError::bad_parameter(format!(
            "Unable to execute API command {} due to missing parameter {}",
            self.command, spec.name
        ))
    }

    pub(super) fn not_a_number(&self, spec: &ParamSpec, raw: &str) -> ApiError {
        ApiError::bad_parameter(format!(
            "Unable to execute API command {} due to invalid value {raw} for parameter {}",
            self.command, spec.name
        ))
    }

    /// 431/9999 with the usual beginning; `reason` completes the sentence.
    pub fn invalid(&self, reason: &str) -> ApiError {
        ApiError::bad_parameter(format!(
            "Unable to execute API command {} due to invalid value. {reason}",
            self.command
        ))
    }

    pub(super) fn unknown_id(&self, spec: &ParamSpec, raw: &str) -> ApiError {
        self.invalid(&format!(
            "Invalid parameter {} value={raw} due to incorrect long value format, or entity does not exist or due to \
             incorrect parameter annotation for the field in api cmd class.",
            spec.name
        ))
    }
}

/// A type that one parameter's text is converted to.
pub trait Value: Sized + Send + 'static {
    /// The kind shown by `listApis`.
    const KIND: ParamType;
    /// What an id names.
    const ENTITY: Option<EntityKind> = None;

    /// Converts. `None` means that the value is treated as not given.
    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a;
}

/// A field of a command: a [`Value`] (required), an `Option` of one, or a group of parameters.
pub trait Param: Sized + Send + 'static {
    /// The kind shown by `listApis`.
    const KIND: ParamType;
    /// Whether a call without it is refused.
    const REQUIRED: bool;
    /// What an id names.
    const ENTITY: Option<EntityKind> = None;
    /// The members of a group.
    const GROUP: Option<&'static [ParamSpec]> = None;

    /// Reads the field from the parameters of a call.
    fn decode<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
    ) -> impl Future<Output = Result<Self, ApiError>> + Send + 'a;
}

async fn optional<T: Value>(input: &Input<'_>, spec: &'static ParamSpec) -> Result<Option<T>, ApiError> {
    let Some(arg) = input.args.get(spec.name).filter(|_| input.is_root || !spec.root_only) else {
        return Ok(None);
    };
    let is_wrong = |text: &str| spec.not_empty && text.is_empty() || spec.like_id && !contains_uuid(text);
    if matches!(arg, Arg::Text(text) if is_wrong(text)) {
        return Err(input.invalid(&format!("Invalid value provided for API arg: {}", spec.name)));
    }
    T::convert(input, spec, arg).await
}

impl<T: Value> Param for Option<T> {
    const KIND: ParamType = T::KIND;
    const REQUIRED: bool = false;
    const ENTITY: Option<EntityKind> = T::ENTITY;

    async fn decode(input: &Input<'_>, spec: &'static ParamSpec) -> Result<Self, ApiError> {
        optional(input, spec).await
    }
}

impl<T: Value> Param for T {
    const KIND: ParamType = T::KIND;
    const REQUIRED: bool = true;
    const ENTITY: Option<EntityKind> = T::ENTITY;

    async fn decode(input: &Input<'_>, spec: &'static ParamSpec) -> Result<Self, ApiError> {
        match input.args.get(spec.name) {
            None => return Err(input.missing(spec)),
            Some(Arg::Text("")) => {
                return Err(ApiError::invalid_parameter(format!("Invalid value provided for API arg: {}", spec.name)));
            }
            Some(_) => {}
        }
        optional(input, spec).await?.ok_or_else(|| input.missing(spec))
    }
}

/// The text of a plain argument; rows where text is expected read as their printed form, which fits no type.
pub(super) fn plain<'a>(arg: &Arg<'a>) -> std::borrow::Cow<'a, str> {
    match arg {
        Arg::Text(text) => (*text).into(),
        Arg::Rows(rows) => format!("{rows:?}").into(),
    }
}

impl Value for bool {
    const KIND: ParamType = ParamType::Boolean;

    fn convert<'a>(
        _: &'a Input<'a>,
        _: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        ready(Ok(Some(plain(arg).eq_ignore_ascii_case("true"))))
    }
}

/// Java's number syntax: an optional sign and ASCII digits. Rust reads the same.
pub(super) fn number<T: std::str::FromStr>(input: &Input<'_>, spec: &ParamSpec, raw: &str) -> Result<T, ApiError> {
    raw.parse().map_err(|_| input.not_a_number(spec, raw))
}

impl Value for i32 {
    const KIND: ParamType = ParamType::Integer;

    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        let raw = plain(arg);
        let blank = raw.trim().is_empty();
        ready(if blank { Ok(None) } else { number(input, spec, &raw).map(Some) })
    }
}

impl Value for i64 {
    const KIND: ParamType = ParamType::Long;

    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        ready(number(input, spec, &plain(arg)).map(Some))
    }
}

impl Value for String {
    const KIND: ParamType = ParamType::String;

    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        let raw = plain(arg);
        let too_long = raw.len() > spec.max_length && raw.encode_utf16().count() > spec.max_length;
        ready(if too_long {
            Err(input.invalid(&format!(
                "Value greater than max allowed length {} for param: {}",
                spec.max_length,
                spec.java_field()
            )))
        } else {
            Ok(Some(raw.into_owned()))
        })
    }
}

impl Value for Secret {
    const KIND: ParamType = ParamType::String;

    async fn convert(input: &Input<'_>, spec: &'static ParamSpec, arg: &Arg<'_>) -> Result<Option<Self>, ApiError> {
        Ok(String::convert(input, spec, arg).await?.map(Self::new))
    }
}

impl Value for Timestamp {
    const KIND: ParamType = ParamType::Date;

    fn convert<'a>(
        input: &'a Input<'a>,
        spec: &'static ParamSpec,
        arg: &'a Arg<'a>,
    ) -> impl Future<Output = Result<Option<Self>, ApiError>> + Send + 'a {
        let raw = plain(arg);
        let end_of_day = spec.field == "end_date";
        let when = date::parse_parameter(&raw, end_of_day).and_then(|when| Timestamp::from_unix(when.unix_timestamp()));
        ready(when.map(Some).ok_or_else(|| {
            ApiError::bad_parameter(format!(
                "Unable to parse date {raw} for command {}, please pass dates in the format mentioned in the api \
                 documentation",
                input.command
            ))
        }))
    }
}
