//! What a client reads when the store fails, or a room refuses.

use crate::api::ApiError;
use crate::drift::DriftRefusal;
use crate::estate::{EstateRefusal, Ground};
use crate::motion::{Refusal, RefusalKind};
use crate::store::{StoreCause, StoreError, VaultError};

impl StoreCause for ApiError {
    fn store_cause(&self) -> Option<&StoreError> {
        self.cause.as_deref()?.downcast_ref()
    }
}

impl From<StoreError> for ApiError {
    /// 530/4300 when somebody else was faster, 431 for what a CloudStack's database cannot keep, 530/4250 for
    /// everything else; the cause is for the log.
    fn from(cause: StoreError) -> Self {
        let error = match &cause {
            StoreError::Conflict { what } => {
                Self::concurrent_operation(format!("{what} was changed by another operation meanwhile. Try again."))
            }
            StoreError::Absent { .. } | StoreError::Vault(VaultError::ReadOnly) => {
                Self::invalid_parameter(cause.to_string())
            }
            cause if cause.is_locked_out() => Self::internal(
                "Somebody held a lock in the database too long, so the request was not carried out. Try again.",
            ),
            _ => Self::internal(
                "The database did not answer as expected, so the request was not carried out. Try again.",
            ),
        };
        error.caused_by(cause)
    }
}

/// A refusal of the room `motion`, as a job's result shows it.
impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let error = match refusal.kind {
            RefusalKind::Parameter => Self::invalid_parameter(refusal.text),
            RefusalKind::Failed => Self::internal(refusal.text),
        };
        let error = match refusal.subject.map(|subject| *subject) {
            Some((id, what)) => error.about(id, what),
            None => error,
        };
        match refusal.cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}

/// A refusal of the room `drift`, as a job's result shows it.
impl From<DriftRefusal> for ApiError {
    fn from(refusal: DriftRefusal) -> Self {
        match refusal {
            DriftRefusal::NotFound(_) => Self::invalid_parameter(refusal.to_string()),
            DriftRefusal::Refused(text) => Self::command_failed(text),
            DriftRefusal::Store(cause) => cause.into(),
        }
    }
}

/// A refusal of the room `estate`, as clients see it.
impl From<EstateRefusal> for ApiError {
    fn from(refusal: EstateRefusal) -> Self {
        let (ground, text, cause) = match refusal {
            EstateRefusal::Store(cause) => return cause.into(),
            EstateRefusal::Said { ground, text, cause } => (ground, text, cause),
        };
        let error = match ground {
            Ground::Parameter => Self::invalid_parameter(text),
            Ground::Command => Self::command_failed(text),
        };
        match cause {
            Some(cause) => error.caused_by(cause),
            None => error,
        }
    }
}
