//! Why something about the estate is not done.

use crate::motion::hypervisor::AgentError;
use crate::store::{StoreCause, StoreError};

/// What a refusal rests on; decides the code that clients see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// A parameter is not accepted: 431/4350.
    Parameter,
    /// The command itself says no: 530/9999, shown to every caller.
    Command,
}

/// Why nothing was done.
#[derive(Debug)]
pub enum EstateRefusal {
    /// A reason with a text for clients, and what is behind it for the log.
    Said {
        /// What it rests on.
        ground: Ground,
        /// The text.
        text: String,
        /// What an agent said.
        cause: Option<AgentError>,
    },
    /// The database failed.
    Store(StoreError),
}

impl EstateRefusal {
    /// 431/4350.
    pub fn parameter(text: impl Into<String>) -> Self {
        Self::Said { ground: Ground::Parameter, text: text.into(), cause: None }
    }

    /// 530/9999.
    pub fn command(text: impl Into<String>) -> Self {
        Self::Said { ground: Ground::Command, text: text.into(), cause: None }
    }

    /// The same with what an agent said, for the log.
    #[must_use]
    pub fn because(self, error: AgentError) -> Self {
        match self {
            Self::Said { ground, text, .. } => Self::Said { ground, text, cause: Some(error) },
            Self::Store(error) => Self::Store(error),
        }
    }
}

impl From<StoreError> for EstateRefusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl StoreCause for EstateRefusal {
    fn store_cause(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Said { .. } => None,
        }
    }
}
