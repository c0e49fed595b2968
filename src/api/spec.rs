//! What a declaration says about a command and its answer. `listApis`, OpenAPI and the role table read these.

use std::collections::BTreeMap;
use std::future::Future;

use super::error::ApiError;
use super::node::Node;
use super::param::{Input, ParamSpec, Submitting, flatten};
use crate::model::Timestamp;

/// Who may be allowed to call a command when no rule of the role speaks about it (`contract/api-protocol.md 9.1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoleType {
    /// The owner of the installation.
    Admin,
    /// The owner of a domain with resources of its own.
    ResourceAdmin,
    /// The owner of a domain.
    DomainAdmin,
    /// Everybody else.
    User,
}

impl RoleType {
    /// The word in the table of roles.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Admin => "Admin",
            Self::ResourceAdmin => "ResourceAdmin",
            Self::DomainAdmin => "DomainAdmin",
            Self::User => "User",
        }
    }

    /// Reads the word in the table of roles.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Admin, Self::ResourceAdmin, Self::DomainAdmin, Self::User].into_iter().find(|role| role.word() == word)
    }
}

/// All four role types, for commands that anybody may call.
pub const EVERYBODY: &[RoleType] = &[RoleType::Admin, RoleType::ResourceAdmin, RoleType::DomainAdmin, RoleType::User];

/// Whether a command answers at once or with a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It answers with its result.
    Sync,
    /// It answers with a job id.
    Async,
}

/// The HTTP method that `listApis` recommends. Both are always accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Http {
    /// For what only reads.
    Get,
    /// For what changes something. GET is taken as well unless the operator forbids it.
    Post,
    /// For what carries a password: GET is never taken.
    PostOnly,
}

impl Http {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post | Self::PostOnly => "POST",
        }
    }
}

/// How an object stands in the envelope of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A count and many objects. Declared as `response [HostView]`.
    List,
    /// One object under its name. Declared as `response HostView`.
    One,
    /// The fields of the object without its name. Declared as `response Bare<JobView>`.
    Bare,
    /// No envelope at all: objects like this one are told one after the other. Declared as `response Streamed<JobView>`.
    Streamed,
}

/// A type that may stand after the word `response` of a command.
pub trait Answered {
    /// The object.
    const RESPONSE: &'static ResponseSpec;
    /// How it stands in the envelope.
    const SHAPE: Shape;
}

/// Says that a command answers with the fields of `T` directly under the envelope.
#[derive(Debug)]
pub struct Bare<T>(std::marker::PhantomData<T>);

/// Says that a command tells objects like `T` one after the other, and has no other answer.
#[derive(Debug)]
pub struct Streamed<T>(std::marker::PhantomData<T>);

impl<T: Response> Answered for Streamed<T> {
    const RESPONSE: &'static ResponseSpec = T::SPEC;
    const SHAPE: Shape = Shape::Streamed;
}

impl<T: Response> Answered for T {
    const RESPONSE: &'static ResponseSpec = T::SPEC;
    const SHAPE: Shape = Shape::One;
}

impl<T: Response> Answered for [T] {
    const RESPONSE: &'static ResponseSpec = T::SPEC;
    const SHAPE: Shape = Shape::List;
}

impl<T: Response> Answered for Bare<T> {
    const RESPONSE: &'static ResponseSpec = T::SPEC;
    const SHAPE: Shape = Shape::Bare;
}

/// Everything that is declared about a command except its code.
#[derive(Debug)]
pub struct CommandSpec {
    /// The exact name, such as `migrateVolume`.
    pub name: &'static str,
    /// What it does, for people.
    pub description: &'static str,
    /// The version of CloudStack that brought it.
    pub since: Option<&'static str>,
    /// The name of the envelope where it is not the command's own.
    pub foreign_envelope: Option<&'static str>,
    /// Sync or async.
    pub kind: Kind,
    /// The recommended method.
    pub http: Http,
    /// The parameters in the order in which they are checked.
    pub params: &'static [ParamSpec],
    /// The object it answers with.
    pub response: &'static ResponseSpec,
    /// How the object stands in the envelope.
    pub shape: Shape,
    /// The content type of the answers that it gives without an envelope.
    pub media: Option<&'static str>,
    /// Who may call it when no rule speaks about it.
    pub roles: &'static [RoleType],
    /// The Java class that CloudStack names in `cmd` of a job.
    pub java_class: &'static str,
    /// The same for root admins, where it differs.
    pub java_class_admin: &'static str,
}

impl CommandSpec {
    /// Every parameter that a call may have: its own, without groups, and those of all jobs where it is done by one.
    pub fn all_params(&self) -> impl Iterator<Item = &'static ParamSpec> + use<> {
        let shared = if self.kind == Kind::Async { Submitting::PARAMS } else { &[] };
        flatten(self.params).chain(shared)
    }

    /// The name of the envelope of its answers, such as `listhostsresponse`.
    pub fn envelope(&self) -> String {
        self.foreign_envelope.map_or_else(|| format!("{}response", self.name.to_lowercase()), str::to_owned)
    }
}

/// A struct declared with `params!` or `command!`.
pub trait Params: Sized + Send + 'static {
    /// The parameters in the order in which they are checked.
    const PARAMS: &'static [ParamSpec];

    /// Reads all fields; the first one that does not fit is reported.
    fn decode<'a>(input: &'a Input<'a>) -> impl Future<Output = Result<Self, ApiError>> + Send + 'a;
}

/// A struct declared with `command!`.
pub trait Command: Params {
    /// What was declared.
    const SPEC: &'static CommandSpec;
}

/// What is declared about an object in answers.
#[derive(Debug)]
pub struct ResponseSpec {
    /// The name of our type, unique among all answers.
    pub type_name: &'static str,
    /// The name of the object in answers, such as `volume`.
    pub object: &'static str,
    /// What it describes, for people.
    pub description: &'static str,
    /// The fields in the order they are printed.
    pub fields: &'static [FieldSpec],
}

/// What is declared about one field of an answer.
#[derive(Debug)]
pub struct FieldSpec {
    /// The name on the wire.
    pub name: &'static str,
    /// What it means, for people.
    pub description: &'static str,
    /// The word `listApis` uses for its type.
    pub kind: &'static str,
    /// Whether it is printed in every object.
    pub always: bool,
    /// What the members are, when they are objects.
    pub nested: Option<&'static ResponseSpec>,
    /// The fields that stand in the place of this one.
    pub group: Option<&'static ResponseSpec>,
}

/// Fields as they are printed: those of a group stand where the group was declared.
pub fn printed(fields: &'static [FieldSpec]) -> impl Iterator<Item = &'static FieldSpec> {
    fields.iter().flat_map(|field| match field.group {
        Some(group) => group.fields.iter(),
        None => std::slice::from_ref(field).iter(),
    })
}

/// A struct declared with `response!`.
pub trait Response {
    /// What was declared.
    const SPEC: &'static ResponseSpec;

    /// The object as it is printed.
    fn into_node(self) -> Node;
}

/// A type that a field of an answer may have.
pub trait Field {
    /// The word `listApis` uses.
    const KIND: &'static str;
    /// Whether it is printed in every object.
    const ALWAYS: bool = true;
    /// What the members are, when they are objects.
    const NESTED: Option<&'static ResponseSpec> = None;
    /// The fields that stand in the place of this one.
    const GROUP: Option<&'static ResponseSpec> = None;

    /// The value as it is printed; `None` leaves the field out.
    fn into_field(self) -> Option<Node>;
}

macro_rules! scalar_fields {
    ($($type:ty, $kind:literal, |$value:ident| $node:expr;)*) => {
        $(
            impl Field for $type {
                const KIND: &'static str = $kind;

                fn into_field(self) -> Option<Node> {
                    let $value = self;
                    Some($node)
                }
            }
        )*
    };
}

scalar_fields! {
    String, "string", |value| Node::Text(value.into());
    &'static str, "string", |value| Node::Text(value.into());
    bool, "boolean", |value| Node::Bool(value);
    i32, "integer", |value| Node::Int(value.into());
    i64, "long", |value| Node::Int(value);
    f64, "double", |value| Node::Float(value);
    Timestamp, "date", |value| Node::Text(value.wire().into());
    BTreeMap<String, String>, "map", |value| Node::Map(value.into_iter().map(|(name, value)| (name.into(), value.into())).collect());
    Node, "responseobject", |value| value;
}

impl<T: Field> Field for Option<T> {
    const KIND: &'static str = T::KIND;
    const ALWAYS: bool = false;
    const NESTED: Option<&'static ResponseSpec> = T::NESTED;

    fn into_field(self) -> Option<Node> {
        self.and_then(T::into_field)
    }
}

impl<T: Field> Field for Vec<T> {
    const KIND: &'static str = "list";
    const NESTED: Option<&'static ResponseSpec> = T::NESTED;

    fn into_field(self) -> Option<Node> {
        Some(Node::List(self.into_iter().filter_map(T::into_field).collect()))
    }
}

/// Fields that several objects share. They stand in the object that has them, not in one of their own.
#[derive(Debug, Clone, Default)]
pub struct Group<T>(pub T);

impl<T: Response> Field for Group<T> {
    const KIND: &'static str = "responseobject";
    const GROUP: Option<&'static ResponseSpec> = Some(T::SPEC);

    fn into_field(self) -> Option<Node> {
        Some(self.0.into_node())
    }
}
