//! What a client reads when the store fails.

use crate::api::ApiError;
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
