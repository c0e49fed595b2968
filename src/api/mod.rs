//! The language clients speak: parameters, answers and errors of CloudStack's API, and how a command is declared.
//!
//! Nothing here knows HTTP, a database or what a command does.

pub mod args;
pub mod csv;
pub mod date;
mod declare;
mod error;
mod flow;
mod id;
mod node;
pub mod openapi;
mod page;
mod param;
mod reply;
mod spec;
mod xml;

pub use args::{Arg, Args, Row};
pub use error::{ApiError, BAD_CREDENTIALS, BoxError, ErrorCode, ErrorSubject, HIDDEN_TEXT, cs_code};
pub use flow::{Flow, LongList, Part, Pieces};
pub use id::{Id, Ids, Rows, Token, contains_uuid};
pub use node::{Name, Node, java_double};
pub use page::{AccountScope, OwnerScope, Page, PageParams};
pub use param::{Input, Param, ParamSpec, ParamType, Submitting, Value, flatten};
pub use reply::{Envelope, Format, Reply, Shared, SuccessView};
pub use spec::{
    Answered, Bare, Command, CommandSpec, EVERYBODY, Field, FieldSpec, Group, Http, Kind, Params, Response,
    ResponseSpec, RoleType, Shape, Streamed, printed,
};
