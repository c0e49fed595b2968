//! The words spoken between the gateway and a Hyper-V agent.
//!
//! A request is a bare JSON object posted to [`path_of`]; an answer is an array whose first element
//! has one key, the class of the answer (`contract/hyperv-wire.md` sections 1 and 2). This module
//! ties each request type to its answer type and turns both into and out of bytes. It opens no
//! connection: that is the client's work.

mod codec;
pub mod extension;
pub mod host;
mod lenient;
pub mod naming;
pub mod objects;
pub mod pools;
pub mod vms;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use codec::{WireError, decode, encode, to_ascii};

/// Port of an agent unless configured otherwise (`contract/hyperv-wire.md` 1.1).
pub const DEFAULT_PORT: u16 = 8250;

/// Path of the controller; a GET on it (without the slash) is a liveness probe
/// (`contract/hyperv-wire.md` 1.1).
pub const PATH_PREFIX: &str = "/api/HypervResource/";

/// Largest request body in bytes that an agent reads (`contract/hyperv-wire.md` 0.9).
pub const REQUEST_LIMIT_BYTES: usize = 65_536;

/// Class of an answer that says no more than whether it worked.
pub const PLAIN_ANSWER: &str = "com.cloud.agent.api.Answer";

/// Extra members of a request or object that this gateway does not name but passes on.
pub type Other = Map<String, Value>;

/// A request that an agent understands.
///
/// [`encode`] turns it into a body; `CLASS` is the last segment of the path.
pub trait Command: Serialize + Send + Sync {
    /// Fully qualified class name, letter for letter.
    const CLASS: &'static str;

    /// When set, the body is `[{<this class>: {...}}]` instead of the bare object. Only the startup
    /// exchange does that (`contract/hyperv-wire.md` 2.5).
    const WRAPPED_AS: Option<&'static str> = None;

    /// What comes back.
    type Answer: Answer;
}

/// The answer to a [`Command`].
pub trait Answer: DeserializeOwned + Send {
    /// Class under which the answer is found in the array.
    const CLASS: &'static str;

    /// Whether the agent says that it worked, and why not.
    fn outcome(&self) -> &Outcome;

    /// Reads the answer out of a whole parsed body.
    ///
    /// # Errors
    /// [`WireError`] when the body is no one-element array of a known class.
    fn from_body(body: Value) -> Result<Self, WireError> {
        codec::first_answer(body)
    }
}

/// Path to which a command of class `class` is posted.
pub fn path_of(class: &str) -> String {
    format!("{PATH_PREFIX}{class}")
}

/// Members that every command carries (`contract/hyperv-wire.md` 1.6).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Base {
    /// Strings that travel with the request. Stock agents ignore them; ours reads `motion` from here
    /// (see [`extension`]).
    #[serde(rename = "contextMap", default, deserialize_with = "lenient::null_as_default")]
    pub context_map: BTreeMap<String, String>,
    /// The sender's patience in seconds; agents ignore it.
    #[serde(default)]
    pub wait: i64,
    /// Whether the command may run on a host under maintenance; agents ignore it.
    #[serde(rename = "bypassHostMaintenance", default)]
    pub bypass_host_maintenance: bool,
    /// Members that are not named here.
    #[serde(flatten)]
    pub other: Other,
}

impl Base {
    /// A base whose context names the motion that the command belongs to.
    pub fn for_motion(motion_id: &str) -> Self {
        let mut base = Self::default();
        base.context_map.insert(extension::MOTION_KEY.to_owned(), motion_id.to_owned());
        base
    }
}

/// What every answer says (`contract/hyperv-wire.md` 1.6): whether it worked, and the agent's text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// True when the agent believes that the work is done.
    #[serde(default, deserialize_with = "lenient::null_as_default")]
    pub result: bool,
    /// The agent's text, mostly the reason of a failure.
    #[serde(default)]
    pub details: Option<String>,
    /// Always empty from a stock agent.
    #[serde(rename = "contextMap", default, deserialize_with = "lenient::null_as_default")]
    pub context_map: Other,
}

/// `com.cloud.agent.api.Answer`: an [`Outcome`] and nothing else.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlainAnswer {
    /// Whether it worked.
    #[serde(flatten)]
    pub outcome: Outcome,
}

impl Answer for PlainAnswer {
    const CLASS: &'static str = PLAIN_ANSWER;
    fn outcome(&self) -> &Outcome {
        &self.outcome
    }
}

/// Ties command types to their class names and answers, and answer types to their outcome.
macro_rules! commands {
    ($($command:ty = $class:literal => $answer:ty;)*) => {
        $(impl $crate::hypervisors::hyperv::wire::Command for $command {
            const CLASS: &'static str = $class;
            type Answer = $answer;
        })*
    };
}

/// Declares answer types: their members beside the [`Outcome`], and their class.
macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident = $class:literal { $($(#[$field_doc:meta])* $field:ident : $kind:ty,)* })*) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $name {
            /// Whether it worked.
            #[serde(flatten)]
            pub outcome: $crate::hypervisors::hyperv::wire::Outcome,
            $($(#[$field_doc])* pub $field: $kind,)*
        }
        impl $crate::hypervisors::hyperv::wire::Answer for $name {
            const CLASS: &'static str = $class;
            fn outcome(&self) -> &$crate::hypervisors::hyperv::wire::Outcome {
                &self.outcome
            }
        })*
    };
}

pub(crate) use answers;
pub(crate) use commands;
